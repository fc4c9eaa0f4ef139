//! [`OnlineFitter`]: a readout that learns the training part of a series sample by sample, and how it goes on after a break.

use std::ops::ControlFlow;
use std::time::Instant;

use bd_core::{Checkpoint, Error, Forecaster, Result, Shared, StateTree, catch_torch};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::fit::FitEvent;
use super::measure::Forecast;
use super::passage::{Passage, Training, check_same, of_another};
use super::settings::ForecastConfig;
use crate::data::{Series, Split};
use crate::host;
use crate::layout::time_first;
use crate::online::{CHUNK_ROWS, Learner, OnlineRule};
use crate::trainer::{Checkpoints, Control};

/// The name of the squared errors in a checkpoint.
const SQUARES: &str = "online.squares";

/// Learns the training part of a series once, from its first sample to its last, after a warm-up as of [`fit`](super::fit()). All horizons are
/// learned together. Of the settings of ridge regression only `chunk_rows` has a use here: it is stopped
/// and saved after so many samples, or after 1024 if that is less.
///
/// A checkpoint is what the rule remembers and the model's state after some chunks of samples, and their number, which names it.
#[derive(Debug)]
pub struct OnlineFitter<'a, M: Forecaster> {
    passage: Passage<'a, M>,
    rule: &'a OnlineRule,
    from: Option<Standing<M::State>>,
}

/// What learning a series has come to.
#[derive(Debug)]
pub struct OnlineFit {
    /// Samples that were learned.
    pub samples: usize,
    /// The mean square error of the predictions of the training part, each before its sample was learned: `[horizon]`.
    pub before_mse: Vec<f64>,
    /// See [`Learner::unexcited`].
    pub unexcited: usize,
    /// Forecasts of the validation part by the weights at the end; empty where there is none.
    pub validation: Vec<Forecast>,
}

/// After some samples of the training part.
#[derive(Debug)]
struct Standing<S> {
    learner: Learner,
    state: S,
    /// Sums of the squared errors of each output.
    squares: Vec<f64>,
}

/// What a checkpoint says beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    samples: usize,
    rule: OnlineRule,
    training: Training,
}

impl<'a, M: Forecaster> OnlineFitter<'a, M> {
    /// Of `model` to the parts `split` of `series`, by `rule`.
    pub fn new(
        model: &'a M,
        series: &'a Series,
        split: &'a Split,
        config: &'a ForecastConfig,
        rule: &'a OnlineRule,
    ) -> Self {
        Self { passage: Passage::new(model, series, split, config), rule, from: None }
    }

    /// With a handle that stops it, or has it save, after a chunk of samples.
    pub fn control(mut self, control: Control) -> Self {
        self.passage.control = control;
        self
    }

    /// With checkpoints. A cadence of updates counts chunks.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.passage.checkpoints = Some(checkpoints);
        self
    }

    /// Goes on from a checkpoint of the same training: what follows is bit for bit what it would have been. Fails if it is of another one.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.from = Some(catch_torch(|| self.restored(checkpoint))?);
        Ok(())
    }

    /// The fit, or `None` if it was stopped. `observe` sees what happens.
    ///
    /// Fails if settings are not allowed, if a part is too short, if the rule [diverges](crate::online), or if a checkpoint cannot be written.
    pub fn fit(mut self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<Option<OnlineFit>> {
        let Passage { model, split, config, .. } = self.passage;
        self.rule.check()?;
        self.passage.check(config.short_part(split, model.memory()), &split.train)?;
        let from = self.from.take();
        self.passage.measured(|measure| {
            self.passage.fit_scale()?;
            let mut standing = match from {
                Some(standing) => standing,
                None => Standing {
                    learner: Learner::new(model, self.rule)?,
                    state: self.passage.warm_up(observe)?,
                    squares: vec![0.0; model.n_out() as usize],
                },
            };
            if self.learn(&mut standing, observe)?.is_break() {
                return Ok(None);
            }
            let samples = standing.learner.samples() as usize;
            let (unexcited, channels) = (standing.learner.unexcited(), model.channels());
            let of_horizon = |squares: &[f64]| squares.iter().sum::<f64>() / (samples * channels) as f64;
            let before_mse: Vec<f64> = standing.squares.chunks(channels).map(of_horizon).collect();
            observe(&FitEvent::Learned { samples, before_mse: &before_mse, unexcited });
            let validation = self.passage.validate(measure, observe)?;
            Ok(Some(OnlineFit { samples, before_mse, unexcited, validation }))
        })
    }

    /// Learns the samples of the training part that are left, chunk by chunk, until it is stopped.
    fn learn(
        &self,
        standing: &mut Standing<M::State>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<ControlFlow<()>> {
        let Passage { model, series, .. } = self.passage;
        let rows = self.training().rows;
        observe(&FitEvent::Started { rows: rows.len(), columns: model.n_features() + 1 });
        standing.learner.write_to(model)?;
        let mut last_saved = Instant::now();
        let first = rows.start + standing.learner.samples() as usize;
        for from in (first..rows.end).step_by(self.chunk_rows()) {
            let chunk = from..rows.end.min(from + self.chunk_rows());
            let sha = Shared::new(series.dt).ahead(from);
            let (xs, ys) =
                (time_first(&self.passage.stretch(chunk.clone())), time_first(&self.passage.targets(&chunk)));
            let (before, next) = standing.learner.learn_steps(model, &sha, [&xs, &ys], standing.state.share())?;
            standing.state = next;
            let errors =
                (before - ys).to_kind(Kind::Double).square().sum_dim_intlist(&[0i64, 1][..], false, Kind::Double);
            let errors = errors.to_device(Device::Cpu);
            standing.squares.iter_mut().zip(host::numbers::<f64>(&errors)).for_each(|(sum, more)| *sum += more);
            let samples = standing.learner.samples() as usize;
            observe(&FitEvent::Taken { samples });
            let chunks = samples.div_ceil(self.chunk_rows()) as u64;
            if self.passage.heed(chunks, &mut last_saved, |to| self.write(to, standing))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn training(&self) -> Training {
        self.passage.training(self.chunk_rows())
    }

    /// Samples after which it can be stopped: those of a regression take milliseconds, and here each takes what all its weights do.
    fn chunk_rows(&self) -> usize {
        self.passage.config.ridge.chunk_rows.min(CHUNK_ROWS)
    }

    fn write(&self, checkpoints: &Checkpoints, standing: &Standing<M::State>) -> Result<()> {
        let samples = standing.learner.samples() as usize;
        let saved = Saved { samples, rule: *self.rule, training: self.training() };
        let mut optim = standing.learner.named();
        optim.push((SQUARES.into(), Tensor::from_slice(&standing.squares)));
        let checkpoint = Checkpoint {
            optim,
            state: standing.state.named(),
            meta: json!({"step": samples, "online": saved}),
            ..Checkpoint::default()
        };
        checkpoints.write(samples as u64, &checkpoint).map(drop)
    }

    /// Where a checkpoint was written.
    fn restored(&self, checkpoint: &Checkpoint) -> Result<Standing<M::State>> {
        let Passage { model, .. } = self.passage;
        let saved: Saved =
            serde_json::from_value(checkpoint.meta["online"].clone()).map_err(|error| of_another(error.to_string()))?;
        check_same(&saved.training, saved.samples, &self.training())?;
        if saved.rule != *self.rule {
            return Err(of_another(format!("it is of {:?}, and this is {:?}", saved.rule, self.rule)));
        }
        let squares = checkpoint.optim.iter().find(|(name, _)| name == SQUARES);
        let squares = squares.and_then(|(_, squares)| Vec::<f64>::try_from(squares).ok());
        let squares = squares.filter(|squares| squares.len() == model.n_out() as usize);
        Ok(Standing {
            learner: Learner::new(model, self.rule)?.restored(&checkpoint.optim, saved.samples as u64)?,
            state: model.init_state(1, self.passage.on()).load(&checkpoint.state)?,
            squares: squares.ok_or_else(|| Error::Config(format!("the checkpoint has no {SQUARES}")))?,
        })
    }
}
