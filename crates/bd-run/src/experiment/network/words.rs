//! What is said of an experiment before it begins.

use bd_core::kernel::gpu::has_form;
use bd_core::text::{plural, short};
use bd_core::{DataTransform, Inputs};
use bd_models::Encoder;
use bd_train::data::dataset::Prepared;
use bd_train::{EarlyStopping, End, Trained};
use tch::Device;

use super::{Data, NetworkExperiment};
use crate::listener::Listener;

/// Of more steps, or of fewer spikes, times may be in milliseconds.
const MANY_STEPS: usize = 10_000;
const SPARSE: f64 = 1e-4;

/// What became of events that are not in steps as they are, in words.
pub(in crate::experiment) fn counted_events(merged: usize, late: usize) -> Option<String> {
    let counted = [
        (merged, "counted as one with another of the same channel and step"),
        (late, "left out, which come after the last step"),
    ];
    let words = counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} spikes {what}"));
    words.reduce(|a, b| format!("{a}; {b}"))
}

/// The part of all updates at the end in which a least validation loss means that it was still falling.
const STILL_FALLING: f64 = 0.1;

impl NetworkExperiment {
    /// Says what data and network are, and which part of it a GPU does step by step.
    pub(crate) fn introduce(&self, listener: &dyn Listener) {
        listener.say(&self.describe());
        if let Data::File(data) = &self.data {
            data.notes
                .iter()
                .cloned()
                .chain(self.unlikely_times(data))
                .for_each(|note| listener.say(&format!("note      {note}")));
        }
        if self.pipeline.on().1 != Device::Cpu && !has_form(&self.pipeline.net, &self.config.sha()) {
            listener.say("gpu       no kernels of bd's own for all of this network; libtorch does the rest, some of it step by step");
        }
    }

    /// Why the training ended, and whose weights are kept.
    pub(super) fn end_of_training(&self, trained: &Trained) -> String {
        let updates = trained.losses.len() as u64;
        let length = match self.config.epochs {
            Some(epochs) => format!("all {}", plural(epochs as usize, "epoch")),
            None => format!("all {}", plural(updates as usize, "update")),
        };
        let mut words = match (trained.end, self.config.early_stopping) {
            (End::Patience, Some(EarlyStopping { patience, .. })) => format!(
                "ended     after {}: the validation loss has not improved for {}",
                plural(updates as usize, "update"),
                plural(patience as usize, "epoch")
            ),
            (End::Time, _) => format!("ended     after {}: its time was over", plural(updates as usize, "update")),
            _ => format!("ended     after {length}"),
        };
        let Some(best) = &trained.best else { return words };
        if let (End::Done, Some(epochs)) = (trained.end, self.config.epochs)
            && (updates - best.step) as f64 <= STILL_FALLING * updates as f64
        {
            words += &format!(", still improving; --epochs {} may help", epochs.saturating_mul(2));
        }
        let loss = short(best.loss);
        words
            + &format!(
                "\nbest      of the validation part after {} updates, loss {loss}; its weights are kept",
                best.step
            )
    }

    /// What is said where spikes with times are spread over so many steps that their unit may be another one.
    fn unlikely_times(&self, data: &Prepared) -> Option<String> {
        let binning = self.config.binning().filter(|_| data.had_times)?;
        let Inputs::Spikes(spikes) = data.train.inputs() else { return None };
        let filled = spikes.count() as f64 / spikes.shape().iter().product::<usize>().max(1) as f64;
        (binning.steps > MANY_STEPS || filled < SPARSE).then(|| {
            format!(
                "times are taken for seconds: {} steps of {} ms, with a spike in {} % of all channels and steps",
                binning.steps,
                binning.dt_ms,
                short(100.0 * filled)
            )
        })
    }

    /// Lines for people about data and network.
    pub fn describe(&self) -> String {
        let weights = plural(self.pipeline.n_trainable(), "weight");
        let loops = self.config.model.describe_loops().map_or_else(String::new, |loops| format!("\nloops     {loops}"));
        format!("data      {}\nmodel     {}, {weights}{loops}", self.describe_data(), self.config.model.describe())
    }

    fn describe_data(&self) -> String {
        let file = self.config.data.file.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
        match &self.data {
            Data::Task(task, set) => {
                let [samples, steps, channels] = set.examples.inputs().shape().map(|n| n as usize);
                let most = if task.is_padded() { "at most " } else { "" };
                format!(
                    "task {}: {} of {most}{}, a fresh batch of {} for every update, {samples} for testing",
                    task.name(),
                    plural(channels, "channel"),
                    plural(steps, "step"),
                    self.config.batch.unwrap_or(1),
                )
            }
            Data::Random(set) => {
                let [samples, steps, channels] = set.examples.inputs().shape().map(|n| n as usize);
                format!(
                    "{} of {} ({} ms), {}, {}",
                    plural(samples, "sample"),
                    plural(steps, "step"),
                    short(steps as f64 * self.config.dt),
                    plural(channels, "channel"),
                    spikes_in_words(set.examples.inputs(), ""),
                )
            }
            Data::File(data) if self.config.model.is_spiking() => {
                format!("{}: {}\ninputs    {}", file.to_string_lossy(), data.describe(), self.describe_inputs(data))
            }
            Data::File(data) => format!("{}: {}", file.to_string_lossy(), data.describe()),
        }
    }

    /// What drives a spiking network on a file.
    fn describe_inputs(&self, data: &Prepared) -> String {
        let (encoder, dt) = (self.config.data.encode, format!("steps of {} ms", self.config.dt));
        let steps = match encoder.substeps() {
            1 => String::new(),
            substeps => format!(", {substeps} steps for each of the data"),
        };
        let encoded = format!("encoded as {}{steps}", encoder.name());
        let Inputs::Spikes(_) = data.train.inputs() else { return format!("{encoded}, {dt}") };
        let counted = counted_events(data.merged_events, data.late_events);
        let counted = counted.map_or_else(String::new, |counted| format!("; {counted}"));
        let from = if encoder == Encoder::None { String::new() } else { format!("{encoded}: ") };
        format!("{from}{}, {dt}{counted}", spikes_in_words(data.train.inputs(), " for training"))
    }
}

/// How many spikes there are.
fn spikes_in_words(inputs: &Inputs, what_for: &str) -> String {
    let Inputs::Spikes(spikes) = inputs else { return String::new() };
    let [steps, samples, channels] = spikes.shape();
    let percent = short(100.0 * spikes.count() as f64 / (steps * samples * channels) as f64);
    format!("{} spikes{what_for} (in {percent} % of all channels and steps), kept as a list", spikes.count())
}
