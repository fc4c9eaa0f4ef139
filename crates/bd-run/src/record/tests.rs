use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::folder::lock_as;
use crate::manifest::Status;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run of a job that began at this second.
    fn run(&self, name: &str, job: &str, status: Status, second: u32) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let ended = (status != Status::Running).then(|| format!("2026-11-29T10:52:{second:02}Z"));
        let manifest = json!({
            "job": job, "status": status, "device": "cpu", "threads": 1, "dtype": "float32", "seed": 0,
            "versions": {"bd": "0.1.0", "git": null, "libtorch": null, "cuda": null},
            "started": format!("2026-11-29T10:51:{second:02}Z"), "finished": ended, "config_sha256": null, "weights_sha256": null,
        });
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
        let config = json!({"job": job, "optim": {"lr": 0.01 * f64::from(second), "rule": {"name": "adam"}}});
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        folder
    }

    fn lines(run: &Path, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(run.join("metrics.jsonl"), text).unwrap();
    }
}

/// A run that says it is running is at work if somebody holds its lock, and else was cut off; that is asked without a trace.
#[test]
fn a_run_is_at_work_while_its_lock_is_held() {
    let desk = Desk::new();
    let run = desk.run("r", "rnn", Status::Running, 1);
    let state = || Record::read(&run).unwrap().state().clone();
    assert_eq!(state(), State::CutOff);
    fs::write(run.join(".lock"), "somebody\n").unwrap();
    assert_eq!((state(), fs::read_to_string(run.join(".lock")).unwrap()), (State::CutOff, "somebody\n".into()));
    let held = lock_as(&run, ".lock").unwrap();
    let State::Running { owner } = state() else { panic!("it is at work") };
    assert!(owner.starts_with(&format!("process {} on", std::process::id())), "{owner}");
    drop(held);
    assert_eq!(state(), State::CutOff);
}

#[test]
fn updates_are_those_of_all_members_by_reports_and_checkpoints() {
    let desk = Desk::new();
    let run = desk.run("r", "rnn", Status::Stopped, 1);
    let line = |step: u64, member: u64, loss: f64| json!({"split": "train", "step": step, "member": member, "loss": loss, "validation_loss": 2.0 * loss});
    Desk::lines(&run, &[line(10, 1, 3.0), line(20, 1, 1.0), line(10, 2, 2.0)]);
    fs::create_dir_all(run.join("checkpoints/step-00000025")).unwrap();
    fs::create_dir_all(run.join("checkpoints/step-00000020")).unwrap();
    fs::create_dir_all(run.join("checkpoints/member-2/step-00000005")).unwrap();
    let record = Record::read(&run).unwrap();
    assert_eq!((record.updates(), record.members()), (25 + 10, vec![1, 2]));
    assert_eq!(record.losses(1), [(10.0, 3.0), (20.0, 1.0)]);
    assert_eq!(record.validation_losses(1), [(10.0, 6.0), (20.0, 2.0)]);
    // The means of the last report of each: of 1 and 2, and of twice that.
    assert_eq!(json!(record.metrics()), json!({"train_loss": 1.5, "validation_loss": 3.0}));
    assert_eq!(record.main_metric().unwrap().name, "validation_loss");
    assert_eq!(record.seconds(), Some(60.0));
}

#[test]
fn metrics_are_those_of_the_test_part_where_there_is_one() {
    let desk = Desk::new();
    let run = desk.run("r", "ngrc", Status::Done, 1);
    let horizon = |horizon: u64| json!({"split": "test", "horizon": horizon, "mse": 4.0, "nrmse": 0.5, "baseline_mean": {"nrmse": 1.0}});
    Desk::lines(&run, &[horizon(1), horizon(10), json!({"split": "test", "valid_steps": [1, 4, 2, 3]})]);
    let expected = json!({
        "test_nrmse.1": 0.5, "test_mse.1": 4.0, "baseline_mean_nrmse.1": 1.0, "test_nrmse.10": 0.5, "test_mse.10": 4.0,
        "baseline_mean_nrmse.10": 1.0, "valid_steps": 2.5,
    });
    let record = Record::read(&run).unwrap();
    assert_eq!(json!(record.metrics()), expected);
    assert_eq!(record.main_metric(), Some(MainMetric { name: "test_nrmse.1".into(), value: 0.5 }));
}

#[test]
fn the_best_of_a_column_is_by_its_name() {
    let best = |name: &str, values: &[Option<f64>]| Better::of(name).best(values);
    let values = [Some(0.5), None, Some(0.75), Some(0.75), Some(0.25), Some(f64::NAN)];
    assert_eq!((best("test_accuracy", &values), best("test_nrmse.1", &values)), (Some(2), Some(4)));
    assert_eq!((best("rate_hz.E", &values), best("test_loss", &[Some(1.0)])), (None, None));
}

#[test]
fn settings_are_flat() {
    let config = json!({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": null, "f": {}});
    let names: Vec<String> = flat(&config).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(names, ["a.b=1", "a.c.d=[1,2]", "e=null", "f={}"]);
    assert!(flat(&Value::Null).is_empty());
}

/// Defaults of a run of a task or a system are those of that task or system; of a file they are not known.
#[test]
fn defaults_are_those_of_what_is_learned() {
    let layers = |task: &str| crate::Layers {
        set: vec!["optim.lr=0.5".into()],
        options: vec![("data.task", json!({ "name": task }))],
        ..crate::Layers::default()
    };
    for task in ["integration", "decision"] {
        let (own, _) = crate::NetworkConfig::resolve("rnn", &layers(task)).unwrap();
        let own = serde_json::to_value(own).unwrap();
        let (own_flat, usual) = (flat(&own), flat(&usual(&own).unwrap()));
        let differing: Vec<&str> = (usual.iter())
            .filter(|(name, value)| own_flat.iter().any(|(known, own)| known == name && own != value))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(differing, ["optim.lr"], "{task}");
    }
    let (mut of_file, _) = crate::NetworkConfig::resolve("rnn", &layers("integration"))
        .map(|(own, lessons)| (serde_json::to_value(own).unwrap(), lessons))
        .unwrap();
    of_file["data"]["task"] = Value::Null;
    of_file["data"]["file"] = json!("x.npz");
    assert_eq!(usual(&of_file), None);
    assert_eq!(usual(&json!({"job": "simulate"})), None);
}

/// A list as `NAME:STATE`, in its order.
fn listed(folder: &Path, filters: &[&str], sort: &str) -> Result<Vec<String>> {
    let filters = filters.iter().map(|text| Filter::of(text)).collect::<Result<Vec<_>>>()?;
    let rows = runs(folder, &filters, &SortKey::of(sort))?;
    Ok(rows.iter().map(|row| format!("{}:{}", row.name, row.state_words())).collect())
}

#[test]
fn runs_are_listed_sorted_and_chosen() {
    let desk = Desk::new();
    Desk::lines(&desk.run("a", "rnn", Status::Done, 3), &[json!({"split": "test", "test_loss": 2.0})]);
    Desk::lines(&desk.run("b", "snn", Status::Done, 5), &[json!({"split": "test", "test_loss": 1.0})]);
    Desk::lines(&desk.run("c", "rnn", Status::Stopped, 4), &[json!({"split": "train", "step": 7, "loss": 1.0})]);
    fs::create_dir(desk.path("d")).unwrap();
    fs::write(desk.path("d/config.json"), "").unwrap();
    fs::create_dir(desk.path("mine")).unwrap();
    let folder = desk.path("");
    let of = |filters: &[&str], sort| listed(&folder, filters, sort).unwrap().join(" ");
    assert_eq!(of(&[], "when"), "b:finished c:stopped at update 7 a:finished d:damaged");
    assert_eq!(of(&[], "name"), "a:finished b:finished c:stopped at update 7 d:damaged");
    assert_eq!(of(&[], "test_loss"), "b:finished a:finished c:stopped at update 7 d:damaged");
    assert_eq!(of(&[], "optim.lr"), "a:finished c:stopped at update 7 b:finished d:damaged");
    assert_eq!(of(&["job=rnn"], "when"), "c:stopped at update 7 a:finished");
    assert_eq!(of(&["job=rnn", "state=finished"], "when"), "a:finished");
    assert_eq!(of(&["optim.rule=adam", "optim.lr=5e-2"], "when"), "b:finished");
    assert_eq!(of(&["state=diverged"], "when"), "");
    let error = |filters: &[&str], sort| listed(&folder, filters, sort).unwrap_err().to_string();
    assert!(error(&["optim.ls=1"], "when").starts_with("no run has 'optim.ls'; is it optim.lr? There are name, job,"));
    assert!(error(&[], "test_los").contains("is it test_loss?"));
    assert_eq!(error(&["job"], "when"), "the filter 'job' is not KEY=VALUE, such as job=rnn or optim.lr=0.01");
    assert!(listed(&desk.path("none"), &[], "when").is_err());
    assert_eq!(listed(&desk.path("a"), &[], "when").unwrap(), ["a:finished"], "the folder of a run is a list of one");
}

/// Of a file of metrics only the end is read for a list.
#[test]
fn a_list_reads_the_end_of_a_long_file() {
    let desk = Desk::new();
    let run = desk.run("a", "rnn", Status::Done, 3);
    let mut lines: Vec<Value> = (1..5000).map(|step| json!({"split": "train", "step": step, "loss": 1.0})).collect();
    lines.push(json!({"split": "test", "test_loss": 0.25}));
    Desk::lines(&run, &lines);
    let glance = Record::glance(&run).unwrap();
    assert!(glance.lines().len() < 2000 && glance.notes().is_empty(), "{:?}", glance.notes());
    assert_eq!(glance.main_metric(), Record::read(&run).unwrap().main_metric());
    assert_eq!(Record::read(&run).unwrap().lines().len(), 5000);
}

#[test]
fn several_runs_are_one_row_and_those_of_their_folder() {
    let desk = Desk::new();
    for (name, second) in [("s/trial-0000", 1), ("s/trial-0001", 2)] {
        desk.run(name, "rnn", Status::Done, second);
    }
    let row = |trial: u64| {
        json!({
            "trial": trial, "setting": trial, "values": {"optim.lr": trial}, "run": format!("../elsewhere/trial-000{trial}"),
            "objective_name": "validation_loss", "objective": 0.5 - 0.25 * trial as f64, "seconds": 1.5,
        })
    };
    let record = json!({"spec": {"job": "rnn"}, "objective": "validation_loss", "trials": [row(0), row(1)], "of": 3, "best": {"trials": [1]}});
    fs::write(desk.path("s/sweep.json"), record.to_string()).unwrap();
    let several = Several::read(desk.path("s")).unwrap().unwrap();
    assert_eq!(
        (several.best().unwrap().name.as_str(), several.runs().len()),
        ("trial-0001", 2),
        "only names in the folder itself"
    );
    let rows = runs(&desk.path(""), &[], &SortKey::When).unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (row.job.as_str(), row.state_words().as_str(), row.seconds),
        ("sweep of rnn", "2 of 3 ended", Some(3.0))
    );
    assert_eq!(row.metric, Some(MainMetric { name: "validation_loss".into(), value: 0.25 }));
    assert_eq!(
        listed(&desk.path("s"), &[], "name").unwrap(),
        ["trial-0000:finished", "trial-0001:finished"].map(str::to_owned)
    );
    fs::write(desk.path("s/sweep.json"), "{").unwrap();
    assert!(Several::read(desk.path("s")).is_err());
    assert_eq!(listed(&desk.path(""), &[], "when").unwrap(), ["s:damaged"]);
}
