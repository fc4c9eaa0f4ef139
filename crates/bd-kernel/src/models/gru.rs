//! The gated recurrent unit, `bd_models::Gru`.

use super::cell::{CellUnit, CellUnits, Functions};
use crate::Num;

/// Two phases: update and reset, of which come the rates `r h` that the candidate sees; then the candidate, and the next rate.
#[derive(Debug, Clone, Copy)]
pub struct GruUnit;

/// [`GruUnit`]s with their loops.
pub fn units() -> CellUnits {
    GruUnit.into()
}

impl CellUnit for GruUnit {
    const NAME: &'static str = "gru";
    const PHASES: &'static [usize] = &[2, 1];
    const FUNCTIONS: &'static [usize] = &[2, 1];
    const STATES: usize = 1;
    /// The update gate.
    const PASSING: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        if phase == 0 {
            s[1] = f.sigmoid(a[0].clone());
            let r = f.sigmoid(a[1].clone());
            return r * s[0].clone();
        }
        let z = s[1].clone();
        s[0] = (-z.clone()).shift(1.0) * s[0].clone() + z * f.tanh(a[0].clone());
        s[0].clone()
    }
}
