//! A [network](super::PopulationNetwork) on a GPU: [`NetworkOnGpu`].
//!
//! As on the CPU, no unit sees another one sooner than the shortest delay between populations and one step later, so time goes in slices of so
//! many steps. Of each population and slice, one launch gathers what arrives through all its synapses (`synapses.cu`), a thread for each unit,
//! sample and step, and one does all steps of its units. Backward, gradients of what was sent are gathered from all targets in the same way,
//! before the adjoint of the units. Gradients of weights are sums over all of it at the end.
//!
//! Random numbers are drawn on the host.

mod backward;
mod forward;
mod launches;
mod synapses;

use std::ops::Range;
use std::sync::Arc;

use bd_core::gpu::Gpu;
use bd_core::kernel::gpu::{ForwardArgs, ForwardOut, GpuKernel, InGrads, OutGrads, Saved, numbers};
use bd_core::{Inputs, Result};
use bd_kernel::{Formula, Noise};
use tch::Tensor;

use launches::Wire;
use synapses::By;
pub(super) use synapses::SynapsesOnGpu;

/// A population on a GPU. Its parameters are those of its units, and then what arrives in every step besides, `[targets n]`, if it is driven.
#[derive(Debug)]
pub(super) struct PopulationOnGpu {
    pub(super) n: i64,
    /// Numbers that each unit sends in a step.
    pub(super) outputs: i64,
    /// Through how many targets it receives.
    pub(super) targets: i64,
    pub(super) sender: SenderOnGpu,
    pub(super) driven: bool,
    /// What arrives at random, with its target.
    pub(super) noise: Vec<(i64, Noise)>,
    /// Within a step, units of a lower level come before those that they send to at once.
    pub(super) level: usize,
    /// Steps whose outputs are on their way.
    pub(super) memory: i64,
}

/// Where outputs come from.
#[derive(Debug)]
pub(super) enum SenderOnGpu {
    /// They are the inputs of the network.
    Input,
    /// Units, which have so many parameters.
    Units(Arc<dyn Formula>, usize),
    /// Chance.
    Random(Noise),
}

/// A projection on a GPU. Its parameter is the weights, `[synapses]`.
#[derive(Debug)]
pub(super) struct ProjectionOnGpu {
    pub(super) from: usize,
    /// Which of the outputs this carries.
    pub(super) output: i64,
    pub(super) to: usize,
    pub(super) target: i64,
    pub(super) synapses: Arc<SynapsesOnGpu>,
    /// The shortest delay, in steps.
    pub(super) least: i64,
    /// Whether the gradient of the weights is wanted.
    pub(super) trained: bool,
    /// Whether what is sent arrives in the same step.
    pub(super) instant: bool,
}

impl ProjectionOnGpu {
    /// In how many steps something arrives that travels for none.
    fn lag(&self) -> i64 {
        i64::from(!self.instant)
    }
}

/// All steps of a network. Parameters are those of the populations, and then those of the projections.
#[derive(Debug)]
pub(super) struct NetworkOnGpu {
    populations: Vec<PopulationOnGpu>,
    projections: Vec<ProjectionOnGpu>,
    input: usize,
    output: usize,
    /// Steps in which no unit sees another, but for what arrives at once.
    slice: i64,
}

impl PopulationOnGpu {
    /// Numbers that all its units send in a step.
    fn sends(&self) -> i64 {
        self.outputs * self.n
    }

    /// Channels at which something arrives.
    fn channels(&self) -> i64 {
        self.targets * self.n
    }

    fn units(&self) -> Option<&dyn Formula> {
        match &self.sender {
            SenderOnGpu::Units(units, _) => Some(units.as_ref()),
            SenderOnGpu::Input | SenderOnGpu::Random(_) => None,
        }
    }

    /// Leaves of its units, and of what is on its way.
    fn n_leaves(&self) -> [usize; 2] {
        [self.units().map_or(0, |units| units.facts().reads.len()), usize::from(self.memory > 0)]
    }

    fn n_params(&self) -> usize {
        match self.sender {
            SenderOnGpu::Units(_, n_params) => n_params + usize::from(self.driven),
            SenderOnGpu::Input | SenderOnGpu::Random(_) => 0,
        }
    }
}

impl NetworkOnGpu {
    pub(super) fn new(
        populations: Vec<PopulationOnGpu>,
        projections: Vec<ProjectionOnGpu>,
        [input, output]: [usize; 2],
    ) -> Self {
        for ProjectionOnGpu { from, output, to, target, synapses, instant, .. } in &projections {
            let (sending, receiving) = (&populations[*from], &populations[*to]);
            assert!(
                *output < sending.outputs && *target < receiving.targets,
                "a projection leads from output to target"
            );
            assert_eq!(synapses.sizes(), [sending.n, receiving.n], "synapses are of both populations");
            let in_time = *instant || synapses.longest_delay() < sending.memory;
            assert!(in_time, "outputs on their way are state");
            let up = sending.units().is_none() || sending.level < receiving.level;
            assert!(!instant || up, "what is sent at once goes up");
        }
        assert!(populations[output].units().is_some(), "the outputs are those of units");
        // What is not sent by units is known ahead.
        let of_units = projections.iter().filter(|of| populations[of.from].units().is_some() && !of.instant);
        let slice = of_units.map(|projection| projection.least + 1).min().unwrap_or(i64::MAX);
        Self { populations, projections, input, output, slice }
    }

    /// Steps of `time`, slice by slice.
    fn slices(&self, time: i64) -> impl DoubleEndedIterator<Item = Range<i64>> + use<> {
        let slice = self.slice.min(time);
        (0..(time + slice - 1) / slice).map(move |i| i * slice..((i + 1) * slice).min(time))
    }

    /// Leaves of a population: of its units, and of what is on its way.
    fn leaves(&self, population: usize) -> [Range<usize>; 2] {
        let begin = self.populations[..population].iter().flat_map(PopulationOnGpu::n_leaves).sum();
        let [units, sent] = self.populations[population].n_leaves();
        [begin..begin + units, begin + units..begin + units + sent]
    }

    /// Parameters of a population.
    fn params_of(&self, population: usize) -> Range<usize> {
        let begin = self.populations[..population].iter().map(PopulationOnGpu::n_params).sum();
        begin..begin + self.populations[population].n_params()
    }

    /// The weights of a projection among the parameters.
    fn weights_at(&self, projection: usize) -> usize {
        self.populations.iter().map(PopulationOnGpu::n_params).sum::<usize>() + projection
    }

    /// For the populations at one end of projections, by number: the population at the other end of each of theirs, and what loops need of it.
    fn wires(&self, by: By, params: &[Tensor]) -> Vec<Vec<(usize, Wire)>> {
        let mut wires: Vec<_> = self.populations.iter().map(|_| Vec::new()).collect();
        for (number, projection) in self.projections.iter().enumerate() {
            let (from, to) = (&self.populations[projection.from], &self.populations[projection.to]);
            let (sending, receiving) = ((projection.from, projection.output), (projection.to, projection.target));
            // What arrives in step 0 was sent in this step of the series, if there is no delay.
            let sent = from.memory - projection.lag();
            let ((own, part), (other, of_other), n, shift) = match by {
                By::Target => (receiving, sending, from.n, sent),
                By::Source => (sending, receiving, to.n, -sent),
            };
            let table = projection.synapses.table(by);
            let weights = table.weights(&params[self.weights_at(number)]);
            wires[own].push((other, Wire { table, weights, part, first: of_other * n, shift }));
        }
        wires
    }

    /// The units of all populations that have some, by their levels, with the population's number.
    fn units(&self) -> impl Iterator<Item = (usize, &PopulationOnGpu, &dyn Formula)> {
        let mut all: Vec<_> = self.populations.iter().enumerate().collect();
        all.sort_by_key(|(_, population)| population.level);
        all.into_iter().filter_map(|(p, population)| Some((p, population, population.units()?)))
    }
}

impl GpuKernel for NetworkOnGpu {
    fn n_leaves(&self) -> usize {
        self.populations.iter().flat_map(PopulationOnGpu::n_leaves).sum()
    }

    fn n_units(&self, leaf: usize, _n_in: i64) -> i64 {
        let of_leaf = |(p, population): (usize, &PopulationOnGpu)| {
            let [units, sent] = self.leaves(p);
            let of_sent = sent.contains(&leaf).then(|| population.memory * population.sends());
            of_sent.or(units.contains(&leaf).then_some(population.n))
        };
        self.populations.iter().enumerate().find_map(of_leaf).expect("a leaf is that of a population")
    }

    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        self.run(gpu, numbers(xs), pass)
    }

    fn backward(&self, gpu: &Gpu, past: Saved<'_>, asked: OutGrads) -> Result<InGrads> {
        self.run_back(gpu, past, asked)
    }
}

/// Moves a range.
fn later(steps: &Range<i64>, by: i64) -> Range<i64> {
    steps.start + by..steps.end + by
}
