//! The disk fails: at one operation or from then on, with each error that storage gives, or because it is full. The program says so
//! with code 5, what was finished before stays whole, and the training goes on when the disk is well again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bd_train::Checkpoints;

use crate::common::{Desk, Ended, ended};
use crate::disk::{Act, Failing, read_log, watch};
use crate::jobs::{Job, assert_same, checkpoints, resume};
use crate::kills::check_whole;
use crate::{is_long, tries};

/// Runs a job on a disk that fails.
fn run(job: Job, desk: &Desk, failing: Option<Failing>) -> (Ended, Vec<Act>) {
    job.prepare(desk);
    let root = desk.path("").canonicalize().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
    let command = command.args(job.args(1)).env_clear().current_dir(&root);
    let said = ended(watch(command, &root, log.path(), failing).output().unwrap());
    (said, read_log(log.path(), &root))
}

/// What may be said at the end: an error of storage, or nothing where what failed was only to tidy up, or a figure, of which it warns.
fn check_words(said: &Ended, what: &str) {
    assert!([0, 5].contains(&said.code), "{what}: code {}: {}", said.code, said.stderr);
    assert!(!said.stderr.contains("panicked") && !said.stderr.contains("bug"), "{what}: {}", said.stderr);
    if said.code == 5 {
        assert!(said.stderr.contains("cannot "), "{what}: {}", said.stderr);
    }
}

/// The step of the newest checkpoint that was named and not removed.
fn finished(acts: &[Act]) -> Option<u64> {
    let step = |act: &Act| match act {
        Act::Rename { to, .. } => to.strip_prefix("run/checkpoints/step-")?.parse().ok(),
        _ => None,
    };
    acts.iter().filter_map(step).max()
}

fn fail(job: Job) {
    // By their numbers on Linux, errno(3).
    const ERRORS: [(&str, i32); 4] = [("ENOSPC", 28), ("EIO", 5), ("EDQUOT", 122), ("EROFS", 30)];
    let whole = Desk::new();
    let (said, acts) = run(job, &whole, None);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let changes = acts.iter().filter(|act| act.is_change()).count();
    let (mut failed, mut resumed) = (0, 0);
    for (i, from) in (0..changes).step_by(tries(17, 1)).enumerate() {
        let (name, error) = ERRORS[i % ERRORS.len()];
        let lasting = i % 2 == 0;
        let failing = Failing { from, to: if lasting { usize::MAX >> 1 } else { from }, error, is_short: i % 3 == 0 };
        let what = format!("{job:?}, change {from} of {changes} fails by {name}, {failing:?}");
        let desk = Desk::new();
        let (said, acts) = run(job, &desk, Some(failing));
        check_words(&said, &what);
        failed += usize::from(said.code == 5);
        let folder = desk.path("run");
        if !folder.exists() {
            assert!(finished(&acts).is_none(), "{what}: the folder is gone, and a checkpoint was in it");
            continue;
        }
        check_whole(&folder);
        if let Some(step) = finished(&acts) {
            // As every process that goes on does first: of two renames that replace a checkpoint the second one may have failed.
            Checkpoints::sweep(&folder.join("checkpoints")).unwrap();
            let newest = Checkpoints::newest(&folder.join("checkpoints")).unwrap().unwrap();
            assert!(newest.step().unwrap() >= step, "{what}: {:?}, {step} was finished", newest.path);
            if i.is_multiple_of(tries(4, 3)) {
                let said = ended(resume(&desk).wait_with_output().unwrap());
                assert_eq!(said.code, 0, "{what}: {}", said.stderr);
                assert_same(&folder, &whole.path("run"), &what);
                resumed += 1;
            }
        }
    }
    assert!(failed > 5 && resumed > 1, "{failed} of {changes} failed, {resumed} went on");
    println!("{job:?}: {changes} changes, {failed} ended with code 5, {resumed} resumed");
}

#[test]
fn a_disk_that_fails_takes_nothing_away() {
    fail(Job::Rnn);
    if is_long() {
        fail(Job::Snn);
        fail(Job::Network);
    }
}

/// A file system of memory, unmounted at the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where this process may not mount one.
    fn mount(at: &'a Path, kib: usize) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }

    /// Gives it another size.
    fn resize(&self, kib: usize) {
        let size = format!("remount,size={kib}k");
        assert!(Command::new("mount").args(["-o", &size]).arg(self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// However little room there is, a training that has made something leaves it, and no half file, and goes on when there is more room.
#[test]
fn a_full_disk_takes_nothing_away() {
    let (mut kept, mut done) = (0, 0);
    for kib in (24..420).step_by(tries(44, 4)) {
        let desk = Desk::new();
        let disk = desk.path("disk");
        let Some(mounted) = SmallDisk::mount(&disk, kib) else {
            eprintln!("SKIPPED, full disks: this process may not mount a file system");
            return;
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
        let command = command.args(Job::Rnn.args(1)).env_clear().current_dir(&disk);
        let said = ended(command.output().unwrap());
        check_words(&said, &format!("{kib} KiB"));
        if said.code == 0 {
            done += 1;
            continue;
        }
        let run = disk.join("run");
        if run.exists() {
            kept += 1;
            check_whole(&run);
            assert!(
                run.join("model.safetensors").exists() || !checkpoints(&run).is_empty(),
                "{kib} KiB: nothing is in it"
            );
            mounted.resize(4096);
            let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
            let command = command.args(["train", "--quiet", "--resume", "run"]).env_clear().current_dir(&disk);
            let said = ended(command.output().unwrap());
            assert_eq!(said.code, 0, "{kib} KiB: {}", said.stderr);
            check_whole(&run);
        }
    }
    assert!(kept > 0 && done > 0, "{kept} kept, {done} done: other sizes would show more");
}
