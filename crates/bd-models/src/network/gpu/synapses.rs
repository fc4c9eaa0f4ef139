//! [`SynapsesOnGpu`]: synapses as threads of a GPU read them.

use std::sync::{Mutex, PoisonError};

use bd_kernel::models::network::Synapses;
use tch::{Device, Tensor};

/// Units whose synapses are side by side, as threads that run together read them.
const SIDE_BY_SIDE: usize = 32;

/// Synapses of a projection, on a device.
#[derive(Debug)]
pub(in super::super) struct SynapsesOnGpu {
    /// Those of each unit that receives, those of each unit that sends, and the synapses in their order. Behind a lock for tensors are not for
    /// several threads.
    parts: Mutex<([Table; 2], List)>,
    sizes: [i64; 2],
    longest_delay: i64,
}

/// Which units' synapses a [`Table`] has.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Target,
    Source,
}

/// Synapses unit by unit: see `Wire` in synapses.cu.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) starts: Tensor,
    pub(super) counts: Tensor,
    pub(super) others: Tensor,
    pub(super) delays: Tensor,
    /// Which synapse is at a place; of places that are of none, any.
    synapses: Tensor,
}

/// Synapses in the order of their weights.
#[derive(Debug)]
pub(super) struct List {
    pub(super) sources: Tensor,
    pub(super) targets: Tensor,
    pub(super) delays: Tensor,
}

impl SynapsesOnGpu {
    /// Of `receiving` units.
    pub(in super::super) fn new(synapses: &Synapses, receiving: usize, device: Device) -> Self {
        let rows = synapses.begins.windows(2).enumerate();
        let sources: Vec<u32> =
            rows.flat_map(|(source, row)| std::iter::repeat_n(source as u32, row[1] - row[0])).collect();
        let delays: Vec<i32> = (0..sources.len()).map(|synapse| i32::from(synapses.delays.get(synapse))).collect();
        let sending = synapses.begins.len() - 1;
        assert!(synapses.targets.iter().all(|unit| (*unit as usize) < receiving), "synapses lead to units");
        let by_target = Table::new(&synapses.targets, receiving, &sources, &delays, device);
        let by_source = Table::new(&sources, sending, &synapses.targets, &delays, device);
        let list = List {
            sources: numbers(&sources, device),
            targets: numbers(&synapses.targets, device),
            delays: Tensor::from_slice(&delays).to_device(device),
        };
        let longest_delay = synapses.delays.bounds().map_or(0, |[_, most]| i64::from(most));
        let sizes = [sending as i64, receiving as i64];
        Self { parts: Mutex::new(([by_target, by_source], list)), sizes, longest_delay }
    }

    /// How many units send and receive.
    pub(super) fn sizes(&self) -> [i64; 2] {
        self.sizes
    }

    /// In steps.
    pub(super) fn longest_delay(&self) -> i64 {
        self.longest_delay
    }

    /// Those of each unit at one end.
    pub(super) fn table(&self, by: By) -> Table {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).0[by as usize].handles()
    }

    /// All of them.
    pub(super) fn list(&self) -> List {
        let List { sources, targets, delays } = &self.parts.lock().unwrap_or_else(PoisonError::into_inner).1;
        let [sources, targets, delays] = [sources, targets, delays].map(Tensor::shallow_clone);
        List { sources, targets, delays }
    }
}

impl Table {
    /// Of synapses that belong to one of `n` units each, `owners`, in their order.
    fn new(owners: &[u32], n: usize, others: &[u32], delays: &[i32], device: Device) -> Self {
        let mut counts = vec![0i32; n];
        owners.iter().for_each(|owner| counts[*owner as usize] += 1);
        let (mut starts, mut places) = (Vec::new(), 0);
        for side_by_side in counts.chunks(SIDE_BY_SIDE) {
            starts.push(places as i64);
            places += SIDE_BY_SIDE * side_by_side.iter().copied().max().unwrap_or(0) as usize;
        }
        let mut at = vec![0i64; places];
        let mut met = vec![0usize; n];
        for (synapse, owner) in owners.iter().enumerate() {
            let unit = *owner as usize;
            let place = starts[unit / SIDE_BY_SIDE] as usize + unit % SIDE_BY_SIDE + met[unit] * SIDE_BY_SIDE;
            at[place] = synapse as i64;
            met[unit] += 1;
        }
        let synapses = Tensor::from_slice(&at).to_device(device);
        let of_places = |all: Tensor| all.index_select(0, &synapses);
        Self {
            starts: Tensor::from_slice(&starts).to_device(device),
            counts: Tensor::from_slice(&counts).to_device(device),
            others: of_places(numbers(others, device)),
            delays: of_places(Tensor::from_slice(delays).to_device(device)),
            synapses,
        }
    }

    fn handles(&self) -> Self {
        let Self { starts, counts, others, delays, synapses } = self;
        let all = [starts, counts, others, delays, synapses].map(Tensor::shallow_clone);
        let [starts, counts, others, delays, synapses] = all;
        Self { starts, counts, others, delays, synapses }
    }

    /// Weights of all synapses where their synapses are.
    pub(super) fn weights(&self, weights: &Tensor) -> Tensor {
        weights.index_select(0, &self.synapses)
    }
}

/// Numbers of units as int32.
fn numbers(units: &[u32], device: Device) -> Tensor {
    let units: Vec<i32> = units.iter().map(|unit| *unit as i32).collect();
    Tensor::from_slice(&units).to_device(device)
}

#[cfg(test)]
mod tests {
    use bd_kernel::models::network::Delays;

    use super::*;

    fn list(numbers: &Tensor) -> Vec<i64> {
        Vec::try_from(numbers.to_kind(tch::Kind::Int64)).unwrap()
    }

    /// Each unit finds its synapses, in their order, more units than are side by side, some of them without any.
    #[test]
    fn units_find_their_synapses() {
        let (sending, receiving) = (5, 70);
        let pairs: Vec<(u32, u32)> = (0..sending)
            .flat_map(|source| (0..receiving).map(move |target| (source, target)))
            .filter(|(source, target)| *target != 40 && (7 * source + 3 * target) % 4 < 2)
            .collect();
        let begins = (0..=sending).map(|source| pairs.iter().filter(|pair| pair.0 < source).count()).collect();
        let delays = (0..pairs.len()).map(|synapse| (synapse % 6) as u16).collect();
        let targets = pairs.iter().map(|pair| pair.1).collect();
        let synapses = Synapses { begins, targets, delays: Delays::Own(delays) };
        let on_gpu = SynapsesOnGpu::new(&synapses, receiving as usize, Device::Cpu);
        let weights = Tensor::arange(pairs.len() as i64, (tch::Kind::Double, Device::Cpu));
        for (by, n) in [(By::Target, receiving), (By::Source, sending)] {
            let table = on_gpu.table(by);
            let [starts, counts, others, delays] =
                [&table.starts, &table.counts, &table.others, &table.delays].map(list);
            let laid_out = list(&table.weights(&weights));
            for unit in 0..n {
                let own = |pair: &(u32, u32)| if matches!(by, By::Target) { pair.1 == unit } else { pair.0 == unit };
                let expected: Vec<usize> = (0..pairs.len()).filter(|synapse| own(&pairs[*synapse])).collect();
                assert_eq!(counts[unit as usize], expected.len() as i64);
                for (k, synapse) in expected.into_iter().enumerate() {
                    let place = starts[unit as usize / 32] as usize + unit as usize % 32 + 32 * k;
                    let (source, target) = pairs[synapse];
                    let other = if matches!(by, By::Target) { source } else { target };
                    assert_eq!(
                        [laid_out[place], others[place], delays[place]],
                        [synapse as i64, i64::from(other), (synapse % 6) as i64]
                    );
                }
            }
        }
    }
}
