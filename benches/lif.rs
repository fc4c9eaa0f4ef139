//! A linear layer and LIF neurons, the usual benchmark of spiking network libraries, forward and adjoint: `Linear(n, n)` without
//! bias, n neurons, 500 steps, 16 samples, float32.
//!
//!     cargo bench --bench lif              a table of medians
//!     cargo bench --bench lif -- --json    one JSON object, for scripts/bench
//!
//! Timed as in scripts/peers/lif.py: the whole, a `Chain`, with the gradients of weight and input; the neurons alone on currents that
//! are given, with the currents' gradient; the product alone, by the kernel that the chain has. The table has the product by libtorch
//! on as many threads, too, and the whole by that and the neurons' kernel, one after the other.

use std::time::Instant;

use bd_core::kernel::scan_fused;
use bd_core::{Chain, Inputs, Params, Rng, Shared, System, Tap, libtorch, memory, threads};
use bd_models::{Init, Lif, LifConfig, Linear, LinearConfig};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const SIZES: [i64; 2] = [512, 4096];
const STEPS: i64 = 500;
const BATCH: i64 = 16;
/// Of the currents, with which neurons spike in 5 to 20 % of the steps.
const DEVIATION: f64 = 0.7;
/// What is left of a potential after a step.
const BETA: f64 = 0.9;

/// Seconds of each time but the first: a forward pass, and the gradients of `of` for the sum of all outputs, each channel's times its
/// weight.
fn seconds(repeats: usize, weights: &Tensor, of: &[&Tensor], forward: impl Fn() -> Tensor) -> Vec<f64> {
    let once = |_| {
        let began = Instant::now();
        let loss = forward().sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float).dot(weights);
        let _ = Tensor::run_backward(&[loss], of, false, false);
        began.elapsed().as_secs_f64()
    };
    (0..=repeats).map(once).skip(1).collect()
}

/// Median, tenth and ninetieth percentile.
fn spread(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |fraction: f64| seconds[((seconds.len() - 1) as f64 * fraction).round() as usize];
    json!({"median": at(0.5), "p10": at(0.1), "p90": at(0.9)})
}

/// What the parts take for `n` neurons, with libtorch's product if it is asked for.
fn measure(n: i64, repeats: usize, on_threads: usize, with_libtorch: bool) -> bd_core::Result<Value> {
    let mut params = Params::new(0, ON);
    let init = Init::KaimingNormal { scale: DEVIATION * DEVIATION };
    let linear =
        Linear::new(&mut params.at("linear"), n, n, &LinearConfig { bias: false, init, ..LinearConfig::default() })?;
    let alone = linear.outputs(0..n);
    // With steps of 1 ms `v = 0.9 v + I`, as in the libraries.
    let config = LifConfig { tau_ms: -1.0 / BETA.ln(), resistance: 1.0 / (1.0 - BETA), ..LifConfig::default() };
    let lif = Lif::new(n, &config)?;
    let net = Chain::new(("linear", linear), ("lif", lif.clone()))?;

    let draw = |name: &str, shape: &[i64]| Rng::new(0, name).tensor(shape, ON, Rng::normal);
    let (out, xs) = (draw("out", &[n]), draw("xs", &[STEPS, BATCH, n]).set_requires_grad(true));
    let weight = &params.trainable()[0].1;
    let currents = xs.matmul(weight).detach().set_requires_grad(true);

    let sha = Shared::new(1.0);
    let whole = || net.scan(&sha, &Inputs::of_steps(&xs), net.init_state(BATCH, ON), &mut Tap::none()).0;
    let neurons = || lif.scan(&sha, &Inputs::of_steps(&currents), lif.init_state(BATCH, ON), &mut Tap::none()).0;
    let product =
        || scan_fused(&alone, &sha, &Inputs::of_steps(&xs), (), &mut Tap::none()).expect("there is a kernel").0;
    threads::set(on_threads);
    let alone = spread(seconds(repeats, &out, &[&currents], neurons));
    let mut result = json!({
        "whole": spread(seconds(repeats, &out, &[weight, &xs], whole)),
        "product": spread(seconds(repeats, &out, &[weight, &xs], product)),
        "neuron_steps_per_s": (STEPS * BATCH * n) as f64 / alone["median"].as_f64().unwrap_or(f64::NAN),
        "neurons": alone,
        "rate": tch::no_grad(neurons).mean(Kind::Double).double_value(&[]),
    });
    if with_libtorch {
        threads::set_libtorch(on_threads);
        let product = || xs.matmul(weight);
        let by_layer = || lif.scan(&sha, &Inputs::of_steps(product()), lif.init_state(BATCH, ON), &mut Tap::none()).0;
        result["product, libtorch"] = spread(seconds(repeats, &out, &[weight, &xs], product));
        result["whole, libtorch"] = spread(seconds(repeats, &out, &[weight, &xs], by_layer));
    }
    Ok(result)
}

fn main() -> bd_core::Result<()> {
    memory::keep_freed();
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let repeats = after("--repeats").and_then(|text| text.parse().ok()).unwrap_or(5);
    let on_threads = after("--threads").and_then(|text| text.parse().ok()).unwrap_or(2);
    let as_json = arguments.iter().any(|argument| argument == "--json");

    let mut sizes = Map::new();
    for n in SIZES {
        sizes.insert(n.to_string(), measure(n, repeats, on_threads, !as_json)?);
    }
    if as_json {
        let versions = json!({"bd": env!("CARGO_PKG_VERSION"), "libtorch": libtorch::version()});
        let seconds = json!({"job": sizes[&SIZES[0].to_string()]["whole"]});
        println!("{}", json!({"job": "lif", "seconds": seconds, "sizes": sizes, "versions": versions}));
        return Ok(());
    }
    println!("{:>8} {:>18} {:>10} {:>10} {:>10}", "neurons", "ms", "median", "p10", "p90");
    for (n, size) in &sizes {
        for (part, taken) in size.as_object().into_iter().flatten().filter(|(_, taken)| taken.is_object()) {
            let ms = |quantile: &str| taken[quantile].as_f64().unwrap_or(f64::NAN) * 1e3;
            println!("{n:>8} {part:>18} {:10.2} {:10.2} {:10.2}", ms("median"), ms("p10"), ms("p90"));
        }
        let number = |name: &str| size[name].as_f64().unwrap_or(f64::NAN);
        let (speed, rate) = (number("neuron_steps_per_s") / 1e6, 100.0 * number("rate"));
        println!("{n:>8} {speed:.0} million neuron steps a second, {rate:.1} spikes in 100 steps");
    }
    Ok(())
}
