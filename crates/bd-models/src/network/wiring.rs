//! [`Wiring`]: the synapses of a projection with their parameter.

use std::collections::BTreeSet;
use std::sync::Arc;

use bd_core::kernel::numbers_of;
use bd_core::{Error, Kept, ParamPath, Result, Weight};
use bd_kernel::models::network::{Delays, Projection as Wired, Synapses};
use bd_networks::{Each, Edges, Projection};
use tch::Tensor;

use super::{EdgeFiles, refused};

/// A projection that was drawn.
#[derive(Debug)]
pub(super) struct Wiring {
    pub(super) name: String,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) target: usize,
    pub(super) trained: bool,
    synapses: Arc<Synapses>,
    /// What a spike adds, `[synapses]`.
    weight: Weight,
    sizes: [i64; 2],
    /// By delay.
    groups: Vec<Group>,
}

/// Synapses of one delay.
#[derive(Debug)]
struct Group {
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
        let edges: Edges<f64> = projection.edges(dt_ms, seed, files).map_err(|error| refused(&error))?;
        let name = &projection.name;
        if edges.is_empty() {
            return Err(Error::Config(format!("network: the projection '{name}' has no synapses; take it out")));
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
        let groups = Group::all(&edges, sizes).into_iter().map(|group| group.on(device)).collect();
        let delays = match edges.delays {
            Each::Same(delay) => Delays::Same(delay),
            Each::Own(delays) => Delays::Own(delays),
        };
        Ok(Self {
            name: name.clone(),
            from: projection.from,
            to: projection.to,
            target: projection.target,
            trained: projection.trained,
            synapses: Arc::new(Synapses { begins: edges.begins, targets: edges.targets, delays }),
            weight,
            sizes,
            groups,
        })
    }

    /// Steps whose outputs are on their way through it.
    pub(super) fn memory(&self) -> i64 {
        self.synapses.delays.bounds().map_or(0, |[_, most]| i64::from(most) + 1)
    }

    /// What a spike adds, `[synapses]`, in the graph.
    pub(super) fn weights(&self) -> Tensor {
        self.weight.value()
    }

    /// By delay the weights `[from, to]`, in the graph.
    pub(super) fn matrices(&self) -> impl Iterator<Item = (i64, Tensor)> {
        let weights = self.weights();
        self.groups.iter().map(move |group| {
            let numbers = weights.index_select(0, &group.synapses);
            let [from, to] = self.sizes;
            let matrix = numbers.new_zeros([from * to], (numbers.kind(), numbers.device()));
            (group.delay, matrix.index_add(0, &group.places, &numbers).reshape([from, to]))
        })
    }

    /// For the kernel, with weights that it copies.
    pub(super) fn projection(&self, weights: &Tensor) -> Option<Wired> {
        Some(Wired {
            from: self.from,
            to: self.to,
            target: self.target,
            synapses: Arc::clone(&self.synapses),
            weights: numbers_of(weights)?,
            trained: self.trained,
        })
    }
}

impl Group {
    fn all(edges: &Edges<f64>, [_, to]: [i64; 2]) -> Vec<Self> {
        let delays: BTreeSet<u16> = (0..edges.len()).map(|synapse| edges.delays.get(synapse)).collect();
        let rows =
            edges.begins.windows(2).zip(0i64..).flat_map(|(row, source)| (row[0]..row[1]).map(move |at| (at, source)));
        let rows: Vec<(usize, i64)> = rows.collect();
        let of_delay = |delay: u16| {
            let own = rows.iter().filter(|(synapse, _)| edges.delays.get(*synapse) == delay);
            let place = |(synapse, source): &(usize, i64)| source * to + i64::from(edges.targets[*synapse]);
            let (synapses, places): (Vec<i64>, Vec<i64>) = own.map(|own| (own.0 as i64, place(own))).unzip();
            let (synapses, places) = (Tensor::from_slice(&synapses), Tensor::from_slice(&places));
            Self { delay: i64::from(delay), synapses, places }
        };
        delays.into_iter().map(of_delay).collect()
    }

    fn on(self, device: tch::Device) -> Self {
        Self { synapses: self.synapses.to_device(device), places: self.places.to_device(device), ..self }
    }
}
