//! The step of a gated recurrent unit as formulas, for GPUs.

use crate::Num;
use crate::models::cell::Gates;

/// Two phases: update and reset, of which come the rates `r h` that the candidate sees; then the candidate, and the next rate.
#[derive(Debug, Clone, Copy)]
pub struct GruGates;

impl Gates for GruGates {
    const NAME: &'static str = "gru";
    const PHASES: &'static [usize] = &[2, 1];
    const STATES: usize = 1;
    /// The update gate.
    const PASSING: usize = 1;

    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &[N]) -> (N, Vec<N>) {
        let h = s[0].clone();
        if phase == 0 {
            let (z, r) = (a[0].clone().sigmoid(), a[1].clone().sigmoid());
            return (r * h.clone(), vec![h, z]);
        }
        let z = s[1].clone();
        let h = h * (-z.clone()).shift(1.0) + z.clone() * a[0].clone().tanh();
        (h.clone(), vec![h, z])
    }
}
