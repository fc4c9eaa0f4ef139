//! `bd sweep`, objectives of all jobs, and failures as JSON.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tch::Kind;

use crate::common::{Desk, ended, json_of, metric, noise, refused_by, reports, same_bytes, save};

/// Six trials of a few updates, of which two diverge.
const SPEC: &str = "job = \"rnn\"\nseeds = [0, 1]\n[base]\nupdates = 60\nbatch = 2\nmodel.hidden = [4]\nreport_every = 5\n\
                    checkpoint_every = 5\ndata.test_samples = 8\n[grid]\noptim.lr = [1e-3, 1e-2, 1e30]\n";

fn desk_with(spec: &str) -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("s.toml"), spec).unwrap();
    desk
}

fn rows(desk: &Desk) -> Vec<Value> {
    let text = fs::read_to_string(desk.path("s/trials.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn trials_are_compared_by_the_validation_part_and_the_best_is_tested() {
    let desk = desk_with(SPEC);
    let found = desk.bd_json(&["sweep", "s.toml", "--out", "s"]);
    assert_eq!((&found["ended"], &found["failed"], &found["of"]), (&json!(6), &json!(2), &json!(6)), "{found}");
    let rows = rows(&desk);
    assert_eq!(found["trials"], json!(rows));
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((&row["trial"], &row["seed"]), (&json!(i), &json!(i % 2)));
        if i >= 4 {
            assert_eq!((&row["error"]["code"], &row["error"]["kind"]), (&json!(3), &json!("not_finite")));
            continue;
        }
        // The same training by hand: the same weights, and the same objective.
        let [lr, seed] = [&row["values"]["optim.lr"], &row["seed"]].map(Value::to_string);
        let set = [format!("optim.lr={lr}"), format!("seed={seed}"), "updates=60".into(), "batch=2".into()];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let by_hand = desk.bd_json(
            &[&["train", "rnn", "--out", "hand", "--set"], &set[..], &["model.hidden=4", "data.test_samples=8"]]
                .concat(),
        );
        assert_eq!(json!(metric(&by_hand, "objective")), row["objective"]);
        assert!(same_bytes(&desk, "model.safetensors", "hand", &format!("s/trial-000{i}")));
        fs::remove_dir_all(desk.path("hand")).unwrap();
    }
    let mean = |i: usize| (rows[i]["objective"].as_f64().unwrap() + rows[i + 1]["objective"].as_f64().unwrap()) / 2.0;
    let first = if mean(0) <= mean(2) { 0 } else { 2 };
    let best = &found["best"];
    assert_eq!((&best["trials"], &best["objective"]), (&json!([first, first + 1]), &json!(mean(first))));
    let test = |i: usize| metric(&json_of(&desk, &format!("s/trial-000{i}.json")), "test_loss");
    assert_eq!(best["test"]["test_loss"], json!((test(first) + test(first + 1)) / 2.0));
    assert!(!fs::read_to_string(desk.path("s/trials.jsonl")).unwrap().contains("test"), "of no other trial");
    // Once more: nothing is left to do, and the table is the same; it is written, too.
    let again = desk.bd(&["sweep", "s.toml", "--out", "s"]);
    assert!(again.code == 0 && again.stderr.contains("0 of 6 trials are to be run"), "{}", again.stderr);
    assert_eq!(again.stdout, fs::read_to_string(desk.path("s/report.md")).unwrap());
    assert!(again.stdout.contains("6 of 6 trials ended, 2 of them failed."), "{}", again.stdout);
}

/// Jobs of an array run one trial each in one folder; the whole sweep then has nothing to run.
#[test]
fn jobs_of_an_array_share_a_folder() {
    let desk = desk_with(SPEC);
    let listed = desk.bd_json(&["sweep", "s.toml", "--list"]);
    assert_eq!(
        (&listed["of"], &listed["trials"][5]),
        (&json!(6), &json!({"trial": 5, "values": {"optim.lr": 1e30}, "seed": 1}))
    );
    assert!(!desk.path("runs").exists());
    let job = |i: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
        command.args(["sweep", "s.toml", "--out", "s", "--index", &i.to_string(), "--json", "--quiet"]).env_clear();
        command.current_dir(desk.path("")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let jobs: Vec<Child> = (0..6).map(job).collect();
    for (i, child) in jobs.into_iter().enumerate() {
        let said = ended(child.wait_with_output().unwrap());
        assert_eq!(said.code, if i < 4 { 0 } else { 3 }, "{i}: {}", said.stderr);
        let row: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((&row["trial"], row.get("error").is_some()), (&json!(i), i >= 4));
    }
    let found = desk.bd(&["sweep", "s.toml", "--out", "s"]);
    assert!(found.code == 0 && found.stderr.contains("0 of 6 trials are to be run"), "{}", found.stderr);
}

#[test]
fn wrong_specifications_are_refused() {
    for (spec, args, code, words) in [
        (
            "job = \"rnn\"\n[grid]\noptim.lrr = [1]",
            &[][..],
            2,
            "s.toml: unknown configuration key optim.lrr; did you mean optim.lr?",
        ),
        ("job = \"rnn\"\ngird.optim.lr = [1]", &[], 2, "s.toml: unknown configuration key gird; did you mean grid?"),
        ("job = \"auto\"", &[], 2, "job is auto; it must be one of ngrc, esn, rnn, snn, conv"),
        ("job = ", &[], 2, "s.toml: TOML parse error"),
        ("job = \"rnn\"\n[grid]\noptim.lr = [0.1, 0]", &[], 2, "lr is 0"),
        ("job = \"ngrc\"\n[grid]\nnvar.delay = [[2], [0]]", &[], 2, "s.toml: nvar.delay is 0; it must be at least 1"),
        ("job = \"rnn\"\n[base]\ndata.file = \"none.npz\"", &[], 7, "none.npz: cannot be read"),
        ("job = \"rnn\"\n[random]\nbatch = {low = 0.5, high = 4, integer = true}", &[], 2, "must be whole numbers"),
        ("job = \"rnn\"\ntrials = 9", &[], 2, "trials is 9; it must be 1"),
        ("job = \"rnn\"", &["--index", "1"], 2, "index is 1; it must be from 0 to 0"),
        ("job = \"rnn\"", &["--jobs", "0"], 2, "jobs is 0; it must be at least 1"),
        ("job = \"rnn\"", &["--threads", "0"], 2, "threads is 0"),
        ("job = \"rnn\"", &["--out", "."], 5, "it exists and is no folder of a sweep"),
    ] {
        refused_by(&desk_with(spec), &[&["sweep", "s.toml"], args].concat(), code, words);
    }
    let desk = desk_with("job = \"rnn\"\n[base]\nupdates = 1");
    assert_eq!(desk.bd(&["sweep", "s.toml", "--out", "s", "--quiet"]).code, 0);
    fs::write(desk.path("s.toml"), "job = \"rnn\"\n[base]\nupdates = 2").unwrap();
    refused_by(&desk, &["sweep", "s.toml", "--out", "s"], 7, "updates: 1 -> 2");
}

#[test]
fn if_all_trials_fail_the_code_is_that_of_the_first() {
    let desk = desk_with(&SPEC.replace("[1e-3, 1e-2, 1e30]", "[1e30]"));
    let said = desk.bd(&["sweep", "s.toml", "--out", "s", "--json", "--quiet"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&found["best"], &found["failed"]), (&Value::Null, &json!(2)));
    assert!(said.stderr.contains("all 2 trials failed; the first: the loss is not finite"), "{}", said.stderr);
}

/// A failure with `--json` is one object, of usage, too; without it nothing stands there.
#[test]
fn a_failure_is_one_object() {
    let desk = Desk::new();
    for (args, code, kind, words) in [
        (&["train", "rnn", "--lr", "1e30", "--hidden", "8", "--quiet"][..], 3, "not_finite", "the loss is not finite"),
        (&["train", "rnn", "--set", "optim.rl=1"], 2, "configuration", "did you mean optim.rule?"),
        (&["train", "rnn", "--lrr", "1"], 2, "usage", "unexpected argument '--lrr' found"),
        (&["train", "rnn", "--set", "model.hidden=512", "batch=16000000"], 4, "out_of_memory", "GiB are available"),
        (&["train", "--resume", "none"], 7, "bad_file", "none"),
        (&["eval", "none"], 7, "bad_file", "none"),
        (&["predict", "none", "--input", "a.npz", "--output", "b.npz"], 7, "bad_file", "none"),
        (&["simulate", "none.toml", "--duration-ms", "1"], 7, "bad_file", "none.toml"),
        (&["sweep", "none.toml"], 7, "bad_file", "none.toml"),
    ] {
        let said = desk.bd(&[args, &["--json"]].concat());
        assert_eq!(said.code, code, "{args:?}: {}", said.stderr);
        let error = &serde_json::from_str::<Value>(&said.stdout).unwrap()["error"];
        assert_eq!((&error["code"], &error["kind"]), (&json!(code), &json!(kind)), "{args:?}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words) && said.stderr.contains(words), "{args:?}: {error}");
        assert_eq!(desk.bd(args).stdout, "", "{args:?}");
        let _ = fs::remove_dir_all(desk.path("runs"));
    }
    let help = desk.bd(&["train", "rnn", "--json", "--help"]);
    assert!(help.code == 0 && help.stdout.contains("Usage: bd train rnn"), "{}", help.stdout);
}

/// Every job has an objective, by a name that says what it is, and of a validation part where there is one.
#[test]
fn every_job_has_an_objective() {
    let desk = Desk::new();
    let (x, y) =
        (noise("x", &[40, 6, 2]), noise("x", &[40, 6, 2]).select(1, 0).select(1, 0).gt(0.0).to_kind(Kind::Int64));
    save(&desk, "labels.npz", &[("x", &x), ("y", &y)]);
    let series: Vec<String> = (0..400).map(|t| format!("{:.6}", (0.3 * f64::from(t)).sin())).collect();
    fs::write(desk.path("sine.csv"), format!("v\n{}\n", series.join("\n"))).unwrap();
    let labels = ["--data", "labels.npz"];
    let network = ["--data", "labels.npz", "--epochs", "2", "--hidden", "4", "--ensemble", "2"];
    let cases: [(&[&str], &str, Option<&str>); 13] = [
        (&["rnn", "--updates", "3"], "validation_loss", None),
        (
            &["rnn", "--task", "perceptual_decision", "--updates", "2", "--hidden", "4", "--batch", "4"],
            "validation_loss",
            None,
        ),
        (&[&["rnn"], &network[..]].concat(), "best_validation_loss", Some("best_validation_loss")),
        (&[&["rnn"], &network[..], &["--set", "early_stopping=null"]].concat(), "validation_loss", None),
        (&[&["rnn"], &network[..], &["--validation", "0"]].concat(), "train_loss_last_100", None),
        (&["snn", "--epochs", "2", "--steps", "40", "--samples", "8"], "train_loss", Some("train_loss")),
        (&[&["conv"], &labels[..], &["--features", "84"]].concat(), "validation_error_rate", None),
        (&[&["esn"], &labels[..], &["--units", "20", "--search", "1"]].concat(), "validation_error_rate", None),
        (&["ngrc"], "train_nrmse", None),
        (&["ngrc", "--data", "sine.csv"], "validation_nrmse", None),
        (
            &["ngrc", "--data", "sine.csv", "--alpha", "1e-6", "--delay", "2", "--split", "0.6,0.2,0.2"],
            "validation_nrmse",
            None,
        ),
        (&["ngrc", "--data", "sine.csv", "--select", "free-run"], "minus_validation_valid_steps", None),
        (&["ngrc", "--set", "data.system.duration=20", "--online", "rls"], "online_mse", None),
    ];
    for (args, name, same) in cases {
        let found = desk.bd_json(&[&["train"], args, &["--out", "run", "--quiet"]].concat());
        assert_eq!(found["objective"], name, "{args:?}");
        let value = metric(&found, "objective");
        assert!(value.is_finite(), "{args:?}: {value}");
        if let Some(same) = same {
            assert_eq!(value, metric(&found, same), "{args:?}");
        }
        if name == "validation_error_rate" {
            assert!((value - (1.0 - metric(&found, "validation_accuracy"))).abs() < 1e-12);
        }
        fs::remove_dir_all(desk.path("run")).unwrap();
    }
    let auto = desk.bd_json(&["train", "auto", "--data", "labels.npz", "--budget", "4", "--out", "auto", "--quiet"]);
    assert_eq!(auto["objective"], "validation_error_rate");
    assert!((metric(&auto, "objective") - (1.0 - metric(&auto, "validation_accuracy"))).abs() < 1e-12, "{auto}");
}

/// Of a task a batch is judged at every report, which changes no weights: it is that of another number, whatever the report's cadence.
#[test]
fn a_task_is_validated_at_every_report() {
    let desk = Desk::new();
    let run = |every: &str, out: &str| {
        desk.bd_json(&[
            "train",
            "rnn",
            "--updates",
            "12",
            "--hidden",
            "4",
            "--report-every",
            every,
            "--out",
            out,
            "--quiet",
        ])
    };
    let (often, seldom) = (run("3", "often"), run("12", "seldom"));
    for file in ["model.safetensors", "predictions.npz"] {
        assert!(same_bytes(&desk, file, "often", "seldom"), "{file}");
    }
    let losses = |run: &str| -> Vec<f64> {
        reports(&desk, run).iter().filter_map(|line| line["validation_loss"].as_f64()).collect()
    };
    assert_eq!((losses("often").len(), losses("seldom").len()), (4, 1));
    assert_eq!(losses("often")[3], losses("seldom")[0]);
    // At the end in other batches, whose sum has another order.
    let last = losses("seldom")[0];
    assert!(
        (metric(&often, "objective") / last - 1.0).abs() < 1e-5
            && metric(&seldom, "objective") != metric(&seldom, "test_loss")
    );
}

/// `--set` takes several values at once, and options follow it.
#[test]
fn several_values_are_set_at_once() {
    let desk = Desk::new();
    let found = desk.bd_json(&[
        "train",
        "rnn",
        "--set",
        "updates=2",
        "model.hidden=5",
        "--seed",
        "3",
        "--set",
        "batch=4",
        "--out",
        "run",
    ]);
    assert_eq!(found["job"], "rnn");
    let config = json_of(&desk, "run/config.json");
    assert_eq!(
        (&config["updates"], &config["model"]["hidden"], &config["batch"], &config["seed"]),
        (&json!(2), &json!([5]), &json!(4), &json!(3))
    );
    let more = desk.bd(&["train", "--resume", "run", "--set", "updates=4", "report_every=2"]);
    assert!(more.code == 0 && more.stderr.contains("changed   report_every"), "{}", more.stderr);
}

/// The study of `examples/optuna_study.py` with two workers on one file, where the interpreter of `BD_PYTHON`, or `python3`, has Optuna.
#[test]
fn an_optuna_study_runs() {
    let python = std::env::var("BD_PYTHON").unwrap_or_else(|_| "python3".into());
    if !Command::new(&python).args(["-c", "import optuna"]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("not run: no Python with optuna; BD_PYTHON may name one");
    }
    let desk = Desk::new();
    let mut command = Command::new(&python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/optuna_study.py"));
    command.args(["--bd", env!("CARGO_BIN_EXE_bd"), "--trials", "4", "--updates", "24"]).current_dir(desk.path(""));
    let said = ended(command.output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(found["ended"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 4, "{found}");
    // The same number as `bd` gives by hand.
    let values = found["values"].as_object().unwrap();
    let set: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let by_hand = desk.bd_json(&[&["train", "rnn", "--out", "hand", "--set", "updates=24"], &set[..]].concat());
    assert_eq!(json!(metric(&by_hand, "objective")), found["objective"]);
}
