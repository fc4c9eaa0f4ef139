//! Several processes that train a network together: the first one writes the run, the others compute their share of each update.

use bd_core::{Error, Result, catch_torch};
use bd_train::process_group::gather_numbers;
use bd_train::{End, Observer, ProcessGroup};

use super::{Ended, NetworkExperiment, Setting, Stage, Work};
use crate::listener::Listener;
use crate::resume::Points;

impl Setting {
    /// Whether another process writes the run.
    pub(crate) fn assists(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.rank() > 0)
    }

    /// Refuses several processes for what one of them does.
    pub(crate) fn check_alone(&self, what: &str) -> Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        Err(Error::Config(format!(
            "{what} is the work of one process, and there are {}: several train networks, rnn and snn",
            group.size()
        )))
    }
}

/// Tells the other processes something, as the first one.
pub(crate) fn tell(group: Option<&dyn ProcessGroup>, what: bool) -> Result<()> {
    group.map_or(Ok(()), |group| gather_numbers(group, &[f64::from(u8::from(what))]).map(drop))
}

/// What the first process [tells](tell).
pub(crate) fn told(group: &dyn ProcessGroup) -> Result<bool> {
    Ok(gather_numbers(group, &[0.0])?[0][0] != 0.0)
}

/// What the first process of a group finds, told to all of it; a process alone finds it itself.
pub fn agreed(group: Option<&dyn ProcessGroup>, find: impl FnOnce() -> Result<bool>) -> Result<bool> {
    match group {
        Some(group) if group.rank() > 0 => told(group),
        group => {
            let found = find()?;
            tell(group, found)?;
            Ok(found)
        }
    }
}

/// Computes the share of this process, of a training that another one writes.
pub(crate) fn assist(
    experiment: &NetworkExperiment,
    from: Points,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Ended> {
    let work = Work::new(setting, listener);
    match catch_torch(|| experiment.assist(from, &work))? {
        Stage::Done(()) => Ok(Ended::Assisted),
        Stage::Stopped => Ok(Ended::Stopped { kept: None }),
    }
}

/// Stands for an observer that the process has which writes the run.
struct Elsewhere;

impl Observer for Elsewhere {}

impl NetworkExperiment {
    fn assist(&self, from: Points, work: &Work<'_>) -> Result<Stage<()>> {
        let mut from = from.into_iter();
        for number in 0..self.config().ensemble {
            let member = self.member(number)?;
            let training = member.training(self.config());
            let draw = |number: u64| self.drawn(number);
            let (mut reporter, mut relay) = (Elsewhere, Elsewhere);
            let mut trainer = self.trainer(&member, &training, work)?.observe(&mut reporter).observe(&mut relay);
            if let Some(point) = from.next().flatten() {
                point.resume(&mut trainer)?;
            }
            if trainer.fit(self.source(&member, &draw))?.end == End::Stopped {
                return Ok(Stage::Stopped);
            }
        }
        Ok(Stage::Done(()))
    }
}
