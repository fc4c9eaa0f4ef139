//! [`Linear`]: `y = x W + b`, without a state.

use std::ops::Range;
use std::sync::Arc;

use bd_core::kernel::{AnyKernel, Fused, Processor, numbers_of, scan_fused};
use bd_core::{Features, Inputs, Kept, ParamPath, Readout, Result, Rng, Shared, System, Tap, Weight, setting};
use bd_kernel::models::linear::LinearKernel;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::init::Init;
pub(crate) use gpu::LinearOnGpu;

mod gpu;
mod in_order;

/// Settings of a [`Linear`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `bias` | `true` | whether there is a `b` |
/// | `init` | `xavier_normal` | initial `W` |
/// | `bias_spread` | 0 | `b` begins with numbers drawn evenly from `-bias_spread` to `bias_spread` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LinearConfig {
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial weight.
    pub init: Init,
    /// The greatest initial bias, of either sign.
    pub bias_spread: f64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { bias: true, init: Init::default(), bias_spread: 0.0 }
    }
}

/// A linear map of its input, `y = x W + b` with `W` of shape `[n_in, n_out]` (BrainPy's `Dense`: rows are inputs).
/// Parameters `weight` and `bias`.
#[derive(Debug)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// A map from `n_in` to `n_out` channels whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n_out: i64, config: &LinearConfig) -> Result<Self> {
        Self::keeping(path, [n_in, n_out], config, Kept::default())
    }

    /// The same with a weight of which something is [kept](bd_core::weight).
    pub fn keeping(
        path: &mut ParamPath<'_>,
        [n_in, n_out]: [i64; 2],
        config: &LinearConfig,
        kept: Kept,
    ) -> Result<Self> {
        setting::at_least("linear.n_in", n_in, 1)?;
        setting::at_least("linear.n_out", n_out, 1)?;
        config.init.check()?;
        setting::from_zero("linear.bias_spread", config.bias_spread)?;
        let weight = path.weight("weight", kept, |rng| config.init.draw(rng, [n_in, n_out]))?;
        let spread = |rng: &mut Rng| match config.bias_spread {
            0.0 => Tensor::zeros([n_out], (Kind::Double, Device::Cpu)),
            most => rng.tensor(&[n_out], (Kind::Double, Device::Cpu), |rng| most * (2.0 * rng.uniform() - 1.0)),
        };
        let bias = config.bias.then(|| path.param("bias", spread)).transpose()?;
        Ok(Self { weight, bias })
    }

    /// The map to some of the outputs alone, with views of the parameters.
    pub fn outputs(&self, which: Range<i64>) -> Self {
        let length = which.end - which.start;
        Self {
            weight: self.weight.value().narrow(1, which.start, length).into(),
            bias: self.bias.as_ref().map(|bias| bias.narrow(0, which.start, length)),
        }
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        let weight = self.weight.value();
        match &self.bias {
            Some(bias) => bias.addmm(x, &weight),
            None => x.matmul(&weight),
        }
    }
}

impl System for Linear {
    type State = ();

    fn n_in(&self) -> i64 {
        self.weight.theta().size()[0]
    }

    fn n_out(&self) -> i64 {
        self.weight.theta().size()[1]
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some((self.weight.theta().kind(), self.weight.theta().device()))
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        (self.apply(x), ())
    }

    /// Numbers by one product over all steps, without a graph in the order of the inputs; a list of spikes by the kernel.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: (), tap: &mut Tap) -> (Tensor, ()) {
        let xs = match inputs {
            Inputs::Dense(xs) => xs,
            Inputs::Spikes(spikes) => match scan_fused(self, sha, inputs, s, tap) {
                Ok(done) => return done,
                Err(()) => &spikes.to_dense(),
            },
        };
        let (time, batch) = (xs.size()[0], xs.size()[1]);
        if let Some(ys) = in_order::map(self, xs) {
            return (ys, ());
        }
        (self.apply(&xs.reshape([time * batch, self.n_in()])).reshape([time, batch, self.n_out()]), ())
    }

    fn kernel(&self, _sha: &Shared, processor: Processor) -> Option<Fused> {
        let weight = self.weight.value();
        if processor == Processor::Gpu {
            let params: Vec<&Tensor> = std::iter::once(&weight).chain(&self.bias).collect();
            return Some(Fused::for_gpu(LinearOnGpu, &params));
        }
        matches!(weight.kind(), Kind::Float | Kind::Double).then(|| Fused::linear(kernel, &weight, self.bias.as_ref()))
    }
}

/// The loops of a map, with copies of its parameters.
fn kernel(weight: &Tensor, bias: Option<&Tensor>) -> Option<Arc<dyn AnyKernel>> {
    let sizes = [0, 1].map(|dim| weight.size()[dim] as usize);
    let bias = match bias {
        Some(bias) => Some(numbers_of(bias)?),
        None => None,
    };
    Some(LinearKernel::new(sizes, numbers_of(weight)?, bias).into())
}

/// A linear map alone is a readout of its own input.
impl Readout for Linear {
    fn features(&self, _sha: &Shared, inputs: &Inputs, _s: (), _tap: &mut Tap) -> (Features, ()) {
        (inputs.time_first().into(), ())
    }

    fn step_features(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Features, ()) {
        (x.shallow_clone().into(), ())
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        (self.weight.theta(), self.bias.as_ref())
    }
}

#[cfg(test)]
mod wide_tests;

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Chain, Params};

    use super::*;

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-14), (Kind::Float, 1e-5)] {
            for (seed, bias) in (0..8).flat_map(|seed| [(seed, true), (seed, false)]) {
                let on = (kind, Device::Cpu);
                let mut params = Params::new(2, on);
                let n = 1 + seed as i64; // more and fewer outputs than are calculated at once
                let config = LinearConfig { bias, ..LinearConfig::default() };
                let a = Linear::new(&mut params.at("a"), 3, n, &config).unwrap();
                let b = Linear::new(&mut params.at("b"), n, 2, &config).unwrap();
                let case = ScanCase::random(seed, on, tolerance);
                assert_scan_is_steps(&Chain::new(("a", a), ("b", b)).unwrap(), &params, case);
            }
        }
    }

    #[test]
    fn a_chain_whose_sizes_do_not_meet_names_both() {
        let mut params = Params::new(0, (Kind::Float, Device::Cpu));
        let a = Linear::new(&mut params.at("a"), 3, 5, &LinearConfig::default()).unwrap();
        let b = Linear::new(&mut params.at("b"), 4, 2, &LinearConfig::default()).unwrap();
        let error = Chain::new(("a", a), ("b", b)).unwrap_err().to_string();
        assert_eq!(error, "a has 5 outputs, but b takes 4 inputs");
    }
}
