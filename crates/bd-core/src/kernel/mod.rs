//! Fused scans: all time steps of a system, and their adjoint, in loops of our own.
//!
//! A system that has a [`Kernel`] hands it out in [`System::kernel`](crate::System::kernel); a row of kernels is a kernel.
//! One driver, [`scan_fused`], does dtype, tiles of the batch, threads, and the graph ([`attach`](crate::attach)); nothing
//! else knows of autograd. Formulas are written once in [`Num`].

mod driver;
pub mod num;
mod row;

use std::fmt::Debug;
use std::ops::AddAssign;
use std::sync::Arc;

use tch::Tensor;

pub use driver::scan_fused;
pub use num::{Code, Field, Num};
pub use row::RowOfKernels;

/// What kernels calculate with: `f32` or `f64`.
pub trait Real: Num + Copy + Default + AddAssign + PartialEq + Send + Sync + tch::kind::Element + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
}

/// How much a kernel works on at once: some samples, over all steps.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Number of steps.
    pub steps: usize,
    /// Number of samples.
    pub batch: usize,
}

impl Tile {
    /// Numbers in a block of `n` a sample and step.
    pub fn len(&self, n: usize) -> usize {
        self.steps * self.batch * n
    }
}

/// A block `[steps, batch, n]` that may lie in a larger array: row `t` holds the `batch * n` numbers of step `t`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, F> {
    data: &'a [F],
    width: usize,
    stride: usize,
}

impl<'a, F> Rows<'a, F> {
    /// Rows of `width` numbers, `stride` apart, the first at the beginning of `data`.
    pub fn new(data: &'a [F], width: usize, stride: usize) -> Self {
        Self { data, width, stride }
    }

    /// The numbers of step `t`.
    #[inline(always)]
    pub fn row(&self, t: usize) -> &'a [F] {
        &self.data[t * self.stride..t * self.stride + self.width]
    }
}

/// Numbers that a kernel takes and gives: for each sample and step (`n_in`, `n_out`, `n_saved`), for each sample
/// (`n_state`), and in all (`n_params`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Inputs.
    pub n_in: usize,
    /// Outputs.
    pub n_out: usize,
    /// Numbers of state.
    pub n_state: usize,
    /// Numbers that the adjoint needs of the forward pass, beside the inputs.
    pub n_saved: usize,
    /// Numbers of all parameters.
    pub n_params: usize,
}

/// The fused form of a system: plain data, with copies of its parameters and constants.
///
/// Blocks `xs`, `ys`, `saved` and their gradients are `[steps, batch, n]`. `state` holds the leaves of the system's state one
/// after the other, in the order of [`StateTree::visit`](crate::StateTree::visit), each `[batch, width]`; `gparams` the
/// parameters in the order of [`Fused::params`].
pub trait Kernel<F>: Debug + Send + Sync {
    /// Its sizes.
    fn sizes(&self) -> Sizes;

    /// All steps: fills `ys` and `saved`, and turns `state` from that before the first step into that after the last.
    fn forward(&self, tile: Tile, xs: Rows<'_, F>, state: &mut [F], ys: &mut [F], saved: &mut [F]);

    /// The adjoint: turns `gstate` from the gradient of the last state into that of the first, fills `gxs` (empty: not
    /// wanted), and adds to `gparams`.
    #[allow(clippy::too_many_arguments)]
    fn backward(
        &self,
        tile: Tile,
        xs: Rows<'_, F>,
        saved: &[F],
        gys: &[F],
        gstate: &mut [F],
        gxs: &mut [F],
        gparams: &mut [F],
    );
}

/// A kernel for both dtypes.
pub trait AnyKernel: Kernel<f32> + Kernel<f64> {}

impl<K: Kernel<f32> + Kernel<f64>> AnyKernel for K {}

/// A kernel and the parameters whose values it has copied, in the order of its gradients.
#[derive(Debug)]
pub struct Fused {
    /// The kernel.
    pub kernel: Arc<dyn AnyKernel>,
    /// Handles on the parameters.
    pub params: Vec<Tensor>,
}

impl Fused {
    /// A kernel with its parameters.
    pub fn new(kernel: impl AnyKernel + 'static, params: &[&Tensor]) -> Self {
        Self { kernel: Arc::new(kernel), params: params.iter().map(|tensor| tensor.shallow_clone()).collect() }
    }

    /// Kernels in a row as one.
    pub fn row(parts: Vec<Self>) -> Self {
        let (mut kernels, mut params) = (Vec::new(), Vec::new());
        for part in parts {
            kernels.push(part.kernel);
            params.extend(part.params);
        }
        Self { kernel: Arc::new(RowOfKernels::new(kernels)), params }
    }
}

/// Runs `f` compiled for AVX2 and FMA where the processor has them; `f` must be inlined to profit.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn wide<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has just said that it knows these instructions.
            return unsafe { wide(f) };
        }
    }
    f()
}
