//! Names of columns: whether the first line has them, or a remark above it.

use csv::StringRecord;

use super::date::Clock;
use super::layout::separator;
use super::number::{is_missing, is_number};

pub(super) fn is_word(field: &str) -> bool {
    !field.is_empty() && !is_number(field) && !is_missing(field)
}

/// Whether a line has words and no numbers, as units under names.
pub(super) fn has_words_only(line: &StringRecord) -> bool {
    let mut words = line.iter().filter(|field| !field.is_empty()).peekable();
    words.peek().is_some() && words.all(|field| is_word(field) && Clock::read(field).is_none())
}

/// Whether the first line is a header over the second, `below`; and a sentence on it where it may be read in two ways.
///
/// It is one if none of its fields is a number, or one is a word over a number, or an empty corner is over a number and the others are
/// words. Names that count the columns, as pandas writes them, are numbers too: they are a header beside an empty corner, and from 0 over
/// numbers that are not whole.
pub(super) fn is_header(first: &[String], below: &StringRecord) -> (bool, Option<String>) {
    let number_below = |at: usize| below.get(at).is_some_and(is_number);
    let has_corner = first.len() > 1 && first[0].is_empty() && number_below(0);
    let has_word = first.iter().any(|field| is_word(field));
    let is_over_number = first.iter().enumerate().any(|(at, field)| is_word(field) && number_below(at));
    if has_word && (is_over_number || has_corner || first.iter().all(|field| !is_number(field))) {
        return (true, None);
    }
    let over_fractions = below.iter().any(|field| is_number(field) && field.parse::<i64>().is_err());
    let header = match counted_from(&first[usize::from(has_corner)..]).filter(|_| !below.is_empty()) {
        Some(_) if has_corner => true,
        Some(0) => over_fractions,
        Some(_) if over_fractions => false,
        _ => return (false, None),
    };
    let line = first.join(", ");
    let guess = match header {
        true => format!("the first line is {line}, which is read as names of columns, and not as a point"),
        false => format!("the first line is {line}, which is read as a point, and not as names of columns"),
    };
    (header, Some(guess))
}

/// Where names count up, the first of them: 0 or 1.
fn counted_from(names: &[String]) -> Option<usize> {
    let counts = |from: &usize| names.iter().enumerate().all(|(at, name)| *name == (from + at).to_string());
    [0, 1].into_iter().find(counts)
}

/// Names of `count` columns in the last remark of what stands above the first line, as `numpy.savetxt` writes its header.
pub(super) fn names_of_remark(above: &[u8], count: usize) -> Option<Vec<String>> {
    let above = String::from_utf8_lossy(above);
    let remark = above.lines().next_back()?.trim().strip_prefix('#')?;
    let names: Vec<String> = match separator(remark.trim().as_bytes()) {
        b' ' => remark.split_whitespace().map(str::to_owned).collect(),
        separator => remark.split(char::from(separator)).map(|name| name.trim().to_owned()).collect(),
    };
    (names.len() == count && names.iter().all(|name| is_word(name))).then_some(names)
}

/// Names with a line end in them, as spreadsheets have them, are hard to name again.
pub(super) fn on_one_line(field: &str) -> String {
    if field.contains(['\n', '\r']) { field.split_whitespace().collect::<Vec<_>>().join(" ") } else { field.to_owned() }
}
