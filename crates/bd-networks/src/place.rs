//! Where in a file a part of it stands.

use bd_equations::{Error, Position};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The same error with its position in the file `toml`, if its part is found there. The part is a path: `population.E.threshold`, and
/// `projection.2.weight` of the second projection.
pub fn located(toml: &str, error: Error) -> Error {
    let position = position(toml, &error).or(error.position);
    Error { position, ..error }
}

fn position(toml: &str, error: &Error) -> Option<Position> {
    let table = DeTable::parse(toml).ok()?;
    let mut names = error.part.split('.').peekable();
    let first = names.next()?;
    let (key, mut value) = table.get_ref().iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    let (mut at, mut whole) = (key.span().start, true);
    for name in names {
        let inner = match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .find(|(key, _)| key.get_ref().as_ref() == name)
                .map(|(key, value)| (key.span().start, value)),
            DeValue::Array(values) => name
                .parse::<usize>()
                .ok()
                .and_then(|number| values.get(number.checked_sub(1)?))
                .map(|value| (value.span().start, value)),
            _ => None,
        };
        let Some((place, inner)) = inner else {
            // Of a population that is like another, a part may stand there.
            whole = false;
            break;
        };
        (at, value) = (place, inner);
    }
    match (error.position, text_begins(toml, value)) {
        (Some(inside), Some(begin)) if whole => {
            let begin = Position::of(toml, begin);
            let column = if inside.line == 1 { begin.column + inside.column - 1 } else { inside.column };
            Some(Position { line: begin.line + inside.line - 1, column })
        }
        (Some(_), _) => Some(Position::of(toml, at)),
        (None, _) => Some(Position::of(toml, at)),
    }
}

/// The byte where the text of a string begins, behind its quotes and a line break right after three of them.
fn text_begins(toml: &str, value: &Spanned<DeValue<'_>>) -> Option<usize> {
    let DeValue::String(_) = value.get_ref() else {
        return None;
    };
    let span = value.span();
    let raw = toml.get(span.clone())?;
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
    let line_break = match (quotes, raw.get(quotes..)) {
        (3, Some(rest)) if rest.starts_with("\r\n") => 2,
        (3, Some(rest)) if rest.starts_with('\n') => 1,
        _ => 0,
    };
    Some(span.start + quotes + line_break)
}
