//! Fitting: warm-up, the choice of the penalty where there are several, the fit.
//!
//! The horizons share their inputs, so that one model with the targets of all horizons side by side needs the features
//! and the factorisation once: its outputs are `[horizon, channel]`, flattened.

use std::ops::Range;

use bd_core::{Error, Params, Result, Shared, System, Tap};
use bd_models::{Ngrc, NgrcState, NvarConfig};
use bd_train::data::Split;
use bd_train::{RidgeFactor, RidgeReport, Units, predict};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::data::Data;
use super::evaluation::{Measure, Vpt};
use crate::job::Seconds;
use crate::plan::{NgrcPlan, Select};
use crate::text::{plural, short};

/// What the fit of a job needs to know.
pub(super) struct Fit<'a> {
    pub(super) plan: &'a NgrcPlan,
    pub(super) data: &'a Data,
    pub(super) split: &'a Split,
    pub(super) device: Device,
    pub(super) say: &'a dyn Fn(String),
}

/// A fitted model.
pub(super) struct Fitted {
    pub(super) params: Params,
    pub(super) model: Ngrc,
    pub(super) alpha: f64,
    pub(super) report: RidgeReport,
    /// What is found of the validation part, as lines of `metrics.jsonl`.
    pub(super) validation: Vec<Value>,
}

impl Fit<'_> {
    fn on(&self) -> (Kind, Device) {
        (self.plan.dtype.kind(), self.device)
    }

    /// Points as `[1, time, channel]`, as the model takes them.
    fn stretch(&self, range: Range<usize>) -> Tensor {
        self.data.series.stretch(range).to_device(self.device).to_kind(self.plan.dtype.kind())
    }

    pub(super) fn measure<'a>(&'a self, model: &'a Ngrc) -> Result<Measure<'a>> {
        let known = self.data.series.stretch(self.split.train.clone()).squeeze_dim(0);
        Measure::new(model, &self.plan.horizon, self.data, Units::of(&known)?, self.on())
    }

    pub(super) fn run(&self, seconds: &mut Seconds) -> Result<Fitted> {
        let Self { plan, data, split, say, .. } = self;
        let channels = data.series.channels.len();
        let mut params = Params::new(plan.seed, self.on());
        let model = Ngrc::new(&mut params, channels, plan.horizon.len(), &plan.model())?;
        model.fit_scale(&data.series.stretch(split.train.clone()).to_device(self.device))?;
        say(format!("model     ngrc: {} features, {}", model.r.n_out(), plural(plan.horizon.len(), "horizon")));
        let state = self.warm_up(&model)?;
        seconds.lap("warmup");

        // A part ends with its last target, or, as in the tutorial, with its last input.
        let end = |part: &Range<usize>| if plan.split.targets_beyond { part.end } else { part.end - plan.farthest() };
        let rows = split.train.start..end(&split.train);
        self.warn(rows.len(), &model);
        let ridge = plan.ridge.with(plan.ridge.alpha[0]);
        let sha = Shared::new(data.series.dt).ahead(rows.start);
        let (mut factor, state) =
            ridge.factor(&model, &sha, &self.stretch(rows.clone()), &self.targets(&rows), state)?;
        let (alpha, validation) = if plan.ridge.alpha.len() > 1 {
            let choice = self.choose(&factor, &model)?;
            // With the penalty chosen, the validation part is for training, too.
            let more = rows.end..end(&split.validation);
            let sha = Shared::new(data.series.dt).ahead(more.start);
            ridge.extend(&mut factor, &model, &sha, &self.stretch(more.clone()), &self.targets(&more), state)?;
            choice
        } else {
            (ridge.alpha, Vec::new())
        };
        let ridge = plan.ridge.with(alpha);
        let solution = factor.solve(&ridge)?;
        solution.write_to(&model)?;
        let report = factor.report(&ridge, &solution)?;
        self.describe(&report, alpha);
        seconds.lap("fit");
        let validation = match plan.ridge.alpha.len() {
            1 if split.validation.len() > plan.farthest() => self.validation(&model)?,
            _ => validation,
        };
        Ok(Fitted { params, model, alpha, report, validation })
    }

    fn warm_up(&self, model: &Ngrc) -> Result<NgrcState> {
        let warmup = &self.split.warmup;
        let reach = model.r.memory();
        if reach > warmup.len() {
            let points = warmup.len();
            (self.say)(format!(
                "warning   lags reach {reach} points back, but warm-up has {points}: training begins with zeros as history"
            ));
        }
        let state = model.init_state(1, self.on());
        if warmup.is_empty() {
            return Ok(state);
        }
        let sha = Shared::new(self.data.series.dt);
        let (outputs, state) = predict(model, &sha, &self.stretch(warmup.clone()), state, &mut Tap::none())?;
        let size = outputs.size();
        (self.say)(format!(
            "warm-up   predicted {:?} for each horizon",
            [size[0], size[1], self.data.series.channels.len() as i64]
        ));
        Ok(state)
    }

    /// The targets of inputs `rows`, those of all horizons side by side.
    fn targets(&self, rows: &Range<usize>) -> Tensor {
        let shifted = |h: &usize| self.stretch(rows.start + h..rows.end + h);
        Tensor::cat(&self.plan.horizon.iter().map(shifted).collect::<Vec<_>>(), 2)
    }

    /// The penalty that is best on the validation part.
    fn choose(&self, factor: &RidgeFactor, model: &Ngrc) -> Result<(f64, Vec<Value>)> {
        let (plan, part) = (self.plan, &self.split.validation);
        let measure = self.measure(model)?;
        let nearest = (0..plan.horizon.len()).min_by_key(|&i| plan.horizon[i]).expect("there is a horizon");
        // For each score what it says to people and to programs.
        let mut told = Vec::new();
        // The greatest score wins: for one step ahead the error with its sign turned.
        let score = |_: &Ngrc| match plan.select {
            Select::OneStep => {
                let forecast = &measure.forecasts(part.clone())?[nearest];
                let (horizon, error) = (forecast.horizon, &forecast.error);
                told.push((
                    format!("NRMSE {} at horizon {horizon}", short(error.nrmse)),
                    json!({"horizon": horizon, "mse": error.mse, "nrmse": error.nrmse}),
                ));
                Ok([0.0, 0.0, -error.nrmse])
            }
            Select::FreeRun => {
                let Some(free) = measure.free_runs(part.clone(), &plan.free_run)? else {
                    return Err(too_short("run freely on", part.len()));
                };
                told.push((
                    Vpt::of(&free, self.data).sentence(&free),
                    json!({"vpt_steps": free.median_valid_steps(), "bounded": free.bounded(), "runs": free.starts.len()}),
                ));
                Ok(free.score())
            }
        };
        let (alpha, scores) = factor.choose(&plan.ridge.with(0.0), &plan.ridge.alpha, model, score)?;
        let mut told = told.into_iter();
        let mut all = Vec::new();
        for (&candidate, score) in plan.ridge.alpha.iter().zip(&scores) {
            let (sentence, mut line) = match score {
                Ok(_) => told.next().expect("one for each score"),
                Err(error) => (error.to_string(), json!({"refused": error.to_string()})),
            };
            let mark = if candidate == alpha { ", chosen" } else { "" };
            (self.say)(format!("alpha     {candidate:e}: {sentence}{mark}"));
            line["split"] = json!("validation");
            line["alpha"] = json!(candidate);
            line["chosen"] = json!(candidate == alpha);
            all.push(line);
        }
        let (least, most) = plan.ridge.alpha.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
        if (alpha == least && least > 0.0 || alpha == most) && plan.ridge.alpha.len() > 2 {
            (self.say)(format!("note      alpha {alpha:e} is at an end of the list; a better one may lie beyond"));
        }
        Ok((alpha, all))
    }

    /// Errors on a validation part that nothing was chosen by.
    fn validation(&self, model: &Ngrc) -> Result<Vec<Value>> {
        let forecasts = self.measure(model)?.forecasts(self.split.validation.clone())?;
        for forecast in &forecasts {
            (self.say)(format!("validate  NRMSE {} at horizon {}", short(forecast.error.nrmse), forecast.horizon));
        }
        Ok(forecasts.iter().map(|forecast| forecast.line("validation", self.data)).collect())
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
    fn warn(&self, rows: usize, model: &Ngrc) {
        let columns = model.r.n_out() as usize + 1; // and the intercept
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

fn too_short(what: &str, points: usize) -> Error {
    Error::Config(format!(
        "the validation part has {}, too few to {what}; give it more with --split, for example 0.5,0.25,0.25",
        plural(points, "point")
    ))
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
    let warmup = split.warmup.len();
    let needed = if plan.split.targets_beyond { 1 } else { farthest + 1 };
    if split.train.len() < needed {
        let train = split.train.len();
        return Err(Error::Config(format!(
            "{all}, and the training part {train} of them after a warm-up of {warmup}: too few to learn a forecast {farthest} \
             steps ahead; lower --delay, --stride, --horizon or --warmup, or give the training part more with --split"
        )));
    }
    if plan.ridge.alpha.len() > 1 && split.validation.len() <= farthest {
        let what = format!("choose among penalties by a forecast {farthest} steps ahead");
        return Err(too_short(&what, split.validation.len()));
    }
    if split.test.len() <= farthest {
        let test = split.test.len();
        return Err(Error::Config(format!(
            "{all}, and the test part {test} of them: too few to test a forecast {farthest} steps ahead; lower --horizon, or \
             give the test part more with --split"
        )));
    }
    Ok(split)
}
