//! [`Trainer`]: a training from its first update to its last, with validation, the best parameters, checkpoints and going on.

mod agreement;
mod checkpoints;
mod clock;
mod config;
mod control;
mod course;
mod observer;
mod saved;
mod source;
#[cfg(test)]
mod tests;
mod trained;

use std::fmt;

use bd_core::{Checkpoint, Error, Params, Result, Shared, System};

pub use self::checkpoints::{Cadence, Checkpoints, Keep, Newest};
pub use self::config::TrainConfig;
pub use self::control::Control;
use self::course::{Course, Progress};
pub use self::observer::{Observer, Report, Seen};
use self::saved::Saved;
pub use self::saved::Standing;
pub use self::source::{Draw, Source};
pub use self::trained::{Best, End, ReportPoint, Trained};
use crate::bptt::Bptt;
use crate::data::Examples;
use crate::loss::Objective;
use crate::process_group::ProcessGroup;

/// Trains a model by [`Bptt`] from the first update to the last.
///
/// | setting | what it brings |
/// |---|---|
/// | [`validation`](Self::validation) | examples whose loss stands in reports and, with [`TrainConfig::early_stopping`], chooses the parameters |
/// | [`checkpoints`](Self::checkpoints) | folders from which the training can go on |
/// | [`resume`](Self::resume) | going on from one, bit for bit |
/// | [`control`](Self::control) | a handle that stops it, or has it save |
/// | [`processes`](Self::processes) | the batches of an update are shared out among processes |
/// | [`observe`](Self::observe) | reports, progress, anything that looks on |
///
/// ```no_run
/// use std::time::Duration;
/// use bd_core::{Params, Shared, System};
/// use bd_train::{Cadence, Checkpoints, EarlyStopping, Keep, Loss, Source, TrainConfig, Trainer};
/// # fn run(net: bd_core::Stack, params: Params, train: bd_train::data::Examples, held: bd_train::data::Examples) -> bd_core::Result<()> {
/// let config = TrainConfig { epochs: 50, early_stopping: Some(EarlyStopping::default()), ..TrainConfig::default() };
/// let folder = std::path::Path::new("checkpoints");
/// let mut trainer = Trainer::new(&net, &params, Loss::Mse, &config, Shared::new(1.0))?
///     .validation(&held)
///     .checkpoints(Checkpoints::new(folder, Cadence::Time(Duration::from_secs(600)), Keep::Last(3)));
/// if let Some(newest) = Checkpoints::newest(folder)? {
///     trainer.resume(newest.checkpoint)?;
/// }
/// let trained = trainer.fit(Source::Examples(&train))?;
/// println!("{:?} after {} updates", trained.end, trained.losses.len());
/// # Ok(())
/// # }
/// ```
pub struct Trainer<'a, S: System, O> {
    bptt: Bptt<'a, S, O>,
    params: &'a Params,
    config: TrainConfig,
    validation: Option<&'a Examples>,
    checkpoints: Option<Checkpoints>,
    control: Control,
    observers: Vec<&'a mut dyn Observer>,
    resumed: Option<Saved>,
    group: Option<&'a dyn ProcessGroup>,
}

impl<S: System, O> fmt::Debug for Trainer<'_, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer").field("bptt", &self.bptt).field("config", &self.config).finish_non_exhaustive()
    }
}

impl<'a, S: System, O: Objective> Trainer<'a, S, O> {
    /// Trains all trainable parameters. `sha` is that of the first step of every sequence.
    pub fn new(system: &'a S, params: &'a Params, objective: O, config: &TrainConfig, sha: Shared) -> Result<Self> {
        config.check()?;
        let mut bptt = Bptt::new(system, params, objective, &config.optim, sha)?
            .penalty(config.penalty)?
            .accumulate(config.accumulate)?;
        if let Some(norm) = config.clip {
            bptt = bptt.clip(norm)?;
        }
        if let Some(steps) = config.truncate {
            bptt = bptt.truncate(steps)?;
        }
        Ok(Self {
            bptt,
            params,
            config: config.clone(),
            validation: None,
            checkpoints: None,
            control: Control::default(),
            observers: Vec::new(),
            resumed: None,
            group: None,
        })
    }

    /// Judges the model by these examples, which it does not learn from.
    pub fn validation(mut self, examples: &'a Examples) -> Self {
        self.validation = Some(examples);
        self
    }

    /// Saves, so that the training can go on after whatever ends it.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Heeds this handle.
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// Shares the batches of each update out among the processes of a group, of which this is one: see
    /// [`Bptt::processes`]. All processes get one configuration, one source and one validation part, stop after the same update, and
    /// come to the same parameters. Only the first one is given [checkpoints](Self::checkpoints); all go on from the same one.
    ///
    /// Fails if `accumulate` is not the number of processes times a power of two.
    pub fn processes(mut self, group: &'a dyn ProcessGroup) -> Result<Self> {
        self.bptt = self.bptt.processes(group)?;
        self.group = Some(group);
        Ok(self)
    }

    /// Lets an observer look on. Those that are saved are told apart by their order.
    pub fn observe(mut self, observer: &'a mut dyn Observer) -> Self {
        self.observers.push(observer);
        self
    }

    /// What makes the updates: for questions about memory, or settings that a test needs.
    pub fn bptt(&self) -> &Bptt<'a, S, O> {
        &self.bptt
    }

    /// Makes updates as on a device, wherever the parameters are: for tests.
    #[doc(hidden)]
    pub fn as_on_a_device(mut self) -> Self {
        self.bptt = self.bptt.as_on_a_device();
        self
    }

    /// Goes on from a checkpoint of such a training: the updates that follow are those that would have followed, bit for bit.
    ///
    /// Fails with [`Error::Mismatch`] if the checkpoint is of another configuration; `epochs` and `report_every` may differ.
    pub fn resume(&mut self, mut checkpoint: Checkpoint) -> Result<()> {
        let saved = Saved::read(&mut checkpoint)?;
        let differences = self.config.differences(&saved.config);
        if !differences.is_empty() {
            return Err(Error::Mismatch { what: "the configuration of the training to go on".into(), differences });
        }
        if saved.observers.len() != self.observers.len() {
            let (found, expected) = (self.observers.len(), saved.observers.len());
            let differences = vec![format!("{found} observers; the training began with {expected}")];
            return Err(Error::Mismatch { what: "the training to go on".into(), differences });
        }
        self.bptt.resume(&checkpoint)?;
        for (observer, saved) in self.observers.iter_mut().zip(&saved.observers) {
            observer.restore(saved)?;
        }
        self.resumed = Some(saved);
        Ok(())
    }

    /// Trains on the batches of a source to the end, or to where early stopping or a [`Control`] ends it. The parameters are then
    /// the best ones of the validation part with early stopping, else the last ones.
    ///
    /// A number that is not finite is an error, [`Error::NotFinite`]: the parameters are those before it, and a checkpoint has
    /// them. A device is waited for where an update is reported, at checkpoints, and at the end of an epoch that is judged.
    pub fn fit(&mut self, source: Source<'_>) -> Result<Trained> {
        let TrainConfig { epochs, batch, accumulate, truncate, .. } = self.config;
        if self.config.early_stopping.is_some() && self.validation.is_none() {
            return Err(Error::Config(
                "early stopping needs validation examples, which the trainer was not given".into(),
            ));
        }
        let updates = source.updates(epochs, batch, accumulate, truncate);
        self.check_alike(updates)?;
        let progress = match self.resumed.take() {
            Some(saved) => Progress::resume(updates, saved),
            None => Progress::begin(updates, &self.config),
        };
        let mut course = Course {
            config: &self.config,
            validation: self.validation,
            checkpoints: self.checkpoints.as_ref(),
            control: &self.control,
            observers: &mut self.observers,
            group: self.group,
            progress,
        };
        let bptt = &mut self.bptt;
        let end = match course.run(bptt, source) {
            // There is a checkpoint already.
            Ok(End::Stopped) => End::Stopped,
            Ok(end) => {
                course.save_at_end(bptt, Some(end))?;
                end
            }
            Err(error) => {
                if matches!(error, Error::NotFinite { .. }) {
                    course.save_at_end(bptt, None)?;
                }
                return Err(error);
            }
        };
        let trained = course.finish(bptt, end)?;
        if let (Some(best), true) = (&trained.best, end != End::Stopped) {
            self.params.load(&best.parameters)?;
        }
        Ok(trained)
    }
}
