//! One step of trained models at batch 1, on one core: `cargo bench -p bd-runner --bench step -- [--steps N] [--core N] [--json]`.
//!
//! Each step is timed by itself, so that the clock, some 20 ns, is in each figure; the first line is an empty loop. The weights of the
//! models are made up: a step takes the same time whatever they are, but for how many neurons spike.

use std::hint::black_box;
use std::time::Instant;

use bd_kernel::models::linear::LinearKernel;
use bd_kernel::{Kernel, Numbers, places};
use bd_runner::Runner;
use serde_json::json;

#[path = "../tests/common/mod.rs"]
mod common;

/// Steps before the first that is timed.
const WARM_UP: usize = 10_000;

struct Options {
    steps: usize,
    core: usize,
    json: bool,
}

fn options() -> Options {
    let mut options = Options { steps: 1_000_000, core: 1, json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok()).expect("a number follows");
        match argument.as_str() {
            "--steps" => options.steps = number(),
            "--core" => options.core = number(),
            "--json" => options.json = true,
            _ => {} // cargo's own
        }
    }
    options
}

/// Keeps this thread on a core, if the system allows it.
fn pin(core: usize) -> bool {
    // SAFETY: a set of processors is plain data, of which zeros are none; the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
    }
}

/// Nanoseconds of each step, sorted.
fn times(steps: usize, mut step: impl FnMut(usize)) -> Vec<u32> {
    (0..WARM_UP).for_each(&mut step);
    let mut times: Vec<u32> = (0..steps)
        .map(|i| {
            let began = Instant::now();
            step(i);
            began.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32
        })
        .collect();
    times.sort_unstable();
    times
}

fn report(options: &Options, name: &str, mut step: impl FnMut(usize)) -> serde_json::Value {
    let times = times(options.steps, &mut step);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(at);
    if !options.json {
        println!("{name:34} {p50:>8} {p99:>8} {p999:>8} {max:>9}");
    }
    json!({"name": name, "p50_ns": p50, "p99_ns": p99, "p999_ns": p999, "max_ns": max})
}

fn run(options: &Options, name: &str, run: &common::Run, input: impl Fn(usize, usize) -> f32) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a folder");
    run.write(folder.path());
    let mut runner = Runner::open(folder.path()).expect("a run");
    let n = runner.inputs();
    // Drawn before, so that nothing but the step is timed.
    let xs: Vec<Vec<f32>> = (0..64).map(|t| (0..n).map(|i| input(t, i)).collect()).collect();
    report(options, name, |i| {
        black_box(runner.step(&xs[i % xs.len()]).expect("finite inputs"));
    })
}

/// A matrix-vector product with as many weights as a gated layer of `n` units has.
fn product(options: &Options, [n_in, n]: [usize; 2]) -> serde_json::Value {
    let mut rng = common::Noise(3);
    let weight: Vec<f32> = (0..(n_in + n) * 3 * n).map(|_| rng.next() as f32).collect();
    let kernel = LinearKernel::new([n_in + n, 3 * n], Numbers::copy_of(&weight), None);
    let mut single = Kernel::<f32>::single_step(&kernel).expect("a linear map makes single steps");
    let (x, mut y) = (vec![0.5; places::<f32>(n_in + n)], vec![0.0; places::<f32>(3 * n)]);
    report(options, &format!("product of {} x {}", n_in + n, 3 * n), |_| {
        single.step(&mut [], &x, &mut y);
        black_box(&y);
    })
}

fn main() {
    let options = options();
    let pinned = pin(options.core);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    if !options.json {
        let core = if pinned { format!("on core {}", options.core) } else { "not pinned".into() };
        println!("{} steps {core}; load {}", options.steps, load.trim());
        println!("{:34} {:>8} {:>8} {:>8} {:>9}", "ns a step", "p50", "p99", "p99.9", "max");
    }
    let wave = |t: usize, i: usize| (0.3 * (t + 7 * i) as f32).sin();
    // 5 % of the channels at each step.
    let spikes = |t: usize, i: usize| f32::from(u8::from((t * 31 + i * 17).is_multiple_of(20)));
    let none = json!({"name": "none"});
    let all = vec![
        report(&options, "empty loop", |i| {
            black_box(i);
        }),
        run(&options, "ngrc, the tutorial's (f64)", &common::ngrc(), wave),
        run(&options, "esn, 100 units, dense (f64)", &common::esn(), wave),
        run(&options, "rnn 1-100-1, tanh", &common::cells("rnn", 1, 1, 100, 1), wave),
        run(&options, "gru 1-64-1", &common::cells("gru", 3, 1, 64, 1), wave),
        run(&options, "lstm 1-64-1", &common::cells("lstm", 4, 1, 64, 1), wave),
        run(&options, "snn 100-128-10, lif", &common::spiking([100, 128, 10], "lif", none.clone(), false), spikes),
        run(&options, "snn 100-128-10, recurrent", &common::spiking([100, 128, 10], "lif", none.clone(), true), spikes),
        run(&options, "snn 100-128-10, adex", &common::spiking([100, 128, 10], "adex", none, false), spikes),
        run(&options, "gru 1-512-1", &common::cells("gru", 3, 1, 512, 1), wave),
        product(&options, [1, 512]),
    ];
    if options.json {
        println!("{}", json!({"steps": options.steps, "pinned": pinned, "load": load.trim(), "figures": all}));
    }
}
