//! Networks of `examples/networks`: one second in steps of 0.1 ms.
//!
//!     cargo bench -p bd-networks --bench networks -- [--threads N] [--rounds N] [--dtype float32|float64] [--compile] [--json] [NAME ..]
//!
//! Prints for each network and dtype seconds to draw it and to run it (the least of the rounds), and rate and regularity of its
//! populations after the first 200 ms. `scripts/bench networks` compares with Brian2 and NEST.

use std::time::Instant;

use bd_kernel::{Compile, Real};
use bd_networks::{Activity, Network, Options, Simulation};

const MS: f64 = 1000.0;
const DISCARDED_MS: f64 = 200.0;

struct Settings {
    threads: usize,
    rounds: usize,
    json: bool,
    compile: Compile,
}

fn measure<F: Real>(name: &str, dtype: &str, network: &Network, settings: &Settings) {
    let steps = |ms: f64| (ms / network.dt_ms).round() as u64;
    let (mut built, mut ran, mut activity) = (f64::INFINITY, f64::INFINITY, Vec::new());
    for _ in 0..settings.rounds {
        let begin = Instant::now();
        let none = |_: &str| Err("these networks need no file".to_owned());
        let trains = |_: &str| Err("these networks need no file".to_owned());
        let options = Options { seed: 1, threads: settings.threads, compile: settings.compile };
        let mut simulation = Simulation::<F>::new(network, options, &none, &trains).expect("it is right");
        built = built.min(begin.elapsed().as_secs_f64());
        // The first steps compile.
        simulation.advance(1);
        let begin = Instant::now();
        simulation.advance(steps(MS));
        ran = ran.min(begin.elapsed().as_secs_f64());
        let recording = simulation.recording();
        let of = |spikes: &bd_networks::PopulationSpikes| {
            let at = network.population(&spikes.population).expect("it is one of the network");
            let bounds = (steps(DISCARDED_MS), recording.steps);
            let n = network.populations[at].n;
            let found = Activity::of(spikes.spikes.iter().copied(), n, bounds.0, bounds.1, network.dt_ms);
            (spikes.population.clone(), found)
        };
        activity = recording.spikes.iter().map(of).collect();
    }
    let threads = settings.threads;
    let cv = |found: &Activity| found.cv.unwrap_or(f64::NAN);
    if settings.json {
        let rates: Vec<String> = activity
            .iter()
            .map(|(name, found)| format!(r#""{name}":{{"rate_hz":{},"cv":{}}}"#, found.rate_hz, cv(found)))
            .collect();
        let rates = rates.join(",");
        return println!(
            r#"{{"network":"{name}","dtype":"{dtype}","threads":{threads},"built_s":{built},"ran_s":{ran},"populations":{{{rates}}}}}"#
        );
    }
    let rates: Vec<String> =
        activity.iter().map(|(name, found)| format!("{name} {:.2} Hz, CV {:.2}", found.rate_hz, cv(found))).collect();
    let rates = rates.join("; ");
    println!("{name:12} {dtype} {threads} threads  drawn {built:7.3} s  ran {ran:8.4} s  {rates}");
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |flag: &str, usual: usize| {
        let at = words.iter().position(|word| word == flag);
        at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(usual)
    };
    let settings = Settings {
        threads: number("--threads", 1),
        rounds: number("--rounds", 3),
        json: words.iter().any(|word| word == "--json"),
        compile: if words.iter().any(|word| word == "--compile") { Compile::IfFound } else { Compile::Never },
    };
    let dtypes = words.iter().position(|word| word == "--dtype").and_then(|at| words.get(at + 1));
    let mut names: Vec<&str> =
        words.iter().map(|word| &word[..]).filter(|word| word.chars().all(char::is_alphabetic)).collect();
    if names.is_empty() {
        names = vec!["cuba", "coba", "cobahh", "brunel"];
    }
    for name in names {
        let path = format!("{}/../../examples/networks/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let toml = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let network = Network::parse(&toml).unwrap_or_else(|error| panic!("{path}: {error}"));
        let wanted = |dtype: &str| dtypes.is_none_or(|only| only == dtype);
        if wanted("float64") {
            measure::<f64>(name, "float64", &network, &settings);
        }
        if wanted("float32") {
            measure::<f32>(name, "float32", &network, &settings);
        }
    }
}
