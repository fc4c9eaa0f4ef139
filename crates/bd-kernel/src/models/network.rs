//! [`NetworkKernel`]: populations of units that send each other spikes and other numbers, over synapses that take their time.
//!
//! No unit sees another one sooner than the shortest delay between populations and one step later, but for what arrives at once and does not
//! lead back. So a stretch goes in slices of so many steps: within a slice each population is one call of its own kernel, and the state of its
//! units stays in registers. Between slices outputs are delivered: forward only from units and steps that are not zero, backward the gradients of what arrived to all sources, synapse by
//! synapse, with the samples of a tile side by side.

mod backward;
mod forward;
mod loops;
mod population;
mod products;
mod projection;
mod recording;
mod steps;

use std::ops::Range;
use std::sync::Arc;

use crate::{AnyKernel, Bits, Grads, Input, Instructions, Kernel, Real, Sizes, Tile, Typed, bits_len};

pub use population::{Population, Sender};
use projection::Wires;
pub use projection::{Delays, Projection, Synapses};
use steps::Slices;

/// All steps of populations and projections.
///
/// The state has for each population that of its units, which can be [recorded](AnyKernel::recording), and then what is on its way.
/// Parameters are those of the populations' kernels, in order, and then the weights of the projections that are trained.
///
/// Kept is what the units keep, slice by slice; what arrived, if an adjoint reads it; what was on its way before; outputs that are no spikes, if
/// gradients of weights read them; and a bit for each spike. `work`, in numbers of a step: what arrives or its gradient; all outputs; those of
/// the largest population; and what a kernel of units works in.
#[derive(Debug)]
pub struct NetworkKernel {
    populations: Vec<Population>,
    projections: Arc<Vec<Projection>>,
    /// Channels that the units of each population have behind their outputs.
    recorded: Vec<usize>,
    /// The population that is the input.
    input: usize,
    /// The population whose outputs are those of the network.
    output: usize,
    /// Steps in which no unit sees another, but for what arrives at once.
    slice: usize,
    /// The populations, by their levels.
    order: Vec<usize>,
}

/// The parts of what is kept.
struct Kept<'a, F> {
    units: &'a mut [F],
    arrivals: &'a mut [F],
    sent: &'a mut [F],
    values: &'a mut [F],
    spikes: &'a mut [F],
}

impl NetworkKernel {
    /// Of populations, of which one is the input. The outputs are the first ones of the population `output`.
    ///
    /// # Panics
    ///
    /// If sizes do not fit.
    pub fn new(populations: Vec<Population>, projections: Vec<Projection>, output: usize) -> Self {
        let is_input = |p: &usize| matches!(populations[*p].sender, Sender::Input);
        let inputs: Vec<usize> = (0..populations.len()).filter(is_input).collect();
        let [input] = inputs[..] else { panic!("a network has one input, not {}", inputs.len()) };
        let mut slice = usize::MAX;
        for Projection { from, output, to, target, synapses, weights, instant, .. } in &projections {
            let (sending, receiving) = (&populations[*from], &populations[*to]);
            assert_eq!(synapses.begins.len(), sending.n + 1, "synapses are by source");
            assert_eq!(synapses.begins.last(), Some(&synapses.targets.len()), "synapses are by source");
            assert_eq!(weights.len(), synapses.targets.len(), "a weight for each synapse");
            assert!(synapses.targets.iter().all(|unit| (*unit as usize) < receiving.n) && *target < receiving.targets);
            assert!(*output < sending.outputs, "a projection carries an output");
            let Some([least, most]) = synapses.delays.bounds() else { continue };
            let by_units = matches!(sending.sender, Sender::Units(_));
            if *instant {
                assert!(most == 0 && (!by_units || sending.level < receiving.level), "what is sent at once goes up");
                continue;
            }
            assert!(usize::from(most) < sending.memory, "outputs on their way are state");
            // All others are known ahead.
            if by_units {
                slice = slice.min(usize::from(least) + 1);
            }
        }
        assert!(matches!(populations[output].sender, Sender::Units(_)), "the outputs are those of units");
        let mut order: Vec<usize> = (0..populations.len()).collect();
        order.sort_by_key(|p| populations[*p].level);
        let recorded = vec![0; populations.len()];
        Self { populations, projections: Arc::new(projections), recorded, input, output, slice, order }
    }

    fn units<F: Real>(&self, population: usize) -> Option<&dyn Kernel<F>>
    where
        dyn AnyKernel: Typed<F>,
    {
        match &self.populations[population].sender {
            Sender::Units(kernel) => Some(kernel.typed()),
            Sender::Input | Sender::Random(_) => None,
        }
    }

    /// Numbers of all populations before one: of inputs of units, and of outputs that are not the input.
    fn before(&self, population: usize) -> [usize; 2] {
        let others = (0..population).filter(|p| !matches!(self.populations[*p].sender, Sender::Input));
        others.fold([0, 0], |[targets, all], p| {
            let of = &self.populations[p];
            [targets + of.targets * of.n, all + self.makes(p)]
        })
    }

    /// Inputs and outputs of all populations but the input.
    fn all(&self) -> [usize; 2] {
        self.before(self.populations.len())
    }

    /// What the largest population makes.
    fn largest(&self) -> usize {
        (0..self.populations.len()).map(|p| self.makes(p)).max().unwrap_or(0)
    }

    /// The parameters of a population's units.
    fn params_of<F: Real>(&self, population: usize) -> Range<usize>
    where
        dyn AnyKernel: Typed<F>,
    {
        let of = |p: usize| self.units::<F>(p).map_or(0, |units| units.sizes().n_params);
        let begin = (0..population).map(of).sum();
        begin..begin + of(population)
    }

    /// The weights of a projection among the parameters, if it is trained.
    fn params_of_weights<F: Real>(&self, projection: usize) -> Range<usize>
    where
        dyn AnyKernel: Typed<F>,
    {
        let units = self.params_of::<F>(self.populations.len() - 1).end;
        let earlier = self.projections[..projection].iter().filter(|earlier| earlier.trained);
        let begin = units + earlier.map(|earlier| earlier.weights.len()).sum::<usize>();
        begin..begin + self.projections[projection].weights.len()
    }

    /// Of all channels that something arrives at, those of a population.
    fn channels(&self, population: usize) -> Range<usize> {
        let [first, _] = self.before(population);
        let Population { n, targets, .. } = &self.populations[population];
        first..first + targets * n
    }

    /// What a population makes among what all do, over a stretch.
    fn outputs_of(&self, population: usize, tile: Tile) -> Range<usize> {
        let [_, before] = self.before(population);
        before * tile.len()..(before + self.makes(population)) * tile.len()
    }

    /// Whether the adjoint of some units reads what arrived.
    fn reads_arrivals<F: Real>(&self) -> bool
    where
        dyn AnyKernel: Typed<F>,
    {
        (0..self.populations.len()).any(|p| self.units::<F>(p).is_some_and(Kernel::reads_inputs))
    }

    /// Numbers of state of a population, for each lane: of its units, and on their way.
    fn state<F: Real>(&self, population: usize) -> [usize; 2]
    where
        dyn AnyKernel: Typed<F>,
    {
        let sent = self.populations[population].memory * self.populations[population].sends();
        [self.units::<F>(population).map_or(0, |units| units.sizes().n_state), sent]
    }

    /// The state of a population: of its units, and on their way.
    fn leaves<F: Real>(&self, population: usize, lanes: usize) -> [Range<usize>; 2]
    where
        dyn AnyKernel: Typed<F>,
    {
        let begin: usize = (0..population).flat_map(|p| self.state::<F>(p)).sum();
        let [units, sent] = self.state::<F>(population);
        [begin * lanes..(begin + units) * lanes, (begin + units) * lanes..(begin + units + sent) * lanes]
    }

    /// Numbers that the units of a population keep of so many steps, for each lane.
    fn kept_of<F: Real>(&self, population: usize, steps: usize) -> usize
    where
        dyn AnyKernel: Typed<F>,
    {
        self.units::<F>(population).map_or(0, |units| units.n_kept(steps))
    }

    /// Numbers that hold the bits of their spikes.
    fn bits_of<F: Real>(&self, population: usize, steps: usize) -> usize {
        match &self.populations[population] {
            Population { sender: Sender::Units(_), spikes: true, n, .. } => bits_len::<F>(n * steps, 1),
            _ => 0,
        }
    }

    /// Those outputs of a population's units that are no spikes, if gradients of weights read some.
    fn values(&self, population: usize) -> Range<usize> {
        let Population { n, sender, outputs, spikes, .. } = &self.populations[population];
        let first = usize::from(*spikes);
        let read = |of: &Projection| of.from == population && of.trained && of.output >= first;
        match matches!(sender, Sender::Units(_)) && self.projections.iter().any(read) {
            true => first * n..outputs * n,
            false => 0..0,
        }
    }

    /// How many there are of so many steps.
    fn values_of(&self, population: usize, steps: usize) -> usize {
        self.values(population).len() * steps
    }

    /// The part of a population and slice, of what has `each(population, steps)` numbers for each lane, population by population.
    fn region(
        &self,
        slices: Slices,
        (population, steps): (usize, &Range<usize>),
        lanes: usize,
        each: impl Fn(usize, usize) -> usize,
    ) -> Range<usize> {
        let before: usize = (0..population).map(|p| slices.sum(|steps| each(p, steps))).sum();
        // Earlier slices have as many steps as the first.
        let begin = before + slices.number(steps) * each(population, slices.longest());
        begin * lanes..(begin + each(population, steps.len())) * lanes
    }

    fn slices(&self, tile: Tile) -> Slices {
        Slices::new(self.slice, tile)
    }

    /// Numbers of each part of what is kept, for each lane.
    fn parts<F: Real>(&self, steps: usize) -> [usize; 5]
    where
        dyn AnyKernel: Typed<F>,
    {
        let none =
            Tile { steps, lanes: 0, keep: true, instructions: Instructions::any(), first_step: 0, first_sample: 0 };
        let slices = self.slices(none);
        let sum = |each: &dyn Fn(usize, usize) -> usize| -> usize {
            (0..self.populations.len()).map(|p| slices.sum(|steps| each(p, steps))).sum()
        };
        let arrivals = if self.reads_arrivals::<F>() { self.all()[0] * steps } else { 0 };
        let sent = self.populations.iter().map(|population| population.memory * population.sends()).sum();
        [
            sum(&|p, steps| self.kept_of::<F>(p, steps)),
            arrivals,
            sent,
            sum(&|p, steps| self.values_of(p, steps)),
            sum(&|p, steps| self.bits_of::<F>(p, steps)),
        ]
    }

    fn split<'a, F: Real>(&self, tile: Tile, kept: &'a mut [F]) -> Kept<'a, F>
    where
        dyn AnyKernel: Typed<F>,
    {
        let [units, arrivals, sent, values, _] = self.parts::<F>(tile.steps).map(|n| n * tile.lanes);
        let (units, rest) = kept.split_at_mut(units);
        let (arrivals, rest) = rest.split_at_mut(arrivals);
        let (sent, rest) = rest.split_at_mut(sent);
        let (values, spikes) = rest.split_at_mut(values);
        Kept { units, arrivals, sent, values, spikes }
    }

    /// What was on its way from a population, among that of all.
    fn sent_before(&self, population: usize, lanes: usize) -> Range<usize> {
        let numbers = |of: &Population| of.memory * of.sends() * lanes;
        let begin = self.populations[..population].iter().map(numbers).sum();
        begin..begin + numbers(&self.populations[population])
    }

    /// The projections from a population, with their numbers, and what loops over their synapses need.
    fn from(&self, population: usize, tile: Tile) -> impl Iterator<Item = (usize, &Projection, Wires<'_>)> {
        let from = self.projections.iter().enumerate().filter(move |(_, projection)| projection.from == population);
        from.map(move |(number, projection)| {
            let units = self.populations[projection.to].n;
            let first = self.channels(projection.to).start + projection.target * units;
            let (lanes, instructions) = (tile.lanes, tile.instructions);
            let first_source = projection.output * self.populations[population].n;
            let wires = Wires { synapses: &projection.synapses, first_source, first, units, lanes, instructions };
            (number, projection, wires)
        })
    }
}

/// The bits of the outputs of so many units in a slice.
fn bits(n: usize, tile: Tile) -> Bits {
    Bits { channels: n * tile.steps, lanes: tile.lanes }
}

/// A tile of one step, for what has the steps of a slice among its channels.
fn one_step(tile: Tile) -> Tile {
    tile.part(0..1)
}

impl<F: Real> Kernel<F> for NetworkKernel
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let populations = 0..self.populations.len();
        let units =
            |of: fn(Sizes) -> usize| populations.clone().filter_map(|p| self.units::<F>(p)).map(move |u| of(u.sizes()));
        let trained = self.projections.iter().filter(|projection| projection.trained);
        let [targets, all] = self.all();
        Sizes {
            n_in: self.populations[self.input].n,
            n_out: self.populations[self.output].n + self.recorded.iter().sum::<usize>(),
            n_state: populations.clone().flat_map(|p| self.state::<F>(p)).sum(),
            n_work: targets + all + self.largest() + units(|sizes| sizes.n_work).max().unwrap_or(0),
            n_params: units(|sizes| sizes.n_params).sum::<usize>()
                + trained.map(|projection| projection.weights.len()).sum::<usize>(),
        }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.parts::<F>(steps).iter().sum()
    }

    fn stores(&self) -> bool {
        true
    }

    fn stores_much(&self) -> bool {
        // What goes through synapses would be delivered again. With 220 for each unit that is slower; where it begins to be was not measured.
        const MANY: usize = 32;
        let synapses: usize = self.projections.iter().map(|projection| projection.weights.len()).sum();
        let units = self.populations.iter().filter(|population| matches!(population.sender, Sender::Units(_)));
        synapses >= MANY * units.map(|population| population.n).sum::<usize>()
    }

    fn fills_vectors(&self) -> bool {
        true
    }

    fn reads_inputs(&self) -> bool {
        self.projections.iter().any(|projection| projection.trained && projection.from == self.input)
    }

    fn spikes(&self) -> bool {
        self.populations[self.output].spikes && self.recorded.iter().all(|recorded| *recorded == 0)
    }

    fn keeps_outputs(&self) -> bool {
        self.populations[self.output].spikes
    }

    fn outputs(&self, tile: Tile, kept: &[F], ys: &mut [F]) {
        let (slices, n) = (self.slices(tile), self.populations[self.output].n);
        let spikes = &kept[kept.len() - self.parts::<F>(tile.steps)[4] * tile.lanes..];
        let mut outputs = vec![F::default(); n * slices.longest() * tile.lanes];
        for steps in slices.all() {
            let (own, outputs) = (slices.tile(&steps), &mut outputs[..n * steps.len() * tile.lanes]);
            let region = self.region(slices, (self.output, &steps), tile.lanes, |p, steps| self.bits_of::<F>(p, steps));
            bits(n, own).read(one_step(own), &spikes[region], outputs);
            forward::write(outputs, &steps, tile, ys);
        }
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]) {
        self.run(tile, xs.dense(), state, ys, kept, work);
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        self.run_back(tile, xs.dense(), kept, work, grads);
    }
}
