//! Settings of a reservoir that are drawn, of which the best are taken.

use bd_core::Rng;
use bd_core::text::short;
use bd_models::ReservoirConfig;
use serde_json::{Value, json};

use super::series::SeriesSource;
use super::trial::{Scored, best, measure};
use crate::config::ForecastConfig;

/// The settings `usual`, and `count` that are drawn beside them by a seed: the spectral radius from 0.05 to 1.5, leak from 0.03 to 1, input
/// scaling from 0.05 to 2, each evenly over its logarithm, and bias scaling from 0 to 1.
pub(super) fn with_drawn(usual: ReservoirConfig, count: usize, seed: u64) -> Vec<ReservoirConfig> {
    let mut rng = Rng::new(seed, "search");
    let mut log_uniform = |least: f64, most: f64| least * (most / least).powf(rng.uniform());
    let mut all = vec![usual];
    for _ in 0..count {
        all.push(ReservoirConfig {
            spectral_radius: log_uniform(0.05, 1.5),
            leak: log_uniform(0.03, 1.0),
            input_scaling: log_uniform(0.05, 2.0),
            bias_scaling: log_uniform(1.0, 2.0) - 1.0,
            ..usual
        });
    }
    all
}

/// What is drawn of settings, in words.
pub(super) fn words_of(reservoir: &ReservoirConfig) -> String {
    let ReservoirConfig { spectral_radius, leak, input_scaling, bias_scaling, .. } = *reservoir;
    let [radius, leak, input, bias] = [spectral_radius, leak, input_scaling, bias_scaling].map(short);
    format!("radius {radius}, leak {leak}, input scaling {input}, bias scaling {bias}")
}

/// Settings that were tried on a series, as a line of `metrics.jsonl`.
pub(super) fn line(tried: &Scored<ReservoirConfig>) -> Value {
    let ReservoirConfig { spectral_radius, leak, input_scaling, bias_scaling, .. } = tried.setting;
    tried.line(json!({"reservoir": {
        "spectral_radius": spectral_radius, "leak": leak, "input_scaling": input_scaling, "bias_scaling": bias_scaling
    }}))
}

/// What was tried on a series, in one line: the first settings are those of the configuration.
pub(super) fn words(tried: &[Scored<ReservoirConfig>], config: &ForecastConfig, data: &SeriesSource) -> String {
    let (chosen, first) = (best(tried), &tried[0]);
    let (count, measure, score) = (tried.len(), measure(config), chosen.score(data));
    let settings = words_of(&chosen.setting);
    let beside = if first.chosen {
        "those of the configuration".into()
    } else {
        format!("that of the configuration {}", first.score(data))
    };
    format!("chosen    {settings} of {count} settings by the validation part; {measure} {score}, {beside}")
}
