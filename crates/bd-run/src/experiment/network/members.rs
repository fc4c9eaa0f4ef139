//! The members of an ensemble, trained one after the other; a network alone is the only member.

use bd_core::{Ensemble, Params, Result, Stack, member_name};
use bd_models::Pipeline;
use bd_train::data::Examples;
use bd_train::data::dataset::{EvaluationSet, member_seed};
use bd_train::trainer::Draw;
use bd_train::{Criterion, End, HeldOut, Source, TrainConfig, Trained, Trainer};
use tch::Device;

use super::{Accuracies, Data, NetworkExperiment, VALIDATION_BATCH, VALIDATION_SAMPLES, task_batch};
use crate::config::NetworkConfig;
use crate::experiment::reporter::{Relay, Reporter};
use crate::experiment::{Stage, Work};
use crate::folder::{RunFolder, member_checkpoints};
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::resume::{Point, Points};

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
    /// The loss of each member on it, with the weights that are kept.
    pub(super) validation_losses: Vec<f64>,
    /// At the reports of a member alone.
    pub(super) accuracies: Accuracies,
}

/// A member and what it learns.
pub(in crate::experiment) struct Member<'a> {
    number: usize,
    pub(super) net: &'a Stack,
    params: Params,
    /// Examples of a file that are its own.
    train: Option<Examples>,
    /// Of a file its own part, of a task the batch that is drawn for it.
    validation: Option<EvaluationSet>,
}

impl Member<'_> {
    /// How it is trained: by its own seed.
    pub(in crate::experiment) fn training(&self, config: &NetworkConfig) -> TrainConfig {
        let training = config.training(self.train.as_ref().map_or(usize::MAX, Examples::count));
        TrainConfig { seed: member_seed(training.seed, self.number), ..training }
    }
}

impl NetworkExperiment {
    pub(in crate::experiment) fn member(&self, number: usize) -> Result<Member<'_>> {
        let (train, validation) = match &self.data {
            Data::File(data) => {
                let (train, validation) = data.of_member(number, &self.pipeline)?;
                (Some(train), validation)
            }
            Data::Random(set) => (Some(set.examples.clone()), None),
            Data::Task(task, _) => {
                let samples = self.config.data.test_samples.min(VALIDATION_SAMPLES);
                let drawn = task_batch(&self.config, &self.pipeline, task, VALIDATION_BATCH, samples)?;
                (None, Some(EvaluationSet::from(drawn)))
            }
        };
        // What scales the data is no member's own; a network alone has it among its parameters, which is how it is saved with them.
        let params = self.pipeline.params.part(&member_name(number, self.config.ensemble));
        Ok(Member { number, net: &self.pipeline.net.members()[number], params, train, validation })
    }

    /// Trains all members, each from its checkpoint or, without one, from the beginning. One whose training has ended has nothing left to
    /// do, and is what it was; one that is to have more epochs goes on like any other.
    pub(super) fn train(
        &self,
        folder: &RunFolder,
        from: Points,
        metrics: &mut Metrics,
        work: &mut Work<'_>,
    ) -> Result<Stage<AllTrained>> {
        let saved = from.standings().filter_map(|standing| standing.observers.first());
        metrics.cut_after_last(saved.map(Reporter::mark_in))?;
        let mut all = AllTrained {
            trained: Vec::new(),
            validation: HeldOut::default(),
            validation_losses: Vec::new(),
            accuracies: Vec::new(),
        };
        let mut from = from.into_iter();
        for number in 0..self.config.ensemble {
            if self.config.ensemble > 1 {
                work.listener.say(&format!("member    {} of {}", number + 1, self.config.ensemble));
            }
            let member = self.member(number)?;
            let point = from.next().flatten();
            let Stage::Done((trained, accuracies)) = self.train_member(&member, folder, point, metrics, work)? else {
                return Ok(Stage::Stopped);
            };
            if let Some(part) = &member.validation {
                let (sha, batch) = (self.config.sha_of_member(number), self.config.test_batch());
                let found = self.criterion.evaluate(member.net, &self.pipeline, &sha, part, batch)?;
                all.validation_losses.push(found.loss);
                // Steps of a task have no accuracy of their own: its decisions are counted by trials.
                if let Data::File(_) = &self.data {
                    all.validation.add(&found, part.identities.as_deref(), part.examples.lengths())?;
                }
            }
            all.accuracies = accuracies;
            all.trained.push(trained);
        }
        Ok(Stage::Done(all))
    }

    fn train_member(
        &self,
        member: &Member<'_>,
        folder: &RunFolder,
        from: Option<Point>,
        metrics: &mut Metrics,
        work: &mut Work<'_>,
    ) -> Result<Stage<(Trained, Accuracies)>> {
        let config = &self.config;
        let training = member.training(config);
        let draw = |number: u64| self.drawn(number);
        let source = self.source(member, &draw);
        let updates = source.updates(training.epochs, training.batch, training.accumulate, training.truncate);
        let mut reporter = self.reporter(member, &training, updates, metrics, work.listener)?;
        let mut relay = Relay(work.listener);
        let mut trainer = self.trainer(member, &training, work)?.observe(&mut reporter).observe(&mut relay);
        if let Some(checkpoints) = config.checkpoints(member_checkpoints(&folder.checkpoints(), member.number)) {
            trainer = trainer.checkpoints(checkpoints);
        }
        if let Some(point) = from {
            point.resume(&mut trainer)?;
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

    /// What trains a member, without what looks on and saves.
    pub(in crate::experiment) fn trainer<'t>(
        &'t self,
        member: &'t Member<'_>,
        training: &TrainConfig,
        work: &Work<'t>,
    ) -> Result<Trainer<'t, Stack, Criterion>> {
        let config = &self.config;
        let mut trainer =
            Trainer::new(member.net, &member.params, self.criterion, training, config.sha_of_member(member.number))?
                .control(work.control.first_of(config.ensemble - member.number));
        if let Some(validation) = &member.validation {
            trainer = trainer.validation(&validation.examples);
        }
        match work.group {
            Some(group) => trainer.processes(group),
            None => Ok(trainer),
        }
    }

    /// Where the batches of a member come from; `draw` draws them where there are no examples.
    pub(in crate::experiment) fn source<'s>(&self, member: &'s Member<'_>, draw: &'s Draw<'s>) -> Source<'s> {
        match (&member.train, &self.data) {
            (Some(examples), _) => Source::Examples(examples),
            (None, Data::Task(task, _)) => {
                Source::Drawn { updates: self.config.updates.unwrap_or(0), draw, steps: task.steps(self.config.dt) }
            }
            (None, _) => unreachable!("only a task has no examples"),
        }
    }

    /// The batch of a number, of a task.
    pub(in crate::experiment) fn drawn(&self, number: u64) -> Result<Examples> {
        let Data::Task(task, _) = &self.data else { unreachable!("examples are not drawn") };
        task_batch(&self.config, &self.pipeline, task, number, self.config.batch.unwrap_or(1))
    }

    /// What writes `metrics.jsonl` while a member makes at most so many updates.
    fn reporter<'r>(
        &'r self,
        member: &Member<'r>,
        training: &TrainConfig,
        updates: u64,
        metrics: &'r mut Metrics,
        listener: &'r dyn Listener,
    ) -> Result<Reporter<'r>> {
        let named = (self.config.ensemble > 1).then_some(member.number + 1);
        // Batches of all examples, which are learned by heart.
        let whole = member.train.as_ref().filter(|all| training.batch >= all.count());
        let whole = whole.filter(|_| matches!(self.data, Data::Random(_)));
        Ok(Reporter {
            experiment: self,
            net: member.net,
            member: named,
            listener,
            reported: metrics.reported(named)?,
            metrics,
            watched: self.watched(member.train.as_ref())?,
            labels: whole.map(|all| all.targets().shallow_clone()),
            an_epoch: updates / training.epochs.max(1),
            warned: Vec::new(),
            accuracies: Vec::new(),
        })
    }
}
