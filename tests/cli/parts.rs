//! Where test parts come from, groups that stay together, and names of classes: through training, evaluation, prediction and going on.

use std::fs;

use bd_core::Arrays;
use bd_core::npz::{load_npz, save_npz_with_text};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, noise, refused_by, same_bytes, save};

fn train<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "rnn", "--data", name, "--hidden", "6", "--epochs", "3", "--ensemble", "1"], more].concat()
}

/// `count` sequences of 12 steps and 2 channels of noise, in turn of label 0 and mean -1 or of label 1 and mean 1.
fn told_apart_by_mean(name: &str, count: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
    let mean = (&labels * 2 - 1).to_kind(Kind::Double).reshape([count, 1, 1]);
    (noise(name, &[count, 12, 2]) * 0.5 + mean, labels)
}

fn whole(desk: &Desk, file: &str, name: &str) -> Vec<i64> {
    Vec::try_from(array(desk, file, name)).unwrap()
}

/// Of 40 samples, 20 of each class, a quarter is 5 of each for the test, and 0.2 of the other 30 is 3 of each for validation.
#[test]
fn a_file_without_a_test_part_is_divided_once_for_all_commands() {
    let desk = Desk::new();
    let (x, y) = told_apart_by_mean("x", 40);
    save(&desk, "all.npz", &[("x", &x), ("y", &y)]);
    let options = ["--test-fraction", "0.25", "--validation", "0.2", "--seed", "7", "--out", "run"];
    let ended = desk.bd(&train("all.npz", &options));
    let words = "10 of 40 samples are for testing, an equal share of each class, by seed 7 (data.test is 0.25)";
    assert!(ended.stderr.contains("24 for training, 6 for validation, 10 for testing"), "{}", ended.stderr);
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(json_of(&desk, "run/config.json")["data"]["test"], json!(0.25));
    // Which samples those are, and that they have the targets of the file.
    let (samples, labels) =
        (whole(&desk, "run/predictions.npz", "sample"), whole(&desk, "run/predictions.npz", "label"));
    assert_eq!(samples.iter().map(|sample| sample % 2).collect::<Vec<_>>(), labels);
    assert_eq!(labels.iter().sum::<i64>(), 5);

    let own = desk.bd_json(&["eval", "run"]);
    let same_file = desk.bd_json(&["eval", "run", "--data", "all.npz"]);
    assert_eq!(own["metrics"], same_file["metrics"]);
    let test = Tensor::from_slice(&samples);
    save(&desk, "test.npz", &[("x", &x.index_select(0, &test)), ("y", &y.index_select(0, &test))]);
    assert_eq!(
        own["metrics"]["test_accuracy"],
        desk.bd_json(&["eval", "run", "--data", "test.npz"])["metrics"]["test_accuracy"]
    );

    let ended = desk.bd(&["predict", "run", "--input", "all.npz", "--output", "out.npz"]);
    let words = "24 of 40 samples were for training (use is 0), 6 for validation (1), 10 for testing (2)";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    let uses = whole(&desk, "out.npz", "use");
    let of_test: Vec<i64> = (0..40).filter(|sample| uses[*sample as usize] == 2).collect();
    assert_eq!((of_test, uses.iter().filter(|used| **used == 1).count()), (samples, 6));
    desk.bd_json(&["predict", "run", "--input", "test.npz", "--output", "other.npz"]);
    assert!(load_npz(&desk.path("other.npz")).unwrap().iter().all(|(name, _)| name != "use"));

    // Again from its configuration, and on from its checkpoint.
    desk.bd_json(&["train", "rnn", "--config", "run/config.json", "--out", "again"]);
    assert!(
        same_bytes(&desk, "model.safetensors", "run", "again") && same_bytes(&desk, "predictions.npz", "run", "again")
    );
    desk.bd_json(&["train", "--resume", "run", "--epochs", "4"]);
    assert_eq!(whole(&desk, "run/predictions.npz", "sample"), whole(&desk, "again/predictions.npz", "sample"));
}

#[test]
fn subjects_are_for_one_purpose() {
    let desk = Desk::new();
    let (x, y) = told_apart_by_mean("x", 48);
    let path = desk.path("all.npz");
    let subjects: Vec<String> = (0..48).map(|sample| format!("s{}", sample / 4)).collect();
    let numbers = [("x".to_owned(), x.copy()), ("y".to_owned(), y)];
    save_npz_with_text(&path, &numbers, &[("subject", &subjects)]).unwrap();
    let ended = desk.bd(&train("all.npz", &["--group", "subject", "--test-fraction", "0.25", "--out", "run"]));
    assert!(
        ended.stderr.contains("12 of 48 samples are for testing, all samples of 3 groups, by subject"),
        "{}",
        ended.stderr
    );
    desk.bd_json(&["predict", "run", "--input", "all.npz", "--output", "out.npz"]);
    let uses = whole(&desk, "out.npz", "use");
    assert!(uses.chunks(4).all(|of_subject| of_subject.iter().all(|used| *used == of_subject[0])), "{uses:?}");
    refused_by(
        &desk,
        &train("all.npz", &["--group", "day"]),
        7,
        "it lacks day; there are: x [48, 12, 2], y [48], subject [48] of text",
    );
    // As a test file it has the subjects that were trained on.
    refused_by(
        &desk,
        &train("all.npz", &["--group", "subject", "--test", "all.npz"]),
        7,
        "all.npz: subject has groups that subject of the training part has too: s0, s1, s10",
    );
}

#[test]
fn the_test_part_may_be_another_file() {
    let desk = Desk::new();
    let ((x, y), (x_test, y_test)) = (told_apart_by_mean("x", 24), told_apart_by_mean("later", 10));
    save(&desk, "all.npz", &[("x", &x), ("y", &y)]);
    save(&desk, "later.npz", &[("x", &x_test), ("y", &y_test)]);
    save(&desk, "one.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    desk.bd_json(&train("all.npz", &["--test", "later.npz", "--out", "two"]));
    let one = desk.bd_json(&train("one.npz", &["--out", "one"]));
    // As if it were all one file.
    assert!(same_bytes(&desk, "model.safetensors", "one", "two") && same_bytes(&desk, "predictions.npz", "one", "two"));
    assert_eq!(desk.bd_json(&["eval", "two"])["metrics"]["test_loss"], metric(&one, "test_loss"));
    let first = fs::read(desk.path("later.npz")).unwrap();
    save(&desk, "later.npz", &[("x", &x_test.neg()), ("y", &y_test)]);
    refused_by(&desk, &["eval", "two"], 7, "later.npz: it is not what the run has read");
    fs::rename(desk.path("later.npz"), desk.path("changed.npz")).unwrap();
    fs::write(desk.path("moved.npz"), first).unwrap();
    desk.bd_json(&["train", "--resume", "two", "--epochs", "4", "--set", "data.test_file=moved.npz"]);
    desk.bd_json(&[
        "train",
        "rnn",
        "--config",
        "one/config.json",
        "--data",
        "all.npz",
        "--test",
        "changed.npz",
        "--epochs",
        "1",
        "--out",
        "new",
    ]);
}

#[test]
fn classes_have_their_names_in_tables_and_predictions() {
    let desk = Desk::new();
    let (x, y) = told_apart_by_mean("x", 40);
    let named = |names: [&str; 2], y: &Tensor| {
        let labels = Vec::<i64>::try_from(y).unwrap();
        labels.iter().map(|label| names[*label as usize].to_owned()).collect::<Vec<_>>()
    };
    let x_of = |x: &Tensor| [("x".to_owned(), x.copy())];
    save_npz_with_text(&desk.path("all.npz"), &x_of(&x), &[("y", &named(["still", "moving"], &y))]).unwrap();
    let ended = desk.bd(&train("all.npz", &["--lr", "0.02", "--out", "run"]));
    // In the order of their letters.
    assert!(
        ended.stdout.contains("is / taken for    moving   still\n        moving "),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    assert_eq!(json_of(&desk, "run/config.json")["data"]["classes"], json!(["moving", "still"]));
    let (more, y) = told_apart_by_mean("more", 9);
    save_npz_with_text(&desk.path("more.npz"), &x_of(&more), &[("y", &named(["still", "moving"], &y))]).unwrap();
    let by_name = desk.bd_json(&["eval", "run", "--data", "more.npz"]);
    // Numbers of the file's own are those of its names.
    let numbers = [("x".to_owned(), more.copy()), ("y".to_owned(), y)];
    let names = ["still", "moving"].map(str::to_owned);
    save_npz_with_text(&desk.path("numbered.npz"), &numbers, &[("class_names", &names)]).unwrap();
    assert_eq!(desk.bd_json(&["eval", "run", "--data", "numbered.npz"])["metrics"], by_name["metrics"]);
    save_npz_with_text(&desk.path("other.npz"), &x_of(&more), &[("y", &named(["still", "up"], &numbers[1].1))])
        .unwrap();
    refused_by(
        &desk,
        &["eval", "run", "--data", "other.npz"],
        7,
        "y has the class \"up\", but the run has learned only moving, still",
    );
    desk.bd_json(&["predict", "run", "--input", "more.npz", "--output", "out.npz"]);
    for file in ["out.npz", "run/predictions.npz"] {
        assert_eq!(Arrays::read(&desk.path(file)).unwrap().text("class_names").unwrap().items, ["moving", "still"]);
    }
}

#[test]
fn what_cannot_divide_a_file_is_refused() {
    let desk = Desk::new();
    let (x, y) = told_apart_by_mean("x", 12);
    save(&desk, "all.npz", &[("x", &x), ("y", &y)]);
    save(&desk, "parts.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x), ("y_test", &y)]);
    save(&desk, "half.npz", &[("x_train", &x), ("y_train", &y)]);
    save(&desk, "flat.npz", &[("x", &x.select(2, 0)), ("y", &y)]);
    for (args, code, words) in [
        (
            train("all.npz", &["--test-fraction", "1.5"]),
            2,
            "data.test (--test-fraction) is 1.5; it must be a fraction between 0 and 1",
        ),
        (train("all.npz", &["--test", "parts.npz", "--test-fraction", "0.5"]), 2, "there is a test part already"),
        (train("parts.npz", &["--test-fraction", "0.5"]), 2, "there is a test part already"),
        (
            train("half.npz", &[]),
            7,
            "it lacks x_test, y_test; there are: x_train [12, 12, 2], y_train [12]; data.test_file names a file",
        ),
        (
            train("flat.npz", &[]),
            7,
            "x is [12, 12]; it must be [sample, time, channel]; of one channel that is x[:, :, None]",
        ),
        (
            vec!["train", "rnn", "--test-fraction", "0.5"],
            2,
            "data.test, data.test_file, data.group and data.arrays are about a file",
        ),
    ] {
        refused_by(&desk, &args, code, words);
    }
}

#[test]
fn a_configuration_of_a_larger_machine_is_of_this_one() {
    let desk = Desk::new();
    let (x, y) = told_apart_by_mean("x", 12);
    save(&desk, "all.npz", &[("x", &x), ("y", &y)]);
    desk.bd_json(&train("all.npz", &["--out", "run"]));
    let mut config = json_of(&desk, "run/config.json");
    config["threads"] = json!(4096);
    fs::write(desk.path("large.json"), config.to_string()).unwrap();
    let again = ["train", "rnn", "--config", "large.json", "--out", "again"];
    let ended = desk.bd(&again);
    assert!(
        ended.stderr.contains("note      the configuration is of 4096 threads, and this machine has"),
        "{}",
        ended.stderr
    );
    assert!(same_bytes(&desk, "model.safetensors", "run", "again"));
    refused_by(&desk, &train("all.npz", &["--threads", "4096"]), 2, "threads is 4096; this machine allows 1 to");
}
