//! The formula of units as graphs: for CUDA C, and for what the adjoint reads.

use super::UnitKernel;
use crate::unit_formula::{AdjointGraph, Pulled, ids};
use crate::{Code, Facts, Formula, Memo, Num, Result, SurrogateGradient, Unit, UnitFormula};

impl<U: Unit<S>, const S: usize> UnitKernel<U, S> {
    /// Whether the adjoint reads the input, and which numbers of state.
    pub(super) fn read_by_adjoint(&self) -> (bool, [bool; S]) {
        static KNOWN: Memo<String, (bool, Vec<bool>)> = Memo::new();
        let (input, states) = KNOWN.get(Formula::name(self), || self.as_graphs().reads());
        // What is held is there anyway.
        (input, std::array::from_fn(|j| states.get(j).copied().unwrap_or(true)))
    }

    /// Step and adjoint as graphs, the adjoint as in the loops: by [`Dual`](crate::Dual) numbers.
    pub(super) fn as_graphs(&self) -> UnitFormula {
        let states = |codes: &[Code]| -> [Code; S] { std::array::from_fn(|j| codes[j].clone()) };
        UnitFormula::from_parts(
            U::NAME,
            [1, S],
            &self.unit.surrogate(),
            |reading| {
                let mut over = None;
                let (y, next) = self.unit.step(&self.constants, reading.x[0].clone(), states(&reading.s), |distance| {
                    over = Some(distance.clone());
                    distance.heaviside()
                });
                (vec![y], next[..Self::MOVING].to_vec(), over)
            },
            |reading, outputs| {
                let Pulled { spike: [over, slope], mut gy, gnext } = reading.of_adjoint(outputs);
                let (x, s) = (reading.x[0].clone(), states(&reading.s));
                let (gx, gs) = self.unit.vjp(&self.constants, x, s, (over, slope), gy.remove(0), states(&gnext));
                AdjointGraph { graph: reading.listing.graph(), gx: vec![gx.id()], gs: ids(&gs) }
            },
        )
    }

    /// Step, adjoint and surrogate as CUDA C, see [`UnitFormula::cuda`].
    pub fn cuda(&self) -> Result<String> {
        self.as_graphs().cuda()
    }
}

impl<U: Unit<S>, const S: usize> Formula for UnitKernel<U, S> {
    fn name(&self) -> String {
        format!("{} {:?} {:?}", std::any::type_name::<U>(), self.unit, self.constants)
    }

    fn text(&self) -> Result<String> {
        self.cuda()
    }

    fn facts(&self) -> Facts {
        let reads = self.reads[..Self::MOVING].to_vec();
        let (held, reads_input, spikes) = (U::HELD, self.reads_inputs, U::Surrogate::SPIKES);
        Facts { ports: 1, outputs: 1, held, reads, reads_input, spikes }
    }
}
