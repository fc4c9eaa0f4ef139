//! [`SequenceReadout`]: features of whole sequences, and a linear map of them that is fitted in closed form.
//!
//! ```text
//! x       inputs, each channel standardised by the training part
//! f       features of a sequence, by random convolutions or by a reservoir
//! z       f, each standardised by the training part
//! y       z W + b, with W and b by ridge regression
//! ```
//!
//! Nothing is trained step by step. There is an output for a sequence as a whole or, of a reservoir that reads each state, for each step.

use bd_core::{Error, Params, Result, System as _, catch_torch, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::random_convolutions::{RandomConvolutions, RandomConvolutionsConfig};
use crate::sequence_reservoir::{SequenceReservoir, SequenceReservoirConfig};
use crate::standardise::Standardise;

/// Sequences whose features are computed at once.
const CHUNK: usize = 64;

/// What the features of a [`SequenceReadout`] are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum SequenceFeatures {
    /// Random convolutions.
    Convolutions(RandomConvolutionsConfig),
    /// States of a reservoir.
    Reservoir(SequenceReservoirConfig),
}

impl SequenceFeatures {
    /// Each kind, with its usual settings.
    pub fn all() -> [Self; 2] {
        [Self::Convolutions(RandomConvolutionsConfig::default()), Self::Reservoir(SequenceReservoirConfig::default())]
    }

    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Convolutions(config) => config.check(),
            Self::Reservoir(config) => config.check(),
        }
    }
}

#[derive(Debug)]
enum Features {
    Convolutions(RandomConvolutions),
    Reservoir(SequenceReservoir),
}

impl Features {
    fn count(&self) -> usize {
        match self {
            Self::Convolutions(features) => features.n_features(),
            Self::Reservoir(features) => features.n_features(),
        }
    }

    fn of_steps(&self) -> bool {
        matches!(self, Self::Reservoir(features) if features.of_steps())
    }

    fn fit(&self, sequences: &[Tensor]) -> Result<()> {
        match self {
            Self::Convolutions(features) => features.fit(sequences),
            Self::Reservoir(_) => Ok(()),
        }
    }

    fn of(&self, sequences: &[Tensor]) -> Result<Tensor> {
        match self {
            Self::Convolutions(features) => features.features(sequences),
            Self::Reservoir(features) => features.features(sequences),
        }
    }
}

/// Features with a linear readout. What is drawn and what is taken from data stands among its parameters: `scale` (mean and deviation of
/// channels), those of the features, `feature` (mean and deviation of each) and `readout`, and `target` where targets are standardised.
#[derive(Debug)]
pub struct SequenceReadout {
    /// To be saved and loaded.
    pub params: Params,
    scale: Standardise,
    features: Features,
    feature_scale: Standardise,
    weight: Tensor,
    bias: Tensor,
    target_scale: Option<Standardise>,
}

impl SequenceReadout {
    /// For sequences of `channels` channels and about `steps` steps, with `n_out` outputs. With `scale_targets` they are numbers, which
    /// are standardised for the regression. What is random follows from the seed of `params`, which are on the CPU; scaling and readout
    /// do nothing until they are [fitted](Self::fit_features).
    pub fn new(
        mut params: Params,
        [steps, channels]: [usize; 2],
        n_out: i64,
        scale_targets: bool,
        config: &SequenceFeatures,
    ) -> Result<Self> {
        setting::at_least("steps", steps, 1)?;
        setting::at_least("n_out", n_out, 1)?;
        let scale = Standardise::new(&mut params.at("scale"), channels as i64)?;
        let features = match config {
            SequenceFeatures::Convolutions(config) => {
                Features::Convolutions(RandomConvolutions::new(&mut params, [steps, channels], config)?)
            }
            SequenceFeatures::Reservoir(config) => {
                Features::Reservoir(SequenceReservoir::new(&mut params.at("r"), channels as i64, config)?)
            }
        };
        let count = features.count() as i64;
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, Device::Cpu));
        let feature_scale = Standardise::new(&mut params.at("feature"), count)?;
        let target_scale = scale_targets.then(|| Standardise::new(&mut params.at("target"), n_out)).transpose()?;
        let mut readout = params.at("readout");
        let weight = readout.constant("weight", |_| zeros(&[count, n_out]))?;
        let bias = readout.constant("bias", |_| zeros(&[n_out]))?;
        Ok(Self { params, scale, features, feature_scale, weight, bias, target_scale })
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.features.count()
    }

    /// Whether there is an output for each step, and not for each sequence.
    pub fn of_steps(&self) -> bool {
        self.features.of_steps()
    }

    /// Channels of the inputs.
    pub fn channels(&self) -> i64 {
        self.scale.n_in()
    }

    /// Takes the scaling of channels and features, and what else features take from data, from sequences `x` `[sample, time, channel]`, of
    /// which `lengths` `[sample]` has the steps that are no padding, if there is some. Returns their features, as
    /// [`features`](Self::features).
    ///
    /// `go_on` is asked before each 64 sequences; if it says no, there are none. Fails if there is a number that is not finite, in
    /// float32 after scaling.
    pub fn fit_features(
        &self,
        x: &Tensor,
        lengths: Option<&Tensor>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Tensor>> {
        let sequences = self.sequences(x, lengths)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            self.scale.fit(&Tensor::cat(&sequences, 0))?;
            let sequences = self.scaled(&sequences)?;
            self.features.fit(&sequences)?;
            let Some(features) = self.raw(&sequences, go_on)? else { return Ok(None) };
            self.feature_scale.fit(&features)?;
            Ok(Some(self.feature_scale.apply(&features)))
        })
    }

    /// Features as they are, chunk by chunk.
    fn raw(&self, sequences: &[Tensor], go_on: &dyn Fn() -> bool) -> Result<Option<Tensor>> {
        let mut all = Vec::new();
        for chunk in sequences.chunks(CHUNK) {
            if !go_on() {
                return Ok(None);
            }
            all.push(self.features.of(chunk)?);
        }
        Ok(Some(Tensor::f_cat(&all, 0)?))
    }

    /// Standardised features of sequences, float64 `[sample, feature]`; [of steps](Self::of_steps) `[row, feature]`, the steps of each
    /// sequence that are no padding after those of the one before.
    pub fn features(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Tensor> {
        let sequences = self.sequences(x, lengths)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let features = self.raw(&self.scaled(&sequences)?, &|| true)?;
            Ok(self.feature_scale.apply(&features.expect("it goes on")))
        })
    }

    /// Targets `[sample, output]`, of steps `[row, output]`, as the readout is to be fitted to: standardised, where they are. The scaling is taken from them.
    pub fn fit_targets(&self, y: &Tensor) -> Result<Tensor> {
        self.check_outputs("targets", y)?;
        self.target_scale.as_ref().map_or(Ok(()), |scale| scale.fit(y))?;
        self.targets(y)
    }

    /// Targets `[.., output]` standardised, where they are, by what was fitted.
    pub fn targets(&self, y: &Tensor) -> Result<Tensor> {
        self.check_outputs("targets", y)?;
        let y = y.f_to_kind(Kind::Double)?;
        Ok(self.target_scale.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.apply(&y)))
    }

    fn check_outputs(&self, what: &str, y: &Tensor) -> Result<()> {
        let (size, n_out) = (y.size(), self.weight.size()[1]);
        if size.len() >= 2 && size.last() == Some(&n_out) {
            return Ok(());
        }
        Err(Error::Shape { what: what.into(), expected: format!("[.., {n_out}]"), found: size })
    }

    /// Sets the readout: `weight` `[feature, output]`, `bias` `[output]`.
    pub fn set_readout(&self, weight: &Tensor, bias: &Tensor) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (what, own, new) in [("weight", &self.weight, weight), ("bias", &self.bias, bias)] {
            if own.size() != new.size() {
                let expected = format!("{:?}", own.size());
                return Err(Error::Shape { what: format!("the readout's {what}"), expected, found: new.size() });
            }
            own.shallow_clone().f_copy_(new)?;
        }
        Ok(())
    }

    /// Outputs of standardised features, float64 `[sample, output]`, in the units of the targets.
    pub fn readout(&self, features: &Tensor) -> Result<Tensor> {
        let y = self.bias.f_addmm(features, &self.weight)?;
        Ok(self.target_scale.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.undo(&y)))
    }

    /// Outputs of sequences, float64 `[sample, output]`, in the units of the targets; of steps `[sample, time, output]`, 0 in padding.
    pub fn predict(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Tensor> {
        let sequences = self.sequences(x, lengths)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let scaled = self.scaled(&sequences)?;
            // Features of many sequences take more memory than their outputs.
            let of_chunk = |chunk| self.readout(&self.feature_scale.apply(&self.features.of(chunk)?));
            let rows = Tensor::f_cat(&scaled.chunks(CHUNK).map(of_chunk).collect::<Result<Vec<_>>>()?, 0)?;
            if !self.of_steps() {
                return Ok(rows);
            }
            let lengths: Vec<i64> = sequences.iter().map(|sequence| sequence.size()[0]).collect();
            let pad = |own: &Tensor| own.constant_pad_nd([0, 0, 0, x.size()[1] - own.size()[0]]);
            Ok(Tensor::f_stack(&rows.split_with_sizes(&lengths, 0).iter().map(pad).collect::<Vec<_>>(), 0)?)
        })
    }

    /// Each sequence without its padding, `[time, channel]` in float64.
    fn sequences(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<Vec<Tensor>> {
        let size = x.size();
        if size.len() != 3 || size[2] != self.channels() || size.contains(&0) {
            let expected = format!("[sample, time, {}], not empty", self.channels());
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        bd_core::check_finite("an input", x)?;
        let x = x.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
        let steps = steps_of(&x, lengths)?;
        Ok(steps.iter().zip(0..).map(|(&steps, i)| x.get(i).narrow(0, 0, steps)).collect())
    }

    /// Scaled, in float32, in which features are computed.
    fn scaled(&self, sequences: &[Tensor]) -> Result<Vec<Tensor>> {
        let scaled = |(sample, sequence): (usize, &Tensor)| {
            let scaled = self.scale.apply(sequence).to_kind(Kind::Float);
            match scaled.isfinite().all().int64_value(&[]) {
                1 => Ok(scaled),
                _ => Err(Error::NotFinite {
                    what: "an input".into(),
                    where_: format!(
                        "sample {sample} (counted from 0), in float32 after scaling: it is too far from the training part"
                    ),
                }),
            }
        };
        sequences.iter().enumerate().map(scaled).collect()
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
