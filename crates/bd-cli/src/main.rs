//! `bd`: trains models of brain dynamics from the command line.
//!
//! Here are flags, words, the progress bar, tables and signals, and nothing else: what a run is and does is in `bd-run`.

mod args;
mod auto;
mod check;
mod console;
mod data;
mod eval;
mod figures;
mod hints;
mod info;
mod nir;
mod options;
mod predict;
mod processes;
mod progress;
mod signals;
mod simulate;
mod table;
mod train;
mod zoo;

use std::panic;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use bd_core::Error;
use bd_core::error::panic_message;
use bd_core::kernel::Instructions;
use clap::Parser;

use crate::args::{Cli, Command, Export, Import};
use crate::check::ChecksFailed;
use crate::processes::{Failed, LOST};
use crate::signals::Interrupted;

fn main() -> ExitCode {
    bd_core::memory::keep_freed();
    // Panics of libtorch are caught and become errors; what is not caught is said below.
    let place = Arc::new(Mutex::new(String::new()));
    let hook_place = Arc::clone(&place);
    panic::set_hook(Box::new(move |info| {
        *hook_place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            info.location().map(ToString::to_string).unwrap_or_default();
    }));
    match panic::catch_unwind(run) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let message = hints::told(&error);
            console::message(&format!("{}: {message}", processes::who()));
            processes::tell_launcher(&message);
            ExitCode::from(exit_code(&error))
        }
        Err(payload) => {
            let place = place.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            console::message(&format!("bd: a bug of this program, at {place}: {}", panic_message(payload.as_ref())));
            ExitCode::from(1)
        }
    }
}

fn run() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    Instructions::limited().map_err(Error::Config)?;
    if !matches!(command, Command::Train(_) | Command::Simulate(_)) {
        signals::end_first_process()?;
    }
    match command {
        Command::Check(args) => check::check(&args),
        Command::Zoo(args) => Ok(zoo::zoo(&args)?),
        Command::Info { json } => Ok(info::info(json)?),
        Command::Predict(args) => predict::predict(&args),
        Command::Eval(args) => eval::eval(&args),
        Command::Export(Export::Nir(args)) => nir::export_nir(&args),
        Command::Import(Import::Nir(args)) => nir::import_nir(&args),
        Command::Data(data) => data::make(&data),
        Command::Simulate(args) => simulate::simulate(&args),
        Command::Train(args) => train::train(args),
    }
}

/// The codes that `--help` lists. clap itself ends with 2 on bad usage.
fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        return interrupted.exit_code();
    }
    if error.is::<ChecksFailed>() {
        return 9;
    }
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return failed.exit_code();
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Config(_) | Error::Setting { .. } | Error::Shape { .. } | Error::DtypeOrDevice { .. }) => 2,
        Some(Error::NotFinite { .. }) => 3,
        Some(Error::OutOfMemory(_)) => 4,
        Some(Error::Storage { .. }) => 5,
        Some(Error::Locked { .. }) => 6,
        Some(Error::BadFile { .. } | Error::Mismatch { .. }) => 7,
        Some(Error::Cuda(_) | Error::Gpu(_)) => 8,
        Some(Error::ProcessGroup(_)) => LOST,
        _ => 1,
    }
}
