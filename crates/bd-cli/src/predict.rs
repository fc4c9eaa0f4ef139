//! `bd predict`: a trained network over data of one's own, with any of its states recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use bd_core::files::{load_tensors, sha256_hex};
use bd_core::npz::{load_npy, load_npz, save_npz};
use bd_core::{Error, Params, Shared, Spikes, StateTree, System, Tap, catch_torch, device, kind_name, threads};
use bd_train::data::Sequences;
use bd_train::{Loss, predict_sequences};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::args;
use crate::console;
use crate::plan::{SnnPlan, check_threads, cores};
use crate::text::{plural, short};

pub(crate) fn predict(args: &args::Predict) -> Result<()> {
    let say = |message: String| {
        if !args.quiet {
            console::message(&message);
        }
    };
    if args.output.extension().is_none_or(|extension| extension != "npz") {
        return Err(Error::Config(format!("--output {}: it must end in .npz", args.output.display())).into());
    }
    if args.output.symlink_metadata().is_ok() {
        let there = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists; name a new file or remove it");
        return Err(Error::storage("create", &args.output)(there).into());
    }
    let plan = plan_of(&args.run)?;
    let device = args.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
    args.threads.map_or(Ok(()), check_threads)?;
    threads::set(args.threads.unwrap_or(plan.threads.min(cores())));
    let on = (plan.dtype.kind(), device);
    let mut params = Params::new(plan.seed, on);
    let net = catch_torch(|| plan.model.build(&mut params))?;
    params.load(&weights_of(&args.run)?)?;

    let states: Vec<String> = net.init_state(1, on).named().into_iter().map(|(name, _)| name).collect();
    if let Some(unknown) = args.record.iter().find(|name| !states.contains(name)) {
        return Err(Error::Config(format!("no state is called '{unknown}'; there are: {}", states.join(", "))).into());
    }
    let x = input(&args.input, args.array.as_deref(), plan.model.n_in, on.0)?;
    let (inputs, form) = sequences(&x, on)?;
    let [samples, steps, channels] = inputs.shape().map(|n| n as usize);
    let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
    let ms = short(steps as f64 * plan.dt_ms);
    say(format!("input     {}: {shape} of {} ms, {ms} ms in all; {form}", args.input.display(), plan.dt_ms));

    let mut tap = Tap::new(args.record.iter().cloned());
    let outputs = predict_sequences(&net, &Shared::new(plan.dt_ms), &inputs, &mut tap)?;
    let mut arrays = vec![("output".to_owned(), outputs.shallow_clone())];
    if let Loss::CrossEntropy { over } = plan.loss {
        let scores = catch_torch(|| Ok(over.scores(&outputs)))?;
        arrays.push(("class".into(), scores.argmax(1, false)));
        arrays.push(("score".into(), scores));
    }
    let records: BTreeMap<String, Tensor> = tap.finish()?;
    arrays.extend(records.into_iter().map(|(name, record)| (name, record.transpose(0, 1))));
    let shapes: Vec<String> = arrays.iter().map(|(name, array)| format!("{name} {:?}", array.size())).collect();
    save_npz(&args.output, &arrays)?;
    say(format!("output    {}: {}", args.output.display(), shapes.join(", ")));
    if args.json {
        let shapes: Value = arrays.iter().map(|(name, array)| (name.clone(), json!(array.size()))).collect();
        let result = json!({
            "job": "predict",
            "run": args.run,
            "device": device::device_name(device),
            "output": args.output,
            "arrays": shapes,
        });
        console::result(&result.to_string())?;
    }
    Ok(())
}

/// The configuration of a run.
fn plan_of(run: &Path) -> Result<SnnPlan, Error> {
    let path = run.join("config.json");
    let text = fs::read_to_string(&path).map_err(Error::storage("read", &path))?;
    let config: Value = serde_json::from_str(&text).map_err(|error| Error::bad_file(&path, error.to_string()))?;
    match config["job"].as_str() {
        Some("snn") => SnnPlan::of_run(config).map_err(|error| Error::bad_file(&path, error.to_string())),
        job => Err(Error::bad_file(
            &path,
            format!("bd predict knows runs of snn, and this is one of {}", job.unwrap_or("nothing")),
        )),
    }
}

/// The weights of a run that has ended, if they are those that it wrote.
fn weights_of(run: &Path) -> Result<Vec<(String, Tensor)>, Error> {
    let (weights, manifest) = (run.join("model.safetensors"), run.join("manifest.json"));
    let text = fs::read(&manifest).map_err(Error::storage("read", &manifest))?;
    let said: Value = serde_json::from_slice(&text).map_err(|error| Error::bad_file(&manifest, error.to_string()))?;
    let Some(hash) = said["weights_sha256"].as_str() else {
        let status = said["status"].as_str().unwrap_or("unknown");
        return Err(Error::bad_file(
            &manifest,
            format!("this run has no final weights, for its status is '{status}'; bd predict takes runs that are done"),
        ));
    };
    let content = fs::read(&weights).map_err(Error::storage("read", &weights))?;
    if sha256_hex(&content) != hash {
        return Err(Error::bad_file(&weights, "its SHA-256 is not the one in manifest.json; the file was changed"));
    }
    load_tensors(&weights)
}

/// `[batch, time, n_in]` from a file, finite; of `[time, n_in]` a batch of one is made.
fn input(path: &Path, array: Option<&str>, n_in: i64, kind: Kind) -> Result<Tensor, Error> {
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
        None => find("x"),
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
    Ok(x)
}

/// As a list of spikes if it is one, and in words which of the two.
fn sequences(x: &Tensor, on: (Kind, Device)) -> Result<(Sequences, String), Error> {
    catch_torch(|| {
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
