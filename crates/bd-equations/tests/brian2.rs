//! One text, two programs: Brian2 2.9.0 was fed with the same texts by `scripts/golden-brian2`, which describes the runs.

use std::collections::{BTreeMap, BTreeSet};

use bd_equations::{Method, NeuronText, Value, zoo};
use serde::Deserialize;

mod frozen;

use frozen::noise;

const DT_MS: f64 = 0.1;

/// What Brian2 did.
#[derive(Debug, Deserialize)]
struct Golden {
    brian2: String,
    /// After how many steps states are compared.
    times: Vec<usize>,
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct Run {
    name: String,
    method: Method,
    /// Its length: 10,000, or 2,000 where rounding grows too much.
    steps: usize,
    /// By what factor a difference in the initial state and the inputs grows until the last row.
    growth: f64,
    /// The largest value less the least one, `[variable]`.
    ranges: Vec<f64>,
    /// Steps with spikes.
    spikes: Vec<usize>,
    /// `[time][variable]`, up to where rounding grows too much.
    rows: Vec<Vec<f64>>,
}

/// Constants and current of one of Naud's patterns.
#[derive(Debug, Deserialize)]
struct Pattern {
    constants: BTreeMap<String, Value>,
    inputs: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Patterns {
    patterns: BTreeMap<String, Pattern>,
}

/// A current that sets in after 20 ms.
fn onset(step: usize) -> f64 {
    if step < 200 { 0.0 } else { 1.0 }
}

/// The largest difference of states as part of the range of the variable; spikes must be equal.
fn difference(mut text: NeuronText, run: &Run, times: &[usize], level: fn(usize) -> f64) -> Result<f64, String> {
    text.method = Some(run.method);
    let model = text.build().map_err(|error| error.to_string())?;
    let found = model.simulate(DT_MS, (0..run.steps).map(level)).map_err(|error| error.to_string())?;
    if found.spikes != run.spikes {
        let first = found.spikes.iter().zip(&run.spikes).position(|(a, b)| a != b);
        let (ours, theirs) = (found.spikes.len(), run.spikes.len());
        return Err(format!("{ours} spikes and not {theirs}, the first other one {first:?}"));
    }
    let mut worst = 0.0f64;
    for (time, row) in times.iter().zip(&run.rows) {
        for ((ours, theirs), range) in found.states[time - 1].iter().zip(row).zip(&run.ranges) {
            // What never changes must be equal.
            let part = if ours == theirs { 0.0 } else { (ours - theirs).abs() / range };
            worst = if part.is_nan() { part } else { worst.max(part) };
        }
    }
    Ok(worst)
}

/// Compares all runs, and prints the largest difference of each neuron.
fn compare(golden: &Golden, text: impl Fn(&str) -> NeuronText, level: fn(usize) -> f64) {
    assert_eq!(golden.brian2, "2.9.0");
    let mut wrong = Vec::new();
    for run in &golden.runs {
        let found = difference(text(&run.name), run, &golden.times, level);
        let Run { name, method, steps, growth, .. } = run;
        println!("{name:24} {method:?}: {steps} steps, {} spikes, growth {growth:e}, {found:?}", run.spikes.len());
        if !matches!(found, Ok(worst) if worst <= 1e-9) {
            wrong.push(format!("{name} {method:?}, growth {growth:e}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Spikes are equal, and states within 1e-9 of their range. Both solve linear equations exactly by other formulas, and Brian2 sums
/// the stages of a method in another order, so that the last digits differ and grow on the way.
#[test]
fn the_zoo_gives_the_same_spikes_and_states() {
    let golden: Golden = serde_json::from_str(include_str!("brian2.json")).unwrap();
    let names: BTreeSet<_> = golden.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, zoo::names().collect(), "neurons of the zoo; run scripts/golden-brian2");
    compare(&golden, |name| zoo::text(name).unwrap(), noise);
}

#[test]
fn patterns_of_the_adaptive_exponential_neuron_are_the_same() {
    let golden: Golden = serde_json::from_str(include_str!("naud.json")).unwrap();
    let Patterns { patterns } = toml::from_str(include_str!("naud.toml")).unwrap();
    let names: BTreeSet<_> = golden.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, patterns.keys().map(String::as_str).collect());
    let text = |name: &str| {
        let mut text = zoo::text("adex_2005").unwrap();
        text.constants.extend(patterns[name].constants.clone());
        text.inputs.clone_from(&patterns[name].inputs);
        text
    };
    compare(&golden, text, onset);
}
