//! A network of NEST 3.10, by exact integration: `scripts/golden-networks-nest` says how it was made.

use std::collections::BTreeMap;

use bd_networks::{EdgeList, Network, Options, Simulation};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Golden {
    nest: String,
    steps: u32,
    synapses: usize,
    spikes: BTreeMap<String, Vec<(u64, u32)>>,
}

/// `hashed` of `scripts/frozen.py`.
fn hashed(x: u32) -> u32 {
    let mix = |x: u32, factor: u32| (x ^ (x >> 16)).wrapping_mul(factor);
    let x = mix(mix(x, 0x85EB_CA6B), 0xC2B2_AE35);
    x ^ (x >> 16)
}

/// The size of a population, and where its numbers begin.
fn numbers(name: &str) -> (u32, u32) {
    match name {
        "in" => (100, 0),
        "E" => (400, 1000),
        _ => (100, 2000),
    }
}

fn synapses(name: &str) -> Result<EdgeList, String> {
    let (from, to) = name.split_once('>').ok_or("no pair")?;
    let ((n, first), (m, other)) = (numbers(from), numbers(to));
    let pairs = (0..n).flat_map(|i| (0..m).map(move |j| (i, j, (first + i) * 4096 + other + j)));
    let linked: Vec<_> = pairs.filter(|(_, _, key)| hashed(*key).is_multiple_of(10)).collect();
    Ok(EdgeList {
        sources: linked.iter().map(|(i, ..)| *i).collect(),
        targets: linked.iter().map(|(_, j, _)| *j).collect(),
        weights: None,
        delays_ms: Some(linked.iter().map(|(.., key)| 0.1 * f64::from(1 + hashed(key + 50_000_000) % 15)).collect()),
    })
}

#[test]
fn all_spikes_are_those_of_nest() {
    let golden: Golden = serde_json::from_str(include_str!("nest/nest.json")).unwrap();
    assert!(golden.nest.contains("3.10"), "{}", golden.nest);
    let network = Network::parse(include_str!("nest/brunel.toml")).unwrap();
    let trains = |_: &str| -> Result<Vec<(f64, u32)>, String> {
        let spikes =
            |i: u32| (1..golden.steps).filter(move |step| hashed(100_000_000 + i * 8192 + step).is_multiple_of(200));
        Ok((0..100).flat_map(|i| spikes(i).map(move |step| (0.1 * f64::from(step), i))).collect())
    };
    let mut simulation =
        Simulation::<f64>::new(&network, Options { threads: 2, ..Options::default() }, &synapses, &trains).unwrap();
    assert_eq!(simulation.synapses(), golden.synapses);
    simulation.advance(golden.steps.into());
    let recording = simulation.recording();
    for (population, theirs) in &golden.spikes {
        let ours = &recording.spikes.iter().find(|spikes| spikes.population == *population).unwrap().spikes;
        assert!(theirs.len() > 500, "{population} has {} spikes", theirs.len());
        let first = ours.iter().zip(theirs).find(|(ours, theirs)| ours != theirs);
        assert!(ours == theirs, "{population}: {} spikes and not {}, first {first:?}", ours.len(), theirs.len());
    }
}
