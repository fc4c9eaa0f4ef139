//! Interpreted units against compiled ones of the same formula: outputs, states, what is kept, and the adjoint.

use std::sync::Arc;

use bd_kernel::models::OneStep;
use bd_kernel::models::expon::ExponConfig;
use bd_kernel::models::leaky_integrator::LeakyIntegratorConfig;
use bd_kernel::models::lif::{Free, LifConfig, Own, Refractory, Reset};
use bd_kernel::models::surrogate::Surrogate;
use bd_kernel::testing::Noise;
use bd_kernel::{
    AnyKernel, Code, Grads, GraphKernel, Input, Instructions, Kernel, KernelChain, NoSpikes, Num, Numbers, Real, Sizes,
    Tile, Typed, Unit, UnitFormula, UnitKernel, UnitProgram,
};

const N: usize = 37;
const DT_MS: f64 = 0.5;

fn noise<F: Real>(seed: u64, n: usize, [from, to]: [f64; 2]) -> Vec<F> {
    let mut noise = Noise(seed);
    (0..n).map(|_| F::of(from + (to - from) * noise.uniform())).collect()
}

/// Units whose results are what they were given, or what others are given: their output is their input, or the gradient of the input that of
/// the output. Where a row has all samples of one unit, such results are read where the series lie.
#[derive(Debug, Clone, Copy)]
struct Passes<const OUTPUT: bool>;

impl<const OUTPUT: bool> Unit<1> for Passes<OUTPUT> {
    const NAME: &'static str = if OUTPUT { "passes its input" } else { "passes its gradient" };
    const STATES: [&'static str; 1] = ["last"];
    type Constants = ();
    type Surrogate = NoSpikes;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    fn step<N: Num>(&self, _constants: &(), x: N, [last]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let next = last.scale(0.5) + x.clone().square();
        (if OUTPUT { x } else { x - next.clone() }, [next])
    }
}

/// The formula of a compiled unit as a graph, with its adjoint by reverse mode.
fn as_graph<U: Unit<S>, const S: usize>(unit: &U) -> UnitFormula {
    let constants = unit.constants(DT_MS);
    UnitFormula::new(U::NAME, [1, S], &unit.surrogate(), |x, s, spike| {
        let state: [Code; S] = std::array::from_fn(|j| s[j].clone());
        let (y, next) = unit.step(&constants, x[0].clone(), state, spike);
        (y, next[..S - U::HELD].to_vec())
    })
}

/// Everything that a kernel computes: outputs, last state, and the gradients of inputs, state and parameters.
fn all_of<F: Real>(kernel: &dyn Kernel<F>, tile: Tile) -> Vec<(&'static str, Vec<F>)> {
    let sizes = kernel.sizes();
    let xs = noise(1, sizes.n_in * tile.len(), [-1.0, 3.0]);
    let mut state = noise(2, sizes.n_state * tile.lanes, [-0.5, 1.2]);
    let mut ys = vec![F::default(); sizes.n_out * tile.len()];
    let mut kept = vec![F::default(); kernel.n_kept(tile.steps) * tile.lanes];
    let mut work = vec![F::default(); sizes.n_work * tile.len()];
    kernel.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
    let gys = noise(3, ys.len(), [-1.0, 1.0]);
    let (mut gstate, mut gxs) = (noise(4, state.len(), [-1.0, 1.0]), vec![F::default(); xs.len()]);
    let mut gparams = vec![F::default(); sizes.n_params];
    // What the adjoint does not read is anything.
    let given = if kernel.reads_inputs() { xs } else { vec![F::of(f64::NAN); xs.len()] };
    let grads = Grads { ys: &gys, state: &mut gstate, xs: &mut gxs, params: &mut gparams };
    kernel.backward(tile, Input::Dense(&given), &mut kept, &mut work, grads);
    vec![("outputs", ys), ("state", state), ("gx", gxs), ("gs", gstate), ("gparams", gparams)]
}

fn assert_equal<F: Real + Into<f64>>(name: &str, compiled: &dyn Kernel<F>, graph: &dyn Kernel<F>, tolerance: f64) {
    // The slope of a surrogate needs a workspace of its own only in compiled loops.
    assert_eq!(Sizes { n_work: 0, ..compiled.sizes() }, Sizes { n_work: 0, ..graph.sizes() }, "{name}");
    assert_eq!(compiled.spikes(), graph.spikes(), "{name}");
    let levels = [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()];
    for instructions in levels.into_iter().flatten() {
        for (steps, lanes) in [(9, 8), (3, 32), (1, 96)] {
            let tile = Tile { steps, lanes, keep: true, instructions, first_step: 0, first_sample: 0 };
            for ((what, found), (_, expected)) in all_of(graph, tile).iter().zip(all_of(compiled, tile)) {
                for (found, expected) in found.iter().zip(expected) {
                    let (found, expected): (f64, f64) = ((*found).into(), expected.into());
                    let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
                    assert!(near, "{name}, {what}, {lanes} lanes, {instructions:?}: {found} and not {expected}");
                }
            }
        }
    }
}

fn check<U: Unit<S>, const S: usize>(unit: &U, surrogate: Option<Surrogate>, held: &[f64]) {
    let own: Vec<f64> = held.iter().flat_map(|value| (0..N).map(move |k| value * (1.0 + 0.01 * k as f64))).collect();
    let program = Arc::new(UnitProgram::new(&as_graph(unit), surrogate, U::SPIKES));
    let both = |held: Option<Numbers>| -> [Arc<dyn AnyKernel>; 2] {
        let compiled = UnitKernel::new(N as i64, unit, DT_MS).holding(held.clone());
        [Arc::new(compiled), Arc::new(GraphKernel::new(N, Arc::clone(&program)).holding(held))]
    };
    let [compiled, graph] = both((!held.is_empty()).then(|| Numbers::copy_of(&own)));
    assert_equal::<f64>(U::NAME, compiled.typed(), graph.typed(), 1e-13);
    let own: Vec<f32> = own.iter().map(|value| *value as f32).collect();
    let [compiled, graph] = both((!held.is_empty()).then(|| Numbers::copy_of(&own)));
    assert_equal::<f32>(U::NAME, compiled.typed(), graph.typed(), 2e-5);
}

#[test]
fn interpreted_units_are_compiled_units() {
    check(&ExponConfig { tau_ms: 3.0 }, None, &[]);
    check(&Passes::<true>, None, &[]);
    check(&Passes::<false>, None, &[]);
    check(&OneStep, None, &[]);
    check(&LeakyIntegratorConfig::default(), None, &[]);
    let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
    for reset in [Reset::Value, Reset::Subtract, Reset::None] {
        let lif = LifConfig { reset, surrogate, ..LifConfig::default() };
        check(&Free::<true>(lif), Some(surrogate), &[]);
        check(&Free::<false>(lif), Some(surrogate), &[]);
        check(&Own(Free::<false>(lif)), Some(surrogate), &[0.05, 1.0, 0.1]);
        let lif = LifConfig { refractory_ms: 2.0, ..lif };
        check(&Refractory::<true>(lif), Some(surrogate), &[]);
        check(&Own(Refractory::<true>(lif)), Some(surrogate), &[0.05, 1.0, 0.1]);
    }
}

#[test]
fn a_function_of_rust_has_no_text_and_runs() {
    let surrogate = Surrogate::custom("boxcar", &|x| if x.abs() < 0.5 { 1.0 } else { 0.0 });
    let unit = Free::<true>(LifConfig { surrogate, ..LifConfig::default() });
    check(&unit, Some(surrogate), &[]);
    let program = UnitProgram::new(&as_graph(&unit), Some(surrogate), true);
    let kernel: Arc<dyn AnyKernel> = Arc::new(GraphKernel::new(2, Arc::new(program)));
    assert!(kernel.formula().unwrap().text().unwrap_err().to_string().starts_with("boxcar is a Rust function"));
}

/// A row of kernels, and the same merged: the interpreter takes compiled synapses along.
#[test]
fn synapses_before_neurons_of_graphs_are_merged() {
    let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
    let lif = Own(Refractory::<true>(LifConfig { surrogate, refractory_ms: 2.0, ..LifConfig::default() }));
    let program = Arc::new(UnitProgram::new(&as_graph(&lif), Some(surrogate), true));
    let own: Vec<f64> = [0.05, 1.0, 0.1].iter().flat_map(|value| vec![*value; N]).collect();
    let neurons = GraphKernel::new(N, program).holding(Some(Numbers::copy_of(&own)));
    let synapses: Arc<dyn AnyKernel> = Arc::new(UnitKernel::new(N as i64, &ExponConfig { tau_ms: 3.0 }, DT_MS));
    let late: Arc<dyn AnyKernel> = Arc::new(UnitKernel::new(N as i64, &OneStep, DT_MS));
    let merged = neurons.behind(synapses.as_ref()).expect("plain units");
    let neurons: Arc<dyn AnyKernel> = Arc::new(neurons);
    let chain: Arc<dyn AnyKernel> = Arc::new(KernelChain::new(vec![Arc::clone(&synapses), Arc::clone(&neurons)]));
    assert_equal::<f64>("merged", chain.typed(), merged.typed(), 1e-13);
    // Spikes are not taken along, and others only in the same number.
    assert!(merged.behind(neurons.as_ref()).is_none());
    let few: Arc<dyn AnyKernel> = Arc::new(UnitKernel::new(3, &OneStep, DT_MS));
    assert!(merged.behind(few.as_ref()).is_none());
    let all = merged.behind(late.as_ref()).expect("plain units");
    let chain: Arc<dyn AnyKernel> = Arc::new(KernelChain::new(vec![late, synapses, neurons]));
    assert_equal::<f64>("all merged", chain.typed(), all.typed(), 1e-13);
}
