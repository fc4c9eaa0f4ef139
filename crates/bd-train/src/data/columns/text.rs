//! Columns of a text, separated by commas or the like.

use std::path::Path;
use std::{fmt, fs};

use bd_core::{Error, Result};
use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use super::{Column, MAX_NUMBERS, numbered};

const SEPARATORS: [u8; 4] = *b",;\t ";

pub(super) fn read(path: &Path) -> Result<Vec<Column>> {
    let bad = |reason: String| Error::bad_file(path, reason);
    let content = fs::read(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // what is ragged is told in our own words
        .delimiter(separator(&content))
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(&content[..]);
    let mut table = Table::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| bad(trouble(&content, &reader, &error)))? {
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
        let before = self.content[..self.end.min(self.content.len())].trim_ascii_end();
        write!(f, "line {}", 1 + before.iter().filter(|&&byte| byte == b'\n').count())
    }
}

fn trouble(content: &[u8], reader: &Reader<&[u8]>, error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            format!("{}: it is not UTF-8 text", Place { content, end: reader.position().byte() as usize })
        }
        _ => format!("cannot be read: {error}"),
    }
}

/// Which separator the first line has most of, outside of quotes. Where it has none, there is one column.
fn separator(content: &[u8]) -> u8 {
    let mut lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
    let mut counts = [0usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if let Some(which) = SEPARATORS.iter().position(|separator| separator == byte).filter(|_| !quoted) {
            counts[which] += 1;
        }
    }
    // A space counts only where there is nothing else: "a, b" is separated by its comma.
    let which =
        (0..3).filter(|&which| counts[which] > 0).max_by_key(|&which| (counts[which], std::cmp::Reverse(which)));
    SEPARATORS[which.unwrap_or(if counts[3] > 0 { 3 } else { 0 })]
}

#[derive(Default)]
struct Table<'a> {
    first: Option<(Vec<String>, Place<'a>)>,
    /// Whether the first line is a header, once there is a second one.
    header: Option<bool>,
    columns: Vec<Result<Vec<f64>, String>>,
    numbers: usize,
}

impl<'a> Table<'a> {
    fn push(&mut self, record: &StringRecord, place: Place<'a>) -> Result<(), String> {
        let Some((first, first_place)) = self.first.take() else {
            self.first = Some((record.iter().map(str::to_owned).collect(), place));
            return Ok(());
        };
        if first.len() != record.len() {
            let (n, m) = (first.len(), record.len());
            return Err(format!("{place} has {m} {}, but {first_place} has {n}", fields(m)));
        }
        if self.header.is_none() {
            self.decide(&first, first_place, |i| record.get(i).is_some_and(is_number));
        }
        self.first = Some((first, first_place));
        self.fields(record.iter(), place)
    }

    /// Says whether the first line is a header, and takes it in if not.
    fn decide(&mut self, first: &[String], place: Place<'_>, number_below: impl Fn(usize) -> bool) {
        let word = |field: &str| !field.is_empty() && !is_number(field) && !is_missing(field);
        let none_is_number = first.iter().all(|field| !is_number(field)) && first.iter().any(|field| word(field));
        let header = none_is_number || first.iter().enumerate().any(|(i, field)| word(field) && number_below(i));
        self.header = Some(header);
        self.columns = first.iter().map(|_| Ok(Vec::new())).collect();
        if !header {
            // It has as many fields as itself and is no more than the limit.
            let _ = self.fields(first.iter().map(String::as_str), place);
        }
    }

    fn fields<'f>(&mut self, fields: impl Iterator<Item = &'f str>, place: Place<'_>) -> Result<(), String> {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            let Ok(numbers) = column else { continue };
            match number(field, place) {
                Ok(number) => numbers.push(number),
                Err(reason) => *column = Err(reason),
            }
            self.numbers += 1;
        }
        if self.numbers > MAX_NUMBERS {
            return Err(format!("it has more than {MAX_NUMBERS} numbers, which is the most that is read"));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Column>, String> {
        let Some((first, place)) = self.first.take() else {
            return Ok(Vec::new());
        };
        if self.header.is_none() {
            self.decide(&first, place, |_| false);
        }
        let header = self.header == Some(true);
        if header && self.columns.iter().all(|column| column.as_ref().is_ok_and(Vec::is_empty)) {
            return Err("it has a header and no line of numbers".into());
        }
        let numbered = numbered("x", first.len());
        let named = |(i, numbers): (usize, Result<Vec<f64>, String>)| match first[i].as_str() {
            name if header && !name.is_empty() => Column { name: name.to_owned(), array: None, numbers },
            _ => Column { name: numbered[i].clone(), array: (!header).then(|| "x".to_owned()), numbers },
        };
        Ok(self.columns.into_iter().enumerate().map(named).collect())
    }
}

fn fields(n: usize) -> &'static str {
    if n == 1 { "field" } else { "fields" }
}

fn is_number(field: &str) -> bool {
    field.parse::<f64>().is_ok()
}

/// What programs write where a number is missing.
fn is_missing(field: &str) -> bool {
    ["na", "n/a", "nan", "null", "none", "-", "?"].contains(&field.to_ascii_lowercase().as_str())
}

fn number(field: &str, place: Place<'_>) -> Result<f64, String> {
    if field.is_empty() {
        return Err(format!("{place} is empty"));
    }
    if is_missing(field) {
        return Err(format!("{place} is {field}"));
    }
    match field.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{place} is {field:?}, which float64 holds as {number}")),
        Err(_) => {
            let comma =
                field.split_once(',').is_some_and(|(a, b)| a.parse::<i64>().is_ok() && b.parse::<u64>().is_ok());
            let hint = if comma { " (numbers need a decimal point, not a comma)" } else { "" };
            let shown: String = field.chars().take(40).collect();
            Err(format!("{place} is {shown:?}, which is no number{hint}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(content: &[u8]) -> Result<Vec<Column>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, content).unwrap();
        super::super::read_columns(&path)
    }

    fn names(content: &str) -> Vec<String> {
        columns(content.as_bytes()).unwrap().into_iter().map(|column| column.name).collect()
    }

    /// Columns and points.
    fn size(content: &str) -> (usize, usize) {
        let all = columns(content.as_bytes()).unwrap();
        (all.len(), all.iter().find_map(|column| column.numbers.as_ref().ok()).map_or(0, Vec::len))
    }

    #[test]
    fn a_header_is_told_from_numbers() {
        for (text, expected) in [
            ("\"YEAR\",\"N\"\n1700,5\n", vec!["YEAR", "N"]),
            ("t,1,2\n0.1,5,6\n", vec!["t", "1", "2"]), // channels with numbers for names
            ("1,2\n3,4\n", vec!["x.0", "x.1"]),
            ("2020-01-01,5\n2020-01-02,6\n", vec!["x.0", "x.1"]), // a date is not a header over dates
            (",v\n0,1.5\n1,2.5\n", vec!["x.0", "v"]),             // as pandas writes its index
            ("NaN,1\n2,3\n", vec!["x.0", "x.1"]),
            ("5\n6\n", vec!["x"]),
            ("v\n", vec![]),
        ] {
            match expected.is_empty() {
                true => assert!(columns(text.as_bytes()).unwrap_err().to_string().contains("no line of numbers")),
                false => assert_eq!(names(text), expected, "{text:?}"),
            }
        }
    }

    #[test]
    fn separators_comments_and_line_ends() {
        for text in [
            "a,b\n1,2\n3,4\n",
            "a;b\r\n1;2\r\n3;4\r\n",
            "\u{feff}a\tb\n1\t2\n3\t4",
            "# made by numpy\n1.0e+00 2\n\n3 4\n",
            "\n\"a, or so\", b\n1, 2\n 3 ,4\n",
        ] {
            assert_eq!(size(text), (2, 2), "{text:?}");
        }
        assert_eq!(names("\u{feff}a,b\n1,2\n"), ["a", "b"]);
        assert_eq!(size("1\n2\n3\n"), (1, 3));
    }

    #[test]
    fn what_is_no_number_is_told_by_its_line() {
        for (text, reason) in [
            ("a\n1\n\"\"\n", "line 3 is empty"),
            ("a\n1\nNA\n", "line 3 is NA"),
            ("a\n1\nnan\n", "line 3 is nan"),
            ("a\n1\n# a remark\nx\n", "line 4 is \"x\", which is no number"),
            ("a;b\n1,5;2\n", "line 2 is \"1,5\", which is no number (numbers need a decimal point, not a comma)"),
            ("a\n1e999\n", "line 2 is \"1e999\", which float64 holds as inf"),
        ] {
            assert_eq!(columns(text.as_bytes()).unwrap()[0].numbers, Err(reason.into()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (content, words) in [
            (&b""[..], "it is empty"),
            (b"\n\n# nothing\n", "it is empty"),
            (b"a,b\n1,2\n3\n", "line 3 has 1 field, but line 1 has 2"),
            (b"1,2\n3,4,5\n", "line 2 has 3 fields, but line 1 has 2"),
            (b"a\n1\n\xff\xfe\n", "line 3: it is not UTF-8 text"),
        ] {
            let error = columns(content).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
