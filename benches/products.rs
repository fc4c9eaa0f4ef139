//! Whose product of a dense input with a weight is faster, that of the kernels or libtorch's library, by the rows (steps times 16
//! samples), inputs and outputs of a linear layer before LIF neurons: forward and adjoint, with the gradients of weight and input.
//!
//!     cargo bench --bench products               both ways in turn, the least times, float32
//!     cargo bench --bench products -- --double   float64
//!     cargo bench --bench products -- --threads 1
//!     cargo bench --bench products -- --density 0.02   of an input of which so much is not zero
//!     cargo bench --bench products -- --json FILE      and all figures in a file, of which scripts/bench --compare compares two
//!
//! `is_librarys` is the rule that these figures led to.

use std::time::Instant;

use bd_core::kernel::{Library, Tuning, is_librarys, scan_tuned};
use bd_core::{Chain, Inputs, Params, Rng, Shared, System, Tap, memory, threads};
use bd_models::{Init, Lif, LifConfig, Linear, LinearConfig};
use tch::{Device, Kind, Tensor};

use figures::Figures;

#[path = "shared/figures.rs"]
mod figures;

const BATCH: i64 = 16;
/// Steps, inputs, outputs.
const SHAPES: [[i64; 3]; 56] = [
    [4, 128, 128],
    [4, 192, 192],
    [4, 256, 256],
    [4, 384, 384],
    [4, 512, 512],
    [16, 64, 64],
    [16, 96, 96],
    [16, 128, 128],
    [16, 192, 192],
    [16, 256, 256],
    [16, 384, 384],
    [16, 512, 512],
    [64, 64, 64],
    [64, 96, 96],
    [64, 128, 128],
    [64, 192, 192],
    [64, 256, 256],
    [64, 384, 384],
    [64, 512, 512],
    [500, 64, 64],
    [500, 96, 96],
    [500, 128, 128],
    [500, 192, 192],
    [500, 256, 256],
    [500, 384, 384],
    [500, 512, 512],
    [500, 256, 8],
    [500, 256, 16],
    [500, 256, 32],
    [500, 256, 64],
    [500, 256, 128],
    [500, 512, 8],
    [500, 512, 16],
    [500, 512, 32],
    [500, 512, 64],
    [500, 512, 128],
    [500, 1024, 8],
    [500, 1024, 16],
    [500, 1024, 32],
    [500, 1024, 64],
    [500, 1024, 128],
    [500, 32, 512],
    [500, 32, 2048],
    [500, 64, 512],
    [500, 64, 2048],
    [500, 96, 512],
    [500, 96, 2048],
    [500, 128, 512],
    [500, 128, 2048],
    [500, 192, 512],
    [500, 192, 2048],
    [64, 512, 16],
    [64, 512, 64],
    [64, 128, 1024],
    [500, 1024, 1024],
    [64, 2048, 2048],
];
/// Seconds of a scan and its adjoint.
fn seconds(net: &Chain<Linear, Lif>, xs: &Tensor, weight: &Tensor, tuning: Tuning) -> f64 {
    let began = Instant::now();
    let start = net.init_state(BATCH, (xs.kind(), xs.device()));
    let ys = scan_tuned(net, &Shared::new(1.0), &Inputs::of_steps(xs), start, &mut Tap::none(), tuning);
    let loss = ys.expect("there is a kernel").0.sum(xs.kind());
    let _ = Tensor::run_backward(&[loss], &[weight, xs], false, false);
    began.elapsed().as_secs_f64()
}

fn main() -> bd_core::Result<()> {
    memory::keep_freed();
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse::<f64>().ok())
    };
    let kind = if arguments.iter().any(|argument| argument == "--double") { Kind::Double } else { Kind::Float };
    let (on_threads, density) = (after("--threads").unwrap_or(2.0) as usize, after("--density").unwrap_or(1.0));
    threads::set(on_threads);
    let on = (kind, Device::Cpu);
    let mut figures = Figures::new("products", threads::kernel_threads());
    println!(
        "{:>8} {:>8} {:>8} {:>12} {:>12} {:>8}  rule",
        "rows", "inputs", "outputs", "kernels ms", "library ms", "ratio"
    );
    for [steps, n_in, n_out] in SHAPES {
        let mut params = Params::new(0, on);
        let init = Init::KaimingNormal { scale: 0.5 };
        let config = LinearConfig { bias: false, init, ..LinearConfig::default() };
        let linear = Linear::new(&mut params.at("linear"), n_in, n_out, &config)?;
        let lif = LifConfig { tau_ms: 9.5, resistance: 10.0, ..LifConfig::default() };
        let net = Chain::new(("linear", linear), ("lif", Lif::new(n_out, &lif)?))?;
        let draw = |rng: &mut Rng| if rng.uniform() < density { rng.normal() } else { 0.0 };
        let xs = Rng::new(0, "xs").tensor(&[steps, BATCH, n_in], on, draw).set_requires_grad(true);
        let weight = &params.trainable()[0].1;
        let usual = Tuning::of(BATCH as usize, kind);
        let flops = 6.0 * (steps * BATCH * n_in * n_out) as f64;
        let rounds = ((8e10 / flops) as usize).clamp(3, 101);
        let ways = [Library::Never, Library::Always].map(|library| Tuning { library, ..usual });
        let mut taken = [Vec::new(), Vec::new()];
        for _ in 0..=rounds {
            for (taken, tuning) in taken.iter_mut().zip(ways) {
                taken.push(seconds(&net, &xs, weight, tuning));
            }
        }
        let rows = steps * BATCH;
        // The least, which other programs on the machine disturb least.
        let [kernels, library] = [("kernels", &taken[0]), ("library", &taken[1])].map(|(way, taken)| {
            let name = format!("{rows} x {n_in} x {n_out}, {way}");
            1e3 * figures.add(&name, &taken[1..]).least
        });
        let ratio = kernels / library;
        let rule = if is_librarys([rows, n_in, n_out].map(|n| n as usize)) { "library" } else { "kernels" };
        println!("{rows:>8} {n_in:>8} {n_out:>8} {kernels:12.3} {library:12.3} {ratio:8.2}  {rule}");
    }
    figures.write();
    Ok(())
}
