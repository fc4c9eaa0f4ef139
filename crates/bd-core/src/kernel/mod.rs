//! Fused scans: all time steps of a system, and their adjoint, in loops of our own.
//!
//! | | |
//! |---|---|
//! | [`Unit`] | a neuron or synapse written once, as a formula over [`Num`]: the definition by libtorch ([`Field`]), the loops of the CPU with their adjoint ([`Dual`]) and CUDA C ([`Code`]) follow from it |
//! | [`Kernel`] | the fused form of any system; what [`System::kernel`](crate::System::kernel) hands out. A row of kernels is one ([`RowOfKernels`]) |
//! | [`scan_fused`] | the one driver: dtype, tiles of the batch, stretches of time, threads, records, and the graph ([`attach`](crate::attach)). Nothing else knows of autograd |

mod bits;
mod block;
mod cpu;
mod driver;
mod dual;
mod events;
mod field;
mod functions;
pub mod gpu;
mod huge;
mod listing;
mod lists;
mod max_over_time;
pub mod num;
mod outer;
mod product;
mod real;
mod rooms;
mod row;
mod sparse;
mod stripes;
mod then;
mod turn;
mod unit;
mod unit_kernel;
mod vector;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use tch::Tensor;

use gpu::GpuKernel;

pub use bits::{Bits, bits_len};
pub use block::Block;
pub use cpu::{Cpu, Instructions, Loops, vectorised};
pub use driver::{Feed, ScanBytes, ScanOf, Tuning, scan_bytes, scan_fused, scan_tuned};
pub use dual::Dual;
pub use events::{Event, Events};
pub use field::Field;
pub use functions::{sigmoid, tanh};
pub use listing::{Code, Listing};
pub use lists::Lists;
pub use max_over_time::max_over_time;
pub use num::Num;
pub use outer::{Series, add_outer_product, add_totals};
pub use product::{Packed, Rows, RowsMut, Shape, Start, pack, product};
pub use real::{Numbers, Real};
pub use rooms::Rooms;
pub use row::RowOfKernels;
pub use sparse::Sparse;
pub use stripes::{Striped, stripe, striped_len, turn_into_stripes};
pub use then::Then;
pub use turn::turn;
pub use unit::{NoSpikes, SurrogateGradient, Unit, UnitState, Units, step_units};
pub use unit_kernel::UnitKernel;
pub use vector::{Turn, Vector};

/// Samples that lie side by side are a multiple of this: what vectors of numbers are filled with.
pub const LANES: usize = 8;

/// How much a kernel works on at once: some samples side by side, over a stretch of steps.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Number of steps.
    pub steps: usize,
    /// Number of samples, a multiple of [`LANES`]. Where the batch ends earlier, its last sample is repeated.
    pub lanes: usize,
    /// Whether the adjoint of this stretch comes, so that `kept` must hold what it needs.
    pub keep: bool,
    /// What loops may use, for [`vectorised`].
    pub instructions: Instructions,
}

impl Tile {
    /// Numbers of one channel.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.steps * self.lanes
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a kernel reads.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a, F> {
    /// `[n_in, steps, lanes]`.
    Dense(&'a [F]),
    /// What is not zero; given only to a kernel that [takes events](Kernel::takes_events).
    Events(Events<'a, F>),
}

impl<'a, F> Input<'a, F> {
    /// The numbers, for a kernel that does not take events.
    pub fn dense(self) -> &'a [F] {
        let Self::Dense(numbers) = self else { panic!("events were given to a kernel that does not take them") };
        numbers
    }
}

/// Numbers that a kernel takes and gives: for each sample and step (`n_in`, `n_out`, `n_work`), for each sample
/// (`n_state`), and in all (`n_params`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Inputs.
    pub n_in: usize,
    /// Outputs.
    pub n_out: usize,
    /// Numbers of state.
    pub n_state: usize,
    /// Room that `forward` and `backward` each may use, and that nobody reads afterwards.
    pub n_work: usize,
    /// Numbers of all parameters.
    pub n_params: usize,
}

/// Gradients that the adjoint of a stretch reads and writes.
#[derive(Debug)]
pub struct Grads<'a, F> {
    /// Read: those of the outputs, `[n_out, steps, lanes]`.
    pub ys: &'a [F],
    /// Turned from that of the state after the last step into that before the first.
    pub state: &'a mut [F],
    /// Written: those of the inputs, `[n_in, steps, lanes]`. Empty: not wanted.
    pub xs: &'a mut [F],
    /// Added to: those of the parameters, in the order of [`Fused::params`].
    pub params: &'a mut [F],
}

/// The fused form of a system: plain data, with copies of its parameters and constants.
///
/// Blocks are `[channel, step, lane]`, so that the series of a channel lie one after the other with samples side by
/// side. `state` holds the leaves of the system's state one after the other, in the order of
/// [`StateTree::visit`](crate::StateTree::visit), each `[channel, lane]`.
///
/// A scan goes through time in stretches and keeps only the state at the beginning of each. Backward, each stretch is
/// calculated again with `keep`, then its adjoint: what lies between stays in the cache. Where a kernel [had better store
/// what it keeps](Self::stores) and there is room, `forward` runs once, with `keep`, and `backward` comes much later.
pub trait Kernel<F>: Debug + Send + Sync {
    /// Its sizes.
    fn sizes(&self) -> Sizes;

    /// Whether it can read [`Input::Events`].
    fn takes_events(&self) -> bool {
        false
    }

    /// Numbers for each lane that `forward` leaves for `backward` of a stretch of so many steps.
    fn n_kept(&self, _steps: usize) -> usize {
        0
    }

    /// Whether `forward` takes so much longer than writing `kept` to memory and reading it again that this had better be
    /// stored for `backward` than calculated again. So it is where every step is a product with a matrix.
    fn stores(&self) -> bool {
        false
    }

    /// Whether it had better be stored also where it is more than a processor's caches hold: so little of it, made at such cost.
    fn stores_much(&self) -> bool {
        false
    }

    /// Whether `backward` reads the inputs; if not, it is given whatever stands there.
    fn reads_inputs(&self) -> bool {
        true
    }

    /// Whether all outputs are exactly 0 or 1.
    fn spikes(&self) -> bool {
        false
    }

    /// Whether what is kept says what the [outputs](Self::outputs) were.
    fn keeps_outputs(&self) -> bool {
        false
    }

    /// Fills `ys` from what was `kept` of a stretch, if that [says it](Self::keeps_outputs).
    fn outputs(&self, _tile: Tile, _kept: &[F], _ys: &mut [F]) {
        unreachable!("a kernel was asked for outputs that it does not keep")
    }

    /// All steps of a stretch: fills `ys`, and turns `state` from that before the first step into that after the last.
    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]);

    /// The adjoint of the stretch whose `kept` `forward` has filled with `keep`; `kept` is not read again.
    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>);
}

/// A kernel for both dtypes.
pub trait AnyKernel: Kernel<f32> + Kernel<f64> + Any {
    /// One kernel that does what this one and `next`, which reads its outputs, do in a row: with the same state, and
    /// better than [`RowOfKernels`].
    fn merged(&self, _next: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        None
    }

    /// The same for a GPU, if it needs nothing else for that.
    fn on_gpu(self: Arc<Self>) -> Option<Arc<dyn GpuKernel>> {
        None
    }
}

/// A kernel for both dtypes as one of either: [`AnyKernel`] behind a pointer is.
pub trait Typed<F> {
    /// The kernel.
    fn typed(&self) -> &dyn Kernel<F>;
}

impl Typed<f32> for dyn AnyKernel {
    fn typed(&self) -> &dyn Kernel<f32> {
        self
    }
}

impl Typed<f64> for dyn AnyKernel {
    fn typed(&self) -> &dyn Kernel<f64> {
        self
    }
}

/// What a kernel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// The CPU: a [`Kernel`], with copies of the parameters.
    Cpu,
    /// A GPU: a [`GpuKernel`], or a [`Kernel`] that [is one](AnyKernel::on_gpu), which is handed the parameters.
    Gpu,
}

/// Kernels in a row and their parameters, in the order of their gradients. A kernel for the CPU has copied their values.
#[derive(Debug)]
pub struct Fused {
    parts: Vec<Part>,
    /// Handles on the parameters.
    pub params: Vec<Tensor>,
}

#[derive(Debug)]
struct Part {
    kernel: Form,
    n_params: usize,
}

#[derive(Debug)]
enum Form {
    /// For the CPU, and perhaps for a GPU as well.
    Any(Arc<dyn AnyKernel>),
    /// For a GPU alone.
    Gpu(Arc<dyn GpuKernel>),
}

impl Fused {
    /// A kernel with its parameters.
    pub fn new(kernel: impl AnyKernel, params: &[&Tensor]) -> Self {
        Self::of(Form::Any(Arc::new(kernel)), params)
    }

    /// One for a GPU.
    pub fn for_gpu(kernel: impl GpuKernel + 'static, params: &[&Tensor]) -> Self {
        Self::of(Form::Gpu(Arc::new(kernel)), params)
    }

    fn of(kernel: Form, params: &[&Tensor]) -> Self {
        let part = Part { kernel, n_params: params.len() };
        Self { parts: vec![part], params: params.iter().map(|tensor| tensor.shallow_clone()).collect() }
    }

    /// Parts in a row as one.
    pub fn row(rows: Vec<Self>) -> Self {
        let (mut parts, mut params) = (Vec::new(), Vec::new());
        for row in rows {
            parts.extend(row.parts);
            params.extend(row.params);
        }
        Self { parts, params }
    }

    /// With kernels merged that can be: from the end, since what is merged can be merged with what comes before it.
    fn merged(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for Part { kernel, n_params } in self.parts.iter().rev() {
            let both = match (kernel, parts.last().map(|next| &next.kernel)) {
                (Form::Any(kernel), Some(Form::Any(next))) => kernel.merged(next.as_ref()),
                _ => None,
            };
            match both {
                Some(both) => {
                    let last = parts.last_mut().expect("there is a next one");
                    *last = Part { kernel: Form::Any(both), n_params: n_params + last.n_params };
                }
                None => {
                    let kernel = match kernel {
                        Form::Any(kernel) => Form::Any(Arc::clone(kernel)),
                        Form::Gpu(kernel) => Form::Gpu(Arc::clone(kernel)),
                    };
                    parts.push(Part { kernel, n_params: *n_params });
                }
            }
        }
        parts.reverse();
        parts
    }

    /// All of it as one kernel for the CPU. It must have been asked for as such.
    pub fn kernel(&self) -> Arc<dyn AnyKernel> {
        let kernels = self.merged().into_iter().map(|part| match part.kernel {
            Form::Any(kernel) => kernel,
            Form::Gpu(kernel) => panic!("{kernel:?} is for a GPU, and the CPU was asked for"),
        });
        let mut kernels: Vec<_> = kernels.collect();
        if kernels.len() == 1 { kernels.remove(0) } else { Arc::new(RowOfKernels::new(kernels)) }
    }

    /// All of it for a GPU, part by part with the number of its parameters; units in a row are one part. Nothing if there is a part that has no such form.
    pub fn on_gpu(&self) -> Option<Vec<(Arc<dyn GpuKernel>, usize)>> {
        let form = |Part { kernel, n_params }| match kernel {
            Form::Any(kernel) => Some((kernel.on_gpu()?, n_params)),
            Form::Gpu(kernel) => Some((kernel, n_params)),
        };
        self.merged().into_iter().map(form).collect::<Option<_>>().map(gpu::chained)
    }
}
