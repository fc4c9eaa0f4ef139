//! [`SingleStep`]: a kernel made ready for one step of one series at a time.

use std::fmt::Debug;

use crate::{Block, Cpu, Instructions, Loops, Real, vectorised};

/// The fused form of a system for a loop that gives it one sample at a time: the same arithmetic in the same order as
/// [`Kernel::forward`](crate::Kernel::forward), and so the same bytes.
///
/// What lies side by side in a vector are units, not samples. All memory was taken when it was made: a step takes none, waits for nobody
/// and cannot fail.
///
/// Blocks of `n` numbers have room for [`places(n)`](places), so that loops run in whole vectors. What stands behind the `n` is calculated
/// as if it were a unit, and read by nobody.
pub trait SingleStep<F>: Debug + Send {
    /// Inputs.
    fn n_in(&self) -> usize;

    /// Outputs.
    fn n_out(&self) -> usize;

    /// Numbers of each leaf of the state, in the order of the system's state. In memory each leaf has its [places], one leaf behind the other.
    fn leaves(&self) -> Vec<usize>;

    /// One step: reads `xs`, `places(n_in)` numbers, fills `ys`, `places(n_out)`, and turns `state` into that after the step.
    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]);
}

/// Room for `n` numbers in whole lines of the cache, which are whole vectors of every processor.
pub const fn places<F>(n: usize) -> usize {
    n.next_multiple_of(64 / size_of::<F>())
}

/// Room for a state of these leaves.
pub fn places_of<F>(leaves: &[usize]) -> usize {
    leaves.iter().map(|n| places::<F>(*n)).sum()
}

/// Numbers with places behind them.
pub(crate) fn padded<F: Real>(numbers: &[F]) -> Block<F> {
    let mut block = Block::zeros(places::<F>(numbers.len()));
    block[..numbers.len()].copy_from_slice(numbers);
    block
}

struct Flush<'a, F>(&'a mut [F]);

impl<F: Real> Loops for Flush<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        self.0.iter_mut().for_each(|x| *x = x.flushed());
    }
}

/// Sets to 0 what is about to [underflow](Real::TINY).
#[inline(never)]
pub fn flush<F: Real>(instructions: Instructions, numbers: &mut [F]) {
    vectorised(instructions, Flush(numbers));
}
