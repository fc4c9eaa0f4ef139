//! Run folders as `bd` writes them, by hand and small.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub(crate) struct Desk(tempfile::TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, name: &str, job: &str, status: &str, config: &Value) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let ended = (status != "running").then_some("2026-11-29T10:51:20Z");
        let weights = (status == "done" && job != "simulate").then_some("b3e9b94bc105");
        let manifest = json!({
            "job": job, "status": status, "device": "cpu", "threads": 2, "dtype": "float32", "seed": 0,
            "versions": {"bd": "0.1.0", "git": "35312d9809eb", "libtorch": "2.11.0", "cuda": null},
            "started": "2026-11-29T10:51:16Z", "finished": ended, "config_sha256": null, "weights_sha256": weights,
        });
        write(&folder, "manifest.json", &manifest);
        write(&folder, "config.json", config);
        folder
    }

    /// A network on a file with labels, tested, with two baselines; 2 of 5 and 1 of 7 samples are taken for the other class.
    pub(crate) fn labels(&self, name: &str, status: &str) -> PathBuf {
        let run = self.trained(name, status);
        let test = json!({
            "split": "test", "test_loss": 0.55, "test_accuracy": 0.75, "baseline_majority_accuracy": 0.5833333, "baseline_ridge_accuracy": 0.9166667,
            "validation_accuracy": 0.5, "ended": ["done"], "confusion": [[3, 2], [1, 6]],
        });
        append(&run, &[test]);
        run
    }

    /// The same without its end: without a test, with a checkpoint.
    pub(crate) fn stopped(&self, name: &str, status: &str) -> PathBuf {
        let run = self.trained(name, status);
        fs::create_dir_all(run.join("checkpoints/step-00000009")).unwrap();
        run
    }

    fn trained(&self, name: &str, status: &str) -> PathBuf {
        let config = json!({
            "job": "rnn", "data": {
                "file": "/data/movements.npz", "classes": ["left", "right"], "targets": {"name": "labels", "classes": 2}, "steps": 20, "channels": 2,
            },
            "model": {"hidden": [8], "cell": {"name": "gru"}}, "ensemble": 1, "epochs": 3, "batch": 32, "optim": {"lr": 0.001},
        });
        let run = self.run(name, "rnn", status, &config);
        let report = |step: u64| {
            let loss = 0.8 - step as f64 / 30.0;
            json!({"step": step, "split": "train", "epoch": step / 3, "loss": loss, "validation_loss": loss + 0.1, "lr": 0.001, "wall_s": 0.1})
        };
        append(&run, &[3, 6, 9].map(report));
        run
    }

    pub(crate) fn forecast(&self, name: &str) -> PathBuf {
        let config = json!({
            "job": "ngrc", "data": {"file": null, "system": {"name": "lorenz"}}, "horizon": [1, 10], "nvar": {"delay": 4, "order": [2]},
            "online": {"name": "off"},
        });
        let run = self.run(name, "ngrc", "done", &config);
        let line = |horizon: u64, nrmse: f64| {
            json!({
                "split": "test", "horizon": horizon, "mse": nrmse * nrmse, "nrmse": nrmse, "nrmse_per_channel": {"x": nrmse, "y": nrmse},
                "baseline_persistence": {"mse": 0.25, "nrmse": 0.5}, "baseline_mean": {"mse": 1.0, "nrmse": 1.0},
            })
        };
        let free = json!({
            "split": "test", "free_run_steps": 100, "starts": [80, 90, 100, 110], "valid_steps": [10, 30, 20, 21],
            "bounded": [false, true, false, false],
        });
        append(&run, &[line(1, 0.1), line(10, 0.9), free]);
        run
    }

    /// Three trials, of which the second is the best and the third has diverged.
    pub(crate) fn sweep(&self, name: &str) -> PathBuf {
        for (trial, status) in [(0, "done"), (1, "done"), (2, "diverged")] {
            self.labels(&format!("{name}/trial-000{trial}"), status);
        }
        let row = |trial: u64, objective: Option<f64>| {
            let error = objective
                .is_none()
                .then(|| json!({"code": 3, "kind": "not_finite", "message": "the loss is not finite\nat 2"}));
            json!({
                "trial": trial, "setting": trial, "values": {"optim.lr": 10f64.powi(trial as i32 - 3)}, "run": format!("trial-000{trial}"),
                "objective_name": objective.map(|_| "validation_loss"), "objective": objective, "seconds": 1.5, "error": error,
            })
        };
        let rows = [row(0, Some(0.6)), row(1, Some(0.4)), row(2, None)];
        let record = json!({"spec": {"job": "rnn"}, "job": "rnn", "objective": "validation_loss", "trials": rows, "of": 3, "best": {"trials": [1]}});
        write(&self.path(name), "sweep.json", &record);
        self.path(name)
    }

    pub(crate) fn simulation(&self, name: &str) -> PathBuf {
        let config = json!({
            "job": "simulate", "network": "/nets/cuba.toml", "duration_ms": 300.0, "discard_ms": 0.0, "seed": 0, "dtype": "f64", "threads": 2,
            "compile": false,
        });
        let run = self.run(name, "simulate", "done", &config);
        let population =
            |n: u64, rate: f64| json!({"n": n, "spikes": 5409, "rate_hz": rate, "cv": 0.33, "synchrony": null});
        let activity = json!({
            "dt_ms": 0.1, "steps": 3000, "from_ms": 0.0, "to_ms": 300.00000000000006, "synapses": 319_796,
            "populations": {"E": population(3200, 5.634375), "I": population(800, 5.7)},
        });
        write(&run, "activity.json", &activity);
        run
    }

    /// Changes a value of a configuration, which no hash is known of.
    pub(crate) fn set_config(&self, run: &Path, key: &str, value: Value) {
        let mut config: Value = serde_json::from_slice(&fs::read(run.join("config.json")).unwrap()).unwrap();
        config[key] = value;
        write(run, "config.json", &config);
    }
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), value.to_string()).unwrap();
}

fn append(run: &Path, lines: &[Value]) {
    let file = run.join("metrics.jsonl");
    let known = fs::read_to_string(&file).unwrap_or_default();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, known + &text).unwrap();
}
