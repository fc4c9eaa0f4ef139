//! The step of a unit with a memory cell as a formula, for GPUs.

use crate::Num;
use crate::models::cell::Gates;

use super::FORGET;

/// All gates in one phase, in the order of the columns: input, candidate, forget, output.
#[derive(Debug, Clone, Copy)]
pub struct LstmGates;

impl Gates for LstmGates {
    const NAME: &'static str = "lstm";
    const PHASES: &'static [usize] = &[4];
    const STATES: usize = 2;

    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &[N]) -> (N, Vec<N>) {
        let [i, g, f, o] = std::array::from_fn(|gate| a[gate].clone());
        let c = f.shift(FORGET).sigmoid() * s[1].clone() + i.sigmoid() * g.tanh();
        let h = o.sigmoid() * c.clone().tanh();
        (h.clone(), vec![h, c])
    }
}
