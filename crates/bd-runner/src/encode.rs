//! [`Preparation`]: from numbers in the units of the data to what drives a network.

use bd_kernel::models::encode::{Encoder, Scaling, Sent};
use bd_kernel::{Block, Real, Rng, places};

use crate::Result;
use crate::settings::Data;
use crate::weights::Weights;

/// Scaling, channel by channel, in float64.
#[derive(Debug)]
enum Scale {
    None,
    Standard {
        mean: Vec<f64>,
        std: Vec<f64>,
    },
    /// With what the distance from the least value is divided by.
    UnitRange {
        min: Vec<f64>,
        range: Vec<f64>,
    },
}

/// How inputs reach a network.
#[derive(Debug)]
pub(crate) struct Preparation {
    channels: usize,
    scale: Scale,
    encoder: Encoder,
    seed: u64,
}

/// What a sequence carries from step to step.
#[derive(Debug)]
pub(crate) struct Carried {
    sent: Sent,
    rng: Rng,
    /// As it was before the first step.
    first: Rng,
}

impl Carried {
    /// As before the first step.
    pub(crate) fn reset(&mut self) {
        self.sent.reset();
        self.rng.clone_from(&self.first);
    }
}

impl Preparation {
    /// For a network of `n_in` inputs.
    pub(crate) fn new(data: &Data, seed: u64, n_in: usize, weights: &Weights) -> Result<Self> {
        let encoder = data.encode;
        encoder.check().map_err(|error| crate::Error::Unsupported(error.to_string()))?;
        let channels = n_in / encoder.channels(1) as usize;
        let of = |name: &str| weights.of::<f64>(&format!("scale.{name}"), &[channels]);
        let scaling = match encoder {
            Encoder::None => data.scale.then_some(Scaling::Standard),
            encoder => encoder.scaling(),
        };
        let scale = match scaling {
            None => Scale::None,
            Some(Scaling::Standard) => Scale::Standard { mean: of("mean")?, std: of("std")? },
            Some(Scaling::UnitRange) => {
                let (min, max) = (of("min")?, of("max")?);
                let range = max.iter().zip(&min).map(|(max, min)| max - min);
                let range = range.map(|range| if range <= 0.0 { f64::INFINITY } else { range }).collect();
                Scale::UnitRange { min, range }
            }
        };
        Ok(Self { channels, scale, encoder, seed })
    }

    /// Channels of the data.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Steps of the network for each of the data.
    pub(crate) fn substeps(&self) -> usize {
        self.encoder.substeps()
    }

    /// A channel of a sample, scaled.
    #[inline]
    pub(crate) fn scaled(&self, channel: usize, x: f64) -> f64 {
        match &self.scale {
            Scale::None => x,
            Scale::Standard { mean, std } => (x - mean[channel]) / std[channel],
            Scale::UnitRange { min, range } => ((x - min[channel]) / range[channel]).clamp(0.0, 1.0),
        }
    }

    /// Of the sequence of this number. The name of its random numbers is that of the test data, which new data are encoded as.
    pub(crate) fn carried(&self, lane: usize) -> Carried {
        let rng = Rng::new(self.seed, &format!("encode test {lane}"));
        Carried { sent: Sent::new(self.channels), first: rng.clone(), rng }
    }

    /// Inputs of the network, `[substep, place]`, of scaled numbers.
    pub(crate) fn drive<F: Real>(&self, scaled: &[f64], carried: &mut Carried, drive: &mut Block<F>) {
        let room = drive.len() / self.substeps();
        match self.encoder {
            Encoder::None | Encoder::Current { .. } => {
                for row in drive.chunks_exact_mut(room) {
                    row.iter_mut().zip(scaled).for_each(|(to, x)| *to = F::of(*x));
                }
            }
            encoder => {
                drive.fill(F::default());
                let Carried { sent, rng, .. } = carried;
                encoder.spikes(scaled, sent, rng, &mut |substep, channel| {
                    drive[substep * room + channel] = F::of(1.0);
                });
            }
        }
    }
}

/// Room for the inputs of a network in all substeps.
pub(crate) fn room<F: Real>(n_in: usize, substeps: usize) -> Block<F> {
    Block::zeros(substeps * places::<F>(n_in))
}
