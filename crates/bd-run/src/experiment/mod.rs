//! Experiments: what a configuration says, carried out in a run folder.

mod auto;
mod delay;
mod evaluate;
mod features;
mod fit_memory;
mod fit_words;
mod fitted;
mod forecast;
mod lyapunov;
mod network;
mod objective;
mod random;
mod report;
mod reporter;
mod reservoir_states;
mod reservoir_words;
mod search;
mod series;
mod together;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bd_core::{Error, Result, catch_torch};
use bd_train::process_group::check_shares;
use bd_train::{Control, MemoryReport, ProcessGroup};
use serde_json::{Map, Value, json};
use tch::Device;

pub use self::auto::{AutoConfig, AutoEnded, AutoOutcome, Came, Tried, TriedModel, USUAL_BUDGET_S, auto};
pub use self::evaluate::evaluate_network;
pub(crate) use self::features::model as features_model;
pub use self::features::{evaluate_features, fit_features};
pub use self::forecast::{ForecastReport, evaluate_forecast};
pub(crate) use self::forecast::{PreparedForecast, loaded};
pub use self::lyapunov::{LyapunovReport, lyapunov};
pub(crate) use self::network::Initial;
pub use self::network::NetworkExperiment;
pub(crate) use self::network::pipeline;
pub use self::objective::RunObjective;
pub use self::report::{Decided, NetworkReport, Pictured, Recorded};
pub use self::reservoir_states::ReservoirStates;
pub use self::series::SeriesSource;
pub use self::together::agreed;
pub(crate) use self::together::{assist, tell, told};
use crate::Config;
use crate::config::Lessons;
use crate::folder::RunFolder;
use crate::listener::Listener;
use crate::manifest::{Manifest, Status};
use crate::resume::Points;
use crate::seconds::Seconds;

/// What surrounds an experiment.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where it computes.
    pub device: Device,
    /// The folder to create, which must not exist; `None` is `runs/<job>-<UTC time>-<4 hex>`.
    pub out: Option<PathBuf>,
    /// Stops it, or has it save.
    pub control: Control,
    /// Version of the program and the commit that it was built from, for the manifest.
    pub program: (&'static str, Option<String>),
    /// When the work began.
    pub began: Instant,
    /// Processes that train together, of which this is one; the first one writes the run. They are to be given the same configuration.
    pub group: Option<Arc<dyn ProcessGroup>>,
}

/// How an experiment ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything was done. The folder is not [finished](Outcome::finish) yet, so that something may be added to it.
    Finished(Box<Outcome>),
    /// It was stopped; its folder is kept if there is a checkpoint in it.
    Stopped {
        /// The folder, if it is kept.
        kept: Option<PathBuf>,
    },
    /// The share of this process is done; another one writes the run.
    Assisted,
}

/// What an experiment came to.
#[must_use = "the run is marked as done by `finish`"]
#[derive(Debug)]
pub struct Outcome {
    /// Its folder, in which everything is but what the caller adds.
    pub folder: RunFolder,
    /// What was found, for pictures and tables.
    pub report: Report,
    /// Numbers by name, as other programs rely on them.
    pub metrics: Map<String, Value>,
    /// What it is compared with other runs by; its value is the metric `objective`, too.
    pub objective: RunObjective,
    /// Of its parts.
    pub seconds: Seconds,
    /// What an update or the fit was predicted to take of memory.
    pub memory: Option<MemoryReport>,
}

impl Outcome {
    /// Marks the run as done: its folder.
    pub fn finish(self) -> Result<PathBuf> {
        self.folder.finish()
    }
}

/// What was found, for pictures and tables.
#[derive(Debug)]
pub enum Report {
    /// Of a forecast.
    Forecast(Box<ForecastReport>),
    /// Of a network.
    Network(Box<NetworkReport>),
}

/// What an experiment works with.
pub(crate) struct Work<'a> {
    pub(crate) listener: &'a dyn Listener,
    pub(crate) control: &'a Control,
    pub(crate) group: Option<&'a dyn ProcessGroup>,
    pub(crate) seconds: Seconds,
}

impl<'a> Work<'a> {
    pub(crate) fn new(setting: &'a Setting, listener: &'a dyn Listener) -> Self {
        let (control, group) = (&setting.control, setting.group.as_deref());
        Self { listener, control, group, seconds: Seconds::since(setting.began) }
    }
}

/// A stage of an experiment has ended because it was stopped.
pub(crate) enum Stage<T> {
    Done(T),
    Stopped,
}

/// Ends the function with [`Stage::Stopped`] if the experiment is to stop.
macro_rules! heed {
    ($work:expr) => {
        if $work.control.is_stopped() {
            return Ok($crate::experiment::Stage::Stopped);
        }
    };
}
pub(crate) use heed;

/// What was found and written.
pub(crate) struct Found {
    pub(crate) report: Report,
    pub(crate) metrics: Map<String, Value>,
    pub(crate) objective: RunObjective,
}

/// Carries out what a configuration of a forecast says.
pub fn forecast(config: crate::ForecastConfig, setting: &Setting, listener: &dyn Listener) -> Result<Ended> {
    setting.check_alone("a forecast")?;
    forecast::run(config, setting, listener)
}

/// Trains a network as a configuration says, on what it is to learn.
///
/// Of several processes each calls this; all but the first one [assist](Ended::Assisted) and write nothing.
///
/// Fails with [`Error::OutOfMemory`] before anything is written if an update would take more memory than there is.
pub fn train(
    mut config: crate::NetworkConfig,
    lessons: Lessons,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Ended> {
    setting.group.as_ref().map_or(Ok(()), |group| check_shares(group.size(), config.accumulate))?;
    let initial = Initial::read(&mut config)?;
    let make = || NetworkExperiment::beginning_with(initial.as_ref(), config, lessons, setting.device);
    let mut experiment = catch_torch(make)?;
    experiment.introduce(listener);
    initial.iter().flat_map(Initial::words).for_each(|words| listener.say(&words));
    let memory = experiment.checked_memory(listener)?;
    experiment.choose_readout(listener)?;
    if setting.assists() {
        return assist(&experiment, Points::default(), setting, listener);
    }
    let config = Config::Network(Box::new(experiment.config().clone()));
    let manifest = Manifest::now(&config, setting.device, setting.program.clone());
    let folder = RunFolder::create(setting.out.as_deref(), &config, manifest)?;
    carry_out(experiment, folder, Points::default(), memory, setting, listener)
}

/// Trains a network, of which each member goes on from its checkpoint if it has one.
pub(crate) fn carry_out(
    experiment: NetworkExperiment,
    mut folder: RunFolder,
    from: Points,
    memory: Option<MemoryReport>,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Ended> {
    let mut work = Work::new(setting, listener);
    work.seconds.lap("setup");
    let found = catch_torch(|| experiment.run(&mut folder, from, &mut work));
    end(found, folder, work.seconds, memory, listener)
}

/// Keeps the folder of an experiment that did not come to its end, if there is something in it.
pub(crate) fn end(
    found: Result<Stage<Found>>,
    folder: RunFolder,
    seconds: Seconds,
    memory: Option<MemoryReport>,
    listener: &dyn Listener,
) -> Result<Ended> {
    let kept = folder.is_worth_keeping();
    match found {
        Ok(Stage::Done(Found { report, mut metrics, objective })) => {
            metrics.insert("objective".into(), json!(objective.value));
            Ok(Ended::Finished(Box::new(Outcome { folder, report, metrics, objective, seconds, memory })))
        }
        Ok(Stage::Stopped) => Ok(Ended::Stopped { kept: kept.then(|| folder.keep(Status::Stopped)) }),
        Err(error) => {
            if kept {
                let diverged = matches!(error, Error::NotFinite { .. });
                let path = folder.keep(if diverged { Status::Diverged } else { Status::Failed });
                listener.say(&kept_words(&path, diverged));
            }
            Err(error)
        }
    }
}

fn kept_words(path: &Path, diverged: bool) -> String {
    let path = path.display();
    match diverged {
        true => format!("run       {path} is kept, with the last good parameters as a checkpoint"),
        false => format!("run       {path} is kept, with what was trained"),
    }
}
