//! Columns of a text, separated by commas or the like.

mod date;
mod decimal;
mod entries;
mod layout;
mod names;
mod number;
mod preamble;
mod records;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use bd_core::{Error, Result};

use self::decimal::Decimals;
use self::layout::{end_lines, separator, single_spaces, take_percents, take_separator_line, utf8};
use self::preamble::take_preamble;
use self::records::Records;
use self::table::Table;
use super::Columns;

pub(super) fn read(path: &Path) -> Result<Columns> {
    let bad = |reason: String| Error::bad_file(path, reason);
    let content = fs::read(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    columns(content).map_err(bad)
}

fn columns(content: Vec<u8>) -> Result<Columns, String> {
    let (mut content, is_latin) = utf8(content)?;
    end_lines(&mut content);
    take_percents(&mut content);
    let preamble = take_preamble(&mut content);
    let separator = take_separator_line(&mut content).unwrap_or_else(|| separator(&content));
    if separator == b' ' {
        content = single_spaces(&content);
    }
    let mut guesses = Vec::new();
    if is_latin {
        guesses.push("the text is not UTF-8, and is read as Latin-1".to_owned());
    }
    if preamble > 0 {
        guesses.push(format!("lines 1 to {preamble} are no table, and are passed over"));
    }
    let mut table = Table::new(&content, Decimals::of(&content, separator), guesses);
    let mut records = Records::new(&content, separator);
    while let Some((record, place)) = records.next()? {
        table.push(record, place)?;
    }
    table.finish()
}
