//! Networks run over sequences; any of their states can be recorded.

use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::npz::{load_npy, load_npz};
use bd_core::text::{plural, short};
use bd_core::{DataTransform, Error, Inputs, Result, Shared, StateTree, System, Tap, catch_torch, kind_name};
use bd_models::Pipeline;
use bd_train::data::Binned;
use bd_train::data::dataset::{Binning, Targets, binned_events, first_not_spike, spikes_of};
use bd_train::{Loss, OverTime, predict};
use tch::{Device, Kind, Tensor};

use super::{Input, Prediction, Prepared, PreparedData, refuse};
use crate::Run;
use crate::config::{NetworkConfig, OF_SEQUENCE};
use crate::experiment::pipeline;

/// A trained network.
#[derive(Debug)]
pub(super) struct Running {
    job: String,
    pipeline: Pipeline,
    /// Whether the output at the last step stands for a sequence.
    of_sequence: bool,
    /// Of the first step. The key is that of the evaluation, so that a network that draws noise predicts what it was judged by.
    sha: Shared,
    time_unit: String,
    /// How scores of classes are made of outputs, if it tells classes.
    over: Option<OverTime>,
    /// What spikes with times are put in, where the network takes them.
    binning: Option<Binning>,
}

/// Sequences as the network takes them.
#[derive(Debug)]
pub(super) struct SequencesInput {
    inputs: Inputs,
    lengths: Option<Tensor>,
    record: Vec<String>,
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
            job: config.job.clone(),
            pipeline,
            of_sequence: matches!(config.data.targets, Some(Targets::Vectors { .. })),
            sha: config.sha(),
            time_unit: config.time_unit.clone(),
            over,
            binning: config.binning(),
        })
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    pub(super) fn read(&self, path: &Path, input: &Input) -> Result<Prepared> {
        let of_series = [
            ("--columns", input.columns.is_some()),
            ("--time", input.time.is_some()),
            ("--dt", input.dt.is_some()),
            ("--free-run", input.free_run > 0),
        ];
        refuse(&self.job, &of_series)?;
        let on = self.pipeline.on();
        let states: Vec<String> =
            self.pipeline.net.init_state(1, on).named().into_iter().map(|(name, _)| name).collect();
        if let Some(unknown) = input.record.iter().find(|name| !states.contains(name)) {
            return Err(Error::Config(format!("no state is called '{unknown}'; there are: {}", states.join(", "))));
        }
        let arrays = arrays(path)?;
        let binned = match (self.binning, &input.array) {
            (Some(binning), None) => catch_torch(|| binned_events(path, &arrays, binning))?,
            _ => None,
        };
        let (inputs, lengths, form) = match binned {
            Some(Binned { spikes, late, .. }) => {
                let late = if late > 0 { format!("; {late} after the last step are left out") } else { String::new() };
                let form = format!("{} spikes, kept as a list{late}", spikes.count());
                (Inputs::Spikes(spikes.of_kind(on.0).on_device(on.1)), None, form)
            }
            None => {
                let (x, lengths) = numbers(path, &arrays, input.array.as_deref(), self.pipeline.channels(), on.0)?;
                let (inputs, form) = self.inputs(&x, lengths.as_ref())?;
                (inputs, self.pipeline.lengths(lengths.as_ref()), form)
            }
        };
        Ok(self.prepared(inputs, lengths, &input.record, &form))
    }

    /// Sequences in memory.
    pub(super) fn prepare(&self, x: &Tensor) -> Result<Prepared> {
        let (size, channels) = (x.size(), self.pipeline.channels());
        if size.len() != 3 || size[2] != channels || size.contains(&0) {
            let expected = format!("[batch, time, {channels}]");
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        let (inputs, form) = self.inputs(x, None)?;
        Ok(self.prepared(inputs, None, &[], &form))
    }

    fn prepared(&self, inputs: Inputs, lengths: Option<Tensor>, record: &[String], form: &str) -> Prepared {
        let [samples, steps, channels] = inputs.shape().map(|n| n as usize);
        let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
        let (dt, unit, all) = (self.sha.dt, &self.time_unit, short(steps as f64 * self.sha.dt));
        let words = vec![format!("{shape} of {dt} {unit}, {all} {unit} in all; {form}")];
        Prepared { words, data: PreparedData::Sequences(SequencesInput { inputs, lengths, record: record.to_vec() }) }
    }

    /// Numbers `[batch, time, channel]` in the units of the data as the network takes them, and in words what that is.
    fn inputs(&self, x: &Tensor, lengths: Option<&Tensor>) -> Result<(Inputs, String)> {
        let pipeline = &self.pipeline;
        catch_torch(|| {
            if let Some(words) = pipeline.preparation() {
                return Ok((pipeline.inputs(x, lengths, "test")?, format!("{}, {words}", kind_name(x.kind()))));
            }
            let (kind, device) = pipeline.on();
            if first_not_spike(x, lengths).is_some() {
                let form = format!("{} that are not all 0 or 1, read as they are", kind_name(x.kind()));
                return Ok((Inputs::batch_first(&x.to_kind(kind).to_device(device))?, form));
            }
            let spikes = spikes_of(x, lengths)?.of_kind(kind).on_device(device);
            let form = format!("{} spikes, kept as a list", spikes.count());
            Ok((Inputs::Spikes(spikes), form))
        })
    }

    pub(super) fn predict(&self, input: &SequencesInput) -> Result<Prediction> {
        let SequencesInput { inputs, lengths, record } = input;
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
        arrays.extend(tap.finish()?);
        let shapes: Vec<String> = arrays.iter().map(|(name, array)| format!("{name} {:?}", array.size())).collect();
        Ok(Prediction { arrays, words: vec![shapes.join(", ")], csv: None })
    }
}

fn arrays(path: &Path) -> Result<Vec<(String, Tensor)>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => load_npz(path),
        Some("npy") => Ok(vec![("x".to_owned(), load_npy(path)?)]),
        Some("safetensors") => load_tensors(path),
        _ => Err(Error::bad_file(path, "an input file ends in .npz, .npy or .safetensors")),
    }
}

/// `[batch, time, channels]`, finite, with lengths; of `[time, channels]` a batch of one is made. Beside an array `x` or `x_test`
/// stand the lengths of sequences that are padded, if they are, as `len` or `len_test`.
fn numbers(
    path: &Path,
    arrays: &[(String, Tensor)],
    array: Option<&str>,
    channels: i64,
    kind: Kind,
) -> Result<(Tensor, Option<Tensor>)> {
    let bad = |reason: String| Err(Error::bad_file(path, reason));
    let find = |name: &str| arrays.iter().find(|(known, _)| known == name);
    let found = match array {
        Some(name) => find(name),
        None if arrays.len() == 1 => arrays.first(),
        None => find("x").or_else(|| find("x_test")),
    };
    let Some((name, x)) = found else {
        let known = arrays.iter().map(|(name, t)| format!("{name} {:?}", t.size())).collect::<Vec<_>>().join(", ");
        return bad(format!(
            "no array is called '{}'; there are: {known}; name the one that is meant",
            array.unwrap_or("x")
        ));
    };
    let x = if x.dim() == 2 { x.unsqueeze(0) } else { x.shallow_clone() };
    let size = x.size();
    if size.len() != 3 || size[2] != channels || size.contains(&0) {
        return bad(format!("{name} is {size:?}; the network takes [batch, time, {channels}] or [time, {channels}]"));
    }
    // As the network will read them: what float64 holds may be infinite in float32.
    let wrong = x.to_kind(kind).isfinite().logical_not().nonzero();
    if wrong.size()[0] > 0 {
        let at = |i: i64| wrong.int64_value(&[0, i]);
        let value = short(x.double_value(&[at(0), at(1), at(2)]));
        let place = format!("sample {}, step {}, channel {}", at(0), at(1), at(2));
        return bad(format!("{name} is {value} at {place} (counted from 0), which is no {}", kind_name(kind)));
    }
    let beside = name.strip_prefix('x').and_then(|suffix| find(&format!("len{suffix}")));
    let lengths = beside.map(|(_, lengths)| lengths.to_kind(Kind::Int64));
    if let Some(lengths) = &lengths {
        let most = size[1];
        if lengths.size() != [size[0]] || lengths.lt(1).logical_or(&lengths.gt(most)).any().int64_value(&[]) == 1 {
            return bad(format!("the lengths of {name} must be one for each of {} samples, from 1 to {most}", size[0]));
        }
    }
    Ok((x, lengths))
}
