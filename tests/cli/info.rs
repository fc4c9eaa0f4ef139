//! `bd info`, and output that nobody reads to the end.

use std::process::{Command, Stdio};

use crate::common::{Desk, bd_that_hears_signals};

#[test]
fn versions_are_those_that_are_loaded() {
    let facts = Desk::new().bd_json(&["info"]);
    let libtorch = facts["versions"]["libtorch"].as_str().unwrap();
    assert!(libtorch.starts_with(bd_libtorch::VERSION), "{libtorch}");
    let file = facts["versions"]["libtorch_file"].as_str().unwrap();
    assert!(std::path::Path::new(file).is_file(), "{file}");
    assert!(facts["cpu"]["threads"].as_u64().unwrap() >= 1);
}

/// Without CUDA, one of the sentences that other programs may rely on; with it, GPUs.
#[test]
fn cuda_is_there_or_it_says_why_not() {
    let facts = Desk::new().bd_json(&["info"]);
    let sentences = [
        "no NVIDIA driver found",
        "the NVIDIA driver is too old",
        "the GPU is too old",
        "a CUDA library is missing",
        "no GPU is visible",
    ];
    match facts["cuda"]["problem"].as_str() {
        Some(problem) => assert!(sentences.iter().any(|sentence| problem.starts_with(sentence)), "{problem}"),
        None => assert!(!facts["cuda"]["gpus"].as_array().unwrap().is_empty()),
    }
    let text = Desk::new().bd(&["info"]);
    for word in ["bd ", "libtorch", "cpu", "features", "cuda"] {
        assert!(text.stdout.contains(word), "{word} not in:\n{}", text.stdout);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bd"))
        .arg("info")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Nobody reads the messages: the run goes on and is kept.
#[test]
fn a_run_does_not_depend_on_who_reads_its_messages() {
    let desk = Desk::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bd"))
        .args(["train", "ngrc", "--out"])
        .arg(desk.path("run"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success() && desk.path("run/manifest.json").exists());
}

#[test]
fn results_that_cannot_be_written_are_an_error_and_the_run_is_kept() {
    let desk = Desk::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = |command: &mut Command| command.stdout(full()).stderr(Stdio::null()).status().unwrap().code();
    assert_eq!(status(Command::new(env!("CARGO_BIN_EXE_bd")).arg("info")), Some(5));
    let out = desk.path("run");
    let mut train = Command::new(env!("CARGO_BIN_EXE_bd"));
    assert_eq!(status(train.args(["train", "ngrc", "--json", "--out"]).arg(&out)), Some(5));
    assert!(out.join("model.safetensors").exists());
}

/// The exit code says which signal it was. The run takes its folder away unless some of the fit was done by then, which a checkpoint
/// holds.
#[test]
fn a_signal_stops_a_fit_and_leaves_nothing_or_a_checkpoint() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let desk = Desk::new();
        let mut child = bd_that_hears_signals()
            // It would take half a minute, alone: 400 features of 3 million points.
            .args(["train", "ngrc", "--delay", "9", "--set", "data.system.duration=30000", "--quiet", "--out"])
            .arg(desk.path("deep/run"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !desk.path("deep/run").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        if desk.files().is_empty() {
            continue;
        }
        let manifest = std::fs::read_to_string(desk.path("deep/run/manifest.json")).unwrap();
        assert!(manifest.contains("\"status\": \"stopped\""), "{manifest}");
        let newest = bd_train::Checkpoints::newest(&desk.path("deep/run/checkpoints")).unwrap().unwrap();
        assert_eq!(newest.step().unwrap() % 16_384, 0, "it is of whole chunks");
    }
}
