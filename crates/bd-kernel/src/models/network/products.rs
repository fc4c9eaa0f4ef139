//! Gradients of weights: products of outputs and of the gradients of what arrived.

use crate::product::{Rows, RowsMut};
use crate::transpose::transpose_loops;
use crate::{Cpu, LANES, Loops, Real, Vector};

use super::loops::{AtOnce, Ends, InTime, by_lanes, is_zero};
use super::projection::{Delays, Wires};
use super::steps::Steps;

/// Adds products of outputs and gradients of what arrived to the gradients of weights.
pub(super) struct AddProducts<'a, F> {
    pub(super) wires: Wires<'a>,
    /// Outputs of several stretches of time, one after the other.
    pub(super) sent: [&'a Steps<'a, &'a [F]>; 2],
    pub(super) arrivals: &'a Steps<'a, &'a [F]>,
    pub(super) gweights: &'a mut [F],
    /// Room for the gradients of what arrived at the units, `[step, lane, unit]`.
    pub(super) columns: &'a mut [F],
}

/// An output that is not zero.
#[derive(Clone, Copy)]
struct Event<F> {
    step: isize,
    lane: usize,
    value: F,
}

impl<F: Real> Loops for AddProducts<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { wires, sent, arrivals, gweights, columns } = self;
        wires.check(arrivals);
        let columns = &mut columns[..arrivals.places.len() * wires.lanes * wires.units];
        transpose::<C, F>(wires, arrivals, columns);
        for sent in sent {
            by_lanes!(Sending { wires, sent, arrivals, columns: &*columns, gweights: &mut *gweights }, C);
        }
    }
}

/// Gradients of what arrived, `[step, lane, unit]`: those of a sample side by side, which stay in the nearest cache.
#[inline(always)]
fn transpose<C: Cpu, F: Real>(wires: Wires<'_>, arrivals: &Steps<'_, &[F]>, columns: &mut [F]) {
    let Wires { first, units, lanes, .. } = wires;
    for (place, to) in arrivals.places.iter().zip(columns.chunks_exact_mut((lanes * units).max(1))) {
        let from = Rows { numbers: &arrivals.numbers[place.of(first)..], stride: place.of(1) - place.of(0) };
        transpose_loops::<C, F>([units, lanes], from, RowsMut { numbers: to, stride: units });
    }
}

struct Sending<'a, F> {
    wires: Wires<'a>,
    sent: &'a Steps<'a, &'a [F]>,
    arrivals: &'a Steps<'a, &'a [F]>,
    columns: &'a [F],
    gweights: &'a mut [F],
}

impl<F: Real> Sending<'_, F> {
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn by<V: Vector<F>, const ABREAST: usize>(mut self) {
        let (sent, lanes) = (self.sent, self.wires.lanes);
        let (mut active, mut events) = (Vec::with_capacity(sent.places.len()), Vec::new());
        for source in 0..self.wires.sources() {
            active.clear();
            events.clear();
            for number in 0..sent.places.len() {
                let (step, at) = sent.nth(number, self.wires.first_source + source);
                let outputs = &sent.numbers[at..at + lanes];
                // SAFETY: the caller's.
                if unsafe { is_zero::<F, V>(outputs) } {
                    continue;
                }
                active.push((step, at));
                let of_lanes = outputs.iter().enumerate().filter(|(_, value)| **value != F::default());
                events.extend(of_lanes.map(|(lane, value)| Event { step, lane, value: *value }));
            }
            // A vector of products takes about as long as two products alone, and its sum as a dozen: counted in instructions.
            const SUM: usize = 12;
            match events.len() <= active.len() * lanes.div_ceil(LANES) * 2 + SUM {
                true => self.each(source, &events),
                // SAFETY: the caller's.
                false => unsafe { self.side_by_side::<V>(source, &active) },
            }
        }
    }

    /// The synapses of a source, output by output.
    #[inline(always)]
    fn each(&mut self, source: usize, events: &[Event<F>]) {
        let Wires { units, lanes, synapses, .. } = self.wires;
        let own = self.wires.of_source(source);
        let (targets, gweights) = (&synapses.targets[own.clone()], &mut self.gweights[own.clone()]);
        // Copied: behind a reference, the value would be read again for every synapse.
        for Event { step, lane, value } in events.iter().copied() {
            let sent = step - self.arrivals.first;
            match &synapses.delays {
                Delays::Same(delay) => {
                    let arrival = sent + *delay as isize + 1;
                    if !(0..self.arrivals.places.len() as isize).contains(&arrival) {
                        continue;
                    }
                    let column = &self.columns[(arrival as usize * lanes + lane) * units..][..units];
                    for (unit, gweight) in targets.iter().zip(&mut *gweights) {
                        // SAFETY: targets are below the number of units: `NetworkKernel::new`.
                        *gweight += value * unsafe { *column.get_unchecked(*unit as usize) };
                    }
                }
                Delays::Own(delays) => {
                    for ((unit, gweight), delay) in targets.iter().zip(&mut *gweights).zip(&delays[own.clone()]) {
                        // Of an earlier step than the first this is a large number.
                        let arrival = (sent + *delay as isize + 1) as usize;
                        if arrival < self.arrivals.places.len() {
                            let gradient = self.columns[(arrival * lanes + lane) * units + *unit as usize];
                            *gweight += value * gradient;
                        }
                    }
                }
            }
        }
    }

    /// The synapses of a source, with its outputs in those steps in which there are some, which begin there.
    ///
    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn side_by_side<V: Vector<F>>(&mut self, source: usize, active: &[(isize, usize)]) {
        let arrivals = self.arrivals;
        // SAFETY: the caller's.
        unsafe {
            match &self.wires.synapses.delays {
                Delays::Same(delay) => {
                    let ends = active.iter().map(|(step, at)| Some((self.wires.place(*step, *delay, arrivals)?, *at)));
                    self.sums::<V, AtOnce>(source, &ends.flatten().collect::<Vec<_>>());
                }
                Delays::Own(delays) => {
                    let (places, first) = (arrivals.places, self.wires.first);
                    let ends = |step: isize| InTime { delays, places, sent: step - arrivals.first, first };
                    let ends = active.iter().map(|(step, at)| (ends(*step), *at));
                    self.sums::<V, InTime<'_>>(source, &ends.collect::<Vec<_>>());
                }
            }
        }
    }

    /// # Safety
    ///
    /// As for [`is_zero`].
    #[inline(always)]
    unsafe fn sums<V: Vector<F>, E: Ends>(&mut self, source: usize, active: &[(E, usize)]) {
        let lanes = self.wires.lanes;
        assert!(active.iter().all(|(_, at)| at + lanes <= self.sent.numbers.len()));
        let (outputs, gradients) = (self.sent.numbers.as_ptr(), self.arrivals.numbers.as_ptr());
        let own = self.wires.of_source(source);
        let targets = &self.wires.synapses.targets[own.clone()];
        let mut products = vec![F::default(); lanes];
        for ((synapse, unit), gweight) in own.clone().zip(targets).zip(&mut self.gweights[own]) {
            for lane in (0..lanes).step_by(V::LEN) {
                // SAFETY: a vector of each, all of them within their numbers, as was checked; the rest is the caller's.
                unsafe {
                    let mut sum = V::splat(F::default());
                    for (ends, at) in active {
                        let Some(from) = ends.at(synapse, *unit) else { continue };
                        sum = V::load(outputs.add(at + lane)).mul_add(V::load(gradients.add(from + lane)), sum);
                    }
                    sum.store(products.as_mut_ptr().add(lane));
                }
            }
            *gweight += total(&products);
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
