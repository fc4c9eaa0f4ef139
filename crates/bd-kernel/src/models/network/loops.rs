//! The loops over synapses, with the lanes of a tile side by side in vectors.

use crate::{Cpu, Loops, Real, Vector};

use super::projection::{Delays, Wires};
use super::steps::{Place, Steps};

impl Wires<'_> {
    /// Where what is sent in `step` arrives, if all delays are the same; nothing if that is not among `arrivals`.
    #[inline(always)]
    pub(super) fn place<N>(&self, step: isize, delay: u16, arrivals: &Steps<'_, N>) -> Option<AtOnce> {
        Some(AtOnce { place: arrivals.place(step + delay as isize + 1)?, first: self.first })
    }
}

/// Where what goes through a synapse arrives.
pub(super) trait Ends: Copy {
    /// The place of its numbers, by its number and the unit at its end, if it is among the steps: then within what [`Wires::check`] looked at.
    fn at(&self, synapse: usize, unit: u32) -> Option<usize>;
}

/// All in one step.
#[derive(Clone, Copy)]
pub(super) struct AtOnce {
    place: Place,
    first: usize,
}

impl Ends for AtOnce {
    #[inline(always)]
    fn at(&self, _: usize, unit: u32) -> Option<usize> {
        Some(self.place.of(self.first + unit as usize))
    }
}

/// Each in a step of its own.
#[derive(Clone, Copy)]
pub(super) struct InTime<'a> {
    pub(super) delays: &'a [u16],
    pub(super) places: &'a [Place],
    /// When it was sent, counted from the first place.
    pub(super) sent: isize,
    pub(super) first: usize,
}

impl Ends for InTime<'_> {
    #[inline(always)]
    fn at(&self, synapse: usize, unit: u32) -> Option<usize> {
        // Of an earlier step than the first this is a large number.
        let step = self.sent + self.delays[synapse] as isize + 1;
        Some(self.places.get(step as usize)?.of(self.first + unit as usize))
    }
}

/// Whether all numbers are zero.
///
/// # Safety
///
/// The processor has these vectors, of which the numbers are a multiple.
#[inline(always)]
pub(super) unsafe fn is_zero<F: Real, V: Vector<F>>(numbers: &[F]) -> bool {
    let mut any = 0;
    for at in (0..numbers.len()).step_by(V::LEN) {
        // SAFETY: within the numbers; the rest is the caller's.
        any |= unsafe { V::load(numbers.as_ptr().add(at)).nonzero() };
    }
    any == 0
}

/// Runs `$loops::<V, ABREAST>` with the longest vectors of which the lanes are a multiple, and with two of them abreast if they fill the lanes.
macro_rules! by_lanes {
    ($loops:expr, $cpu:ident) => {{
        let (loops, long) = ($loops, <$cpu::Vector<F> as Vector<F>>::LEN);
        // SAFETY: these are loops that `vectorised` runs, and the lanes are a multiple of the vectors.
        unsafe {
            match loops.wires.lanes {
                lanes if lanes.is_multiple_of(2 * long) => loops.by::<$cpu::Vector<F>, 2>(),
                lanes if lanes.is_multiple_of(long) => loops.by::<$cpu::Vector<F>, 1>(),
                _ => loops.by::<$cpu::Short<F>, 1>(),
            }
        }
    }};
}

pub(super) use by_lanes;

/// Adds what outputs bring to what arrives.
pub(super) struct Deliver<'a, F> {
    pub(super) wires: Wires<'a>,
    pub(super) weights: &'a [F],
    pub(super) sent: &'a Steps<'a, &'a [F]>,
    pub(super) arrivals: Steps<'a, &'a mut [F]>,
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
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>, const ABREAST: usize>(mut self) {
        let (wires, sent) = (self.wires, self.sent);
        wires.check(&self.arrivals);
        // Step by step: what arrives in one step stays in the nearest cache.
        for number in 0..sent.places.len() {
            let (step, _) = sent.nth(number, 0);
            // SAFETY: the caller's.
            unsafe {
                match &wires.synapses.delays {
                    Delays::Same(delay) => {
                        if let Some(ends) = wires.place(step, *delay, &self.arrivals) {
                            self.step::<V, ABREAST>(number, ends);
                        }
                    }
                    Delays::Own(delays) => {
                        let (places, sent) = (self.arrivals.places, step - self.arrivals.first);
                        self.step::<V, ABREAST>(number, InTime { delays, places, sent, first: wires.first });
                    }
                }
            }
        }
    }

    /// The outputs of all sources in a step.
    ///
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn step<V: Vector<F>, const ABREAST: usize>(&mut self, number: usize, ends: impl Ends) {
        for source in 0..self.wires.sources() {
            let (_, from) = self.sent.nth(number, self.wires.first_source + source);
            // SAFETY: the caller's.
            unsafe {
                if !is_zero::<F, V>(&self.sent.numbers[from..from + self.wires.lanes]) {
                    self.row::<V, ABREAST>(source, from, ends);
                }
            }
        }
    }

    /// The outputs of a source in a step, which begin at `from`.
    ///
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn row<V: Vector<F>, const ABREAST: usize>(&mut self, source: usize, from: usize, ends: impl Ends) {
        let (own, lanes) = (self.wires.of_source(source), self.wires.lanes);
        let (targets, weights) = (&self.wires.synapses.targets[own.clone()], &self.weights[own.clone()]);
        for lane in (0..lanes).step_by(ABREAST * V::LEN) {
            let sent = &self.sent.numbers[from + lane..][..ABREAST * V::LEN];
            let arrivals = self.arrivals.numbers.as_mut_ptr();
            // SAFETY: whole vectors of each, the arrivals within their numbers, as was checked; the rest is the caller's.
            unsafe {
                let sent: [V; ABREAST] = std::array::from_fn(|v| V::load(sent.as_ptr().add(v * V::LEN)));
                for (synapse, (unit, weight)) in own.clone().zip(targets.iter().zip(weights)) {
                    let Some(at) = ends.at(synapse, *unit) else { continue };
                    let weight = V::splat(*weight);
                    for (v, sent) in sent.into_iter().enumerate() {
                        let to = arrivals.add(at + lane + v * V::LEN);
                        sent.mul_add(weight, V::load(to)).store(to);
                    }
                }
            }
        }
    }
}

/// Sums that do not wait for each other.
const SUMS: usize = 4;

/// Adds gradients of what arrived to those of outputs.
pub(super) struct Collect<'a, F> {
    pub(super) wires: Wires<'a>,
    pub(super) weights: &'a [F],
    pub(super) arrivals: &'a Steps<'a, &'a [F]>,
    pub(super) outputs: Steps<'a, &'a mut [F]>,
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
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>, const ABREAST: usize>(mut self) {
        let (wires, arrivals) = (self.wires, self.arrivals);
        wires.check(arrivals);
        for number in 0..self.outputs.places.len() {
            let (step, _) = self.outputs.nth(number, 0);
            // SAFETY: the caller's.
            unsafe {
                match &wires.synapses.delays {
                    Delays::Same(delay) => {
                        if let Some(ends) = wires.place(step, *delay, arrivals) {
                            self.step::<V, ABREAST>(number, ends);
                        }
                    }
                    Delays::Own(delays) => {
                        let (places, sent) = (arrivals.places, step - arrivals.first);
                        self.step::<V, ABREAST>(number, InTime { delays, places, sent, first: wires.first });
                    }
                }
            }
        }
    }

    /// The gradients of all sources in a step.
    ///
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn step<V: Vector<F>, const ABREAST: usize>(&mut self, number: usize, ends: impl Ends) {
        for source in 0..self.wires.sources() {
            let (_, to) = self.outputs.nth(number, self.wires.first_source + source);
            // SAFETY: the caller's.
            unsafe { self.row::<V, ABREAST>(source, to, ends) };
        }
    }

    /// The gradients of a source in a step, which begin at `to`.
    ///
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn row<V: Vector<F>, const ABREAST: usize>(&mut self, source: usize, to: usize, ends: impl Ends) {
        let (own, lanes) = (self.wires.of_source(source), self.wires.lanes);
        let (targets, weights) = (&self.wires.synapses.targets[own.clone()], &self.weights[own.clone()]);
        for lane in (0..lanes).step_by(ABREAST * V::LEN) {
            let to = &mut self.outputs.numbers[to + lane..][..ABREAST * V::LEN];
            let arrivals = self.arrivals.numbers.as_ptr();
            // SAFETY: whole vectors of each, the arrivals within their numbers, as was checked; the rest is the caller's.
            unsafe {
                let mut sums = [[V::splat(F::default()); ABREAST]; SUMS];
                let add = |sums: &mut [V; ABREAST], at: usize, weight: F| {
                    let weight = V::splat(weight);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(arrivals.add(at + lane + v * V::LEN)).mul_add(weight, *sum);
                    }
                };
                let (fours, rest) = targets.as_chunks::<SUMS>();
                let (weights_of_fours, weights_of_rest) = weights.as_chunks::<SUMS>();
                let mut first = own.start;
                for (targets, weights) in fours.iter().zip(weights_of_fours) {
                    for i in 0..SUMS {
                        let Some(at) = ends.at(first + i, targets[i]) else { continue };
                        add(&mut sums[i], at, weights[i]);
                    }
                    first += SUMS;
                }
                for (i, (unit, weight)) in rest.iter().zip(weights_of_rest).enumerate() {
                    let Some(at) = ends.at(first + i, *unit) else { continue };
                    add(&mut sums[i], at, *weight);
                }
                let one = V::splat(F::of(1.0));
                for v in 0..ABREAST {
                    let to = to.as_mut_ptr().add(v * V::LEN);
                    sums.into_iter().fold(V::load(to), |before, sum| sum[v].mul_add(one, before)).store(to);
                }
            }
        }
    }
}
