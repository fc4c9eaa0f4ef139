//! Networks run over sequences; any of their states can be recorded.

use std::path::Path;

use bd_core::text::{plural, short};
use bd_core::{
    Arrays, DataTransform, Ensemble, Error, Inputs, Result, Shared, Spikes, StateTree, System, Tap, catch_torch,
    kind_name,
};
use bd_models::Pipeline;
use bd_train::data::Binned;
use bd_train::data::dataset::{Sequences, Targets, Use, binned_events, first_not_spike, sequences, spikes_of};
use bd_train::{Loss, OverTime, predict};
use tch::{Device, Kind, Tensor};

use super::{Input, Prediction, Prepared, PreparedData, refuse, seen};
use crate::Run;
use crate::config::{NetworkConfig, OF_SEQUENCE};
use crate::experiment::pipeline;

/// A trained network.
#[derive(Debug)]
pub(super) struct Running {
    config: NetworkConfig,
    pipeline: Pipeline<Ensemble>,
    /// Whether the output at the last step stands for a sequence.
    of_sequence: bool,
    /// Of the first step. The key is that of the evaluation, so that a network that draws noise predicts what it was judged by where it is given
    /// the same samples in the same order.
    sha: Shared,
    /// How scores of classes are made of outputs, if it tells classes.
    over: Option<OverTime>,
}

/// Sequences as the network takes them.
#[derive(Debug)]
pub(super) struct SequencesInput {
    inputs: Inputs,
    lengths: Option<Tensor>,
    record: Vec<String>,
    /// What the samples were for, where the run has learned from some of them.
    uses: Option<Vec<Use>>,
}

impl SequencesInput {
    /// Steps and channels of the spikes of a sample, up to its own length, by step.
    pub(super) fn spikes(&self, file: &Path, sample: usize) -> Result<Vec<(u32, u32)>> {
        let [count, steps, _] = self.inputs.shape();
        if sample as i64 >= count {
            return Err(Error::setting(
                "sample",
                sample,
                format!("from 0 to {}, the samples of {}", count - 1, file.display()),
            ));
        }
        let length = match &self.lengths {
            Some(lengths) => lengths.f_int64_value(&[sample as i64])?,
            None => steps,
        };
        let one = self.inputs.select(&[sample])?;
        let spikes = match one {
            Inputs::Spikes(spikes) => spikes,
            Inputs::Dense(xs) => Spikes::from_dense(&xs).map_err(|_| {
                let reason =
                    format!("sample {sample} drives the network by numbers that are not all 0 or 1, and a simulation takes spikes");
                Error::bad_file(file, reason)
            })?,
        };
        let own = spikes.sample(0).iter().filter(|spike| i64::from(spike.step) < length);
        Ok(own.map(|spike| (spike.step, spike.channel)).collect())
    }
}

impl Running {
    pub(super) fn new(run: &Run, config: &NetworkConfig, device: Device) -> Result<Self> {
        let pipeline = catch_torch(|| pipeline(config, device))?;
        pipeline.params.load(&run.weights()?)?;
        let over = match config.loss {
            Loss::CrossEntropy { over } => Some(over),
            _ => None,
        };
        Ok(Self {
            config: config.clone(),
            pipeline,
            of_sequence: matches!(config.data.targets, Some(Targets::Vectors { .. })),
            sha: config.sha(),
            over,
        })
    }

    pub(super) fn pipeline(&self) -> &Pipeline<Ensemble> {
        &self.pipeline
    }

    pub(super) fn read(&self, path: &Path, input: &Input) -> Result<Prepared> {
        let of_series = [
            ("--columns", input.columns.is_some()),
            ("--time", input.time.is_some()),
            ("--dt", input.dt.is_some()),
            ("--free-run", input.free_run > 0),
        ];
        refuse(&self.config.job, &of_series)?;
        let on = self.pipeline.on();
        let states: Vec<String> =
            self.pipeline.net.init_state(1, on).named().into_iter().map(|(name, _)| name).collect();
        if let Some(unknown) = input.record.iter().find(|name| !states.contains(name)) {
            return Err(Error::Config(format!("no state is called '{unknown}'; there are: {}", states.join(", "))));
        }
        let names = &self.config.data.arrays;
        // Who names an array means that of the file.
        let arrays = input.array.as_ref().map_or_else(|| names.read_other(path), |_| Arrays::read(path))?;
        let binned = match (self.config.binning(), &input.array) {
            (Some(binning), None) => catch_torch(|| binned_events(&arrays, binning))?,
            _ => None,
        };
        let (inputs, lengths, form) = match binned {
            Some(Binned { spikes, late, .. }) => {
                let late = if late > 0 { format!("; {late} after the last step are left out") } else { String::new() };
                let form = format!("{} spikes, kept as a list{late}", spikes.count());
                (Inputs::Spikes(spikes.of_kind(on.0).on_device(on.1)), None, form)
            }
            None => {
                let (name, channels) = (input.array.as_deref(), self.pipeline.channels());
                let Sequences { x, lengths, kind } = catch_torch(|| sequences(&arrays, name, channels))?;
                let (inputs, form) = self.inputs(&x, lengths.as_ref(), kind)?;
                (inputs, self.pipeline.lengths(lengths.as_ref()), form)
            }
        };
        let mut prepared = self.prepared(inputs, lengths, &input.record, &form);
        let of_all = input.array.as_deref().is_none_or(|name| name == names.inputs());
        let uses =
            if of_all { catch_torch(|| self.config.examples_file().uses(path, self.config.accepted()))? } else { None };
        if let (PreparedData::Sequences(sequences), Some(uses)) = (&mut prepared.data, uses) {
            prepared.words.push(seen(&uses));
            sequences.uses = Some(uses);
        }
        Ok(prepared)
    }

    /// Sequences in memory.
    pub(super) fn prepare(&self, x: &Tensor) -> Result<Prepared> {
        let (size, channels) = (x.size(), self.pipeline.channels());
        if size.len() != 3 || size[2] != channels || size.contains(&0) {
            let expected = format!("[batch, time, {channels}]");
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        let (inputs, form) = self.inputs(x, None, x.kind())?;
        Ok(self.prepared(inputs, None, &[], &form))
    }

    fn prepared(&self, inputs: Inputs, lengths: Option<Tensor>, record: &[String], form: &str) -> Prepared {
        let [samples, steps, channels] = inputs.shape().map(|n| n as usize);
        let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
        let (dt, unit, all) = (self.sha.dt, &self.config.time_unit, short(steps as f64 * self.sha.dt));
        let words = vec![format!("{shape} of {dt} {unit}, {all} {unit} in all; {form}")];
        Prepared {
            words,
            data: PreparedData::Sequences(SequencesInput { inputs, lengths, record: record.to_vec(), uses: None }),
        }
    }

    /// Numbers `[batch, time, channel]` in the units of the data as the network takes them, and in words what that is.
    fn inputs(&self, x: &Tensor, lengths: Option<&Tensor>, stored: Kind) -> Result<(Inputs, String)> {
        let pipeline = &self.pipeline;
        catch_torch(|| {
            if let Some(words) = pipeline.preparation() {
                return Ok((pipeline.inputs(x, lengths, "test")?, format!("{}, {words}", kind_name(stored))));
            }
            let (kind, device) = pipeline.on();
            if first_not_spike(x, lengths).is_some() {
                let form = format!("{} that are not all 0 or 1, read as they are", kind_name(stored));
                return Ok((Inputs::batch_first(&x.to_kind(kind).to_device(device))?, form));
            }
            let spikes = spikes_of(x, lengths)?.of_kind(kind).on_device(device);
            let form = format!("{} spikes, kept as a list", spikes.count());
            Ok((Inputs::Spikes(spikes), form))
        })
    }

    pub(super) fn predict(&self, input: &SequencesInput) -> Result<Prediction> {
        let SequencesInput { inputs, lengths, record, uses } = input;
        let mut tap = Tap::new(record.iter().cloned());
        let (outputs, _) = predict(&self.pipeline.net, &self.sha, inputs, None, &mut tap)?;
        let outputs = self.pipeline.outputs(&outputs);
        let lengths = lengths.as_ref().map(|lengths| lengths.to_device(outputs.device()));
        let mut arrays = vec![("output".to_owned(), outputs.shallow_clone())];
        if let Some(over) = self.over {
            let scores = catch_torch(|| Ok(over.scores(&outputs, lengths.as_ref())))?;
            arrays.push(("class".into(), scores.argmax(-1, false)));
            arrays.push(("score".into(), scores));
        }
        if self.of_sequence {
            arrays.push(("prediction".into(), catch_torch(|| Ok(OF_SEQUENCE.scores(&outputs, lengths.as_ref())))?));
        }
        if let Some(uses) = uses {
            let uses: Vec<i64> = uses.iter().map(|used| *used as i64).collect();
            arrays.push(("use".into(), Tensor::from_slice(&uses)));
        }
        arrays.extend(tap.finish()?);
        Ok(Prediction::of_sequences(arrays, self.config.data.classes.clone()))
    }
}
