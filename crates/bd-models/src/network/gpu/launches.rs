//! Launches of the kernels in synapses.cu.

use std::ops::Range;
use std::sync::Arc;

use bd_core::Result;
use bd_core::gpu::{Gpu, Launch, Program, Value, real};
use bd_core::kernel::gpu::series_size;
use tch::{Kind, Tensor};

use super::synapses::{By, List, Table};

const TEXT: &str = include_str!("synapses.cu");

/// Wires of a launch at most: some 100 bytes each, of 4 KiB that a launch takes.
const WIRES: usize = 16;

/// A projection as one of its ends sees it: see `Wire` in synapses.cu.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) table: Table,
    /// Where the table's synapses are.
    pub(super) weights: Tensor,
    /// Which of the own channels' parts this belongs to.
    pub(super) part: i64,
    /// The first channel of the other end's units in its series.
    pub(super) first: i64,
    /// At which step of the other end's series something is read for step 0, if there is no delay.
    pub(super) shift: i64,
}

impl Wire {
    /// The numbers of `Wire` in synapses.cu.
    fn numbers(&self, series: &Tensor) -> [usize; 11] {
        let Table { starts, counts, others, delays, .. } = &self.table;
        let [steps, _, width] = size(series);
        let addresses =
            [starts, counts, others, delays, &self.weights, series].map(|tensor| tensor.data_ptr() as usize);
        let counts = [self.part, steps, width, self.first, self.shift].map(|count| count as usize);
        let mut all = [0; 11];
        all[..6].copy_from_slice(&addresses);
        all[6..].copy_from_slice(&counts);
        all
    }
}

fn size(series: &Tensor) -> [i64; 3] {
    assert!(series.is_contiguous(), "a kernel takes numbers one after the other");
    series_size(series)
}

/// The kernels, compiled.
#[derive(Debug)]
pub(super) struct Launches {
    program: Arc<Program>,
    kind: Kind,
}

impl Launches {
    pub(super) fn new(gpu: &Gpu, kind: Kind) -> Result<Self> {
        let text = || Ok(format!("#define real {}\n#define WIRES {WIRES}\n{TEXT}", real(kind)?));
        Ok(Self { program: gpu.program(&format!("synapses {kind:?}"), text)?, kind })
    }

    /// Adds to some steps of a series `to` of `n` units, `[step, batch, parts n]`, what wires bring from the series of the other ends. They
    /// are `by` this end.
    pub(super) fn gather(
        &self,
        (to, steps): (&Tensor, &Range<i64>),
        n: i64,
        by: By,
        wires: &[(&Wire, &Tensor)],
    ) -> Result<()> {
        let [all, batch, channels] = size(to);
        assert!(0 <= steps.start && steps.end <= all && channels % n == 0, "steps and units are those of the series");
        for wires in wires.chunks(WIRES) {
            assert!(wires.iter().all(|(_, series)| size(series)[1] == batch && series.kind() == self.kind));
            let mut table: Vec<usize> = wires.iter().flat_map(|(wire, series)| wire.numbers(series)).collect();
            table.resize(WIRES * 11, 0);
            // To what was sent before, or to where it arrived.
            let sign = match by {
                By::Target => -1,
                By::Source => 1,
            };
            let count = steps.end - steps.start;
            let numbers = [steps.start, count, batch, channels, n, wires.len() as i64, sign];
            let values: Vec<Value> =
                numbers.map(Value::Count).into_iter().chain([Value::Table(table), Value::from(to)]).collect();
            // SAFETY: the values are those of `gather`; what is read is within the series, for it looks at the step, and units are those of the
            // projection's populations: `NetworkOnGpu::new`.
            unsafe { self.program.launch("gather", Launch::each((count * batch * channels) as usize), &values)? };
        }
        Ok(())
    }

    /// The gradients of weights: of what was sent, `before` steps and then those of the stretch, from a channel on, and of the gradients of what
    /// arrived, from a channel on, `lag` steps later where there is no delay.
    pub(super) fn products(
        &self,
        synapses: &List,
        (before, lag): (i64, i64),
        (sent, first_sent): (&Tensor, i64),
        (arrived, first_arrived): (&Tensor, i64),
    ) -> Result<Tensor> {
        let ([_, _, width], [steps, batch, channels]) = (size(sent), size(arrived));
        assert_eq!(size(sent)[..2], [before + steps, batch], "what was sent is of the same steps and samples");
        let count = synapses.sources.size()[0];
        let parts = parts(count, steps);
        let to = Tensor::empty([parts, count], (self.kind, sent.device()));
        let values = [
            Value::Count(count),
            Value::Count(parts),
            Value::Count(before - lag),
            Value::Count(steps),
            Value::Count(batch),
            Value::from(&synapses.sources),
            Value::from(&synapses.targets),
            Value::from(&synapses.delays),
            Value::from(sent),
            Value::Count(width),
            Value::Count(first_sent),
            Value::from(arrived),
            Value::Count(channels),
            Value::Count(first_arrived),
            Value::from(&to),
        ];
        // SAFETY: the values are those of `products`; no delay is longer than what was sent `before`, less the lag: `NetworkOnGpu::new`.
        unsafe { self.program.launch("products", Launch::each((count * parts) as usize), &values)? };
        Ok(to.sum_dim_intlist(0, false, self.kind))
    }
}

/// In so many parts time is cut up for gradients of weights, for threads to have enough to do: a function of sizes, so that sums are the same
/// every time.
fn parts(synapses: i64, steps: i64) -> i64 {
    ((1 << 17) / synapses.max(1)).clamp(1, steps.clamp(1, 256))
}
