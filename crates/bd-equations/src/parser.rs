//! [`Parser`]: from tokens to expressions, with the precedence of Python, which is Brian2's.

use crate::error::{Error, Result};
use crate::lexer::{Spanned, Token, tokens};
use crate::source::{Source, Span};
use crate::syntax::{Comparison, Expr, Kind, Operator};

/// Brackets, signs and powers within each other.
const DEEPEST: usize = 64;
/// Longest way down a tree: later passes go down it by recursion.
const LONGEST_WAY: usize = 256;

/// Reads one source.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    pub(crate) source: &'a Source,
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
    /// Whether the ends of lines are spaces.
    joined: bool,
}

/// How an operator binds: the greater, the tighter.
fn binary(token: &Token) -> Option<(Operator, u8)> {
    Some(match token {
        Token::Name(name) if name == "or" => (Operator::Or, 1),
        Token::Name(name) if name == "and" => (Operator::And, 2),
        Token::Sign(">") => (Operator::Compare(Comparison::Greater), COMPARED),
        Token::Sign(">=") => (Operator::Compare(Comparison::GreaterEqual), COMPARED),
        Token::Sign("<") => (Operator::Compare(Comparison::Less), COMPARED),
        Token::Sign("<=") => (Operator::Compare(Comparison::LessEqual), COMPARED),
        Token::Sign("==") => (Operator::Compare(Comparison::Equal), COMPARED),
        Token::Sign("!=") => (Operator::Compare(Comparison::NotEqual), COMPARED),
        Token::Sign("+") => (Operator::Add, 5),
        Token::Sign("-") => (Operator::Subtract, 5),
        Token::Sign("*") => (Operator::Multiply, MULTIPLIED),
        Token::Sign("/") => (Operator::Divide, MULTIPLIED),
        Token::Sign("**") => (Operator::Power, POWER),
        _ => return None,
    })
}

const NOT: u8 = 3;
const COMPARED: u8 = 4;
const MULTIPLIED: u8 = 6;
const POWER: u8 = 8;
/// A sign binds tighter than a product and less than a power: `-x**2` is `-(x**2)`.
const SIGNED: u8 = 7;

impl<'a> Parser<'a> {
    pub(crate) fn new(source: &'a Source, joined: bool) -> Result<Self> {
        Ok(Self { source, tokens: tokens(source)?, at: 0, depth: 0, joined })
    }

    /// The one expression of a source.
    pub(crate) fn whole(source: &Source) -> Result<Expr> {
        let mut parser = Parser::new(source, true)?;
        let expr = parser.expression()?;
        let before = parser.at.checked_sub(1).map(|at| parser.tokens[at].token.clone());
        match (before, parser.peek()) {
            (_, Token::End) => Ok(expr),
            (Some(Token::Number(_)), Token::Name(unit)) => {
                let message =
                    format!("'{unit}' stands behind a number; what is multiplied has a '*' between, as in 10*{unit}");
                Err(parser.error(&message))
            }
            _ => Err(parser.unexpected("an operator or the end")),
        }
    }

    /// Whether ends of lines are spaces from now on.
    pub(crate) fn join_lines(&mut self, joined: bool) {
        self.joined = joined;
    }

    /// The token that is next.
    pub(crate) fn peek(&mut self) -> &Token {
        while self.joined && self.tokens[self.at].token == Token::Newline {
            self.at += 1;
        }
        &self.tokens[self.at].token
    }

    /// Where it stands.
    pub(crate) fn span(&mut self) -> Span {
        self.peek();
        self.tokens[self.at].span
    }

    /// Takes the next token. The end is never taken.
    pub(crate) fn next(&mut self) -> Spanned {
        self.peek();
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Takes the sign if it is next.
    pub(crate) fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(found) if *found == sign);
        if found {
            self.next();
        }
        found
    }

    /// Takes the sign, or refuses what is there instead.
    pub(crate) fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    /// Takes a name, or refuses what is there instead.
    pub(crate) fn name(&mut self) -> Result<(String, Span)> {
        if !matches!(self.peek(), Token::Name(_)) {
            return Err(self.unexpected("a name"));
        }
        match self.next() {
            Spanned { token: Token::Name(name), span } => Ok((name, span)),
            Spanned { span, .. } => Err(self.source.error(span, "a name is expected here")),
        }
    }

    /// An error at the next token.
    pub(crate) fn unexpected(&mut self, wanted: &str) -> Error {
        let span = self.span();
        let found = match self.peek() {
            Token::End => "the text ends".to_owned(),
            Token::Newline => "the line ends".to_owned(),
            Token::Sign("//" | "//=") => return self.error("whole quotients (//) are not supported; divide with /"),
            Token::Sign("%" | "%=") => {
                return self.error("remainders (%) are not supported, for they have no gradient");
            }
            _ => format!("'{}' stands", self.source.quote(span)),
        };
        self.error(&format!("{found} where {wanted} is expected"))
    }

    fn error(&mut self, message: &str) -> Error {
        let span = self.span();
        self.source.error(span, message)
    }

    /// An expression, with comparisons and conditions.
    pub(crate) fn expression(&mut self) -> Result<Expr> {
        self.binding(0)
    }

    /// What binds at least as tight as `least`.
    fn binding(&mut self, least: u8) -> Result<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(&format!("brackets and signs are more than {DEEPEST} deep")));
        }
        let mut left = self.operand()?;
        let mut compared = false;
        while let Some((operator, strength)) = binary(self.peek()).filter(|(_, strength)| *strength >= least) {
            if strength == COMPARED && std::mem::replace(&mut compared, true) {
                return Err(self.error("comparisons in a row are not supported; join two of them by and"));
            }
            self.next();
            // Powers are grouped from the right, and their exponent may have a sign.
            let right = self.binding(if operator == Operator::Power { SIGNED } else { strength + 1 })?;
            let span = left.span.to(right.span);
            left = Expr::new(Kind::Binary(operator, left.into(), right.into()), span);
            if left.depth > LONGEST_WAY {
                return Err(self.source.error(
                    span,
                    format!(
                        "more than {LONGEST_WAY} operations in a row; give parts of them names on lines of their own"
                    ),
                ));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr> {
        let start = self.span();
        if matches!(self.peek(), Token::Name(name) if name == "not") {
            self.next();
            let inner = self.binding(NOT)?;
            let span = start.to(inner.span);
            return Ok(Expr::new(Kind::Not(inner.into()), span));
        }
        if self.take("-") {
            let inner = self.binding(SIGNED)?;
            let span = start.to(inner.span);
            return Ok(Expr::new(Kind::Negative(inner.into()), span));
        }
        if self.take("+") {
            return self.binding(SIGNED);
        }
        if self.take("(") {
            let inner = self.expression()?;
            let end = self.span();
            self.expect(")")?;
            return Ok(Expr { span: start.to(end), ..inner });
        }
        match self.peek() {
            Token::Number(value) => {
                let value = *value;
                self.next();
                Ok(Expr::new(Kind::Number(value), start))
            }
            Token::Name(name) if !matches!(name.as_str(), "and" | "or") => {
                let (name, span) = self.name()?;
                if self.take("(") { self.call(name, span) } else { Ok(Expr::new(Kind::Name(name), span)) }
            }
            _ => Err(self.unexpected("a number, a name or a bracket")),
        }
    }

    /// The arguments of a function, whose bracket is open.
    fn call(&mut self, name: String, start: Span) -> Result<Expr> {
        let mut arguments = Vec::new();
        let mut end = self.span();
        if !self.take(")") {
            loop {
                arguments.push(self.expression()?);
                end = self.span();
                if self.take(")") {
                    break;
                }
                if !self.take(",") {
                    return Err(self.unexpected("',' or ')'"));
                }
            }
        }
        Ok(Expr::new(Kind::Call(name, arguments), start.to(end)))
    }
}
