//! Numbers as people and programs write them.

use std::borrow::Cow;

use super::Place;

pub(super) fn is_number(field: &str) -> bool {
    spelled(field, false).parse::<f64>().is_ok() || spelled(field, true).parse::<f64>().is_ok()
}

/// A number as Rust reads it: of a decimal comma, a minus sign of typesetters, and an exponent of Fortran, `1.5D-03`. What is no number
/// stays none.
pub(super) fn spelled(field: &str, has_decimal_commas: bool) -> Cow<'_, str> {
    let mut spelled = Cow::Borrowed(field);
    if let Some(rest) = field.strip_prefix('\u{2212}') {
        spelled = Cow::Owned(format!("-{rest}"));
    }
    if has_decimal_commas && spelled.matches(',').count() == 1 && !spelled.contains('.') {
        spelled = Cow::Owned(spelled.replace(',', "."));
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

/// What programs write where a number is missing.
pub(super) fn is_missing(field: &str) -> bool {
    ["na", "n/a", "nan", "null", "none", "missing", "-", "?"].contains(&field.to_ascii_lowercase().as_str())
}

pub(super) fn number(field: &str, place: Place<'_>) -> Result<f64, String> {
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
