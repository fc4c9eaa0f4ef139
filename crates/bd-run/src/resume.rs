//! [`Resume`]: a run that was cut off, or that is to have more updates, goes on.

mod assist;
mod points;

use std::path::{Path, PathBuf};

use bd_core::{Error, Result, catch_torch, device};
use serde_json::Value;

pub use self::assist::Assist;
pub(crate) use self::points::{Point, Points};
use self::points::{REPEAT, newest, none_at_all};
use crate::Config;
use crate::config::{ForecastConfig, Layers, Lessons, NetworkConfig, cores};
use crate::experiment::{Ended, NetworkExperiment, PreparedForecast, Setting, carry_out, tell};
use crate::folder::{RunFolder, of_best};
use crate::listener::Listener;
use crate::manifest::{Resumed, Status, Versions, utc_now};
use crate::open::Run;

/// What may differ when a run goes on: how long it lasts, where it computes, what it reports and saves, where its file lies, which is
/// known by its content. None of it changes what the next update is.
const MAY_CHANGE: [&str; 11] = [
    "updates",
    "epochs",
    "device",
    "threads",
    "report_every",
    "tensorboard",
    "checkpoint_every",
    "checkpoint_minutes",
    "checkpoint_keep",
    "data.file",
    "data.test_file",
];

/// How going on ended.
#[derive(Debug)]
pub enum ResumeEnded {
    /// There was nothing left to do.
    NothingLeft(PathBuf),
    /// The run went on.
    Went(Ended),
}

/// A run folder that is locked and ready to go on.
#[derive(Debug)]
pub struct Resume {
    folder: RunFolder,
    config: Config,
    /// What differs from before, as `name: before -> now`.
    changes: Vec<String>,
    /// Whether more updates or epochs are wanted than before.
    is_longer: bool,
}

impl Resume {
    /// Opens the run in `path`, whose configuration `layers` may change where that changes no update: length, device, threads,
    /// reports, checkpoints, and the place of the file. Anything else that differs is refused with [`Error::Mismatch`].
    ///
    /// Fails with [`Error::Locked`] while another process is at work in the folder.
    pub fn open(path: &Path, layers: &Layers) -> Result<Self> {
        let path = &of_best(path)?;
        let folder = RunFolder::reopen(path)?;
        let run = Run::open(path)?;
        let (config, is_longer) = changed(run.config(), layers)?;
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for (name, was, is) in differences(run.config(), &config) {
            let line = format!("{name}: {was} -> {is}");
            // A file of which no hash is known could be any.
            let may = MAY_CHANGE.contains(&name.as_str()) && knows_file(&name, &config);
            if may { changes.push(line) } else { refused.push(line) }
        }
        if !refused.is_empty() {
            let what = format!("the configuration of {} (only {} may change)", path.display(), MAY_CHANGE.join(", "));
            return Err(Error::Mismatch { what, differences: refused });
        }
        Ok(Self { folder, config, changes, is_longer })
    }

    /// The configuration under which it goes on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Goes on from the newest checkpoints whose files are all what was written. A run that is done goes on if more updates or epochs are
    /// wanted than before, or if it has a network whose [time](bd_train::Control::ending_at) was over.
    ///
    /// Fails with [`Error::BadFile`] if there are none.
    pub fn run(self, setting: &Setting, listener: &dyn Listener) -> Result<ResumeEnded> {
        match self.config.clone() {
            Config::Network(config) => self.train(*config, setting, listener),
            Config::Forecast(config) => self.forecast(*config, setting, listener),
            Config::Features(_) => Err(nothing_to_resume()),
        }
    }

    fn train(mut self, mut config: NetworkConfig, setting: &Setting, listener: &dyn Listener) -> Result<ResumeEnded> {
        let points = Points::read(&self.folder.checkpoints(), &config, listener);
        // One that is done needs no checkpoints any more.
        let group = setting.group.as_deref();
        if self.is_done() && !self.is_longer && !points.as_ref().is_ok_and(Points::ran_out_of_time) {
            tell(group, false)?;
            return Ok(self.nothing_left());
        }
        let points = points?;
        points.check_length(&config)?;
        if self.is_done() && points.lost_patience() {
            listener.say("note      early stopping had ended this training: its validation loss no longer fell");
            tell(group, false)?;
            return Ok(self.nothing_left());
        }
        self.introduce(points.places(), setting, listener);
        // Others read the folder between the two, in which nothing changes until they have.
        tell(group, true)?;
        tell(group, true)?;
        let lessons = Lessons::again(&config)?;
        let initial = points.initial(&mut config)?;
        let make = || NetworkExperiment::beginning_with(initial.as_ref(), config, lessons, setting.device);
        let experiment = catch_torch(make)?;
        experiment.introduce(listener);
        let memory = experiment.checked_memory(listener)?;
        self.go_on(points.updates(), setting)?;
        carry_out(experiment, self.folder, points, memory, setting, listener).map(ResumeEnded::Went)
    }

    fn forecast(mut self, config: ForecastConfig, setting: &Setting, listener: &dyn Listener) -> Result<ResumeEnded> {
        setting.check_alone("a forecast")?;
        if self.is_done() {
            return Ok(self.nothing_left());
        }
        let folder = self.folder.checkpoints();
        let newest = newest(&folder, REPEAT, listener)?.ok_or_else(|| none_at_all(&folder))?;
        let step = newest.step()?;
        self.introduce(
            [format!("after {step} samples, from {}", newest.path.display())].into_iter(),
            setting,
            listener,
        );
        let prepared = PreparedForecast::new(config)?;
        self.go_on(step, setting)?;
        prepared.carry_out(self.folder, Some(newest), setting, listener).map(ResumeEnded::Went)
    }

    fn is_done(&self) -> bool {
        self.folder.manifest().status == Status::Done
    }

    fn nothing_left(&self) -> ResumeEnded {
        ResumeEnded::NothingLeft(self.folder.path().to_path_buf())
    }

    /// Says where it goes on, and what is other than before.
    fn introduce(&self, places: impl Iterator<Item = String>, setting: &Setting, listener: &dyn Listener) {
        for place in places {
            listener.say(&format!("resume    {place}"));
        }
        for change in &self.changes {
            listener.say(&format!("changed   {change}"));
        }
        let (was, is) = (&self.folder.manifest().device, device::device_name(setting.device));
        if *was != is {
            listener.say(&format!(
                "note      the run was on {was} and goes on on {is}: what follows is no longer bit for bit what it would have been"
            ));
        }
    }

    /// Marks the folder as one at work again, under the changed configuration.
    fn go_on(&mut self, step: u64, setting: &Setting) -> Result<()> {
        self.folder.go_on(Resumed {
            at: utc_now(),
            step,
            device: device::device_name(setting.device),
            threads: self.config.threads(),
            versions: Versions::here(setting.device, setting.program.clone()),
        })?;
        self.folder.write_config(&self.config)
    }
}

/// The configuration with what the layers change of it, and whether more updates or epochs are wanted than before.
fn changed(before: &Config, layers: &Layers) -> Result<(Config, bool)> {
    // A machine with fewer threads gives the same bytes.
    let threads = before.threads().min(cores());
    match before {
        Config::Network(before) => {
            let now = NetworkConfig { threads, ..NetworkConfig::clone(before) }.changed(layers)?;
            let is_longer = now.updates > before.updates || now.epochs > before.epochs;
            Ok((Config::Network(Box::new(now)), is_longer))
        }
        Config::Forecast(before) => {
            let now = ForecastConfig { threads, ..ForecastConfig::clone(before) }.changed(layers)?;
            Ok((Config::Forecast(Box::new(now)), false))
        }
        Config::Features(_) => Err(nothing_to_resume()),
    }
}

/// A fit in closed form takes seconds and has no checkpoints.
fn nothing_to_resume() -> Error {
    Error::Config(
        "a run of conv, or of esn on sequences, is fitted at once and cannot go on; repeat it by --config RUN/config.json".into(),
    )
}

/// Whether the file that a setting names, if it names one, is known by its content.
fn knows_file(setting: &str, config: &Config) -> bool {
    let hash = match (setting, config) {
        ("data.file", Config::Network(config)) => &config.data.sha256,
        ("data.file", Config::Forecast(config)) => &config.data.sha256,
        ("data.test_file", Config::Network(config)) => &config.data.test_sha256,
        _ => return true,
    };
    hash.is_some()
}

/// Dotted name, value before and value now of everything that differs.
fn differences(before: &Config, now: &Config) -> Vec<(String, Value, Value)> {
    let [before, now] = [before, now].map(|config| serde_json::to_value(config).expect("a configuration is JSON"));
    let mut all = Vec::new();
    compare("", &before, &now, &mut all);
    all
}

/// The same of parts of configurations, at a path.
pub(crate) fn compare(path: &str, before: &Value, now: &Value, all: &mut Vec<(String, Value, Value)>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for ((name, a), b) in a.iter().zip(b.values()) {
                compare(&bd_core::join(path, name), a, b, all);
            }
        }
        _ if before != now => all.push((path.to_owned(), before.clone(), now.clone())),
        _ => {}
    }
}
