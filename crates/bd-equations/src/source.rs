//! [`Source`]: one part of a file, whose errors know where they are.

use crate::error::{Error, Position, Result};

/// Most bytes that one part may have.
const LONGEST: usize = 64 * 1024;

/// From the byte `start` up to `end` of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// From the start of this one to the end of `other`.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// The text of one part of a file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    part: String,
    text: String,
}

impl Source {
    /// Refuses a text that is longer than 64 KiB.
    pub(crate) fn new(part: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (part, text) = (part.into(), text.into());
        if text.len() > LONGEST {
            return Err(Error::of(part, format!("{} bytes are too long; at most {LONGEST} are allowed", text.len())));
        }
        Ok(Self { part, text })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span, on one line.
    pub(crate) fn quote(&self, span: Span) -> String {
        const SHOWN: usize = 60;
        let words: Vec<&str> = self.text.get(span.start..span.end).unwrap_or("").split_whitespace().collect();
        let whole = words.join(" ");
        match whole.chars().count() > SHOWN {
            true => whole.chars().take(SHOWN).chain("...".chars()).collect(),
            false => whole,
        }
    }

    /// An error at the start of `span`.
    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> Error {
        let position = Some(Position::of(&self.text, span.start));
        Error { part: self.part.clone(), position, message: message.into() }
    }
}
