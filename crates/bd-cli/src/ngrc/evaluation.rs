//! What is said of forecasts and free runs.

use bd_train::forecast::ValidTime;
pub(crate) use bd_train::forecast::{Forecast, ForecastEvaluation as Evaluation};
use bd_train::{FreeRunSummary, FreeRuns};
use serde_json::{Map, Value};

use super::data::Data;
use crate::text::{plural, short};

/// How long free runs are valid, in the units of a series.
pub(crate) fn valid_time(free: impl Into<FreeRunSummary>, data: &Data) -> ValidTime {
    ValidTime::of(free, data.series.dt, data.lyapunov_exponent)
}

/// For the plots.
pub(crate) struct Vpt(ValidTime);

impl Vpt {
    pub(crate) fn of(free: &FreeRuns, data: &Data) -> Self {
        Self(valid_time(free, data))
    }

    pub(crate) fn sentence(&self, _free: &FreeRuns) -> String {
        self.0.sentence()
    }
}

/// Tells what is odd about forecasts.
pub(crate) fn tell(forecasts: &[Forecast], data: &Data, say: &dyn Fn(String)) {
    for forecast in forecasts {
        let horizon = forecast.horizon;
        for name in forecast.constant_channels().map(|channel| &data.series.channels[channel]) {
            say(format!("warning   {name} is constant where horizon {horizon} is tested: it has no NRMSE"));
        }
        if forecast.error.nrmse > forecast.persistence.nrmse {
            say(format!(
                "warning   {} ahead the forecast is worse than none (persistence); try --order 1, other delays, or --alpha 1e-8..1e2",
                plural(horizon, "step")
            ));
        }
    }
}

/// Named as other programs rely on.
pub(crate) fn metrics(found: &Evaluation, data: &Data) -> Map<String, Value> {
    let time = found.free.as_ref().map(|free| valid_time(free, data));
    found.metrics("test", &data.series.channels, time.as_ref())
}

/// For people: a row for each horizon, under a word for what the errors are of.
pub(crate) fn table(found: &Evaluation, data: &Data, mse: &str) -> String {
    // More columns than this do not fit on a line.
    const MOST_CHANNELS: usize = 8;
    let channels = &data.series.channels;
    let shown = if channels.len() == 1 { 0 } else { channels.len().min(MOST_CHANNELS) };
    let mut text = format!("{:>8}  {mse:>10}  {:>10}  {:>11}  {:>10}", "horizon", "NRMSE", "persistence", "mean");
    text += &channels[..shown].iter().map(|name| format!("  {name:>10}")).collect::<String>();
    text += if shown < channels.len() && shown > 0 { "  ..." } else { "" };
    for Forecast { horizon, error, persistence, mean, .. } in &found.forecasts {
        let [persistence, mean] = [persistence, mean].map(|error| short(error.nrmse));
        let (mse, nrmse) = (short(error.mse), short(error.nrmse));
        text += &format!("\n{horizon:>8}  {mse:>10}  {nrmse:>10}  {persistence:>11}  {mean:>10}");
        let values = error.nrmse_per_channel.iter().take(shown);
        text += &values.map(|&value| format!("  {:>10}", short(value))).collect::<String>();
    }
    if let Some(free) = &found.free {
        text += &format!("\nfree run  {}", valid_time(free, data).sentence());
    }
    text
}
