//! [`Assist`]: a run goes on, of which another process writes the folder.

use std::path::Path;

use bd_core::{Error, Result, catch_torch};

use super::{Points, ResumeEnded, changed, nothing_to_resume};
use crate::Config;
use crate::config::{Layers, Lessons};
use crate::experiment::{NetworkExperiment, Setting, assist, told};
use crate::listener::Listener;
use crate::open::Run;

/// A run that goes on by several processes, for those that do not write it: the first one has it as a [`Resume`](super::Resume). All of
/// them read the same folder.
#[derive(Debug)]
pub struct Assist {
    run: Run,
    config: Config,
}

impl Assist {
    /// Reads the run in `path` with what `layers` change, as the first process does.
    pub fn open(path: &Path, layers: &Layers) -> Result<Self> {
        let run = Run::open(path)?;
        let (config, _) = changed(run.config(), layers)?;
        Ok(Self { run, config })
    }

    /// The configuration under which it goes on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Computes the share of this process, if the first one finds that there is something left to do.
    pub fn run(self, setting: &Setting, listener: &dyn Listener) -> Result<ResumeEnded> {
        let group = setting.group.as_deref();
        let group = group.ok_or_else(|| Error::Config("a process alone has nobody to assist".into()))?;
        let Config::Network(mut config) = self.config else { return Err(nothing_to_resume()) };
        if !told(group)? {
            return Ok(ResumeEnded::NothingLeft(self.run.path().to_path_buf()));
        }
        let points = Points::read(&self.run.path().join("checkpoints"), &config, listener)?;
        told(group)?;
        let lessons = Lessons::again(&config)?;
        let initial = points.initial(&mut config)?;
        let make = || NetworkExperiment::beginning_with(initial.as_ref(), *config, lessons, setting.device);
        let experiment = catch_torch(make)?;
        assist(&experiment, points, setting, listener).map(ResumeEnded::Went)
    }
}
