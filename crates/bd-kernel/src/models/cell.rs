//! What the cells of networks of rates have in common.
//!
//! A cell of `n` units with `g` gates has an input weight `[n_in, g n]`, a recurrent weight `[n, g n]` and a bias `[g n]`; rows are
//! inputs, and the columns of the gates stand side by side.

use std::fmt::Debug;

use crate::{Num, Numbers};

/// Copies of the weights of a cell, for its kernel.
#[derive(Debug, Clone)]
pub struct CellWeights {
    pub(crate) n_in: usize,
    pub(crate) n: usize,
    /// The input weight, and below it the recurrent weight: their gradients lie like that too.
    pub(crate) joined: Numbers,
    pub(crate) bias: Numbers,
}

impl CellWeights {
    /// Of `n_in` inputs, `n` units and so many gates: `input` is `[n_in, gates n]`, `recurrent` `[n, gates n]`, `bias` `[gates n]`, all of one
    /// dtype, row by row.
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

/// The step of a unit of a cell as formulas, one for each phase.
pub trait Gates: Debug + Copy + Send + Sync + 'static {
    /// What messages call it.
    const NAME: &'static str;
    /// How many inputs each phase has, in the order of the columns of the weights.
    const PHASES: &'static [usize];
    /// Numbers of state; the first is the output of the step before.
    const STATES: usize;
    /// Numbers that go from the first phase to the second, and stand behind those of the state.
    const PASSING: usize = 0;

    /// Inputs and numbers of state to what comes out, and the next numbers. What comes out of a phase comes to all units in the next.
    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &[N]) -> (N, Vec<N>);
}
