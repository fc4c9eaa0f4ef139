//! A network with what brings inputs to it and outputs back from it, as it is trained, saved and used again.

use bd_core::{Error, Inputs, Params, Result, Stack, catch_torch, kind_name};
use bd_models::{Standardise, UnitRange};
use bd_train::data::{Encoder, Examples, Scaling};
use tch::{Device, Kind, Tensor};

use super::part::{FileInputs, Part};

/// How inputs reach a network.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Preparation {
    /// As they are; zeros and ones as a list of spikes.
    None,
    /// Standardised.
    Scale,
    /// Scaled, then encoded.
    Encode(Encoder),
}

#[derive(Debug)]
enum Scale {
    Standard(Standardise),
    UnitRange(UnitRange),
}

impl Scale {
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

/// A network, and what stands before and behind it.
pub(crate) struct Network {
    pub(crate) params: Params,
    pub(crate) net: Stack,
    /// Channels of the data.
    pub(crate) channels: i64,
    scale: Option<Scale>,
    encoder: Option<Encoder>,
    /// Brings targets to mean 0 and deviation 1.
    targets: Option<Standardise>,
    seed: u64,
}

impl Network {
    /// `build` makes the network, which is driven by data of so many channels. `scaled_targets` is the number of targets that are
    /// numbers and are scaled.
    pub(crate) fn new(
        (seed, on): (u64, (Kind, Device)),
        channels: i64,
        preparation: Preparation,
        scaled_targets: Option<i64>,
        build: impl FnOnce(&mut Params) -> Result<Stack>,
    ) -> Result<Self> {
        let mut params = Params::new(seed, on);
        let (scaling, encoder) = match preparation {
            Preparation::None => (None, None),
            Preparation::Scale => (Some(Scaling::Standard), None),
            Preparation::Encode(encoder) => (encoder.scaling(), Some(encoder)),
        };
        let scale = match scaling {
            None => None,
            Some(Scaling::Standard) => Some(Scale::Standard(Standardise::new(&mut params.at("scale"), channels)?)),
            Some(Scaling::UnitRange) => Some(Scale::UnitRange(UnitRange::new(&mut params.at("scale"), channels)?)),
        };
        let targets = scaled_targets.map(|n_out| Standardise::new(&mut params.at("target"), n_out)).transpose()?;
        let net = build(&mut params)?;
        Ok(Self { params, net, channels, scale, encoder, targets, seed })
    }

    pub(crate) fn on(&self) -> (Kind, Device) {
        self.params.on()
    }

    /// How many numbers are trained.
    pub(crate) fn weights(&self) -> usize {
        self.params.trainable().iter().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// Steps of the network for a step of the data.
    pub(crate) fn substeps(&self) -> usize {
        self.encoder.map_or(1, |encoder| encoder.substeps())
    }

    /// Takes the scaling from the steps of a training part that are no padding.
    pub(crate) fn fit_scale(&self, part: &Part) -> Result<()> {
        if let (Some(scale), Some(x)) = (&self.scale, part.numbers()) {
            scale.fit(&part.valid_steps(x).to_device(self.on().1))?;
        }
        if let Some(scale) = &self.targets {
            let targets = if part.y.dim() == 3 { part.valid_steps(&part.y) } else { part.y.shallow_clone() };
            scale.fit(&targets.to_device(self.on().1))?;
        }
        Ok(())
    }

    /// Takes the scaling of inputs `[.., channel]`.
    pub(crate) fn fit_inputs(&self, x: &Tensor) -> Result<()> {
        self.scale.as_ref().map_or(Ok(()), |scale| scale.fit(x))
    }

    /// Inputs in the units of the data, of a part of this name, as the network takes them: scaled before they lose digits.
    pub(crate) fn prepare(&self, x: &Tensor, lengths: Option<&Tensor>, name: &str) -> Result<Inputs> {
        let (kind, device) = self.on();
        let x = x.to_device(device);
        let x = match &self.scale {
            Some(scale) => scale.apply(&x.to_kind(Kind::Double)),
            None => x,
        };
        match &self.encoder {
            Some(encoder) => encoder.encode(&x, lengths, self.on(), (self.seed, &format!("encode {name}"))),
            None => Inputs::batch_first(&x.to_kind(kind)),
        }
    }

    /// Outputs in the units of the data.
    pub(crate) fn outputs(&self, y: &Tensor) -> Tensor {
        self.targets.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.undo(y))
    }

    /// What becomes of inputs that are numbers, in words; nothing if they stay what they are.
    pub(crate) fn preparation(&self) -> Option<String> {
        match (&self.encoder, &self.scale) {
            (Some(encoder), _) if *encoder != Encoder::None => Some(format!("encoded as {}", encoder.name())),
            (None, Some(_)) => Some("standardised as in the training".into()),
            _ => None,
        }
    }

    /// Lengths of sequences of the data as those of the network.
    pub(crate) fn lengths(&self, lengths: Option<&Tensor>) -> Option<Tensor> {
        lengths.map(|lengths| lengths * self.substeps() as i64)
    }

    /// Examples as the network takes them.
    pub(crate) fn examples(&self, part: &Part) -> Result<Examples> {
        catch_torch(|| {
            let (kind, device) = self.on();
            let inputs = match &part.x {
                FileInputs::Numbers(x) => self.prepare(x, part.lengths.as_ref(), part.name)?,
                FileInputs::Spikes(spikes) => Inputs::Spikes(spikes.clone().of_kind(kind).on_device(device)),
                FileInputs::Events(_) => unreachable!("events are put in steps when a plan is known"),
            };
            let y = match &self.targets {
                Some(scale) => scale.apply(&part.y.to_device(device)).to_kind(kind),
                // On the host: `Examples` moves them, and has read them by then.
                None if part.y.kind() == Kind::Int64 => part.y.shallow_clone(),
                None => part.y.to_kind(kind),
            };
            if let Inputs::Dense(x) = &inputs {
                check_finite("an input", &x.transpose(0, 1))?;
            }
            check_finite("a target", &y)?;
            let examples = Examples::new(inputs, y)?;
            self.lengths(part.lengths.as_ref()).map_or(Ok(examples.clone()), |lengths| examples.with_lengths(&lengths))
        })
    }
}

/// Of numbers `[sample, ..]`, which float32 may not hold.
fn check_finite(what: &str, tensor: &Tensor) -> Result<()> {
    let wrong = tensor.isfinite().logical_not().nonzero();
    if wrong.size()[0] == 0 {
        return Ok(());
    }
    let sample = wrong.int64_value(&[0, 0]);
    let where_ = format!("sample {sample} (counted from 0), in {}", kind_name(tensor.kind()));
    Err(Error::NotFinite { what: what.into(), where_ })
}
