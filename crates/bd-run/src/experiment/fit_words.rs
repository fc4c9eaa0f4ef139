//! [`FitWords`]: what is said of a fit while it goes on, and what of it is written.

use bd_core::text::{plural, short};
use bd_train::RidgeReport;
use bd_train::forecast::{Candidate, FitEvent, Forecast, ForecastFit, Score, Select};
use serde_json::{Value, json};

use super::series::SeriesSource;
use crate::config::ForecastConfig;
use crate::listener::Listener;
use crate::seconds::Seconds;

/// Says what happens in a fit, and takes its times.
pub(super) struct FitWords<'a> {
    pub(super) config: &'a ForecastConfig,
    pub(super) data: &'a SeriesSource,
    pub(super) listener: &'a dyn Listener,
    pub(super) seconds: &'a mut Seconds,
}

impl FitWords<'_> {
    pub(super) fn see(&mut self, event: &FitEvent<'_>) {
        let say = |words: String| self.listener.say(&words);
        match *event {
            FitEvent::ShortWarmUp { memory, points } => say(format!(
                "warning   lags reach {memory} points back, but warm-up has {points}: training begins with zeros as history"
            )),
            FitEvent::WarmedUp { points } => {
                if points > 0 {
                    let channels = self.data.series.channels.len();
                    say(format!("warm-up   predicted {:?} for each horizon", [1, points, channels]));
                }
                self.seconds.lap("warmup");
            }
            FitEvent::Started { rows, columns } => {
                self.warn(rows, columns);
                self.listener.on_fit(rows);
            }
            FitEvent::Taken { samples } => self.listener.on_samples(samples),
            FitEvent::Chosen(candidates) => self.say_choice(candidates),
            FitEvent::Solved { alpha, report } => {
                self.say_solution(report, alpha);
                self.seconds.lap("fit");
            }
            FitEvent::Validated(forecasts) => {
                for forecast in forecasts {
                    let (nrmse, horizon) = (short(forecast.error.nrmse), forecast.horizon);
                    say(format!("validate  NRMSE {nrmse} at horizon {horizon}"));
                }
            }
        }
    }

    fn say_choice(&self, candidates: &[Candidate]) {
        for Candidate { alpha, score, chosen } in candidates {
            let sentence = match score {
                Ok(Score::OneStep { horizon, nrmse, .. }) => format!("NRMSE {} at horizon {horizon}", short(*nrmse)),
                Ok(Score::FreeRun(free)) => self.data.valid_time(*free).sentence(),
                Err(refusal) => refusal.clone(),
            };
            let mark = if *chosen { ", chosen" } else { "" };
            self.listener.say(&format!("alpha     {alpha:e}: {sentence}{mark}"));
        }
        let alphas = &self.config.ridge.alpha;
        let (least, most) = alphas.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
        let best = candidates.iter().find(|candidate| candidate.chosen).map(|candidate| candidate.alpha);
        let is_at_end = |alpha: f64| (alpha == least && least > 0.0) || alpha == most;
        if let Some(alpha) = best.filter(|&alpha| is_at_end(alpha) && alphas.len() > 2) {
            self.listener
                .say(&format!("note      alpha {alpha:e} is at an end of the list; a better one may lie beyond"));
        }
    }

    fn say_solution(&self, report: &RidgeReport, alpha: f64) {
        let RidgeReport { rows, features, rank, condition_number, regularised_condition_number } = *report;
        self.listener.say(&format!(
            "fit       {rows} samples, condition number {condition_number:.1e} ({regularised_condition_number:.1e} with alpha \
             {alpha:e})"
        ));
        let columns = features + 1; // and the intercept
        if rank < columns {
            let dropped = columns - rank;
            self.listener
                .say(&format!("warning   the solver has dropped {dropped} of {columns} directions as round-off"));
        }
    }

    /// Says before the work begins what is likely to come out badly.
    fn warn(&self, rows: usize, columns: usize) {
        if rows < columns {
            let samples = plural(rows, "sample");
            self.listener.say(&format!(
                "warning   {samples} cannot determine {columns} weights, the penalty decides; lower --delay or --order, or name fewer \
                 channels"
            ));
        }
        if self.config.select == Select::FreeRun && self.config.ridge.alpha.len() == 1 {
            self.listener
                .say("note      there is one alpha and nothing to select; several are named as in --alpha 1e-8..1e2");
        }
    }
}

/// Says what is odd about forecasts.
pub(super) fn say_oddities(
    config: &ForecastConfig,
    forecasts: &[Forecast],
    channels: &[String],
    listener: &dyn Listener,
) {
    let advice = [
        ("--order 1", config.nvar.order.iter().any(|order| *order > 1)),
        ("other delays", true),
        ("--alpha 1e-8..1e2", config.ridge.alpha.len() == 1),
    ];
    let advice: Vec<&str> = advice.into_iter().filter(|(_, helps)| *helps).map(|(what, _)| what).collect();
    for forecast in forecasts {
        let horizon = forecast.horizon;
        for name in forecast.constant_channels().map(|channel| &channels[channel]) {
            listener.say(&format!("warning   {name} is constant where horizon {horizon} is tested: it has no NRMSE"));
        }
        if forecast.error.nrmse > forecast.persistence.nrmse {
            listener.say(&format!(
                "warning   {} ahead the forecast is worse than none (persistence); try {}",
                plural(horizon, "step"),
                advice.join(" or ")
            ));
        }
    }
}

/// What is found of the validation part, as lines of `metrics.jsonl`.
pub(super) fn validation_lines(fit: &ForecastFit, channels: &[String]) -> Vec<Value> {
    let tried = fit.candidates.iter().map(|candidate| {
        let mut line = match &candidate.score {
            Ok(Score::OneStep { horizon, mse, nrmse }) => json!({"horizon": horizon, "mse": mse, "nrmse": nrmse}),
            Ok(Score::FreeRun(free)) => {
                json!({"vpt_steps": free.median_valid_steps, "bounded": free.bounded, "runs": free.runs})
            }
            Err(refusal) => json!({"refused": refusal}),
        };
        line["split"] = json!("validation");
        line["alpha"] = json!(candidate.alpha);
        line["chosen"] = json!(candidate.chosen);
        line
    });
    tried.chain(fit.validation.iter().map(|forecast| forecast.line("validation", channels))).collect()
}
