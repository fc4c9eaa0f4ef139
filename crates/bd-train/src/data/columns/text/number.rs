//! Numbers as people and programs write them.

use std::borrow::Cow;

use super::records::Place;

pub(super) fn is_number(field: &str) -> bool {
    spelled(field, false).parse::<f64>().is_ok() || spelled(field, true).parse::<f64>().is_ok()
}

/// Without the quotes of a field behind a separator and a space, which are part of it by the letter of the format.
pub(super) fn unquoted(field: &str) -> &str {
    field.strip_prefix('"').and_then(|field| field.strip_suffix('"')).unwrap_or(field)
}

/// A number as Rust reads it: of marks of thousands, a decimal comma, a minus sign of typesetters, and an exponent of Fortran, `1.5D-03`.
/// What is no number stays none.
pub(super) fn spelled(field: &str, has_decimal_commas: bool) -> Cow<'_, str> {
    let field = unquoted(field);
    let mut spelled = Cow::Borrowed(field);
    if let Some(rest) = field.strip_prefix('\u{2212}') {
        spelled = Cow::Owned(format!("-{rest}"));
    }
    if let Some(plain) = without_thousands(&spelled, if has_decimal_commas { ',' } else { '.' }) {
        spelled = Cow::Owned(plain);
    }
    if has_decimal_commas && spelled.contains(['.', ',']) {
        // A point is none of a number here, and is made what no number has.
        let swapped = spelled.chars().map(|c| {
            if c == ',' {
                '.'
            } else if c == '.' {
                ','
            } else {
                c
            }
        });
        spelled = Cow::Owned(swapped.collect());
    }
    let exponent = spelled.find(['d', 'D']).filter(|at| {
        let (before, after) = (&spelled[..*at], &spelled[at + 1..]);
        before.parse::<f64>().is_ok() && after.parse::<i32>().is_ok()
    });
    match exponent {
        Some(at) => Cow::Owned(format!("{}e{}", &spelled[..at], &spelled[at + 1..])),
        None => spelled,
    }
}

/// Marks between thousands that are nothing else: spaces that do not break a line, thin ones, and the apostrophes of Switzerland.
const MARKS: [char; 6] = ['\u{a0}', '\u{202f}', '\u{2009}', ' ', '\'', '\u{2019}'];

/// A number without its marks of thousands, if it has some: `22,549.5`, `1,022,549`, `22 549.5`, or `22.549,5` where `decimal` is a
/// comma. A single comma or point, as in `22,549`, is none, for it may be the decimal sign.
pub(super) fn without_thousands(field: &str, decimal: char) -> Option<String> {
    let other = if decimal == ',' { '.' } else { ',' };
    let is_mark = |c: char| c == other || MARKS.contains(&c);
    let mark = field.chars().find(|&c| is_mark(c))?;
    let field = unquoted(field);
    let digits = field.trim_start_matches(['-', '+']);
    let (whole, fraction) =
        digits.split_once(decimal).map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<&str> = whole.split(mark).collect();
    let is_clear = mark != other || groups.len() > 2 || fraction.is_some();
    let are_groups = groups.len() > 1 && groups[0].len() <= 3 && groups[1..].iter().all(|group| group.len() == 3);
    let are_numbers = groups.iter().all(|group| are_digits(group)) && fraction.is_none_or(are_digits);
    (is_clear && are_groups && are_numbers).then(|| field.replace(mark, ""))
}

/// What programs write where a number is missing.
pub(super) fn is_missing(field: &str) -> bool {
    ["na", "n/a", "nan", "null", "none", "missing", "-", "?"].contains(&field.to_ascii_lowercase().as_str())
}

/// The number of a field, which is [`spelled`] so.
pub(super) fn number(field: &str, spelled: &str, place: Place) -> Result<f64, String> {
    if spelled.is_empty() {
        return Err(format!("{place} is empty"));
    }
    if is_missing(spelled) {
        return Err(format!("{place} is {spelled}"));
    }
    match spelled.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{place} is {field:?}, which float64 holds as {number}")),
        Err(_) => {
            let shown: String = unquoted(field).chars().take(40).collect();
            Err(format!("{place} is {shown:?}, which is no number{}", hint(field)))
        }
    }
}

/// What may be wrong with a field that is no number.
fn hint(field: &str) -> &'static str {
    if field.parse::<f64>().is_ok() {
        return " (others of this file have a decimal comma)";
    }
    match field.split_once(',').is_some_and(|(a, b)| a.parse::<i64>().is_ok() && b.parse::<u64>().is_ok()) {
        true => " (numbers need a decimal point, and no comma, of decimals or of thousands)",
        false => "",
    }
}
