//! `bd eval`: a trained model measured once more, on its own test data or on others.

use anyhow::Result;
use bd_core::Error;
use bd_core::device::device_name;
use bd_run::experiment::{evaluate_features, evaluate_forecast, evaluate_network, lyapunov};
use bd_run::{Config, Input, Listener as _, Run, other_series};
use bd_train::data::split_names;
use serde_json::json;

use crate::args;
use crate::console;
use crate::determinism;
use crate::progress::Progress;
use crate::table;
use crate::train::choose_device;

pub(crate) fn eval(args: &args::Eval) -> Result<()> {
    let progress = Progress::new(args.reuse.quiet);
    let run = Run::open(&args.run)?;
    determinism::hold(run.manifest().deterministic)?;
    let refused = |words: String| Err(Error::Config(words).into());
    if args.lyapunov.is_some() && !matches!(run.config(), Config::Forecast(_)) {
        return refused(format!(
            "--lyapunov is for runs of ngrc and esn on a series, and this is one of {}",
            run.config().job()
        ));
    }
    match (run.config(), args.columns.given()) {
        (Config::Forecast(_), Some(option)) if args.data.is_none() => {
            return refused(format!("{option} is about a file of --data, and there is none"));
        }
        (Config::Network(config), Some(option)) => {
            return refused(format!(
                "{option} is for runs of ngrc and esn on a series, and this is one of {}",
                config.job
            ));
        }
        (Config::Network(config), None) if args.data.is_some() && config.data.file.is_none() => {
            return refused("bd eval --data is for a run that has learned from a file".into());
        }
        (Config::Features(config), Some(option)) => {
            let job = &config.job;
            return refused(format!("{option} is for a series, and this is a run of {job} on sequences"));
        }
        _ => {}
    }
    let device = choose_device(args.reuse.device.as_deref().map_or(Ok(run.config().device()), str::parse)?, &progress)?;
    run.use_threads(args.reuse.threads)?.iter().for_each(|words| progress.say(&format!("note      {words}")));
    let (metrics, table) = match run.config() {
        Config::Forecast(config) => {
            let input = Input {
                columns: args.columns.columns.as_deref().map(split_names),
                time: args.columns.time.clone(),
                dt: args.columns.dt,
                ..Input::default()
            };
            let other = args.data.as_ref().map(|file| other_series(config, file, &input)).transpose()?;
            let mse = if other.is_some() { "MSE" } else { "test MSE" };
            let (report, mut metrics) = evaluate_forecast(&run, config, device, other, &progress)?;
            let mut text = table::of_forecast(&report, mse);
            if let Some(count) = args.lyapunov {
                let found = lyapunov(&run, config, &report.data, count, args.lyapunov_steps)?;
                metrics.extend(found.metrics());
                text += &format!("\n{}", table::of_lyapunov(&found));
            }
            (metrics, text)
        }
        Config::Network(config) => {
            let (report, metrics) = evaluate_network(&run, config, device, args.data.as_deref(), &progress)?;
            (metrics, table::of_network(&report))
        }
        Config::Features(config) => {
            let (report, metrics) = evaluate_features(&run, config, device, args.data.as_deref(), &progress)?;
            (metrics, table::of_network(&report))
        }
    };
    if args.reuse.json {
        let found = json!({
            "job": "eval", "run": args.run.to_string_lossy(), "device": device_name(device), "metrics": metrics,
        });
        console::result(&found.to_string())?;
    } else if !args.reuse.quiet {
        console::result(&table)?;
    }
    Ok(())
}
