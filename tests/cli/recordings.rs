//! `--data` of HDF5: the Heidelberg digits, NWB, MATLAB, arrays by their paths; and files that are none.

use std::fs;

use crate::common::{Desk, json_of, refused_by};

fn fixture(name: &str) -> String {
    format!("{}/tests/data/hdf5/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A small job on a file.
fn train<'a>(job: &'a str, file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = ["--hidden", "8", "--ensemble", "1", "--epochs", "2", "--seed", "1"];
    let small = if ["rnn", "snn"].contains(&job) { &small[..] } else { &[] };
    [&["train", job, "--data", file], small, more].concat()
}

/// The weights of the digits are those of the npz file of the same spikes, byte for byte, speakers apart.
#[test]
fn digits_are_learned_as_the_npz_of_the_same_spikes() {
    let desk = Desk::new();
    let group = ["--group", "extra/speaker"];
    let (h5, npz) = (fixture("digits.h5"), fixture("digits.npz"));
    for (file, out) in [(&h5, "a"), (&npz, "b")] {
        let ended = desk.bd(&train("snn", file, &[&group[..], &["--out", out]].concat()));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("by extra/speaker"), "{}", ended.stderr);
    }
    for name in ["model.safetensors", "predictions.npz"] {
        let bytes = |out: &str| fs::read(desk.path(out).join(name)).unwrap();
        assert!(bytes("a") == bytes("b"), "{name}");
    }
    let ended = desk.bd(&["predict", "a", "--input", &h5, "--output", "again.npz"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = desk.bd(&["eval", "a", "--data", &fixture("digits_f8.h5")]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = desk.bd(&["train", "esn", "--data", &h5, "--units", "10", "--search", "0", "--out", "c"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

/// Trials of an NWB file by a column of its table, and again by the run; the same file in a run of windows.
#[test]
fn trials_of_a_recording_are_samples() {
    let desk = Desk::new();
    let nwb = fixture("recording.nwb");
    let ended = desk.bd(&train("snn", &nwb, &["--y", "stimulus", "--group", "subject_mood", "--out", "a"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let config = json_of(&desk, "a/config.json");
    assert_eq!(config["data"]["arrays"]["y"], "stimulus");
    assert_eq!(config["data"]["classes"], serde_json::json!(["cat", "dog"]));
    assert_eq!(config["data"]["channels"], 5);
    for args in [
        &["predict", "a", "--input", &nwb, "--output", "p.npz"][..],
        &["eval", "a", "--data", &nwb],
        &["train", "conv", "--data", &nwb, "--y", "side", "--set", "model.features=84", "--out", "b"],
        &["train", "esn", "--data", &nwb, "--y", "correct", "--units", "10", "--search", "0", "--out", "c"],
    ] {
        let ended = desk.bd(args);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    refused_by(
        &desk,
        &train("snn", &nwb, &[]),
        7,
        "the columns of intervals/trials are: correct, side, stimulus, subject_mood; name the one that is the target with --y",
    );
    refused_by(
        &desk,
        &train("snn", &nwb, &["--y", "answer"]),
        7,
        "no array is called 'answer'; the columns of intervals/trials are: correct, side",
    );
    refused_by(
        &desk,
        &train("snn", &nwb, &["--y", "side", "--trials", "epochs"]),
        7,
        "no table of intervals is called 'epochs' (--trials); there are: trials",
    );
}

/// Series with a rate, with timestamps, and with times that are not even.
#[test]
fn series_of_a_recording_have_their_times() {
    let desk = Desk::new();
    let nwb = fixture("recording.nwb");
    let ended = desk.bd(&train("ngrc", &nwb, &["--columns", "acquisition/lfp", "--delay", "1", "--out", "a"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("400 points, 3 channels (acquisition/lfp.0, acquisition/lfp.1"), "{}", ended.stderr);
    assert!(ended.stderr.contains("dt 0.004"), "{}", ended.stderr);
    let ended = desk.bd(&train("ngrc", &nwb, &["--columns", "acquisition/running", "--delay", "1,2", "--out", "b"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = desk.bd(&["predict", "b", "--input", &nwb, "--output", "p.csv"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(fs::read_to_string(desk.path("p.csv")).unwrap().lines().nth(1).unwrap().starts_with("3."));
    refused_by(
        &desk,
        &train("ngrc", &nwb, &[]),
        7,
        "name its columns with --columns; there are: acquisition/lfp.0, acquisition/lfp.1, acquisition/lfp.2, acquisition/licks",
    );
    refused_by(
        &desk,
        &train("ngrc", &nwb, &["--columns", "acquisition/licks"]),
        7,
        "the times of acquisition/licks: points are not evenly spaced",
    );
}

/// Arrays by their paths, and variables of MATLAB.
#[test]
fn arrays_are_named_by_their_paths() {
    let desk = Desk::new();
    let (h5, mat) = (fixture("plain.h5"), fixture("matlab.mat"));
    let by_path = ["--x", "session/v", "--y", "session/side", "--group", "session/subject", "--out", "a"];
    let ended = desk.bd(&train("rnn", &h5, &by_path));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(json_of(&desk, "a/config.json")["data"]["classes"], serde_json::json!(["down", "up"]));
    for (more, out) in [(&[][..], "p.npz"), (&["--array", "session/v"], "q.npz"), (&["--array", "again"], "r.npz")] {
        let ended = desk.bd(&[&["predict", "a", "--input", &h5, "--output", out], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("the run has learned from this file"), out != "r.npz", "{}", ended.stderr);
    }
    let ended = desk.bd(&train("rnn", &h5, &["--group", "subject", "--out", "parts"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("6 for testing"), "{}", ended.stderr);
    let ended = desk.bd(&train("rnn", &mat, &["--out", "b"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(json_of(&desk, "b/config.json")["data"]["classes"], serde_json::json!(["left", "right"]));
    let series = ["--columns", "series/u", "--time", "series/t", "--delay", "1", "--out", "c"];
    let ended = desk.bd(&train("ngrc", &h5, &series));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("120 points, 2 channels (series/u.0, series/u.1), dt 0.01"), "{}", ended.stderr);
    for (file, more, words) in [
        (&h5, &["--columns", "odd/lzf"][..], "column odd/lzf: odd/lzf: it is compressed by a filter that is not read"),
        (&h5, &["--time", "series/t"], "name its columns with --columns; there are: subject_train"),
        (&fixture("old.mat"), &[], "it is a MATLAB file of version 5 to 7, and 7.3 is read; convert it"),
    ] {
        refused_by(&desk, &train("ngrc", file, more), 7, words);
    }
}
