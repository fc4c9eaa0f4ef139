//! The job script, with a stand-in for Apptainer: the real `bd`, and the signal that Slurm sends before the time is over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::dockerfile::checkout;

/// Starts the script as Slurm does, in `folder`.
fn batch(folder: &Path, args: &[&str]) -> Child {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let apptainer = bin.join("apptainer");
    // Notes how it was called, and becomes the program from `bd` on.
    let text = "#!/bin/sh\necho \"$@\" >called\nwhile [ \"$1\" != bd ]; do shift; done\nshift\nexec \"$BD\" \"$@\"\n";
    fs::write(&apptainer, text).unwrap();
    fs::set_permissions(&apptainer, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("bash");
    command.arg(checkout().join("docker/slurm.sbatch")).args(args).current_dir(folder);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("BD", env!("CARGO_BIN_EXE_bd"));
    command.env("SLURM_JOB_ID", "4711").env("SLURM_CPUS_PER_TASK", "2").env("BD_DEVICE", "cpu");
    command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("runs/4711/manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_job_leaves_its_run_under_its_number() {
    let desk = tempfile::tempdir().unwrap();
    let ended = batch(desk.path(), &["train", "rnn", "--updates", "3"]).wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(manifest(desk.path())["threads"], 2);
    let called = fs::read_to_string(desk.path().join("called")).unwrap();
    assert!(called.starts_with("exec --nv --bind ") && called.contains(" bd.sif bd train rnn "), "{called}");
}

#[test]
fn a_signal_before_the_time_is_over_leaves_a_checkpoint() {
    let desk = tempfile::tempdir().unwrap();
    let mut job = batch(desk.path(), &["train", "rnn", "--updates", "10000000", "--set", "checkpoint_every=10"]);
    let checkpoints = desk.path().join("runs/4711/checkpoints");
    while !checkpoints.exists() {
        assert!(job.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        sleep(Duration::from_millis(5));
    }
    Command::new("kill").arg("-TERM").arg(job.id().to_string()).status().unwrap();
    assert_eq!(job.wait().unwrap().code(), Some(143));
    assert_eq!(manifest(desk.path())["status"], "stopped");
    assert!(fs::read_dir(checkpoints).unwrap().count() > 0);
}

/// What Slurm itself reads.
#[test]
fn the_job_asks_for_one_gpu_and_to_be_told_before_its_time_is_over() {
    let text = fs::read_to_string(checkout().join("docker/slurm.sbatch")).unwrap();
    let head: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
    for option in ["--gres=gpu:1", "--signal=B:TERM@120", "--no-requeue"] {
        assert!(head.contains(&format!("#SBATCH {option}").as_str()), "no {option} in {head:#?}");
    }
}
