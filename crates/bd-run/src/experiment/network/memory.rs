//! What an update takes of memory, before it is made.

use bd_core::{Ensemble, Result, member_name};
use bd_models::Pipeline;
use bd_train::{BatchOf, Criterion, MemoryNeeds, MemoryReport, Task, Trainer};

use super::{Data, NetworkExperiment, VALIDATION_SAMPLES};
use crate::config::NetworkConfig;
use crate::listener::Listener;

impl NetworkExperiment {
    fn batch(&self) -> BatchOf {
        match (&self.data, self.examples()) {
            (Data::Task(task, _), _) => batch_of_task(&self.config, task),
            (_, Some(examples)) => BatchOf::examples(examples, self.config.training(examples.count()).batch),
            (_, None) => unreachable!("only a task has no examples"),
        }
    }

    /// What an update will take of memory, where that is known: said, and refused if there is less.
    pub(crate) fn checked_memory(&self, listener: &dyn Listener) -> Result<Option<MemoryReport>> {
        let Some(needs) = needs(&self.config, &self.pipeline, self.criterion, &self.batch())? else { return Ok(None) };
        needs.check(0)?;
        let memory = needs.beside();
        listener.say(&format!("memory    {}", memory.describe()));
        Ok(Some(memory))
    }
}

/// What an update takes of memory.
pub(super) fn needs(
    config: &NetworkConfig,
    pipeline: &Pipeline<Ensemble>,
    criterion: Criterion,
    batch: &BatchOf,
) -> Result<Option<MemoryNeeds>> {
    let advice = "take a smaller --batch, perhaps with more of --accumulate, fewer steps or samples, or cut the sequences by \
                  --truncate";
    // Members are trained one after the other, each like the first.
    let (net, params) = (&pipeline.net.members()[0], pipeline.params.part(&member_name(0, config.ensemble)));
    let trainer = Trainer::new(net, &params, criterion, &config.training(batch.samples), config.sha())?;
    Ok(trainer.bptt().bytes(batch).map(|update| MemoryNeeds::new(&update, config.model.hidden(), advice)))
}

/// A batch of a task, before it is drawn.
pub(super) fn batch_of_task(config: &NetworkConfig, task: &Task) -> BatchOf {
    let (steps, samples) = (task.steps(config.dt), config.batch.unwrap_or(1));
    let number = config.dtype.kind().elt_size_in_bytes();
    let targets_bytes = steps.saturating_mul(samples).saturating_mul(config.model.n_out() as usize * number);
    BatchOf { steps, samples, spikes: None, targets_bytes, padded: task.is_padded(), copied: true }
}

/// Bytes of the batches that test and validate: each is drawn in float64, copied into a tensor, and that into the dtype of the network.
pub(super) fn bytes_of_task(config: &NetworkConfig, task: &Task) -> u64 {
    let channels = (config.model.n_in() + config.model.n_out()) as usize;
    let samples = config.data.test_samples.saturating_add(VALIDATION_SAMPLES.min(config.data.test_samples));
    let numbers = task.steps(config.dt).saturating_mul(samples).saturating_mul(channels);
    numbers.saturating_mul(2 * size_of::<f64>() + config.dtype.kind().elt_size_in_bytes()) as u64
}
