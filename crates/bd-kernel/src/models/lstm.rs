//! The unit with a memory cell, `bd_models::Lstm`.

use super::cell::{CellUnit, CellUnits, Functions};
use crate::Num;

/// What is added to the forget gate's potential.
pub const FORGET: f64 = 1.0;

/// All gates in one phase, in the order of the columns: input, candidate, forget, output.
#[derive(Debug, Clone, Copy)]
pub struct LstmUnit;

/// [`LstmUnit`]s with their loops.
pub fn units() -> CellUnits {
    LstmUnit.into()
}

impl CellUnit for LstmUnit {
    const NAME: &'static str = "lstm";
    const PHASES: &'static [usize] = &[4];
    const FUNCTIONS: &'static [usize] = &[5];
    const STATES: usize = 2;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        let [i, g, forget, o] = std::array::from_fn(|gate| a[gate].clone());
        let (i, g) = (f.sigmoid(i), f.tanh(g));
        let (forget, o) = (f.sigmoid(forget.shift(FORGET)), f.sigmoid(o));
        s[1] = forget * s[1].clone() + i * g;
        s[0] = o * f.tanh(s[1].clone());
        s[0].clone()
    }
}
