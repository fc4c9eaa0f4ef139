//! Trainings by several processes: the bytes of one, also when processes are killed, stopped or hang, and another number goes on.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bd_core::Rng;

use crate::common::{Desk, Ended, bd_that_hears_signals, ended};
use crate::jobs::{Job, assert_same, checkpoints};
use crate::kills::check_whole;
use crate::{is_long, tries};

/// Jobs of updates of four batches, which one, two and four processes can share.
fn jobs() -> Vec<&'static str> {
    let mut jobs = vec![
        "rnn --hidden 4 --batch 2 --accumulate 4 --set data.test_samples=4 --report-every 2 --updates 8 --set checkpoint_every=3",
        "snn --data digits.npz --hidden 8 --batch 4 --accumulate 4 --truncate 40 --ensemble 1 --epochs 1 --report-every 2",
        "snn --model net.toml --data digits.npz --batch 4 --accumulate 4 --epochs 1 --report-every 2",
    ];
    if is_long() {
        jobs.extend([
            "rnn --task context_decision --hidden 8 --batch 4 --accumulate 4 --updates 8 --set data.test_samples=4",
            concat!(
                "rnn --data ",
                env!("CARGO_MANIFEST_DIR"),
                "/tests/data/movements.npz --cell gru --hidden 8 --batch 4 --accumulate 4 --epochs 4 --ensemble 2 --patience 1"
            ),
            "rnn --hidden 4 --dtype f64 --batch 2 --accumulate 8 --set clip=0.1 --updates 4 --set data.test_samples=4",
            "snn --samples 16 --steps 50 --batch 4 --accumulate 4 --epochs 3",
            "snn --samples 16 --steps 50 --batch 4 --accumulate 4 --epochs 3 --dtype f64",
            "snn --data digits.npz --hidden 8 --batch 4 --accumulate 4 --truncate 40 --ensemble 1 --epochs 1 --dtype f64",
            "snn --model net.toml --data digits.npz --batch 4 --accumulate 4 --epochs 1 --report-every 2 --dtype f64",
        ]);
    }
    jobs
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn desk() -> Desk {
    let desk = Desk::new();
    Job::Network.prepare(&desk);
    desk
}

fn run(desk: &Desk, line: &str) -> Ended {
    desk.bd(&line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn one_two_and_four_processes_give_the_same_bytes() {
    for job in jobs() {
        let desk = desk();
        for (out, processes) in [("one", ""), ("two", "--processes 2"), ("four", "--processes 4")] {
            let said = run(&desk, &format!("train {job} --threads 1 --quiet {processes} --out {out}"));
            assert_eq!((said.code, said.stderr.as_str()), (0, ""), "bd train {job} {processes}");
            assert_same(&desk.path(out), &desk.path("one"), &format!("bd train {job} {processes}"));
        }
    }
}

/// A group whose processes are started one by one, as a launcher does.
struct Group {
    port: u16,
    size: usize,
}

impl Group {
    fn new(size: usize) -> Self {
        Self { port: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(), size }
    }

    fn start(&self, desk: &Desk, rank: usize, line: &str) -> Child {
        let mut command = bd_that_hears_signals();
        command.args(words(line)).env_clear().current_dir(desk.path(""));
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", self.size.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", self.port.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn start_all(&self, desk: &Desk, line: &str) -> Vec<Child> {
        (0..self.size).map(|rank| self.start(desk, rank, line)).collect()
    }
}

fn signal(child: &Child, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
}

fn all_ended(children: Vec<Child>) -> Vec<Ended> {
    children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect()
}

/// Waits until a run has a checkpoint.
fn wait_for_checkpoint(desk: &Desk, run: &str) {
    let began = Instant::now();
    while checkpoints(&desk.path(run)).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(300), "there is no checkpoint");
        sleep(Duration::from_millis(5));
    }
}

const LONG: &str = "train rnn --hidden 4 --batch 2 --accumulate 4 --set data.test_samples=4 --report-every 10 --updates 400 \
                    --set checkpoint_every=3 --threads 1 --quiet --out run";

/// Any process is killed at a random moment: the others end with code 10, and any number of processes goes on to the same bytes.
#[test]
fn whichever_process_is_killed_the_others_end_and_the_run_goes_on() {
    let desk = desk();
    assert_eq!(run(&desk, &LONG.replace("--out run", "--out whole")).code, 0);
    let mut rng = Rng::new(0, "kills of processes");
    for round in 0..tries(2, 30) {
        let desk_of_run = Desk::new();
        let size = [2, 4][round % 2];
        let victim = (rng.uniform() * size as f64) as usize;
        let mut children = Group::new(size).start_all(&desk_of_run, LONG);
        wait_for_checkpoint(&desk_of_run, "run");
        sleep(Duration::from_secs_f64(0.1 * rng.uniform()));
        children[victim].kill().unwrap();
        for (rank, said) in all_ended(children).into_iter().enumerate().filter(|(rank, _)| *rank != victim) {
            // It may have been at its end.
            assert!([0, 10].contains(&said.code), "process {rank} of {size}: {} {}", said.code, said.stderr);
            if said.code == 10 {
                assert!(said.stderr.contains("it has ended, or cannot be reached"), "{}", said.stderr);
            }
        }
        check_whole(&desk_of_run.path("run"));
        let another = ["", "--processes 4", "--processes 2"][round % 3];
        let said = run(&desk_of_run, &format!("train --resume run --threads 1 --quiet {another}"));
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "round {round}, {another}");
        assert_same(
            &desk_of_run.path("run"),
            &desk.path("whole"),
            &format!("round {round}: {size} processes, {another}"),
        );
    }
}

/// A process that hangs is waited for only so long.
#[test]
fn a_process_that_hangs_is_given_up() {
    let desk = Desk::new();
    let children = Group::new(2).start_all(&desk, &format!("{LONG} --timeout 3").replace("400", "100000"));
    wait_for_checkpoint(&desk, "run");
    signal(&children[1], "STOP");
    let mut children = children.into_iter();
    let said = ended(children.next().unwrap().wait_with_output().unwrap());
    assert_eq!(said.code, 10, "{}", said.stderr);
    assert!(said.stderr.contains("it did not answer within 3 s"), "{}", said.stderr);
    let mut hangs = children.next().unwrap();
    hangs.kill().unwrap();
    hangs.wait().unwrap();
    check_whole(&desk.path("run"));
}

/// A signal to one of them stops all after the same update, with one checkpoint; a signal to the launcher likewise.
#[test]
fn a_signal_to_one_process_stops_all() {
    let endless = LONG.replace("400", "100000");
    let desk = Desk::new();
    let children = Group::new(2).start_all(&desk, &endless);
    wait_for_checkpoint(&desk, "run");
    signal(&children[1], "TERM");
    for said in all_ended(children) {
        assert_eq!(said.code, 143, "{}", said.stderr);
    }
    check_whole(&desk.path("run"));
    let desk = Desk::new();
    let mut command = bd_that_hears_signals();
    let command = command.args(words(&endless)).args(["--processes", "2"]).env_clear().current_dir(desk.path(""));
    let launcher = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_checkpoint(&desk, "run");
    signal(&launcher, "TERM");
    let said = ended(launcher.wait_with_output().unwrap());
    assert_eq!(said.code, 143, "{}", said.stderr);
    assert!(said.stderr.contains("run is kept, with a checkpoint"), "{}", said.stderr);
}

/// What can be known at once is said at once, by those that can know it.
#[test]
fn processes_that_do_not_fit_together_are_told() {
    let desk = Desk::new();
    let line = "train rnn --updates 2 --accumulate 12 --threads 1 --quiet --timeout 5";
    let said = |group: &Group, ranks: &[(usize, &str)]| {
        let start = |(rank, more): &(usize, &str)| group.start(&desk, *rank, &format!("{line} {more}"));
        all_ended(ranks.iter().map(start).collect())
    };
    let (of_three, of_six) = (Group::new(3), Group::new(6));
    let of_six = Group { port: of_three.port, ..of_six };
    let children = vec![of_three.start(&desk, 0, line), of_six.start(&desk, 1, line)];
    let cases = [
        (all_ended(children), "was started with a WORLD_SIZE of"),
        (said(&Group::new(3), &[(0, ""), (1, ""), (1, "")]), "two processes were started with a RANK of 1"),
        (
            said(&Group::new(3), &[(0, ""), (1, ""), (2, "--lr 0.5")]),
            "the configuration of the training of process 0 and of process 2 differ",
        ),
        (
            said(&Group::new(3), &[(0, ""), (1, "--seed 2"), (2, "")]),
            "differ; start all with the same command on the same data",
        ),
        (said(&Group::new(3), &[(0, ""), (2, "")]), "2 of 3 processes came within 5 s"),
    ];
    for (all, words) in cases {
        assert!(all.iter().any(|said| said.stderr.contains(words)), "{words}: {all:?}");
        assert!(all.iter().all(|said| said.code == 10), "{words}: {all:?}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let group = Group { size: 3, port: taken.local_addr().unwrap().port() };
    let said = ended(group.start(&desk, 0, line).wait_with_output().unwrap());
    assert!(said.code == 10 && said.stderr.contains("address already in use"), "{said:?}");
    assert!(!desk.path("runs").exists());
}

/// Of a run that is done all processes say that nothing is left, and with more updates all go on.
#[test]
fn a_finished_run_has_nothing_left_for_any_process() {
    let desk = Desk::new();
    let line = "train rnn --hidden 4 --batch 2 --accumulate 2 --set data.test_samples=4 --report-every 4 --updates 4 --threads 1 --quiet";
    assert_eq!(run(&desk, &format!("{line} --processes 2 --out run")).code, 0);
    let before = fs::read(desk.path("run/model.safetensors")).unwrap();
    let said = run(&desk, "train --resume run --processes 2");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("nothing left to do"), "{}", said.stderr);
    assert_eq!(fs::read(desk.path("run/model.safetensors")).unwrap(), before);
    // With more updates, it goes on.
    let said = run(&desk, "train --resume run --processes 2 --updates 8");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(run(&desk, &format!("{line} --out whole").replace("--updates 4", "--updates 8")).code, 0);
    assert_same(&desk.path("run"), &desk.path("whole"), "four updates, and four more");
}
