//! [`Wiring`]: the synapses of a projection with their parameter.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use bd_core::kernel::numbers_of;
use bd_core::{Kept, ParamPath, Phase, Result, Weight};
use bd_equations::Sent;
use bd_kernel::models::network::{Delays, Projection as Wired, Synapses};
use bd_networks::{Edges, Projection};
use tch::{Device, Kind, Tensor};

use super::delays::LearnedDelays;
use super::gpu::{ProjectionOnGpu, SynapsesOnGpu};
use super::{EdgeFiles, refused};

/// A projection that was drawn.
#[derive(Debug)]
pub(super) struct Wiring {
    pub(super) name: String,
    pub(super) from: usize,
    pub(super) sent: Sent,
    pub(super) to: usize,
    pub(super) target: usize,
    pub(super) trained: bool,
    /// Whether what is sent arrives in the same step.
    pub(super) instant: bool,
    synapses: Arc<Synapses>,
    /// The same laid out for a GPU, once it was asked for and unless delays are learned.
    on_gpu: OnceLock<Arc<SynapsesOnGpu>>,
    /// What a spike adds, `[synapses]`.
    weight: Weight,
    sizes: [i64; 2],
    travel: Travel,
}

/// What is said of a projection of this name.
pub(super) fn without_synapses(name: &str) -> String {
    format!("the projection '{name}' has no synapses; take it out")
}

/// How long spikes travel.
#[derive(Debug)]
enum Travel {
    /// By delay.
    Fixed(Vec<Group>),
    Learned {
        delays: LearnedDelays,
        /// All synapses.
        all: Group,
    },
}

/// Synapses of one delay.
#[derive(Debug)]
struct Group {
    /// In steps. Of all synapses of a projection that learns, nothing.
    delay: i64,
    /// Their numbers.
    synapses: Tensor,
    /// Their places in a matrix `[from, to]`, row by row.
    places: Tensor,
}

impl Wiring {
    pub(super) fn new(
        path: &mut ParamPath<'_>,
        projection: &Projection,
        dt_ms: f64,
        seed: u64,
        files: &EdgeFiles<'_>,
    ) -> Result<Self> {
        let drawn = projection.edges_and_delays_ms(dt_ms, seed, files);
        let (edges, delays_ms): (Edges<f64>, _) = drawn.map_err(|error| refused(&error))?;
        let name = &projection.name;
        if edges.is_empty() {
            return Err(refused(&projection.error("connect", without_synapses(name))));
        }
        let weights: Vec<f64> = (0..edges.len()).map(|synapse| edges.weights.get(synapse)).collect();
        let make = |_: &mut bd_core::Rng| Tensor::from_slice(&weights);
        let (kind, device) = path.on();
        let mut path = path.at(name);
        let signs = || Tensor::from_slice(&weights).sign().to_kind(kind).to_device(device);
        let weight = match projection.trained {
            true => {
                let kept = Kept { signs: projection.keeps_sign.then(signs), mask: None };
                path.weight("weight", kept, make)?
            }
            false => path.fixed("weight", make)?.into(),
        };
        let sizes = projection.sizes.map(|n| n as i64);
        let travel = match &projection.learned_delay {
            None => Travel::Fixed(Group::by_delay(&edges, sizes).into_iter().map(|group| group.on(device)).collect()),
            Some(learned) => {
                let delays_ms: Vec<f64> = (0..edges.len()).map(|synapse| delays_ms.get(synapse)).collect();
                let delays = LearnedDelays::new(&mut path, name, learned, &delays_ms, dt_ms)?;
                Travel::Learned { delays, all: Group::whole(&edges, sizes).on(device) }
            }
        };
        let delays = Delays::from(edges.delays);
        Ok(Self {
            name: name.clone(),
            from: projection.from,
            sent: projection.carries.sent(),
            to: projection.to,
            target: projection.target,
            trained: projection.trained,
            instant: projection.instant,
            on_gpu: OnceLock::new(),
            synapses: Arc::new(Synapses { begins: edges.begins, targets: edges.targets, delays }),
            weight,
            sizes,
            travel,
        })
    }

    /// Steps whose outputs are on their way through it.
    pub(super) fn memory(&self) -> i64 {
        match &self.travel {
            _ if self.instant => 0,
            Travel::Fixed(_) => self.synapses.delays.bounds().map_or(0, |[_, most]| i64::from(most) + 1),
            Travel::Learned { delays, .. } => delays.longest_lag(),
        }
    }

    /// Delays that are learned, in steps, `[synapses]`, float64.
    pub(super) fn learned_steps(&self) -> Option<Tensor> {
        match &self.travel {
            Travel::Fixed(_) => None,
            Travel::Learned { delays, .. } => Some(delays.steps().detach()),
        }
    }

    /// The neurons that send and those that receive, of each synapse.
    pub(super) fn ends(&self) -> [Vec<i64>; 2] {
        let rows = self.synapses.begins.windows(2).zip(0i64..);
        let sources = rows.flat_map(|(row, source)| std::iter::repeat_n(source, row[1] - row[0])).collect();
        [sources, self.synapses.targets.iter().map(|target| i64::from(*target)).collect()]
    }

    /// Delays in steps, `[synapses]`, float64: of those that are learned not whole ones.
    pub(super) fn steps(&self) -> Tensor {
        let count = self.synapses.targets.len() as i64;
        match (&self.travel, &self.synapses.delays) {
            (Travel::Learned { delays, .. }, _) => delays.steps().detach(),
            (_, Delays::Same(delay)) => Tensor::full([count], f64::from(*delay), (Kind::Double, Device::Cpu)),
            (_, Delays::Own(delays)) => {
                Tensor::from_slice(&delays.iter().map(|delay| f64::from(*delay)).collect::<Vec<_>>())
            }
        }
    }

    /// Delays that are learned, in whole steps.
    pub(super) fn whole_steps(&self) -> Option<Vec<u16>> {
        match (&self.travel, self.projection(Phase::Predict, 0)?.0.synapses.delays.clone()) {
            (Travel::Learned { .. }, Delays::Own(delays)) => Some(delays),
            _ => None,
        }
    }

    /// What a spike adds, `[synapses]`, in the graph.
    pub(super) fn weights(&self) -> Tensor {
        self.weight.value()
    }

    /// By delay in steps the weights `[from, to]`, in the graph. Of a projection that is instant there is one delay, 0.
    pub(super) fn matrices(&self, phase: Phase) -> Vec<(i64, Tensor)> {
        let weights = self.weights();
        match &self.travel {
            Travel::Fixed(groups) => {
                groups.iter().map(|group| (group.delay, group.matrix(&weights, self.sizes))).collect()
            }
            Travel::Learned { delays, all } => {
                let of_lag = |lag| (lag - 1, all.matrix(&(&weights * delays.part(phase, lag)), self.sizes));
                (1..=delays.longest_lag()).map(of_lag).collect()
            }
        }
    }

    /// For kernels: synapses, their weights, in the graph, and whether those are trained.
    fn synapses(&self, phase: Phase) -> (Arc<Synapses>, Tensor, bool) {
        let weights = self.weights();
        match (&self.travel, phase) {
            (Travel::Fixed(_), _) => (Arc::clone(&self.synapses), weights, self.trained),
            (Travel::Learned { delays, .. }, Phase::Predict) => (delays.rounded(&self.synapses), weights, self.trained),
            (Travel::Learned { delays, .. }, Phase::Fit) => {
                let (synapses, weights) = delays.spread_out(&self.synapses, &weights);
                (synapses, weights, true)
            }
        }
    }

    /// For the kernel of the CPU, carrying one output of the population that sends, and the weights by its synapses, in the graph, which it copies.
    pub(super) fn projection(&self, phase: Phase, output: usize) -> Option<(Wired, Tensor)> {
        let (synapses, weights, trained) = self.synapses(phase);
        let Self { from, to, target, instant, .. } = *self;
        let own = numbers_of(&weights)?;
        Some((Wired { from, output, to, target, synapses, weights: own, trained, instant }, weights))
    }

    /// The same for that of a GPU, which is handed the weights.
    pub(super) fn projection_on_gpu(&self, phase: Phase, output: i64) -> (ProjectionOnGpu, Tensor) {
        let (synapses, weights, trained) = self.synapses(phase);
        let lay_out = || Arc::new(SynapsesOnGpu::new(&synapses, self.sizes[1] as usize, weights.device()));
        let laid_out = match &self.travel {
            Travel::Fixed(_) => Arc::clone(self.on_gpu.get_or_init(lay_out)),
            Travel::Learned { .. } => lay_out(),
        };
        let Self { from, to, instant, .. } = *self;
        let (target, least) = (self.target as i64, synapses.delays.bounds().map_or(0, |[least, _]| i64::from(least)));
        (ProjectionOnGpu { from, output, to, target, synapses: laid_out, least, trained, instant }, weights)
    }

    /// After so many updates of the parameters.
    pub(super) fn after_update(&self, updates: u64) {
        if let Travel::Learned { delays, .. } = &self.travel {
            delays.after_update(updates);
        }
    }
}

impl Group {
    fn by_delay(edges: &Edges<f64>, sizes: [i64; 2]) -> Vec<Self> {
        let delays: BTreeSet<u16> = (0..edges.len()).map(|synapse| edges.delays.get(synapse)).collect();
        let of_delay =
            |delay: u16| Self::of(edges, sizes, i64::from(delay), |synapse| edges.delays.get(synapse) == delay);
        delays.into_iter().map(of_delay).collect()
    }

    fn whole(edges: &Edges<f64>, sizes: [i64; 2]) -> Self {
        Self::of(edges, sizes, 0, |_| true)
    }

    /// The synapses for which `is_own`.
    fn of(edges: &Edges<f64>, [_, to]: [i64; 2], delay: i64, is_own: impl Fn(usize) -> bool) -> Self {
        let rows =
            edges.begins.windows(2).zip(0i64..).flat_map(|(row, source)| (row[0]..row[1]).map(move |at| (at, source)));
        let place = |(synapse, source): (usize, i64)| source * to + i64::from(edges.targets[synapse]);
        let own = rows.filter(|(synapse, _)| is_own(*synapse));
        let (synapses, places): (Vec<i64>, Vec<i64>) = own.map(|own| (own.0 as i64, place(own))).unzip();
        Self { delay, synapses: Tensor::from_slice(&synapses), places: Tensor::from_slice(&places) }
    }

    /// Of the weights of all synapses its own, as a matrix `[from, to]`, in the graph.
    fn matrix(&self, weights: &Tensor, [from, to]: [i64; 2]) -> Tensor {
        let numbers = weights.index_select(0, &self.synapses);
        let matrix = numbers.new_zeros([from * to], (numbers.kind(), numbers.device()));
        matrix.index_add(0, &self.places, &numbers).reshape([from, to])
    }

    fn on(self, device: tch::Device) -> Self {
        Self { synapses: self.synapses.to_device(device), places: self.places.to_device(device), ..self }
    }
}
