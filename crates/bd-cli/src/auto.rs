//! `bd train auto`: every job that can learn a file, within a time, and a table of what came of them.

use std::time::Instant;

use anyhow::Result;
use bd_core::text::short;
use bd_core::{DeviceSpec, threads};
use bd_run::experiment::{Came, Tried, TriedModel};
use bd_run::{AutoEnded, AutoOutcome, Listener as _, Setting};
use serde_json::{Value, json};

use crate::args;
use crate::console;
use crate::figures;
use crate::info::{VERSION, git_hash};
use crate::options;
use crate::progress::Progress;
use crate::signals::Watch;
use crate::train::{about, choose_device};

pub(crate) fn auto(args: &args::Auto) -> Result<()> {
    let began = Instant::now();
    let (watch, progress) = (Watch::begin()?, Progress::new(args.quiet));
    let config = options::of_auto(args)?;
    let device = choose_device(args.device.as_deref().map_or(Ok(DeviceSpec::Cpu), str::parse)?, &progress)?;
    let cores = args.threads.unwrap_or_else(bd_run::config::cores);
    bd_run::config::check_threads(cores)?;
    threads::set(cores);
    progress.say(&about(&bd_core::device::device_name(device), "float32", cores));
    let setting = Setting {
        device,
        out: args.out.clone(),
        control: watch.control(),
        program: (VERSION, git_hash()),
        began,
        group: None,
    };
    let ended = bd_run::auto(&config, &setting, &progress, &mut |outcome| {
        figures::save(&outcome.folder, figures::of(&outcome.report));
        outcome.finish()
    })?;
    let outcome = match ended {
        AutoEnded::Finished(outcome) => outcome,
        AutoEnded::Stopped { kept } => return Err(watch.interrupted(kept).into()),
    };
    if args.json {
        console::result(&json_of(&outcome).to_string())?;
    } else if !args.quiet {
        console::result(&table(&outcome))?;
    }
    progress.say(&format!(
        "run       {} is that of {}, the best ({:.2} s in all)",
        outcome.path.display(),
        outcome.best,
        outcome.seconds
    ));
    Ok(())
}

/// What `auto.json` has, with the numbers of the best as every job prints its own.
fn json_of(outcome: &AutoOutcome) -> Value {
    let mut found = outcome.json();
    found["run"] = json!(outcome.path.to_string_lossy());
    let mut metrics = outcome.best().map(|best| best.metrics.clone()).unwrap_or_default();
    let objective = outcome.objective();
    metrics.insert("objective".into(), json!(objective.map(|objective| objective.value)));
    found["objective"] = json!(objective.map(|objective| objective.name));
    found["metrics"] = json!(metrics);
    found
}

/// A row for each job: what it reaches on samples that were held out, by which the best is chosen, and on the test part.
fn table(outcome: &AutoOutcome) -> String {
    let are_labels = outcome.best().is_some_and(|best| best.held_out.are_labels());
    let what = if are_labels { "accuracy" } else { "of the variance" };
    let row = |name: &str, held: &str, error: &str, test: &str, seconds: &str| {
        format!("{name:>8}  {held:>10}  {error:>14}  {test:>10}  {seconds:>8}")
    };
    let mut lines = vec![row(what, "held out", "standard error", "test", "seconds")];
    for tried in &outcome.tried {
        lines.push(match &tried.came {
            Came::Model(model) => {
                let (held, test) = (&model.held_out, short(test_score(model, are_labels)));
                let (mean, error, seconds) = (short(held.mean()), short(held.standard_error()), short(model.seconds));
                let marks = [(tried.job == outcome.best, "  best"), (ended_by_time(model), "  its time was over")];
                let marks: String = marks.iter().filter(|(applies, _)| *applies).map(|(_, words)| *words).collect();
                row(tried.job, &mean, &error, &test, &seconds) + &marks
            }
            Came::Nothing(why) => format!("{:>8}  {why}", tried.job),
        });
    }
    lines.join("\n") + &reason(outcome)
}

/// Whether a network of it was still being trained.
fn ended_by_time(model: &TriedModel) -> bool {
    model.metrics.get("ended").and_then(Value::as_array).is_some_and(|ends| ends.iter().any(|end| end == "time"))
}

fn test_score(model: &TriedModel, are_labels: bool) -> f64 {
    let name = if are_labels { "test_accuracy" } else { "test_nmse" };
    model.metrics.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Why the best is the best, where it has not the best score on held-out samples.
fn reason(outcome: &AutoOutcome) -> String {
    let Some(best) = outcome.best() else { return String::new() };
    let better = |tried: &&Tried| tried.model().is_some_and(|model| model.held_out.gain_over(&best.held_out).0 > 0.0);
    match outcome.tried.iter().find(better) {
        Some(tried) => format!(
            "\n{:>8}  {} is simpler than {}, which is not better by more than two standard errors of the difference",
            "", outcome.best, tried.job
        ),
        None => String::new(),
    }
}
