//! [`Table`]: which columns of a file are channels, and which is the time.

use std::path::Path;

use bd_core::{Clock, Error, Result};

use super::evenly;
use crate::data::columns::Column;

/// The columns of a file, by name.
pub(super) struct Table<'a> {
    pub(super) path: &'a Path,
    pub(super) columns: Vec<Column>,
}

impl Table<'_> {
    pub(super) fn bad(&self, reason: String) -> Error {
        Error::bad_file(self.path, reason)
    }

    /// Columns of this name, or of the array of this name.
    fn find(&self, name: &str) -> Result<Vec<usize>> {
        let all = |fits: &dyn Fn(&Column) -> bool| -> Vec<usize> {
            (0..self.columns.len()).filter(|&at| fits(&self.columns[at])).collect()
        };
        let named = all(&|column| column.name == name);
        let found = if named.is_empty() { all(&|column| column.array.as_deref() == Some(name)) } else { named };
        match found.len() {
            0 => Err(self.bad(format!("no column is called '{name}'; there are: {}", self.listing()))),
            2.. if self.columns[found[0]].name == name => {
                Err(self.bad(format!("{} columns are called '{name}'; give them different names", found.len())))
            }
            _ => Ok(found),
        }
    }

    pub(super) fn single(&self, name: &str) -> Result<usize> {
        match self.find(name)?[..] {
            [at] => Ok(at),
            _ => {
                Err(self.bad(format!("{name} has several columns; name one of them for the time: {}", self.listing())))
            }
        }
    }

    /// The columns that are channels.
    pub(super) fn choose(&self, names: &[String], time: Option<usize>) -> Result<Vec<usize>> {
        let mut arrays: Vec<_> = self.columns.iter().filter_map(|column| column.array.as_deref()).collect();
        arrays.dedup();
        let chosen: Vec<usize> = match names {
            [] if arrays.len() > 1 => {
                return Err(self.bad(format!("name its columns with `columns`; there are: {}", self.listing())));
            }
            [] => (0..self.columns.len()).filter(|at| Some(*at) != time).collect(),
            names => names.iter().map(|name| self.find(name)).collect::<Result<Vec<_>>>()?.concat(),
        };
        for (i, &at) in chosen.iter().enumerate() {
            let name = &self.columns[at].name;
            if Some(at) == time {
                return Err(self.bad(format!("{name} cannot be a channel and the time")));
            }
            if chosen[..i].iter().any(|&before| self.columns[before].name == *name) {
                let way_out = if names.is_empty() { "give them different names" } else { "name each column once" };
                return Err(self.bad(format!("two channels would be called '{name}'; {way_out}")));
            }
            if let Err(error) = self.numbers(at) {
                // Only where the user has not named the columns can it be left out by naming the others.
                return Err(if names.is_empty() { self.advise(at, time) } else { error });
            }
        }
        if chosen.is_empty() {
            return Err(self.bad("it has no column but the time".into()));
        }
        Ok(chosen)
    }

    pub(super) fn numbers(&self, at: usize) -> Result<&[f64]> {
        let column = &self.columns[at];
        column.numbers.as_deref().map_err(|reason| {
            let hint =
                if reason.ends_with(" is empty") { "; fill the gap first, or cut the file before it" } else { "" };
            self.bad(format!("column {}: {reason}{hint}", column.name))
        })
    }

    /// The times in a column, of dates in seconds.
    pub(super) fn times(&self, at: usize) -> Result<&[f64]> {
        if let Some(dates) = &self.columns[at].dates {
            return Ok(&dates.seconds);
        }
        self.numbers(at).map_err(|error| match error {
            Error::BadFile { path, reason } => Error::BadFile {
                path,
                reason: format!("{reason}; times are numbers, or dates such as 2020-01-31T12:30:00, or times of day such as 12:30:00.5"),
            },
            other => other,
        })
    }

    pub(super) fn has_clock(&self, chosen: &[usize]) -> bool {
        chosen.iter().any(|&at| self.columns[at].clock.is_some())
    }

    /// Start and step of channels whose times the file has, if it has. `dt` goes before times that are not even.
    pub(super) fn clock(&self, chosen: &[usize], dt: Option<f64>) -> Result<Option<(f64, f64)>> {
        let mut clocks =
            chosen.iter().map(|&at| &self.columns[at]).filter_map(|column| Some((column, column.clock.as_ref()?)));
        let Some((first, clock)) = clocks.next() else { return Ok(None) };
        if let Some((other, _)) = clocks.find(|(_, other)| *other != clock) {
            return Err(
                self.bad(format!("{} and {} have other times; take channels of one series", first.name, other.name))
            );
        }
        match (clock, dt) {
            (Clock::Even { start_s, dt_s }, _) => Ok(Some((*start_s, *dt_s))),
            (Clock::Times(times), Some(dt)) => Ok(times.first().map(|start| (*start, dt))),
            (Clock::Times(times), None) => match evenly(times) {
                Ok(clock) => Ok(Some(clock)),
                Err(reason) => Err(self.bad(format!("the times of {}: {reason}", first.name))),
            },
        }
    }

    /// What to do about a column that cannot be a channel.
    fn advise(&self, at: usize, time: Option<usize>) -> Error {
        let column = &self.columns[at];
        let reason = column.numbers.as_ref().err().map_or("", String::as_str);
        let others: Vec<&str> = (0..self.columns.len())
            .filter(|&other| Some(other) != time && self.columns[other].numbers.is_ok())
            .map(|other| self.columns[other].name.as_str())
            .collect();
        // What can be pasted, and is not too long to be read.
        let quoted =
            |name: &&str| if name.contains([',', ' ', '"', '\'']) { format!("{name:?}") } else { (*name).to_owned() };
        let advice = match others.len() {
            0 => String::new(),
            1..=20 => {
                let others = others.iter().map(quoted).collect::<Vec<_>>().join(",");
                let others = if others.contains('"') { format!("'{others}'") } else { others };
                format!("; to leave it out, name the columns that are channels: `columns` {others}")
            }
            _ => "; to leave it out, name the columns that are channels with `columns`".into(),
        };
        let of_times = match (time, &column.dates) {
            (None, Some(_)) => format!("; to take its times, say `time` {}", quoted(&column.name.as_str())),
            _ => String::new(),
        };
        self.bad(format!("column {}: {reason}{advice}{of_times}", column.name))
    }

    fn listing(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        some(&names, ", ")
    }
}

/// The first of many names.
fn some(names: &[&str], separator: &str) -> String {
    const MOST: usize = 20;
    let shown = names[..names.len().min(MOST)].join(separator);
    if names.len() > MOST { format!("{shown}{separator}... ({} in all)", names.len()) } else { shown }
}
