//! [`Scored`]: settings of a model of which the validation part chooses one, before the fit.

use std::sync::{Mutex, PoisonError};

use bd_core::text::short;
use bd_core::threads::each_alone;
use bd_core::{Error, Result, catch_torch};
use bd_train::Control;
use bd_train::data::{Series, Split};
use bd_train::forecast::{Candidate, Fitter, RidgeDevice, Score, Select};
use bd_train::metrics::NRMSE;
use serde_json::{Value, json};
use tch::Device;

use super::Stage;
use super::fit_words::score_line;
use super::forecast::{model, ridge_device};
use super::series::SeriesSource;
use crate::config::ForecastConfig;

/// Settings that were tried.
#[derive(Debug)]
pub(super) struct Scored<T> {
    pub(super) setting: T,
    /// The best penalty and its score, or why every penalty was refused.
    best: std::result::Result<(f64, Score), String>,
    pub(super) chosen: bool,
}

/// What settings are tried on.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) data: &'a SeriesSource,
    pub(super) split: &'a Split,
    pub(super) device: Device,
    pub(super) control: &'a Control,
    /// How many are tried at once, on the CPU.
    pub(super) at_once: usize,
}

impl Trial<'_> {
    /// Fits each of some settings to the training part and takes the one whose best penalty is the best on the validation part, of
    /// equal ones the first. `with` is the configuration of settings; `seen` hears how many have been tried.
    ///
    /// Fails if all are refused.
    pub(super) fn choose<T: Sync>(
        self,
        settings: Vec<T>,
        with: impl Fn(&T) -> ForecastConfig + Sync,
        seen: impl FnMut(usize),
    ) -> Result<Stage<Vec<Scored<T>>>> {
        let Self { data, split, device, control, at_once } = self;
        // A tensor may go to another thread, but not be seen by two.
        let series = Mutex::new(data.series.share());
        let at_once = if device == Device::Cpu { at_once } else { 1 };
        let one = |i: usize| {
            let series = series.lock().unwrap_or_else(PoisonError::into_inner).share();
            match catch_torch(|| candidates(&with(&settings[i]), &series, split, device, control)) {
                Ok(Some(candidates)) => Ok(Ok(chosen(candidates))),
                // That a fit was stopped ends the work as an error does.
                Ok(None) => Err(None),
                // States that grow beyond all bounds are no reason to end the search.
                Err(error @ (Error::Config(_) | Error::Setting { .. } | Error::NotFinite { .. })) => Ok(Err(error)),
                Err(error) => Err(Some(error)),
            }
        };
        let all = match each_alone(settings.len(), at_once, one, seen) {
            Ok(all) => all,
            Err(None) => return Ok(Stage::Stopped),
            Err(Some(error)) => return Err(error),
        };
        let (mut tried, mut refusal) = (Vec::new(), None);
        let mut best: Option<(usize, [f64; 3])> = None;
        for (setting, found) in settings.into_iter().zip(all) {
            if let Ok((_, score)) = &found
                && best.is_none_or(|(_, rank)| score.rank() > rank)
            {
                best = Some((tried.len(), score.rank()));
            }
            let best = found.map_err(|error| {
                let words = error.to_string();
                refusal.get_or_insert(error);
                words
            });
            tried.push(Scored { setting, best, chosen: false });
        }
        let Some((place, _)) = best else {
            return Err(refusal.unwrap_or_else(|| Error::Config("there is nothing to choose from".into())));
        };
        tried[place].chosen = true;
        Ok(Stage::Done(tried))
    }
}

/// The penalties of one configuration with their scores; `None` if the fit was stopped.
fn candidates(
    config: &ForecastConfig,
    series: &Series,
    split: &Split,
    device: Device,
    control: &Control,
) -> Result<Option<Vec<Candidate>>> {
    let channels = series.channels.len();
    let place = ridge_device(config, channels, split.train.len(), device)?;
    let (_params, model) = model(config, channels, place.as_ref().map_or(device, RidgeDevice::device))?;
    Fitter::new(&model, series, split, &config.fit()).control(control.clone()).validate()
}

fn chosen(candidates: Vec<Candidate>) -> (f64, Score) {
    let best = candidates.into_iter().find(|candidate| candidate.chosen).expect("one penalty is the best");
    (best.alpha, best.score.expect("the best one is no refusal"))
}

impl<T> Scored<T> {
    /// As a line of `metrics.jsonl`, which says what the settings are by the numbers `named`.
    pub(super) fn line(&self, named: Value) -> Value {
        let mut line = match &self.best {
            Ok((alpha, score)) => {
                let mut line = score_line(score);
                if let Score::OneStep { mean_error, .. } = score {
                    line["mean_error"] = json!(mean_error);
                }
                line["alpha"] = json!(alpha);
                line
            }
            Err(refusal) => json!({"refused": refusal}),
        };
        line["split"] = json!("validation");
        line["chosen"] = json!(self.chosen);
        if let (Some(line), Value::Object(named)) = (line.as_object_mut(), named) {
            line.extend(named);
        }
        line
    }

    /// The score in words.
    pub(super) fn score(&self, data: &SeriesSource) -> String {
        match &self.best {
            Ok((_, Score::OneStep { mean_error, .. })) => short(*mean_error),
            Ok((_, Score::FreeRun(free))) => short(data.valid_time(*free).value),
            Err(_) => "refused".into(),
        }
    }
}

/// The best of what was tried.
pub(super) fn best<T>(tried: &[Scored<T>]) -> &Scored<T> {
    tried.iter().find(|one| one.chosen).expect("one is the best")
}

/// What a [`score`](Scored::score) measures.
pub(super) fn measure(config: &ForecastConfig) -> &'static str {
    match (config.select, config.horizon.len()) {
        (Select::OneStep, 1) => NRMSE,
        (Select::OneStep, _) => "mean NRMSE/std of the horizons",
        (Select::FreeRun, _) => "median valid time",
    }
}
