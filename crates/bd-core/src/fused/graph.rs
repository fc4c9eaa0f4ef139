//! [`Fused`]: the kernels of a system with their parameters.

use std::fmt::Debug;
use std::sync::Arc;

use bd_kernel::{AnyKernel, RowOfKernels};
use tch::Tensor;

use super::gpu::{self, GpuKernel, UnitsOnGpu};

/// What a kernel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// The CPU: a [`Kernel`], with copies of the parameters.
    Cpu,
    /// A GPU: a [`GpuKernel`], or a [`Kernel`] that [has a formula](AnyKernel::formula), which is handed the parameters.
    Gpu,
}

/// Kernels in a row and their parameters, in the order of their gradients. A kernel for the CPU has copied their values.
#[derive(Debug)]
pub struct Fused {
    parts: Vec<Part>,
    /// Handles on the parameters.
    pub params: Vec<Tensor>,
}

#[derive(Debug, Clone)]
struct Part {
    kernel: Form,
    n_params: usize,
}

#[derive(Debug, Clone)]
enum Form {
    /// For the CPU, and perhaps for a GPU as well.
    Any(Arc<dyn AnyKernel>),
    /// For a GPU alone.
    Gpu(Arc<dyn GpuKernel>),
}

impl Fused {
    /// A kernel with its parameters.
    pub fn new(kernel: Arc<dyn AnyKernel>, params: &[&Tensor]) -> Self {
        Self::of(Form::Any(kernel), params)
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

    /// With kernels merged that can be: from the beginning, since what is merged can be merged with what comes behind it.
    fn merged(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for part in &self.parts {
            let both = match (parts.last().map(|before| &before.kernel), &part.kernel) {
                (Some(Form::Any(before)), Form::Any(kernel)) => kernel.behind(before.as_ref()),
                _ => None,
            };
            match (both, parts.last_mut()) {
                (Some(both), Some(last)) => {
                    *last = Part { kernel: Form::Any(both), n_params: last.n_params + part.n_params };
                }
                _ => parts.push(part.clone()),
            }
        }
        parts
    }

    /// In how many loops the CPU goes through it: kernels, of which those that can be merged are one.
    pub fn loops(&self) -> usize {
        self.merged().len()
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
            Form::Any(kernel) => Some((Arc::new(UnitsOnGpu(kernel.formula()?)) as Arc<dyn GpuKernel>, n_params)),
            Form::Gpu(kernel) => Some((kernel, n_params)),
        };
        self.merged().into_iter().map(form).collect::<Option<_>>().map(gpu::in_a_row)
    }
}
