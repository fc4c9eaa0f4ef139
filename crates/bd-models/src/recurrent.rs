//! [`Recurrent`]: any system whose outputs come back to its inputs one step later, through weights.
//!
//! ```text
//! y_t = system(x_t + y_(t-1) V)
//! ```
//!
//! With [`Lif`](crate::Lif) it is snnTorch's `RLeaky` with `all_to_all` and without a bias. With [`CubaLif`](crate::CubaLif), whose
//! currents decay exponentially, those from within too, it is the kind of layer that Cramer et al. 2022 trained ("The Heidelberg
//! Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks").

use bd_core::kernel::{Fused, Processor, numbers_of};
use bd_core::{Error, ParamPath, Result, Shared, StateTree, System, join};
use bd_kernel::models::recurrent::RecurrentKernel;
use tch::{Device, Kind, Tensor};

use crate::init::Init;
pub(crate) use gpu::RecurrentOnGpu;

mod gpu;

/// A system of `n` inputs and `n` outputs with weights from its outputs to its inputs: inputs `[.., n]` to outputs `[.., n]`.
///
/// Parameter `recurrent_weight`, `[n, n]`; rows are outputs.
#[derive(Debug)]
pub struct Recurrent<S> {
    inner: S,
    weight: Tensor,
}

/// State of a [`Recurrent`]: that of the system, under the same names, and `fed_back`.
#[derive(Debug)]
pub struct RecurrentState<A> {
    /// State of the system.
    pub inner: A,
    /// Its output at the step before, `[batch, n]`: zero at first.
    pub fed_back: Tensor,
}

impl<A: StateTree> StateTree for RecurrentState<A> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.inner.visit(path, f);
        f(&join(path, "fed_back"), &self.fed_back);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let inner = self.inner.try_map(path, f)?;
        Ok(Self { inner, fed_back: f(&join(path, "fed_back"), &self.fed_back)? })
    }
}

impl<S: System> Recurrent<S> {
    /// `inner` with weights that are made at `path`. Fails if it has not as many inputs as outputs.
    pub fn new(path: &mut ParamPath<'_>, inner: S, init: Init) -> Result<Self> {
        let (n_in, n_out) = (inner.n_in(), inner.n_out());
        if n_in != n_out {
            return Err(Error::Config(format!(
                "a recurrent system has as many inputs as outputs, but this one has {n_in} and {n_out}"
            )));
        }
        init.check()?;
        let weight = path.param("recurrent_weight", |rng| init.draw(rng, [n_out, n_in]))?;
        Ok(Self { inner, weight })
    }

    /// The system within.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: System> System for Recurrent<S> {
    type State = RecurrentState<S::State>;

    fn n_in(&self) -> i64 {
        self.inner.n_in()
    }

    fn n_out(&self) -> i64 {
        self.inner.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some((self.weight.kind(), self.weight.device()))
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State {
        RecurrentState {
            inner: self.inner.init_state(batch, on),
            fed_back: Tensor::zeros([batch, self.inner.n_out()], on),
        }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State) {
        let (y, inner) = self.inner.step(sha, &(x + s.fed_back.matmul(&self.weight)), &s.inner);
        (y.shallow_clone(), RecurrentState { inner, fed_back: y })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let inner = self.inner.kernel(sha, processor)?;
        let n = self.n_out() as usize;
        let params: Vec<&Tensor> = inner.params.iter().chain([&self.weight]).collect();
        if processor == Processor::Gpu {
            let [(units, _)] = <[_; 1]>::try_from(inner.on_gpu()?).ok()?;
            return Some(Fused::for_gpu(RecurrentOnGpu::around(units.as_ref(), n)?, &params));
        }
        let kernel = RecurrentKernel::new(inner.kernel()?, &numbers_of(&self.weight)?);
        Some(Fused::new(kernel.into(), &params))
    }

    fn after_update(&self, updates: u64) {
        self.inner.after_update(updates);
    }
}

#[cfg(test)]
mod tests;
