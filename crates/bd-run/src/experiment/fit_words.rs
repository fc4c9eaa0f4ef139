//! [`FitWords`]: what is said of a fit while it goes on, and what of it is written.

use bd_core::text::{plural, short};
use bd_models::Target;
use bd_train::RidgeReport;
use bd_train::forecast::{Candidate, FitEvent, Forecast, ForecastFit, Score, Select};
use bd_train::metrics::NRMSE;
use serde_json::{Value, json};

use super::series::SeriesSource;
use crate::config::ForecastConfig;
use crate::listener::Listener;
use crate::seconds::Seconds;

/// Forecasts of the validation part below which a choice by them is mostly luck.
const FEW: usize = 10;

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
            FitEvent::Learned { samples, before_mse, unexcited } => {
                self.say_learned(samples, before_mse, unexcited);
                self.seconds.lap("fit");
            }
            FitEvent::Validated(forecasts) => {
                for forecast in forecasts {
                    let (nrmse, horizon) = (short(forecast.error.nrmse), forecast.horizon);
                    say(format!("validate  {NRMSE} {nrmse} at horizon {horizon}"));
                }
            }
        }
    }

    fn say_choice(&self, candidates: &[Candidate]) {
        for Candidate { alpha, score, chosen } in candidates {
            let sentence = match score {
                Ok(Score::OneStep { horizon, nrmse, .. }) => format!("{NRMSE} {} at horizon {horizon}", short(*nrmse)),
                Ok(Score::FreeRun(free)) => self.data.valid_time(*free).sentence(),
                Err(refusal) => refusal.clone(),
            };
            let mark = if *chosen { ", chosen" } else { "" };
            self.listener.say(&format!("alpha     {alpha:e}: {sentence}{mark}"));
        }
        if let Some(alpha) = beyond(candidates) {
            self.listener
                .say(&format!("note      alpha {alpha:e} is at an end of the list; a better one may lie beyond"));
        }
    }

    fn say_solution(&self, report: &RidgeReport, alpha: f64) {
        let RidgeReport { rows, features, rank, used, condition_number, regularised_condition_number } = *report;
        self.listener.say(&format!(
            "fit       {rows} samples, condition number {condition_number:.1e} ({regularised_condition_number:.1e} with alpha \
             {alpha:e})"
        ));
        if self.config.ridge.l1_ratio > 0.0 {
            self.listener
                .say(&format!("sparse    {used} of {} have weights that are not zero", plural(features, "feature")));
        }
        let columns = features + 1; // and the intercept
        if rank < columns {
            let dropped = columns - rank;
            self.listener
                .say(&format!("warning   the solver has dropped {dropped} of {columns} directions as round-off"));
        }
    }

    fn say_learned(&self, samples: usize, before_mse: &[f64], unexcited: usize) {
        let error = |(horizon, mse): (&usize, &f64)| format!("{} at horizon {horizon}", short(*mse));
        let errors: Vec<String> = self.config.horizon.iter().zip(before_mse).map(error).collect();
        let samples = plural(samples, "sample");
        self.listener.say(&format!(
            "fit       {samples} learned one by one; mean square error of each before it was learned: {}",
            errors.join(", ")
        ));
        if unexcited > 0 {
            self.listener.say(&format!(
                "warning   {} of the features were not excited for so long that all was forgotten of them; the next samples may be taken \
                 for exact: raise --forgetting, or leave out what is constant",
                plural(unexcited, "direction")
            ));
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
        if self.config.select == Select::FreeRun && self.config.ridge.alpha.len() == 1 && self.config.online.is_off() {
            self.listener
                .say("note      there is one alpha and nothing to select; several are named as in --alpha 1e-8..1e2");
        }
    }
}

/// The best of several penalties if it is the least or the greatest, unless the next one is nearly as good: then one that lies beyond
/// would be, too.
fn beyond(candidates: &[Candidate]) -> Option<f64> {
    let mut sorted: Vec<&Candidate> = candidates.iter().collect();
    sorted.sort_unstable_by(|a, b| a.alpha.total_cmp(&b.alpha));
    let (end, next) = match &sorted[..] {
        [end, next, _, ..] if end.chosen && end.alpha > 0.0 => (end, next),
        [_, .., next, end] if end.chosen && sorted.len() > 2 => (end, next),
        _ => return None,
    };
    let is_flat = match (&end.score, &next.score) {
        (Ok(Score::OneStep { nrmse: best, .. }), Ok(Score::OneStep { nrmse, .. })) => *nrmse < best * 1.01,
        _ => false,
    };
    (!is_flat).then_some(end.alpha)
}

/// Says if a choice rests on few forecasts.
pub(super) fn say_few(config: &ForecastConfig, validation: usize, listener: &dyn Listener) {
    let forecasts = validation.saturating_sub(config.farthest());
    if config.chooses() && forecasts < FEW {
        listener.say(&format!(
            "warning   the choice of delay and alpha rests on {}; give the validation part more with --split, or set --delay and \
             --alpha",
            plural(forecasts, "forecast")
        ));
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
        ("--target increment", config.target == Target::Value),
        ("--alpha 1e-8..1e2", config.ridge.alpha.len() == 1),
        ("other delays", true),
    ];
    let advice: Vec<&str> = advice.into_iter().filter(|(_, helps)| *helps).map(|(what, _)| what).collect();
    for forecast in forecasts {
        let horizon = forecast.horizon;
        for name in forecast.constant_channels().map(|channel| &channels[channel]) {
            listener.say(&format!("warning   {name} is constant where horizon {horizon} is tested: it has no {NRMSE}"));
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

/// What a score says of the validation part, for a line of `metrics.jsonl`.
pub(super) fn score_line(score: &Score) -> Value {
    match score {
        Score::OneStep { horizon, mse, nrmse, .. } => json!({"horizon": horizon, "mse": mse, "nrmse": nrmse}),
        Score::FreeRun(free) => {
            json!({"vpt_steps": free.median_valid_steps, "bounded": free.bounded, "runs": free.runs})
        }
    }
}

/// What is found of the validation part, as lines of `metrics.jsonl`.
pub(super) fn validation_lines(fit: &ForecastFit, channels: &[String]) -> Vec<Value> {
    let tried = fit.candidates.iter().map(|candidate| {
        let mut line = match &candidate.score {
            Ok(score) => score_line(score),
            Err(refusal) => json!({"refused": refusal}),
        };
        line["split"] = json!("validation");
        line["alpha"] = json!(candidate.alpha);
        line["chosen"] = json!(candidate.chosen);
        line
    });
    tried.chain(fit.validation.iter().map(|forecast| forecast.line("validation", channels))).collect()
}
