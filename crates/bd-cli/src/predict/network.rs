//! `bd predict` of a run of `bd train rnn` or `bd train snn`: any of the network's states can be recorded.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use bd_core::files::load_tensors;
use bd_core::npz::{load_npy, load_npz, save_npz};
use bd_core::{Error, Params, Shared, Spikes, Stack, StateTree, System, Tap, catch_torch, kind_name, threads};
use bd_train::data::Sequences;
use bd_train::{Loss, OverTime, predict_sequences};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::args;
use crate::console;
use crate::finished;
use crate::job::print_json;
use crate::plan::{OF_SEQUENCE, RnnPlan, SnnPlan};
use crate::rnn::{Network, Targets};
use crate::text::{plural, short};

/// A trained network, ready to run.
pub(super) struct Run {
    /// Of `bd train snn`.
    net: Option<Stack>,
    /// Of `bd train rnn`: how data become what the network takes, and what it gives data again.
    network: Option<Network>,
    /// Whether the output at the last step stands for a sequence.
    of_sequence: bool,
    dt: f64,
    /// The unit of `dt`, if it has one.
    unit: &'static str,
    n_in: i64,
    /// How scores of classes are made of its outputs, if it tells classes.
    over: Option<OverTime>,
    on: (Kind, Device),
}

impl Run {
    pub(super) fn of_snn(plan: &SnnPlan, args: &args::Predict) -> Result<Self> {
        let device = args.reuse.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
        threads::set(finished::threads(&args.reuse, plan.threads)?);
        let on = (plan.dtype.kind(), device);
        let mut params = Params::new(plan.seed, on);
        let net = catch_torch(|| plan.model.build(&mut params))?;
        params.load(&finished::weights_of(&args.run)?)?;
        let (over, n_in) = (over(&plan.loss), plan.model.n_in);
        Ok(Self { net: Some(net), network: None, of_sequence: false, dt: plan.dt_ms, unit: " ms", n_in, over, on })
    }

    pub(super) fn of_rnn(plan: &RnnPlan, args: &args::Predict) -> Result<Self> {
        let device = args.reuse.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
        threads::set(finished::threads(&args.reuse, plan.threads)?);
        let network = catch_torch(|| Network::new(plan, device))?;
        network.params.load(&finished::weights_of(&args.run)?)?;
        let (on, over, n_in) = (network.on(), over(&plan.loss), plan.model.n_in);
        let of_sequence = matches!(plan.data.targets, Some(Targets::Vectors { .. }));
        Ok(Self { net: None, network: Some(network), of_sequence, dt: plan.dt, unit: "", n_in, over, on })
    }
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
    let (on, device) = (run.on, run.on.1);
    let net = run.network.as_ref().map(|network| &network.net).or(run.net.as_ref()).expect("one of the two");
    let states: Vec<String> = net.init_state(1, on).named().into_iter().map(|(name, _)| name).collect();
    if let Some(unknown) = args.record.iter().find(|name| !states.contains(name)) {
        return Err(Error::Config(format!("no state is called '{unknown}'; there are: {}", states.join(", "))).into());
    }
    let (x, lengths) = input(&args.input, args.array.as_deref(), run.n_in, on.0)?;
    let (inputs, form) = sequences(&x, on, run.network.as_ref())?;
    let [samples, steps, channels] = inputs.shape().map(|n| n as usize);
    let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
    let (dt, unit, all) = (run.dt, run.unit, short(steps as f64 * run.dt));
    say(format!("input     {}: {shape} of {dt}{unit}, {all}{unit} in all; {form}", args.input.display()));

    let mut tap = Tap::new(args.record.iter().cloned());
    let outputs = predict_sequences(net, &Shared::new(run.dt), &inputs, &mut tap)?;
    let outputs = run.network.as_ref().map_or_else(|| outputs.shallow_clone(), |network| network.outputs(&outputs));
    let lengths = lengths.map(|lengths| lengths.to_device(on.1));
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

/// `[batch, time, n_in]` from a file, finite; of `[time, n_in]` a batch of one is made. Beside an array `x` or `x_test` stand the
/// lengths of sequences that are padded, if they are, as `len` or `len_test`.
fn input(path: &Path, array: Option<&str>, n_in: i64, kind: Kind) -> Result<(Tensor, Option<Tensor>), Error> {
    let bad = |reason: String| Err(Error::bad_file(path, reason));
    let arrays = match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => load_npz(path)?,
        Some("npy") => vec![("x".to_owned(), load_npy(path)?)],
        Some("safetensors") => load_tensors(path)?,
        _ => return bad("an input file ends in .npz, .npy or .safetensors".into()),
    };
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
    if size.len() != 3 || size[2] != n_in || size.contains(&0) {
        return bad(format!("{name} is {size:?}; the network takes [batch, time, {n_in}] or [time, {n_in}]"));
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

/// As a list of spikes if it is one, and in words which of the two.
fn sequences(x: &Tensor, on: (Kind, Device), network: Option<&Network>) -> Result<(Sequences, String), Error> {
    catch_torch(|| {
        if let Some(network) = network.filter(|network| network.scales()) {
            let scaled = network.prepare(x);
            return Ok((
                Sequences::dense(&scaled)?,
                format!("{}, standardised as in the training", kind_name(x.kind())),
            ));
        }
        let dense = x.to_kind(on.0);
        let others = x.ne(0.0).logical_and(&x.ne(1.0)).any().int64_value(&[]) == 1;
        if others {
            let form = format!("{} that are not all 0 or 1, read as they are", kind_name(x.kind()));
            return Ok((Sequences::dense(&dense.to_device(on.1))?, form));
        }
        let mut spikes = Spikes::from_dense(&dense.transpose(0, 1))?;
        spikes = spikes.on_device(on.1);
        let form = format!("{} spikes, kept as a list", spikes.count());
        Ok((Sequences::Spikes(spikes), form))
    })
}
