//! What is said of a fit, and what of it is written; what a series is too short for.

use bd_core::{Error, Result};
use bd_models::NvarConfig;
use bd_train::RidgeReport;
use bd_train::data::Split;
use bd_train::forecast::{Candidate, FitEvent, ForecastConfig, ForecastFit, Score, Select, ShortPart};
use serde_json::{Value, json};

use super::data::Data;
use super::evaluation::valid_time;
use crate::job::Seconds;
use crate::plan::NgrcPlan;
use crate::text::{plural, short};

/// The settings of the fit of a plan.
pub(super) fn config(plan: &NgrcPlan) -> ForecastConfig {
    ForecastConfig {
        horizons: plan.horizon.clone(),
        ridge: plan.ridge.with(plan.ridge.alpha[0]),
        alphas: plan.ridge.alpha.clone(),
        select: plan.select,
        targets_beyond: plan.split.targets_beyond,
        free_run: plan.free_run.clone(),
    }
}

/// Tells of a fit as it goes on, and takes its times.
pub(super) struct Reporter<'a> {
    pub(super) plan: &'a NgrcPlan,
    pub(super) data: &'a Data,
    pub(super) say: &'a dyn Fn(String),
    pub(super) seconds: &'a mut Seconds,
}

impl Reporter<'_> {
    pub(super) fn see(&mut self, event: &FitEvent<'_>) {
        match *event {
            FitEvent::ShortWarmUp { memory, points } => (self.say)(format!(
                "warning   lags reach {memory} points back, but warm-up has {points}: training begins with zeros as history"
            )),
            FitEvent::WarmedUp { points } => {
                if points > 0 {
                    let channels = self.data.series.channels.len();
                    (self.say)(format!("warm-up   predicted {:?} for each horizon", [1, points, channels]));
                }
                self.seconds.lap("warmup");
            }
            FitEvent::Started { rows, columns } => self.warn(rows, columns),
            FitEvent::Chosen(candidates) => self.tell_choice(candidates),
            FitEvent::Solved { alpha, report } => {
                self.describe(report, alpha);
                self.seconds.lap("fit");
            }
            FitEvent::Validated(forecasts) => {
                for forecast in forecasts {
                    let (nrmse, horizon) = (short(forecast.error.nrmse), forecast.horizon);
                    (self.say)(format!("validate  NRMSE {nrmse} at horizon {horizon}"));
                }
            }
        }
    }

    fn tell_choice(&self, candidates: &[Candidate]) {
        for Candidate { alpha, score, chosen } in candidates {
            let sentence = match score {
                Ok(Score::OneStep { horizon, nrmse, .. }) => format!("NRMSE {} at horizon {horizon}", short(*nrmse)),
                Ok(Score::FreeRun(free)) => valid_time(*free, self.data).sentence(),
                Err(refusal) => refusal.clone(),
            };
            let mark = if *chosen { ", chosen" } else { "" };
            (self.say)(format!("alpha     {alpha:e}: {sentence}{mark}"));
        }
        let alphas = &self.plan.ridge.alpha;
        let (least, most) = alphas.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
        let best = candidates.iter().find(|candidate| candidate.chosen).map(|candidate| candidate.alpha);
        if let Some(alpha) = best.filter(|&alpha| (alpha == least && least > 0.0 || alpha == most) && alphas.len() > 2)
        {
            (self.say)(format!("note      alpha {alpha:e} is at an end of the list; a better one may lie beyond"));
        }
    }

    fn describe(&self, report: &RidgeReport, alpha: f64) {
        let RidgeReport { rows, features, rank, condition_number, regularised_condition_number } = *report;
        (self.say)(format!(
            "fit       {rows} samples, condition number {condition_number:.1e} ({regularised_condition_number:.1e} with alpha \
             {alpha:e})"
        ));
        let columns = features + 1; // and the intercept
        if rank < columns {
            (self.say)(format!(
                "warning   the solver has dropped {} of {columns} directions as round-off",
                columns - rank
            ));
        }
    }

    /// Tells before the work begins what is likely to come out badly.
    fn warn(&self, rows: usize, columns: usize) {
        if rows < columns {
            let samples = plural(rows, "sample");
            (self.say)(format!(
                "warning   {samples} cannot determine {columns} weights, the penalty decides; lower --delay or --order, or name fewer \
                 channels"
            ));
        }
        if self.plan.select == Select::FreeRun && self.plan.ridge.alpha.len() == 1 {
            (self.say)(
                "note      there is one alpha and nothing to select; several are named as in --alpha 1e-8..1e2".into(),
            );
        }
    }
}

/// What is found of the validation part, as lines of `metrics.jsonl`.
pub(super) fn validation_lines(fit: &ForecastFit, data: &Data) -> Vec<Value> {
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
    let forecasts = fit.validation.iter().map(|forecast| forecast.line("validation", &data.series.channels));
    tried.chain(forecasts).collect()
}

/// Divides the series, and refuses a division that leaves a part without what it needs.
pub(super) fn divide(plan: &NgrcPlan, data: &Data) -> Result<Split> {
    let (points, farthest) = (data.series.points(), plan.farthest());
    let all = format!("the series has {points} points ({})", plural(data.series.channels.len(), "channel"));
    let NvarConfig { delay, stride, .. } = plan.nvar;
    let reach = plan.nvar.reach().unwrap_or(usize::MAX);
    if data.sha256.is_some() && points <= reach.saturating_add(farthest) {
        return Err(Error::Config(format!(
            "{all}, too few: the lags of delay {delay} and stride {stride} reach {reach} points back, and the farthest forecast \
             is {farthest} ahead; lower --delay, --stride or --horizon"
        )));
    }
    let split = plan.divide(points)?;
    let Some(short) = config(plan).short_part(&split, reach) else { return Ok(split) };
    Err(Error::Config(match short {
        ShortPart::Training { points: train, .. } => format!(
            "{all}, and the training part {train} of them after a warm-up of {}: too few to learn a forecast {farthest} steps ahead; \
             lower --delay, --stride, --horizon or --warmup, or give the training part more with --split",
            split.warmup.len()
        ),
        ShortPart::Choice { .. } | ShortPart::FreeRuns { .. } => {
            format!("{short}; give it more with --split, for example 0.5,0.25,0.25")
        }
        ShortPart::Test { points: test, .. } => format!(
            "{all}, and the test part {test} of them: too few to test a forecast {farthest} steps ahead; lower --horizon, or \
             give the test part more with --split"
        ),
    }))
}
