//! Opens a run folder and prints the outputs of some steps, and how long a step takes: `cargo run --release -p bd-runner --example
//! control_loop -- RUN STEPS`.

use std::time::Instant;

use bd_runner::Runner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(run), Some(steps)) = (arguments.next(), arguments.next()) else {
        return Err("usage: control_loop RUN STEPS".into());
    };
    let mut runner = Runner::open(run)?;
    let mut x = vec![0.0f32; runner.inputs()];
    let mut longest = 0;
    for step in 0..steps.parse::<usize>()? {
        // In a lab: what the amplifier has measured.
        x.iter_mut().enumerate().for_each(|(i, x)| *x = ((step + i) % 7) as f32 * 0.25);
        let began = Instant::now();
        let y = runner.step(&x)?;
        longest = longest.max(began.elapsed().as_nanos());
        // And here: what the stimulator is to do.
        println!("{y:?}");
    }
    eprintln!("{} inputs, {} outputs; the longest step took {longest} ns", runner.inputs(), runner.outputs());
    Ok(())
}
