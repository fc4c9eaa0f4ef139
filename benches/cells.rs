//! What the kernels of rate networks take: forward and adjoint of a cell with a linear readout, 1 -> n -> 1, float32,
//! dense input.
//!
//!     cargo bench --bench cells                  every network, all ways in turn, and a table of medians
//!     cargo bench --bench cells -- lstm          only some
//!     cargo bench --bench cells -- --by-step     and step by step through libtorch, the definition
//!     cargo bench --bench cells -- --libtorch    and libtorch's own layer (PyTorch's nn.RNN, nn.GRU, nn.LSTM), one thread and two
//!     cargo bench --bench cells -- --json FILE   and all figures in a file, of which scripts/bench --compare compares two
//!
//! Gradients of the kernel are compared with those of the definition before anything is timed. GFLOP/s counts the
//! products of the definition alone: forward, and twice as much for the adjoint.

use std::time::Instant;

use bd_core::kernel::{Tuning, scan_tuned};
use bd_core::{Inputs, Params, Rng, Shared, System, Tap, scan_by_step, threads};
use tch::{Device, Kind, Tensor};

use cells::{Case, net, of_libtorch};
use figures::Figures;

#[path = "shared/cells.rs"]
mod cells;
#[path = "shared/figures.rs"]
mod figures;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// With steps, and how often they are timed.
const CASES: [(Case, i64, usize); 11] = [
    (Case { cell: "rnn", n: 100, batch: 128 }, 25, 201),
    (Case { cell: "rnn", n: 100, batch: 128 }, 1000, 9),
    (Case { cell: "rnn", n: 512, batch: 128 }, 25, 21),
    (Case { cell: "rnn", n: 1024, batch: 128 }, 25, 9),
    (Case { cell: "gru", n: 100, batch: 128 }, 25, 101),
    (Case { cell: "gru", n: 512, batch: 128 }, 25, 9),
    (Case { cell: "gru", n: 1024, batch: 128 }, 25, 7),
    (Case { cell: "lstm", n: 100, batch: 128 }, 25, 101),
    (Case { cell: "lstm", n: 100, batch: 128 }, 1000, 5),
    (Case { cell: "lstm", n: 512, batch: 128 }, 25, 9),
    (Case { cell: "lstm", n: 1024, batch: 128 }, 25, 7),
];

/// Gradients of all parameters for a loss that is the sum of all outputs, and the seconds that took.
fn run(params: &Params, scan: impl FnOnce() -> Tensor) -> (Vec<Tensor>, f64) {
    let tensors: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
    timed(&tensors, scan)
}

fn timed(tensors: &[Tensor], scan: impl FnOnce() -> Tensor) -> (Vec<Tensor>, f64) {
    let start = Instant::now();
    let ys = scan();
    let gradients = Tensor::run_backward(&[ys.sum(Kind::Float)], tensors, false, false);
    (gradients, start.elapsed().as_secs_f64())
}

fn main() -> bd_core::Result<()> {
    let libtorch = std::env::args().any(|arg| arg == "--libtorch");
    let by_step = std::env::args().any(|arg| arg == "--by-step");
    let only = std::env::args().find(|arg| ["rnn", "gru", "lstm"].contains(&arg.as_str()));
    let mut figures = Figures::new("cells", 2);
    println!("{:34} {:>10} {:>16} {:>9}", "cell, units, steps, samples", "median ms", "min to max", "GFLOP/s");
    for &(ref case, time, rounds) in
        CASES.iter().filter(|(case, ..)| only.as_ref().is_none_or(|only| only == case.cell))
    {
        let mut params = Params::new(0, ON);
        let (net, gates) = net(case, &mut params)?;
        let xs = Rng::new(0, "xs").tensor(&[time, case.batch, 1], ON, |rng| 0.1 * rng.normal());
        let sha = Shared::new(0.04);
        let start = || net.init_state(case.batch, ON);
        let tuned = |tuning: Tuning| {
            scan_tuned(&net, &sha, &Inputs::of_steps(&xs), start(), &mut Tap::none(), tuning)
                .expect("there is a kernel")
                .0
        };
        let flops = 6.0 * (time * case.batch * case.n * (gates * (case.n + 1) + 1)) as f64;
        let usual = Tuning::of(case.batch as usize, ON.0);
        let name = format!("{} {} x {} x {}", case.cell, case.n, time, case.batch);
        let mut row = |way: &str, seconds: &[f64]| {
            let name = format!("{name}, {way}");
            let spread = figures.add(&name, seconds);
            let [ms, low, high] = [spread.median, spread.least, spread.most].map(|s| 1e3 * s);
            println!("{name:34} {ms:10.2} {low:7.2} to {high:6.2} {:9.0}", flops / ms / 1e6);
        };
        let definition = || scan_by_step(&net, &sha, &xs, start(), &mut Tap::none()).0;
        threads::set(2);
        if by_step || time < 100 {
            let (expected, seconds) = run(&params, definition);
            for (found, expected) in run(&params, || tuned(usual)).0.iter().zip(&expected) {
                // By norms: among three million values in float32 a few lie so near the rectifier's corner that the two take
                // different sides of it, and each of these shifts one gradient by more than rounding does.
                let off = ((found - expected).norm() / expected.norm()).double_value(&[]);
                assert!(off < 1e-3, "{name}: gradients differ by {off:.1e} of their norm");
            }
            if by_step {
                let mut all: Vec<f64> = (0..rounds.min(5)).map(|_| run(&params, definition).1).collect();
                all.push(seconds);
                row("by step", &all);
            }
        }
        let two = Tuning { threads: 2, ..usual };
        let ways = [
            ("2 threads", two),
            ("1 thread", Tuning { threads: 1, ..usual }),
            ("calculated again", Tuning { stored_bytes: 0, ..two }),
            ("tiles of 32 samples", Tuning { samples: 32, ..two }),
        ];
        let mut seconds = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for ((_, tuning), seconds) in ways.iter().zip(&mut seconds) {
                threads::set(tuning.threads);
                seconds.push(run(&params, || tuned(*tuning)).1);
            }
        }
        ways.iter().zip(&seconds).for_each(|((way, _), all)| row(way, all));
        if libtorch {
            let (tensors, scan) = of_libtorch(case, &xs);
            for threads in [1, 2] {
                threads::set_libtorch(threads);
                let all: Vec<f64> = (0..rounds).map(|_| timed(&tensors, &scan).1).collect();
                row(&format!("libtorch's own, {threads}"), &all);
            }
            threads::set_libtorch(1);
        }
    }
    figures.write();
    Ok(())
}
