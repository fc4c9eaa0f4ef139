//! What an update takes of memory, before it is made.

use bd_core::{Ensemble, Result, member_name};
use bd_models::{Pipeline, lags_of_learned};
use bd_networks::Projection;
use bd_train::{BatchOf, Criterion, MemoryNeeds, MemoryReport, Task, Trainer};

use super::{Data, NetworkExperiment, VALIDATION_SAMPLES};
use crate::config::{Model, NetworkConfig};
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
    let needs =
        trainer.bptt().bytes(batch).map(|update| MemoryNeeds::of_update(&update, config.model.hidden(), advice));
    let beside = bytes_of_lags(&config.model);
    Ok(needs.map(|needs| MemoryNeeds { bytes: needs.bytes.saturating_add(beside), ..needs }))
}

/// What is in memory while a network learns for each step that a synapse's delay is spread over, beside its weight, of which scans say
/// themselves: who is connected (target, delay, the synapse's number), and what the graph of libtorch keeps of the triangle in float64. Measured:
/// 100 bytes where spikes are spread out (4.4 million lags), 155 where they arrive in whole steps (4 million).
const BYTES_OF_A_LAG: f64 = 130.0;

/// Of delays that are learned what their lags take, when they are spread out most: at first.
fn bytes_of_lags(model: &Model) -> u64 {
    let Model::Populations(model) = model else { return 0 };
    let network = model.network.network();
    let of_projection = |projection: &Projection| {
        let learned = projection.learned_delay.as_ref()?;
        Some(projection.expected() * lags_of_learned(learned, network.dt_ms) * BYTES_OF_A_LAG)
    };
    network.projections.iter().filter_map(of_projection).sum::<f64>() as u64
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

#[cfg(test)]
mod tests {
    use bd_models::{PopulationNetworkConfig, WrittenNetwork};

    use super::*;

    /// By hand: 3 x 5 synapses; a spread of 4 steps reaches 5 to both sides, and one of 10 the 13 lags that there are.
    #[test]
    fn lags_take_memory() {
        let of = |delay: &str| {
            let text = format!(
                "dt_ms = 0.5\n[population.in]\nn = 3\nkind = \"input\"\n[population.A]\nn = 5\nneuron = \"lif\"\n[[projection]]\n\
                 from = \"in\"\nto = \"A.I\"\nconnect = {{ rule = \"all_to_all\" }}\nweight = 2\ntrained = true\ndelay = {delay}\n"
            );
            let config = PopulationNetworkConfig::new(WrittenNetwork::parse(&text).unwrap(), 2);
            bytes_of_lags(&Model::Populations(Box::new(config)))
        };
        assert_eq!(of("\"5*ms*rand()\""), 0);
        assert_eq!(of("{ learned = 0, most = \"5*ms\", spread = \"2*ms\" }"), 15 * 10 * 130);
        assert_eq!(of("{ learned = 0, most = \"5*ms\", spread = \"5*ms\" }"), 15 * 13 * 130);
    }
}
