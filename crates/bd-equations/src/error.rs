//! [`Error`]: what is wrong with a text, and where.

use std::fmt;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a text: line and column from 1, a column being one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

impl Position {
    /// Of the byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

/// What is wrong with the text of a neuron, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The part of the file: `equations`, `threshold`, `constants.C`.
    pub part: String,
    /// Where in this part; nothing where the whole part is meant.
    pub position: Option<Position>,
    /// A sentence: what is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.part)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ", line {line}, column {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Error {
    /// Of a whole part.
    pub fn of(part: impl Into<String>, message: impl Into<String>) -> Self {
        Self { part: part.into(), position: None, message: message.into() }
    }
}

/// ` Is 'near' meant?`, or nothing if no known name is like this one.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    // Names are short, so that one wrong letter of two or three makes a great difference.
    let best = known.map(|other| (likeness(other), other)).filter(|(like, _)| *like > 0.6);
    // Of equals the first by the alphabet, so that the sentence is always the same.
    let best = best.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    best.map_or(String::new(), |(_, other)| format!(" Is '{other}' meant?"))
}
