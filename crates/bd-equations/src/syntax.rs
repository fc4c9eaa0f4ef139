//! The tree of an expression, as it is written: names are words still.

use crate::source::Span;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// Longest way down to a leaf.
    pub(crate) depth: usize,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Number(f64),
    Name(String),
    Negative(Box<Expr>),
    Not(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
}

/// What stands between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Compare(Comparison),
    And,
    Or,
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
    NotEqual,
}

impl Expr {
    pub(crate) fn new(kind: Kind, span: Span) -> Self {
        let depth = match &kind {
            Kind::Number(_) | Kind::Name(_) => 0,
            Kind::Negative(a) | Kind::Not(a) => a.depth,
            Kind::Binary(_, a, b) => a.depth.max(b.depth),
            Kind::Call(_, arguments) => arguments.iter().map(|a| a.depth).max().unwrap_or(0),
        };
        Self { kind, span, depth: depth + 1 }
    }

    /// Calls `visit` with each name that stands in it, and its place.
    pub(crate) fn names(&self, visit: &mut impl FnMut(&str, Span)) {
        match &self.kind {
            Kind::Number(_) => {}
            Kind::Name(name) => visit(name, self.span),
            Kind::Negative(a) | Kind::Not(a) => a.names(visit),
            Kind::Binary(_, a, b) => {
                a.names(visit);
                b.names(visit);
            }
            Kind::Call(_, arguments) => arguments.iter().for_each(|a| a.names(visit)),
        }
    }
}
