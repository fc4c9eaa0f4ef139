//! Configurations with random changes: of a run, as its `config.json`, and as a file that somebody writes. An error or a configuration that can be
//! written again, and never a panic. What is taken of a file, its JSON Schema takes, too.

mod jobs;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bd_kernel::testing::{Noise, cases};
use bd_run::{Config, Layers};
use jobs::{jobs, paths, resolve};
use serde_json::{Value, json};

fn below(noise: &mut Noise, n: usize) -> usize {
    (noise.bits() % n.max(1) as u64) as usize
}

/// What somebody or something may write in the place of a value.
fn any(noise: &mut Noise) -> Value {
    match below(noise, 16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(-1e-320),
        8 => json!(""),
        9 => json!("adam"),
        10 => json!("\u{1F9E0}\n"),
        11 => json!([]),
        12 => json!([1, 2, 2]),
        13 => json!({}),
        14 => json!({"name": "lorenz"}),
        _ => json!([{"name": "sgd"}, null, [-0.5]]),
    }
}

/// With a value replaced, taken out, or put in under another name.
fn change(config: &mut Value, noise: &mut Noise) {
    let mut all = Vec::new();
    paths(config, "", &mut all);
    let path = all[below(noise, all.len())].clone();
    let (above, name) = path.rsplit_once('/').unwrap();
    match below(noise, 4) {
        0 => {
            if let Some(Value::Object(table)) = config.pointer_mut(above) {
                table.shift_remove(name);
            }
        }
        1 => {
            let other = any(noise);
            if let Some(Value::Object(table)) = config.pointer_mut(above) {
                table.insert(format!("{name}_"), other);
            }
        }
        _ => *config.pointer_mut(&path).unwrap() = any(noise),
    }
}

#[test]
fn no_configuration_makes_it_panic() {
    let jobs = jobs();
    #[cfg(feature = "schema")]
    let validators: Vec<_> = jobs
        .iter()
        .map(|(job, ..)| jsonschema::validator_for(&bd_run::config::schema(job).unwrap()).unwrap())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.json");
    let mut noise = Noise(5);
    let (mut taken, mut refused) = (0, 0);
    for case in cases(1500) {
        let (job, mut config, _) = jobs[case % jobs.len()].clone();
        for _ in 0..=below(&mut noise, 3) {
            change(&mut config, &mut noise);
        }
        fs::write(&file, config.to_string()).unwrap();
        let layers = Layers { config: Some(file.clone()), ..Layers::default() };
        let both = catch_unwind(AssertUnwindSafe(|| [Config::of_json(config.clone()), resolve(job, &layers)]));
        let both = both.unwrap_or_else(|_| panic!("case {case} of {job}: {config}"));
        #[cfg(feature = "schema")]
        if both[1].is_ok() {
            let faults: Vec<_> =
                validators[case % jobs.len()].iter_errors(&config).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "case {case} of {job}: {faults:?} in {config}");
        }
        for found in both {
            match found {
                Ok(found) => {
                    // What was taken is the whole of a run's.
                    let again = serde_json::to_value(&found).unwrap();
                    assert!(Config::of_json(again.clone()).is_ok(), "case {case} of {job}: {again}");
                    taken += 1;
                }
                Err(error) => {
                    let words = error.to_string();
                    assert!(words.len() > 8 && !words.contains("bug"), "case {case} of {job}: {words:?}");
                    refused += 1;
                }
            }
        }
    }
    println!("{taken} configurations were taken, {refused} refused");
    assert!(taken > 100 && refused > 1000, "{taken} were taken and {refused} refused");
}
