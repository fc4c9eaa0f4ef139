//! What processes take to sum their gradients: by the tree whose order is fixed, and by Gloo's own sum beside it.
//!
//!     cargo bench -p bd-distributed
//!     cargo bench -p bd-distributed -- --numbers 1150474 --update-s 3.6      of one's own network and update
//!
//!     cargo bench -p bd-distributed -- --json FILE      and all figures in a file, of which scripts/bench --compare compares two
//!
//! The tree's time is described by two numbers, taken from the sums of 1 and of the most numbers by two processes, and compared with all
//! others: `2 (n - 1) latency + 2 (1 - 1/n) bytes / bandwidth` for `n` processes. From these follows what more processes would give, with
//! the network of this machine and with others.

use std::env;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use bd_core::threads;
use bd_distributed::{GlooGroup, Place};
use bd_train::process_group::sum_over_processes;
use tch::{Device, Kind, Tensor};

use figures::Figures;

#[path = "../../../benches/shared/figures.rs"]
mod figures;

/// How many float32 numbers are summed, and how often.
const SIZES: [(i64, usize); 5] = [(1, 1000), (10_000, 500), (100_000, 200), (1_000_000, 60), (10_000_000, 10)];
const GROUPS: [usize; 2] = [2, 4];
/// A network between machines: its name, seconds of a message, and bytes in a second.
const NETWORKS: [(&str, f64, f64); 2] = [("10 Gb/s, 50 us", 50e-6, 1.25e9), ("1 Gb/s, 100 us", 100e-6, 0.125e9)];

/// Median seconds of a sum of so many numbers.
struct Timed {
    processes: usize,
    numbers: i64,
    tree: f64,
    plain: f64,
}

/// Seconds of a message and bytes in a second, as the sums take them.
#[derive(Clone, Copy)]
struct Model {
    latency: f64,
    bandwidth: f64,
}

impl Model {
    fn seconds(self, processes: usize, bytes: f64) -> f64 {
        let n = processes as f64;
        2.0 * (n - 1.0) * self.latency + 2.0 * (1.0 - 1.0 / n) * bytes / self.bandwidth
    }

    /// From the shortest and the longest sum of two processes.
    fn of(timed: &[Timed]) -> Self {
        let two: Vec<_> = timed.iter().filter(|timed| timed.processes == 2).collect();
        let (short, long) = (two[0], two[two.len() - 1]);
        let latency = short.tree / 2.0;
        Self { latency, bandwidth: bytes(long.numbers) / (long.tree - short.tree) }
    }
}

fn bytes(numbers: i64) -> f64 {
    4.0 * numbers as f64
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn seconds(call: impl FnOnce()) -> f64 {
    let began = Instant::now();
    call();
    began.elapsed().as_secs_f64()
}

/// One process of a group: both sums in turn, of each size.
fn process(place: &Place) -> bd_core::Result<()> {
    threads::set_libtorch(1);
    let group = GlooGroup::open(place)?;
    for (numbers, times) in SIZES {
        let own = Tensor::ones([numbers], (Kind::Float, Device::Cpu));
        let (mut tree, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..times {
            tree.push(seconds(|| {
                sum_over_processes(&group, vec![own.shallow_clone()]).expect("the others are there");
            }));
            plain.push(seconds(|| {
                let _ = group.sum_in_any_order(&own).expect("the others are there");
            }));
        }
        if place.rank == 0 {
            println!("{numbers} {} {}", median(tree), median(plain));
        }
    }
    Ok(())
}

/// Starts the processes of a group, and takes what the first one says.
fn group(size: usize) -> Vec<Timed> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port is free").port();
    let start = |rank: usize| {
        let mut command = Command::new(env::current_exe().expect("this program has a path"));
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", size.to_string()).env("MASTER_ADDR", "127.0.0.1");
        command.env("MASTER_PORT", port.to_string()).stdout(Stdio::piped()).spawn().expect("a process starts")
    };
    let children: Vec<_> = (0..size).map(start).collect();
    let said: Vec<_> = children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect();
    let text = String::from_utf8_lossy(&said[0].stdout).into_owned();
    let timed = |line: &str| -> Option<Timed> {
        let mut words = line.split(' ');
        let numbers = words.next()?.parse().ok()?;
        let mut seconds = || words.next()?.parse().ok();
        Some(Timed { processes: size, numbers, tree: seconds()?, plain: seconds()? })
    };
    text.lines().filter_map(timed).collect()
}

fn option(name: &str, usual: f64) -> f64 {
    let mut args = env::args().skip_while(|arg| arg != name);
    args.nth(1).and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn main() -> bd_core::Result<()> {
    if let Some(place) = Place::from_env()? {
        return process(&place);
    }
    let mut figures = Figures::new("exchange", 1);
    let timed: Vec<Timed> = GROUPS.into_iter().flat_map(group).collect();
    let model = Model::of(&timed);
    println!("processes     numbers     tree, ms    Gloo's sum, ms   tree in sums   model, ms");
    for Timed { processes, numbers, tree, plain } in &timed {
        for (way, seconds) in [("the tree", *tree), ("Gloo's sum", *plain)] {
            figures.add(&format!("{processes} processes, {numbers} numbers, {way}"), &[seconds]);
        }
        let expected = model.seconds(*processes, bytes(*numbers));
        println!(
            "{processes:9} {numbers:11} {:12.3} {:17.3} {:14.2} {:11.3}",
            1e3 * tree,
            1e3 * plain,
            tree / plain,
            1e3 * expected
        );
    }
    let (numbers, update) = (option("--numbers", 1_150_474.0), option("--update-s", 3.6));
    println!("\nan update of {numbers} numbers, which one process computes in {update} s:");
    let own = (format!("this machine, {:.0} us, {:.1} GB/s", 1e6 * model.latency, 1e-9 * model.bandwidth), model);
    let others = NETWORKS.map(|(name, latency, bandwidth)| (name.to_owned(), Model { latency, bandwidth }));
    for (name, model) in [own].into_iter().chain(others) {
        for processes in [2, 4, 8, 64] {
            let sum = model.seconds(processes, 4.0 * numbers);
            let whole = update / processes as f64 + sum;
            println!(
                "{name:34} {processes:3} processes: {:6.1} times one, {:5.2} % of the time for the sum",
                update / whole,
                100.0 * sum / whole
            );
        }
    }
    figures.write();
    Ok(())
}
