//! What a column of a text has so far.

use jiff::Timestamp;

use super::date::{Clock, seconds_between};
use super::number::number;
use super::records::Place;
use crate::data::columns::{Column, Dates};

pub(super) enum Entries {
    Numbers(Vec<f64>),
    /// Dates or times of day, the first one, and why they are no numbers.
    Dates(Clock, Vec<Timestamp>, String, String),
    Neither(String),
}

impl Entries {
    pub(super) fn push(&mut self, field: &str, spelled: &str, place: Place) {
        match self {
            Self::Neither(_) => {}
            Self::Dates(clock, dates, ..) => match clock.time(field) {
                Some(date) => dates.push(date),
                None if field.is_empty() => *self = Self::Neither(format!("{place} is empty")),
                None => {
                    let shown: String = field.chars().take(40).collect();
                    *self = Self::Neither(format!("{place} is {shown:?}, which is no date, as there are above it"));
                }
            },
            Self::Numbers(numbers) => match number(field, spelled, place) {
                Ok(number) => numbers.push(number),
                Err(reason) => {
                    *self = match Clock::read(field).filter(|_| numbers.is_empty()) {
                        Some((clock, first)) => Self::Dates(clock, vec![first], field.to_owned(), reason),
                        None => Self::Neither(reason),
                    }
                }
            },
        }
    }

    /// There is no entry on an empty line.
    pub(super) fn miss(&mut self, line: usize) {
        if !matches!(self, Self::Neither(_)) {
            *self = Self::Neither(format!("line {line} is empty"));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Numbers(numbers) if numbers.is_empty())
    }

    pub(super) fn column(self, name: String, array: Option<String>) -> Column {
        match self {
            Self::Numbers(numbers) => Column { name, array, numbers: Ok(numbers), dates: None, clock: None },
            Self::Neither(reason) => Column { name, array, numbers: Err(reason), dates: None, clock: None },
            Self::Dates(_, dates, first, reason) => {
                let seconds = dates.iter().map(|date| seconds_between(dates[0], *date)).collect();
                Column { name, array, numbers: Err(reason), dates: Some(Dates { first, seconds }), clock: None }
            }
        }
    }
}
