//! Interpreted units beside compiled ones of the same formula, on one thread: nanoseconds of a neuron's step, forward and adjoint. And LIF
//! neurons whose time constant, threshold and reset are trained beside such as have them in common.
//!
//!     cargo bench -p bd-kernel --bench units -- [--lanes N] [--json FILE]
//!
//! 64 neurons, 50 steps, 32 samples unless N says otherwise. The ways take turns; a figure is the median of 15.

use std::sync::Arc;
use std::time::Instant;

use bd_kernel::models::lif::{self, Free, LifConfig, LifTrained, OWN};
use bd_kernel::models::surrogate::Surrogate;
use bd_kernel::{
    AnyKernel, Code, Compile, Grads, GraphKernel, Input, Instructions, Kernel, Num, Numbers, Real, Tile, Typed, Unit,
    UnitFormula, UnitKernel, UnitProgram,
};

use figures::Figures;

#[path = "../../../benches/shared/figures.rs"]
mod figures;

const N: usize = 64;
const STEPS: usize = 50;
const ROUNDS: usize = 15;
const PASSES: [&str; 3] = ["forward", "forward, keeping", "backward"];
const SURROGATE: Surrogate = Surrogate::Sigmoid { alpha: 4.0 };

/// Adaptive exponential neurons in ms, mV and pA, exponential Euler of the linear part (Brette, Gerstner 2005), peak 5 slopes above threshold.
#[derive(Debug, Clone, Copy)]
struct AdEx;

impl Unit<2> for AdEx {
    const NAME: &'static str = "adex";
    const STATES: [&'static str; 2] = ["v", "w"];
    const SPIKES: bool = true;
    type Constants = f64;
    type Surrogate = Surrogate;

    fn constants(&self, dt: f64) -> f64 {
        dt
    }
    fn surrogate(&self) -> Surrogate {
        SURROGATE
    }
    #[inline(always)]
    fn step<N: Num>(&self, dt: &f64, x: N, [v, w]: [N; 2], spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        let [a, b] = [-30.0 / 281.0, -1.0 / 144.0];
        let gain = |rate: f64| ((rate * dt).exp() - 1.0) / rate;
        let upstroke = v.clone().shift(50.4).scale(0.5).exp().scale(60.0);
        let dv = (v.clone().shift(70.6).scale(-30.0) + upstroke - w.clone() + x.scale(500.0)).scale(1.0 / 281.0);
        let dw = (v.clone().shift(70.6).scale(4.0) - w.clone()).scale(-b);
        let (v, w) = (v + dv.scale(gain(a)), w + dw.scale(gain(b)));
        let y = spike(v.clone().shift(40.4).scale(0.5));
        let fired = y.clone().detach().shift(-0.5);
        (y, [fired.clone().pick(v.lit(-60.0), v), fired.pick(w.clone().shift(80.5), w)])
    }
}

/// Hodgkin-Huxley neurons of 1952 in ms, mV, uA/cm^2: exponential Euler.
#[derive(Debug, Clone, Copy)]
struct HodgkinHuxley;

impl Unit<4> for HodgkinHuxley {
    const NAME: &'static str = "hh";
    const STATES: [&'static str; 4] = ["v", "m", "h", "n"];
    const SPIKES: bool = true;
    type Constants = f64;
    type Surrogate = Surrogate;

    fn constants(&self, dt: f64) -> f64 {
        dt
    }
    fn surrogate(&self) -> Surrogate {
        SURROGATE
    }
    #[inline(always)]
    fn step<N: Num>(&self, dt: &f64, x: N, [v, m, h, n]: [N; 4], spike: impl FnOnce(N) -> N) -> (N, [N; 4]) {
        let gate = |g: &N, alpha: N, beta: N| {
            let rate = -(alpha.clone() + beta);
            g.clone() + rate.clone().scale(*dt).phi(1).scale(*dt) * (alpha + rate * g.clone())
        };
        let exp = |shift: f64, scale: f64| v.clone().shift(shift).scale(scale).exp();
        let alpha_m = v.clone().shift(40.0).scale(-0.1).phi(1).recip();
        let alpha_n = v.clone().shift(55.0).scale(-0.1).phi(1).recip().scale(0.1);
        let beta_h = exp(35.0, -0.1).shift(1.0).recip();
        let next_m = gate(&m, alpha_m, exp(65.0, -1.0 / 18.0).scale(4.0));
        let next_h = gate(&h, exp(65.0, -0.05).scale(0.07), beta_h);
        let next_n = gate(&n, alpha_n, exp(65.0, -0.0125).scale(0.125));
        let (g_na, g_k) = ((m.clone().square() * m * h).scale(120.0), n.square().square().scale(36.0));
        let slope = -(g_na.clone() + g_k.clone()).shift(0.3);
        let drive = g_na.scale(50.0) - g_k.scale(77.0) + x.scale(10.0).shift(-0.3 * 54.387);
        let next_v = v.clone() + slope.clone().scale(*dt).phi(1).scale(*dt) * (drive + slope * v.clone());
        let y = spike(next_v.clone().scale(0.1)) * (-v.heaviside()).shift(1.0).detach();
        (y, [next_v, next_m, next_h, next_n])
    }
}

fn as_graph<U: Unit<S>, const S: usize>(unit: &U, dt: f64) -> UnitFormula {
    let constants = unit.constants(dt);
    UnitFormula::new(U::NAME, [1, S], &unit.surrogate(), |x, s, spike| {
        let state: [Code; S] = std::array::from_fn(|j| s[j].clone());
        let (y, next) = unit.step(&constants, x[0].clone(), state, spike);
        (y, next.to_vec())
    })
}

/// What a kernel reads and writes. It lives through all rounds: a pass over fresh memory would wait for the pages.
struct Buffers<F> {
    lanes: usize,
    xs: Vec<F>,
    ys: Vec<F>,
    kept: Vec<F>,
    work: Vec<F>,
    gxs: Vec<F>,
    state: Vec<F>,
    params: Vec<F>,
}

impl<F: Real> Buffers<F> {
    fn new(kernel: &dyn Kernel<F>, lanes: usize) -> Self {
        let (sizes, len) = (kernel.sizes(), STEPS * lanes);
        // Not the pages of zeros that an allocator hands out unwritten.
        let filled = |n: usize| vec![F::of(0.5); n];
        Self {
            lanes,
            xs: (0..sizes.n_in * len).map(|i| F::of((i * 7919 % 1000) as f64 / 500.0)).collect(),
            ys: filled(sizes.n_out * len),
            kept: filled(kernel.n_kept(STEPS) * lanes),
            work: filled(sizes.n_work * len),
            gxs: filled(sizes.n_in * len),
            state: filled(sizes.n_state * lanes),
            params: filled(sizes.n_params),
        }
    }

    /// Seconds of the passes forward, forward with what the adjoint reads, and backward.
    fn seconds(&mut self, kernel: &dyn Kernel<F>, first: &[f64]) -> [f64; 3] {
        let Self { lanes, xs, ys, kept, work, gxs, state, params } = self;
        let lanes = *lanes;
        let mut tile = Tile {
            steps: STEPS,
            lanes,
            keep: false,
            instructions: Instructions::best(),
            first_step: 0,
            first_sample: 0,
        };
        let [plain, keeping] = [false, true].map(|keep| {
            tile.keep = keep;
            state.chunks_exact_mut(N * lanes).zip(first).for_each(|(leaf, value)| leaf.fill(F::of(*value)));
            let start = Instant::now();
            kernel.forward(tile, Input::Dense(xs), state, ys, kept, work);
            start.elapsed().as_secs_f64()
        });
        state.fill(F::default());
        let start = Instant::now();
        let grads = Grads { ys, state, xs: gxs, params };
        kernel.backward(tile, Input::Dense(xs), kept, work, grads);
        [plain, keeping, start.elapsed().as_secs_f64()]
    }
}

/// Samples side by side.
fn lanes() -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != "--lanes").skip(1);
    args.next().map_or(32, |lanes| lanes.parse().expect("--lanes is followed by a number"))
}

fn compare<F: Real, U: Unit<S>, const S: usize>(figures: &mut Figures, unit: &U, dt: f64, first: [f64; S], dtype: &str)
where
    dyn AnyKernel: Typed<F>,
{
    let [program, by_cpp] = [Compile::Never, Compile::IfFound]
        .map(|compile| Arc::new(UnitProgram::new(&as_graph(unit, dt), Some(SURROGATE), true).compiled(compile)));
    let instructions = program.instructions();
    let kernels: [Arc<dyn AnyKernel>; 3] = [
        Arc::new(UnitKernel::new(N as i64, unit, dt)),
        Arc::new(GraphKernel::new(N, program)),
        Arc::new(GraphKernel::new(N, Arc::clone(&by_cpp))),
    ];
    let mut times: [Vec<[f64; 3]>; 3] = Default::default();
    let mut buffers = Buffers::<F>::new(kernels[0].typed(), lanes());
    for _ in 0..ROUNDS {
        for (kernel, times) in kernels.iter().zip(&mut times) {
            times.push(buffers.seconds(kernel.typed(), &first));
        }
    }
    for (pass, what) in PASSES.into_iter().enumerate() {
        let mut of =
            |way: usize, name: &str| ns(figures, &format!("{}, {dtype}, {what}, {name}", U::NAME), &times[way], pass);
        let [compiled, interpreted, cpp] = [of(0, "compiled"), of(1, "interpreted"), of(2, "C++")];
        let count = instructions[usize::from(pass == 2)];
        println!(
            "{:6} {dtype:8} {what:18} {compiled:9.3} {interpreted:12.3} {:7.2} {count:13} {cpp:9.3} {:7.2}",
            U::NAME,
            interpreted / compiled,
            cpp / compiled,
        );
    }
    println!("{:15} C++ {}", U::NAME, by_cpp.outcome());
}

/// Neurons with numbers of their own, which are trained, beside others.
fn compare_own<F: Real>(figures: &mut Figures, refractory_ms: f64, dtype: &str)
where
    dyn AnyKernel: Typed<F>,
{
    let config = LifConfig { surrogate: SURROGATE, refractory_ms, ..LifConfig::default() };
    let trained = LifTrained { tau: true, threshold: true, reset: true };
    let own: [f64; OWN] = [0.01, 1.0, 0.0];
    let own: Vec<F> = own.into_iter().flat_map(|value| [F::of(value); N]).collect();
    let kernels = [
        lif::kernel(N, &config, 0.1, None),
        lif::kernel(N, &LifConfig { trained, ..config }, 0.1, Some(Numbers::copy_of(&own))),
    ];
    let mut buffers = kernels.each_ref().map(|kernel| Buffers::<F>::new(kernel.typed(), lanes()));
    let mut times: [Vec<[f64; 3]>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for ((kernel, buffers), times) in kernels.iter().zip(&mut buffers).zip(&mut times) {
            times.push(buffers.seconds(kernel.typed(), &[0.0; 3]));
        }
    }
    for (pass, what) in PASSES.into_iter().enumerate() {
        let name = if refractory_ms > 0.0 { "lif, refractory" } else { "lif" };
        let mut of = |way: usize, constants: &str| {
            ns(figures, &format!("{name}, {dtype}, {what}, constants {constants}"), &times[way], pass)
        };
        let [common, own] = [of(0, "in common"), of(1, "of their own")];
        println!("{name:16} {dtype:8} {what:18} {common:9.3} {own:9.3} {:7.2}", own / common);
    }
}

/// The median of a pass, in nanoseconds of a neuron's step.
fn ns(figures: &mut Figures, name: &str, times: &[[f64; 3]], pass: usize) -> f64 {
    let seconds: Vec<f64> = times.iter().map(|t| t[pass] / (N * STEPS * lanes()) as f64).collect();
    1e9 * figures.add(name, &seconds).median
}

fn main() {
    println!(
        "{:34} {:>9} {:>12} {:>7} {:>13} {:>9} {:>7}",
        "ns of a neuron's step", "compiled", "interpreted", "ratio", "instructions", "C++", "ratio"
    );
    let mut figures = Figures::new("units", 1);
    let lif = Free::<true>(LifConfig { surrogate: SURROGATE, ..LifConfig::default() });
    compare::<f32, _, 2>(&mut figures, &lif, 0.1, [0.0, 0.0], "float32");
    compare::<f64, _, 2>(&mut figures, &lif, 0.1, [0.0, 0.0], "float64");
    compare::<f32, _, 2>(&mut figures, &AdEx, 0.1, [-65.0, 0.0], "float32");
    compare::<f64, _, 2>(&mut figures, &AdEx, 0.1, [-65.0, 0.0], "float64");
    compare::<f32, _, 4>(&mut figures, &HodgkinHuxley, 0.1, [-65.0, 0.05, 0.6, 0.3], "float32");
    compare::<f64, _, 4>(&mut figures, &HodgkinHuxley, 0.1, [-65.0, 0.05, 0.6, 0.3], "float64");
    println!("\n{:44} {:>9} {:>9} {:>7}", "ns of a neuron's step", "in common", "own", "ratio");
    for refractory_ms in [0.0, 2.0] {
        compare_own::<f32>(&mut figures, refractory_ms, "float32");
        compare_own::<f64>(&mut figures, refractory_ms, "float64");
    }
    figures.write();
}
