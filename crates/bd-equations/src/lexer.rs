//! From characters to tokens.

use crate::error::Result;
use crate::source::{Source, Span};

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    Name(String),
    /// An operator or a bracket.
    Sign(&'static str),
    /// The end of a line.
    Newline,
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) span: Span,
}

/// Longer ones first.
const SIGNS: [&str; 26] = [
    "**=", "//=", "**", "//", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "%=", "+", "-", "*", "/", "%", "<", ">",
    "=", "(", ")", ",", ":", ";",
];

/// All tokens of a text, the last one being [`Token::End`]. Comments go from `#` to the end of the line.
pub(crate) fn tokens(source: &Source) -> Result<Vec<Spanned>> {
    let text = source.text();
    let (mut at, mut found) = (0, Vec::new());
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            '\n' => (Some(Token::Newline), 1),
            '#' => (None, length(|c| c != '\n')),
            c if c.is_whitespace() => (None, c.len_utf8()),
            c if c.is_ascii_digit() || c == '.' => {
                let (value, length) = number(source, at)?;
                (Some(Token::Number(value)), length)
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let length = length(|c| c.is_ascii_alphanumeric() || c == '_');
                (Some(Token::Name(rest[..length].to_owned())), length)
            }
            c => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Some(Token::Sign(sign)), sign.len()),
                None => {
                    let span = Span { start: at, end: at + c.len_utf8() };
                    return Err(source.error(span, unknown(c)));
                }
            },
        };
        let span = Span { start: at, end: at + length };
        found.extend(token.map(|token| Spanned { token, span }));
        at += length;
    }
    found.push(Spanned { token: Token::End, span: Span { start: at, end: at } });
    Ok(found)
}

/// What to write instead of a character that means nothing here.
fn unknown(c: char) -> String {
    match c {
        '^' => "'^' is no operator; a power is written x**2".into(),
        '&' | '|' | '!' => format!("'{c}' is no operator; conditions are joined by and, or, not"),
        '\'' => "a derivative is written dx/dt".into(),
        c => format!("the character {c:?} means nothing here"),
    }
}

/// The number at byte `at`, and its length: digits, a point, an exponent.
fn number(source: &Source, at: usize) -> Result<(f64, usize)> {
    let rest = &source.text()[at..];
    let digits = |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - from);
    let mut length = digits(0);
    if rest[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let signed = usize::from(rest[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + signed);
        length += if exponent > 0 { 1 + signed + exponent } else { 0 };
    }
    let span = Span { start: at, end: at + length };
    let value = rest[..length].parse::<f64>().ok().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| source.error(span, format!("'{}' is no number", source.quote(span))))?;
    if rest[length..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let word = rest[length..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
        let number = source.quote(span);
        return Err(source.error(span, format!("'{number}{word}' lacks an operator; write {number}*{word}")));
    }
    Ok((value, length))
}
