//! `bd`: trains models of brain dynamics from the command line.
//!
//! Arguments become a typed plan, a plan becomes ready objects, and the crates do the work. Only here are flags, files
//! that users name, colours and plots known.

mod args;
mod check;
mod console;
mod course;
mod data;
mod examples;
mod finished;
mod hints;
mod info;
mod interrupt;
mod job;
mod ngrc;
mod overlay;
mod plan;
mod plot;
mod predict;
mod rnn;
mod snn;
mod text;
mod training;

use std::panic;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use bd_core::Error;
use bd_core::error::panic_message;
use clap::Parser;

use crate::args::{Cli, Command, Train};
use crate::check::ChecksFailed;
use crate::interrupt::Interrupted;

fn main() -> ExitCode {
    bd_core::memory::keep_freed();
    // Panics of libtorch are caught and told as errors; what is not caught is told below.
    let place = Arc::new(Mutex::new(String::new()));
    let hook_place = Arc::clone(&place);
    panic::set_hook(Box::new(move |info| {
        *hook_place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            info.location().map(ToString::to_string).unwrap_or_default();
    }));
    match panic::catch_unwind(run) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            console::message(&format!("bd: {}", hints::told(&error)));
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
    match Cli::parse().command {
        Command::Check(args) => check::check(&args),
        Command::Info { json } => Ok(info::info(json)?),
        Command::Predict(args) => predict::predict(&args),
        Command::Eval(args) => predict::eval(&args),
        Command::Data(data) => data::make(&data),
        Command::Train(Train::Ngrc(args)) => ngrc::train(&args),
        Command::Train(Train::Rnn(args)) => rnn::train(&args),
        Command::Train(Train::Snn(args)) => snn::train(&args),
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
    match error.downcast_ref::<Error>() {
        Some(Error::Setting { .. } | Error::Config(_) | Error::Shape { .. } | Error::DtypeOrDevice { .. }) => 2,
        Some(Error::NotFinite { .. }) => 3,
        Some(Error::OutOfMemory(_)) => 4,
        Some(Error::Storage { .. }) => 5,
        Some(Error::BadFile { .. } | Error::Mismatch { .. }) => 7,
        Some(Error::Cuda(_) | Error::Gpu(_)) => 8,
        _ => 1,
    }
}
