//! `bd predict`: the trained model of a run over data of one's own.

use anyhow::Result;
use bd_core::Error;
use bd_core::device::device_name;
use bd_run::{Config, Input, Listener, Run};
use bd_train::data::split_names;
use serde_json::json;

use crate::args;
use crate::console;
use crate::determinism;
use crate::progress::Progress;
use crate::train::choose_device;

pub(crate) fn predict(args: &args::Predict) -> Result<()> {
    let progress = Progress::new(args.reuse.quiet);
    let run = Run::open(&args.run)?;
    determinism::hold(run.manifest().deterministic)?;
    check_output(args, &run)?;
    let input = Input {
        columns: args.columns.columns.as_deref().map(split_names),
        time: args.columns.time.clone(),
        dt: args.columns.dt,
        free_run: args.free_run,
        array: args.array.clone(),
        record: args.record.clone(),
    };
    let device = choose_device(args.reuse.device.as_deref().map_or(Ok(run.config().device()), str::parse)?, &progress)?;
    run.use_threads(args.reuse.threads)?.iter().for_each(|words| progress.say(&format!("note      {words}")));
    let predictor = run.predictor_on(device)?;
    let prepared = predictor.read(&args.input, &input)?;
    let is_series = matches!(run.config(), Config::Forecast(_));
    for words in &prepared.words {
        progress.say(&if is_series { words.clone() } else { format!("input     {}: {words}", args.input.display()) });
    }
    let prediction = predictor.predict_prepared(&prepared)?;
    prediction.save(&args.output)?;
    for words in &prediction.words {
        progress.say(&if is_series {
            format!("output    {words}")
        } else {
            format!("output    {}: {words}", args.output.display())
        });
    }
    if args.reuse.json {
        let found = json!({
            "job": "predict", "run": args.run.to_string_lossy(), "device": device_name(device),
            "output": args.output.to_string_lossy(), "arrays": prediction.shapes(),
        });
        console::result(&found.to_string())?;
    }
    if is_series {
        progress.say(&format!("written   {}", args.output.display()));
    }
    Ok(())
}

/// Refuses an output file before anything is computed.
fn check_output(args: &args::Predict, run: &Run) -> Result<()> {
    let endings: &[&str] = if matches!(run.config(), Config::Forecast(_)) { &["npz", "csv"] } else { &["npz"] };
    let ending =
        args.output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if !endings.contains(&ending.as_str()) {
        let endings = endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" or ");
        return Err(Error::Config(format!("--output {}: it must end in {endings}", args.output.display())).into());
    }
    if args.output.symlink_metadata().is_ok() {
        let there = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists; name a new file or remove it");
        return Err(Error::storage("create", &args.output)(there).into());
    }
    Ok(())
}
