//! One text, two programs: Brian2 2.9.0 was fed with the same networks, synapses and input by `scripts/golden-networks`.

use std::collections::BTreeMap;

use bd_networks::{EdgeList, Network, Options, Simulation};
use serde::Deserialize;

/// What Brian2 was given, and did.
#[derive(Debug, Deserialize)]
struct Golden {
    brian2: String,
    steps: u64,
    /// By `E>I`.
    synapses: BTreeMap<String, Synapses>,
    train: Train,
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct Synapses {
    sources: Vec<u32>,
    targets: Vec<u32>,
    /// In steps.
    delays: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Train {
    steps: Vec<u32>,
    neurons: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Run {
    name: String,
    /// Until this step a difference of 1e-12 mV changes no spike.
    tame: u64,
    spikes: BTreeMap<String, Vec<(u64, u32)>>,
}

fn toml(name: &str) -> String {
    let path = format!("{}/tests/networks/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn all_spikes_are_those_of_brian2() {
    let golden: Golden = serde_json::from_str(include_str!("brian2.json")).unwrap();
    assert_eq!((&golden.brian2[..], golden.steps, golden.runs.len()), ("2.9.0", 5000, RUNS));
    let files = |name: &str| -> Result<EdgeList, String> {
        let synapses = golden.synapses.get(name.trim_end_matches(" at once")).ok_or("there are no such synapses")?;
        let at_once = name.ends_with(" at once");
        Ok(EdgeList {
            sources: synapses.sources.clone(),
            targets: synapses.targets.clone(),
            weights: None,
            delays_ms: (!at_once).then(|| synapses.delays.iter().map(|steps| 0.1 * f64::from(*steps)).collect()),
        })
    };
    let trains = |_: &str| -> Result<Vec<(f64, u32)>, String> {
        let Train { steps, neurons } = &golden.train;
        Ok(steps.iter().zip(neurons).map(|(step, neuron)| (0.1 * f64::from(*step), *neuron)).collect())
    };
    for run in &golden.runs {
        let network = Network::parse(&toml(&run.name)).unwrap();
        let mut simulation =
            Simulation::<f64>::new(&network, Options { threads: 2, ..Options::default() }, &files, &trains).unwrap();
        simulation.advance(golden.steps);
        let recording = simulation.recording();
        for (population, theirs) in &run.spikes {
            let ours = &recording.spikes.iter().find(|spikes| spikes.population == *population).unwrap().spikes;
            let ours: Vec<_> = ours.iter().filter(|(step, _)| *step < run.tame).collect();
            let theirs: Vec<_> = theirs.iter().filter(|(step, _)| *step < run.tame).collect();
            assert!(theirs.len() > 300, "{}: {population} has {} spikes", run.name, theirs.len());
            let first = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
            assert!(
                ours == theirs,
                "{}, {population}: {} spikes and not {}, first {first:?}",
                run.name,
                ours.len(),
                theirs.len()
            );
        }
    }
}

const RUNS: usize = 5;
