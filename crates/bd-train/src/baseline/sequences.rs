//! [`Sequences`]: inputs of both parts as numbers `[sample, time, channel]` in the same units, and vectors made of them.

use bd_core::{Inputs, Result, Spikes};
use tch::{Kind, Tensor};

use crate::data::dataset::padding;
use crate::data::{Subset, SubsetInputs};

/// Windows of time in which spikes are counted.
const WINDOWS: i64 = 10;
/// Numbers of a part at most.
pub(super) const MOST_NUMBERS: i64 = 20_000_000;

/// Inputs of both parts, standardised, with zeros in padding and equally many steps: float64 `[sample, time, channel]`.
#[derive(Debug)]
pub(super) struct Sequences {
    pub(super) train: Tensor,
    pub(super) test: Tensor,
    /// How many windows, if `time` is windows in which spikes are counted.
    pub(super) windows: Option<i64>,
}

impl Sequences {
    /// Of the steps as they are (`by_step`), or of spikes counted in windows. `None` beyond the cap, and for numbers whose squares are
    /// not finite.
    pub(super) fn of(train: &Subset, test: &Subset, by_step: bool) -> Result<Option<Self>> {
        let steps = [train, test].map(|part| part.steps().unwrap_or(0) as i64);
        let time = steps[0].max(steps[1]);
        let is_counted = !by_step && matches!(train.inputs, SubsetInputs::Steps(Inputs::Spikes(_)));
        let windows = is_counted.then_some(WINDOWS.min(time));
        let numbers = |part: &Subset| {
            let samples = (part.count() as i64).saturating_mul(part.channels());
            samples.saturating_mul(windows.unwrap_or(time))
        };
        if [train, test].into_iter().any(|part| numbers(part) > MOST_NUMBERS) {
            return Ok(None);
        }
        let scale = Scale::of(&match windows {
            Some(windows) => in_numbers(train, Some((windows, time)))?.flatten(0, 1),
            None => train.valid_steps(&in_numbers(train, None)?),
        });
        let standardised = |part: &Subset| -> Result<Tensor> {
            let scaled = scale.apply(&in_numbers(part, windows.map(|windows| (windows, time)))?);
            let scaled = match &part.lengths {
                Some(lengths) if windows.is_none() => {
                    scaled.masked_fill(&padding(lengths, scaled.size()[1]).unsqueeze(2), 0.0)
                }
                _ => scaled,
            };
            let missing = windows.unwrap_or(time) - scaled.size()[1];
            Ok(scaled.constant_pad_nd([0, 0, 0, missing]))
        };
        let found = Self { train: standardised(train)?, test: standardised(test)?, windows };
        let finite = |x: &Tensor| x.isfinite().all().int64_value(&[]) == 1;
        Ok((finite(&found.train) && finite(&found.test)).then_some(found))
    }
}

/// Inputs as float64 `[sample, time, channel]`; of spikes counts in so many windows of so many steps, if there are any.
fn in_numbers(part: &Subset, windows: Option<(i64, i64)>) -> Result<Tensor> {
    match (&part.inputs, windows) {
        (SubsetInputs::Steps(Inputs::Spikes(spikes)), Some((windows, time))) => Ok(counts(spikes, windows, time)),
        (SubsetInputs::Steps(Inputs::Spikes(spikes)), None) => {
            Ok(spikes.to_dense().transpose(0, 1).to_kind(Kind::Double))
        }
        (SubsetInputs::Steps(Inputs::Dense(xs)), _) => Ok(xs.transpose(0, 1).to_kind(Kind::Double)),
        (SubsetInputs::Events(_), _) => unreachable!("there is no baseline of events"),
    }
}

/// Spikes of each channel in equal windows of `time` steps, `[sample, window, channel]`.
pub(super) fn counts(spikes: &Spikes, windows: i64, time: i64) -> Tensor {
    let [_, samples, channels] = spikes.shape();
    let mut counts = vec![0f64; samples * windows as usize * channels];
    for (sample, of_sample) in counts.chunks_exact_mut(windows as usize * channels).enumerate() {
        for spike in spikes.sample(sample) {
            let window = i64::from(spike.step) * windows / time;
            of_sample[window as usize * channels + spike.channel as usize] += 1.0;
        }
    }
    Tensor::from_slice(&counts).reshape([samples as i64, windows, channels as i64])
}

/// The last `lags` steps of each step, the newest first and zeros before the first step: `[sample, time, lags * channel]` of
/// `[sample, time, channel]`.
pub(super) fn lagged(x: &Tensor, lags: i64) -> Tensor {
    let time = x.size()[1];
    let padded = x.constant_pad_nd([0, 0, lags - 1, 0]);
    let of_lag = |lag| padded.narrow(1, lags - 1 - lag, time);
    Tensor::cat(&(0..lags).map(of_lag).collect::<Vec<_>>(), 2)
}

/// Mean and standard deviation of columns, to bring others into the same units.
pub(super) struct Scale {
    mean: Tensor,
    /// One over the deviation; 0 for a column that is constant.
    factor: Tensor,
}

impl Scale {
    /// Of the columns of `[row, column]`, by the deviation of the population.
    pub(super) fn of(rows: &Tensor) -> Self {
        let std = rows.std_dim(0, false, false);
        let constant = rows.amax(0, false).eq_tensor(&rows.amin(0, false)).logical_or(&std.eq(0.0));
        Self { mean: rows.mean_dim(0, false, Kind::Double), factor: std.reciprocal().masked_fill(&constant, 0.0) }
    }

    /// Standardised, `[.., column]`. A column that was constant is zero.
    pub(super) fn apply(&self, x: &Tensor) -> Tensor {
        (x - &self.mean) * &self.factor
    }
}
