//! `bd train JOB --print-config`: what it prints is the configuration, with what has set each value, and can be used.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Desk, refused_by};

/// The configuration that a command would have, and the sources of its values.
fn printed(desk: &Desk, words: &str) -> (Value, Value) {
    let words: Vec<&str> = words.split(' ').chain(["--print-config"]).collect();
    let found = desk.bd_json(&words);
    (found["config"].clone(), found["sources"].clone())
}

#[test]
fn what_is_printed_is_what_is_trained() {
    let desk = Desk::new();
    fs::write(desk.path("c.toml"), "batch = 4\n[optim]\nlr = 0.5\n").unwrap();
    let line = "train rnn --config c.toml --updates 2 --set optim.lr=0.25 data.test_samples=2 --hidden 4";
    let (config, sources) = printed(&desk, line);
    for (path, source) in [
        ("batch", "file"),
        ("updates", "option"),
        ("model.hidden", "option"),
        ("optim.lr", "set"),
        ("data.test_samples", "set"),
        ("seed", "default"),
    ] {
        assert_eq!(sources[path], source, "{path}");
    }
    // As text it is a configuration file.
    let text = desk.bd(&line.split(' ').chain(["--print-config"]).collect::<Vec<_>>());
    assert_eq!((text.code, text.stderr.as_str()), (0, ""));
    assert!(
        text.stdout.lines().any(|line| line.starts_with("batch = 4 ") && line.ends_with("# c.toml")),
        "{}",
        text.stdout
    );
    fs::write(desk.path("all.toml"), &text.stdout).unwrap();
    assert_eq!(printed(&desk, "train rnn --config all.toml").0, config);
    assert_eq!(desk.files(), ["all.toml", "c.toml"], "nothing is trained");
    // And it is the one of the run, which another can begin with.
    let words: Vec<&str> = line.split(' ').chain(["--out", "run", "--quiet"]).collect();
    assert_eq!(desk.bd(&words).code, 0);
    let of_run: Value = serde_json::from_slice(&fs::read(desk.path("run/config.json")).unwrap()).unwrap();
    assert_eq!(of_run, config);
    let (from, sources) = printed(&desk, "train rnn --from run --seed 3");
    assert_eq!((&from["optim"]["lr"], &from["seed"]), (&json!(0.25), &json!(3)));
    assert_eq!((&sources["optim.lr"], &sources["seed"]), (&json!("file"), &json!("option")));
}

#[test]
fn every_job_prints_its_own() {
    let desk = Desk::new();
    for (line, value) in [
        ("train ngrc --delay 3", "/nvar/delay"),
        ("train esn --units 30", "/reservoir/units"),
        ("train snn --hidden 3", "/model/hidden/0"),
    ] {
        let (config, _) = printed(&desk, line);
        assert_eq!(
            config.pointer(value).and_then(Value::as_u64),
            Some(if line.contains("30") { 30 } else { 3 }),
            "{line}"
        );
    }
    let movements = crate::common::data("movements.npz");
    assert_eq!(printed(&desk, &format!("train conv --data {movements}")).0["job"], "conv");
    refused_by(&desk, &["train", "rnn", "--from", "absent"], 7, "absent/config.json: cannot be read");
    refused_by(&desk, &["train", "rnn", "--print-config", "--lr", "-1"], 2, "lr is -1");
}
