//! All steps of a stretch.

use std::ops::Range;

use crate::{AnyKernel, Input, Noise, Real, Tile, Typed};

use super::steps::{Place, Steps, by_channel, by_step};
use super::{NetworkKernel, Projection, Sender, bits};

/// Outputs of a slice, `[unit, step, lane]`, to where they are among those of a stretch, of which there may be fewer units.
pub(super) fn write<F: Real>(outputs: &[F], steps: &Range<usize>, tile: Tile, ys: &mut [F]) {
    let of_slice = steps.start * tile.lanes..steps.end * tile.lanes;
    for (outputs, ys) in outputs.chunks_exact(of_slice.len()).zip(ys.chunks_exact_mut(tile.len())) {
        ys[of_slice.clone()].copy_from_slice(outputs);
    }
}

/// Outputs of some steps of a stretch, `n` in each, as those that are on their way after it: `sent` is `[step, output, lane]`, and has the
/// last steps.
fn keep_sent<F: Real>(outputs: &Steps<'_, &[F]>, n: usize, tile: Tile, sent: &mut [F]) {
    let of_step = n * tile.lanes;
    let memory = sent.len() / of_step.max(1);
    for number in 0..outputs.places.len() {
        let step = outputs.nth(number, 0).0 as usize;
        // The steps that stay are the last ones.
        let Some(place) = (step + memory).checked_sub(tile.steps) else { continue };
        for (output, to) in sent[place * of_step..][..of_step].chunks_exact_mut(tile.lanes).enumerate() {
            to.copy_from_slice(&outputs.numbers[outputs.nth(number, output).1..][..tile.lanes]);
        }
    }
}

/// Outputs of a slice that are drawn.
pub(super) fn draw<F: Real>(noise: &Noise, slice: Tile, outputs: &mut [F]) {
    outputs.fill(F::default());
    noise.add(slice, outputs);
}

impl NetworkKernel {
    pub(super) fn run<F: Real>(
        &self,
        tile: Tile,
        xs: &[F],
        state: &mut [F],
        ys: &mut [F],
        kept: &mut [F],
        work: &mut [F],
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let ([targets, all], slices, lanes) = (self.all(), self.slices(tile), tile.lanes);
        let kept = self.split(tile, kept);
        let (arrivals, work) = work.split_at_mut(targets * tile.len());
        let (outputs, work) = work.split_at_mut(all * tile.len());
        let arrivals = if self.reads_arrivals::<F>() { kept.arrivals } else { arrivals };
        self.begin(tile, arrivals);
        let places = slices.places(targets);
        let mut arrivals = Steps { numbers: arrivals, first: 0, places: &places };
        self.deliver_sent(tile, state, kept.sent, &mut arrivals);
        let of_inputs = by_channel(tile.steps, lanes);
        let of_outputs: Vec<Vec<Place>> = (0..self.populations.len()).map(|p| slices.places(self.makes(p))).collect();
        for steps in slices.all() {
            let own = slices.tile(&steps);
            let inputs = Steps { numbers: xs, first: steps.start as isize, places: &of_inputs[steps.clone()] };
            self.send(self.input, tile, &inputs, state, &mut arrivals);
            for (p, population) in self.populations.iter().enumerate() {
                let Sender::Random(noise) = &population.sender else { continue };
                let outputs = &mut outputs[self.outputs_of(p, tile)];
                draw(noise, own, &mut outputs[slices.block(population.n, &steps, 0..population.n)]);
                let drawn =
                    Steps { numbers: &*outputs, first: steps.start as isize, places: &of_outputs[p][steps.clone()] };
                self.send(p, tile, &drawn, state, &mut arrivals);
            }
            for p in self.order.iter().copied() {
                let (Some(units), population) = (self.units::<F>(p), &self.populations[p]) else { continue };
                let x = &arrivals.numbers[slices.block(targets, &steps, self.channels(p))];
                let of_stretch = &mut outputs[self.outputs_of(p, tile)];
                let outputs = &mut of_stretch[slices.block(self.makes(p), &steps, 0..self.makes(p))];
                let [leaf, _] = self.leaves::<F>(p, lanes);
                let region = self.region(slices, (p, &steps), lanes, |p, steps| self.kept_of::<F>(p, steps));
                units.forward(own, Input::Dense(x), &mut state[leaf], outputs, &mut kept.units[region], work);
                if p == self.output {
                    write(outputs, &steps, tile, &mut ys[tile.channels(0..population.n)]);
                }
                let recorded = &outputs[own.channels(population.sends()..self.makes(p))];
                write(recorded, &steps, tile, &mut ys[tile.channels(self.recorded(p))]);
                if tile.keep {
                    if population.spikes {
                        let region = self.region(slices, (p, &steps), lanes, |p, steps| self.bits_of::<F>(p, steps));
                        let spikes = &outputs[own.channels(0..population.n)];
                        bits(population.n, own).write(tile.instructions, spikes, 0, &mut kept.spikes[region]);
                    }
                    let region = self.region(slices, (p, &steps), lanes, |p, steps| self.values_of(p, steps));
                    kept.values[region].copy_from_slice(&outputs[own.channels(self.values(p))]);
                }
                let places = &of_outputs[p][steps.clone()];
                let sent = Steps { numbers: &*of_stretch, first: steps.start as isize, places };
                self.deliver(p, tile, &sent, |projection| projection.instant, &mut arrivals);
            }
            // All of them have had what was sent before this slice.
            for p in (0..self.populations.len()).filter(|p| self.units::<F>(*p).is_some()) {
                let (numbers, places) = (&outputs[self.outputs_of(p, tile)], &of_outputs[p][steps.clone()]);
                let sent = Steps { numbers, first: steps.start as isize, places };
                self.deliver(p, tile, &sent, |projection| !projection.instant, &mut arrivals);
                self.keep(p, tile, &sent, state);
            }
        }
    }

    /// What arrives at each step before anything is sent: what drives the units, and noise.
    fn begin<F: Real>(&self, tile: Tile, arrivals: &mut [F]) {
        arrivals.fill(F::default());
        let slices = self.slices(tile);
        for (p, population) in self.populations.iter().enumerate() {
            for steps in slices.all() {
                let own = &mut arrivals[slices.block(self.all()[0], &steps, self.channels(p))];
                let part = tile.part(steps);
                if let Some(drive) = &population.drive {
                    let of_channels = own.chunks_exact_mut(part.len());
                    of_channels.zip(F::numbers(drive)).for_each(|(numbers, drive)| numbers.fill(*drive));
                }
                for (target, noise) in &population.noise {
                    noise.add(part, &mut own[part.channels(target * population.n..(target + 1) * population.n)]);
                }
            }
        }
    }

    /// Delivers what is on its way before the stretch, keeps it, and makes place for what is sent.
    fn deliver_sent<F: Real>(&self, tile: Tile, state: &mut [F], kept: &mut [F], arrivals: &mut Steps<'_, &mut [F]>)
    where
        dyn AnyKernel: Typed<F>,
    {
        for (p, population) in self.populations.iter().enumerate() {
            let [_, leaf] = self.leaves::<F>(p, tile.lanes);
            let sent = &mut state[leaf];
            let places = by_step(population.memory, population.sends(), tile.lanes);
            let before = Steps { numbers: &*sent, first: -(population.memory as isize), places: &places };
            for (_, projection, wires) in self.from(p, tile) {
                wires.deliver(F::numbers(&projection.weights), &projection.as_loops_take_it(before), arrivals);
            }
            if tile.keep {
                kept[self.sent_before(p, tile.lanes)].copy_from_slice(sent);
            }
            let passed = (tile.steps * population.sends() * tile.lanes).min(sent.len());
            sent.copy_within(passed.., 0);
        }
    }

    /// Delivers outputs of a population, and keeps those that are still on their way after the stretch.
    fn send<F: Real>(
        &self,
        population: usize,
        tile: Tile,
        outputs: &Steps<'_, &[F]>,
        state: &mut [F],
        arrivals: &mut Steps<'_, &mut [F]>,
    ) where
        dyn AnyKernel: Typed<F>,
    {
        self.deliver(population, tile, outputs, |_| true, arrivals);
        self.keep(population, tile, outputs, state);
    }

    /// Delivers outputs of a population through some of its projections.
    fn deliver<F: Real>(
        &self,
        population: usize,
        tile: Tile,
        outputs: &Steps<'_, &[F]>,
        through: impl Fn(&Projection) -> bool,
        arrivals: &mut Steps<'_, &mut [F]>,
    ) {
        for (_, projection, wires) in self.from(population, tile).filter(|(_, projection, _)| through(projection)) {
            wires.deliver(F::numbers(&projection.weights), &projection.as_loops_take_it(*outputs), arrivals);
        }
    }

    /// Keeps outputs that are still on their way after the stretch.
    fn keep<F: Real>(&self, population: usize, tile: Tile, outputs: &Steps<'_, &[F]>, state: &mut [F])
    where
        dyn AnyKernel: Typed<F>,
    {
        let [_, leaf] = self.leaves::<F>(population, tile.lanes);
        if !leaf.is_empty() {
            keep_sent(outputs, self.populations[population].sends(), tile, &mut state[leaf]);
        }
    }
}
