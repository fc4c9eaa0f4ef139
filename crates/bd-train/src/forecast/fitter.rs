//! [`Fitter`]: warm-up, the choice of the penalty where there are several, the regression; and how it goes on after a break.
//!
//! The horizons share their inputs, so that one model with the targets of all horizons side by side needs the features
//! and the factorisation once: its outputs are `[horizon, channel]`, flattened.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::time::Instant;

use bd_core::{Checkpoint, Forecaster, Result, Shared, StateTree, catch_torch};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fit::{Candidate, FitEvent, ForecastFit, Score};
use super::measure::{Forecast, Measure};
use super::passage::{Passage, Training, check_same, of_another};
use super::settings::{ForecastConfig, Select, ShortPart};
use crate::data::{Series, Split};
use crate::free_runs::FreeRunSummary;
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
    passage: Passage<'a, M>,
    from: Option<Standing<M::State>>,
}

impl<M: Forecaster> fmt::Debug for Fitter<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fitter").field("passage", &self.passage).finish_non_exhaustive()
    }
}

/// What a checkpoint says beside its tensors.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Saved {
    samples: usize,
    regression: Training,
}

/// The regression after some samples of the training part.
struct Standing<S> {
    factor: RidgeFactor,
    state: S,
}

impl<'a, M: Forecaster> Fitter<'a, M> {
    /// Of `model` to the parts `split` of `series`.
    pub fn new(model: &'a M, series: &'a Series, split: &'a Split, config: &'a ForecastConfig) -> Self {
        Self { passage: Passage::new(model, series, split, config), from: None }
    }

    /// With a handle that stops the fit, or has it save, after a chunk of samples.
    pub fn control(mut self, control: Control) -> Self {
        self.passage.control = control;
        self
    }

    /// With checkpoints. A cadence of updates counts chunks.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.passage.checkpoints = Some(checkpoints);
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
        let Passage { model, split, config, .. } = self.passage;
        self.check(config.short_part(split, model.memory()))?;
        let from = self.from.take();
        self.passage.measured(|measure| self.run(measure, from, observe))
    }

    /// Fits to the training part alone, and scores each penalty, of which there may be one, on the validation part; or `None` if it was
    /// stopped. The model has the weights of the best. So models are compared that are not the same, such as those of other delays.
    ///
    /// Fails as [`fit`](super::fit()) does, or if a checkpoint cannot be written.
    pub fn validate(self) -> Result<Option<Vec<Candidate>>> {
        let Passage { model, split, config, .. } = self.passage;
        let memory = model.memory();
        self.check(config.short_part(split, memory).or_else(|| config.short_for_choice(split, memory)))?;
        self.passage.measured(|measure| {
            let Some(standing) = self.trained(None, &mut |_| {})? else { return Ok(None) };
            Ok(Some(self.choose(measure, &standing.factor)?.1))
        })
    }

    /// Refuses what [`Passage::check`] does, for the parts that the model is fitted to.
    fn check(&self, short: Option<ShortPart>) -> Result<()> {
        let Passage { split, config, .. } = self.passage;
        self.passage.check(short, if config.alphas.len() > 1 { &split.validation } else { &split.train })
    }

    /// The regression with all samples of the training part, or `None` if it was stopped.
    fn trained(
        &self,
        from: Option<Standing<M::State>>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<Option<Standing<M::State>>> {
        let Passage { model, split, config, .. } = self.passage;
        self.passage.fit_scale()?;
        let mut standing = match from {
            Some(standing) => standing,
            None => Standing { factor: self.no_factor(), state: self.passage.warm_up(observe)? },
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
        let Passage { model, series, split, config, .. } = self.passage;
        let Some(mut standing) = self.trained(from, observe)? else { return Ok(None) };
        let (alpha, candidates) = if config.alphas.len() > 1 {
            let choice = self.choose(measure, &standing.factor)?;
            observe(&FitEvent::Chosen(&choice.1));
            if self.passage.control.is_stopped() {
                self.write(&standing.factor, &standing.state)?;
                return Ok(None);
            }
            // With the penalty chosen, the validation part is for training, too.
            let Standing { factor, state } = &mut standing;
            let more = config.rows(&split.train).end..config.rows(&split.validation).end;
            let sha = Shared::new(series.dt).ahead(more.start);
            let (x, y) = (self.passage.stretch(more.clone()), self.passage.targets(&more));
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
            1 => self.passage.validate(measure, observe)?,
            _ => Vec::new(),
        };
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
        let Passage { model, series, config, .. } = self.passage;
        let sha = Shared::new(series.dt).ahead(left.start);
        let (x, y) = (self.passage.stretch(left.clone()), self.passage.targets(&left));
        let mut last_saved = Instant::now();
        let mut after_chunk = |factor: &RidgeFactor, state: &M::State| {
            let samples = factor.rows();
            observe(&FitEvent::Taken { samples });
            let chunks = samples.div_ceil(config.ridge.chunk_rows) as u64;
            self.passage.heed(chunks, &mut last_saved, |_| self.write(factor, state))
        };
        let Standing { factor, state } = standing;
        let ridge = config.ridge_with(config.alphas[0]);
        let (next, flow) = ridge.extend_while(factor, model, &sha, [&x, &y], state.share(), &mut after_chunk)?;
        standing.state = next;
        Ok(flow)
    }

    fn write(&self, factor: &RidgeFactor, state: &M::State) -> Result<()> {
        let Some(checkpoints) = &self.passage.checkpoints else { return Ok(()) };
        let samples = factor.rows();
        let saved = Saved { samples, regression: self.training() };
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
        let saved: Saved =
            serde_json::from_value(checkpoint.meta["fit"].clone()).map_err(|error| of_another(error.to_string()))?;
        check_same(&saved.regression, saved.samples, &self.training())?;
        let Some((_, r)) = checkpoint.optim.iter().find(|(name, _)| name == FACTOR) else {
            return Err(of_another(format!("it has no {FACTOR}")));
        };
        let state = self.passage.model.init_state(1, self.passage.on()).load(&checkpoint.state)?;
        Ok(Standing { factor: self.no_factor().restored(r, saved.samples)?, state })
    }

    fn training(&self) -> Training {
        self.passage.training(self.passage.config.ridge.chunk_rows)
    }

    /// The factor of no samples.
    fn no_factor(&self) -> RidgeFactor {
        let Passage { model, .. } = self.passage;
        let (weight, bias) = model.readout();
        RidgeFactor::new(weight.size()[0], model.n_out(), bias.is_some(), weight.device())
    }

    /// The penalty that is best on the validation part.
    fn choose(&self, measure: &Measure<'_, M>, factor: &RidgeFactor) -> Result<(f64, Vec<Candidate>)> {
        let Passage { model, split, config, .. } = self.passage;
        let part = &split.validation;
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
        let (best, scores) = factor.choose(&config.ridge_with(0.0), &config.alphas, model, score)?;
        let mut found = found.into_iter();
        let candidates = config.alphas.iter().zip(scores).map(|(&alpha, score)| Candidate {
            alpha,
            score: score.map(|_| found.next().expect("one for each score")).map_err(|error| error.to_string()),
            chosen: alpha == best,
        });
        Ok((best, candidates.collect()))
    }
}
