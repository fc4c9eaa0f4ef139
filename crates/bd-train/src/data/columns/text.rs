//! Columns of a text, separated by commas or the like.

mod layout;
mod number;

use std::path::Path;
use std::{fmt, fs};

use bd_core::{Error, Result};
use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use self::layout::{decimal_commas, separator, single_spaces, take_separator_line, utf8};
use self::number::{is_missing, is_number, number, spelled};
use super::{Column, Columns, MAX_NUMBERS, numbered};

pub(super) fn read(path: &Path) -> Result<Columns> {
    let bad = |reason: String| Error::bad_file(path, reason);
    let content = fs::read(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let mut content = utf8(content).map_err(bad)?;
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
    let mut table = Table { has_decimal_commas: separator != b',' && decimal_commas(&content), ..Table::default() };
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| bad(trouble(&content, &reader, &error)))? {
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

/// A line ends in `\n`, `\r\n` or `\r`.
fn line_ends(text: &[u8]) -> usize {
    let ends = |(i, byte): (usize, &u8)| *byte == b'\n' || (*byte == b'\r' && text.get(i + 1) != Some(&b'\n'));
    text.iter().enumerate().filter(|&(i, byte)| ends((i, byte))).count()
}

fn trouble(content: &[u8], reader: &Reader<&[u8]>, error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            format!("{}: it is not UTF-8 text", Place { content, end: reader.position().byte() as usize })
        }
        _ => format!("cannot be read: {error}"),
    }
}

#[derive(Default)]
struct Table<'a> {
    first: Option<(Vec<String>, Place<'a>)>,
    /// Whether the first line is a header, once there is a second one.
    header: Option<bool>,
    has_decimal_commas: bool,
    guess: Option<String>,
    /// Lines of numbers so far.
    lines: usize,
    columns: Vec<Result<Vec<f64>, String>>,
    numbers: usize,
    /// Where the record before ended.
    end: usize,
    /// Whether a last field has been other than empty.
    last_used: bool,
}

impl<'a> Table<'a> {
    fn push(&mut self, record: &StringRecord, place: Place<'a>) -> Result<(), String> {
        let Some((first, first_place)) = self.first.take() else {
            self.first = Some((record.iter().map(str::to_owned).collect(), place));
            self.end = place.end;
            return Ok(());
        };
        let begin = after_line_end(place.content, self.end);
        self.end = place.end;
        let mut first = first;
        if self.header.is_none() && first.len() + 1 == record.len() && !first.iter().any(|field| is_number(field)) {
            // R's names of rows have no name.
            first.insert(0, String::new());
        }
        if first.len() != record.len() {
            let (n, m) = (first.len(), record.len());
            return Err(format!("{place} has {m} {}, but {first_place} has {n}", fields(m)));
        }
        if self.header.is_none() {
            self.decide(&first, first_place, record);
        }
        // An empty line between numbers is a point that is missing.
        let between = &place.content[begin..place.end];
        let gap = !between.contains(&b'#') && line_ends(without_line_end(between)) > 0;
        if gap && (first.len() == 1 || self.lines > 0) {
            let empty = format!("{} is empty", Place { end: begin + 1, ..place });
            self.columns.iter_mut().filter(|column| column.is_ok()).for_each(|column| *column = Err(empty.clone()));
        }
        self.first = Some((first, first_place));
        self.last_used |= record.iter().next_back().is_some_and(|field| !field.is_empty());
        self.fields(record.iter(), place)
    }

    /// Says whether the first line is a header, and takes it in if not.
    fn decide(&mut self, first: &[String], place: Place<'_>, below: &StringRecord) {
        let number_below = |i: usize| below.get(i).is_some_and(is_number);
        let word = |field: &str| !field.is_empty() && !is_number(field) && !is_missing(field);
        let none_is_number = first.iter().all(|field| !is_number(field)) && first.iter().any(|field| word(field));
        let over_number =
            |(i, field): (usize, &String)| (word(field) || (i == 0 && field.is_empty())) && number_below(i);
        // As pandas names the columns of an array; but numbers may begin so, too.
        let counted = first.iter().enumerate().all(|(i, field)| *field == i.to_string()) && !below.is_empty();
        let over_fractions = below.iter().any(|field| is_number(field) && field.parse::<i64>().is_err());
        let header = none_is_number || (counted && over_fractions) || first.iter().enumerate().any(over_number);
        if counted {
            let line = first.join(", ");
            self.guess = Some(match header {
                true => format!("the first line is {line}, which is read as names of columns, and not as a point"),
                false => format!("the first line is {line}, which is read as a point, and not as names of columns"),
            });
        }
        self.header = Some(header);
        self.columns = first.iter().map(|_| Ok(Vec::new())).collect();
        if !header {
            // It has as many fields as itself and is no more than the limit.
            let _ = self.fields(first.iter().map(String::as_str), place);
        }
    }

    fn fields<'f>(&mut self, fields: impl Iterator<Item = &'f str>, place: Place<'_>) -> Result<(), String> {
        self.lines += 1;
        for (column, field) in self.columns.iter_mut().zip(fields) {
            let Ok(numbers) = column else { continue };
            let field = spelled(field, self.has_decimal_commas);
            match number(&field, place) {
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

    fn finish(mut self) -> Result<Columns, String> {
        let Some((first, place)) = self.first.take() else {
            return Ok(Columns { all: Vec::new(), guess: None });
        };
        if self.header.is_none() {
            self.decide(&first, place, &StringRecord::new());
        }
        let header = self.header == Some(true);
        if header && self.columns.iter().all(|column| column.as_ref().is_ok_and(Vec::is_empty)) {
            return Err("it has a header and no line of numbers".into());
        }
        // What a separator at the end of every line leaves.
        if first.len() > 1 && first.last().is_some_and(String::is_empty) && !self.last_used {
            self.columns.pop();
        }
        let numbered = numbered("x", self.columns.len());
        let named = |(i, numbers): (usize, Result<Vec<f64>, String>)| match first[i].as_str() {
            name if header && !name.is_empty() => Column { name: name.to_owned(), array: None, numbers },
            _ => Column { name: numbered[i].clone(), array: (!header).then(|| "x".to_owned()), numbers },
        };
        let all = self.columns.into_iter().enumerate().map(named).collect();
        let commas =
            self.has_decimal_commas.then(|| "numbers are read with a comma in place of the decimal point".to_owned());
        let guess = [commas, self.guess].into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
        Ok(Columns { all, guess })
    }
}

fn fields(n: usize) -> &'static str {
    if n == 1 { "field" } else { "fields" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as pandas writes them over numbers, and numbers that begin so; what was guessed is said.
    #[test]
    fn a_first_line_that_counts_is_a_guess_and_is_told() {
        for (text, points, words) in [
            ("0,1\n0.5,1.5\n0.7,2\n", 2, "0, 1, which is read as names of columns"),
            ("0\n0.25\n0.5\n1e-3\n", 3, "0, which is read as names of columns"),
            ("0,1,2\n1,2,3\n2,3,4\n", 3, "0, 1, 2, which is read as a point"),
        ] {
            let Columns { all, guess } = table(text.as_bytes()).unwrap();
            assert_eq!(all[0].numbers.as_ref().unwrap().len(), points, "{text}");
            assert!(guess.as_ref().is_some_and(|guess| guess.contains(words)), "{guess:?}");
        }
        assert!(table(b"a,b\n1,2\n").unwrap().guess.is_none() && table(b"1,2\n0,1\n").unwrap().guess.is_none());
    }

    #[test]
    fn other_spellings_of_tables_and_numbers_are_read() {
        let utf16 = |order: fn(u16) -> [u8; 2], mark: [u8; 2]| {
            [&mark[..], &"a,b\n1.5,2\n-3,4\n".encode_utf16().flat_map(order).collect::<Vec<u8>>()].concat()
        };
        for content in [
            b"a;b\n1,5;2\n-3;4,0\n".to_vec(),
            "a,b\n1.5,2\n\u{2212}3,4\n".as_bytes().to_vec(),
            b"a b\n0.15D+01 2\n-3d0 4D0\n".to_vec(),
            b"sep=;\r\na;b\r\n1.5;2\r\n-3;4\r\n".to_vec(),
            utf16(u16::to_le_bytes, [0xff, 0xfe]),
            utf16(u16::to_be_bytes, [0xfe, 0xff]),
        ] {
            let all = columns(&content).unwrap();
            let shown = String::from_utf8_lossy(&content);
            assert_eq!(all.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "b"], "{shown:?}");
            assert_eq!((&all[0].numbers, &all[1].numbers), (&Ok(vec![1.5, -3.0]), &Ok(vec![2.0, 4.0])), "{shown:?}");
        }
        let guess = table(b"a;b\n1,5;2\n-3;4,0\n").unwrap().guess.unwrap();
        assert!(guess.contains("comma in place of the decimal point"), "{guess}");
        // One point is enough to say that commas are none.
        assert!(columns(b"1.5;2\n3,5;4\n").unwrap()[0].numbers.is_err());
        // R's write.table: names of rows, which have none of their own.
        let all = columns(b"\"a\" \"b\"\n\"1\" 1.5 2\n\"2\" -3 4\n").unwrap();
        assert_eq!(all.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["x.0", "a", "b"]);
        assert_eq!(all[2].numbers, Ok(vec![2.0, 4.0]));
    }

    #[test]
    fn an_empty_line_between_numbers_is_a_missing_point() {
        for text in ["a,b\n1,2\n\n3,4\n", "1,2\n2,3\n \n3,4\n", "1;2\n\n3;4\n"] {
            for column in columns(text.as_bytes()).unwrap() {
                let error = column.numbers.unwrap_err();
                assert!(error.ends_with("is empty") && error.starts_with("line "), "{text:?}: {error}");
            }
        }
        for text in ["\n\na,b\n\n1,2\n3,4\n\n\n", "1,2\n3,4\n\n", "1,2\n# a remark\n3,4\n"] {
            assert_eq!(columns(text.as_bytes()).unwrap()[0].numbers, Ok(vec![1.0, 3.0]), "{text:?}");
        }
    }

    fn columns(content: &[u8]) -> Result<Vec<Column>> {
        Ok(table(content)?.all)
    }

    fn table(content: &[u8]) -> Result<Columns> {
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
            (",0,1\n0,1.5,2\n1,2.5,3\n", vec!["x.0", "0", "1"]),  // and a table without names
            ("0,1,2\n1.5,2,3\n", vec!["0", "1", "2"]),
            ("0,1\n1.5,2\n", vec!["0", "1"]),
            ("0,1\n3,2\n", vec!["x.0", "x.1"]), // which may be numbers
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
            "# made by numpy\n1.0e+00 2\n3 4\n\n",
            "\n\"a, or so\", b\n1, 2\n 3 ,4\n",
        ] {
            assert_eq!(size(text), (2, 2), "{text:?}");
        }
        for text in ["  a   b\n  1   2\n 30   4  \n", "a,b,\n1,2,\n3,4,\n", "a,b\n1,2\n3,4\n   \n\n", "a,b\r1,2\r3,4\r"]
        {
            assert_eq!(size(text), (2, 2), "{text:?}");
        }
        assert_eq!(names("\u{feff}a,b\n1,2\n"), ["a", "b"]);
        for text in ["1\n2\n3\n", "v\r\n1\r\n2\r\n3\r\n", "v\r1\r2\r3\r", "v\n1\n2\n3"] {
            assert_eq!(size(text), (1, 3), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_by_its_line() {
        for (text, reason) in [
            ("a\n1\n\"\"\n", "line 3 is empty"),
            ("a\n1\nNA\n", "line 3 is NA"),
            ("a\n1\nnan\n", "line 3 is nan"),
            ("a\n1\n# a remark\nx\n", "line 4 is \"x\", which is no number"),
            ("a;b\n1,5;2.5\n", "line 2 is \"1,5\", which is no number (numbers need a decimal point, not a comma)"),
            ("0,5;1\n0,6;2.5\n", "line 1 is \"0,5\", which is no number (numbers need a decimal point, not a comma)"),
            ("a\n1\n\n3\n", "line 3 is empty"),
            ("a\r\n1\r\n\r\n3\r\n", "line 3 is empty"),
            ("a\r1\r\r3\r", "line 3 is empty"),
            ("a\tb\n1\t2\n\t\n3\t4\n", "line 3 is empty"),
            ("a,b\r1,2\rx,3\r", "line 3 is \"x\", which is no number"),
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
