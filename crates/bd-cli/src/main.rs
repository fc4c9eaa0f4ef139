//! `bd`: trains models of brain dynamics from the command line.
//!
//! Here are flags, words, the progress bar, tables and signals, and nothing else: what a run is and does is in `bd-run`.

mod args;
mod auto;
mod check;
mod console;
mod data;
mod determinism;
mod eval;
mod failure;
mod figures;
mod hints;
mod info;
mod nir;
mod options;
mod plot;
mod predict;
mod printed;
mod processes;
mod progress;
mod report;
mod runs;
mod shell;
mod signals;
mod simulate;
mod sweep;
mod table;
mod train;
mod zoo;

use std::panic;
use std::sync::{Arc, Mutex};

use bd_core::Error;
use bd_core::error::panic_message;
use bd_core::kernel::Instructions;
use bd_core::libtorch;
use clap::Parser;

use crate::args::{Cli, Command, Export, Import};
use crate::failure::Failure;

fn main() {
    bd_core::memory::keep_freed();
    libtorch::exit(code());
}

/// Does what the command line says, and gives the exit code.
fn code() -> u8 {
    // Panics of libtorch are caught and become errors; what is not caught is said below.
    let place = Arc::new(Mutex::new(String::new()));
    let hook_place = Arc::clone(&place);
    panic::set_hook(Box::new(move |info| {
        *hook_place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            info.location().map(ToString::to_string).unwrap_or_default();
    }));
    let command = match Cli::try_parse() {
        Ok(Cli { command }) => command,
        Err(error) => return failure::of_usage(&error),
    };
    let as_json = command.as_json();
    let failure = match panic::catch_unwind(|| run(command)) {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => Failure::of(&error),
        Err(payload) => {
            let place = place.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            Failure::bug(format!("a bug of this program, at {place}: {}", panic_message(payload.as_ref())))
        }
    };
    failure.say(as_json)
}

fn run(command: Command) -> anyhow::Result<()> {
    Instructions::limited().map_err(Error::Config)?;
    if !matches!(command, Command::Train(_) | Command::Simulate(_) | Command::Sweep(_)) {
        signals::end_first_process()?;
    }
    match command {
        Command::Check(args) => check::check(&args),
        Command::Zoo(args) => Ok(zoo::zoo(&args)?),
        Command::Completions { shell } => shell::completions(shell),
        Command::Schema { of } => shell::schema(&of),
        Command::Man { folder } => shell::man(&folder),
        Command::Info { json } => Ok(info::info(json)?),
        Command::Predict(args) => predict::predict(&args),
        Command::Eval(args) => eval::eval(&args),
        Command::Report(args) => report::report(&args),
        Command::Plot(args) => plot::plot(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Export(Export::Nir(args)) => nir::export_nir(&args),
        Command::Import(Import::Nir(args)) => nir::import_nir(&args),
        Command::Data(data) => data::make(&data),
        Command::Simulate(args) => simulate::simulate(&args),
        Command::Train(args) => train::train(args),
        Command::Sweep(args) => sweep::sweep(&args),
    }
}
