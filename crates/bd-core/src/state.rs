//! [`StateTree`]: what a model carries from step to step, as a tree of named tensors.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::named::match_named;

/// A tree of named tensors. [`Tensor`] is the leaf, `()` the empty tree; tuples, `Option`, `Vec` and [`state!`](crate::state!)
/// structs are nodes. A leaf's name is the path to it, as in `r.v`.
///
/// A state is a value, passed into a step and returned from it. It never holds a parameter.
pub trait StateTree {
    /// Calls `f` with the name of each tensor and the tensor, in a fixed order. `path` is the name of this tree.
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor));

    /// A tree of the same shape with each tensor replaced by what `f` returns for it.
    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self>
    where
        Self: Sized;

    /// All tensors with their names, in order. The tensors share their storage with the state's.
    fn named(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        self.visit("", &mut |name, tensor| all.push((name.to_owned(), tensor.shallow_clone())));
        all
    }

    /// [`try_map`](Self::try_map) for what cannot fail.
    fn map(&self, f: &mut dyn FnMut(&Tensor) -> Tensor) -> Self
    where
        Self: Sized,
    {
        self.try_map("", &mut |_, tensor| Ok(f(tensor))).expect("a map that cannot fail did not fail")
    }

    /// The same values outside the autograd graph.
    fn detach(&self) -> Self
    where
        Self: Sized,
    {
        self.map(&mut Tensor::detach)
    }

    /// A second handle on the same values. As steps are pure, keeping one is a fork of the simulation.
    fn share(&self) -> Self
    where
        Self: Sized,
    {
        self.map(&mut Tensor::shallow_clone)
    }

    /// The same values on another device, and those that are not counters (integers) with another dtype.
    fn to(&self, (kind, device): (Kind, Device)) -> Self
    where
        Self: Sized,
    {
        self.map(&mut |tensor| {
            let there = tensor.to_device(device);
            if there.is_floating_point() { there.to_kind(kind) } else { there }
        })
    }

    /// A state like this one with the values of `saved`, which must have the same names, shapes and dtypes; otherwise
    /// [`Error::Mismatch`](crate::Error::Mismatch) lists every difference.
    fn load(&self, saved: &[(String, Tensor)]) -> Result<Self>
    where
        Self: Sized,
    {
        match_named("the saved state", &self.named(), saved)?;
        let by_name: BTreeMap<_, _> = saved.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        Ok(self
            .try_map("", &mut |name, here| Ok(by_name[name].to_device(here.device())))
            .expect("every name was found above"))
    }
}

/// The name of `child` inside the tree called `path`.
pub fn join(path: &str, child: &str) -> String {
    match (path, child) {
        (only, "") | ("", only) => only.to_owned(),
        _ => format!("{path}.{child}"),
    }
}

impl StateTree for Tensor {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        f(path, self);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        f(path, self)
    }
}

impl StateTree for () {
    fn visit(&self, _path: &str, _f: &mut dyn FnMut(&str, &Tensor)) {}

    fn try_map(&self, _path: &str, _f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(())
    }
}

impl<A: StateTree, B: StateTree> StateTree for (A, B) {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.0.visit(&join(path, "0"), f);
        self.1.visit(&join(path, "1"), f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((self.0.try_map(&join(path, "0"), f)?, self.1.try_map(&join(path, "1"), f)?))
    }
}

/// What some configurations have and others do not.
impl<S: StateTree> StateTree for Option<S> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        if let Some(state) = self {
            state.visit(path, f);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        self.as_ref().map(|state| state.try_map(path, f)).transpose()
    }
}

impl<S: StateTree> StateTree for Vec<S> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        for (i, state) in self.iter().enumerate() {
            state.visit(&join(path, &i.to_string()), f);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        self.iter().enumerate().map(|(i, state)| state.try_map(&join(path, &i.to_string()), f)).collect()
    }
}

/// Declares a struct of tensors, or of other states, that is a [`StateTree`]. Fields are public and give the names.
///
/// ```
/// use bd_core::{StateTree, state};
/// use tch::{Device, Kind, Tensor};
///
/// state! {
///     /// State of a leaky integrator.
///     pub struct Leaky {
///         /// Membrane potential, `[batch, n]`.
///         v: Tensor,
///     }
/// }
///
/// let rest = Leaky { v: Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)) };
/// assert_eq!(rest.named()[0].0, "v");
/// ```
#[macro_export]
macro_rules! state {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident : $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $crate::StateTree for $name {
            fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &$crate::tch::Tensor)) {
                $($crate::StateTree::visit(&self.$field, &$crate::join(path, stringify!($field)), f);)+
            }

            fn try_map(
                &self,
                path: &str,
                f: &mut dyn FnMut(&str, &$crate::tch::Tensor) -> $crate::Result<$crate::tch::Tensor>,
            ) -> $crate::Result<Self> {
                Ok(Self {
                    $($field: $crate::StateTree::try_map(&self.$field, &$crate::join(path, stringify!($field)), f)?,)+
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::state! {
        struct Inner { v: Tensor, w: Tensor }
    }
    crate::state! {
        struct Outer { r: Inner, rest: (Tensor, ()), stack: Vec<Tensor> }
    }

    fn outer(value: f64) -> Outer {
        let full = |n: i64| Tensor::full([1, n], value, (Kind::Double, Device::Cpu));
        Outer { r: Inner { v: full(1), w: full(2) }, rest: (full(3), ()), stack: vec![full(4), full(5)] }
    }

    #[test]
    fn names_are_paths_in_order_of_declaration() {
        let names: Vec<_> = outer(0.0).named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["r.v", "r.w", "rest.0", "stack.0", "stack.1"]);
    }

    #[test]
    fn a_saved_state_loads_into_a_fresh_one() {
        let mut saved = outer(3.0).named();
        saved.reverse(); // files are in no particular order
        let loaded = outer(0.0).load(&saved).unwrap();
        for (name, tensor) in loaded.named() {
            assert_eq!(tensor.min().double_value(&[]), 3.0, "{name}");
        }
    }

    #[test]
    fn every_difference_is_listed() {
        let mut saved = outer(3.0).named();
        saved[0].0 = "r.u".into();
        saved[1].1 = saved[1].1.to_kind(Kind::Float);
        saved[2].1 = saved[2].1.reshape([3, 1]);
        let error = outer(0.0).load(&saved).unwrap_err().to_string();
        for line in [
            "r.v is missing: expected [1, 1] float64",
            "r.w: expected [1, 2] float64, got [1, 2] float32",
            "rest.0: expected [1, 3] float64, got [3, 1] float64",
            "r.u is unknown: got [1, 1] float64",
        ] {
            assert!(error.contains(line), "{line:?} not in:\n{error}");
        }
    }

    #[test]
    fn detach_cuts_the_graph_and_keeps_the_values() {
        let state = outer(2.0).map(&mut |t| t.set_requires_grad(true) * 2.0);
        let cut = state.detach();
        assert!(state.r.v.requires_grad() && !cut.r.v.requires_grad());
        assert_eq!(cut.r.v.double_value(&[0, 0]), 4.0);
    }
}
