//! Files that trained runs do not take, for `bd predict --input` and `bd eval --data`, and options that do not fit a run.

use std::fs;

use bd_core::npz::save_npz;
use tch::{Device, Kind, Tensor};

use super::{Content, FILE, Odd};
use crate::common::{Desk, refused_by, save};
use crate::snn_data::{events, of_part, spikes, waves};
use crate::train_rnn::told_apart_by_mean;

/// A series of two channels at times half a second apart.
fn series(points: std::ops::Range<i32>) -> String {
    let line = |i: i32| format!("{},{},{}\n", f64::from(i) * 0.5, i * i % 7, i * i % 5);
    format!("t,a,b\n{}", points.map(line).collect::<String>())
}

fn save_samples(desk: &Desk) {
    let (x, y) = told_apart_by_mean("train", 20);
    save(desk, "samples.npz", &[("x", &x), ("y", &y)]);
}

fn save_events(desk: &Desk) {
    let ((x, y), (x_test, y_test)) = (spikes("train", 20), spikes("test", 8));
    let arrays = of_part("train", events(&x), y).into_iter().chain(of_part("test", events(&x_test), y_test));
    save_npz(&desk.path("events.npz"), &arrays.collect::<Vec<_>>()).unwrap();
}

/// Trains the runs `ngrc`, `rnn` and `snn` on files, `current` on numbers that are encoded, and `task` on a task.
pub(super) fn train(desk: &Desk) {
    fs::write(desk.path("series.csv"), series(0..200)).unwrap();
    save_samples(desk);
    save_events(desk);
    let (x, y) = waves("train", 20);
    save(desk, "waves.npz", &[("x", &x), ("y", &y)]);
    let short = ["--hidden", "6", "--epochs", "1", "--ensemble", "1"];
    for args in [
        &[
            "ngrc",
            "--data",
            "series.csv",
            "--time",
            "t",
            "--delay",
            "16",
            "--alpha",
            "1",
            "--free-run",
            "0",
            "--out",
            "ngrc",
        ][..],
        &[&["rnn", "--data", "samples.npz", "--out", "rnn"], &short[..]].concat(),
        &[&["snn", "--data", "events.npz", "--out", "snn"], &short[..]].concat(),
        &[&["snn", "--data", "waves.npz", "--encode", "current", "--out", "current"], &short[..]].concat(),
        &[
            "rnn",
            "--task",
            "integration",
            "--hidden",
            "6",
            "--updates",
            "1",
            "--set",
            "data.test_samples=9",
            "--out",
            "task",
        ],
    ] {
        desk.bd_json(&[&["train"], args].concat());
    }
}

fn predict(run: &'static str, more: &[&'static str]) -> Vec<&'static str> {
    let output = if run == "ngrc" { "out.csv" } else { "out.npz" };
    [&["predict", run, "--input", FILE, "--output", output], more].concat()
}

fn eval(run: &'static str, more: &[&'static str]) -> Vec<&'static str> {
    [&["eval", run, "--data", FILE], more].concat()
}

pub(super) fn all() -> Vec<Odd> {
    let cases = [of_series(), of_samples(), of_spikes()].into_iter().flatten();
    cases.map(|(name, content, args, code, words)| Odd::new(name, content, args, code, words)).collect()
}

type Case = (&'static str, Content, Vec<&'static str>, i32, &'static str);

fn of_series() -> Vec<Case> {
    let text = |text: String| Content::Bytes(text.into_bytes());
    let good = || text(series(0..40));
    let slow = series(0..40).replace(".5,", ".25,").replace(".0,", ".125,");
    vec![
        (
            "short.csv",
            text(series(0..15)),
            predict("ngrc", &[]),
            2,
            "short.csv has 15 points, but lags reach 15 points back",
        ),
        ("-", Content::Absent, predict("ngrc", &[]), 7, "it is standard input, a pipe or a device"),
        ("lacks.csv", "t,a\n0,1\n0.5,2\n".into(), predict("ngrc", &[]), 7, "no column is called 'b'; there are: t, a"),
        ("hole.csv", "t,a,b\n0,1,2\n0.5,NA,3\n".into(), predict("ngrc", &[]), 7, "column a: line 3 is NA"),
        ("uneven.csv", text(slow), predict("ngrc", &[]), 7, "the time in t: "),
        (
            "fast.csv",
            "t,a,b\n0,1,2\n0.25,2,3\n0.5,1,3\n".into(),
            predict("ngrc", &[]),
            7,
            "points are 0.25 apart by the time in t, but should be 0.5 apart",
        ),
        (
            "three.csv",
            good(),
            predict("ngrc", &["--columns", "a,b,t", "--time", "t"]),
            7,
            "t cannot be a channel and the time",
        ),
        ("record.csv", good(), predict("ngrc", &["--record", "r.v"]), 2, "--record is not for a run of ngrc"),
        ("short.eval.csv", text(series(0..15)), eval("ngrc", &[]), 2, "the series has 15 points, too few"),
        ("zero.eval.csv", "t,a,b\n0,1,2\n\0".into(), eval("ngrc", &[]), 7, "line 3 has a zero byte"),
        ("folder.eval.csv", Content::Folder, eval("ngrc", &[]), 7, "it is a folder, and not a file"),
    ]
}

fn of_samples() -> Vec<Case> {
    let (x, y) = told_apart_by_mean("more", 6);
    let arrays =
        |all: &[(&str, &Tensor)]| Content::Arrays(all.iter().map(|(name, t)| ((*name).to_owned(), t.copy())).collect());
    let hole = x.copy();
    let _ = hole.get(2).get(7).get(1).fill_(f64::NAN);
    let wide = Tensor::cat(&[&x, &x], 2);
    let sums = x.cumsum(1, Kind::Double);
    let halves = Tensor::full([6], 7.9, (Kind::Double, Device::Cpu));
    let huge = Tensor::full([1, 5, 2], 1e300, (Kind::Double, Device::Cpu));
    let named = arrays(&[("hole", &hole), ("flat", &x.flatten(0, -1)), ("narrow", &x.narrow(2, 0, 1))]);
    let named = || match &named {
        Content::Arrays(all) => Content::Arrays(all.iter().map(|(name, array)| (name.clone(), array.copy())).collect()),
        _ => Content::Absent,
    };
    vec![
        (
            "text.csv",
            "1,2\n".into(),
            predict("rnn", &[]),
            7,
            "ends in .npz, .npy, .safetensors, .h5, .hdf5, .nwb or .mat",
        ),
        ("cut.npz", b"PK\x03\x04"[..].to_vec().into(), predict("rnn", &[]), 7, "not an npz file"),
        ("hole.npz", arrays(&[("x", &hole)]), predict("rnn", &[]), 7, "x is NaN at sample 2, step 7, channel 1"),
        (
            "wide.npz",
            arrays(&[("x", &wide)]),
            predict("rnn", &[]),
            7,
            "x is [6, 12, 4]; the network takes [batch, time, 2] or [time, 2]",
        ),
        ("huge.npz", arrays(&[("x", &huge)]), predict("rnn", &[]), 7, "x is 1e300 at sample 0, step 0, channel 0"),
        (
            "shares.npz",
            arrays(&[("x", &x), ("len", &halves)]),
            predict("rnn", &[]),
            7,
            "len is float64 of shape [6]; it must be whole numbers of shape [6]",
        ),
        (
            "unnamed.npz",
            named(),
            predict("rnn", &[]),
            7,
            "no array is called 'x'; there are: hole [6, 12, 2], flat [144], narrow [6, 12, 1]; name the one",
        ),
        ("flat.npz", named(), predict("rnn", &["--array", "flat"]), 7, "flat is [144]; the network takes"),
        ("narrow.npz", named(), predict("rnn", &["--array", "narrow"]), 7, "narrow is [6, 12, 1]; the network takes"),
        (
            "state.npz",
            arrays(&[("x", &x)]),
            predict("rnn", &["--record", "r.c"]),
            2,
            "no state is called 'r.c'; there are: r.h, m.mean",
        ),
        (
            "classes.npz",
            arrays(&[("x", &x), ("y", &(&y * 5))]),
            eval("rnn", &[]),
            7,
            "y has the label 5, but the run has learned only 0 to 1",
        ),
        (
            "sums.npz",
            arrays(&[("x_test", &sums), ("y_test", &sums)]),
            eval("rnn", &[]),
            7,
            "y_test is [6, 12, 2]; labels are [sample]",
        ),
        (
            "wide.eval.npz",
            arrays(&[("x", &wide), ("y", &y)]),
            eval("rnn", &[]),
            7,
            "the network takes [sample, time, 2]",
        ),
        (
            "hole.eval.npz",
            arrays(&[("x", &hole), ("y", &y)]),
            eval("rnn", &[]),
            7,
            "x is NaN at sample 2, step 7, channel 1",
        ),
        ("bare.eval.npz", arrays(&[("x", &x)]), eval("rnn", &[]), 7, "it lacks y; there are: x [6, 12, 2]"),
        (
            "columns.eval.npz",
            arrays(&[("x", &x), ("y", &y)]),
            eval("rnn", &["--columns", "x"]),
            2,
            "--columns is for runs of ngrc and esn on a series, and this is one of rnn",
        ),
        (
            "task.eval.npz",
            arrays(&[("x", &x), ("y", &y)]),
            eval("task", &[]),
            2,
            "is for a run that has learned from a file",
        ),
    ]
}

fn of_spikes() -> Vec<Case> {
    let ((x, y), (waving, _)) = (spikes("more", 6), waves("more", 6));
    let [times, units, offsets] = events(&x);
    let with_units = |units: Tensor| {
        let named = [("times", &times), ("units", &units), ("offsets", &offsets), ("y", &y)];
        Content::Arrays(named.map(|(name, array)| (name.to_owned(), array.copy())).into())
    };
    let samples = |x: &Tensor| Content::Arrays(vec![("x".to_owned(), x.copy()), ("y".to_owned(), y.copy())]);
    let numbers = Tensor::cat(&[&waving, &waving, &waving, &waving], 2);
    vec![
        ("unit.npz", with_units(&units + 3), predict("snn", &[]), 7, "there are 8 channels, counted from 0"),
        (
            "narrow.npz",
            samples(&x.narrow(2, 0, 2)),
            predict("snn", &[]),
            7,
            "x is [6, 30, 2]; the network takes [batch, time, 8]",
        ),
        (
            "wide.npz",
            samples(&numbers),
            predict("current", &[]),
            7,
            "x is [6, 48, 8]; the network takes [batch, time, 2]",
        ),
        ("unit.eval.npz", with_units(&units + 3), eval("snn", &[]), 7, "there are 8 channels, counted from 0"),
        ("numbers.eval.npz", samples(&numbers), eval("snn", &[]), 2, "the inputs are numbers, not spikes"),
        (
            "narrow.eval.npz",
            samples(&x.narrow(2, 0, 2)),
            eval("snn", &[]),
            7,
            "its inputs are [6, 30, 2]; the network takes [sample, time, 8]",
        ),
        ("events.eval.npz", with_units(units.zeros_like()), eval("current", &[]), 2, "the inputs are spikes already"),
    ]
}

/// A file of the same name that has become another is not what the run has learned from, even where it has the same arrays.
pub(super) fn refuse_changed(desk: &Desk) {
    fs::write(desk.path("series.csv"), series(1..201)).unwrap();
    let (x, y) = told_apart_by_mean("other", 20);
    save(desk, "samples.npz", &[("x", &x), ("y", &y)]);
    let (x, y) = spikes("other", 20);
    let arrays =
        of_part("train", events(&x), y.copy()).into_iter().chain(of_part("test", events(&x), y)).collect::<Vec<_>>();
    save_npz(&desk.path("events.npz"), &arrays).unwrap();
    for (run, words) in [
        ("ngrc", "series.csv: it is not what the run has read"),
        ("rnn", "samples.npz: it is not what the run has read"),
        ("snn", "events.npz: it is not what the run has read"),
    ] {
        refused_by(desk, &["eval", run], 7, words);
    }
}
