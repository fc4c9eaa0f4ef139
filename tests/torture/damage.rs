//! A run folder is damaged, a bit or a byte at a time: whoever opens it gets an error in words or what the run was, never other numbers.

use std::fs;
use std::path::{Path, PathBuf};

use bd_core::{DeviceSpec, Rng};
use bd_run::{Layers, Resume, Run};
use bd_train::Checkpoints;
use tch::{Kind, Tensor};

use crate::common::noise;
use crate::jobs::Job;
use crate::{is_long, tries};

/// Bytes of a file above which only a sample of its bits is flipped.
const SMALL: usize = 4096;

/// What somebody gets who opens a run folder: predictions, or words.
fn outcome(run: &Path, x: &Tensor) -> Result<Vec<(String, Tensor)>, String> {
    let predict = || Run::open(run)?.predictor(DeviceSpec::Cpu)?.predict(x);
    predict().map(|prediction| prediction.arrays).map_err(|error| error.to_string())
}

fn same(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a, x), (b, y))| a == b && x.size() == y.size() && x.equal(y))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Truncations and flipped bits of a file: all of a small one in the long form, else a sample.
fn damages(content: &[u8], rng: &mut Rng) -> Vec<(String, Vec<u8>)> {
    let (len, bits) = (content.len(), content.len() * 8);
    let all = is_long() && len <= SMALL;
    let mut draw = |most: usize, count: usize| -> Vec<usize> {
        if all {
            (0..most).collect()
        } else {
            (0..count.min(most)).map(|_| (rng.uniform() * most as f64) as usize).collect()
        }
    };
    let cuts = draw(len, tries(12, 300)).into_iter().map(|at| (format!("cut after {at}"), content[..at].to_vec()));
    let cuts: Vec<_> = cuts.collect();
    let flips = draw(bits, tries(25, 1000)).into_iter().map(|bit| {
        let mut content = content.to_vec();
        content[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), content)
    });
    cuts.into_iter().chain(flips).collect()
}

/// What is read by whoever predicts.
const READ: [&str; 3] = ["config.json", "manifest.json", "model.safetensors"];

fn damage(job: Job) {
    let (desk, _) = job.undisturbed(1);
    let run = desk.path("run");
    let x = match job {
        Job::Rnn => noise("x", &[2, 20, 1]),
        Job::Ngrc => noise("x", &[1, 100, 3]),
        Job::Snn | Job::Network => noise("x", &[2, 100, 50]).gt(1.0).to_kind(Kind::Double),
    };
    let whole = outcome(&run, &x).unwrap();
    let mut rng = Rng::new(0, &format!("damage of {job:?}"));
    let (mut refused, mut unharmed) = (0, 0);
    for file in READ.map(|name| run.join(name)) {
        let content = fs::read(&file).unwrap();
        for (damage, damaged) in damages(&content, &mut rng) {
            fs::write(&file, damaged).unwrap();
            match outcome(&run, &x) {
                Ok(found) if same(&found, &whole) => unharmed += 1,
                Ok(_) => panic!("{}: {damage}: other numbers", file.display()),
                Err(words) => {
                    assert!(words.len() > 20 && !words.contains("panicked"), "{}: {damage}: {words:?}", file.display());
                    refused += 1;
                }
            }
        }
        fs::write(&file, content).unwrap();
    }
    println!("{job:?}: {refused} refused, {unharmed} without harm");
    assert!(refused > 50);
    assert!(same(&outcome(&run, &x).unwrap(), &whole));
    if job != Job::Ngrc {
        damage_checkpoints(&run, &mut rng);
    }
}

/// Of a checkpoint that is damaged nothing is used: the one before it is.
fn damage_checkpoints(run: &Path, rng: &mut Rng) {
    let folder = run.join("checkpoints");
    let newest = Checkpoints::newest(&folder).unwrap().expect("a checkpoint");
    let mut passed_over = 0;
    for file in files(&newest.path) {
        let content = fs::read(&file).unwrap();
        for (damage, damaged) in damages(&content, rng) {
            fs::write(&file, &damaged).unwrap();
            let what = || format!("{}: {damage}", file.display());
            let found = Checkpoints::newest(&folder).unwrap_or_else(|error| panic!("{}: {error}", what())).unwrap();
            if found.path == newest.path {
                // Sums are of the other files: a damage of what nothing is compared with changes nothing that is used.
                let of_sums = file.ends_with("SHA256SUMS");
                assert!(of_sums && same(&found.checkpoint.model, &newest.checkpoint.model), "{}: it is used", what());
            } else {
                passed_over += 1;
            }
        }
        fs::write(&file, content).unwrap();
    }
    assert!(passed_over > 100, "{passed_over}");
    Resume::open(run, &Layers::default()).unwrap();
}

#[test]
fn of_a_rate_network() {
    damage(Job::Rnn);
}

#[test]
fn of_a_spiking_network() {
    damage(Job::Snn);
}

#[test]
fn of_a_forecast() {
    damage(Job::Ngrc);
}

#[test]
fn of_a_network_as_text() {
    if is_long() {
        damage(Job::Network);
    }
}
