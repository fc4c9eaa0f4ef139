//! What tiles, threads, instructions and lists of spikes gain on the tutorial's spiking network: Linear, Expon, Lif, Linear,
//! Delay, Expon, LeakyIntegrator; 100-10-2 units, 2,000 steps, batch 256, float32, 0.05 % of the inputs are spikes.
//!
//!     cargo bench                  forward and adjoint, all ways in turn, and a table of medians
//!     cargo bench -- --by-step     and once step by step through libtorch, the definition (some seconds)
//!     cargo bench -- --only TEXT   only ways with this in their names
//!     cargo bench -- --json FILE   and all figures in a file, of which scripts/bench --compare compares two
//!
//! Every way's gradients are compared with those of the first before anything is timed.

use std::time::Instant;

use bd_core::kernel::{Instructions, Tuning, scan_tuned};
use bd_core::{DynSystem, Inputs, Params, Rng, Shared, Spikes, System, Tap, scan_by_step, threads};
use bd_models::{LeakyIntegrator, Lif, LifConfig, LifTrained, SnnConfig, Synapse, SynapseConfig};
use tch::{Device, Kind, Tensor};

use figures::{Figures, Spread};

#[path = "shared/figures.rs"]
mod figures;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const BATCH: usize = 256;
const ROUNDS: usize = 21;

/// The network's layers, each by itself.
fn layers(params: &mut Params) -> bd_core::Result<Vec<(&'static str, DynSystem)>> {
    let SnnConfig { n_in, hidden, n_out, synapse, lif, readout, .. } = SnnConfig::default();
    let at_once = SynapseConfig { delayed: false, ..synapse };
    Ok(vec![
        ("i2r", DynSystem::new(Synapse::new(&mut params.at("i2r"), n_in, hidden[0], &at_once)?)),
        ("r", DynSystem::new(Lif::new(hidden[0], &lif)?)),
        ("r2o", DynSystem::new(Synapse::new(&mut params.at("r2o"), hidden[0], n_out, &synapse)?)),
        ("o", DynSystem::new(LeakyIntegrator::new(n_out, &readout)?)),
    ])
}

/// One way to scan.
struct Way<'a> {
    name: &'static str,
    threads: usize,
    /// Of what gradients are asked.
    weights: &'a [Tensor],
    scan: Box<dyn Fn() -> Tensor + 'a>,
}

impl Way<'_> {
    /// Gradients of the weights for a loss that is the sum of all outputs, and the seconds that took.
    fn run(&self) -> (Vec<Tensor>, f64) {
        threads::set(self.threads);
        let start = Instant::now();
        let ys = (self.scan)();
        let gradients = Tensor::run_backward(&[ys.sum(Kind::Float)], self.weights, false, false);
        (gradients, start.elapsed().as_secs_f64())
    }
}

fn outputs(net: &impl System, sha: &Shared, spikes: &Spikes, tap: &mut Tap) -> Tensor {
    net.scan(sha, &Inputs::from(spikes), net.init_state(BATCH as i64, ON), tap).0
}

fn main() -> bd_core::Result<()> {
    bd_core::memory::keep_freed(); // as `bd` does
    let mut params = Params::new(0, ON);
    let net = SnnConfig::default().build(&mut params)?;
    let mut separate_params = Params::new(0, ON);
    let separate = layers(&mut separate_params)?;
    let mut own_params = Params::new(0, ON);
    let trained = LifTrained { tau: true, threshold: true, reset: true };
    let lif = LifConfig { trained, ..LifConfig::default() };
    let own = SnnConfig { lif, ..SnnConfig::default() }.build(&mut own_params)?;
    let spikes = Spikes::draw([2000, BATCH, 100], ON, 5e-4, &mut Rng::new(0, "spikes"))?;
    let xs = spikes.to_dense();
    let weights: Vec<Tensor> =
        params.trainable().into_iter().chain(separate_params.trainable()).map(|(_, tensor)| tensor).collect();
    let (weights, separate_weights) = weights.split_at(2);
    let own_weights: Vec<Tensor> = own_params.trainable().into_iter().map(|(_, tensor)| tensor).collect();

    let sha = Shared::new(0.1);
    let usual = Tuning { threads: 2, ..Tuning::of(BATCH, ON.0) };
    let tuned = |tuning: Tuning| {
        let (net, spikes, sha) = (&net, &spikes, &sha);
        Box::new(move || {
            let start = net.init_state(BATCH as i64, ON);
            let done = scan_tuned(net, sha, &Inputs::from(spikes), start, &mut Tap::none(), tuning);
            done.expect("the network has a kernel").0
        })
    };
    let whole = Tuning { samples: BATCH, bytes: usize::MAX, threads: 1, ..usual };
    let at_most_avx2 = Instructions::avx2().unwrap_or_else(Instructions::any);
    let ways = [
        Way { name: "spikes, 2 threads", threads: 2, weights, scan: tuned(usual) },
        Way { name: "1 thread", threads: 1, weights, scan: tuned(Tuning { threads: 1, ..usual }) },
        Way { name: "tiles of 8 samples", threads: 2, weights, scan: tuned(Tuning { samples: 8, ..usual }) },
        Way { name: "tiles of 16 samples", threads: 2, weights, scan: tuned(Tuning { samples: 16, ..usual }) },
        Way { name: "all steps in a stretch", threads: 2, weights, scan: tuned(Tuning { bytes: usize::MAX, ..usual }) },
        Way { name: "no tiles, 1 thread", threads: 1, weights, scan: tuned(whole) },
        Way { name: "AVX2 at most", threads: 2, weights, scan: tuned(Tuning { instructions: at_most_avx2, ..usual }) },
        Way {
            name: "any processor's instructions",
            threads: 2,
            weights,
            scan: tuned(Tuning { instructions: Instructions::any(), ..usual }),
        },
        Way {
            name: "dense input",
            threads: 2,
            weights,
            scan: Box::new(|| {
                net.scan(&sha, &Inputs::of_steps(&xs), net.init_state(BATCH as i64, ON), &mut Tap::none()).0
            }),
        },
        Way {
            name: "layer by layer, dense input",
            threads: 2,
            weights: separate_weights,
            scan: Box::new(|| {
                separate.iter().fold(xs.shallow_clone(), |xs, (_, layer)| {
                    layer.scan(&sha, &Inputs::of_steps(&xs), layer.init_state(BATCH as i64, ON), &mut Tap::none()).0
                })
            }),
        },
    ];
    // What is more than the tutorial asks for.
    let more = [
        Way {
            name: "time constants, thresholds and resets trained",
            threads: 2,
            weights: &own_weights,
            scan: Box::new(|| outputs(&own, &sha, &spikes, &mut Tap::none())),
        },
        Way {
            name: "potentials and spikes recorded",
            threads: 2,
            weights,
            scan: Box::new(|| outputs(&net, &sha, &spikes, &mut Tap::new(["r.v", "r.spike"]))),
        },
    ];

    let (expected, _) = ways[0].run();
    for way in &ways {
        for (found, expected) in way.run().0.iter().zip(&expected) {
            let off = ((found - expected).abs().max() / expected.abs().max()).double_value(&[]);
            assert!(off < 1e-4, "{}: gradients differ by {off:.1e} of scale", way.name);
        }
    }
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let is_wanted = |way: &Way| only.as_ref().is_none_or(|only| way.name.contains(only));
    let ways: Vec<Way> = ways.into_iter().chain(more).filter(is_wanted).collect();
    if ways.is_empty() {
        eprintln!("no way has this in its name");
        std::process::exit(2);
    }
    let mut seconds = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, seconds) in ways.iter().zip(&mut seconds) {
            seconds.push(way.run().1);
        }
    }
    println!("{:46} {:>10} {:>16} {:>8}", "", "median ms", "min to max", "factor");
    // Of the first that is timed.
    let (mut figures, first) = (Figures::new("kernels", 2), Spread::of(&seconds[0]).median);
    let mut row = |name: &str, all: &[f64]| {
        let spread = figures.add(name, all);
        let [ms, low, high] = [spread.median, spread.least, spread.most].map(|s| 1e3 * s);
        println!("{name:46} {ms:10.2} {low:7.2} to {high:6.2} {:8.2}", spread.median / first);
    };
    ways.iter().zip(&seconds).for_each(|(way, all)| row(way.name, all));
    if std::env::args().any(|arg| arg == "--by-step") {
        let by_step = || scan_by_step(&net, &sha, &xs, net.init_state(BATCH as i64, ON), &mut Tap::none()).0;
        let way = Way { name: "step by step, dense input", threads: 2, weights, scan: Box::new(by_step) };
        row(way.name, &[way.run().1]);
    }
    figures.write();
    Ok(())
}
