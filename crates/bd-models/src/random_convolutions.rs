//! [`RandomConvolutions`]: features of whole sequences, of each the share of the steps at which a random convolution of it is above a
//! threshold.
//!
//! MiniRocket's features (Dempster, Schmidt, Webb, KDD 2021); the formula stands in `bd_kernel::convolutions`. A
//! [`SequenceReadout`](crate::SequenceReadout) is a linear map of them.

use bd_core::threads::{in_parallel, kernel_threads};
use bd_core::{Error, Params, Result, Rng, setting};
use bd_kernel::convolutions::{Convolutions, ROW, Scratch, Sequence};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Longer sequences are a mistake in writing.
const MOST_STEPS: usize = 1 << 24;

/// Settings of [`RandomConvolutions`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `features` | 9,996 | 84 to 84,000 | how many; rounded down to a multiple of the 84 kernels |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Random convolutions with their thresholds. Fixed parameters: `convolutions` `[dilation, ..]`, which says what they are (rows of
/// [`Convolutions::rows`]), and `thresholds` `[feature]`.
#[derive(Debug)]
pub struct RandomConvolutions {
    seed: u64,
    channels: usize,
    count: usize,
    rows: Tensor,
    thresholds: Tensor,
}

impl RandomConvolutions {
    /// For sequences of about `steps` steps and `channels` channels. The convolutions follow from the seed of `params`; thresholds are
    /// zero until they are [fitted](Self::fit).
    pub fn new(params: &mut Params, [steps, channels]: [usize; 2], config: &RandomConvolutionsConfig) -> Result<Self> {
        config.check()?;
        setting::at_least("channels", channels, 1)?;
        setting::check("steps", steps, (1..=MOST_STEPS).contains(&steps), &format!("1 to {MOST_STEPS}"))?;
        let seed = params.seed();
        let mut rng = Rng::new(seed, "convolutions");
        let convolutions = Convolutions::new(steps, channels, config.features, || rng.uniform());
        let zeros = |_: &mut Rng| Tensor::zeros([convolutions.n_features() as i64], (Kind::Float, Device::Cpu));
        let (rows, count) = (convolutions.rows(), convolutions.n_features());
        let rows = |_: &mut Rng| Tensor::from_slice(&rows.concat()).reshape([-1, ROW as i64]);
        let rows = params.at("").constant("convolutions", rows)?;
        let thresholds = params.at("").constant("thresholds", zeros)?;
        Ok(Self { seed, channels, count, rows, thresholds })
    }

    /// What the parameters say. They may have been loaded.
    fn convolutions(&self) -> Result<Convolutions> {
        let numbers = Vec::<i64>::try_from(self.rows.f_to_kind(Kind::Int64)?.f_flatten(0, -1)?)?;
        let rows: Vec<[i64; ROW]> = numbers.chunks_exact(ROW).map(|row| row.try_into().expect("a whole row")).collect();
        Convolutions::of_rows(self.channels, &rows)
            .filter(|convolutions| convolutions.n_features() == self.count)
            .ok_or_else(|| Error::Config("the parameter convolutions is of no convolutions of this model".into()))
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.count
    }

    /// Takes the thresholds from sequences `[time, channel]`.
    pub fn fit(&self, sequences: &[Tensor]) -> Result<()> {
        let sequences = owned(sequences)?;
        let mut rng = Rng::new(self.seed, "thresholds");
        let thresholds = self.convolutions()?.thresholds(|| {
            let drawn = (rng.uniform() * sequences.len() as f64) as usize;
            sequences[drawn.min(sequences.len() - 1)].borrow()
        });
        self.thresholds.shallow_clone().f_copy_(&Tensor::from_slice(&thresholds))?;
        Ok(())
    }

    /// The features of sequences `[time, channel]`, from 0 to 1, float64 `[sample, feature]`.
    pub fn features(&self, sequences: &[Tensor]) -> Result<Tensor> {
        let sequences = owned(sequences)?;
        let thresholds = Vec::<f32>::try_from(&self.thresholds)?;
        let convolutions = &self.convolutions()?;
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

/// Numbers of sequences, each channel by channel.
fn owned(sequences: &[Tensor]) -> Result<Vec<Owned>> {
    let of = |sequence: &Tensor| {
        let values = Vec::<f32>::try_from(sequence.f_to_kind(Kind::Float)?.f_tr()?.f_contiguous()?.f_flatten(0, -1)?)?;
        Ok(Owned { values, steps: sequence.size()[0] as usize })
    };
    sequences.iter().map(of).collect()
}
