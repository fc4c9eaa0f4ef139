//! The choice of a delay on the validation part, before the fit.
//!
//! All delays have the warm-up of the longest, so that they are fitted to the same samples and compared on the same ones.

use bd_core::System;
use bd_models::Nvar;
use serde_json::{Value, json};

use super::series::SeriesSource;
use super::trial::{Scored, best, measure};
use crate::config::ForecastConfig;

/// Samples of the training part for each weight of an output, below which a delay is not tried: with fewer the validation part of a
/// short series often favours a model of many weights by luck.
const SAMPLES_PER_WEIGHT: usize = 5;

/// Leaves of several delays, in rising order, those for which a series of `points` points is long enough, and sets the warm-up that they
/// share, unless it is set. The shortest one always stays. Returns those that are left out.
pub(super) fn leave_out(config: &mut ForecastConfig, points: usize, channels: usize) -> Vec<usize> {
    if !config.nvar.is_open() {
        return Vec::new();
    }
    config.nvar.delay.sort_unstable();
    let is_tried = |delay: &usize| is_long_enough(&config.with_delay(*delay), points, channels);
    let last = config.nvar.delay.iter().rposition(is_tried).unwrap_or(0);
    let left_out = config.nvar.delay.split_off(last + 1);
    let longest = config.with_delay(config.nvar.delay[last]).nvar();
    config.split.warmup.get_or_insert(longest.reach().unwrap_or(0) as f64);
    left_out
}

/// Whether a delay, the only one of `config`, has its whole history in the warm-up, parts that are long enough, and enough samples for
/// its weights.
fn is_long_enough(config: &ForecastConfig, points: usize, channels: usize) -> bool {
    let nvar = config.nvar();
    let (Some(reach), Ok(features)) = (nvar.reach(), Nvar::new(channels, &nvar)) else { return false };
    let mut config = config.clone();
    config.split.warmup.get_or_insert(reach as f64);
    let (Ok(split), fit) = (config.divide(points), config.fit()) else { return false };
    let is_short = fit.short_part(&split, reach).or_else(|| fit.short_for_choice(&split, reach)).is_some();
    let weights = features.n_out() as usize + 1;
    reach <= split.warmup.end && !is_short && split.train.len() >= SAMPLES_PER_WEIGHT.saturating_mul(weights)
}

/// A delay that was tried, as a line of `metrics.jsonl`.
pub(super) fn line(tried: &Scored<usize>) -> Value {
    tried.line(json!({"delay": tried.setting}))
}

/// Why some delays are not tried.
pub(super) fn words_of_left_out(delays: &[usize]) -> String {
    format!(
        "note      not tried: delay {}, which leaves a part too short, or fewer than {SAMPLES_PER_WEIGHT} training samples for each weight",
        listed(delays)
    )
}

/// Numbers in a row.
pub(super) fn listed(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What was tried, in one line.
pub(super) fn words(tried: &[Scored<usize>], config: &ForecastConfig, data: &SeriesSource) -> String {
    let found = tried.iter().map(|one| format!("{} {}", one.setting, one.score(data))).collect::<Vec<_>>().join(", ");
    let (chosen, measure) = (best(tried).setting, measure(config));
    format!("delay     {chosen} is chosen by the validation part; delays and their {measure}: {found}")
}
