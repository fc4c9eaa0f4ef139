//! Neurons of the zoo by themselves: 4,000 of them, 10,000 steps of 0.1 ms, a constant input from 0 to 2 times that of the zoo.
//!
//!     cargo bench -p bd-equations --bench population -- [--threads N] [--compile] [--json] [NAME ..]
//!
//! Prints for each neuron and dtype seconds (the least of five runs), nanoseconds of a neuron's step, spikes, and milliseconds from the text
//! to a program that can run, without compiling if `--compile` lets a C++ compiler make its loop. `scripts/bench brian2` compares with Brian2.

use std::sync::Arc;
use std::time::Instant;

use bd_equations::{Model, zoo};
use bd_kernel::{Compile, Instructions, Population, Real};

const N: usize = 4000;
const STEPS: usize = 10_000;
const DT_MS: f64 = 0.1;
const ROUNDS: usize = 5;

struct Measured {
    seconds: f64,
    spikes: usize,
    start_ms: f64,
}

fn measure<F: Real>(name: &str, threads: usize, compile: Compile) -> Measured {
    let begin = Instant::now();
    let model = zoo::text(name).and_then(|text| text.build()).expect("texts of the zoo are right");
    let constants = model.constants(DT_MS).expect("a step of 0.1 ms");
    let unit = Arc::new(model.program(&constants).compiled(compile));
    let start_ms = 1e3 * begin.elapsed().as_secs_f64();
    let mut best = Measured { seconds: f64::INFINITY, spikes: 0, start_ms };
    for _ in 0..ROUNDS {
        let mut neurons = Population::<F>::new(N, Arc::clone(&unit));
        prepare(&mut neurons, &model);
        let begin = Instant::now();
        best.spikes = neurons.advance(STEPS, Instructions::best(), threads).len();
        best.seconds = best.seconds.min(begin.elapsed().as_secs_f64());
    }
    best
}

fn prepare<F: Real>(neurons: &mut Population<F>, model: &Model) {
    let inputs: Vec<F> = (0..N).map(|k| F::of(2.0 * k as f64 / N as f64)).collect();
    (0..model.ports().len()).for_each(|port| neurons.set_input(port, &inputs));
    for (j, state) in model.states().iter().enumerate() {
        neurons.set_state(j, &[F::of(state.initial.value(|_| 0.5)); N]);
    }
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let json = given.iter().any(|word| word == "--json");
    let compile = if given.iter().any(|word| word == "--compile") { Compile::IfFound } else { Compile::Never };
    let place = given.iter().position(|word| word == "--threads");
    let threads = place.and_then(|at| given.get(at + 1)?.parse().ok()).unwrap_or(1);
    let named = given.iter().enumerate().filter(|(i, word)| !word.starts_with("--") && place != i.checked_sub(1));
    let mut names: Vec<&str> = named.map(|(_, word)| &word[..]).collect();
    if names.is_empty() {
        names = vec!["lif", "adex", "hh"];
    }
    for name in names {
        for (dtype, measured) in
            [("float32", measure::<f32>(name, threads, compile)), ("float64", measure::<f64>(name, threads, compile))]
        {
            let Measured { seconds, spikes, start_ms } = measured;
            let ns = seconds * 1e9 / (N * STEPS) as f64;
            match json {
                true => println!(
                    r#"{{"neuron":"{name}","dtype":"{dtype}","threads":{threads},"seconds":{seconds},"spikes":{spikes},"start_ms":{start_ms}}}"#
                ),
                false => println!(
                    "{name:10} {dtype} {threads} threads {seconds:8.4} s {ns:7.3} ns {spikes:8} spikes, start {start_ms:.2} ms"
                ),
            }
        }
    }
}
