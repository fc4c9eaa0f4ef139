//! [`RandomConvolutions`]: features of whole sequences by random convolutions, and a linear readout of them.
//!
//! ```text
//! x       inputs, each channel standardised by the training part
//! f_i     share of the steps of a sequence at which convolution i of x is above threshold i, see bd_kernel::convolutions
//! z_i     f_i standardised by the training part
//! y       z W + b, with W and b by ridge regression
//! ```
//!
//! MiniRocket's features (Dempster, Schmidt, Webb, KDD 2021) with a readout in closed form: nothing is trained step by step, and there
//! is an output for a sequence as a whole, not for a step.

use bd_core::threads::{in_parallel, kernel_threads};
use bd_core::{Error, Params, Result, Rng, catch_torch, setting};
use bd_kernel::convolutions::{Convolutions, Scratch, Sequence};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::standardise::Standardise;

/// Sequences whose features are computed at once.
const CHUNK: i64 = 256;

/// Settings of [`RandomConvolutions`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `features` | 9,996 | 84 to 84,000 | how many; rounded down to a multiple of the 84 kernels |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomConvolutionsConfig {
    /// Number of features.
    pub features: usize,
}

impl Default for RandomConvolutionsConfig {
    fn default() -> Self {
        Self { features: 9_996 }
    }
}

impl RandomConvolutionsConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        if (84..=84_000).contains(&self.features) {
            return Ok(());
        }
        Err(Error::setting("model.features", self.features, "84 to 84000"))
    }
}

/// Random convolutions with a linear readout. What is drawn and what is taken from data stands among its parameters: `scale`,
/// `thresholds`, `feature` (mean and deviation of each) and `readout`, and `target` where targets are standardised.
#[derive(Debug)]
pub struct RandomConvolutions {
    /// To be saved and loaded.
    pub params: Params,
    convolutions: Convolutions,
    scale: Standardise,
    thresholds: Tensor,
    feature_scale: Standardise,
    weight: Tensor,
    bias: Tensor,
    target_scale: Option<Standardise>,
}

impl RandomConvolutions {
    /// For sequences of `channels` channels and about `steps` steps, with `n_out` outputs. With `scale_targets` they are numbers, which
    /// are standardised for the regression. The convolutions follow from the seed of `params`; thresholds and readout are zero until
    /// they are [fitted](Self::fit_features).
    pub fn new(
        mut params: Params,
        [steps, channels]: [usize; 2],
        n_out: i64,
        scale_targets: bool,
        config: &RandomConvolutionsConfig,
    ) -> Result<Self> {
        config.check()?;
        setting::at_least("steps", steps, 1)?;
        setting::at_least("n_out", n_out, 1)?;
        let mut rng = Rng::new(params.seed(), "convolutions");
        let convolutions = Convolutions::new(steps, channels, config.features, || rng.uniform());
        let count = convolutions.n_features() as i64;
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, Device::Cpu));
        let scale = Standardise::new(&mut params.at("scale"), channels as i64)?;
        let feature_scale = Standardise::new(&mut params.at("feature"), count)?;
        let target_scale = scale_targets.then(|| Standardise::new(&mut params.at("target"), n_out)).transpose()?;
        let thresholds = params.at("").constant("thresholds", |_| zeros(&[count]).to_kind(Kind::Float))?;
        let mut readout = params.at("readout");
        let weight = readout.constant("weight", |_| zeros(&[count, n_out]))?;
        let bias = readout.constant("bias", |_| zeros(&[n_out]))?;
        Ok(Self { params, convolutions, scale, thresholds, feature_scale, weight, bias, target_scale })
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.convolutions.n_features()
    }

    /// Takes the scaling of channels, the thresholds and the scaling of features from sequences `x` `[sample, time, channel]`, of which
    /// `lengths` `[sample]` has the steps that are no padding, if there is some. Returns their features, as [`features`](Self::features).
    pub fn fit_features(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Tensor> {
        self.check_inputs(x)?;
        let steps = steps_of(x, lengths)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let parts: Vec<Tensor> = steps.iter().zip(0..).map(|(&steps, i)| x.get(i).narrow(0, 0, steps)).collect();
            self.scale.fit(&Tensor::cat(&parts, 0))?;
            let sequences = self.sequences(x, &steps)?;
            let mut rng = Rng::new(self.params.seed(), "thresholds");
            let thresholds = self.convolutions.thresholds(|| {
                let drawn = (rng.uniform() * sequences.len() as f64) as usize;
                sequences[drawn.min(sequences.len() - 1)].borrow()
            });
            self.thresholds.shallow_clone().f_copy_(&Tensor::from_slice(&thresholds))?;
            let features = self.shares(&sequences)?;
            self.feature_scale.fit(&features)?;
            Ok(self.feature_scale.apply(&features))
        })
    }

    /// Standardised features of sequences, float64 `[sample, feature]`.
    pub fn features(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Tensor> {
        self.check_inputs(x)?;
        let steps = steps_of(x, lengths)?;
        catch_torch(|| Ok(self.feature_scale.apply(&self.shares(&self.sequences(x, &steps)?)?)))
    }

    /// Targets `[sample, output]` as the readout is to be fitted to: standardised, where they are. The scaling is taken from them.
    pub fn fit_targets(&self, y: &Tensor) -> Result<Tensor> {
        match &self.target_scale {
            Some(scale) => {
                scale.fit(y)?;
                Ok(scale.apply(&y.to_kind(Kind::Double)))
            }
            None => Ok(y.to_kind(Kind::Double)),
        }
    }

    /// Targets standardised, where they are, by what was fitted.
    pub fn targets(&self, y: &Tensor) -> Tensor {
        let y = y.to_kind(Kind::Double);
        self.target_scale.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.apply(&y))
    }

    /// Sets the readout: `weight` `[feature, output]`, `bias` `[output]`.
    pub fn set_readout(&self, weight: &Tensor, bias: &Tensor) -> Result<()> {
        let _guard = tch::no_grad_guard();
        self.weight.shallow_clone().f_copy_(weight)?;
        self.bias.shallow_clone().f_copy_(bias)?;
        Ok(())
    }

    /// Outputs of features, float64 `[sample, output]`, standardised as [`targets`](Self::targets).
    pub fn readout(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.bias.f_addmm(features, &self.weight)?)
    }

    /// Outputs in the units of the targets.
    pub fn outputs(&self, y: &Tensor) -> Tensor {
        self.target_scale.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.undo(y))
    }

    /// Outputs of sequences, float64 `[sample, output]`, in the units of the targets.
    pub fn predict(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Tensor> {
        let chunks = (0..x.size().first().copied().unwrap_or(0)).step_by(CHUNK as usize).map(|first| {
            let count = CHUNK.min(x.size()[0] - first);
            let lengths = lengths.map(|lengths| lengths.narrow(0, first, count));
            let features = self.features(&x.narrow(0, first, count), lengths.as_ref())?;
            catch_torch(|| Ok(self.outputs(&self.readout(&features)?)))
        });
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        if chunks.is_empty() {
            return Err(self.misshapen(x));
        }
        Ok(Tensor::cat(&chunks, 0))
    }

    fn misshapen(&self, x: &Tensor) -> Error {
        let expected = format!("[sample, time, {}], not empty", self.channels());
        Error::Shape { what: "inputs".into(), expected, found: x.size() }
    }

    /// Channels of the inputs.
    pub fn channels(&self) -> i64 {
        bd_core::System::n_in(&self.scale)
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        let size = x.size();
        if size.len() != 3 || size[2] != self.channels() || size.contains(&0) {
            return Err(self.misshapen(x));
        }
        bd_core::check_finite("an input", x)
    }

    /// In the units of the convolutions, each sequence without its padding.
    fn sequences(&self, x: &Tensor, steps: &[i64]) -> Result<Vec<Owned>> {
        let sequence = |(&steps, i)| {
            let scaled = self.scale.apply(&x.get(i).narrow(0, 0, steps).to_kind(Kind::Double)).to_kind(Kind::Float);
            let values = Vec::<f32>::try_from(scaled.transpose(0, 1).contiguous().flatten(0, -1))?;
            Ok(Owned { values, steps: steps as usize })
        };
        steps.iter().zip(0..).map(sequence).collect()
    }

    /// Features as they are, from 0 to 1.
    fn shares(&self, sequences: &[Owned]) -> Result<Tensor> {
        let thresholds = Vec::<f32>::try_from(&self.thresholds)?;
        let convolutions = &self.convolutions;
        let of_sequence = |scratch: &mut Scratch, i: usize| {
            let mut features = vec![0.0; convolutions.n_features()];
            convolutions.features(sequences[i].borrow(), &thresholds, &mut features, scratch);
            features
        };
        let all = in_parallel(sequences.len(), kernel_threads(), Scratch::default, of_sequence);
        let all: Vec<Tensor> = all.iter().map(|features| Tensor::from_slice(features)).collect();
        Ok(Tensor::f_stack(&all, 0)?.f_to_kind(Kind::Double)?)
    }
}

/// A sequence, `[channel][step]`.
struct Owned {
    values: Vec<f32>,
    steps: usize,
}

impl Owned {
    fn borrow(&self) -> Sequence<'_> {
        Sequence::new(&self.values, self.steps)
    }
}

/// The steps of each sequence that are no padding. Fails if there is not a length for each, or one that no sequence has.
fn steps_of(x: &Tensor, lengths: Option<&Tensor>) -> Result<Vec<i64>> {
    let [samples, time] = [0, 1].map(|dim| x.size()[dim]);
    let Some(lengths) = lengths else { return Ok(vec![time; samples as usize]) };
    let steps = Vec::<i64>::try_from(lengths.f_to_device(Device::Cpu)?.f_to_kind(Kind::Int64)?)?;
    if lengths.size() != [samples] || steps.iter().any(|steps| !(1..=time).contains(steps)) {
        let expected = format!("[{samples}], each from 1 to {time}");
        return Err(Error::Shape { what: "lengths".into(), expected, found: lengths.size() });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests;
