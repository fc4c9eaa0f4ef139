//! How far lists of tensors are apart, with a word for each way to be wrong.

use std::fmt;

use tch::{Kind, Tensor};

use super::Named;
use crate::named::kind_name;

/// What stands before the name of what a gradient is taken by.
pub(super) const GRADIENT: &str = "gradient of ";

/// The gradients among what a trial gives.
pub fn gradients(all: &Named) -> Named {
    let gradients = all.iter().filter(|(name, _)| name.starts_with(GRADIENT));
    gradients.map(|(name, t)| (name.clone(), t.shallow_clone())).collect()
}

/// How far a tensor is from its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The tensor's name.
    pub what: String,
    /// How far.
    pub size: Size,
}

/// Of a [`Difference`].
#[derive(Debug, Clone, PartialEq)]
pub enum Size {
    /// The largest absolute difference over the largest absolute entry of the reference (or 1e-300).
    Relative(f64),
    /// A gradient that is not there, or zero throughout, where the reference is not zero.
    Zero,
    /// NaN or infinity, here or in the reference.
    NotFinite,
    /// A tensor of another shape, dtype or device, or one that has no reference: how.
    Unlike(String),
}

impl Difference {
    /// Whether this is more than the tolerance allows.
    pub fn exceeds(&self, tolerance: f64) -> bool {
        !matches!(self.size, Size::Relative(size) if size <= tolerance)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match &self.size {
            Size::Relative(size) => write!(f, "{what} differs by {size:.3e} of scale"),
            Size::Zero => write!(f, "{what} is zero, and the reference is not"),
            Size::NotFinite => write!(f, "{what} or its reference is not finite"),
            Size::Unlike(how) => write!(f, "{what} {how}"),
        }
    }
}

/// Each tensor of either list against that of the same name in the other.
pub fn compare(found: &Named, expected: &Named) -> Vec<Difference> {
    let of = |all: &Named, name: &str| all.iter().find(|(known, _)| known == name).map(|(_, t)| t.shallow_clone());
    let known = expected.iter().map(|(what, reference)| {
        let size = match of(found, what) {
            Some(tensor) => size(what, &tensor, reference),
            None if what.starts_with(GRADIENT) => size(what, &reference.zeros_like(), reference),
            None => Size::Unlike("is missing".into()),
        };
        Difference { what: what.clone(), size }
    });
    let unknown = found.iter().filter(|(what, _)| of(expected, what).is_none());
    let unknown =
        unknown.map(|(what, _)| Difference { what: what.clone(), size: Size::Unlike("has no reference".into()) });
    known.chain(unknown).collect()
}

/// How far a tensor is from its reference.
pub fn difference(what: &str, found: &Tensor, expected: &Tensor) -> Difference {
    Difference { what: what.to_owned(), size: size(what, found, expected) }
}

fn size(what: &str, found: &Tensor, expected: &Tensor) -> Size {
    let place = |t: &Tensor| (t.size(), t.kind(), t.device());
    if place(found) != place(expected) {
        let show = |t: &Tensor| format!("{:?} {} on {:?}", t.size(), kind_name(t.kind()), t.device());
        return Size::Unlike(format!("is {}, the reference {}", show(found), show(expected)));
    }
    if expected.numel() == 0 {
        return Size::Relative(0.0);
    }
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    let (found, expected) = (found.to_kind(Kind::Double), expected.to_kind(Kind::Double));
    let (size, scale) = (largest(&found), largest(&expected));
    if !size.is_finite() || !scale.is_finite() {
        return Size::NotFinite;
    }
    if what.starts_with(GRADIENT) && size == 0.0 && scale > 0.0 {
        return Size::Zero;
    }
    Size::Relative(largest(&(found - expected)) / scale.max(1e-300))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[(&str, &[f64])]) -> Named {
        values.iter().map(|(name, values)| ((*name).to_owned(), Tensor::from_slice(values))).collect()
    }

    #[test]
    fn what_is_wrong_has_a_word() {
        let expected = list(&[("output", &[2.0, 4.0]), ("gradient of w", &[1.0, 0.0])]);
        let one = |found: &[(&str, &[f64])]| {
            let all = compare(&list(found), &expected);
            all.into_iter().filter(|difference| difference.exceeds(1e-3)).map(|d| d.to_string()).collect::<Vec<_>>()
        };
        let output: (&str, &[f64]) = ("output", &[2.0, 4.0]);
        assert!(one(&[output, ("gradient of w", &[1.0, 1e-4])]).is_empty());
        assert_eq!(one(&[output, ("gradient of w", &[1.0, 0.5])]), ["gradient of w differs by 5.000e-1 of scale"]);
        assert_eq!(one(&[("output", &[2.0, 4.5]), expected_gradient()]), ["output differs by 1.250e-1 of scale"]);
        let zero = ["gradient of w is zero, and the reference is not"];
        assert_eq!(one(&[output, ("gradient of w", &[0.0, 0.0])]), zero);
        assert_eq!(one(&[output]), zero);
        let nan = ["gradient of w or its reference is not finite"];
        assert_eq!(one(&[output, ("gradient of w", &[1.0, f64::NAN])]), nan);
        assert_eq!(one(&[output, ("gradient of w", &[1.0, f64::INFINITY])]), nan);
        assert!(one(&[output, ("gradient of w", &[1.0])])[0].starts_with("gradient of w is [1] float64"));
        assert_eq!(one(&[expected_gradient()]), ["output is missing"]);
        assert_eq!(one(&[output, expected_gradient(), ("more", &[0.0])]), ["more has no reference"]);
        let nowhere = list(&[("gradient of w", &[f64::NAN])]);
        assert!(compare(&nowhere, &nowhere)[0].exceeds(f64::INFINITY), "NaN equals nothing");
    }

    fn expected_gradient() -> (&'static str, &'static [f64]) {
        ("gradient of w", &[1.0, 0.0])
    }
}
