//! [`Fitted`]: a forecaster fitted at once or sample by sample, from the beginning or from a checkpoint.

use std::time::Duration;

use bd_core::{Error, Result};
use bd_models::AnyForecaster;
use bd_train::data::Split;
use bd_train::forecast::{FitEvent, Fitter, ForecastFit, OnlineFit, OnlineFitter};
use bd_train::{Cadence, Checkpoints, Keep, Newest, OnlineRule};
use serde_json::{Map, Value, json};

use super::fit_words::{FitWords, validation_lines};
use super::objective::RunObjective;
use super::series::SeriesSource;
use super::{Stage, Work};
use crate::config::{CHECKPOINT_MINUTES, ForecastConfig};
use crate::folder::RunFolder;

/// Checkpoints of a fit that are left: one that is damaged has one behind it.
const KEPT: usize = 2;

/// What a fit has found, of either kind.
pub(super) enum Fitted {
    AtOnce(ForecastFit),
    Online(OnlineFit),
}

/// Fits the model, from the beginning or from a checkpoint.
pub(super) fn fit(
    config: &ForecastConfig,
    data: &SeriesSource,
    split: &Split,
    model: &AnyForecaster,
    from: Option<Newest>,
    folder: &RunFolder,
    work: &mut Work<'_>,
) -> Result<Stage<Fitted>> {
    let cadence = Cadence::Time(Duration::from_secs_f64(CHECKPOINT_MINUTES * 60.0));
    let checkpoints = Checkpoints::new(folder.checkpoints(), cadence, Keep::Last(KEPT));
    let (settings, control) = (config.fit(), work.control.clone());
    let mut words = FitWords { config, data, listener: work.listener, seconds: &mut work.seconds };
    let observe = &mut |event: &FitEvent<'_>| words.see(event);
    let of_checkpoint = |path| move |error: Error| Error::bad_file(path, error.to_string());
    let fitted = match config.rule() {
        None => {
            let fitter = Fitter::new(model, &data.series, split, &settings);
            let mut fitter = fitter.control(control).checkpoints(checkpoints);
            if let Some(Newest { path, checkpoint, .. }) = from {
                fitter.resume(&checkpoint).map_err(of_checkpoint(path))?;
            }
            fitter.fit(observe).map(|fit| fit.map(Fitted::AtOnce))
        }
        Some(rule) => {
            let fitter = OnlineFitter::new(model, &data.series, split, &settings, &rule);
            let mut fitter = fitter.control(control).checkpoints(checkpoints);
            if let Some(Newest { path, checkpoint, .. }) = from {
                fitter.resume(&checkpoint).map_err(of_checkpoint(path))?;
            }
            fitter.fit(observe).map(|fit| fit.map(Fitted::Online))
        }
    };
    work.listener.on_trained();
    Ok(match fitted? {
        Some(fitted) => Stage::Done(fitted),
        None => Stage::Stopped,
    })
}

impl Fitted {
    /// What is found of the validation part, as lines of `metrics.jsonl`.
    pub(super) fn lines(&self, channels: &[String]) -> Vec<Value> {
        match self {
            Self::AtOnce(fit) => validation_lines(fit, channels),
            Self::Online(fit) => fit.validation.iter().map(|one| one.line("validation", channels)).collect(),
        }
    }

    /// What the validation part says of it or, where there is none, what each sample that was learned online did before it was; `None`
    /// where neither is known.
    pub(super) fn objective(&self) -> Option<RunObjective> {
        match self {
            Self::AtOnce(fit) => {
                let chosen = fit.candidates.iter().find(|candidate| candidate.chosen);
                let score = chosen.and_then(|candidate| candidate.score.as_ref().ok());
                score.map(RunObjective::of_score).or_else(|| RunObjective::of_validation(&fit.validation))
            }
            Self::Online(fit) => {
                let before = || RunObjective::mean("online_mse", &fit.before_mse);
                Some(RunObjective::of_validation(&fit.validation).unwrap_or_else(before))
            }
        }
    }

    /// Numbers by name.
    pub(super) fn metrics(&self, config: &ForecastConfig) -> Map<String, Value> {
        let mut metrics = Map::new();
        metrics.insert("delay".into(), json!(config.nvar().delay));
        match self {
            Self::AtOnce(fit) => {
                metrics.insert("alpha".into(), json!(fit.alpha));
                metrics.insert("condition_number".into(), json!(fit.report.condition_number));
                if config.ridge.l1_ratio > 0.0 {
                    metrics.insert("used_features".into(), json!(fit.report.used));
                }
            }
            Self::Online(fit) => {
                if let Some(OnlineRule::Rls(rls)) = config.rule() {
                    metrics.insert("alpha".into(), json!(rls.alpha));
                }
                metrics.insert("unexcited".into(), json!(fit.unexcited));
                for (horizon, mse) in config.horizon.iter().zip(&fit.before_mse) {
                    metrics.insert(format!("online_mse.{horizon}"), json!(mse));
                }
            }
        }
        metrics
    }
}
