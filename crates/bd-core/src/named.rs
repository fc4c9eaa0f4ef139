//! Comparing two lists of named tensors: what everything strict about loading rests on.

use std::collections::BTreeMap;
use std::fmt;

use tch::{Kind, Tensor};

use crate::error::{Error, Result};

/// Checks that the tensors `found` have the names, shapes and dtypes of `expected`, in any order. [`Error::Mismatch`]
/// lists every difference. Everything that loads named tensors begins with this.
pub fn match_named(what: &str, expected: &[(String, Tensor)], found: &[(String, Tensor)]) -> Result<()> {
    let signatures = |all: &[(String, Tensor)]| -> Vec<_> {
        all.iter().map(|(name, tensor)| (name.clone(), Signature::of(tensor))).collect()
    };
    let differences = differences(&signatures(expected), &signatures(found));
    if differences.is_empty() { Ok(()) } else { Err(Error::Mismatch { what: what.into(), differences }) }
}

/// Shape and dtype of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    shape: Vec<i64>,
    kind: Kind,
}

impl Signature {
    fn of(tensor: &Tensor) -> Self {
        Self { shape: tensor.size(), kind: tensor.kind() }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.shape, kind_name(self.kind))
    }
}

/// numpy's name of a dtype.
pub fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Float => "float32".into(),
        Kind::Double => "float64".into(),
        Kind::Int64 => "int64".into(),
        Kind::Int => "int32".into(),
        Kind::Uint8 => "uint8".into(),
        Kind::Bool => "bool".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// One line for each name that is missing, unknown, given twice, or has another shape or dtype. Empty: they fit.
fn differences(expected: &[(String, Signature)], found: &[(String, Signature)]) -> Vec<String> {
    let mut by_name = BTreeMap::new();
    let mut lines = Vec::new();
    for (name, signature) in found {
        if by_name.insert(name.as_str(), signature).is_some() {
            lines.push(format!("{name} is there twice"));
        }
    }
    for (name, want) in expected {
        match by_name.remove(name.as_str()) {
            None => lines.push(format!("{name} is missing: expected {want}")),
            Some(got) if got != want => lines.push(format!("{name}: expected {want}, got {got}")),
            Some(_) => {}
        }
    }
    lines.extend(by_name.iter().map(|(name, got)| format!("{name} is unknown: got {got}")));
    lines
}
