//! [`Passage`]: the way through the training part of a series, whatever learns on it: its samples, its warm-up, its checkpoints.

use std::ops::{ControlFlow, Range};
use std::time::Instant;

use bd_core::{Error, Forecaster, Result, Shared, catch_torch};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::fit::FitEvent;
use super::measure::Measure;
use super::settings::{ForecastConfig, ShortPart};
use crate::data::{Series, Split};
use crate::free_runs::Units;
use crate::predict::predict_series;
use crate::trainer::{Checkpoints, Control};

/// A model with the series that it learns, and how it is stopped and saved.
#[derive(Debug)]
pub(super) struct Passage<'a, M: Forecaster> {
    pub(super) model: &'a M,
    pub(super) series: &'a Series,
    pub(super) split: &'a Split,
    pub(super) config: &'a ForecastConfig,
    pub(super) control: Control,
    pub(super) checkpoints: Option<Checkpoints>,
}

/// All that what is learned depends on and the model and the series do not tell.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Training {
    points: usize,
    warmup: Range<usize>,
    pub(super) rows: Range<usize>,
    horizons: Vec<usize>,
    chunk_rows: usize,
}

impl<'a, M: Forecaster> Passage<'a, M> {
    pub(super) fn new(model: &'a M, series: &'a Series, split: &'a Split, config: &'a ForecastConfig) -> Self {
        Self { model, series, split, config, control: Control::default(), checkpoints: None }
    }

    /// In chunks of so many samples.
    pub(super) fn training(&self, chunk_rows: usize) -> Training {
        Training {
            points: self.series.points(),
            warmup: self.split.warmup.clone(),
            rows: self.config.rows(&self.split.train),
            horizons: self.config.horizons.clone(),
            chunk_rows,
        }
    }

    /// Refuses settings that are not allowed, and a part that is too short for its use. The test part has none here. `last` is the last
    /// part that is learned.
    pub(super) fn check(&self, short: Option<ShortPart>, last: &Range<usize>) -> Result<()> {
        let Self { series, config, .. } = *self;
        config.check()?;
        match short {
            None | Some(ShortPart::Test { .. }) => {}
            Some(short) => return Err(short.into()),
        }
        let end = config.rows(last).end + config.farthest();
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
    pub(super) fn measured<T>(&self, work: impl FnOnce(&Measure<'_, M>) -> Result<T>) -> Result<T> {
        let Self { model, series, split, config, .. } = *self;
        catch_torch(|| {
            let known = series.stretch(split.train.clone()).squeeze_dim(0);
            work(&Measure::new(model, series, &config.horizons, Units::of(&known)?)?)
        })
    }

    /// Learns the scaling of inputs, where the model has one.
    pub(super) fn fit_scale(&self) -> Result<()> {
        self.model.fit_scale(&self.series.stretch(self.split.train.clone()).to_device(self.on().1))
    }

    pub(super) fn on(&self) -> (Kind, Device) {
        let weight = self.model.readout().0;
        (weight.kind(), weight.device())
    }

    /// Points as `[1, time, channel]`, as the model takes them.
    pub(super) fn stretch(&self, range: Range<usize>) -> Tensor {
        let (kind, device) = self.on();
        self.series.stretch(range).to_device(device).to_kind(kind)
    }

    /// The targets of inputs `rows`, those of all horizons side by side.
    pub(super) fn targets(&self, rows: &Range<usize>) -> Tensor {
        let shifted = |h: &usize| self.stretch(rows.start + h..rows.end + h);
        Tensor::cat(&self.config.horizons.iter().map(shifted).collect::<Vec<_>>(), 2)
    }

    /// The state after the warm-up.
    pub(super) fn warm_up(&self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<M::State> {
        let (warmup, memory) = (&self.split.warmup, self.model.memory());
        let points = warmup.len();
        if memory > points {
            observe(&FitEvent::ShortWarmUp { memory, points });
        }
        let mut state = self.model.init_state(1, self.on());
        if points > 0 {
            let sha = Shared::new(self.series.dt);
            state = predict_series(self.model, &sha, &self.stretch(warmup.clone()), state)?.1;
        }
        observe(&FitEvent::WarmedUp { points });
        Ok(state)
    }

    /// After a chunk, the `chunks`th: writes a checkpoint where one is due or requested, and says whether there shall be another chunk.
    pub(super) fn heed(
        &self,
        chunks: u64,
        last_saved: &mut Instant,
        write: impl FnOnce(&Checkpoints) -> Result<()>,
    ) -> Result<ControlFlow<()>> {
        let stopped = self.control.is_stopped();
        let is_due = |checkpoints: &Checkpoints| checkpoints.is_due(chunks, *last_saved);
        // In this order, so that a request is taken even where a checkpoint is due anyway.
        if self.control.take_save() || stopped || self.checkpoints.as_ref().is_some_and(is_due) {
            self.checkpoints.as_ref().map_or(Ok(()), write)?;
            *last_saved = Instant::now();
        }
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Forecasts of the validation part, if it is long enough; `observe` sees them.
    pub(super) fn validate(
        &self,
        measure: &Measure<'_, M>,
        observe: &mut dyn FnMut(&FitEvent<'_>),
    ) -> Result<Vec<super::Forecast>> {
        let validation = match self.split.validation.len() > self.config.farthest() {
            true => measure.forecasts(self.split.validation.clone())?,
            false => Vec::new(),
        };
        observe(&FitEvent::Validated(&validation));
        Ok(validation)
    }
}

/// A checkpoint is of something else than what is to go on.
pub(super) fn of_another(what: String) -> Error {
    Error::Config(format!("the checkpoint is of no fit that can go on here: {what}"))
}

/// Refuses a checkpoint of another training, or after more samples than there are.
pub(super) fn check_same(saved: &Training, samples: usize, here: &Training) -> Result<()> {
    match saved == here && samples <= here.rows.len() {
        true => Ok(()),
        false => Err(of_another(format!("it is of {saved:?}, and this is {here:?}"))),
    }
}
