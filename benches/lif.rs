//! A linear layer and LIF neurons, the usual benchmark of spiking network libraries, forward and adjoint: `Linear(n, n)` without
//! bias, n neurons, 500 steps, 16 samples, float32.
//!
//!     cargo bench --bench lif              a table of medians
//!     cargo bench --bench lif -- --json    one JSON object, for scripts/bench
//!     cargo bench --bench lif -- --neurons 512,16384 --density 0.02   of other sizes, and of an input of which so much is not zero
//!
//! Timed as in scripts/peers/lif.py: the whole, a `Chain`, with the gradients of weight and input; the neurons alone on currents that
//! are given, with the currents' gradient; the product alone, by the kernel that the chain has. The table has the product by libtorch
//! on as many threads, too, and the whole by that and the neurons' kernel, one after the other.

use std::time::{Duration, Instant};

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

/// What is timed: its name, its forward pass, of what gradients are asked, and how many threads libtorch has.
struct Part<'a> {
    name: &'static str,
    forward: Box<dyn Fn() -> Tensor + 'a>,
    of: Vec<&'a Tensor>,
    libtorch_threads: usize,
}

impl<'a> Part<'a> {
    fn new(
        name: &'static str,
        forward: impl Fn() -> Tensor + 'a,
        of: Vec<&'a Tensor>,
        libtorch_threads: usize,
    ) -> Self {
        Self { name, forward: Box::new(forward), of, libtorch_threads }
    }

    /// Seconds of a forward pass, and the gradients for the sum of all outputs, each channel's times its weight.
    fn seconds(&self, weights: &Tensor) -> f64 {
        threads::set_libtorch(self.libtorch_threads);
        // Threads of libtorch that were used before go on spinning for a while.
        std::thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        let loss = (self.forward)().sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float).dot(weights);
        let _ = Tensor::run_backward(&[loss], &self.of, false, false);
        began.elapsed().as_secs_f64()
    }
}

/// Median, least, tenth and ninetieth percentile.
fn spread(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |fraction: f64| seconds[((seconds.len() - 1) as f64 * fraction).round() as usize];
    json!({"median": at(0.5), "least": at(0.0), "p10": at(0.1), "p90": at(0.9)})
}

/// What the parts take for `n` neurons, with libtorch's product if it is asked for.
fn measure(n: i64, density: f64, repeats: usize, on_threads: usize, with_libtorch: bool) -> bd_core::Result<Value> {
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
    let some = |rng: &mut Rng| if density >= 1.0 || rng.uniform() < density { rng.normal() } else { 0.0 };
    let xs = Rng::new(0, "xs").tensor(&[STEPS, BATCH, n], ON, some).set_requires_grad(true);
    let out = draw("out", &[n]);
    let weight = &params.trainable()[0].1;
    let currents = xs.matmul(weight).detach().set_requires_grad(true);

    let sha = Shared::new(1.0);
    let whole = || net.scan(&sha, &Inputs::of_steps(&xs), net.init_state(BATCH, ON), &mut Tap::none()).0;
    let neurons = || lif.scan(&sha, &Inputs::of_steps(&currents), lif.init_state(BATCH, ON), &mut Tap::none()).0;
    let product =
        || scan_fused(&alone, &sha, &Inputs::of_steps(&xs), (), &mut Tap::none()).expect("there is a kernel").0;
    let product_by = || xs.matmul(weight);
    let by_layer = || lif.scan(&sha, &Inputs::of_steps(product_by()), lif.init_state(BATCH, ON), &mut Tap::none()).0;
    let mut parts = vec![
        Part::new("whole", whole, vec![weight, &xs], 1),
        Part::new("product", product, vec![weight, &xs], 1),
        Part::new("neurons", neurons, vec![&currents], 1),
    ];
    if with_libtorch {
        parts.push(Part::new("product, libtorch", product_by, vec![weight, &xs], on_threads));
        parts.push(Part::new("whole, libtorch", by_layer, vec![weight, &xs], on_threads));
    }
    threads::set(on_threads);
    // In turn, without the first of each.
    let mut taken = vec![Vec::new(); parts.len()];
    for round in 0..=repeats {
        for (part, taken) in parts.iter().zip(&mut taken) {
            let seconds = part.seconds(&out);
            if round > 0 {
                taken.push(seconds);
            }
        }
    }
    let mut result = json!({"rate": tch::no_grad(neurons).mean(Kind::Double).double_value(&[])});
    for (part, taken) in parts.iter().zip(taken) {
        result[part.name] = spread(taken);
    }
    let alone = result["neurons"]["median"].as_f64().unwrap_or(f64::NAN);
    result["neuron_steps_per_s"] = json!((STEPS * BATCH * n) as f64 / alone);
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

    let density = after("--density").and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let chosen: Vec<i64> =
        after("--neurons").map(|text| text.split(',').filter_map(|n| n.parse().ok()).collect()).unwrap_or_default();

    let mut sizes = Map::new();
    for n in if chosen.is_empty() { SIZES.to_vec() } else { chosen } {
        sizes.insert(n.to_string(), measure(n, density, repeats, on_threads, !as_json)?);
    }
    if as_json {
        let versions = json!({"bd": env!("CARGO_PKG_VERSION"), "libtorch": libtorch::version()});
        let seconds = json!({"job": sizes.values().next().map(|first| &first["whole"])});
        println!("{}", json!({"job": "lif", "seconds": seconds, "sizes": sizes, "versions": versions}));
        return Ok(());
    }
    println!("{:>8} {:>18} {:>10} {:>10} {:>10} {:>10}", "neurons", "ms", "median", "least", "p10", "p90");
    for (n, size) in &sizes {
        for (part, taken) in size.as_object().into_iter().flatten().filter(|(_, taken)| taken.is_object()) {
            let ms = |quantile: &str| taken[quantile].as_f64().unwrap_or(f64::NAN) * 1e3;
            println!(
                "{n:>8} {part:>18} {:10.2} {:10.2} {:10.2} {:10.2}",
                ms("median"),
                ms("least"),
                ms("p10"),
                ms("p90")
            );
        }
        let number = |name: &str| size[name].as_f64().unwrap_or(f64::NAN);
        let (speed, rate) = (number("neuron_steps_per_s") / 1e6, 100.0 * number("rate"));
        println!("{n:>8} {speed:.0} million neuron steps a second, {rate:.1} spikes in 100 steps");
    }
    Ok(())
}
