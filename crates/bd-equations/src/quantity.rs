//! [`Quantity`]: a number with its unit, by itself.

use crate::check::{Checker, Scope};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::formula::Formula;
use crate::model::Initial;
use crate::parser::Parser;
use crate::source::Source;
use crate::text::Value;

/// An expression of numbers and units, in which `rand()` and `randn()` are another number each time: a weight, a delay.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// In ms, mV, pA and what follows from these.
    pub value: Initial,
    /// What it measures.
    pub dimension: Dimension,
    /// As it was written.
    pub text: String,
}

impl Quantity {
    /// Checks what stands in the `part` of a file.
    pub fn parse(part: &str, value: &Value) -> Result<Self> {
        let (source, scope) = (Source::new(part, value.text())?, Scope::new());
        let mut checker = Checker { draws: Some(Vec::new()), ..Checker::new(&source, &scope) };
        let typed = checker.number(&Parser::whole(&source)?)?;
        let draws = checker.draws.unwrap_or_default();
        let formula = Formula { term: typed.term, needs: Vec::new(), detached: false };
        Ok(Self { value: Initial { formula, draws }, dimension: typed.dimension, text: value.text() })
    }

    /// Its value, if it is no random number.
    pub fn constant(&self) -> Option<f64> {
        (!self.value.is_random()).then(|| self.value.value(|_| 0.0))
    }
}
