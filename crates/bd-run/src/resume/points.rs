//! [`Points`]: the checkpoints from which the networks of a run go on.

use std::fmt;
use std::path::Path;

use bd_core::{Error, Result, System};
use bd_train::loss::Objective;
use bd_train::{Checkpoints, End, Newest, Standing, Trainer};

use crate::config::NetworkConfig;
use crate::experiment::Initial;
use crate::folder::member_checkpoints;
use crate::listener::Listener;

/// The checkpoint from which a training goes on.
pub(crate) struct Point {
    newest: Newest,
    /// How far the training had come.
    pub(crate) standing: Standing,
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point").field("path", &self.newest.path).field("standing", &self.standing).finish()
    }
}

impl Point {
    /// Brings a trainer to where the checkpoint was written.
    pub(crate) fn resume<S: System, O: Objective>(self, trainer: &mut Trainer<'_, S, O>) -> Result<()> {
        let Newest { path, checkpoint, .. } = self.newest;
        trainer.resume(checkpoint).map_err(|error| match error {
            Error::Config(reason) => Error::bad_file(path, reason),
            error => error,
        })
    }
}

/// Where each network of an ensemble goes on, or the only network: the newest valid checkpoint of each that has one. The others begin.
#[derive(Debug, Default)]
pub(crate) struct Points(Vec<Option<Point>>);

impl IntoIterator for Points {
    type Item = Option<Point>;
    type IntoIter = std::vec::IntoIter<Option<Point>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Points {
    /// Reads the checkpoints of all networks, and warns of those that are passed over.
    ///
    /// Fails with [`Error::BadFile`] if one of the networks has checkpoints of which none is whole, or if none has any.
    pub(super) fn read(folder: &Path, config: &NetworkConfig, listener: &dyn Listener) -> Result<Self> {
        let remedy = match config.ensemble {
            1 => REPEAT,
            _ => "remove its step-* folders, and this network alone is trained from its beginning",
        };
        let point = |i: usize| {
            let found = newest(&member_checkpoints(folder, i), remedy, listener)?;
            found.map(|newest| Ok(Point { standing: newest.standing()?, newest })).transpose()
        };
        let points = Self((0..config.ensemble).map(point).collect::<Result<_>>()?);
        if points.known().next().is_none() { Err(none_at_all(folder)) } else { Ok(points) }
    }

    /// The parameters of another run, where a network has not begun that begins with them.
    pub(super) fn initial(&self, config: &mut NetworkConfig) -> Result<Option<Initial>> {
        if self.0.iter().all(Option::is_some) { Ok(None) } else { Initial::read(config) }
    }

    fn known(&self) -> impl Iterator<Item = &Point> {
        self.0.iter().flatten()
    }

    /// How far each network had come that has a checkpoint.
    pub(crate) fn standings(&self) -> impl Iterator<Item = &Standing> {
        self.known().map(|point| &point.standing)
    }

    /// Updates of all networks together.
    pub(super) fn updates(&self) -> u64 {
        self.standings().map(|standing| standing.step).sum()
    }

    /// Whether a network's time was over before its training had come to its end.
    pub(super) fn ran_out_of_time(&self) -> bool {
        self.standings().any(|standing| standing.end == Some(End::Time))
    }

    /// Whether early stopping had ended the training of every network.
    pub(super) fn lost_patience(&self) -> bool {
        self.0.iter().all(|point| point.as_ref().is_some_and(|point| point.standing.end == Some(End::Patience)))
    }

    /// Refuses trainings that are to be shorter than they are.
    pub(super) fn check_length(&self, config: &NetworkConfig) -> Result<()> {
        let most = |of: fn(&Standing) -> u64| self.standings().map(of).max().unwrap_or(0);
        let (step, epoch) = (most(|standing| standing.step), most(|standing| standing.epoch));
        let pieces = config.truncate.is_some();
        if let Some(updates) = config.updates.filter(|updates| *updates < step && !pieces) {
            return Err(Error::setting("updates", updates, format!("at least {step}, which were made")));
        }
        match config.epochs.filter(|epochs| *epochs < epoch) {
            Some(epochs) => Err(Error::setting("epochs", epochs, format!("at least {epoch}, which were made"))),
            None => Ok(()),
        }
    }

    /// Where each network goes on, such as `after update 20, from run/checkpoints/step-00000020`.
    pub(super) fn places(&self) -> impl Iterator<Item = String> {
        let place = |(i, point): (usize, &Option<Point>)| {
            let Point { newest, standing } = point.as_ref()?;
            let member = if self.0.len() > 1 { format!("member {} ", i + 1) } else { String::new() };
            Some(format!("{member}after update {}, from {}", standing.step, newest.path.display()))
        };
        self.0.iter().enumerate().filter_map(place)
    }
}

/// What to do where there is nothing to go on from.
pub(super) const REPEAT: &str = "repeat the run with its config.json";

/// The newest checkpoint in a folder whose files are all what was written, if there are checkpoints. Those that are passed over are said.
///
/// Fails with [`Error::BadFile`], and with this remedy, if there are checkpoints and none of them is whole.
pub(super) fn newest(folder: &Path, remedy: &str, listener: &dyn Listener) -> Result<Option<Newest>> {
    let found = Checkpoints::newest(folder).map_err(|error| {
        Error::bad_file(folder, format!("no checkpoint in it is whole; {remedy}. Of the newest one: {error}"))
    })?;
    for error in found.iter().flat_map(|newest| &newest.passed_over) {
        listener.say(&format!("warning   a checkpoint is passed over: {error}"));
    }
    Ok(found)
}

/// A run cannot go on.
pub(super) fn none_at_all(folder: &Path) -> Error {
    Error::bad_file(folder, format!("there is no checkpoint to go on from; {REPEAT}"))
}
