//! The step of a unit of an [`Lstm`](super::Lstm) as a formula, for GPUs.

use bd_core::kernel::Num;

use super::FORGET;
use crate::recurrent::Gates;

#[derive(Debug, Clone, Copy)]
pub(crate) struct LstmGates;

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
