//! Cells: units that see each other's outputs a step later, through weights. What a unit does is a formula, a [`CellUnit`]; its loops
//! are [`CellKernel`].
//!
//! A cell of `n` units with `g` inputs each has an input weight `[n_in, g n]`, a recurrent weight `[n, g n]` and a bias `[g n]`; rows are
//! what comes in, and the columns of the units' first inputs stand before those of their second.

mod kernel;
mod loops;
mod one_series;
mod step;
mod units;

use std::fmt::Debug;

pub use kernel::CellKernel;
pub use units::{CellShape, CellUnits};

use crate::{Num, Numbers};

/// Copies of the weights of a cell, for its kernel.
#[derive(Debug, Clone)]
pub struct CellWeights {
    n_in: usize,
    n: usize,
    /// The input weight, and below it the recurrent weight: their gradients lie like that too.
    joined: Numbers,
    bias: Numbers,
}

impl CellWeights {
    /// Of `n_in` inputs, `n` units and so many inputs of each: `input` is `[n_in, gates n]`, `recurrent` `[n, gates n]`, `bias` `[gates n]`,
    /// all of one dtype, row by row.
    ///
    /// # Panics
    ///
    /// If there are other numbers of them.
    pub fn new([n_in, n, gates]: [usize; 3], input: &Numbers, recurrent: &Numbers, bias: Numbers) -> Self {
        let width = gates * n;
        let (found, expected) = ([input.len(), recurrent.len(), bias.len()], [n_in * width, n * width, width]);
        assert_eq!(found, expected, "weights of {n_in} inputs and {n} units with {gates} gates");
        Self { n_in, n, joined: input.followed_by(recurrent), bias }
    }
}

/// The functions that a formula may use. Loops keep their values for the adjoint, which costs a formula no function then.
pub trait Functions<N> {
    /// `1 / (1 + e^-x)`.
    fn sigmoid(&mut self, x: N) -> N;
    /// Hyperbolic tangent.
    fn tanh(&mut self, x: N) -> N;
    /// `max(0, x)`, with slope 0 at 0.
    fn relu(&mut self, x: N) -> N;
}

/// The numbers' own [`Functions`], of which nothing is kept.
#[derive(Debug, Clone, Copy)]
pub struct Own;

impl<N: Num> Functions<N> for Own {
    #[inline(always)]
    fn sigmoid(&mut self, x: N) -> N {
        x.sigmoid()
    }

    #[inline(always)]
    fn tanh(&mut self, x: N) -> N {
        x.tanh()
    }

    #[inline(always)]
    fn relu(&mut self, x: N) -> N {
        (-x.clone()).pick(x.lit(0.0), x)
    }
}

/// The step of a unit of a cell as formulas, one for each phase. From them follow the loops of the CPU with their adjoint
/// ([`CellKernel`]), the CUDA C, and, with tensors for numbers, libtorch's operations.
///
/// A phase takes what one product over all units gives to each of them. There are one or two: the second sees what came out of all
/// units in the first.
///
/// ```
/// use bd_kernel::Num;
/// use bd_kernel::models::cell::{CellUnit, Functions};
///
/// /// `h <- tanh(a)`.
/// #[derive(Debug, Clone, Copy)]
/// struct Elman;
///
/// impl CellUnit for Elman {
///     const NAME: &'static str = "elman";
///     const PHASES: &'static [usize] = &[1];
///     const FUNCTIONS: &'static [usize] = &[1];
///     const STATES: usize = 1;
///
///     fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
///         s[0] = f.tanh(a[0].clone());
///         s[0].clone()
///     }
/// }
/// ```
pub trait CellUnit: Debug + Copy + Send + Sync + 'static {
    /// What messages call it.
    const NAME: &'static str;
    /// How many inputs each phase has, in the order of the columns of the weights.
    const PHASES: &'static [usize];
    /// How many [`Functions`] each phase calls at most, all phases but the last no more than they have inputs.
    const FUNCTIONS: &'static [usize];
    /// Numbers of state; the first is the output.
    const STATES: usize;
    /// Numbers that go from the first phase to the second, and stand behind those of the state.
    const PASSING: usize = 0;

    /// Inputs `a` and numbers of state `s`, which it makes the next ones, to what comes out. What comes out of the first of two phases
    /// comes to all units in the second; what comes out of the last is the first number of state.
    ///
    /// No derivative may need the inputs: they enter [`Functions`], or as they are.
    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N;
}
