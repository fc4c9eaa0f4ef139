//! `--weights`: a training that begins with the weights of another run.

use std::fs;

use bd_core::files::load_tensors;
use bd_core::npz::save_npz;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::{Desk, data, noise, refused_in, small_network};

/// Runs `bd train`, which must succeed; what it said.
#[track_caller]
fn train(desk: &Desk, args: &str) -> String {
    let words: Vec<&str> = ["train"].into_iter().chain(args.split(' ')).collect();
    let said = desk.bd(&words);
    assert_eq!(said.code, 0, "{args}: {}", said.stderr);
    said.stderr
}

fn weights(desk: &Desk, run: &str) -> Vec<u8> {
    fs::read(desk.path(run).join("model.safetensors")).unwrap()
}

fn json(desk: &Desk, file: &str) -> Value {
    serde_json::from_slice(&fs::read(desk.path(file)).unwrap()).unwrap()
}

const RNN: &str = "rnn --hidden 5 --batch 4 --set data.test_samples=4";
/// A step of this size changes no number.
const STILL: &str = "--updates 2 --lr 1e-30";

/// Begun with them and left there, they are those of the other run, in each member of an ensemble; a training goes on from there.
#[test]
fn a_training_begins_with_the_weights_of_another_run() {
    let desk = Desk::new();
    train(&desk, &format!("{RNN} --updates 5 --seed 3 --out first"));
    let said = train(&desk, &format!("rnn --from first --weights first {STILL} --seed 9 --out still"));
    assert!(said.contains("start     from the weights of ") && !said.contains("note      model"), "{said}");
    assert!(weights(&desk, "still") == weights(&desk, "first"), "seed 9 draws others");
    let config = json(&desk, "still/config.json");
    assert_eq!(config["initial"]["sha256"], json(&desk, "first/manifest.json")["weights_sha256"]);

    train(&desk, &format!("rnn --from first --weights first {STILL} --ensemble 2 --out two"));
    let [one, two] = ["first", "two"].map(|run| load_tensors(&desk.path(run).join("model.safetensors")).unwrap());
    for (name, tensor) in &one {
        for member in ["1", "2"] {
            let found = two.iter().find(|(known, _)| *known == format!("{member}.{name}"));
            assert_eq!(&found.unwrap().1, tensor, "{member}.{name}");
        }
    }

    // Repeated by its configuration; and resumed without the other run, of which it has all.
    train(&desk, &format!("{RNN} --weights first --updates 3 --set checkpoint_every=2 --out on"));
    train(&desk, "rnn --from on --out again");
    assert!(weights(&desk, "again") == weights(&desk, "on"));
    assert!(weights(&desk, "on") != weights(&desk, "first"));
    fs::rename(desk.path("first"), desk.path("elsewhere")).unwrap();
    let resumed = desk.bd(&["train", "--resume", "on", "--updates", "4", "--quiet"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_eq!(desk.bd(&["eval", "on", "--quiet"]).code, 0);

    // Begun once more, from what was begun so itself.
    train(&desk, "rnn --from on --weights on --updates 1 --out third");
    assert_eq!(
        json(&desk, "third/config.json")["initial"]["sha256"],
        json(&desk, "on/manifest.json")["weights_sha256"]
    );

    // Another run in its place.
    train(&desk, &format!("{RNN} --updates 1 --seed 4 --out first"));
    refused_in(&desk, &[], &["train", "rnn", "--from", "on"], 7, "and this configuration was made with ");
}

/// A member that has not begun when a training goes on begins with the weights, too.
#[test]
fn a_member_that_begins_later_has_the_weights() {
    let desk = Desk::new();
    train(&desk, &format!("{RNN} --updates 5 --out first"));
    let job = format!("{RNN} --weights first --ensemble 2 --set checkpoint_every=1");
    train(&desk, &format!("{job} --updates 4 --out whole"));
    train(&desk, &format!("{job} --updates 3 --out run"));
    fs::remove_dir_all(desk.path("run/checkpoints/member-2")).unwrap();
    let resumed = desk.bd(&["train", "--resume", "run", "--updates", "4", "--quiet"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(weights(&desk, "run") == weights(&desk, "whole"));
}

/// Who is connected follows from the seed, which is not among the weights.
#[test]
fn weights_of_synapses_are_those_of_their_seed() {
    let desk = Desk::new();
    fs::write(desk.path("net.toml"), small_network()).unwrap();
    let made = desk.bd(&[
        "data",
        "digits",
        "--out",
        "digits.npz",
        "--train",
        "32",
        "--test",
        "8",
        "--classes",
        "4",
        "--channels",
        "50",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let job = "snn --model net.toml --data digits.npz --batch 16 --epochs 1 --ensemble 1";
    train(&desk, &format!("{job} --out first"));
    train(&desk, &format!("{job} --weights first --lr 1e-30 --out still"));
    assert!(weights(&desk, "still") == weights(&desk, "first"));
    let other: Vec<&str> =
        ["train"].into_iter().chain(job.split(' ')).chain(["--weights", "first", "--seed", "9"]).collect();
    refused_in(&desk, &[], &other, 2, "its weights are for --seed 0 and --ensemble 1");
}

/// A network of another program is trained on here: as it was imported, at first.
#[test]
fn an_imported_network_is_trained_on() {
    let desk = Desk::new();
    let file = data("nir/lif.nir");
    let imported = desk.bd(&["import", "nir", &file, "--dt", "0.1", "--euler", "--out", "other", "--quiet"]);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    let model = &json(&desk, "other/config.json")["model"];
    let [n_in, n_out] = ["n_in", "n_out"].map(|key| model[key].as_i64().unwrap());
    let spikes = noise("x", &[24, 20, n_in]).gt(0.5).to_kind(Kind::Float);
    let labels = Tensor::arange(24, (Kind::Int64, tch::Device::Cpu)).remainder(n_out);
    save_npz(&desk.path("own.npz"), &[("x".to_owned(), spikes), ("y".to_owned(), labels)]).unwrap();
    let job = "snn --from other --weights other --data own.npz --set dt=0.1 data.encode=none";
    let said = train(&desk, &format!("{job} --lr 1e-30 --epochs 1 --ensemble 1 --out still"));
    assert!(!said.contains("note      dt"), "{said}");
    let [there, here] = ["other", "still"].map(|run| load_tensors(&desk.path(run).join("model.safetensors")).unwrap());
    for (name, tensor) in &there {
        let found = here.iter().find(|(known, _)| known == name).unwrap();
        assert!((&found.1 - tensor).abs().max().double_value(&[]) < 1e-12, "{name}");
    }
    train(&desk, &format!("{job} --epochs 2 --ensemble 1 --out on"));
    // The step belongs to the data: another one is said.
    let said =
        train(&desk, "snn --from other --weights other --data own.npz --set data.encode=none --epochs 1 --out dt");
    assert!(said.contains("note      dt is 1.0, and was 0.1 in that run"), "{said}");
}

#[test]
fn weights_of_another_network_are_refused() {
    let desk = Desk::new();
    train(&desk, &format!("{RNN} --updates 1 --out small"));
    train(&desk, "ngrc --set data.system.duration=60 --out series");
    let refused = |args: &str, code: i32, words: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        refused_in(&desk, &[], &args, code, words);
    };
    refused("train rnn --hidden 6 --weights small", 7, "recurrent_weight is [5, 5] there and [6, 6] here");
    refused(
        "train rnn --weights series",
        2,
        "it is a run of ngrc, and a training begins with the weights of one of rnn or snn",
    );
    refused("train rnn --weights absent", 7, "absent");
}
