//! The job script, with a stand-in for Apptainer: the real `bd`, and the signal that Slurm sends before the time is over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::dockerfile::checkout;

/// Notes how it was called, and becomes the program from `bd` on.
const APPTAINER: &str =
    "#!/bin/sh\necho \"$@\" >called\nwhile [ \"$1\" != bd ]; do shift; done\nshift\nexec \"$BD\" \"$@\"\n";

/// Starts two tasks on this machine, and ends with the first code that is not 0.
const SRUN: &str = "#!/bin/sh
export SLURM_NTASKS=2 SLURM_STEP_NODELIST=localhost SLURM_STEP_ID=0 SLURM_STEP_TASKS_PER_NODE='1(x2)'
SLURM_PROCID=0 \"$@\" & first=$!
SLURM_PROCID=1 \"$@\" & second=$!
echo $second >second
wait $first; code=$?
wait $second; other=$?
[ $code = 0 ] && code=$other
exit $code
";

const SCONTROL: &str = "#!/bin/sh\necho \"$@\" >requeued\n";

/// Starts a script as Slurm does, in `folder`, with stand-ins for other programs.
fn batch(script: &str, job: u32, folder: &Path, args: &[&str]) -> Child {
    prepared(script, job, folder, args).spawn().unwrap()
}

fn prepared(script: &str, job: u32, folder: &Path, args: &[&str]) -> Command {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, text) in [("apptainer", APPTAINER), ("srun", SRUN), ("scontrol", SCONTROL)] {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("bash");
    command.arg(checkout().join("docker").join(script)).args(args).current_dir(folder);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("BD", env!("CARGO_BIN_EXE_bd"));
    let threads = if script == "slurm.sbatch" { "2" } else { "1" };
    command.env("SLURM_JOB_ID", job.to_string()).env("SLURM_CPUS_PER_TASK", threads).env("BD_DEVICE", "cpu");
    command.stderr(Stdio::null()).stdout(Stdio::null());
    command
}

fn manifest(folder: &Path) -> Value {
    manifest_of(folder, 4711)
}

fn manifest_of(folder: &Path, job: u32) -> Value {
    serde_json::from_slice(&fs::read(folder.join(format!("runs/{job}/manifest.json"))).unwrap()).unwrap()
}

#[test]
fn a_job_leaves_its_run_under_its_number() {
    let desk = tempfile::tempdir().unwrap();
    let ended = batch("slurm.sbatch", 4711, desk.path(), &["train", "rnn", "--updates", "3"]).wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(manifest(desk.path())["threads"], 2);
    let called = fs::read_to_string(desk.path().join("called")).unwrap();
    assert!(called.starts_with("exec --nv --bind ") && called.contains(" bd.sif bd train rnn "), "{called}");
}

#[test]
fn a_signal_before_the_time_is_over_leaves_a_checkpoint() {
    let desk = tempfile::tempdir().unwrap();
    let mut job = batch(
        "slurm.sbatch",
        4711,
        desk.path(),
        &["train", "rnn", "--updates", "10000000", "--set", "checkpoint_every=10"],
    );
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

/// Two tasks train together; a signal to one of them stops both, and the job is queued again and goes on to the bytes of one process.
#[test]
fn tasks_train_together_and_go_on_when_the_job_is_queued_again() {
    let desk = tempfile::tempdir().unwrap();
    // Of its number the port is made at which the tasks meet.
    let job = std::process::id();
    let train = |updates: &str| {
        let line = format!(
            "train rnn --hidden 4 --batch 2 --accumulate 2 --updates {updates} --set checkpoint_every=10 --set data.test_samples=4"
        );
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let words = train("100000");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut first = batch("slurm-nodes.sbatch", job, desk.path(), &words);
    let checkpoints = desk.path().join(format!("runs/{job}/checkpoints"));
    while !checkpoints.exists() {
        assert!(first.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        sleep(Duration::from_millis(5));
    }
    let second = fs::read_to_string(desk.path().join("second")).unwrap();
    Command::new("kill").args(["-TERM", second.trim()]).status().unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(143));
    assert_eq!(fs::read_to_string(desk.path().join("requeued")).unwrap(), format!("requeue {job}\n"));
    let stopped = manifest_of(desk.path(), job);
    assert_eq!(stopped["status"], "stopped");
    // Queued again, with an end that it has passed by then or reaches soon.
    let step = fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).max();
    let updates = step.unwrap().trim_start_matches("step-").parse::<u64>().unwrap() + 20;
    let words = train(&updates.to_string());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(batch("slurm-nodes.sbatch", job, desk.path(), &words).wait().unwrap().code(), Some(0));
    let mut alone = Command::new(env!("CARGO_BIN_EXE_bd"));
    let alone = alone.args(&words).args(["--quiet", "--threads", "1", "--out", "alone"]).current_dir(desk.path());
    assert!(alone.status().unwrap().success());
    let weights = |run: &str| fs::read(desk.path().join(run).join("model.safetensors")).unwrap();
    assert!(weights(&format!("runs/{job}")) == weights("alone"));
}

/// Each task of an array is a trial; one that is told to stop before its time is over is queued again and goes on, and one table has all.
#[test]
fn trials_of_a_sweep_are_tasks_of_an_array() {
    let desk = tempfile::tempdir().unwrap();
    let spec = "job = \"rnn\"\n[base]\nupdates = 400\nbatch = 2\nmodel.hidden = [4]\nreport_every = 100\ncheckpoint_every = 3\n\
                data.test_samples = 8\n[grid]\noptim.lr = [1e-3, 2e-3]\n";
    fs::write(desk.path().join("lr.toml"), spec).unwrap();
    let task = |task: u32| {
        let mut command = prepared("slurm-array.sbatch", 100 + task, desk.path(), &["lr.toml"]);
        command.env("SLURM_ARRAY_JOB_ID", "99").env("SLURM_ARRAY_TASK_ID", task.to_string()).spawn().unwrap()
    };
    let sweep = desk.path().join("runs/99");
    let mut second = task(1);
    while !sweep.join("trial-0001/checkpoints").exists() {
        assert!(second.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        sleep(Duration::from_millis(2));
    }
    Command::new("kill").arg("-TERM").arg(second.id().to_string()).status().unwrap();
    // It may have been at its end.
    let code = second.wait().unwrap().code();
    assert!(code == Some(143) || code == Some(0), "{code:?}");
    if code == Some(143) {
        assert_eq!(fs::read_to_string(desk.path().join("requeued")).unwrap(), "requeue 101\n");
    }
    for number in [0, 1] {
        assert_eq!(task(number).wait().unwrap().code(), Some(0), "trial {number}");
    }
    let mut all = Command::new(env!("CARGO_BIN_EXE_bd"));
    all.args(["sweep", "lr.toml", "--out", "runs/99", "--json", "--quiet"]);
    let all: Value = serde_json::from_slice(&all.current_dir(desk.path()).output().unwrap().stdout).unwrap();
    assert_eq!((&all["ended"], &all["of"], &all["failed"]), (&2.into(), &2.into(), &0.into()), "{all}");
    assert!(
        fs::read_to_string(desk.path().join("called"))
            .unwrap()
            .contains(" bd.sif bd sweep lr.toml --out runs/99 --index ")
    );
}
