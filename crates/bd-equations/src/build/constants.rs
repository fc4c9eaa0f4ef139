//! Values of constants, which may refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Checker, Meaning, Scope};
use crate::dimension::Dimension;
use crate::error::{Error, Result};
use crate::formula::Node;
use crate::parser::Parser;
use crate::source::Source;
use crate::syntax::Expr;
use crate::text::Value;

/// Most entries of one table.
const MOST: usize = 256;

/// A number and what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: f64,
    pub(super) dimension: Dimension,
}

/// The value of an expression of numbers, units and what is in `scope`.
pub(super) fn quantity(source: &Source, expr: &Expr, scope: &Scope) -> Result<Quantity> {
    let typed = Checker::new(source, scope).number(expr)?;
    match typed.term.node {
        Node::Number(value) => Ok(Quantity { value, dimension: typed.dimension }),
        _ => Err(source.error(expr.span, format!("'{}' is no constant", source.quote(expr.span)))),
    }
}

/// Refuses a table with too many entries.
pub(super) fn check_length(part: &str, table: &BTreeMap<String, Value>) -> Result<()> {
    match table.len() > MOST {
        true => Err(Error::of(part, format!("there are {} entries; at most {MOST} are allowed", table.len()))),
        false => Ok(()),
    }
}

/// All constants. None may be calculated from one of `own`, which neurons have of their own.
pub(super) fn constants(table: &BTreeMap<String, Value>, own: &BTreeSet<String>) -> Result<Scope> {
    check_length("constants", table)?;
    let mut open = Vec::new();
    for (name, value) in table {
        let source = Source::new(format!("constants.{name}"), value.text())?;
        let expr = Parser::whole(&source)?;
        let mut names = Vec::new();
        expr.names(&mut |name, span| names.push((name.to_owned(), span)));
        if let Some((other, span)) = names.iter().find(|(other, _)| own.contains(other)) {
            let message = format!(
                "'{other}' is each neuron's own, and '{name}' would not follow it; write {name} as a line of the equations"
            );
            return Err(source.error(*span, message));
        }
        open.push((name, source, expr, names));
    }
    let mut scope = Scope::new();
    while !open.is_empty() {
        let before = open.len();
        let mut later = Vec::new();
        for (name, source, expr, names) in open {
            if names.iter().any(|(other, _)| table.contains_key(other) && !scope.contains_key(other)) {
                later.push((name, source, expr, names));
                continue;
            }
            let Quantity { value, dimension } = quantity(&source, &expr, &scope)?;
            scope.insert(name.clone(), (Meaning::Number(value), dimension));
        }
        if later.len() == before {
            let names: Vec<&str> = later.iter().map(|(name, ..)| name.as_str()).collect();
            return Err(Error::of("constants", format!("{} are defined by each other in a circle", names.join(", "))));
        }
        open = later;
    }
    Ok(scope)
}
