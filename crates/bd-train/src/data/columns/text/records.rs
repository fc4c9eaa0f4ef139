//! Records of a text, each with the line that it begins on and the empty lines before it, which csv passes over without a word.

use std::fmt;

use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use super::layout::line_ends;

/// Where a record begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its first line, counted from 1 as an editor does.
    pub(super) line: usize,
    /// Its first byte.
    pub(super) begin: usize,
    /// The first empty line between it and the record before.
    pub(super) gap: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)
    }
}

/// Fields of any number in a line, without the spaces around them; lines that begin with `#` are passed over.
pub(super) fn reader(content: &[u8], separator: u8) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // what is ragged is told in our own words
        .delimiter(separator)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(content)
}

/// Goes from record to record.
pub(super) struct Records<'a> {
    content: &'a [u8],
    separator: u8,
    reader: Reader<&'a [u8]>,
    record: StringRecord,
    /// The first byte that has not been looked at, and its line.
    at: usize,
    line: usize,
    gap: Option<usize>,
}

impl<'a> Records<'a> {
    pub(super) fn new(content: &'a [u8], separator: u8) -> Self {
        let reader = reader(content, separator);
        Self { content, separator, reader, record: StringRecord::new(), at: 0, line: 1, gap: None }
    }

    /// The next one that is not blank. Fails where a quote is not closed as it was meant to be.
    pub(super) fn next(&mut self) -> Result<Option<(&StringRecord, Place)>, String> {
        loop {
            if !self.reader.read_record(&mut self.record).map_err(|error| format!("cannot be read: {error}"))? {
                return Ok(None);
            }
            self.pass_over();
            let place = Place { line: self.line, begin: self.at, gap: self.gap };
            let end = after_line_end(self.content, self.reader.position().byte() as usize);
            let written = &self.content[self.at..end];
            self.at = end;
            self.line += line_ends(written);
            check_quotes(written, self.separator, place, end == self.content.len())?;
            if self.record.len() == 1 && self.record[0].is_empty() && !written.contains(&b'"') {
                self.gap = self.gap.or(Some(place.line));
                continue;
            }
            self.gap = None;
            return Ok(Some((&self.record, place)));
        }
    }

    /// The empty lines and the remarks before a record.
    fn pass_over(&mut self) {
        while let Some(byte @ (b'\r' | b'\n' | b'#')) = self.content.get(self.at).copied() {
            let rest = &self.content[self.at..];
            let length = match byte {
                b'#' => rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1),
                b'\r' if rest.get(1) == Some(&b'\n') => 2,
                _ => 1,
            };
            if byte != b'#' {
                self.gap = self.gap.or(Some(self.line));
            }
            self.line += line_ends(&rest[..length]);
            self.at += length;
        }
    }
}

/// Where the next line begins: csv stops between `\r` and `\n`.
fn after_line_end(content: &[u8], end: usize) -> usize {
    let end = end.min(content.len());
    let within = end > 0 && content[end - 1] == b'\r' && content.get(end) == Some(&b'\n');
    end + usize::from(within)
}

/// Refuses a quoted field that takes in the lines below it: one that the file ends in, or one of several lines whose closing quote has
/// text behind it, and so is the opening quote of another field.
fn check_quotes(written: &[u8], separator: u8, place: Place, is_last: bool) -> Result<(), String> {
    let lines = line_ends(written.trim_ascii_end());
    if (lines == 0 && !is_last) || !written.contains(&b'"') {
        return Ok(());
    }
    let last = place.line + lines;
    match (quoting(written, separator), lines) {
        (Quoting::Open, _) => Err(format!(
            "{place} has a double quote that opens a field and is never closed, so that the field goes on to line {last}, the end of the \
             file; close it, or remove it"
        )),
        (Quoting::Odd, 1..) => Err(format!(
            "{place} has a double quote that opens a field which goes on to line {last} and has text behind its closing quote; close it \
             on its line, or remove it"
        )),
        _ => Ok(()),
    }
}

/// How the quotes of a record are.
#[derive(PartialEq)]
enum Quoting {
    Closed,
    /// A closing quote has text behind it.
    Odd,
    /// The last field has no closing quote.
    Open,
}

fn quoting(written: &[u8], separator: u8) -> Quoting {
    /// What the byte before was.
    enum After {
        Separator,
        Bare,
        Quoted,
        Quote,
    }
    let mut after = After::Separator;
    for &byte in written {
        after = match (after, byte) {
            (After::Separator | After::Quote, b'"') => After::Quoted,
            (After::Quoted, b'"') => After::Quote,
            (After::Quoted, _) => After::Quoted,
            (_, byte) if byte == separator || b"\r\n".contains(&byte) => After::Separator,
            (After::Quote, b' ') => After::Quote,
            (After::Quote, _) => return Quoting::Odd,
            (After::Separator | After::Bare, _) => After::Bare,
        };
    }
    if matches!(after, After::Quoted) { Quoting::Open } else { Quoting::Closed }
}
