//! Lyapunov exponents of the model of a run, beside those of its system.

use bd_core::{Error, Forecaster, Result, Shared, System};
use bd_train::data::Solution;
use bd_train::{LyapunovSpectrum, lyapunov_of_flow, lyapunov_of_model, predict_series};
use serde_json::{Map, Value, json};
use tch::{Device, Kind};

use super::SeriesSource;
use super::forecast::loaded;
use crate::Run;
use crate::config::ForecastConfig;

/// What is found.
#[derive(Debug)]
pub struct LyapunovReport {
    /// Of the model on its own outputs.
    pub model: LyapunovSpectrum,
    /// Of the system, over the same time, where it is known and an ordinary differential equation.
    pub system: Option<LyapunovSpectrum>,
}

impl LyapunovReport {
    /// Numbers by name.
    pub fn metrics(&self) -> Map<String, Value> {
        let named = [("lyapunov", Some(&self.model)), ("lyapunov_system", self.system.as_ref())];
        let found = named.into_iter().filter_map(|(name, spectrum)| Some((name, spectrum?)));
        found
            .flat_map(|(name, spectrum)| {
                // JSON has no infinity.
                let finite: Vec<_> =
                    spectrum.exponents.iter().map(|value| value.is_finite().then_some(value)).collect();
                [
                    (name.to_owned(), json!(finite)),
                    (format!("{name}_standard_error"), json!(spectrum.errors)),
                    (format!("{name}_dimension"), json!(spectrum.kaplan_yorke())),
                ]
            })
            .collect()
    }
}

/// The `count` greatest exponents of the model of `run` on its own outputs after the end of `data`, over `steps` steps, of which a tenth
/// more come before as a transient.
///
/// Fails where the model has no forecasts one step ahead, or is not in float64.
pub fn lyapunov(
    run: &Run,
    config: &ForecastConfig,
    data: &SeriesSource,
    count: usize,
    steps: usize,
) -> Result<LyapunovReport> {
    let Some(at) = config.horizon.iter().position(|&horizon| horizon == 1) else {
        return Err(Error::Config(format!(
            "a model runs freely by its forecasts one step ahead: horizon must have 1, it is {:?}",
            config.horizon
        )));
    };
    if config.dtype.kind() != Kind::Double {
        return Err(Error::Config(
            "Lyapunov exponents are those of a model in float64: train it with dtype f64".into(),
        ));
    }
    let series = &data.series;
    let model = loaded(run, config, series.channels.len(), Device::Cpu)?;
    let (points, memory) = (series.points(), model.memory());
    let (one, sha) = (model.horizon(at), Shared::new(series.dt));
    let mut state = one.init_state(1, (Kind::Double, Device::Cpu));
    let seen = memory.min(points - 1);
    if seen > 0 {
        state = predict_series(&one, &sha, &series.stretch(points - 1 - seen..points - 1), state)?.1;
    }
    let first = series.stretch(points - 1..points).squeeze_dim(1);
    let transient = steps / 10;
    let found = lyapunov_of_model(&one, &sha.ahead(seen), &first, &state, count, [transient, steps])?;
    let system = match &data.system {
        Some(Solution { flow, params, .. }) if flow.is_ordinary() => {
            let start = Vec::<f64>::try_from(first.squeeze_dim(0))?;
            let times = [transient, steps].map(|steps| steps as f64 * series.dt);
            Some(lyapunov_of_flow(flow, params, &start, count.min(start.len()), times)?)
        }
        _ => None,
    };
    Ok(LyapunovReport { model: found, system })
}
