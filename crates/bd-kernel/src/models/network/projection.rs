//! [`Projection`]: synapses, and what goes through them: spikes forward, gradients back.

use std::sync::Arc;

use crate::{Cpu, Instructions, LANES, Loops, Numbers, Real, Vector, vectorised};

use super::steps::Steps;

/// Synapses from one population to a target of another, by source.
#[derive(Debug, Clone)]
pub struct Synapses {
    /// Where those of each source begin, `[sources + 1]`.
    pub begins: Vec<usize>,
    /// The units that receive.
    pub targets: Vec<u32>,
    /// For how many steps a spike travels: one of step `k` arrives in step `k + delay + 1`.
    pub delays: Delays,
}

/// Delays in steps.
#[derive(Debug, Clone)]
pub enum Delays {
    /// The same for all synapses.
    Same(u16),
    /// Each its own.
    Own(Vec<u16>),
}

impl Delays {
    /// That of a synapse.
    #[inline(always)]
    pub fn get(&self, synapse: usize) -> u16 {
        match self {
            Self::Same(delay) => *delay,
            Self::Own(delays) => delays[synapse],
        }
    }

    /// The least and the greatest; nothing where there is none.
    pub fn bounds(&self) -> Option<[u16; 2]> {
        match self {
            Self::Same(delay) => Some([*delay; 2]),
            Self::Own(delays) => Some([*delays.iter().min()?, *delays.iter().max()?]),
        }
    }
}

/// Synapses with their weights.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The population whose outputs it carries, by number.
    pub from: usize,
    /// The population that receives.
    pub to: usize,
    /// Which of its targets.
    pub target: usize,
    /// Who is connected with whom.
    pub synapses: Arc<Synapses>,
    /// What an output of 1 adds, by synapse.
    pub weights: Numbers,
    /// Whether the weights are parameters.
    pub trained: bool,
}

/// What loops over synapses need of a projection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wires<'a> {
    pub(super) synapses: &'a Synapses,
    /// The first unit that may receive is this one of all channels that something arrives at.
    pub(super) first: usize,
    pub(super) lanes: usize,
    pub(super) instructions: Instructions,
}

impl Wires<'_> {
    /// Adds what outputs bring to what arrives.
    pub(super) fn deliver<F: Real>(self, weights: &[F], sent: &Steps<'_, &[F]>, arrivals: &mut Steps<'_, &mut [F]>) {
        let arrivals = arrivals.again();
        vectorised(self.instructions, Deliver { wires: self, weights, sent, arrivals });
    }

    /// Adds the gradients of what arrived to those of the outputs that brought it.
    pub(super) fn collect<F: Real>(self, weights: &[F], arrivals: &Steps<'_, &[F]>, outputs: &mut Steps<'_, &mut [F]>) {
        let outputs = outputs.again();
        vectorised(self.instructions, Collect { wires: self, weights, arrivals, outputs });
    }

    /// Adds to the gradients of weights: products of outputs and gradients of what arrived.
    pub(super) fn add_products<F: Real>(self, sent: &Steps<'_, &[F]>, arrivals: &Steps<'_, &[F]>, gweights: &mut [F]) {
        vectorised(self.instructions, AddProducts { wires: self, sent, arrivals, gweights });
    }

    /// The channel at the end of a synapse, and how many steps later than it is sent an output arrives there.
    #[inline(always)]
    fn end(&self, synapse: usize) -> (usize, isize) {
        (self.first + self.synapses.targets[synapse] as usize, self.synapses.delays.get(synapse) as isize + 1)
    }

    #[inline(always)]
    fn sources(&self) -> usize {
        self.synapses.begins.len() - 1
    }
}

/// Fills `active` with the steps in which a channel is not zero in all lanes, and where its numbers are.
///
/// # Safety
///
/// The processor has these vectors, of which the lanes are a multiple.
#[inline(always)]
unsafe fn find<F: Real, V: Vector<F>>(
    sent: &Steps<'_, &[F]>,
    channel: usize,
    lanes: usize,
    active: &mut Vec<(isize, usize)>,
) {
    active.clear();
    for number in 0..sent.places.len() {
        let (step, at) = sent.nth(number, channel);
        let row = &sent.numbers[at..at + lanes];
        let mut any = 0;
        for lane in (0..lanes).step_by(V::LEN) {
            // SAFETY: within the row; the rest is the caller's.
            any |= unsafe { V::load(row.as_ptr().add(lane)).nonzero() };
        }
        if any != 0 {
            active.push((step, at));
        }
    }
}

/// Runs `$loops::<V>` with the longest vectors of which the lanes are a multiple.
macro_rules! by_lanes {
    ($self:expr, $cpu:ident) => {
        // SAFETY: these are loops that `vectorised` runs, and the lanes are a multiple of the vectors.
        unsafe {
            match $self.wires.lanes % <$cpu::Vector<F> as Vector<F>>::LEN {
                0 => $self.by::<$cpu::Vector<F>>(),
                _ => $self.by::<$cpu::Short<F>>(),
            }
        }
    };
}

struct Deliver<'a, F> {
    wires: Wires<'a>,
    weights: &'a [F],
    sent: &'a Steps<'a, &'a [F]>,
    arrivals: Steps<'a, &'a mut [F]>,
}

impl<F: Real> Loops for Deliver<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        by_lanes!(self, C);
    }
}

impl<F: Real> Deliver<'_, F> {
    /// # Safety
    ///
    /// As for [`find`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>>(self) {
        let Self { wires, weights, sent, arrivals } = self;
        let (lanes, mut active) = (wires.lanes, Vec::with_capacity(sent.places.len()));
        for source in 0..wires.sources() {
            let own = wires.synapses.begins[source]..wires.synapses.begins[source + 1];
            // SAFETY: the caller's.
            unsafe { find::<F, V>(sent, source, lanes, &mut active) };
            if active.is_empty() {
                continue;
            }
            for synapse in own {
                let (channel, travels) = wires.end(synapse);
                // SAFETY: the caller's.
                let weight = unsafe { V::splat(weights[synapse]) };
                for &(step, from) in &active {
                    let Some(to) = arrivals.at(step + travels, channel) else { continue };
                    let (from, to) = (&sent.numbers[from..from + lanes], &mut arrivals.numbers[to..to + lanes]);
                    for lane in (0..lanes).step_by(V::LEN) {
                        // SAFETY: within both rows; the rest is the caller's.
                        unsafe {
                            let to = to.as_mut_ptr().add(lane);
                            V::load(from.as_ptr().add(lane)).mul_add(weight, V::load(to)).store(to);
                        }
                    }
                }
            }
        }
    }
}

/// Sums that do not wait for each other.
const SUMS: usize = 4;

struct Collect<'a, F> {
    wires: Wires<'a>,
    weights: &'a [F],
    arrivals: &'a Steps<'a, &'a [F]>,
    outputs: Steps<'a, &'a mut [F]>,
}

impl<F: Real> Loops for Collect<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        by_lanes!(self, C);
    }
}

impl<F: Real> Collect<'_, F> {
    /// # Safety
    ///
    /// As for [`find`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>>(self) {
        let Self { wires, weights, arrivals, outputs } = self;
        for source in 0..wires.sources() {
            let own = wires.synapses.begins[source]..wires.synapses.begins[source + 1];
            if own.is_empty() {
                continue;
            }
            for number in 0..outputs.places.len() {
                let (step, at) = outputs.nth(number, source);
                for lane in (0..wires.lanes).step_by(V::LEN) {
                    let to = &mut outputs.numbers[at + lane..at + lane + V::LEN];
                    // SAFETY: there is room for a vector; the rest is the caller's.
                    unsafe {
                        let mut sums = [V::splat(F::default()); SUMS];
                        let mut synapse = own.start;
                        while synapse < own.end {
                            for (i, sum) in sums.iter_mut().enumerate().take(own.end - synapse) {
                                let (channel, travels) = wires.end(synapse + i);
                                let Some(from) = arrivals.at(step + travels, channel) else { continue };
                                let from = &arrivals.numbers[from + lane..from + lane + V::LEN];
                                *sum = V::load(from.as_ptr()).mul_add(V::splat(weights[synapse + i]), *sum);
                            }
                            synapse += SUMS;
                        }
                        let one = V::splat(F::of(1.0));
                        let before = V::load(to.as_ptr());
                        let sum = sums.into_iter().fold(before, |before, sum| sum.mul_add(one, before));
                        sum.store(to.as_mut_ptr());
                    }
                }
            }
        }
    }
}

struct AddProducts<'a, F> {
    wires: Wires<'a>,
    sent: &'a Steps<'a, &'a [F]>,
    arrivals: &'a Steps<'a, &'a [F]>,
    gweights: &'a mut [F],
}

impl<F: Real> Loops for AddProducts<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        by_lanes!(self, C);
    }
}

impl<F: Real> AddProducts<'_, F> {
    /// # Safety
    ///
    /// As for [`find`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>>(self) {
        let Self { wires, sent, arrivals, gweights } = self;
        let (lanes, mut active) = (wires.lanes, Vec::with_capacity(sent.places.len()));
        let mut products = vec![F::default(); lanes];
        for source in 0..wires.sources() {
            let own = wires.synapses.begins[source]..wires.synapses.begins[source + 1];
            // SAFETY: the caller's.
            unsafe { find::<F, V>(sent, source, lanes, &mut active) };
            if active.is_empty() {
                continue;
            }
            for synapse in own {
                let (channel, travels) = wires.end(synapse);
                for lane in (0..lanes).step_by(V::LEN) {
                    // SAFETY: the caller's.
                    let mut sum = unsafe { V::splat(F::default()) };
                    for &(step, at) in &active {
                        let Some(from) = arrivals.at(step + travels, channel) else { continue };
                        let output = &sent.numbers[at + lane..at + lane + V::LEN];
                        let gradient = &arrivals.numbers[from + lane..from + lane + V::LEN];
                        // SAFETY: a vector of each; the rest is the caller's.
                        sum = unsafe { V::load(output.as_ptr()).mul_add(V::load(gradient.as_ptr()), sum) };
                    }
                    // SAFETY: the lanes are a multiple of the vector.
                    unsafe { sum.store(products[lane..lane + V::LEN].as_mut_ptr()) };
                }
                gweights[synapse] += total(&products);
            }
        }
    }
}

/// The sum over lanes, in an order that vectors of any length keep.
#[inline(always)]
fn total<F: Real>(products: &[F]) -> F {
    let mut sums = [F::default(); LANES];
    for products in products.as_chunks::<LANES>().0 {
        for l in 0..LANES {
            sums[l] += products[l];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}
