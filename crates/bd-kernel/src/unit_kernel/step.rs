//! One step of units of one series, with units side by side.

use super::super::cpu::{plain, vectorised_beyond_plain};
use super::super::lanes::{lane, read, read_all, write, write_all};
use super::super::single_step::padded;
use super::super::{Block, Cpu, Instructions, LANES, Loops, Real, SingleStep, Unit, places};
use super::UnitKernel;

/// [`SingleStep`] of `n` equal units.
#[derive(Debug)]
pub(super) struct UnitStep<F: Real, U: Unit<S>, const S: usize> {
    n: usize,
    unit: U,
    constants: U::Constants,
    /// What the units hold, in places.
    held: Vec<Block<F>>,
    instructions: Instructions,
}

impl<F: Real, U: Unit<S>, const S: usize> UnitStep<F, U, S> {
    pub(super) fn new(kernel: &UnitKernel<U, S>) -> Self {
        let UnitKernel { n, unit, constants, .. } = *kernel;
        let held = kernel.held::<F>().chunks_exact(n).map(padded).collect();
        Self { n, unit, constants, held, instructions: Instructions::best() }
    }
}

struct Forward<'a, F: Real, U: Unit<S>, const S: usize> {
    step: &'a UnitStep<F, U, S>,
    state: &'a mut [F],
    xs: &'a [F],
    ys: &'a mut [F],
}

impl<F: Real, U: Unit<S>, const S: usize> Loops for Forward<'_, F, U, S> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { step: UnitStep { n, unit, constants, held, .. }, state, xs, ys } = self;
        let (places, moving) = (places::<F>(*n), UnitKernel::<U, S>::MOVING);
        for at in (0..places).step_by(LANES) {
            let mut s = read_all::<F, LANES, S>(state, at, places, moving);
            for j in moving..S {
                s[j] = read(&held[j - moving], at);
            }
            let x: [F; LANES] = read(xs, at);
            let mut y = [F::default(); LANES];
            for l in 0..LANES {
                let (out, next) = unit.step(constants, x[l], lane(&s, l), |distance| distance.heaviside());
                y[l] = out;
                for j in 0..moving {
                    s[j][l] = next[j];
                }
            }
            write(ys, at, &y);
            write_all(state, at, places, &s, moving);
        }
    }
}

impl<F: Real, U: Unit<S>, const S: usize> SingleStep<F> for UnitStep<F, U, S> {
    fn n_in(&self) -> usize {
        self.n
    }

    fn n_out(&self) -> usize {
        self.n
    }

    fn leaves(&self) -> Vec<usize> {
        vec![self.n; UnitKernel::<U, S>::MOVING]
    }

    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]) {
        let loops = Forward { step: self, state, xs, ys };
        match self.instructions.are_plain() {
            true => plain(loops),
            false => vectorised_beyond_plain(self.instructions, loops),
        }
    }
}
