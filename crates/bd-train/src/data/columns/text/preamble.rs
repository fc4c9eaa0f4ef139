//! What instruments write above their tables: their name, the date, settings.

use super::date::Clock;
use super::layout::{SEPARATORS, outside_of_quotes};
use super::number::{is_missing, is_number, unquoted};

/// A table that begins later has no preamble that is known as one.
const MOST_LINES: usize = 200;

/// Turns the lines above the names of the columns into remarks, and returns how many they are with the empty ones among them.
///
/// They are those above a line of words that has as many fields as the line of numbers below it, if one of them has another number of
/// fields, or a number and an empty line follows. A second line of words is one of units.
pub(super) fn take_preamble(content: &mut [u8]) -> usize {
    let (begins, end) = {
        let lines: Vec<&str> = content
            .split(|&byte| byte == b'\n')
            .take(MOST_LINES)
            .map(|line| str::from_utf8(line).unwrap_or_default())
            .collect();
        let Some(end) = SEPARATORS.iter().find_map(|separator| preamble(&lines, *separator)) else { return 0 };
        let begins = lines.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len() + 1)));
        let written = begins.zip(&lines).take(end).filter(|(_, line)| !line.trim().is_empty());
        (written.map(|(at, _)| at).collect::<Vec<usize>>(), end)
    };
    begins.into_iter().for_each(|at| content[at] = b'#');
    end
}

/// The number of lines of the preamble.
fn preamble(lines: &[&str], separator: u8) -> Option<usize> {
    let rows: Vec<Vec<&str>> = lines.iter().map(|line| fields(line, separator)).collect();
    let numbers = rows.iter().position(|row| row.len() > 1 && is_of_numbers(row))?;
    let names = (0..numbers).rev().find(|&at| !rows[at].is_empty())?;
    let is_name = |at: usize| rows[at].len() == rows[numbers].len() && !rows[at].iter().any(|field| is_number(field));
    if !is_name(names) {
        return None;
    }
    let begin = if names > 0 && is_name(names - 1) { names - 1 } else { names };
    let above = &rows[..begin];
    let is_odd = above.iter().any(|row| !row.is_empty() && row.len() != rows[numbers].len());
    let is_apart = above.last().is_some_and(Vec::is_empty) && above.iter().flatten().any(|field| is_number(field));
    (is_odd || is_apart).then_some(begin)
}

/// None of an empty line, and of a remark.
fn fields(line: &str, separator: u8) -> Vec<&str> {
    let line = if separator == b'\t' { line.trim_end_matches('\r') } else { line.trim() };
    if line.trim().is_empty() || line.starts_with('#') {
        return Vec::new();
    }
    if separator == b' ' {
        return line.split_whitespace().map(unquoted).collect();
    }
    let cuts = outside_of_quotes(line.as_bytes()).filter(|(_, byte)| *byte == separator).map(|(at, _)| at);
    let mut begin = 0;
    let cut = |end: usize| unquoted(line[std::mem::replace(&mut begin, end + 1)..end].trim());
    cuts.chain([line.len()]).map(cut).collect()
}

fn is_of_numbers(row: &[&str]) -> bool {
    let fits = |field: &&str| field.is_empty() || is_number(field) || is_missing(field) || Clock::read(field).is_some();
    row.iter().all(fits) && row.iter().any(|field| is_number(field))
}
