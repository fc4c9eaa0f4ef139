//! A spiking network of the size that the Spiking Heidelberg Digits take, forward and adjoint: 700 input channels of which 2 % spike
//! in a step, two recurrent layers of 512 LIF neurons, 250 steps, 256 samples, float32.
//!
//!     cargo bench --bench recurrent              a table of medians, over sizes of tiles and stretches
//!     cargo bench --bench recurrent -- --json    one JSON object, for scripts/bench
//!
//! Weights, loss and gradients are those of scripts/peers/recurrent.py.

use std::time::Instant;

use bd_core::kernel::{Instructions, Packed, Rows, RowsMut, Shape, Start, Tuning, pack, product, scan_tuned};
use bd_core::{Inputs, Params, Rng, Shared, Spikes, Stack, System, Tap, libtorch, memory, threads};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use network::{BATCH, INPUTS, NEURONS, STEPS, network};

#[path = "shared/network.rs"]
mod network;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// A forward and a backward pass again and again.
struct Bench {
    net: Stack,
    weights: Vec<Tensor>,
    out: Tensor,
    spikes: Spikes,
}

impl Bench {
    /// Outputs, and gradients of the weights for the sum of all outputs, each neuron's times a number.
    fn run(&self, tuning: Tuning) -> (Tensor, Vec<Tensor>) {
        let start = self.net.init_state(BATCH as i64, ON);
        let feed = &Inputs::from(&self.spikes);
        let done = scan_tuned(&self.net, &Shared::new(1.0), feed, start, &mut Tap::none(), tuning);
        let (ys, _) = done.expect("the network has a kernel");
        let loss = ys.sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float).dot(&self.out);
        (ys, Tensor::run_backward(&[loss], &self.weights, false, false))
    }

    /// Seconds of each time but the first.
    fn seconds(&self, repeats: usize, tuning: Tuning) -> Vec<f64> {
        let once = |_| {
            let began = Instant::now();
            let _ = self.run(tuning);
            began.elapsed().as_secs_f64()
        };
        (0..=repeats).map(once).skip(1).collect()
    }

    /// In how many of the steps a neuron of each layer spikes.
    fn rates(&self) -> [f64; 2] {
        let _guard = tch::no_grad_guard();
        let mut tap = Tap::new(["r1.spike", "r2.spike"]);
        let _ = self.net.scan(
            &Shared::new(1.0),
            &Inputs::from(&self.spikes),
            self.net.init_state(BATCH as i64, ON),
            &mut tap,
        );
        let records = tap.finish().expect("both are recorded");
        ["r1.spike", "r2.spike"].map(|name| records[name].mean(Kind::Double).double_value(&[]))
    }
}

/// Seconds of the adjoint's three products of everything alone, cut up as in the pass, on so many threads.
fn products(on_threads: usize, tuning: Tuning) -> f64 {
    let packed = pack(NEURONS, NEURONS, |k, m| (k * 7 + m) as f32 % 5.0 - 2.0);
    let shape = Shape { rows: NEURONS, terms: NEURONS, columns: tuning.samples };
    let times = 3 * STEPS * BATCH / tuning.samples / on_threads;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..on_threads {
            scope.spawn(|| {
                let (from, mut to) = (vec![0.5; NEURONS * tuning.samples], vec![0.0; NEURONS * tuning.samples]);
                for _ in 0..times {
                    let out = RowsMut { numbers: &mut to, stride: tuning.samples };
                    let b = Rows { numbers: &from, stride: tuning.samples };
                    product(tuning.instructions, shape, Packed(&packed), b, Start::Zero, out);
                }
            });
        }
    });
    began.elapsed().as_secs_f64()
}

/// Median, tenth and ninetieth percentile.
fn spread(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |fraction: f64| seconds[((seconds.len() - 1) as f64 * fraction).round() as usize];
    json!({"median": at(0.5), "p10": at(0.1), "p90": at(0.9)})
}

fn main() -> bd_core::Result<()> {
    memory::keep_freed();
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let repeats: usize = after("--repeats").and_then(|text| text.parse().ok()).unwrap_or(5);
    let on_threads: usize = after("--threads").and_then(|text| text.parse().ok()).unwrap_or(2);
    threads::set(on_threads);
    let mut params = Params::new(0, ON);
    let net = network(&mut params)?;
    let bench = Bench {
        net,
        weights: params.trainable().into_iter().map(|(_, tensor)| tensor).collect(),
        out: Rng::new(0, "out").tensor(&[NEURONS as i64], ON, Rng::normal),
        spikes: Spikes::draw([STEPS, BATCH, INPUTS], ON, 0.02, &mut Rng::new(0, "spikes"))?,
    };
    let usual = Tuning { threads: on_threads, ..Tuning::of(BATCH, ON.0) };
    if arguments.iter().any(|argument| argument == "--json") {
        let job = spread(bench.seconds(repeats, usual));
        let share = products(on_threads, usual) / job["median"].as_f64().unwrap_or(f64::NAN);
        let versions = json!({"bd": env!("CARGO_PKG_VERSION"), "libtorch": libtorch::version()});
        let rates = bench.rates();
        let seconds = json!({"job": job});
        println!("{}", json!({"seconds": seconds, "rates": rates, "product_share": share, "versions": versions}));
        return Ok(());
    }
    let rates = bench.rates();
    println!("rates {:.3} and {:.3}; products of the adjoint {:.3} s", rates[0], rates[1], products(on_threads, usual));
    let at_most_avx2 = Instructions::avx2().unwrap_or_else(Instructions::any);
    println!("{:40} {:>10} {:>16}", "", "median s", "p10 to p90");
    for (name, tuning) in [
        ("usual", usual),
        ("1 thread", Tuning { threads: 1, ..usual }),
        ("stretches of 1 step", Tuning { min_steps: 1, ..usual }),
        ("stretches of 2 steps", Tuning { min_steps: 2, ..usual }),
        ("stretches of 4 steps", Tuning { min_steps: 4, ..usual }),
        ("stretches of 16 steps", Tuning { min_steps: 16, ..usual }),
        ("stretches of 32 steps", Tuning { min_steps: 32, ..usual }),
        ("tiles of 16 samples", Tuning { samples: 16, ..usual }),
        ("tiles of 64 samples", Tuning { samples: 64, ..usual }),
        ("AVX2 at most", Tuning { instructions: at_most_avx2, ..usual }),
    ] {
        let seconds = spread(bench.seconds(repeats, tuning));
        let [median, low, high] = ["median", "p10", "p90"].map(|which| seconds[which].as_f64().unwrap_or(f64::NAN));
        println!("{name:40} {median:10.3} {low:7.3} to {high:6.3}");
    }
    Ok(())
}
