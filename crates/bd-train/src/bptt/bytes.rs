//! [`Bptt::bytes`]: what an update takes of memory, before it is made.

use bd_core::kernel::{ScanBytes, ScanOf, scan_bytes};
use bd_core::{Inputs, Phase, System};
use tch::Device;

use super::Bptt;
use crate::data::Examples;
use crate::loss::Objective;

/// A batch, as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub struct BatchOf {
    /// Of each sequence.
    pub steps: usize,
    /// Inputs.
    pub samples: usize,
    /// How many spikes there are, where the inputs are lists of them.
    pub spikes: Option<usize>,
    /// Of the targets of all sequences.
    pub targets_bytes: usize,
    /// Whether the sequences have lengths.
    pub padded: bool,
    /// Whether it is drawn or copied for the update: not, where all examples are one batch.
    pub copied: bool,
}

impl BatchOf {
    /// A batch of so many of the examples.
    pub fn examples(examples: &Examples, size: usize) -> Self {
        let count = examples.count().max(1);
        let samples = size.min(count);
        let share = |all: usize| (all as f64 * samples as f64 / count as f64).ceil() as usize;
        let targets = examples.targets();
        Self {
            steps: examples.inputs().shape()[1] as usize,
            samples,
            spikes: match examples.inputs() {
                Inputs::Spikes(spikes) => Some(share(spikes.count())),
                Inputs::Dense(_) => None,
            },
            targets_bytes: share(targets.numel() * targets.kind().elt_size_in_bytes()),
            padded: examples.lengths().is_some(),
            copied: samples < count,
        }
    }
}

/// Memory of an update, in bytes, beside data, parameters and whatever else is there before there is a [`Bptt`].
#[derive(Debug, Clone, Copy)]
pub struct UpdateBytes {
    /// One scan and its adjoint. Batches that are accumulated follow one another; of truncated sequences it is one piece.
    pub scan: ScanBytes,
    /// Between scan and adjoint for each sample and step.
    pub kept_per_step_bytes: f64,
    /// Batches that are drawn or copied for the update, all of those that make one.
    pub batch_bytes: usize,
    /// What the loss and its gradient make beside outputs and their gradient. An estimate: [`Objective::copies`] of the outputs.
    pub loss_bytes: usize,
    /// Outputs of the batch or piece before, where several make an update or sequences are cut.
    pub last_outputs_bytes: usize,
    /// Gradients of the parameters that are summed over batches, penalised and clipped.
    pub gradients_bytes: usize,
    /// What the rule of the optimiser keeps.
    pub optimizer_bytes: usize,
}

impl UpdateBytes {
    /// At the peak. The loss has gone when the adjoint begins.
    pub fn total(&self) -> usize {
        let asked = self.scan.output_gradients_bytes;
        let loss_or_adjoint = (self.loss_bytes + asked).max(self.scan.adjoint());
        self.scan.kept()
            + loss_or_adjoint
            + self.batch_bytes
            + self.last_outputs_bytes
            + self.gradients_bytes
            + self.optimizer_bytes
    }
}

impl<S: System, O: Objective> Bptt<'_, S, O> {
    /// What an update would take of memory; nothing is made that grows with samples or steps. `None` where it is not known: on
    /// another device than the CPU, where the model is not scanned as one kernel, and where the objective asks for records.
    ///
    /// What the C library keeps of freed blocks is not in it: with blocks below 32 MB, for which it does so, an update of several
    /// pieces was seen to take twice as much.
    pub fn bytes(&self, batch: &BatchOf) -> Option<UpdateBytes> {
        let (kind, device) = self.params.on();
        if device != Device::Cpu || batch.steps == 0 || !self.objective.records().is_empty() {
            return None;
        }
        let size = kind.elt_size_in_bytes();
        let steps = self.truncate.unwrap_or(batch.steps).min(batch.steps);
        let in_piece = |all: usize| (all as f64 * steps as f64 / batch.steps as f64).ceil() as usize;
        let spikes = batch.spikes.map(in_piece);
        let scan = ScanOf { steps, samples: batch.samples, kind, spikes, record: true, wants_input_gradient: false };
        let bytes = scan_bytes(self.system, &self.sha.in_phase(Phase::Fit), &scan)?;

        let list = |spikes: usize| spikes.min(1 << 40) * size_of::<bd_core::Spike>();
        let dense = batch.steps.saturating_mul(batch.samples).min(1 << 40) * self.system.n_in() as usize * size;
        // Of a list a selection is none, and a piece is a copy.
        let inputs = if batch.spikes.is_some() { 0 } else { dense };
        let copied = if batch.copied { inputs + batch.targets_bytes.min(1 << 50) } else { 0 };
        let piece = if steps < batch.steps { spikes.map_or(0, list) } else { 0 };
        let several = self.accumulate > 1;
        let weights: usize = self.optimizer.params().iter().map(|(_, param)| param.numel() * size).sum();
        let made = [several, several, !self.penalty.is_none(), self.clip.is_some()];
        let outputs = bytes.outputs_bytes;
        Some(UpdateBytes {
            scan: bytes,
            kept_per_step_bytes: bytes.kept_per_step(&scan),
            batch_bytes: (copied + piece) * self.accumulate,
            loss_bytes: self.objective.copies(batch.padded) * outputs,
            last_outputs_bytes: if several || steps < batch.steps { outputs } else { 0 },
            gradients_bytes: weights * made.iter().filter(|made| **made).count(),
            optimizer_bytes: weights * self.optimizer.slots().len(),
        })
    }
}
