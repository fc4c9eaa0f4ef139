//! Lines of equations and statements of resets.

use crate::dimension::Dimension;
use crate::error::{Result, nearest};
use crate::lexer::Token;
use crate::parser::Parser;
use crate::source::{Source, Span};
use crate::syntax::{Expr, Kind, Operator};
use crate::units::{common_names, unit};

/// Most lines of one neuron.
const MOST: usize = 256;

/// One line of equations.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Where its name stands.
    pub(crate) span: Span,
    pub(crate) role: Role,
    pub(crate) dimension: Dimension,
    pub(crate) flags: Vec<Flag>,
}

/// What a line says.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    /// `dx/dt = f : unit`.
    Differential(Expr),
    /// `x = f : unit`.
    Expression(Expr),
    /// `x : unit`.
    Parameter,
}

/// What stands in brackets behind the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    UnlessRefractory,
    Constant,
    PerNeuron,
    Trained,
    Positive,
}

const FLAGS: [(&str, Flag); 5] = [
    ("unless refractory", Flag::UnlessRefractory),
    ("constant", Flag::Constant),
    ("per neuron", Flag::PerNeuron),
    ("trained", Flag::Trained),
    ("positive", Flag::Positive),
];

impl Line {
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}

/// An assignment of a reset: a name, where it stands, and its new value.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) value: Expr,
}

/// All lines of equations.
pub(crate) fn lines(source: &Source) -> Result<Vec<Line>> {
    let mut parser = Parser::new(source, false)?;
    let mut lines: Vec<Line> = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(lines),
            Token::Newline => drop(parser.next()),
            _ => {
                let line = line(&mut parser)?;
                if lines.iter().any(|other| other.name == line.name) {
                    return Err(source.error(line.span, format!("'{}' is defined for the second time", line.name)));
                }
                if lines.len() == MOST {
                    return Err(source.error(line.span, format!("there are more than {MOST} lines")));
                }
                lines.push(line);
            }
        }
    }
}

fn line(parser: &mut Parser<'_>) -> Result<Line> {
    let (mut name, span) = parser.name()?;
    let role = if parser.take("/") {
        let (below, at) = parser.name()?;
        let variable = name.strip_prefix('d').filter(|variable| below == "dt" && !variable.is_empty());
        let Some(variable) = variable.map(str::to_owned) else {
            return Err(parser
                .source
                .error(span.to(at), "a derivative is written dx/dt, with the name of a variable for x"));
        };
        name = variable;
        parser.expect("=")?;
        Role::Differential(right_side(parser)?)
    } else if parser.take("=") {
        Role::Expression(right_side(parser)?)
    } else if matches!(parser.peek(), Token::Sign(":")) {
        Role::Parameter
    } else {
        return Err(parser.unexpected("'=' or ':'"));
    };
    parser.expect(":")?;
    let dimension = dimension(parser)?;
    let flags = if parser.take("(") { flags(parser, &role)? } else { Vec::new() };
    match parser.peek() {
        Token::End | Token::Newline => Ok(Line { name, span, role, dimension, flags }),
        _ => Err(parser.unexpected("the end of the line")),
    }
}

/// An expression, which may go over several lines up to its colon.
fn right_side(parser: &mut Parser<'_>) -> Result<Expr> {
    parser.join_lines(true);
    let expr = parser.expression()?;
    if !matches!(parser.peek(), Token::Sign(":")) {
        return Err(parser.unexpected("an operator, or ':' and the unit of this line"));
    }
    parser.join_lines(false);
    Ok(expr)
}

/// What stands behind a colon: `1`, `volt`, `siemens/metre**2`.
fn dimension(parser: &mut Parser<'_>) -> Result<Dimension> {
    let mut whole = factor(parser)?;
    loop {
        if parser.take("*") {
            whole = whole.times(factor(parser)?);
        } else if parser.take("/") {
            whole = whole.per(factor(parser)?);
        } else {
            return Ok(whole);
        }
    }
}

fn factor(parser: &mut Parser<'_>) -> Result<Dimension> {
    let span = parser.span();
    let base = match parser.peek() {
        Token::Number(1.0) => {
            parser.next();
            Dimension::ONE
        }
        Token::Name(_) => named_dimension(parser)?,
        _ => return Err(parser.unexpected("a unit, or 1 for a number without unit,")),
    };
    if !parser.take("**") {
        return Ok(base);
    }
    let sign = if parser.take("-") { -1.0 } else { 1.0 };
    match parser.next().token {
        Token::Number(exponent) => {
            let dimension = base.power(sign * exponent);
            dimension.ok_or_else(|| parser.source.error(span, format!("an exponent of {exponent} gives no unit")))
        }
        _ => Err(parser.source.error(span, "the exponent of a unit must be a number")),
    }
}

fn named_dimension(parser: &mut Parser<'_>) -> Result<Dimension> {
    let (name, span) = parser.name()?;
    let wrong = |message: String| Err(parser.source.error(span, message));
    match name.as_str() {
        "boolean" | "bool" | "integer" => wrong(format!("'{name}' is not supported; every variable is a number")),
        _ => match unit(&name) {
            None => wrong(format!("'{name}' is no unit.{}", nearest(&name, common_names()))),
            Some(found) => {
                let base = Dimension::inside(found.dimension);
                // What one of it is in SI: 1, unless it has a prefix.
                if (found.value.log10() + base as f64).abs() > 1e-9 {
                    return wrong(format!(
                        "'{name}' has a prefix; a line states what is measured: {}",
                        found.dimension
                    ));
                }
                Ok(found.dimension)
            }
        },
    }
}

/// Flags, whose bracket is open.
fn flags(parser: &mut Parser<'_>, role: &Role) -> Result<Vec<Flag>> {
    let mut found = Vec::new();
    loop {
        let start = parser.span();
        let (mut words, mut end) = (Vec::new(), start);
        while matches!(parser.peek(), Token::Name(_) | Token::Sign("-")) {
            end = parser.next().span;
            words.push(parser.source.quote(end));
        }
        let (written, span) = (words.join(" "), start.to(end));
        let flag = FLAGS.iter().find(|(name, _)| *name == written).map(|(_, flag)| *flag);
        let Some(flag) = flag else {
            return Err(parser.source.error(span, unknown_flag(&written)));
        };
        let fits = match role {
            Role::Differential(_) => flag == Flag::UnlessRefractory,
            Role::Expression(_) => false,
            Role::Parameter => flag != Flag::UnlessRefractory,
        };
        if !fits {
            let right = if flag == Flag::UnlessRefractory { "dx/dt = f" } else { "x : unit" };
            return Err(parser.source.error(span, format!("the flag '{written}' is for lines {right}")));
        }
        found.push(flag);
        if parser.take(")") {
            return Ok(found);
        }
        if !parser.take(",") {
            return Err(parser.unexpected("',' or ')'"));
        }
    }
}

fn unknown_flag(written: &str) -> String {
    let written = written.replace(" - ", "-");
    let allowed = "unless refractory, constant, per neuron, trained, positive";
    match written.as_str() {
        "event-driven" | "clock-driven" | "summed" | "linked" => {
            format!("the flag '{written}' is of synapses, which are not written as equations; there are {allowed}")
        }
        "shared" | "scalar" | "constant over dt" => {
            format!("the flag '{written}' is not supported; there are {allowed}")
        }
        _ => {
            let near = nearest(&written, FLAGS.iter().map(|(name, _)| *name));
            format!("'{written}' is no flag.{near} There are {allowed}")
        }
    }
}

/// The assignments of a reset, one a line or separated by semicolons.
pub(crate) fn assignments(source: &Source) -> Result<Vec<Assignment>> {
    let mut parser = Parser::new(source, false)?;
    let mut found = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(found),
            Token::Newline | Token::Sign(";") => drop(parser.next()),
            _ => {
                if found.len() == MOST {
                    let span = parser.span();
                    return Err(source.error(span, format!("there are more than {MOST} assignments")));
                }
                found.push(assignment(&mut parser)?);
                if !matches!(parser.peek(), Token::End | Token::Newline | Token::Sign(";")) {
                    return Err(parser.unexpected("an operator or the end of the line"));
                }
            }
        }
    }
}

/// `x += f` is `x = x + f`.
fn assignment(parser: &mut Parser<'_>) -> Result<Assignment> {
    let (name, span) = parser.name()?;
    let changes =
        [("+=", Operator::Add), ("-=", Operator::Subtract), ("*=", Operator::Multiply), ("/=", Operator::Divide)];
    for (sign, operator) in changes {
        if parser.take(sign) {
            let change = parser.expression()?;
            let old = Expr::new(Kind::Name(name.clone()), span);
            let whole = span.to(change.span);
            let value = Expr::new(Kind::Binary(operator, old.into(), change.into()), whole);
            return Ok(Assignment { name, span, value });
        }
    }
    if !parser.take("=") {
        return Err(parser.unexpected("'=', '+=', '-=', '*=' or '/='"));
    }
    Ok(Assignment { name, span, value: parser.expression()? })
}
