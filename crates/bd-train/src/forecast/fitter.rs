//! [`Fitter`]: warm-up, the choice of the penalty where there are several, the regression; and how it goes on after a break.
//!
//! The horizons share their inputs, so that one model with the targets of all horizons side by side needs the features
//! and the factorisation once: its outputs are `[horizon, channel]`, flattened.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::time::Instant;

use bd_core::{Checkpoint, Error, Forecaster, Result, Shared, StateTree, Tap, catch_torch};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::fit::{Candidate, FitEvent, ForecastFit, Score};
use super::measure::{Forecast, Measure};
use super::settings::{ForecastConfig, Select, ShortPart};
use crate::data::{Series, Split};
use crate::free_runs::{FreeRunSummary, Units};
use crate::predict::predict;
use crate::ridge::RidgeFactor;
use crate::trainer::{Checkpoints, Control};

/// The R factor's name in a checkpoint.
const FACTOR: &str = "ridge.r";

/// [`fit`](super::fit()) that can be stopped and go on.
///
/// A checkpoint is the R factor of the samples of the training part that the regression has taken in, the model's state after them, and
/// their number, which names it. It is written after a chunk of samples. The choice of a penalty, and the fit to the validation part
/// that follows it, are made again.
pub struct Fitter<'a, M: Forecaster> {
    model: &'a M,
    series: &'a Series,
    split: &'a Split,
    config: &'a ForecastConfig,
    control: Control,
    checkpoints: Option<Checkpoints>,
    from: Option<Standing<M::State>>,
}

impl<M: Forecaster> fmt::Debug for Fitter<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fitter").field("split", &self.split).field("config", &self.config).finish_non_exhaustive()
    }
}

/// What a checkpoint says beside its tensors.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Saved {
    samples: usize,
    /// All that the factor depends on and the model and the series do not tell.
    regression: Regression,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Regression {
    points: usize,
    warmup: Range<usize>,
    rows: Range<usize>,
    horizons: Vec<usize>,
    chunk_rows: usize,
}

/// The regression after some samples of the training part.
struct Standing<S> {
    factor: RidgeFactor,
    state: S,
}

impl<'a, M: Forecaster> Fitter<'a, M> {
    /// Of `model` to the parts `split` of `series`.
    pub fn new(model: &'a M, series: &'a Series, split: &'a Split, config: &'a ForecastConfig) -> Self {
        Self { model, series, split, config, control: Control::default(), checkpoints: None, from: None }
    }

    /// With a handle that stops the fit, or has it save, after a chunk of samples.
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// With checkpoints. A cadence of updates counts chunks.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Goes on from a checkpoint of the same fit: what follows is bit for bit what it would have been. Fails if it is of another one.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.from = Some(catch_torch(|| self.restored(checkpoint))?);
        Ok(())
    }

    /// The fit, or `None` if it was stopped. `observe` sees what happens.
    ///
    /// Fails as [`fit`](super::fit()) does, or if a checkpoint cannot be written.
    pub fn fit(mut self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<Option<ForecastFit>> {
        let Self { split, config, .. } = self;
        self.check(config.short_part(split, self.model.memory()))?;
        let from = self.from.take();
        self.measured(|fitter, measure| fitter.run(measure, from, observe))
    }

    /// Fits to the training part alone, and scores each penalty, of which there may be one, on the validation part; or `None` if it was
    /// stopped. The model has the weights of the best. So models are compared that are not the same, such as those of other delays.
    ///
    /// Fails as [`fit`](super::fit()) does, or if a checkpoint cannot be written.
    pub fn validate(self) -> Result<Option<Vec<Candidate>>> {
        let Self { split, config, .. } = self;
        let memory = self.model.memory();
        self.check(config.short_part(split, memory).or_else(|| config.short_for_choice(split, memory)))?;
        self.measured(|fitter, measure| {
            let Some(standing) = fitter.trained(None, &mut |_| {})? else { return Ok(None) };
            Ok(Some(fitter.choose(measure, &standing.factor)?.1))
        })
    }

    /// Refuses settings that are not allowed, and a part that is too short for its use. The test part has none here.
    fn check(&self, short: Option<ShortPart>) -> Result<()> {
        let Self { series, split, config, .. } = *self;
        config.check()?;
        match short {
            None | Some(ShortPart::Test { .. }) => {}
            Some(short) => return Err(short.into()),
        }
        let fitted = if config.alphas.len() > 1 { &split.validation } else { &split.train };
        let end = config.rows(fitted).end + config.farthest();
        if end > series.points() {
            return Err(Error::Config(format!(
                "targets {} steps ahead would end at point {end}, but the series has {} points",
                config.farthest(),
                series.points()
            )));
        }
        Ok(())
    }

    /// Does `work` with what measures the model in units of the training part.
    fn measured<T>(&self, work: impl FnOnce(&Self, &Measure<'_, M>) -> Result<T>) -> Result<T> {
        let Self { model, series, split, config, .. } = *self;
        catch_torch(|| {
            let known = series.stretch(split.train.clone()).squeeze_dim(0);
            work(self, &Measure::new(model, series, &config.horizons, Units::of(&known)?)?)
        })
    }

    /// The regression with all samples of the training part, or `None` if it was stopped.
    fn trained(
        &self,
        from: Option<Standing<M::State>>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<Option<Standing<M::State>>> {
        let Self { model, series, split, config, .. } = *self;
        model.fit_scale(&series.stretch(split.train.clone()).to_device(self.on().1))?;
        let mut standing = match from {
            Some(standing) => standing,
            None => Standing { factor: self.no_factor(), state: self.warm_up(observe)? },
        };
        let rows = config.rows(&split.train);
        observe(&FitEvent::Started { rows: rows.len(), columns: model.n_features() + 1 });
        let flow = self.take_in(&mut standing, rows, observe)?;
        Ok(flow.is_continue().then_some(standing))
    }

    fn run(
        &self,
        measure: &Measure<'_, M>,
        from: Option<Standing<M::State>>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<Option<ForecastFit>> {
        let Self { model, series, split, config, .. } = *self;
        let Some(mut standing) = self.trained(from, observe)? else { return Ok(None) };
        let (alpha, candidates) = if config.alphas.len() > 1 {
            let choice = self.choose(measure, &standing.factor)?;
            observe(&FitEvent::Chosen(&choice.1));
            if self.control.is_stopped() {
                self.write(&standing.factor, &standing.state)?;
                return Ok(None);
            }
            // With the penalty chosen, the validation part is for training, too.
            let Standing { factor, state } = &mut standing;
            let more = config.rows(&split.train).end..config.rows(&split.validation).end;
            let sha = Shared::new(series.dt).ahead(more.start);
            let (x, y) = (self.stretch(more.clone()), self.targets(&more));
            config.ridge_with(0.0).extend(factor, model, &sha, &x, &y, state.share())?;
            choice
        } else {
            (config.alphas[0], Vec::new())
        };
        let ridge = config.ridge_with(alpha);
        let solution = standing.factor.solve(&ridge)?;
        solution.write_to(model)?;
        let report = standing.factor.report(&ridge, &solution)?;
        observe(&FitEvent::Solved { alpha, report: &report });
        let validation = match config.alphas.len() {
            1 if split.validation.len() > config.farthest() => measure.forecasts(split.validation.clone())?,
            _ => Vec::new(),
        };
        observe(&FitEvent::Validated(&validation));
        Ok(Some(ForecastFit { alpha, report, candidates, validation }))
    }

    /// Takes the samples of the training part in that are not yet in the factor, chunk by chunk, until the fit is stopped.
    fn take_in(
        &self,
        standing: &mut Standing<M::State>,
        rows: Range<usize>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<ControlFlow<()>> {
        let left = rows.start + standing.factor.rows()..rows.end;
        if left.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let sha = Shared::new(self.series.dt).ahead(left.start);
        let (x, y) = (self.stretch(left.clone()), self.targets(&left));
        let mut last_saved = Instant::now();
        let mut after_chunk = |factor: &RidgeFactor, state: &M::State| {
            let samples = factor.rows();
            observe(&FitEvent::Taken { samples });
            let stopped = self.control.is_stopped();
            let chunks = samples.div_ceil(self.config.ridge.chunk_rows) as u64;
            let is_due = |checkpoints: &Checkpoints| checkpoints.is_due(chunks, last_saved);
            // In this order, so that a request is taken even where a checkpoint is due anyway.
            if self.control.take_save() || stopped || self.checkpoints.as_ref().is_some_and(is_due) {
                self.write(factor, state)?;
                last_saved = Instant::now();
            }
            Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        let Standing { factor, state } = standing;
        let ridge = self.config.ridge_with(self.config.alphas[0]);
        let (next, flow) = ridge.extend_while(factor, self.model, &sha, [&x, &y], state.share(), &mut after_chunk)?;
        standing.state = next;
        Ok(flow)
    }

    fn write(&self, factor: &RidgeFactor, state: &M::State) -> Result<()> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        let samples = factor.rows();
        let saved = Saved { samples, regression: self.regression() };
        let checkpoint = Checkpoint {
            optim: vec![(FACTOR.into(), factor.r().shallow_clone())],
            state: state.named(),
            meta: json!({"step": samples, "fit": saved}),
            ..Checkpoint::default()
        };
        checkpoints.write(samples as u64, &checkpoint).map(drop)
    }

    /// Where a checkpoint was written.
    fn restored(&self, checkpoint: &Checkpoint) -> Result<Standing<M::State>> {
        let of_another =
            |what: String| Error::Config(format!("the checkpoint is of no fit that can go on here: {what}"));
        let saved: Saved =
            serde_json::from_value(checkpoint.meta["fit"].clone()).map_err(|error| of_another(error.to_string()))?;
        let here = self.regression();
        if saved.regression != here || saved.samples > here.rows.len() {
            return Err(of_another(format!("it is of {:?}, and this is {here:?}", saved.regression)));
        }
        let Some((_, r)) = checkpoint.optim.iter().find(|(name, _)| name == FACTOR) else {
            return Err(of_another(format!("it has no {FACTOR}")));
        };
        let state = self.model.init_state(1, self.on()).load(&checkpoint.state)?;
        Ok(Standing { factor: self.no_factor().restored(r, saved.samples)?, state })
    }

    fn regression(&self) -> Regression {
        Regression {
            points: self.series.points(),
            warmup: self.split.warmup.clone(),
            rows: self.config.rows(&self.split.train),
            horizons: self.config.horizons.clone(),
            chunk_rows: self.config.ridge.chunk_rows,
        }
    }

    /// The factor of no samples.
    fn no_factor(&self) -> RidgeFactor {
        let (weight, bias) = self.model.readout();
        RidgeFactor::new(weight.size()[0], self.model.n_out(), bias.is_some(), weight.device())
    }

    fn on(&self) -> (Kind, Device) {
        let weight = self.model.readout().0;
        (weight.kind(), weight.device())
    }

    /// Points as `[1, time, channel]`, as the model takes them.
    fn stretch(&self, range: Range<usize>) -> Tensor {
        let (kind, device) = self.on();
        self.series.stretch(range).to_device(device).to_kind(kind)
    }

    fn warm_up(&self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<M::State> {
        let (warmup, memory) = (&self.split.warmup, self.model.memory());
        let points = warmup.len();
        if memory > points {
            observe(&FitEvent::ShortWarmUp { memory, points });
        }
        let mut state = self.model.init_state(1, self.on());
        if points > 0 {
            let sha = Shared::new(self.series.dt);
            state = predict(self.model, &sha, &self.stretch(warmup.clone()), state, &mut Tap::none())?.1;
        }
        observe(&FitEvent::WarmedUp { points });
        Ok(state)
    }

    /// The targets of inputs `rows`, those of all horizons side by side.
    fn targets(&self, rows: &Range<usize>) -> Tensor {
        let shifted = |h: &usize| self.stretch(rows.start + h..rows.end + h);
        Tensor::cat(&self.config.horizons.iter().map(shifted).collect::<Vec<_>>(), 2)
    }

    /// The penalty that is best on the validation part.
    fn choose(&self, measure: &Measure<'_, M>, factor: &RidgeFactor) -> Result<(f64, Vec<Candidate>)> {
        let (config, part) = (self.config, &self.split.validation);
        let nearest = (0..config.horizons.len()).min_by_key(|&i| config.horizons[i]).expect("there is a horizon");
        let mut found = Vec::new();
        // The greatest score wins: for one step ahead the error with its sign turned.
        let score = |_: &M| match config.select {
            Select::OneStep => {
                let forecasts = measure.forecasts(part.clone())?;
                // All models have the same targets: if these are constant for one, they are for all.
                let has_nrmse = forecasts.iter().all(|one| !one.error.nrmse.is_nan());
                let error = |one: &Forecast| if has_nrmse { one.error.nrmse } else { one.error.mse };
                let mean_error = forecasts.iter().map(error).sum::<f64>() / forecasts.len() as f64;
                let forecast = &forecasts[nearest];
                let (mse, nrmse) = (forecast.error.mse, forecast.error.nrmse);
                found.push(Score::OneStep { horizon: forecast.horizon, mse, nrmse, mean_error });
                Ok([0.0, 0.0, -error(forecast)])
            }
            Select::FreeRun => {
                let Some(free) = measure.free_runs(part.clone(), &config.free_run)? else {
                    return Err(ShortPart::FreeRuns { points: part.len() }.into());
                };
                let free = FreeRunSummary::from(&free);
                found.push(Score::FreeRun(free));
                Ok(free.score())
            }
        };
        let (best, scores) = factor.choose(&config.ridge_with(0.0), &config.alphas, self.model, score)?;
        let mut found = found.into_iter();
        let candidates = config.alphas.iter().zip(scores).map(|(&alpha, score)| Candidate {
            alpha,
            score: score.map(|_| found.next().expect("one for each score")).map_err(|error| error.to_string()),
            chosen: alpha == best,
        });
        Ok((best, candidates.collect()))
    }
}
