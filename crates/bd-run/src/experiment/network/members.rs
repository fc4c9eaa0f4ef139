//! The members of an ensemble, trained one after the other; a network alone is the only member.

use std::path::Path;

use bd_core::{Ensemble, Error, Params, Result, Stack, member_name};
use bd_models::Pipeline;
use bd_train::data::Examples;
use bd_train::data::dataset::{EvaluationSet, member_seed};
use bd_train::{Checkpoints, End, HeldOut, Newest, Observer, Source, Trained, Trainer};
use serde_json::Value;
use tch::Device;

use super::{Accuracies, Data, NetworkExperiment, task_batch};
use crate::config::NetworkConfig;
use crate::experiment::reporter::{Relay, Reporter};
use crate::experiment::{Stage, Work};
use crate::folder::{RunFolder, member_checkpoints};
use crate::metrics::Metrics;

/// The network of a configuration, with what drives it. Each member has the initial weights of a network alone of its [`member_seed`].
pub(crate) fn pipeline(config: &NetworkConfig, device: Device) -> Result<Pipeline<Ensemble>> {
    let params = Params::new(config.seed, (config.dtype.kind(), device));
    let (preparation, scaled) = (config.preparation(), config.scaled_targets());
    Pipeline::new(params, config.channels(), preparation, scaled, |params| {
        let member = |i: usize| {
            let mut own = Params::new(member_seed(config.seed, i), params.on());
            let net = config.model.build(&mut own)?;
            params.adopt(&member_name(i, config.ensemble), own)?;
            Ok(net)
        };
        Ensemble::new((0..config.ensemble).map(member).collect::<Result<_>>()?)
    })
}

/// What a training of all members came to.
pub(super) struct AllTrained {
    /// Of each member.
    pub(super) trained: Vec<Trained>,
    /// What the members reach on their validation parts, if there are some.
    pub(super) validation: HeldOut,
    /// At the reports of a member alone.
    pub(super) accuracies: Accuracies,
}

/// A member and what it learns.
pub(super) struct Member<'a> {
    number: usize,
    pub(super) net: &'a Stack,
    params: Params,
    /// Examples of a file that are its own.
    train: Option<Examples>,
    validation: Option<EvaluationSet>,
}

/// Sees nothing: it stands in for observers of a training whose reports are written already.
struct Blind;

impl Observer for Blind {
    fn save(&mut self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn restore(&mut self, _saved: &Value) -> Result<()> {
        Ok(())
    }
}

impl NetworkExperiment {
    fn member(&self, number: usize) -> Result<Member<'_>> {
        let (train, validation) = match &self.data {
            Data::File(data) => {
                let (train, validation) = data.of_member(number, &self.pipeline)?;
                (Some(train), validation)
            }
            Data::Random(set) => (Some(set.examples.clone()), None),
            Data::Task(..) => (None, None),
        };
        // What scales the data is no member's own; a network alone has it among its parameters, which is how it is saved with them.
        let params = self.pipeline.params.part(&member_name(number, self.config.ensemble));
        Ok(Member { number, net: &self.pipeline.net.members()[number], params, train, validation })
    }

    /// Trains all members, from the beginning or from their checkpoints.
    pub(super) fn train(
        &self,
        folder: &RunFolder,
        from: Option<Newest>,
        metrics: &mut Metrics,
        work: &mut Work<'_>,
    ) -> Result<Stage<AllTrained>> {
        let mut all = AllTrained { trained: Vec::new(), validation: HeldOut::default(), accuracies: Vec::new() };
        let checkpoints = folder.checkpoints();
        let newest = |i| Checkpoints::newest(&member_checkpoints(&checkpoints, i));
        let others = (1..self.config.ensemble).map(newest).collect::<Result<Vec<_>>>()?;
        let mut from = std::iter::once(from).chain(others).peekable();
        for number in 0..self.config.ensemble {
            if self.config.ensemble > 1 {
                work.listener.say(&format!("member    {} of {}", number + 1, self.config.ensemble));
            }
            let member = self.member(number)?;
            let own = from.next().flatten();
            // Its reports are in the file already, and so may be those of the next one.
            let is_past = from.peek().is_some_and(Option::is_some);
            let Stage::Done((trained, accuracies)) =
                self.train_member(&member, &checkpoints, own, is_past, metrics, work)?
            else {
                return Ok(Stage::Stopped);
            };
            if let Some(part) = &member.validation {
                let (sha, batch) = (self.config.sha(), self.config.test_batch());
                let found = self.criterion.evaluate(member.net, &self.pipeline, &sha, part, batch)?;
                all.validation.add(&found, part.examples.lengths())?;
            }
            all.accuracies = accuracies;
            all.trained.push(trained);
        }
        Ok(Stage::Done(all))
    }

    fn train_member(
        &self,
        member: &Member<'_>,
        checkpoints: &Path,
        from: Option<Newest>,
        is_past: bool,
        metrics: &mut Metrics,
        work: &mut Work<'_>,
    ) -> Result<Stage<(Trained, Accuracies)>> {
        let config = &self.config;
        let mut training = config.training(member.train.as_ref().map_or(usize::MAX, Examples::count));
        training.seed = member_seed(training.seed, member.number);
        let draw = |number: u64| match &self.data {
            Data::Task(task, _) => task_batch(config, &self.pipeline, task, number, config.batch.unwrap_or(1)),
            _ => unreachable!("examples are not drawn"),
        };
        let source = match (&member.train, &self.data) {
            (Some(examples), _) => Source::Examples(examples),
            (None, Data::Task(task, _)) => {
                Source::Drawn { updates: config.updates.unwrap_or(0), draw: &draw, steps: task.steps() }
            }
            (None, _) => unreachable!("only a task has no examples"),
        };
        let updates = source.updates(training.epochs, training.batch, training.accumulate, training.truncate);
        let whole = member.train.as_ref().filter(|examples| training.batch >= examples.count());
        let mut reporter = Reporter {
            experiment: self,
            net: member.net,
            member: (config.ensemble > 1).then_some(member.number + 1),
            listener: work.listener,
            metrics,
            watched: self.watched(member.train.as_ref())?,
            labels: whole.filter(|_| matches!(self.data, Data::Random(_))).map(|all| all.targets().shallow_clone()),
            an_epoch: updates / training.epochs.max(1),
            warned: Vec::new(),
            accuracies: Vec::new(),
        };
        let mut relay = Relay(work.listener);
        let (mut blind, mut blind_too) = (Blind, Blind);
        let observers: [&mut dyn Observer; 2] =
            if is_past { [&mut blind, &mut blind_too] } else { [&mut reporter, &mut relay] };
        let mut trainer = Trainer::new(member.net, &member.params, self.criterion, &training, config.sha())?
            .control(work.control.first_of(config.ensemble - member.number));
        for observer in observers {
            trainer = trainer.observe(observer);
        }
        if let Some(checkpoints) = config.checkpoints(member_checkpoints(checkpoints, member.number)) {
            trainer = trainer.checkpoints(checkpoints);
        }
        if let Some(validation) = &member.validation {
            trainer = trainer.validation(&validation.examples);
        }
        if let Some(Newest { path, checkpoint, .. }) = from {
            trainer.resume(checkpoint).map_err(|error| match error {
                Error::Config(reason) => Error::bad_file(path, reason),
                error => error,
            })?;
        }
        work.listener.on_training(updates, trainer.bptt().optimizer().step());
        let trained = trainer.fit(source);
        drop(trainer);
        work.listener.on_trained();
        let trained = trained?;
        if trained.end == End::Stopped {
            return Ok(Stage::Stopped);
        }
        work.listener.say(&self.end_of_training(&trained));
        Ok(Stage::Done((trained, reporter.accuracies)))
    }
}
