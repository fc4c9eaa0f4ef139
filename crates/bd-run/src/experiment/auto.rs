//! Every job that can learn a file of sequences, tried within a time, and the one that is best on samples that were held out.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bd_core::files::write_atomic;
use bd_core::text::short;
use bd_core::{Error, Result};
use bd_train::data::dataset::{Accept, ArrayNames, Dataset, Reading};
use bd_train::{Control, HeldOut};
use serde_json::{Map, Value, json};

use super::{Ended, Outcome, Report, RunObjective, Setting, fit_features, train};
use crate::config::absolute;
use crate::folder::{AUTO, RunsFolder};
use crate::listener::Listener;
use crate::{Config, FeaturesConfig, Layers, NetworkConfig};

/// The time of all tries together where nobody sets it, in seconds.
pub const USUAL_BUDGET_S: f64 = 60.0;

/// Jobs from the simplest on: of those whose scores differ by less than their error the first is taken.
const JOBS: [&str; 4] = ["conv", "esn", "rnn", "snn"];

/// What is tried on which file.
#[derive(Debug, Clone)]
pub struct AutoConfig {
    /// The file of sequences.
    pub file: PathBuf,
    /// What is said of it and of all jobs, such as `data.test_file` and `seed`; see [`Layers::options`].
    pub options: Vec<(&'static str, Value)>,
    /// What is said of networks alone, such as `device` and `dt`.
    pub of_networks: Vec<(&'static str, Value)>,
    /// The same as assignments, see [`Layers::set`].
    pub set: Vec<String>,
    /// The time of all tries together in seconds. A network that is being trained when its share is over is as good as it is then.
    pub budget_s: f64,
}

/// A job that was tried, or why it was not.
#[derive(Debug)]
pub struct Tried {
    /// Its name.
    pub job: &'static str,
    /// What came of it.
    pub came: Came,
}

/// What came of a try.
#[derive(Debug)]
pub enum Came {
    /// A model.
    Model(Box<TriedModel>),
    /// Nothing, for this reason.
    Nothing(String),
}

/// A model that was tried.
#[derive(Debug)]
pub struct TriedModel {
    /// Its run folder.
    pub run: PathBuf,
    /// On samples that were held out: the choice is by this alone.
    pub held_out: HeldOut,
    /// Numbers by name, those of the test part among them.
    pub metrics: Map<String, Value>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// How all tries ended.
#[derive(Debug)]
pub enum AutoEnded {
    /// There is a best one.
    Finished(AutoOutcome),
    /// It was stopped; the folder is kept if there is a run in it.
    Stopped {
        /// The folder, if there is a run in it. If one of them has ended, it is opened as the best of those.
        kept: Option<PathBuf>,
    },
}

/// What all tries came to.
#[derive(Debug)]
pub struct AutoOutcome {
    /// The folder, which [`Run::open`](crate::Run::open) opens as the run of the best.
    pub path: PathBuf,
    /// The job that was best.
    pub best: &'static str,
    /// All of them, from the simplest on.
    pub tried: Vec<Tried>,
    /// Seconds of everything.
    pub seconds: f64,
}

impl AutoOutcome {
    /// The best model.
    pub fn best(&self) -> Option<&TriedModel> {
        self.tried.iter().find(|tried| tried.job == self.best).and_then(Tried::model)
    }

    /// What the best is compared with other runs by: what it reaches on samples that were held out.
    pub fn objective(&self) -> Option<RunObjective> {
        self.best().and_then(|best| RunObjective::of_held_out(&best.held_out))
    }

    /// What `auto.json` has.
    pub fn json(&self) -> Value {
        let tried: Vec<Value> = self.tried.iter().map(Tried::json).collect();
        json!({"job": "auto", "best": self.best, "tried": tried, "seconds": {"total": self.seconds}})
    }
}

impl Tried {
    /// The model, if there is one.
    pub fn model(&self) -> Option<&TriedModel> {
        match &self.came {
            Came::Model(model) => Some(model),
            Came::Nothing(_) => None,
        }
    }

    fn json(&self) -> Value {
        match &self.came {
            Came::Model(model) => json!({"job": self.job, "metrics": model.metrics, "seconds": model.seconds}),
            Came::Nothing(why) => json!({"job": self.job, "left_out": why}),
        }
    }
}

/// Tries all jobs that can learn the file, each in a run folder `<job>` of its own below `setting.out`, or `runs/auto-...`, and writes
/// `auto.json` there, which names the best. `finish` adds to a run what its caller wants, and [finishes](Outcome::finish) it.
///
/// Fails if no job can learn the file; a job that fails is left out with its reason.
pub fn auto(
    config: &AutoConfig,
    setting: &Setting,
    listener: &dyn Listener,
    finish: &mut dyn FnMut(Outcome) -> Result<PathBuf>,
) -> Result<AutoEnded> {
    setting.check_alone("the choice among jobs")?;
    if !(config.budget_s > 0.0 && config.budget_s <= MOST_BUDGET_S) {
        return Err(Error::setting("budget", config.budget_s, format!("seconds above 0, at most {MOST_BUDGET_S}")));
    }
    let validation = config.options.iter().find(|(name, _)| *name == "data.validation");
    if let Some((name, _)) = validation.filter(|(_, value)| value.as_f64() == Some(0.0)) {
        return Err(Error::setting(*name, 0, "above 0: the best is chosen by what is held out"));
    }
    let plans = plans(config)?;
    let folder = RunsFolder::make(setting.out.as_deref(), "auto")?;
    let mut tries = Tries { config, setting, listener, path: folder.path(), finish };
    let tried = tries.all(plans)?;
    let stopped = setting.control.is_stopped();
    let Some(best) = best(&tried) else {
        if stopped {
            return Ok(AutoEnded::Stopped { kept: folder.keep_if_filled() });
        }
        let whys = tried.iter().filter_map(|tried| match &tried.came {
            Came::Nothing(why) => Some(format!("{}: {why}", tried.job)),
            Came::Model(_) => None,
        });
        return Err(Error::Config(format!("no job could learn the file. {}", whys.collect::<Vec<_>>().join("; "))));
    };
    let path = folder.path().to_path_buf();
    let outcome = AutoOutcome { path, best, tried, seconds: setting.began.elapsed().as_secs_f64() };
    let text = serde_json::to_string_pretty(&outcome.json()).map_err(|error| Error::Config(error.to_string()))?;
    write_atomic(&outcome.path.join(AUTO), (text + "\n").as_bytes())?;
    let kept = folder.keep_if_filled();
    // What was tried by then is of use, and is said to be the best of that.
    Ok(if stopped { AutoEnded::Stopped { kept } } else { AutoEnded::Finished(outcome) })
}

/// The part of the time that trainings may take; tests and figures follow each of them.
const FOR_TRAINING: f64 = 0.95;

/// A year.
const MOST_BUDGET_S: f64 = 31_536_000.0;

/// A job with what only it is told, or why it cannot be tried.
type Plan = (&'static str, std::result::Result<Vec<(&'static str, Value)>, String>);

/// What each job is to be told about the file.
fn plans(config: &AutoConfig) -> Result<Vec<Plan>> {
    let said = |path: &str| config.options.iter().find(|(known, _)| *known == path).map(|(_, value)| value);
    let reading = Reading {
        test_file: said("data.test_file").and_then(Value::as_str).map(|file| absolute(Path::new(file))),
        test: said("data.test").and_then(Value::as_f64),
        group: said("data.group").and_then(Value::as_str).map(str::to_owned),
        names: {
            let name = |path: &str| said(path).and_then(Value::as_str).map(str::to_owned);
            ArrayNames { x: name("data.arrays.x"), y: name("data.arrays.y"), trials: name("data.arrays.trials") }
        },
        targets_of: said("data.targets_of").and_then(|value| serde_json::from_value(value.clone()).ok()),
        seed: said("seed").and_then(Value::as_u64).unwrap_or(0),
        ..Reading::new(Accept::SpikesAndNumbers)
    };
    let data = Dataset::read(&config.file, &reading)?;
    let (has_events, has_numbers) = (data.train.events().is_some(), data.train.numbers().is_some());
    // The length of a step is that of a window where there is a target for each.
    let dt = config.of_networks.iter().find(|(name, _)| *name == "dt" && has_events && data.targets.of_steps());
    let windows = || dt.map(|(_, dt)| ("data.window_ms", dt.clone())).into_iter().collect();
    Ok(JOBS
        .into_iter()
        .map(|job| {
            let plan = match job {
                "conv" if data.targets.of_steps() => {
                    Err("it gives one output for a sequence, and the file has a target for each step".into())
                }
                "conv" | "esn" => Ok(windows()),
                "snn" if has_numbers => Ok(vec![("data.encode", json!({"name": "current"}))]),
                "snn" => Ok(Vec::new()),
                _ if has_events => Err("it takes numbers in steps, and the file has spikes with times".into()),
                _ => Ok(Vec::new()),
            };
            (job, plan)
        })
        .collect())
}

struct Tries<'a> {
    config: &'a AutoConfig,
    setting: &'a Setting,
    listener: &'a dyn Listener,
    path: &'a Path,
    finish: &'a mut dyn FnMut(Outcome) -> Result<PathBuf>,
}

impl Tries<'_> {
    fn all(&mut self, plans: Vec<Plan>) -> Result<Vec<Tried>> {
        let deadline = self.setting.began + Duration::from_secs_f64(self.config.budget_s * FOR_TRAINING);
        let whole = self.setting.control.clone().ending_at(deadline);
        let mut left = plans.iter().filter(|(_, plan)| plan.is_ok()).count();
        let mut tried = Vec::new();
        for (job, plan) in plans {
            let came = match plan {
                Ok(own) => {
                    let control = whole.first_of(left);
                    left -= 1;
                    self.one(job, own, control)?
                }
                Err(why) => Came::Nothing(why),
            };
            if let Came::Nothing(why) = &came {
                self.listener.say(&format!("left out  {job}: {why}"));
            }
            if self.setting.control.is_stopped() {
                break;
            }
            tried.push(Tried { job, came });
        }
        Ok(tried)
    }

    fn one(&mut self, job: &'static str, own: Vec<(&'static str, Value)>, control: Control) -> Result<Came> {
        let began = Instant::now();
        if control.is_over() {
            return Ok(Came::Nothing(format!("the {} s were over before it could begin", self.config.budget_s)));
        }
        self.listener.say(&format!("try       {job}"));
        let ended = match self.ended(job, own, control, began) {
            Ok(ended) => ended,
            // A network of the usual settings may not fit the data or the memory; the disk fails for all of them.
            Err(error @ Error::Storage { .. }) => return Err(error),
            Err(error) => return Ok(Came::Nothing(error.to_string())),
        };
        let Ended::Finished(outcome) = ended else {
            return Ok(Came::Nothing("its part of the time was over before there was a model".into()));
        };
        let metrics = outcome.metrics.clone();
        let Report::Network(report) = &outcome.report else { unreachable!("these jobs learn sequences") };
        let held_out = report.validation.clone();
        let run = (self.finish)(*outcome)?;
        let seconds = began.elapsed().as_secs_f64();
        self.listener.say(&format!("tried     {job}: {} in {seconds:.1} s", in_words(&held_out)));
        Ok(Came::Model(Box::new(TriedModel { run, held_out, metrics, seconds })))
    }

    fn ended(
        &self,
        job: &'static str,
        own: Vec<(&'static str, Value)>,
        control: Control,
        began: Instant,
    ) -> Result<Ended> {
        let file = self.config.file.to_string_lossy().into_owned();
        let mut options = vec![("data.file", json!(file))];
        options.extend(self.config.options.iter().cloned());
        options.extend(own);
        let setting = Setting { out: Some(self.path.join(job)), control, began, ..self.setting.clone() };
        if matches!(job, "conv" | "esn") {
            let (config, data) = FeaturesConfig::resolve(job, &Layers { options, ..Layers::default() })?;
            let device = Config::Features(Box::new(config.clone())).device().resolve()?;
            return fit_features(config, data, &Setting { device, ..setting }, self.listener);
        }
        options.extend(self.config.of_networks.iter().cloned());
        let (config, lessons) =
            NetworkConfig::resolve(job, &Layers { options, set: self.config.set.clone(), config: None })?;
        train(config, lessons, &setting, self.listener)
    }
}

/// Standard errors of a difference from which on it is taken for one. Two, and not the one of Breiman's rule, because networks stop by the
/// samples that judge them, which flatters their scores.
const CLEARLY: f64 = 2.0;

/// The simplest job that the best one's score on held-out samples is not [`CLEARLY`] better than; the simplest of all where no score is a
/// number.
fn best(tried: &[Tried]) -> Option<&'static str> {
    let scores: Vec<(&'static str, &HeldOut)> =
        tried.iter().filter_map(|tried| Some((tried.job, &tried.model()?.held_out))).collect();
    choose(&scores)
}

fn choose(scores: &[(&'static str, &HeldOut)]) -> Option<&'static str> {
    // A score that is no number is worse than any.
    let known: Vec<_> = scores.iter().filter(|(_, held)| held.mean().is_finite()).collect();
    let better = |held: &HeldOut, other: &HeldOut| held.gain_over(other).0 > 0.0;
    let best = known.iter().copied().reduce(|best, other| if better(other.1, best.1) { other } else { best });
    let Some((_, best)) = best else { return scores.first().map(|(job, _)| *job) };
    let near = |held: &HeldOut| {
        let (gain, error) = best.gain_over(held);
        gain <= CLEARLY * error
    };
    known.iter().find(|(_, held)| near(held)).map(|(job, _)| *job)
}

/// A score on held-out samples with its error.
fn in_words(held: &HeldOut) -> String {
    let what = if held.are_labels() { "held-out accuracy" } else { "held-out error over variance" };
    format!("{what} {} +- {}", short(held.mean()), short(held.standard_error()))
}

#[cfg(test)]
mod tests {
    use bd_train::Evaluation;
    use tch::Tensor;

    use super::*;

    /// Of `count` labels those are told right that `right` says.
    fn held(count: i64, right: impl Fn(i64) -> bool) -> HeldOut {
        let scores = Tensor::from_slice(&[1.0, 0.0]).expand([count, 2], false).contiguous();
        let labels: Vec<i64> = (0..count).map(|i| i64::from(!right(i))).collect();
        let found = Evaluation::new(0.0, scores, &Tensor::from_slice(&labels), None).unwrap();
        let mut held = HeldOut::default();
        held.add(&found, None, None).unwrap();
        held
    }

    fn chosen(scores: &[(&'static str, HeldOut)]) -> Option<&'static str> {
        choose(&scores.iter().map(|(job, held)| (*job, held)).collect::<Vec<_>>())
    }

    /// The first `right` of 100.
    fn first(right: i64) -> HeldOut {
        held(100, move |i| i < right)
    }

    /// Three samples of 100 told better are .03 with a standard error of .017, five are .05 with .022.
    #[test]
    fn the_simplest_within_two_standard_errors_is_taken() {
        assert_eq!(chosen(&[("conv", first(87)), ("rnn", first(90)), ("snn", first(70))]), Some("conv"));
        assert_eq!(chosen(&[("conv", first(85)), ("rnn", first(90)), ("snn", first(90))]), Some("rnn"));
        assert_eq!(chosen(&[("conv", first(95)), ("rnn", first(90))]), Some("conv"));
        // 9 right where the other is wrong and 6 the other way round are .03 with .039.
        let other = held(100, |i| (6..97).contains(&i));
        assert_eq!(chosen(&[("conv", first(88)), ("snn", other)]), Some("conv"));
    }

    #[test]
    fn a_score_that_is_no_number_is_not_the_best() {
        assert_eq!(chosen(&[("conv", HeldOut::default()), ("snn", first(3))]), Some("snn"));
        assert_eq!((chosen(&[("conv", HeldOut::default())]), chosen(&[])), (Some("conv"), None));
    }
}
