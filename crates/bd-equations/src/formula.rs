//! [`Term`]: a checked expression, whose names are places of numbers, and its value for any [`Num`].

use bd_kernel::Num;

use crate::source::Span;
use crate::syntax::{Comparison, Operator};

/// A checked expression and where it stands in its source.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

impl Term {
    /// A constant that stands nowhere.
    pub(crate) fn number(value: f64) -> Self {
        Self { node: Node::Number(value), span: Span { start: 0, end: 0 } }
    }

    /// Calls `visit` with each line `x = f` that it names.
    pub(crate) fn lines(&self, visit: &mut impl FnMut(usize)) {
        match &self.node {
            Node::Number(_) | Node::Slot(_) => {}
            Node::Line(line) => visit(*line),
            Node::Negative(a) | Node::Not(a) | Node::Power(a, _) => a.lines(visit),
            Node::Binary(_, a, b) => {
                a.lines(visit);
                b.lines(visit);
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|argument| argument.lines(visit)),
        }
    }
}

/// What a checked expression is. Conditions are 1 or 0.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Number(f64),
    /// A number of the environment.
    Slot(usize),
    /// A line `x = f`, by its place among them.
    Line(usize),
    Negative(Box<Term>),
    Not(Box<Term>),
    Binary(Operator, Box<Term>, Box<Term>),
    /// To an exponent that is a constant.
    Power(Box<Term>, f64),
    Call(Function, Vec<Term>),
}

/// Functions of equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Exp,
    Log,
    Log10,
    Sqrt,
    Sin,
    Cos,
    Tan,
    Sinh,
    Cosh,
    Tanh,
    Arctan,
    Exprel,
    Abs,
    Sign,
    Clip,
    Int,
}

impl Function {
    /// All of them, with their names.
    pub(crate) const ALL: [(&'static str, Self); 16] = [
        ("exp", Self::Exp),
        ("log", Self::Log),
        ("log10", Self::Log10),
        ("sqrt", Self::Sqrt),
        ("sin", Self::Sin),
        ("cos", Self::Cos),
        ("tan", Self::Tan),
        ("sinh", Self::Sinh),
        ("cosh", Self::Cosh),
        ("tanh", Self::Tanh),
        ("arctan", Self::Arctan),
        ("exprel", Self::Exprel),
        ("abs", Self::Abs),
        ("sign", Self::Sign),
        ("clip", Self::Clip),
        ("int", Self::Int),
    ];

    /// How many arguments it has.
    pub(crate) fn arguments(self) -> usize {
        if self == Self::Clip { 3 } else { 1 }
    }

    /// Of constants.
    pub(crate) fn of(self, arguments: &[f64]) -> f64 {
        self.value(arguments.iter().copied().skip(1), arguments.first().copied().unwrap_or(f64::NAN))
    }

    fn value<N: Num>(self, mut arguments: impl Iterator<Item = N>, x: N) -> N {
        let half_sum = |x: N, sign: f64| x.clone().exp().scale(0.5) + (-x).exp().scale(0.5 * sign);
        match self {
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Log10 => x.ln().scale(std::f64::consts::LOG10_E),
            Self::Sqrt => x.sqrt(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.clone().sin() / x.cos(),
            Self::Sinh => half_sum(x, -1.0),
            Self::Cosh => half_sum(x, 1.0),
            Self::Tanh => x.tanh(),
            Self::Arctan => x.atan(),
            Self::Exprel => x.phi(1),
            Self::Abs => x.abs(),
            // 0 at 0.
            Self::Sign => x.clone().heaviside() - (-x).heaviside(),
            Self::Clip => {
                let (least, most) = (arguments.next(), arguments.next());
                let x = least.map_or(x.clone(), |least| (x.clone() - least.clone()).pick(x, least));
                most.map_or(x.clone(), |most| (x.clone() - most.clone()).pick(most, x))
            }
            Self::Int => x,
        }
    }
}

/// What names stand for: numbers, and values of lines `x = f` as far as they are known.
#[derive(Debug, Clone)]
pub(crate) struct Environment<N> {
    pub(crate) slots: Vec<N>,
    lines: Vec<Option<N>>,
    /// Any number, from which constants are made.
    like: N,
}

/// An expression and the lines `x = f` that it needs, those before that others need.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    pub(crate) term: Term,
    pub(crate) needs: Vec<usize>,
    /// Of a line: whether its value is outside the gradient.
    pub(crate) detached: bool,
}

impl<N: Num> Environment<N> {
    /// Of `like` constants are made.
    pub(crate) fn new(slots: Vec<N>, lines: usize, like: &N) -> Self {
        Self { slots, lines: vec![None; lines], like: like.clone() }
    }

    /// Gives a slot another value. Lines are calculated anew.
    pub(crate) fn set(&mut self, slot: usize, value: N) {
        self.slots[slot] = value;
        self.lines.fill(None);
    }

    /// The value of an expression. `lines` are the formulas of lines `x = f`.
    pub(crate) fn value(&mut self, formula: &Formula, lines: &[Formula]) -> N {
        for &line in &formula.needs {
            if self.lines[line].is_none() {
                let value = self.term(&lines[line].term);
                self.lines[line] = Some(if lines[line].detached { value.detach() } else { value });
            }
        }
        self.term(&formula.term)
    }

    fn term(&self, term: &Term) -> N {
        match &term.node {
            Node::Number(value) => self.like.lit(*value),
            Node::Slot(slot) => self.slots[*slot].clone(),
            Node::Line(line) => match &self.lines[*line] {
                Some(value) => value.clone(),
                None => unreachable!("a formula lists the lines that it needs"),
            },
            Node::Negative(a) => -self.term(a),
            Node::Not(a) => (-self.term(a)).shift(1.0),
            Node::Binary(operator, a, b) => self.binary(*operator, a, b),
            Node::Power(a, exponent) => power(self.term(a), *exponent),
            Node::Call(function, arguments) => {
                let mut values = arguments.iter().map(|argument| self.term(argument));
                let first = values.next().unwrap_or_else(|| self.like.lit(0.0));
                function.value(values, first)
            }
        }
    }

    /// Constants are written as such, which is fewer operations.
    fn binary(&self, operator: Operator, a: &Term, b: &Term) -> N {
        use Operator::{Add, Divide, Multiply, Subtract};
        match (operator, &a.node, &b.node) {
            (Add, _, Node::Number(c)) => self.term(a).shift(*c),
            (Add, Node::Number(c), _) => self.term(b).shift(*c),
            (Subtract, _, Node::Number(c)) => self.term(a).shift(-c),
            (Subtract, Node::Number(c), _) => (-self.term(b)).shift(*c),
            (Multiply, _, Node::Number(c)) => self.term(a).scale(*c),
            (Multiply, Node::Number(c), _) => self.term(b).scale(*c),
            (Divide, _, Node::Number(c)) if c.recip().is_normal() => self.term(a).scale(c.recip()),
            _ => between(operator, self.term(a), self.term(b)),
        }
    }
}

/// What an operator makes of two values.
pub(crate) fn between<N: Num>(operator: Operator, a: N, b: N) -> N {
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply | Operator::And => a * b,
        Operator::Divide => a / b,
        Operator::Power => (b * a.ln()).exp(),
        Operator::Or => a.clone() + b.clone() - a * b,
        Operator::Compare(comparison) => compare(comparison, a, b),
    }
}

fn compare<N: Num>(comparison: Comparison, a: N, b: N) -> N {
    let at_least = |a: &N, b: &N| (a.clone() - b.clone()).heaviside();
    let not = |x: N| (-x).shift(1.0);
    match comparison {
        Comparison::GreaterEqual => at_least(&a, &b),
        Comparison::LessEqual => at_least(&b, &a),
        Comparison::Greater => not(at_least(&b, &a)),
        Comparison::Less => not(at_least(&a, &b)),
        Comparison::Equal => at_least(&a, &b) * at_least(&b, &a),
        Comparison::NotEqual => not(at_least(&a, &b) * at_least(&b, &a)),
    }
}

/// Whole powers, which products make of any number; others of positive numbers.
fn power<N: Num>(x: N, exponent: f64) -> N {
    const GREATEST: f64 = 1024.0;
    match exponent.abs() {
        0.5 if exponent > 0.0 => x.sqrt(),
        whole if whole.fract() == 0.0 && whole <= GREATEST => {
            let product = whole_power(x, whole as u32);
            if exponent < 0.0 { product.recip() } else { product }
        }
        _ => x.powf(exponent),
    }
}

/// By squares.
fn whole_power<N: Num>(x: N, exponent: u32) -> N {
    match exponent {
        0 => x.lit(1.0),
        1 => x,
        even if even % 2 == 0 => whole_power(x.square(), even / 2),
        odd => x.clone() * whole_power(x.square(), odd / 2),
    }
}
