//! [`Dependence`]: how an expression depends on variables, by its form.

use crate::formula::{Formula, Node, Term};
use crate::source::Span;
use crate::syntax::Operator;

/// How an expression depends on chosen variables, by its form. Nothing is multiplied out or cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dependence {
    /// It has a part that is linear in them.
    pub(crate) linear: bool,
    /// It has a part or a factor that is not.
    pub(crate) frozen: bool,
    /// A factor of the linear part is no constant, but an input, a number that neurons hold, or another variable.
    pub(crate) scaled: bool,
    /// It depends on something else that is no constant.
    other: bool,
}

impl Dependence {
    fn either(self, b: Self) -> Self {
        Self {
            linear: self.linear || b.linear,
            frozen: self.frozen || b.frozen,
            scaled: self.scaled || b.scaled,
            other: self.other || b.other,
        }
    }

    /// Of a factor, as far as the linear part of the other factor goes.
    fn times(self, b: Self) -> Self {
        let scaled = (self.linear && b.other) || (b.linear && self.other);
        let both = self.either(b);
        Self { scaled: both.scaled || scaled, ..both }
    }

    /// Of a function that is not linear.
    fn through(self) -> Self {
        Self { linear: false, frozen: self.linear || self.frozen, scaled: false, other: self.other }
    }

    /// Whether it depends on the variables at all.
    pub(crate) fn any(self) -> bool {
        self.linear || self.frozen
    }
}

/// How `formula` depends on the slots that are `chosen`. The error is the place of a product of two factors that both do.
pub(crate) fn dependence(
    formula: &Formula,
    lines: &[Formula],
    chosen: &impl Fn(usize) -> bool,
) -> Result<Dependence, Span> {
    let mut known = vec![Dependence::default(); lines.len()];
    for &line in &formula.needs {
        known[line] = of(&lines[line].term, &known, chosen)?;
    }
    of(&formula.term, &known, chosen)
}

fn of(term: &Term, lines: &[Dependence], chosen: &impl Fn(usize) -> bool) -> Result<Dependence, Span> {
    let of = |term: &Term| of(term, lines, chosen);
    Ok(match &term.node {
        Node::Number(_) => Dependence::default(),
        Node::Slot(slot) if chosen(*slot) => Dependence { linear: true, ..Dependence::default() },
        Node::Slot(_) => Dependence { other: true, ..Dependence::default() },
        Node::Line(line) => lines[*line],
        Node::Negative(a) => of(a)?,
        Node::Not(a) => of(a)?.through(),
        Node::Binary(Operator::Add | Operator::Subtract, a, b) => of(a)?.either(of(b)?),
        Node::Binary(Operator::Multiply, a, b) => {
            let (a, b) = (of(a)?, of(b)?);
            if a.linear && b.linear {
                return Err(term.span);
            }
            a.times(b)
        }
        Node::Binary(Operator::Divide, a, b) => of(a)?.times(of(b)?.through()),
        Node::Binary(_, a, b) => of(a)?.either(of(b)?).through(),
        Node::Power(a, 1.0) => of(a)?,
        Node::Power(a, exponent) => {
            let a = of(a)?;
            if a.linear && *exponent >= 2.0 && exponent.fract() == 0.0 {
                return Err(term.span);
            }
            a.through()
        }
        Node::Call(_, arguments) => {
            let arguments = arguments.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            arguments.into_iter().fold(Dependence::default(), Dependence::either).through()
        }
    })
}
