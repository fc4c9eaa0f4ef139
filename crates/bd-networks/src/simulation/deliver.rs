//! [`Delivery`]: spikes to where they arrive.

use std::ops::Deref;

use bd_kernel::Real;

use crate::edges::{Each, Edges};
use crate::network::Projection;

use super::Timing;
use super::port::{CHUNK, Port};
use super::sent::Sent;
use super::worker::Worker;

/// The synapses of a projection, shared by threads: each has those of its own targets.
#[derive(Debug)]
pub(crate) struct Delivery<F> {
    /// Which of what is sent.
    channel: usize,
    /// The level of what sends it.
    pub(crate) level: usize,
    /// Whether it arrives in the step in which it is sent.
    instant: bool,
    /// Whether it is for the same slice: so is what is instant, unless it was sent by a source of spikes, which are a slice ahead.
    pub(crate) at_once: bool,
    to: usize,
    target: usize,
    /// The least and the greatest.
    delays: [u16; 2],
    /// With places in the ring of a thread's part instead of targets.
    pub(crate) edges: Edges<F>,
    /// Of each thread: its part with the targets, and where in the row of each source those begin and end. Nothing if it has no targets; no
    /// bounds if it has all.
    shares: Vec<Option<Share>>,
}

#[derive(Debug)]
struct Share {
    part: usize,
    bounds: Option<Vec<[usize; 2]>>,
}

impl<F: Real> Delivery<F> {
    pub(crate) fn new(
        projection: &Projection,
        (channel, level, by_neurons): (usize, usize, bool),
        mut edges: Edges<F>,
        timing: Timing,
        workers: &[Worker<F>],
    ) -> Self {
        let share = |worker: &Worker<F>| {
            let part = worker.parts.iter().position(|part| part.population == projection.to)?;
            let range = worker.parts[part].range.clone();
            let bounds = (range.len() < projection.sizes[1]).then(|| {
                let rows = edges.begins.windows(2).map(|row| {
                    let targets = &edges.targets[row[0]..row[1]];
                    [range.start, range.end]
                        .map(|end| row[0] + targets.partition_point(|target| (*target as usize) < end))
                });
                rows.collect()
            });
            Some(Share { part, bounds })
        };
        let shares: Vec<Option<Share>> = workers.iter().map(share).collect();
        let firsts = workers.iter().flat_map(|worker| &worker.parts).filter(|part| part.population == projection.to);
        let firsts: Vec<u32> = firsts.map(|part| part.range.start as u32).collect();
        for target in &mut edges.targets {
            let at = *target - firsts[firsts.partition_point(|first| first <= target) - 1];
            let chunk = CHUNK as u32;
            *target = at / chunk * chunk * timing.slice as u32 + at % chunk;
        }
        let delays = edges.delays.bounds().unwrap_or([0, 0]);
        let Projection { to, target, instant, .. } = *projection;
        let at_once = instant && by_neurons;
        Self { delays, channel, level, instant, at_once, to, target, shares, edges }
    }

    /// The synapses with the neurons that receive.
    pub(crate) fn drawn(&self, timing: Timing, workers: &[Worker<F>]) -> Edges<F> {
        let mut edges = self.edges.clone();
        let chunk = CHUNK as u32;
        for (worker, share) in workers.iter().zip(&self.shares) {
            let Some(Share { part, bounds }) = share else { continue };
            let first = worker.parts[*part].range.start as u32;
            let whole = [[0, edges.targets.len()]];
            for [begin, end] in bounds.as_deref().unwrap_or(&whole) {
                for place in &mut edges.targets[*begin..*end] {
                    *place = first + *place / (chunk * timing.slice as u32) * chunk + *place % chunk;
                }
            }
        }
        edges
    }

    /// Adds what several bring to the neurons of a thread, in the order of steps, projections and sources, in however many parts the steps
    /// are made. `sent` is by level, by thread.
    pub(crate) fn deliver_all<'a>(
        several: impl Iterator<Item = &'a Self> + Clone,
        number: usize,
        timing: Timing,
        sent: &[Vec<impl Deref<Target = Sent<F>>>],
        worker: &mut Worker<F>,
    ) where
        F: 'a,
    {
        let steps = |of: &Self| sent[of.level].iter().map(|sent| sent.of(of.channel).len()).max().unwrap_or(0);
        for t in 0..several.clone().map(steps).max().unwrap_or(0) {
            several.clone().for_each(|one| one.deliver(t, number, timing, &sent[one.level], worker));
        }
    }

    /// Adds what the spikes of one of the steps bring to the neurons of a thread, in the order of sources.
    fn deliver(
        &self,
        t: usize,
        number: usize,
        timing: Timing,
        sent: &[impl Deref<Target = Sent<F>>],
        worker: &mut Worker<F>,
    ) {
        let Some(share) = &self.shares[number] else { return };
        debug_assert_eq!(worker.parts[share.part].population, self.to);
        let Port::Ring { numbers, chunks, .. } = &mut worker.parts[share.part].ports[self.target] else {
            unreachable!("a projection feeds a ring")
        };
        let ring = Ring { timing, chunks: *chunks, instant: self.instant };
        let mut places = Vec::new();
        for of_thread in sent.iter().map(|sent| sent.of(self.channel)) {
            let Some(now) = of_thread.get(t).filter(|now| !now.neurons.is_empty()) else { continue };
            ring.places(now.step, self.delays, &mut places);
            for (at, source) in now.neurons.iter().enumerate() {
                let source = *source as usize;
                let [begin, end] = match &share.bounds {
                    Some(bounds) => bounds[source],
                    None => [self.edges.begins[source], self.edges.begins[source + 1]],
                };
                match now.values.get(at) {
                    None => self.add(&places, begin, end, numbers, |weight| weight),
                    Some(value) => self.add(&places, begin, end, numbers, |weight| weight * *value),
                }
            }
        }
    }

    /// Adds what the synapses `begin..end` make, by their weight, of what was sent. `places` are those of the first neuron, by delay.
    #[inline(always)]
    fn add(&self, places: &[usize], begin: usize, end: usize, numbers: &mut [F], made: impl Fn(F) -> F) {
        let targets = &self.edges.targets[begin..end];
        match (&self.edges.delays, &self.edges.weights) {
            (Each::Same(delay), Each::Same(weight)) => {
                let at = places[usize::from(*delay - self.delays[0])];
                let made = made(*weight);
                targets.iter().for_each(|target| numbers[at + *target as usize] += made);
            }
            (Each::Same(delay), Each::Own(weights)) => {
                let at = places[usize::from(*delay - self.delays[0])];
                let weights = &weights[begin..end];
                for (target, weight) in targets.iter().zip(weights) {
                    numbers[at + *target as usize] += made(*weight);
                }
            }
            (Each::Own(delays), weights) => {
                for (at, (target, delay)) in (begin..).zip(targets.iter().zip(&delays[begin..end])) {
                    let place = places[usize::from(*delay - self.delays[0])];
                    numbers[place + *target as usize] += made(weights.get(at));
                }
            }
        }
    }
}

/// Where numbers of a ring stand: `[slice][chunk][step][neuron of the chunk]`.
#[derive(Debug, Clone, Copy)]
struct Ring {
    timing: Timing,
    chunks: usize,
    /// Whether what is sent arrives in the same step.
    instant: bool,
}

impl Ring {
    /// Where what is sent in `step` arrives at the first neuron, by delay.
    fn places(self, step: u64, [least, most]: [u16; 2], places: &mut Vec<usize>) {
        places.clear();
        places.extend((least..=most).map(|delay| {
            let (slice, t) = self.timing.split(step + u64::from(delay) + u64::from(!self.instant));
            (slice * self.chunks * self.timing.slice + t) * CHUNK
        }));
    }
}
