//! Kernels made of slices of numbers, without a tensor anywhere: their steps against equations written out here, and their
//! adjoint against difference quotients.

use std::sync::Arc;

use bd_kernel::models::cell::{CellKernel, CellUnit, CellWeights, Functions};
use bd_kernel::models::expon::ExponConfig;
use bd_kernel::models::gru::GruUnit;
use bd_kernel::models::leaky_integrator::LeakyIntegratorConfig;
use bd_kernel::models::lif::{self, LifConfig};
use bd_kernel::models::linear::LinearKernel;
use bd_kernel::models::lstm::LstmUnit;
use bd_kernel::models::recurrent::RecurrentKernel;
use bd_kernel::models::rnn::{Identity, LeakyRnnUnit, RnnUnit, Tanh};
use bd_kernel::models::{Decay, OneStep};
use bd_kernel::testing::Noise;
use bd_kernel::{
    AnyKernel, Grads, Input, Instructions, Kernel, KernelChain, LANES, Num, Numbers, Sizes, Tile, UnitKernel,
};

const STEPS: usize = 5;
const DT_MS: f64 = 0.5;

type AKernel = Arc<dyn AnyKernel>;

fn every_way() -> impl Iterator<Item = Tile> {
    let all = [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()];
    all.into_iter().flatten().map(|instructions| Tile {
        steps: STEPS,
        lanes: LANES,
        keep: true,
        instructions,
        first_step: 0,
        first_sample: 0,
    })
}

fn noise(seed: u64, n: usize) -> Vec<f64> {
    let mut noise = Noise(seed);
    (0..n).map(|_| 2.0 * noise.uniform() - 1.0).collect()
}

fn sizes(kernel: &dyn AnyKernel) -> Sizes {
    Kernel::<f64>::sizes(kernel)
}

/// What a kernel reads: inputs, the state before the first step, and the parameters that it is made of.
#[derive(Clone)]
struct Given {
    xs: Vec<f64>,
    state: Vec<f64>,
    params: Vec<f64>,
}

/// Outputs, the last state, and what the adjoint needs.
fn forward(kernel: &dyn AnyKernel, tile: Tile, given: &Given) -> [Vec<f64>; 3] {
    let sizes = sizes(kernel);
    let mut state = given.state.clone();
    let mut ys = vec![0.0; sizes.n_out * tile.len()];
    let mut kept = vec![0.0; Kernel::<f64>::n_kept(kernel, tile.steps) * tile.lanes];
    let mut work = vec![0.0; sizes.n_work * tile.len()];
    kernel.forward(tile, Input::Dense(&given.xs), &mut state, &mut ys, &mut kept, &mut work);
    [ys, state, kept]
}

/// A weighted sum of outputs and last state.
fn loss(kernel: &dyn AnyKernel, tile: Tile, given: &Given) -> f64 {
    let [ys, last, _] = forward(kernel, tile, given);
    let weighted = |values: &[f64], seed| values.iter().zip(noise(seed, values.len())).map(|(v, w)| v * w).sum::<f64>();
    weighted(&ys, 11) + weighted(&last, 12)
}

/// Its gradient, by the kernel's adjoint.
fn gradient(kernel: &dyn AnyKernel, tile: Tile, given: &Given) -> Given {
    let sizes = sizes(kernel);
    let [ys, last, mut kept] = forward(kernel, tile, given);
    let gys = noise(11, ys.len());
    let mut found =
        Given { xs: vec![0.0; given.xs.len()], state: noise(12, last.len()), params: vec![0.0; sizes.n_params] };
    let mut work = vec![0.0; sizes.n_work * tile.len()];
    let grads = Grads { ys: &gys, state: &mut found.state, xs: &mut found.xs, params: &mut found.params };
    kernel.backward(tile, Input::Dense(&given.xs), &mut kept, &mut work, grads);
    found
}

/// `make` gives a kernel from its parameters.
fn assert_adjoint_is_derivative(name: &str, n_params: usize, make: impl Fn(&[f64]) -> AKernel) {
    let params = noise(1, n_params);
    let Sizes { n_in, n_state, n_params: found, .. } = sizes(make(&params).as_ref());
    assert_eq!(found, n_params, "{name}");
    for tile in every_way() {
        let given =
            Given { xs: noise(2, n_in * tile.len()), state: noise(3, n_state * tile.lanes), params: params.clone() };
        let found = gradient(make(&params).as_ref(), tile, &given);
        let check = |what: &str, part: fn(&mut Given) -> &mut Vec<f64>, found: &[f64]| {
            for (i, found) in found.iter().enumerate() {
                let moved = |by: f64| {
                    let mut given = given.clone();
                    part(&mut given)[i] += by;
                    loss(make(&given.params).as_ref(), tile, &given)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(
                    (found - expected).abs() < 1e-7 * (1.0 + expected.abs()),
                    "{name}, {what} {i}: {found}, {expected}"
                );
            }
        };
        check("input", |given| &mut given.xs, &found.xs);
        check("state", |given| &mut given.state, &found.state);
        check("parameter", |given| &mut given.params, &found.params);
    }
}

fn numbers(all: &[f64]) -> Numbers {
    Numbers::copy_of(all)
}

fn linear([n_in, n_out]: [usize; 2], params: &[f64]) -> AKernel {
    let (weight, bias) = params.split_at(n_in * n_out);
    Arc::new(LinearKernel::new([n_in, n_out], numbers(weight), Some(numbers(bias))))
}

fn cell([n_in, n, gates]: [usize; 3], params: &[f64]) -> CellWeights {
    let (input, rest) = params.split_at(n_in * gates * n);
    let (recurrent, bias) = rest.split_at(n * gates * n);
    CellWeights::new([n_in, n, gates], &numbers(input), &numbers(recurrent), numbers(bias))
}

fn assert_cell(name: &str, unit: impl CellUnit, gates: usize) {
    assert_adjoint_is_derivative(name, 6 * 3 * gates, |params| {
        Arc::new(CellKernel::new(unit, cell([2, 3, gates], params)))
    });
}

/// Two phases of two inputs and one, two numbers of state, and two that pass, one of which is an input as it is.
#[derive(Debug, Clone, Copy)]
struct TwoPhases;

impl CellUnit for TwoPhases {
    const NAME: &'static str = "two phases";
    const PHASES: &'static [usize] = &[2, 1];
    const FUNCTIONS: &'static [usize] = &[2, 2];
    const STATES: usize = 2;
    const PASSING: usize = 2;

    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        if phase == 0 {
            (s[2], s[3]) = (f.sigmoid(a[0].clone()), a[1].clone());
            return f.tanh(a[1].clone()) * s[0].clone() + s[1].clone();
        }
        s[1] = s[1].clone() * s[2].clone() + f.tanh(a[0].clone() + s[3].clone());
        s[0] = s[0].clone().scale(0.5) + f.sigmoid(s[1].clone());
        s[0].clone()
    }
}

fn integrators(n: usize) -> AKernel {
    Arc::new(UnitKernel::new(n as i64, &LeakyIntegratorConfig { tau_ms: 2.0 }, DT_MS))
}

#[test]
fn linear_maps() {
    for n_out in [2, 33] {
        assert_adjoint_is_derivative("linear", 4 * n_out, |params| linear([3, n_out], params));
    }
}

#[test]
fn units_in_a_row_and_merged() {
    let expon: AKernel = Arc::new(UnitKernel::new(2, &ExponConfig { tau_ms: 3.0 }, DT_MS));
    let delay: AKernel = Arc::new(UnitKernel::new(2, &OneStep, DT_MS));
    let delayed = expon.behind(delay.as_ref()).expect("a delay and a synapse are one loop");
    let merged = integrators(2).behind(delayed.as_ref()).expect("so are a synapse and an integrator");
    let row: AKernel = Arc::new(KernelChain::new(vec![delay, expon, integrators(2)]));
    assert_adjoint_is_derivative("merged", 0, |_| Arc::clone(&merged));
    for tile in every_way() {
        let given = Given { xs: noise(2, 2 * tile.len()), state: noise(3, 6 * tile.lanes), params: Vec::new() };
        assert_eq!(forward(merged.as_ref(), tile, &given)[..2], forward(row.as_ref(), tile, &given)[..2]);
    }
}

#[test]
fn cells() {
    assert_cell("rnn", RnnUnit(Tanh), 1);
    assert_cell("leaky rnn", LeakyRnnUnit { activation: Identity, gain: 0.3 }, 1);
    assert_cell("gru", GruUnit, 3);
    assert_cell("lstm", LstmUnit, 4);
    assert_cell("two phases", TwoPhases, 3);
}

#[test]
fn outputs_that_come_back() {
    let make = |params: &[f64]| -> AKernel { Arc::new(RecurrentKernel::new(integrators(3), &numbers(params))) };
    assert_adjoint_is_derivative("recurrent", 9, make);
}

/// The equations of `bd_models::lif`, a neuron and a step at a time.
#[test]
fn lif_neurons_by_their_equations() {
    let config = LifConfig { tau_ms: 2.0, v_th: 0.1, v_reset: -0.05, refractory_ms: 1.0, ..LifConfig::default() };
    let kernel = lif::kernel(3, &config, DT_MS, None);
    let gain = Decay::new(DT_MS, config.tau_ms).gain;
    for tile in every_way() {
        let given = Given { xs: noise(2, 3 * tile.len()), state: vec![0.0; 9 * LANES], params: Vec::new() };
        let [ys, _, _] = forward(kernel.as_ref(), tile, &given);
        let mut spikes = 0;
        for (neuron, lane) in (0..3).flat_map(|neuron| (0..LANES).map(move |lane| (neuron, lane))) {
            let (mut v, mut left) = (0.0, 0);
            for t in 0..STEPS {
                let at = (neuron * STEPS + t) * LANES + lane;
                let spikes_now = left == 0 && {
                    v += gain * (given.xs[at] - v);
                    v >= config.v_th
                };
                left = if spikes_now { 2 } else { left.max(1) - 1 };
                if spikes_now {
                    v = config.v_reset;
                }
                spikes += u32::from(spikes_now);
                assert_eq!(ys[at], f64::from(u8::from(spikes_now)), "neuron {neuron}, lane {lane}, step {t}");
            }
        }
        assert!(spikes > 10, "{spikes} spikes say little");
    }
}
