//! `bd predict` of a run of `bd train rnn` or `bd train snn`: any of the network's states can be recorded.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use bd_core::files::load_tensors;
use bd_core::npz::{load_npy, load_npz, save_npz};
use bd_core::{
    DataTransform, DeviceSpec, Error, Inputs, Shared, StateTree, System, Tap, catch_torch, kind_name, threads,
};
use bd_models::Pipeline;
use bd_train::data::dataset::{binned_events, first_not_spike, spikes_of};
use bd_train::data::{Binned, Binning, Targets};
use bd_train::evaluate::OF_SEQUENCE;
use bd_train::{Loss, OverTime, predict_sequences};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::args;
use crate::console;
use crate::finished;
use crate::job::{print_json, resolve_device};
use crate::plan::{RnnPlan, SnnPlan};
use crate::text::{plural, short};

/// A trained network, ready to run.
pub(super) struct Run {
    network: Pipeline,
    /// Whether the output at the last step stands for a sequence.
    of_sequence: bool,
    /// Of a step of the network.
    dt: f64,
    /// The unit of `dt`, if it has one.
    unit: &'static str,
    /// How scores of classes are made of its outputs, if it tells classes.
    over: Option<OverTime>,
    /// What spikes with times are put in, where the network takes them.
    grid: Option<Binning>,
}

impl Run {
    pub(super) fn of_snn(plan: &SnnPlan, args: &args::Predict) -> Result<Self> {
        let network = trained(args, (plan.device, plan.threads), |device| crate::snn::network(plan, device))?;
        let of_sequence = matches!(plan.data.targets, Some(Targets::Vectors { .. }));
        Ok(Self { network, of_sequence, dt: plan.dt_ms, unit: " ms", over: over(&plan.loss), grid: plan.grid() })
    }

    pub(super) fn of_rnn(plan: &RnnPlan, args: &args::Predict) -> Result<Self> {
        let network = trained(args, (plan.device, plan.threads), |device| crate::rnn::network(plan, device))?;
        let of_sequence = matches!(plan.data.targets, Some(Targets::Vectors { .. }));
        Ok(Self { network, of_sequence, dt: plan.dt, unit: "", over: over(&plan.loss), grid: None })
    }
}

/// The network of a run with the weights that it found, where the options say or else the plan.
fn trained(
    args: &args::Predict,
    (device, threads): (DeviceSpec, usize),
    network: impl FnOnce(Device) -> bd_core::Result<Pipeline>,
) -> Result<Pipeline> {
    let device = resolve_device(args.reuse.device.as_deref(), device, args.reuse.quiet)?;
    threads::set(finished::threads(&args.reuse, threads)?);
    let network = catch_torch(|| network(device))?;
    network.params.load(&finished::weights_of(&args.run)?)?;
    Ok(network)
}

fn over(loss: &Loss) -> Option<OverTime> {
    match loss {
        Loss::CrossEntropy { over } => Some(*over),
        _ => None,
    }
}

pub(super) fn predict(args: &args::Predict, run: Run) -> Result<()> {
    let say = |message: String| {
        if !args.reuse.quiet {
            console::message(&message);
        }
    };
    let Run { network, .. } = &run;
    let (on, device) = (network.on(), network.on().1);
    let states: Vec<String> = network.net.init_state(1, on).named().into_iter().map(|(name, _)| name).collect();
    if let Some(unknown) = args.record.iter().find(|name| !states.contains(name)) {
        return Err(Error::Config(format!("no state is called '{unknown}'; there are: {}", states.join(", "))).into());
    }
    let Input { inputs, lengths, form } = input(&args.input, args.array.as_deref(), &run)?;
    let [samples, steps, channels] = inputs.shape().map(|n| n as usize);
    let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
    let (dt, unit, all) = (run.dt, run.unit, short(steps as f64 * run.dt));
    say(format!("input     {}: {shape} of {dt}{unit}, {all}{unit} in all; {form}", args.input.display()));

    let mut tap = Tap::new(args.record.iter().cloned());
    let outputs = predict_sequences(&network.net, &Shared::new(run.dt), &inputs, &mut tap)?;
    let outputs = network.outputs(&outputs);
    let lengths = lengths.map(|lengths| lengths.to_device(device));
    let mut arrays = vec![("output".to_owned(), outputs.shallow_clone())];
    if let Some(over) = run.over {
        let scores = catch_torch(|| Ok(over.scores(&outputs, lengths.as_ref())))?;
        arrays.push(("class".into(), scores.argmax(-1, false)));
        arrays.push(("score".into(), scores));
    }
    if run.of_sequence {
        arrays.push(("prediction".into(), catch_torch(|| Ok(OF_SEQUENCE.scores(&outputs, lengths.as_ref())))?));
    }
    let records: BTreeMap<String, Tensor> = tap.finish()?;
    arrays.extend(records.into_iter().map(|(name, record)| (name, record.transpose(0, 1))));
    let shapes: Vec<String> = arrays.iter().map(|(name, array)| format!("{name} {:?}", array.size())).collect();
    save_npz(&args.output, &arrays)?;
    say(format!("output    {}: {}", args.output.display(), shapes.join(", ")));
    if args.reuse.json {
        let shapes: Value = arrays.iter().map(|(name, array)| (name.clone(), json!(array.size()))).collect();
        print_json("predict", &args.run, device, json!({"output": args.output, "arrays": shapes}))?;
    }
    Ok(())
}

/// What drives the network.
struct Input {
    inputs: Inputs,
    lengths: Option<Tensor>,
    /// What it is, in words.
    form: String,
}

/// From a file: spikes with times, or an array `[batch, time, channel]`, which becomes a list of spikes if it is one and what the run
/// makes of numbers if it makes something of them. Beside an array `x` or `x_test` stand the lengths of sequences that are padded, if
/// they are, as `len` or `len_test`.
fn input(path: &Path, array: Option<&str>, run: &Run) -> Result<Input, Error> {
    let network = &run.network;
    let arrays = arrays(path)?;
    let binned = match (run.grid, array) {
        (Some(grid), None) => catch_torch(|| binned_events(path, &arrays, grid))?,
        _ => None,
    };
    if let Some(Binned { spikes, late, .. }) = binned {
        let late = if late > 0 { format!("; {late} after the last step are left out") } else { String::new() };
        let form = format!("{} spikes, kept as a list{late}", spikes.count());
        let spikes = spikes.of_kind(network.on().0).on_device(network.on().1);
        return Ok(Input { inputs: Inputs::Spikes(spikes), lengths: None, form });
    }
    let (x, lengths) = numbers(path, &arrays, array, network.channels(), network.on().0)?;
    let (inputs, form) = sequences(&x, lengths.as_ref(), network)?;
    Ok(Input { inputs, lengths: network.lengths(lengths.as_ref()), form })
}

fn arrays(path: &Path) -> Result<Vec<(String, Tensor)>, Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => load_npz(path),
        Some("npy") => Ok(vec![("x".to_owned(), load_npy(path)?)]),
        Some("safetensors") => load_tensors(path),
        _ => Err(Error::bad_file(path, "an input file ends in .npz, .npy or .safetensors")),
    }
}

/// `[batch, time, channels]`, finite, with lengths; of `[time, channels]` a batch of one is made.
fn numbers(
    path: &Path,
    arrays: &[(String, Tensor)],
    array: Option<&str>,
    channels: i64,
    kind: Kind,
) -> Result<(Tensor, Option<Tensor>), Error> {
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
            "no array is called '{}'; there are: {known}; name one with --array",
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
        let value = x.double_value(&[at(0), at(1), at(2)]);
        let place = format!("sample {}, step {}, channel {}", at(0), at(1), at(2));
        let value = short(value);
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

/// As the network takes it, and in words what that is.
fn sequences(x: &Tensor, lengths: Option<&Tensor>, network: &Pipeline) -> Result<(Inputs, String), Error> {
    catch_torch(|| {
        if let Some(words) = network.preparation() {
            return Ok((network.inputs(x, lengths, "test")?, format!("{}, {words}", kind_name(x.kind()))));
        }
        let (kind, device) = network.on();
        if first_not_spike(x, lengths).is_some() {
            let form = format!("{} that are not all 0 or 1, read as they are", kind_name(x.kind()));
            return Ok((Inputs::batch_first(&x.to_kind(kind).to_device(device))?, form));
        }
        let spikes = spikes_of(x, lengths)?.of_kind(kind).on_device(device);
        let form = format!("{} spikes, kept as a list", spikes.count());
        Ok((Inputs::Spikes(spikes), form))
    })
}
