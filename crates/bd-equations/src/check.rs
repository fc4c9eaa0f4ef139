//! [`Checker`]: from words to places and dimensions.

use std::collections::BTreeMap;

use crate::dimension::Dimension;
use crate::error::{Result, nearest};
use crate::formula::{Function, Node, Term, between};
use crate::source::{Source, Span};
use crate::syntax::{Expr, Kind, Operator};
use crate::units::{common_names, unit};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Number(f64),
    Slot(usize),
    Line(usize),
}

/// What names stand for, with dimensions.
pub(crate) type Scope = BTreeMap<String, (Meaning, Dimension)>;

/// Which random number an initial value asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// `rand()`: uniform from 0 to 1.
    Uniform,
    /// `randn()`: of mean 0 and deviation 1.
    Normal,
}

/// A checked expression, and what it measures.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) term: Term,
    pub(crate) dimension: Dimension,
    /// Whether it is true or false.
    pub(crate) condition: bool,
}

/// Checks the expressions of one source.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    pub(crate) source: &'a Source,
    pub(crate) scope: &'a Scope,
    /// Random numbers so far, the first of which has slot 0; nothing where they are not allowed.
    pub(crate) draws: Option<Vec<Draw>>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(source: &'a Source, scope: &'a Scope) -> Self {
        Self { source, scope, draws: None }
    }

    /// A number, of whatever dimension.
    pub(crate) fn number(&mut self, expr: &Expr) -> Result<Typed> {
        let typed = self.check(expr)?;
        if typed.condition {
            let quoted = self.source.quote(expr.span);
            return self.wrong(expr.span, format!("'{quoted}' is true or false; write int({quoted}) for 1 or 0"));
        }
        Ok(typed)
    }

    /// A number of this dimension. `what` begins the sentence: `dv/dt`.
    pub(crate) fn number_of(&mut self, expr: &Expr, dimension: Dimension, what: &str) -> Result<Term> {
        let typed = self.number(expr)?;
        if typed.dimension != dimension {
            let found = typed.dimension;
            return self
                .wrong(expr.span, format!("{what} must be of unit {dimension}, and its formula is of unit {found}"));
        }
        Ok(typed.term)
    }

    fn wrong<T>(&self, span: Span, message: String) -> Result<T> {
        Err(self.source.error(span, message))
    }

    /// The checked expression; what depends on constants only is a constant.
    pub(crate) fn check(&mut self, expr: &Expr) -> Result<Typed> {
        let (node, dimension, condition) = match &expr.kind {
            Kind::Number(value) => (Node::Number(*value), Dimension::ONE, false),
            Kind::Name(name) => {
                let (meaning, dimension) = self.meaning(name, expr.span)?;
                let node = match meaning {
                    Meaning::Number(value) => Node::Number(value),
                    Meaning::Slot(slot) => Node::Slot(slot),
                    Meaning::Line(line) => Node::Line(line),
                };
                (node, dimension, false)
            }
            Kind::Negative(inner) => {
                let inner = self.number(inner)?;
                (Node::Negative(inner.term.into()), inner.dimension, false)
            }
            Kind::Not(inner) => (Node::Not(self.condition(inner)?.into()), Dimension::ONE, true),
            Kind::Binary(operator, a, b) => self.binary(expr, *operator, a, b)?,
            Kind::Call(name, arguments) => self.call(expr, name, arguments)?,
        };
        let term = folded(Term { node, span: expr.span });
        if let Node::Number(value) = term.node
            && !value.is_finite()
        {
            let quoted = self.source.quote(expr.span);
            return self.wrong(expr.span, format!("'{quoted}' is {value}, and must be finite"));
        }
        Ok(Typed { term, dimension, condition })
    }

    /// Something true or false.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Result<Term> {
        let typed = self.check(expr)?;
        if !typed.condition {
            let quoted = self.source.quote(expr.span);
            return self.wrong(expr.span, format!("'{quoted}' is a number; a condition is expected, such as 'v > 1'"));
        }
        Ok(typed.term)
    }

    fn binary(&mut self, whole: &Expr, operator: Operator, a: &Expr, b: &Expr) -> Result<(Node, Dimension, bool)> {
        if matches!(operator, Operator::And | Operator::Or) {
            let (a, b) = (self.condition(a)?, self.condition(b)?);
            return Ok((Node::Binary(operator, a.into(), b.into()), Dimension::ONE, true));
        }
        let divisor = b.span;
        let (a, b) = (self.number(a)?, self.number(b)?);
        let (left, right) = (a.dimension, b.dimension);
        let quoted = || self.source.quote(whole.span);
        let verb = match operator {
            Operator::Add => Some(format!("adds {right} to {left}")),
            Operator::Subtract => Some(format!("subtracts {right} from {left}")),
            Operator::Compare(_) => Some(format!("compares {left} with {right}")),
            _ => None,
        };
        if let Some(verb) = verb.filter(|_| left != right) {
            return self.wrong(whole.span, format!("'{}' {verb}", quoted()));
        }
        // Of two constants the quotient is looked at.
        let constant = matches!(a.term.node, Node::Number(_));
        if operator == Operator::Divide && !constant && matches!(b.term.node, Node::Number(0.0)) {
            let zero = self.source.quote(divisor);
            return self.wrong(whole.span, format!("'{}' divides by zero: {zero} is 0", quoted()));
        }
        let dimension = match operator {
            Operator::Add | Operator::Subtract => left,
            Operator::Multiply => left.times(right),
            Operator::Divide => left.per(right),
            Operator::Power => return self.power(whole, a, b),
            _ => Dimension::ONE,
        };
        let condition = matches!(operator, Operator::Compare(_));
        Ok((Node::Binary(operator, a.term.into(), b.term.into()), dimension, condition))
    }

    fn power(&self, whole: &Expr, base: Typed, exponent: Typed) -> Result<(Node, Dimension, bool)> {
        let quoted = self.source.quote(whole.span);
        if exponent.dimension != Dimension::ONE {
            let unit = exponent.dimension;
            return self
                .wrong(whole.span, format!("the exponent of '{quoted}' is of unit {unit}; exponents have none"));
        }
        if let Node::Number(value) = exponent.term.node {
            let Some(dimension) = base.dimension.power(value) else {
                let unit = base.dimension;
                return self
                    .wrong(whole.span, format!("'{quoted}' is {unit} to the power of {value}, which is no unit"));
            };
            return Ok((Node::Power(base.term.into(), value), dimension, false));
        }
        if base.dimension != Dimension::ONE {
            let unit = base.dimension;
            let message = format!("'{quoted}' has the base unit {unit}, so that its exponent must be a constant");
            return self.wrong(whole.span, message);
        }
        Ok((Node::Binary(Operator::Power, base.term.into(), exponent.term.into()), Dimension::ONE, false))
    }

    fn call(&mut self, whole: &Expr, name: &str, arguments: &[Expr]) -> Result<(Node, Dimension, bool)> {
        if let Some(draw) = draw_named(name) {
            return self.draw(whole, name, draw, arguments);
        }
        let Some((_, function)) = Function::ALL.into_iter().find(|(known, _)| *known == name) else {
            return self.wrong(whole.span, unknown_function(name));
        };
        let wanted = function.arguments();
        if arguments.len() != wanted {
            let message =
                format!("{name} has {wanted} argument{}, not {}", if wanted == 1 { "" } else { "s" }, arguments.len());
            return self.wrong(whole.span, message);
        }
        if function == Function::Int {
            let typed = self.check(&arguments[0])?;
            if !typed.condition {
                let message = "int is for conditions, as in int(v > 1); rounding has no gradient and is not supported";
                return self.wrong(whole.span, message.into());
            }
            return Ok((Node::Call(function, vec![typed.term]), Dimension::ONE, false));
        }
        let typed = arguments.iter().map(|argument| self.number(argument)).collect::<Result<Vec<_>>>()?;
        let first = typed[0].dimension;
        let dimension = match function {
            Function::Abs | Function::Clip => first,
            Function::Sqrt => match first.power(0.5) {
                Some(root) => root,
                None => return self.wrong(whole.span, format!("the square root of {first} is no unit")),
            },
            Function::Sign => Dimension::ONE,
            _ if first == Dimension::ONE => first,
            _ => {
                let quoted = self.source.quote(arguments[0].span);
                let message =
                    format!("'{quoted}' is of unit {first}; the argument of {name} must be a number without unit");
                return self.wrong(arguments[0].span, message);
            }
        };
        if let Some(other) = typed.iter().position(|other| other.dimension != first) {
            let (quoted, unit) = (self.source.quote(arguments[other].span), typed[other].dimension);
            return self.wrong(
                arguments[other].span,
                format!("'{quoted}' is of unit {unit}, and what is clipped is of unit {first}"),
            );
        }
        Ok((Node::Call(function, typed.into_iter().map(|argument| argument.term).collect()), dimension, false))
    }

    /// A random number, where they are allowed.
    fn draw(&mut self, whole: &Expr, name: &str, draw: Draw, arguments: &[Expr]) -> Result<(Node, Dimension, bool)> {
        let Some(draws) = &mut self.draws else {
            let message = format!("{name}() is for initial values only; noise comes in through a port");
            return self.wrong(whole.span, message);
        };
        if !arguments.is_empty() {
            return self.wrong(whole.span, format!("{name}() has no arguments"));
        }
        draws.push(draw);
        Ok((Node::Slot(draws.len() - 1), Dimension::ONE, false))
    }

    fn meaning(&self, name: &str, span: Span) -> Result<(Meaning, Dimension)> {
        if let Some(found) = self.scope.get(name) {
            return Ok(*found);
        }
        if let Some(unit) = unit(name) {
            return Ok((Meaning::Number(unit.value), unit.dimension));
        }
        let message = match name {
            "pi" => return Ok((Meaning::Number(std::f64::consts::PI), Dimension::ONE)),
            "e" => return Ok((Meaning::Number(std::f64::consts::E), Dimension::ONE)),
            "t" => {
                "the time 't' is not supported, for a step knows no time; let the signal come in through a port".into()
            }
            name if name.starts_with("xi") => {
                format!("the noise '{name}' is not supported; let noise come in through a port")
            }
            name if draw_named(name).is_some() || Function::ALL.iter().any(|(known, _)| *known == name) => {
                format!("'{name}' is a function; write {name}(...)")
            }
            name => {
                let known = self.scope.keys().map(String::as_str).chain(common_names());
                format!("'{name}' is not defined.{}", nearest(name, known))
            }
        };
        self.wrong(span, message)
    }
}

fn draw_named(name: &str) -> Option<Draw> {
    match name {
        "rand" => Some(Draw::Uniform),
        "randn" => Some(Draw::Normal),
        _ => None,
    }
}

fn unknown_function(name: &str) -> String {
    let known = Function::ALL.into_iter().map(|(name, _)| name);
    let instead = match name {
        "floor" | "ceil" | "round" | "timestep" => " It has no gradient and is not supported.".into(),
        "ln" => " The natural logarithm is log.".into(),
        "atan" => " The arc tangent is arctan.".into(),
        "max" | "min" => " Write clip(x, least, most).".into(),
        name => nearest(name, known.clone()),
    };
    format!("'{name}' is no function.{instead} There are {}", known.collect::<Vec<_>>().join(", "))
}

/// A constant where all parts are.
fn folded(term: Term) -> Term {
    let number = |term: &Term| if let Node::Number(value) = term.node { Some(value) } else { None };
    let value = match &term.node {
        Node::Negative(a) => number(a).map(|a| -a),
        Node::Binary(operator, a, b) => number(a).zip(number(b)).map(|(a, b)| between(*operator, a, b)),
        Node::Power(a, exponent) => number(a).map(|a| a.powf(*exponent)),
        Node::Call(function, arguments) => {
            arguments.iter().map(number).collect::<Option<Vec<f64>>>().map(|values| function.of(&values))
        }
        _ => None,
    };
    match value {
        Some(value) => Term { node: Node::Number(value), span: term.span },
        None => term,
    }
}
