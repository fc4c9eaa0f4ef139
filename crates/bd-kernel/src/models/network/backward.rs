//! The adjoint of a stretch.

use std::ops::Range;

use crate::{AnyKernel, Grads, Input, Real, Tile, Typed};

use super::steps::{Place, Steps, by_channel, by_step};
use super::{Kept, NetworkKernel, Population, Sender, bits, forward, one_step};

/// Adds to gradients of `n` outputs what comes from `sent`, the gradients of what is on its way after the stretch, `[step, output, lane]`.
fn add_sent<F: Real>(sent: &[F], n: usize, tile: Tile, outputs: &mut Steps<'_, &mut [F]>) {
    let of_step = n * tile.lanes;
    let memory = sent.len() / of_step;
    for number in 0..outputs.places.len() {
        let step = outputs.nth(number, 0).0 as usize;
        let Some(place) = (step + memory).checked_sub(tile.steps) else { continue };
        for (output, sent) in sent[place * of_step..][..of_step].chunks_exact(tile.lanes).enumerate() {
            let at = outputs.nth(number, output).1;
            outputs.numbers[at..at + tile.lanes].iter_mut().zip(sent).for_each(|(to, sent)| *to += *sent);
        }
    }
}

/// Those of a slice, `[unit, step, lane]`, out of a stretch, of which there may be fewer units.
fn read<F: Real>(series: &[F], steps: &Range<usize>, tile: Tile, to: &mut [F]) {
    let of_slice = steps.start * tile.lanes..steps.end * tile.lanes;
    for (series, to) in series.chunks_exact(tile.len()).zip(to.chunks_exact_mut(of_slice.len())) {
        to.copy_from_slice(&series[of_slice.clone()]);
    }
}

impl NetworkKernel {
    pub(super) fn run_back<F: Real>(&self, tile: Tile, xs: &[F], kept: &mut [F], work: &mut [F], grads: Grads<'_, F>)
    where
        dyn AnyKernel: Typed<F>,
    {
        let ([targets, all], slices, lanes) = (self.all(), self.slices(tile), tile.lanes);
        let mut kept = self.split(tile, kept);
        let (gradients, work) = work.split_at_mut(targets * tile.len());
        let (outputs, work) = work.split_at_mut(all * tile.len());
        let (asked, work) = work.split_at_mut(self.largest() * tile.len());
        let Grads { ys, state, xs: gxs, params } = grads;
        let sent = self.pass_back(tile, state);
        let places = slices.places(targets);
        for steps in slices.all().rev() {
            for p in self.order.iter().rev().copied().filter(|p| self.units::<F>(*p).is_some()) {
                let of_slice = slices.tile(&steps);
                let asked = &mut asked[..self.makes(p) * of_slice.len()];
                asked.fill(F::default());
                if p == self.output {
                    read(&ys[tile.channels(0..self.populations[p].n)], &steps, tile, asked);
                }
                let recorded = &mut asked[of_slice.channels(self.populations[p].sends()..self.makes(p))];
                read(&ys[tile.channels(self.recorded(p))], &steps, tile, recorded);
                let places_of_slice = by_channel(steps.len(), lanes);
                let mut outputs = Steps { numbers: &mut *asked, first: steps.start as isize, places: &places_of_slice };
                let later = Steps { numbers: &*gradients, first: 0, places: &places };
                self.collect(p, tile, &sent[p], &later, &mut outputs);
                self.units_back((p, &steps), tile, (asked, gradients), &mut kept, (state, params), work);
            }
        }
        let arrivals = Steps { numbers: &*gradients, first: 0, places: &places };
        if !gxs.is_empty() {
            gxs.fill(F::default());
            let mut inputs = Steps { numbers: gxs, first: 0, places: &by_channel(tile.steps, lanes) };
            self.collect(self.input, tile, &sent[self.input], &arrivals, &mut inputs);
        }
        for (p, population) in self.populations.iter().enumerate() {
            let [_, leaf] = self.leaves::<F>(p, lanes);
            let places = by_step(population.memory, population.sends(), lanes);
            let mut before = Steps { numbers: &mut state[leaf], first: -(population.memory as isize), places: &places };
            self.collect(p, tile, &[], &arrivals, &mut before);
        }
        self.weights_back(tile, (xs, outputs), &kept, &arrivals, params, asked);
    }

    /// Takes the gradients of what is on its way after the stretch, by population, and leaves those of what was so before, as far as it is the
    /// same.
    fn pass_back<F: Real>(&self, tile: Tile, state: &mut [F]) -> Vec<Vec<F>>
    where
        dyn AnyKernel: Typed<F>,
    {
        let of_population = |(p, population): (usize, &Population)| {
            let [_, leaf] = self.leaves::<F>(p, tile.lanes);
            let leaf = &mut state[leaf];
            let sent = leaf.to_vec();
            let passed = (tile.steps * population.sends() * tile.lanes).min(leaf.len());
            leaf[..passed].fill(F::default());
            leaf[passed..].copy_from_slice(&sent[..sent.len() - passed]);
            sent
        };
        self.populations.iter().enumerate().map(of_population).collect()
    }

    /// Adds to gradients of outputs of a population all that comes from where they went.
    fn collect<F: Real>(
        &self,
        population: usize,
        tile: Tile,
        sent: &[F],
        arrivals: &Steps<'_, &[F]>,
        outputs: &mut Steps<'_, &mut [F]>,
    ) {
        if !sent.is_empty() {
            add_sent(sent, self.populations[population].sends(), tile, outputs);
        }
        for (_, projection, wires) in self.from(population, tile) {
            wires.collect(F::numbers(&projection.weights), arrivals, &mut projection.as_loops_take_it(outputs.again()));
        }
    }

    /// The adjoint of units in a slice: what is `asked` of their outputs becomes the `gradients` of what arrived.
    fn units_back<F: Real>(
        &self,
        (population, steps): (usize, &Range<usize>),
        tile: Tile,
        (asked, gradients): (&[F], &mut [F]),
        kept: &mut Kept<'_, F>,
        (state, params): (&mut [F], &mut [F]),
        work: &mut [F],
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let Some(units) = self.units::<F>(population) else { return };
        let slices = self.slices(tile);
        let block = slices.block(self.all()[0], steps, self.channels(population));
        let x = if units.reads_inputs() { &kept.arrivals[block.clone()] } else { &[] };
        let [leaf, _] = self.leaves::<F>(population, tile.lanes);
        let region = self.region(slices, (population, steps), tile.lanes, |p, steps| self.kept_of::<F>(p, steps));
        let grads = Grads {
            ys: asked,
            state: &mut state[leaf],
            xs: &mut gradients[block],
            params: &mut params[self.params_of::<F>(population)],
        };
        units.backward(slices.tile(steps), Input::Dense(x), &mut kept.units[region], work, grads);
    }

    /// The gradients of the weights that are trained. `outputs` is filled with all that is not the input; `room` is for those of the largest
    /// population.
    fn weights_back<F: Real>(
        &self,
        tile: Tile,
        (xs, outputs): (&[F], &mut [F]),
        kept: &Kept<'_, F>,
        arrivals: &Steps<'_, &[F]>,
        params: &mut [F],
        room: &mut [F],
    ) where
        dyn AnyKernel: Typed<F>,
    {
        for (p, population) in self.populations.iter().enumerate() {
            if !self.from(p, tile).any(|(_, projection, _)| projection.trained) {
                continue;
            }
            let of_sent = by_step(population.memory, population.sends(), tile.lanes);
            let numbers = &kept.sent[self.sent_before(p, tile.lanes)];
            let before = Steps { numbers, first: -(population.memory as isize), places: &of_sent };
            let places: Vec<Place>;
            let sent = if p == self.input {
                places = by_channel(tile.steps, tile.lanes);
                Steps { numbers: xs, first: 0, places: &places }
            } else {
                places = self.slices(tile).places(self.makes(p));
                Steps { numbers: self.outputs_again(p, tile, kept, outputs), first: 0, places: &places }
            };
            for (number, projection, wires) in self.from(p, tile).filter(|(_, projection, _)| projection.trained) {
                let gweights = &mut params[self.params_of_weights::<F>(number)];
                wires.add_products(
                    [&projection.as_loops_take_it(before), &projection.as_loops_take_it(sent)],
                    arrivals,
                    gweights,
                    room,
                );
            }
        }
    }

    /// The outputs of a population over the stretch that are carried with weights that are trained, slice by slice: from the bits of spikes, from
    /// what was kept, or drawn again.
    fn outputs_again<'a, F: Real>(
        &self,
        population: usize,
        tile: Tile,
        kept: &Kept<'_, F>,
        outputs: &'a mut [F],
    ) -> &'a [F]
    where
        dyn AnyKernel: Typed<F>,
    {
        let (slices, of, values) = (self.slices(tile), &self.populations[population], self.values(population));
        let outputs = &mut outputs[self.outputs_of(population, tile)];
        for steps in slices.all() {
            let (own, at, lanes) = (slices.tile(&steps), (population, &steps), tile.lanes);
            let made = self.makes(population);
            let outputs = &mut outputs[slices.block(made, &steps, 0..made)];
            if let Sender::Random(noise) = &of.sender {
                forward::draw(noise, own, outputs);
                continue;
            }
            if of.spikes {
                let region = self.region(slices, at, lanes, |p, steps| self.bits_of::<F>(p, steps));
                bits(of.n, own).read(one_step(own), &kept.spikes[region], &mut outputs[own.channels(0..of.n)]);
            }
            let region = self.region(slices, at, lanes, |p, steps| self.values_of(p, steps));
            outputs[own.channels(values.clone())].copy_from_slice(&kept.values[region]);
        }
        outputs
    }
}
