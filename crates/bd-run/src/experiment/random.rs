//! Random spike trains with random labels, which a network learns by heart, as in BrainPy's tutorial.

use bd_core::{Error, Inputs, Result, Rng, Spike, Spikes};
use bd_train::BatchOf;
use bd_train::data::Examples;
use tch::{Device, Kind, Tensor};

use crate::config::NetworkConfig;

/// How many samples of how many steps, and how likely a spike is in each.
#[derive(Debug, Clone, Copy)]
pub(super) struct RandomSpikes {
    samples: usize,
    steps: usize,
    channels: usize,
    classes: i64,
    probability: f64,
    seed: u64,
}

impl RandomSpikes {
    pub(super) fn of(config: &NetworkConfig) -> Result<Self> {
        let data = &config.data;
        let (Some(steps), Some(samples), Some(rate_hz)) = (data.steps, data.samples, data.rate_hz) else {
            return Err(Error::Config("data.samples, data.steps and data.rate_hz must be set".into()));
        };
        Ok(Self {
            samples,
            steps,
            channels: usize::try_from(config.model.n_in()).unwrap_or(0),
            classes: config.model.n_out(),
            probability: rate_hz * config.dt / 1000.0,
            seed: config.seed,
        })
    }

    /// Spikes of all samples, as many as are likely.
    fn expected(&self) -> f64 {
        self.samples as f64 * self.steps as f64 * self.channels as f64 * self.probability
    }

    /// A batch of so many samples at most, as it will be.
    pub(super) fn batch(&self, batch: Option<usize>) -> BatchOf {
        let samples = batch.unwrap_or(self.samples).min(self.samples);
        BatchOf {
            steps: self.steps,
            samples,
            spikes: Some((self.expected() * (samples as f64 / self.samples as f64)) as usize),
            targets_bytes: 0,
            padded: false,
            copied: samples < self.samples,
        }
    }

    /// Bytes of the list and of its last copy.
    pub(super) fn bytes(&self) -> u64 {
        (self.expected() as u64).saturating_mul(2 * size_of::<Spike>() as u64)
    }

    pub(super) fn draw(&self, on: (Kind, Device)) -> Result<Examples> {
        let shape = [self.steps, self.samples, self.channels];
        let spikes = Spikes::draw(shape, on, self.probability, &mut Rng::new(self.seed, "inputs"))?;
        let mut rng = Rng::new(self.seed, "labels");
        let labels: Vec<i64> = (0..self.samples).map(|_| (rng.uniform() * self.classes as f64) as i64).collect();
        Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))
    }
}
