//! [`Table`]: records, one after the other, as columns with names.

use bd_core::text::plural;
use csv::StringRecord;

use super::decimal::Decimals;
use super::entries::Entries;
use super::names::{has_words_only, is_header, names_of_remark, on_one_line};
use super::number::{is_number, spelled, unquoted, without_thousands};
use super::records::Place;
use crate::data::columns::{Column, Columns, MAX_NUMBERS, numbered};

pub(super) struct Table<'a> {
    content: &'a [u8],
    decimals: Decimals,
    first: Option<(Vec<String>, Place)>,
    /// The second line, while it may be one of units.
    units: Option<(StringRecord, Place)>,
    /// Whether the first line is a header, once there is a second one.
    header: Option<bool>,
    /// The first number with marks of thousands.
    thousands: Option<String>,
    guesses: Vec<String>,
    /// Lines of numbers so far.
    lines: usize,
    columns: Vec<Entries>,
    /// The first line of numbers, if it has a field more than the header.
    lacks_a_name: Option<Place>,
    /// Whether any number or word of a column has been other than empty.
    used: Vec<bool>,
    numbers: usize,
}

impl<'a> Table<'a> {
    pub(super) fn new(content: &'a [u8], decimals: Decimals, guesses: Vec<String>) -> Self {
        Self {
            content,
            decimals,
            first: None,
            units: None,
            header: None,
            thousands: None,
            guesses,
            lines: 0,
            columns: Vec::new(),
            lacks_a_name: None,
            used: Vec::new(),
            numbers: 0,
        }
    }

    pub(super) fn push(&mut self, record: &StringRecord, place: Place) -> Result<(), String> {
        if self.first.is_none() {
            self.first = Some((record.iter().map(|field| on_one_line(unquoted(field))).collect(), place));
            return Ok(());
        }
        let first_has_number = self.fit(record.len(), place)?;
        let is_second = self.header.is_none() && self.units.is_none();
        if is_second && has_words_only(record) && !first_has_number {
            self.units = Some((record.clone(), place));
            return Ok(());
        }
        if self.units.is_some() {
            self.take_units(record.iter().any(is_number))?;
        }
        self.line(record, place)
    }

    /// Fits the first line to `width` fields below it, where it may be a header of others, and refuses what does not fit. Whether the first
    /// line has a number.
    fn fit(&mut self, width: usize, place: Place) -> Result<bool, String> {
        let Some((first, first_place)) = &mut self.first else { return Ok(false) };
        let has_number = self.header.is_none() && first.iter().any(|field| is_number(field));
        if self.header.is_none() {
            if first.len() + 1 == width && !has_number && self.lacks_a_name.is_none() {
                // Names of rows have no name; or lines end in a separator. Which it is, is seen at the end.
                first.insert(0, String::new());
                self.lacks_a_name = Some(place);
            }
            if first.len() == width + 1 && first.last().is_some_and(String::is_empty) {
                first.pop();
            }
        }
        match self.lacks_a_name {
            _ if first.len() == width => Ok(has_number),
            Some(wider) if first.len() == width + 1 => Err(ragged(wider, first.len(), *first_place, width)),
            Some(_) => Err(ragged(place, width, *first_place, first.len() - 1)),
            None => Err(ragged(place, width, *first_place, first.len())),
        }
    }

    /// What a second line of words is, by whether there are numbers below.
    fn take_units(&mut self, over_numbers: bool) -> Result<(), String> {
        let Some((units, place)) = self.units.take() else { return Ok(()) };
        if !over_numbers {
            return self.line(&units, place);
        }
        let words = units.iter().collect::<Vec<_>>().join(", ");
        self.guesses.push(format!("{place} is {words}, which is read as units of the columns, and not as a point"));
        Ok(())
    }

    fn line(&mut self, record: &StringRecord, place: Place) -> Result<(), String> {
        if self.header.is_none() {
            self.decide(record);
        }
        // An empty line between numbers is a point that is missing.
        if let Some(empty) = place.gap.filter(|_| record.len() == 1 || self.lines > 0) {
            self.columns.iter_mut().for_each(|column| column.miss(empty));
        }
        self.fields(record.iter(), place)
    }

    /// Says whether the first line is a header, and takes it in if not.
    fn decide(&mut self, below: &StringRecord) {
        let Some((first, place)) = self.first.take() else { return };
        let (header, guess) = is_header(&first, below);
        self.guesses.extend(guess);
        self.header = Some(header);
        self.columns = first.iter().map(|_| Entries::Numbers(Vec::new())).collect();
        self.used = vec![false; first.len()];
        if !header {
            // It has as many fields as itself and is no more than the limit.
            let _ = self.fields(first.iter().map(String::as_str), place);
        }
        self.first = Some((first, place));
    }

    fn fields<'f>(&mut self, fields: impl Iterator<Item = &'f str>, place: Place) -> Result<(), String> {
        self.lines += 1;
        for (at, field) in fields.enumerate().take(self.columns.len()) {
            let has_comma = self.decimals.are_commas(at);
            self.used[at] |= !field.is_empty();
            if self.thousands.is_none() && without_thousands(field, if has_comma { ',' } else { '.' }).is_some() {
                self.thousands = Some(field.to_owned());
            }
            self.columns[at].push(field, &spelled(field, has_comma), place);
            self.numbers += 1;
        }
        if self.numbers > MAX_NUMBERS {
            return Err(format!("it has more than {MAX_NUMBERS} numbers, which is the most that is read"));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Columns, String> {
        self.take_units(false)?;
        if self.header.is_none() {
            self.decide(&StringRecord::new());
        }
        let Some((first, place)) = self.first.take() else { return Ok(Columns { all: Vec::new(), guess: None }) };
        if self.header == Some(true) && self.columns.iter().all(Entries::is_empty) {
            return Err("it has a header and no line of numbers".into());
        }
        let names = self.names(first, place)?;
        self.guess_decimals(names.as_deref());
        let thousands = self.thousands.map(|number| format!("thousands are set apart, as in {number}"));
        self.guesses.extend(thousands);
        let all = named(self.columns, &self.used, names);
        Ok(Columns { all, guess: self.guesses.into_iter().reduce(|a, b| format!("{a}; {b}")) })
    }

    /// The names of the columns, if there are any: those of the header, or of a remark above the numbers.
    fn names(&mut self, first: Vec<String>, place: Place) -> Result<Option<Vec<String>>, String> {
        if self.header == Some(false) {
            let names = names_of_remark(&self.content[..place.begin], first.len());
            let guess =
                |names: &Vec<String>| format!("names of columns are those of the remark above: {}", names.join(", "));
            self.guesses.extend(names.as_ref().map(guess));
            return Ok(names);
        }
        let mut names = first;
        let Some(wider) = self.lacks_a_name else { return Ok(Some(names)) };
        let count = names.len();
        if self.used.last() == Some(&false) {
            names.rotate_left(1);
        } else if count == 2 && !self.content[place.begin..wider.begin].contains(&b'"') {
            return Err(ragged(wider, 2, place, 1));
        } else {
            let header = names[1..].join(", ");
            self.guesses.push(format!(
                "{place} has {} for {count} columns, which are read as those of the last: {header}; the first, x.0, has none, as names of \
                 rows",
                plural(count - 1, "name")
            ));
        }
        Ok(Some(names))
    }

    /// Says which numbers are read with a comma in place of the point, if any are.
    fn guess_decimals(&mut self, names: Option<&[String]>) {
        if !self.decimals.has_commas() {
            return;
        }
        let of = match self.decimals.are_mixed {
            false => String::new(),
            true => {
                let of_commas = (0..self.columns.len()).filter(|at| self.decimals.are_commas(*at));
                let name = |at: usize| names.map_or_else(|| format!("x.{at}"), |names| names[at].clone());
                format!(" of {}", of_commas.map(name).collect::<Vec<_>>().join(", "))
            }
        };
        self.guesses.insert(0, format!("numbers{of} are read with a comma in place of the decimal point"));
    }
}

/// Columns with their names, without those that two separators in a row leave, or one at the end of every line.
fn named(columns: Vec<Entries>, used: &[bool], names: Option<Vec<String>>) -> Vec<Column> {
    let has_names = names.is_some();
    let names = names.unwrap_or_else(|| vec![String::new(); columns.len()]);
    let is_column = |((_, name), used): &((Entries, String), &bool)| **used || !name.is_empty();
    let kept: Vec<_> = columns.into_iter().zip(names).zip(used).filter(is_column).map(|(column, _)| column).collect();
    let numbered = numbered("x", kept.len());
    let column = |((entries, name), number): ((Entries, String), String)| match name.is_empty() {
        true => entries.column(number, (!has_names).then(|| "x".to_owned())),
        false => entries.column(name, None),
    };
    kept.into_iter().zip(numbered).map(column).collect()
}

fn ragged(place: Place, found: usize, first: Place, expected: usize) -> String {
    format!("{place} has {}, but {first} has {expected}", plural(found, "field"))
}
