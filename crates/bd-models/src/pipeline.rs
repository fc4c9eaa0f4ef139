//! [`Pipeline`]: a network with what brings data to it and its outputs back, as it is trained, saved and used again.

use bd_core::{DataTransform, Inputs, Params, Result, Stack, System, catch_torch};
use tch::{Device, Kind, Tensor};

use crate::encode::{Encode as _, Encoder, Scaling};
use crate::standardise::Standardise;
use crate::unit_range::UnitRange;

/// How the inputs of a [`Pipeline`] reach its network.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Preparation {
    /// As they are.
    #[default]
    None,
    /// Each channel standardised.
    Standardise,
    /// Each channel scaled as the encoder needs it, then encoded as spikes or currents.
    Encode(Encoder),
}

/// Scaling of inputs, channel by channel.
#[derive(Debug)]
enum InputScale {
    Standard(Standardise),
    UnitRange(UnitRange),
}

impl InputScale {
    fn new(scaling: Scaling, params: &mut Params, channels: i64) -> Result<Self> {
        let mut path = params.at("scale");
        Ok(match scaling {
            Scaling::Standard => Self::Standard(Standardise::new(&mut path, channels)?),
            Scaling::UnitRange => Self::UnitRange(UnitRange::new(&mut path, channels)?),
        })
    }

    fn fit(&self, x: &Tensor) -> Result<()> {
        match self {
            Self::Standard(scale) => scale.fit(x),
            Self::UnitRange(scale) => scale.fit(x),
        }
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Standard(scale) => scale.apply(x),
            Self::UnitRange(scale) => scale.apply(x),
        }
    }
}

/// A network with its parameters and with what stands before and behind it: inputs are scaled, then encoded; outputs are
/// scaled back. What scaling has learned from the training data is saved among the parameters (`scale.*`, `target.*`), so that
/// a saved model takes and gives the units of the data.
///
/// ```
/// use bd_core::{DataTransform, Params};
/// use bd_models::{Pipeline, Preparation, RateNetConfig};
/// use tch::{Device, Kind, Tensor};
///
/// # fn main() -> bd_core::Result<()> {
/// let params = Params::new(0, (Kind::Float, Device::Cpu));
/// let config = RateNetConfig { n_in: 2, hidden: vec![8], n_out: 1, ..RateNetConfig::default() };
/// let pipeline = Pipeline::new(params, 2, Preparation::Standardise, Some(1), |params| config.build(params))?;
/// let x = Tensor::from_slice(&[200.0, 1.0, 300.0, 2.0, 400.0, 6.0]).reshape([1, 3, 2]);
/// pipeline.fit_inputs(&x)?;
/// let inputs = pipeline.inputs(&x, None, "training")?; // mean 0 and deviation 1 in each channel
/// # assert_eq!(inputs.shape(), [1, 3, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pipeline<S = Stack> {
    /// Parameters of the network and of the scaling, to be saved and loaded together.
    pub params: Params,
    /// The network.
    pub net: S,
    channels: i64,
    input_scale: Option<InputScale>,
    encoder: Option<Encoder>,
    target_scale: Option<Standardise>,
}

impl<S: System> Pipeline<S> {
    /// A pipeline for data of `channels` channels, whose network `build` makes among the parameters. With `scaled_targets`, the
    /// number of outputs, targets are numbers that are standardised for the training.
    ///
    /// Fails if the encoder's settings are not allowed, if there are no channels or outputs to scale, or if `build` fails.
    pub fn new(
        mut params: Params,
        channels: i64,
        preparation: Preparation,
        scaled_targets: Option<i64>,
        build: impl FnOnce(&mut Params) -> Result<S>,
    ) -> Result<Self> {
        let (scaling, encoder) = match preparation {
            Preparation::None => (None, None),
            Preparation::Standardise => (Some(Scaling::Standard), None),
            Preparation::Encode(encoder) => {
                encoder.check()?;
                (encoder.scaling(), Some(encoder))
            }
        };
        let input_scale = scaling.map(|scaling| InputScale::new(scaling, &mut params, channels)).transpose()?;
        let target_scale = scaled_targets.map(|n| Standardise::new(&mut params.at("target"), n)).transpose()?;
        let net = build(&mut params)?;
        Ok(Self { params, net, channels, input_scale, encoder, target_scale })
    }

    /// Channels of the data. The network has other ones where the encoder makes several of one.
    pub fn channels(&self) -> i64 {
        self.channels
    }

    /// Number of trainable weights.
    pub fn n_trainable(&self) -> usize {
        self.params.trainable().iter().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// Steps of the network for each step of the data: 1 unless an encoder spreads a number over several.
    pub fn substeps(&self) -> usize {
        self.encoder.map_or(1, |encoder| encoder.substeps())
    }

    /// What happens to inputs that are numbers, in words, such as `encoded as rate`; `None` if they stay what they are.
    pub fn preparation(&self) -> Option<String> {
        match (&self.encoder, &self.input_scale) {
            (Some(encoder), _) if *encoder != Encoder::None => Some(format!("encoded as {}", encoder.name())),
            (None, Some(_)) => Some("standardised as in the training".into()),
            _ => None,
        }
    }
}

impl<S: System> DataTransform for Pipeline<S> {
    fn on(&self) -> (Kind, Device) {
        self.params.on()
    }

    /// Takes the scaling of inputs from data `[.., channel]`. Fails if they are empty or have other channels. Without scaling
    /// there is nothing to do.
    fn fit_inputs(&self, x: &Tensor) -> Result<()> {
        match &self.input_scale {
            Some(scale) => scale.fit(&x.to_device(self.on().1)),
            None => Ok(()),
        }
    }

    /// Takes the scaling of targets from data `[.., output]`, likewise.
    fn fit_targets(&self, y: &Tensor) -> Result<()> {
        match &self.target_scale {
            Some(scale) => scale.fit(&y.to_device(self.on().1)),
            None => Ok(()),
        }
    }

    /// Scaled in float64, before digits are lost, then encoded or rounded to the network's dtype.
    fn inputs(&self, x: &Tensor, lengths: Option<&Tensor>, stream: &str) -> Result<Inputs> {
        catch_torch(|| {
            let (kind, device) = self.on();
            let x = x.to_device(device);
            let x = match &self.input_scale {
                Some(scale) => scale.apply(&x.to_kind(Kind::Double)),
                None => x,
            };
            let seed = self.params.seed();
            match &self.encoder {
                Some(encoder) => encoder.encode(&x, lengths, self.on(), (seed, &format!("encode {stream}"))),
                None => Inputs::batch_first(&x.to_kind(kind)),
            }
        })
    }

    /// Labels stay on the host, where they are checked; numbers are scaled on the network's device.
    fn targets(&self, y: &Tensor) -> Tensor {
        let (kind, device) = self.on();
        match &self.target_scale {
            Some(scale) => scale.apply(&y.to_device(device).to_kind(Kind::Double)).to_kind(kind),
            None if y.kind() == Kind::Int64 => y.shallow_clone(),
            None => y.to_kind(kind),
        }
    }

    /// Those of scaled targets in float64.
    fn outputs(&self, y: &Tensor) -> Tensor {
        self.target_scale.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.undo(&y.to_kind(Kind::Double)))
    }

    fn lengths(&self, lengths: Option<&Tensor>) -> Option<Tensor> {
        lengths.map(|lengths| lengths * self.substeps() as i64)
    }
}

#[cfg(test)]
mod tests;
