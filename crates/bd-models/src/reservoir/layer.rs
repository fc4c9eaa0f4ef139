//! [`Layer`]: the units of a reservoir that see each other.

use std::sync::{Arc, Mutex, PoisonError};

use bd_core::kernel::{AnyKernel, Fused, Processor};
use bd_core::{ParamPath, Result, Rng, Shared, System};
use bd_kernel::models::cell::CellUnits;
use bd_kernel::models::{reservoir, rnn};
use tch::{Device, Kind, Tensor};

use super::{ReservoirConfig, ReservoirKind, ReservoirState};
use crate::cell::Weights;
use crate::init::thinned;
use crate::rnn::activate;

/// Units of the layer below from which a unit of a deeper layer has inputs, on average.
const FROM_BELOW: f64 = 10.0;

/// A layer: inputs `[.., n_in]` to states `[.., units]`.
#[derive(Debug)]
pub(super) struct Layer {
    input: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    /// Of a reservoir of the kind `es2n`.
    orthogonal: Option<Tensor>,
    config: ReservoirConfig,
    /// What was last made of the parameters, which all handles on them share.
    prepared: Arc<Mutex<Option<Prepared>>>,
}

/// Weights of a cell, and its kernel for the CPU, made of parameters that have not changed since.
#[derive(Debug)]
struct Prepared {
    versions: Vec<(usize, i64)>,
    weights: Weights,
    kernel: Option<Arc<dyn AnyKernel>>,
}

impl Layer {
    /// With parameters made at `path`; `below` is whether its inputs are the states of another layer.
    pub(super) fn new(path: &mut ParamPath<'_>, n_in: i64, config: &ReservoirConfig, below: bool) -> Result<Self> {
        let ReservoirConfig { units, bias_scaling, .. } = *config;
        let mut failed = None;
        let recurrent = path.fixed("recurrent_weight", |rng| {
            config.matrix.draw(rng, units, config.spectral_radius).unwrap_or_else(|error| {
                failed = Some(error);
                Tensor::zeros([units, units], (Kind::Double, Device::Cpu))
            })
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let uniform = |rng: &mut Rng, size: &[i64], most: f64| {
            rng.tensor(size, (Kind::Double, Device::Cpu), |rng| most * (2.0 * rng.uniform() - 1.0))
        };
        let input = path.fixed("input_weight", |rng| match below {
            false => from_outside(rng, [n_in, units], config),
            true => from_below(rng, [n_in, units], config.input_scaling),
        })?;
        let bias = path.fixed("bias", |rng| uniform(rng, &[units], bias_scaling))?;
        let orthogonal = match config.kind {
            ReservoirKind::Es2n { mixing } => Some(path.fixed("orthogonal_weight", |rng| mixing.draw(rng, units))?),
            ReservoirKind::Leaky | ReservoirKind::Eusn { .. } => None,
        };
        Ok(Self { input, recurrent, bias, orthogonal, config: *config, prepared: Arc::default() })
    }

    /// The same with handles on the same parameters.
    pub(super) fn share(&self) -> Self {
        Self {
            input: self.input.shallow_clone(),
            recurrent: self.recurrent.shallow_clone(),
            bias: self.bias.shallow_clone(),
            orthogonal: self.orthogonal.as_ref().map(Tensor::shallow_clone),
            config: self.config,
            prepared: Arc::clone(&self.prepared),
        }
    }

    /// The recurrent weight by which states enter `f`.
    fn effective(&self) -> Tensor {
        match self.config.kind {
            ReservoirKind::Eusn { diffusion } => {
                let eye = Tensor::eye(self.n_out(), (self.recurrent.kind(), self.recurrent.device()));
                &self.recurrent - self.recurrent.tr() - eye * diffusion
            }
            ReservoirKind::Leaky | ReservoirKind::Es2n { .. } => self.recurrent.shallow_clone(),
        }
    }

    /// The weights of a cell whose units are those of this kind.
    fn weights(&self) -> Weights {
        let Some(orthogonal) = &self.orthogonal else {
            return Weights::of(self.input.shallow_clone(), self.effective(), self.bias.shallow_clone());
        };
        // The second gate has the orthogonal weight alone.
        let beside = |own: &Tensor, other: &Tensor| Tensor::cat(&[own, other], -1);
        let (input, bias) = (&self.input, &self.bias);
        let recurrent = beside(&self.recurrent, orthogonal);
        Weights::of(beside(input, &input.zeros_like()), recurrent, beside(bias, &bias.zeros_like()))
    }

    /// Which values the parameters have: where they are, and how often they were written to.
    fn versions(&self) -> Vec<(usize, i64)> {
        let all = [&self.input, &self.recurrent, &self.bias].into_iter().chain(&self.orthogonal);
        all.map(|tensor| (tensor.data_ptr() as usize, tensor.internal_version())).collect()
    }

    /// Those of a cell of this kind.
    fn units(&self) -> CellUnits {
        let ReservoirConfig { activation, leak, .. } = self.config;
        match self.config.kind {
            ReservoirKind::Leaky => rnn::units(activation, Some(leak)),
            ReservoirKind::Es2n { .. } => reservoir::es2n(activation, leak),
            ReservoirKind::Eusn { .. } => reservoir::euler(activation, leak),
        }
    }
}

/// The input weight of the first layer.
fn from_outside(rng: &mut Rng, size: [i64; 2], config: &ReservoirConfig) -> Tensor {
    let ReservoirConfig { input_scaling, input_entries, input_density, .. } = *config;
    let entry = |rng: &mut Rng| input_scaling * input_entries.draw(rng);
    match input_density == 1.0 {
        true => rng.tensor(&size, (Kind::Double, Device::Cpu), entry),
        false => thinned(rng, size, input_density, entry),
    }
}

/// An input weight of which each unit has [so many](FROM_BELOW) entries on average, which together are about as strong as one input.
fn from_below(rng: &mut Rng, size: [i64; 2], scaling: f64) -> Tensor {
    let density = (FROM_BELOW / size[0] as f64).min(1.0);
    let most = scaling / (density * size[0] as f64).sqrt();
    thinned(rng, size, density, |rng| most * (2.0 * rng.uniform() - 1.0))
}

impl System for Layer {
    type State = ReservoirState;

    fn n_in(&self) -> i64 {
        self.input.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.input.size()[1]
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some((self.input.kind(), self.input.device()))
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> ReservoirState {
        ReservoirState { x: Tensor::zeros([batch, self.n_out()], on) }
    }

    fn step(&self, _sha: &Shared, u: &Tensor, s: &ReservoirState) -> (Tensor, ReservoirState) {
        let rate = activate(self.config.activation, &(self.bias.addmm(u, &self.input) + s.x.matmul(&self.effective())));
        let leak = self.config.leak;
        let kept = match (self.config.kind, &self.orthogonal) {
            (ReservoirKind::Eusn { .. }, _) => s.x.shallow_clone(),
            (_, Some(orthogonal)) => s.x.matmul(orthogonal) * (1.0 - leak),
            (_, None) => &s.x * (1.0 - leak),
        };
        let x = kept + rate * leak;
        (x.shallow_clone(), ReservoirState { x })
    }

    fn kernel(&self, _sha: &Shared, processor: Processor) -> Option<Fused> {
        if processor == Processor::Gpu {
            return self.weights().fused(self.units(), processor);
        }
        let versions = self.versions();
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.as_ref().is_none_or(|prepared| prepared.versions != versions) {
            // The old one makes way first: of many units each takes gigabytes.
            *prepared = None;
            let _guard = tch::no_grad_guard();
            let weights = self.weights();
            let kernel = weights.fixed_kernel(self.units());
            *prepared = Some(Prepared { versions, weights, kernel });
        }
        let Prepared { weights, kernel, .. } = prepared.as_ref()?;
        Some(Fused::new(kernel.clone()?, &weights.tensors().each_ref()))
    }
}
