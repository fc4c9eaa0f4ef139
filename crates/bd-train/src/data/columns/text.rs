//! Columns of a text, separated by commas or the like.

mod date;
mod layout;
mod number;
mod preamble;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::{fmt, fs};

use bd_core::{Error, Result};
use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;

use self::date::{Clock, seconds_between};
use self::layout::{
    decimal_commas, end_lines, line_ends, separator, single_spaces, take_percents, take_separator_line, utf8,
};
use self::number::{is_missing, is_number, number, spelled, unquoted, without_thousands};
use self::preamble::take_preamble;
use super::{Column, Columns, Dates, MAX_NUMBERS, numbered};

pub(super) fn read(path: &Path) -> Result<Columns> {
    let bad = |reason: String| Error::bad_file(path, reason);
    let content = fs::read(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let (mut content, is_latin) = utf8(content).map_err(bad)?;
    end_lines(&mut content);
    take_percents(&mut content);
    let preamble = take_preamble(&mut content);
    let separator = take_separator_line(&mut content).unwrap_or_else(|| separator(&content));
    if separator == b' ' {
        content = single_spaces(&content);
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // what is ragged is told in our own words
        .delimiter(separator)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(&content[..]);
    let text = str::from_utf8(&content).map_err(|_| bad("it is not UTF-8 text".into()))?;
    let mut table = Table { has_decimal_commas: separator != b',' && decimal_commas(text), ..Table::default() };
    if is_latin {
        table.guesses.push("the text is not UTF-8, and is read as Latin-1".to_owned());
    }
    if preamble > 0 {
        table.guesses.push(format!("lines 1 to {preamble} are no table, and are passed over"));
    }
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| bad(format!("cannot be read: {error}")))? {
        // A line of spaces.
        if record.len() == 1 && record[0].is_empty() && table.first.as_ref().is_none_or(|(first, _)| first.len() > 1) {
            continue;
        }
        table.push(&record, Place { content: &content, end: reader.position().byte() as usize }).map_err(bad)?;
    }
    table.finish().map_err(bad)
}

/// Where a record ends. Its line is only counted when somebody asks: csv's own count leaves out remarks and empty lines.
#[derive(Clone, Copy)]
struct Place<'a> {
    content: &'a [u8],
    end: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", 1 + line_ends(without_line_end(&self.content[..self.end.min(self.content.len())])))
    }
}

fn without_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// Where the next line begins: csv stops between `\r` and `\n`.
fn after_line_end(content: &[u8], end: usize) -> usize {
    let within = end > 0 && content[end - 1] == b'\r' && content.get(end) == Some(&b'\n');
    end + usize::from(within)
}

/// What a column has so far.
enum Entries {
    Numbers(Vec<f64>),
    /// Dates or times of day, the first one, and why they are no numbers.
    Dates(Clock, Vec<Timestamp>, String, String),
    Neither(String),
}

impl Entries {
    fn push(&mut self, field: &str, spelled: &str, place: Place<'_>) {
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

    fn refuse(&mut self, reason: &str) {
        if !matches!(self, Self::Neither(_)) {
            *self = Self::Neither(reason.to_owned());
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Numbers(numbers) if numbers.is_empty())
    }

    fn column(self, name: String, array: Option<String>) -> Column {
        match self {
            Self::Numbers(numbers) => Column { name, array, numbers: Ok(numbers), dates: None },
            Self::Neither(reason) => Column { name, array, numbers: Err(reason), dates: None },
            Self::Dates(_, dates, first, reason) => {
                let seconds = dates.iter().map(|date| seconds_between(dates[0], *date)).collect();
                Column { name, array, numbers: Err(reason), dates: Some(Dates { first, seconds }) }
            }
        }
    }
}

/// Where a line ends, and what stands before it.
#[derive(Clone, Copy)]
struct Span<'a> {
    begin: usize,
    place: Place<'a>,
}

/// Whether a line has words and no numbers, as units under names.
fn has_words_only(line: &StringRecord) -> bool {
    let mut words = line.iter().filter(|field| !field.is_empty()).peekable();
    words.peek().is_some() && words.all(|field| is_word(field) && Clock::read(field).is_none())
}

#[derive(Default)]
struct Table<'a> {
    first: Option<(Vec<String>, Place<'a>)>,
    /// The second line, while it may be one of units.
    units: Option<(StringRecord, Span<'a>)>,
    /// Whether the first line is a header, once there is a second one.
    header: Option<bool>,
    has_decimal_commas: bool,
    /// The first number with marks of thousands.
    thousands: Option<String>,
    guesses: Vec<String>,
    /// Lines of numbers so far.
    lines: usize,
    columns: Vec<Entries>,
    /// Whether the header has a name less than there are columns.
    lacks_a_name: bool,
    /// Whether any number or word of a column has been other than empty.
    used: Vec<bool>,
    numbers: usize,
    /// Where the record before ended.
    end: usize,
}

impl<'a> Table<'a> {
    fn push(&mut self, record: &StringRecord, place: Place<'a>) -> Result<(), String> {
        let span = Span { begin: after_line_end(place.content, self.end), place };
        self.end = place.end;
        let Some((first, first_place)) = &mut self.first else {
            self.first = Some((record.iter().map(|field| on_one_line(unquoted(field))).collect(), place));
            return Ok(());
        };
        if self.header.is_none() && first.len() + 1 == record.len() && !first.iter().any(|field| is_number(field)) {
            // R's names of rows have no name; or lines end in a separator, which is seen at the end.
            first.insert(0, String::new());
            self.lacks_a_name = true;
        }
        if self.header.is_none() && first.len() == record.len() + 1 && first.last().is_some_and(String::is_empty) {
            first.pop();
        }
        if first.len() != record.len() {
            let (n, m) = (first.len(), record.len());
            return Err(format!("{place} has {m} {}, but {first_place} has {n}", fields(m)));
        }
        let is_second = self.header.is_none() && self.units.is_none();
        if is_second && has_words_only(record) && first.iter().all(|field| !is_number(field)) {
            self.units = Some((record.clone(), span));
            return Ok(());
        }
        if self.units.is_some() {
            self.take_units(record.iter().any(is_number))?;
        }
        self.line(record, span)
    }

    /// What a second line of words is, by whether there are numbers below.
    fn take_units(&mut self, over_numbers: bool) -> Result<(), String> {
        let Some((units, span)) = self.units.take() else { return Ok(()) };
        if !over_numbers {
            return self.line(&units, span);
        }
        let words = units.iter().collect::<Vec<_>>().join(", ");
        let place = span.place;
        self.guesses.push(format!("{place} is {words}, which is read as units of the columns, and not as a point"));
        Ok(())
    }

    fn line(&mut self, record: &StringRecord, Span { begin, place }: Span<'a>) -> Result<(), String> {
        if self.header.is_none() {
            self.decide(record);
        }
        // An empty line between numbers is a point that is missing.
        let between = &place.content[begin..place.end];
        let gap = !between.contains(&b'#') && line_ends(without_line_end(between)) > 0;
        if gap && (record.len() == 1 || self.lines > 0) {
            let empty = format!("{} is empty", Place { end: begin + 1, ..place });
            self.columns.iter_mut().for_each(|column| column.refuse(&empty));
        }
        self.fields(record.iter(), place)
    }

    /// Says whether the first line is a header, and takes it in if not.
    fn decide(&mut self, below: &StringRecord) {
        let Some((first, place)) = self.first.take() else { return };
        let number_below = |i: usize| below.get(i).is_some_and(is_number);
        let none_is_number = first.iter().all(|field| !is_number(field)) && first.iter().any(|field| is_word(field));
        let over_number =
            |(i, field): (usize, &String)| (is_word(field) || (i == 0 && field.is_empty())) && number_below(i);
        // As pandas names the columns of an array; but numbers may begin so, too.
        let counted = first.iter().enumerate().all(|(i, field)| *field == i.to_string()) && !below.is_empty();
        let over_fractions = below.iter().any(|field| is_number(field) && field.parse::<i64>().is_err());
        let header = none_is_number || (counted && over_fractions) || first.iter().enumerate().any(over_number);
        if counted {
            let line = first.join(", ");
            self.guesses.push(match header {
                true => format!("the first line is {line}, which is read as names of columns, and not as a point"),
                false => format!("the first line is {line}, which is read as a point, and not as names of columns"),
            });
        }
        self.header = Some(header);
        self.columns = first.iter().map(|_| Entries::Numbers(Vec::new())).collect();
        self.used = vec![false; first.len()];
        if !header {
            // It has as many fields as itself and is no more than the limit.
            let _ = self.fields(first.iter().map(String::as_str), place);
        }
        self.first = Some((first, place));
    }

    fn fields<'f>(&mut self, fields: impl Iterator<Item = &'f str>, place: Place<'_>) -> Result<(), String> {
        self.lines += 1;
        let decimal = if self.has_decimal_commas { ',' } else { '.' };
        for ((column, used), field) in self.columns.iter_mut().zip(&mut self.used).zip(fields) {
            *used |= !field.is_empty();
            if self.thousands.is_none() && without_thousands(field, decimal).is_some() {
                self.thousands = Some(field.to_owned());
            }
            column.push(field, &spelled(field, self.has_decimal_commas), place);
            self.numbers += 1;
        }
        if self.numbers > MAX_NUMBERS {
            return Err(format!("it has more than {MAX_NUMBERS} numbers, which is the most that is read"));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Columns, String> {
        if self.first.is_none() {
            return Ok(Columns { all: Vec::new(), guess: None });
        }
        self.take_units(false)?;
        if self.header.is_none() {
            self.decide(&StringRecord::new());
        }
        let Some((first, place)) = self.first.take() else { return Ok(Columns { all: Vec::new(), guess: None }) };
        let mut header = self.header == Some(true);
        if header && self.columns.iter().all(Entries::is_empty) {
            return Err("it has a header and no line of numbers".into());
        }
        let names = (!header).then(|| names_of_remark(place, first.len())).flatten();
        if let Some(names) = &names {
            self.guesses.push(format!("names of columns are those of the remark above: {}", names.join(", ")));
        }
        header |= names.is_some();
        let mut names = names.unwrap_or(first);
        if self.lacks_a_name && self.used.last() == Some(&false) {
            names.rotate_left(1);
        }
        // What two separators in a row leave, or one at the end of every line.
        let is_column = |(name, used): (&String, bool)| used || (header && !name.is_empty()) || self.lines == 0;
        let kept: Vec<bool> = names.iter().zip(self.used).map(is_column).collect();
        let columns = self.columns.into_iter().zip(names).zip(kept);
        let columns: Vec<(Entries, String)> = columns.filter(|(_, kept)| *kept).map(|(column, _)| column).collect();
        let numbered = numbered("x", columns.len());
        let named = |((entries, name), number): ((Entries, String), String)| match header && !name.is_empty() {
            true => entries.column(name, None),
            false => entries.column(number, (!header).then(|| "x".to_owned())),
        };
        let all: Vec<Column> = columns.into_iter().zip(numbered).map(named).collect();
        if self.has_decimal_commas {
            self.guesses.insert(0, "numbers are read with a comma in place of the decimal point".to_owned());
        }
        let thousands = self.thousands.map(|number| format!("thousands are set apart, as in {number}"));
        self.guesses.extend(thousands);
        Ok(Columns { all, guess: self.guesses.into_iter().reduce(|a, b| format!("{a}; {b}")) })
    }
}

/// Names of `count` columns in the last remark before the first line, as `numpy.savetxt` writes its header.
fn names_of_remark(first: Place<'_>, count: usize) -> Option<Vec<String>> {
    let before = String::from_utf8_lossy(first.content.get(..first.end)?).into_owned();
    let mut lines = before.lines().rev().skip_while(|line| line.trim().is_empty()).skip(1);
    let remark = lines.next()?.trim().strip_prefix('#')?.to_owned();
    let separator = separator(remark.trim().as_bytes());
    let names: Vec<String> = match separator {
        b' ' => remark.split_whitespace().map(str::to_owned).collect(),
        separator => remark.split(char::from(separator)).map(|name| name.trim().to_owned()).collect(),
    };
    (names.len() == count && names.iter().all(|name| is_word(name))).then_some(names)
}

fn is_word(field: &str) -> bool {
    !field.is_empty() && !is_number(field) && !is_missing(field)
}

/// Names with a line end in them, as spreadsheets have them, are hard to name again.
fn on_one_line(field: &str) -> String {
    if field.contains(['\n', '\r']) { field.split_whitespace().collect::<Vec<_>>().join(" ") } else { field.to_owned() }
}

fn fields(n: usize) -> &'static str {
    if n == 1 { "field" } else { "fields" }
}
