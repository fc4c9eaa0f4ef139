//! `bd check`: whether every model computes on this machine what it should.

mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Instant;

use anyhow::Result;
use bd_core::contract::report::{Row, failures};
use bd_core::device::device_name;
use bd_core::text::plural;
use bd_core::{DeviceSpec, threads};
use bd_run::NamedNeuron;
use bd_run::check::{NeuronRow, examine_all, examine_neuron};
use bd_run::config::{check_threads, cores};
use serde_json::json;

use crate::args;
use crate::console;
use crate::progress::Progress;
use crate::train::{about, choose_device};

/// Some checks failed: how many of how many, and which.
#[derive(Debug)]
pub(crate) struct ChecksFailed {
    all: usize,
    failed: Vec<String>,
}

impl fmt::Display for ChecksFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failed: {}", self.failed.len(), plural(self.all, "check"), self.failed.join("; "))
    }
}

impl std::error::Error for ChecksFailed {}

pub(crate) fn check(args: &args::Check) -> Result<()> {
    let began = Instant::now();
    let neuron = args.model.as_deref().map(NamedNeuron::read).transpose()?;
    let device =
        choose_device(args.device.as_deref().map_or(Ok(DeviceSpec::Cpu), str::parse)?, &Progress::new(args.quiet))?;
    args.threads.map_or(Ok(()), check_threads)?;
    threads::set(args.threads.unwrap_or(cores()));
    let print = |text: &str| if args.json || args.quiet { Ok(()) } else { console::result(text) };
    if !args.quiet {
        console::message(&about(&device_name(device), "float32 and float64", threads::kernel_threads()));
    }
    let show = |row: &Row| print(&table::line(row, device));
    let (rows, largest_product) = match &neuron {
        None => {
            print(&table::head(device))?;
            (examine_all(args.seed, device, show)?, None)
        }
        Some(neuron) => {
            let NeuronRow { row, largest_product } = examine_neuron(neuron, args.dt, args.seed, device)?;
            print(&table::head(device))?;
            show(&row)?;
            (vec![row], Some(largest_product))
        }
    };
    if let Some(product) = largest_product {
        print(&table::product(product, args.dt))?;
    }

    let all = rows.iter().map(|row| row.checks.len()).sum();
    let failures = failures(&rows);
    for (name, why) in &failures {
        print(&format!("{name}: {why}"))?;
    }
    let failed: Vec<String> = failures.into_iter().map(|(name, _)| name).collect();
    if args.json {
        let seconds = json!({"total": began.elapsed().as_secs_f64()});
        let device = device_name(device);
        let mut metrics = json!({"checks": all, "failed": failed.len()});
        if let Some(product) = largest_product {
            metrics["largest_product"] = json!(product);
        }
        let found = json!({
            "job": "check", "device": device, "seed": args.seed, "seconds": seconds, "metrics": metrics, "failed": failed,
            "models": rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        console::result(&found.to_string())?;
    }
    if failed.is_empty() {
        print(&format!("{} passed", plural(all, "check")))?;
        return Ok(());
    }
    let failed = ChecksFailed { all, failed };
    print(&failed.to_string())?;
    Err(failed.into())
}
