//! `bd sweep`: one job with many configurations, and a table of what came of them.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use bd_core::Error;
use bd_run::{Listener as _, SweepEnded, SweepReport, SweepSetting, SweepSpec, TrialEnded, TrialRow, sweep as run};
use serde_json::{Value, json};

use crate::args;
use crate::console;
use crate::determinism;
use crate::progress::Progress;
use crate::signals::Watch;

/// A trial that was run alone failed, or all of them did. What is known stands on standard output.
#[derive(Debug)]
pub(crate) struct TrialFailed {
    pub(crate) code: u8,
    words: String,
}

impl fmt::Display for TrialFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for TrialFailed {}

pub(crate) fn sweep(args: &args::Sweep) -> Result<()> {
    determinism::hold(args.deterministic)?;
    let began = Instant::now();
    let (watch, progress) = (Watch::begin()?, Progress::new(args.quiet));
    let spec = SweepSpec::read(&args.spec)?;
    if args.list {
        return Ok(list(&spec, args.json)?);
    }
    let of_spec = spec.base.get("threads").and_then(Value::as_u64).map(|threads| threads as usize);
    let setting = SweepSetting {
        program: std::env::current_exe().map_err(Error::storage("find", "this program"))?,
        out: args.out.clone().unwrap_or_else(|| usual_folder(args)),
        jobs: args.jobs,
        threads: args.threads.or(of_spec).unwrap_or(1),
        control: watch.control(),
        began,
    };
    if let Some(index) = args.index {
        return match bd_run::sweep_trial(&spec, index, &setting, &progress)? {
            TrialEnded::Stopped(path) => Err(watch.interrupted(Some(path)).into()),
            TrialEnded::Finished(row) => finish_one(args, &row),
        };
    }
    match run(&spec, &setting, &progress)? {
        SweepEnded::Stopped(path) => Err(watch.interrupted(Some(path)).into()),
        SweepEnded::Finished(report) => {
            finish(args, &report)?;
            progress.say(&format!("sweep     {} ({:.2} s)", report.path.display(), report.seconds));
            Ok(())
        }
    }
}

/// The same command finds the same folder.
fn usual_folder(args: &args::Sweep) -> PathBuf {
    let name = args.spec.file_stem().unwrap_or_default().to_string_lossy();
    PathBuf::from("runs").join(format!("sweep-{name}"))
}

fn list(spec: &SweepSpec, as_json: bool) -> bd_core::Result<()> {
    let all = spec.all();
    if as_json {
        let of =
            |trial: &bd_run::SweepTrial| json!({"trial": trial.number, "values": trial.values, "seed": trial.seed});
        let listed: Vec<Value> = all.iter().map(of).collect();
        return console::result(&json!({"job": spec.job, "of": all.len(), "trials": listed}).to_string());
    }
    let lines: Vec<_> = all.iter().map(|trial| format!("{:>6}  {}", trial.number, trial.words())).collect();
    console::result(&lines.join("\n"))
}

fn finish_one(args: &args::Sweep, row: &TrialRow) -> Result<()> {
    if args.json {
        console::result(&json!(row).to_string())?;
    }
    match &row.error {
        None => Ok(()),
        Some(error) => {
            let words = format!("trial {} failed: {}", row.trial, error.message);
            Err(TrialFailed { code: u8::try_from(error.code).unwrap_or(1), words }.into())
        }
    }
}

fn finish(args: &args::Sweep, report: &SweepReport) -> Result<()> {
    if args.json {
        let mut found = report.json();
        found["out"] = json!(report.path.to_string_lossy());
        found["seconds"] = json!({"total": report.seconds});
        console::result(&found.to_string())?;
    } else if !args.quiet {
        console::result(&report.text())?;
    }
    match report.rows.iter().find_map(|row| row.error.as_ref()).filter(|_| report.best.is_none()) {
        None => Ok(()),
        Some(first) => {
            let words = format!("all {} trials failed; the first: {}", report.rows.len(), first.message);
            Err(TrialFailed { code: u8::try_from(first.code).unwrap_or(1), words }.into())
        }
    }
}
