//! `bd check`: whether every model computes on this machine what it should.

mod ridge;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Result;
use bd_core::contract::report::{Row, examine, failures};
use bd_core::device::device_name;
use bd_core::{DeviceSpec, threads};
use bd_models::catalogue;
use serde_json::json;
use tch::Device;

use self::ridge::examine_ridge;
use crate::args;
use crate::console;
use crate::job::{about, resolve_device};
use crate::plan::{check_threads, cores};
use crate::text::plural;

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
    let device = resolve_device(args.device.as_deref(), DeviceSpec::Cpu, args.quiet)?;
    args.threads.map_or(Ok(()), check_threads)?;
    threads::set(args.threads.unwrap_or(cores()));
    let print = |text: &str| if args.json || args.quiet { Ok(()) } else { console::result(text) };
    if !args.quiet {
        console::message(&about(&device_name(device), "float32 and float64", threads::kernel_threads()));
    }
    print(&table::head(device))?;
    let rows = examine_all(args.seed, device, |row| print(&table::line(row, device)))?;

    let all = rows.iter().map(|row| row.checks.len()).sum();
    let failures = failures(&rows);
    for (name, why) in &failures {
        print(&format!("{name}: {why}"))?;
    }
    let failed: Vec<String> = failures.into_iter().map(|(name, _)| name).collect();
    if args.json {
        let seconds = json!({"total": began.elapsed().as_secs_f64()});
        let device = device_name(device);
        let metrics = json!({"checks": all, "failed": failed.len()});
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

/// The rows of all models and of ridge regression in the order of the table, each shown as soon as those before it are. Models are small and
/// their steps are many small operations: as many run at once as there are threads.
fn examine_all(seed: u64, device: Device, show: impl Fn(&Row) -> bd_core::Result<()>) -> bd_core::Result<Vec<Row>> {
    let models = catalogue::all();
    let (next, (send, receive)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |rows: mpsc::Sender<(usize, Row)>| {
        threads::set_libtorch(1); // each thread has a number of its own
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let row = match models.get(i) {
                Some(model) => examine(model, seed, device),
                None if i == models.len() => examine_ridge(seed, device),
                None => return,
            };
            if rows.send((i, row)).is_err() {
                return; // a row could not be shown, and nobody listens any more
            }
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        let receive = receive;
        for _ in 0..threads::kernel_threads() {
            let send = send.clone();
            scope.spawn(move || work(send));
        }
        drop(send);
        let (mut rows, mut early) = (Vec::new(), BTreeMap::new());
        for (i, row) in receive {
            early.insert(i, row);
            while let Some(row) = early.remove(&rows.len()) {
                show(&row)?;
                rows.push(row);
            }
        }
        Ok(rows)
    })
}
