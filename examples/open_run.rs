//! Prints what `bd predict` says it wrote, and writes the same bytes: a run of any job, opened and run over new data.
//!
//! `cargo run --release --example open_run -- RUN INPUT OUTPUT`

use std::env;
use std::path::PathBuf;

use bd_core::{DeviceSpec, Result};
use bd_run::{Input, Run};

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [run, input, output] = &paths[..] else {
        eprintln!("usage: open_run RUN INPUT OUTPUT");
        std::process::exit(2);
    };
    let run = Run::open(run)?; // the configuration is checked against its SHA-256, and so are the weights below
    let predictor = run.predictor(DeviceSpec::Cpu)?;
    let prepared = predictor.read(input, &Input::default())?;
    let prediction = predictor.predict_prepared(&prepared)?;
    prediction.save(output)?;
    prediction.words.iter().for_each(|words| println!("{words}"));
    Ok(())
}
