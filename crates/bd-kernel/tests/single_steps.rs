//! Single steps of one series against the loops over samples side by side: the same bytes, of outputs and of the last state.

use std::sync::Arc;

use bd_kernel::models::cell::{CellKernel, CellWeights};
use bd_kernel::models::expon::ExponConfig;
use bd_kernel::models::fixed::FixedWeights;
use bd_kernel::models::gru::GruUnit;
use bd_kernel::models::leaky_integrator::LeakyIntegratorConfig;
use bd_kernel::models::lif::{self, LifConfig, LifTrained, OWN, Reset};
use bd_kernel::models::linear::LinearKernel;
use bd_kernel::models::lstm::LstmUnit;
use bd_kernel::models::recurrent::RecurrentKernel;
use bd_kernel::models::reservoir::{Es2nUnit, EulerUnit};
use bd_kernel::models::rnn::{LeakyRnnUnit, Relu, RnnUnit, Tanh};
use bd_kernel::models::{OneStep, Surrogate};
use bd_kernel::testing::Noise;
use bd_kernel::{
    AnyKernel, Code, GraphKernel, Input, Instructions, KernelChain, LANES, Num, Numbers, Real, Tile, Typed, Unit,
    UnitFormula, UnitKernel, UnitProgram, places, places_of,
};

const DT_MS: f64 = 0.5;
const STEPS: usize = 60;

type AKernel = Arc<dyn AnyKernel>;

/// From -1 to 1.
fn noise<F: Real>(seed: u64, n: usize) -> Vec<F> {
    let mut noise = Noise(seed);
    (0..n).map(|_| F::of(2.0 * noise.uniform() - 1.0)).collect()
}

fn numbers<F: Real>(seed: u64, n: usize) -> Numbers {
    Numbers::copy_of(&noise::<F>(seed, n))
}

fn unit<U: Unit<S>, const S: usize>(n: usize, unit: &U) -> AKernel {
    Arc::new(UnitKernel::new(n as i64, unit, DT_MS))
}

fn linear<F: Real>(sizes: [usize; 2], bias: bool) -> AKernel {
    let bias = bias.then(|| numbers::<F>(8, sizes[1]));
    Arc::new(LinearKernel::new(sizes, numbers::<F>(7, sizes[0] * sizes[1]), bias))
}

fn weights<F: Real>([n_in, n, gates]: [usize; 3]) -> CellWeights {
    let width = gates * n;
    let (input, recurrent) = (numbers::<F>(1, n_in * width), numbers::<F>(2, n * width));
    CellWeights::new([n_in, n, gates], &input, &recurrent, numbers::<F>(3, width))
}

/// Of which one entry in `one_in` is not zero.
fn fixed<F: Real>(
    [n_in, n, gates]: [usize; 3],
    one_in: u64,
    make: impl Fn(FixedWeights<'_, F>, &[F]) -> AKernel,
) -> AKernel {
    let (width, mut rng) = (gates * n, Noise(4));
    let mut thin = |n: usize| -> Vec<F> {
        noise::<F>(5, n).into_iter().map(|x| if rng.bits().is_multiple_of(one_in) { x } else { F::default() }).collect()
    };
    let (input, recurrent) = (thin(n_in * width), thin(n * width));
    make(FixedWeights::new(&input, &recurrent, width), &noise::<F>(6, width))
}

/// Leaky neurons with a threshold of their own, as a graph, in which the spike is a state as well.
fn graph<F: Real>(n: usize) -> AKernel {
    let surrogate = Surrogate::default();
    let step = |x: &[Code], s: &[Code], fire: &mut dyn FnMut(Code) -> Code| {
        let u = s[0].clone().scale(0.9) + x[0].clone().tanh();
        let spike = fire(u.clone() - s[2].clone());
        (spike.clone(), vec![u - spike.clone(), spike])
    };
    let formula = UnitFormula::new("leaky", [1, 3], &surrogate, step);
    let program = Arc::new(UnitProgram::new(&formula, Some(surrogate), true));
    Arc::new(GraphKernel::new(n, program).holding(Some(numbers::<F>(9, n))))
}

fn kernels<F: Real>() -> Vec<(&'static str, AKernel)> {
    let free = LifConfig { tau_ms: 2.0, v_th: 0.1, v_reset: -0.05, ..LifConfig::default() };
    let slow = LifConfig { refractory_ms: 1.0, reset: Reset::Subtract, detach_reset: false, ..free };
    let own = LifConfig { trained: LifTrained { tau: true, threshold: true, reset: true }, ..free };
    let spiking = |hidden: AKernel, n: usize| {
        let delayed = [unit(3, &OneStep), unit(3, &ExponConfig::default()), unit(3, &LeakyIntegratorConfig::default())];
        let first = [linear::<F>([20, n], false), unit(n, &ExponConfig { tau_ms: 3.0 }), hidden];
        KernelChain::joined(first.into_iter().chain([linear::<F>([n, 3], true)]).chain(delayed))
    };
    let recurrent = |n: usize| -> AKernel {
        Arc::new(RecurrentKernel::new(lif::kernel(n, &free, DT_MS, None), &numbers::<F>(5, n * n)))
    };
    vec![
        ("linear", linear::<F>([5, 3], true)),
        ("wide linear", linear::<F>([40, 150], false)),
        ("rnn", Arc::new(CellKernel::new(RnnUnit(Tanh), weights::<F>([2, 21, 1])))),
        ("leaky", Arc::new(CellKernel::new(LeakyRnnUnit { activation: Relu, gain: 0.3 }, weights::<F>([2, 16, 1])))),
        ("gru", Arc::new(CellKernel::new(GruUnit, weights::<F>([3, 37, 3])))),
        ("lstm", Arc::new(CellKernel::new(LstmUnit, weights::<F>([1, 8, 4])))),
        (
            "sparse",
            fixed::<F>([3, 50, 1], 10, |w, b| {
                Arc::new(CellKernel::fixed(EulerUnit { activation: Tanh, gain: 0.1 }, w, b))
            }),
        ),
        (
            "dense",
            fixed::<F>([3, 50, 1], 1, |w, b| {
                Arc::new(CellKernel::fixed(LeakyRnnUnit { activation: Tanh, gain: 1.0 }, w, b))
            }),
        ),
        (
            "es2n",
            fixed::<F>([2, 19, 2], 7, |w, b| {
                Arc::new(CellKernel::fixed(Es2nUnit { activation: Tanh, proximity: 0.2 }, w, b))
            }),
        ),
        ("lif", lif::kernel(11, &free, DT_MS, None)),
        ("refractory lif", spiking(lif::kernel(40, &slow, DT_MS, None), 40)),
        ("trained lif", spiking(lif::kernel(7, &own, DT_MS, Some(numbers::<F>(5, OWN * 7))), 7)),
        ("recurrent lif", spiking(recurrent(33), 33)),
        ("graph", graph::<F>(45)),
        ("graph behind synapses", spiking(graph::<F>(9), 9)),
    ]
}

/// Inputs of one step, of which all are numbers, or most are zero and the others one.
fn inputs<F: Real>(t: usize, n: usize) -> Vec<F> {
    let mut rng = Noise(100 + t as u64);
    match (t / 20) % 2 {
        0 => noise(100 + t as u64, n),
        _ => (0..n).map(|_| F::of(f64::from(u8::from(rng.bits().is_multiple_of(5))))).collect(),
    }
}

fn check<F: Real + PartialEq>()
where
    dyn AnyKernel: Typed<F>,
{
    for (name, kernel) in kernels::<F>() {
        let typed = Typed::<F>::typed(kernel.as_ref());
        let mut single = typed.single_step().unwrap_or_else(|| panic!("{name} makes no single steps"));
        let (sizes, leaves) = (typed.sizes(), single.leaves());
        assert_eq!([single.n_in(), single.n_out(), leaves.iter().sum()], [sizes.n_in, sizes.n_out, sizes.n_state]);
        let tile = Tile {
            steps: 1,
            lanes: LANES,
            keep: false,
            instructions: Instructions::best(),
            first_step: 0,
            first_sample: 0,
        };
        let blocks = |n: usize| vec![F::default(); n * LANES];
        let (mut state, mut ys, mut kept, mut work) =
            (blocks(sizes.n_state), blocks(sizes.n_out), blocks(typed.n_kept(1)), blocks(sizes.n_work));
        let mut own = vec![F::default(); places_of::<F>(&leaves)];
        let mut y = vec![F::default(); places::<F>(sizes.n_out)];
        let mut x = vec![F::default(); places::<F>(sizes.n_in)];
        let mut moved = false;
        for t in 0..STEPS {
            let given = inputs::<F>(t, sizes.n_in);
            let xs: Vec<F> = given.iter().flat_map(|x| [*x; LANES]).collect();
            typed.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
            x[..sizes.n_in].copy_from_slice(&given);
            single.step(&mut own, &x, &mut y);
            let known: Vec<F> = ys.iter().step_by(LANES).copied().collect();
            assert!(y[..sizes.n_out] == known, "{name}, step {t}: {:?}, and {known:?} of samples", &y[..sizes.n_out]);
            moved |= known.iter().any(|y| *y != F::default());
        }
        assert!(moved, "{name}: outputs of zero say little");
        // What repeats the output is no part of a program, and nobody reads it.
        if name.starts_with("graph") {
            continue;
        }
        let mut known = state.iter().step_by(LANES);
        let mut at = 0;
        for n in leaves {
            assert!(own[at..at + n].iter().eq(known.by_ref().take(n)), "{name}: the state");
            at += places::<F>(n);
        }
    }
}

#[test]
fn single_steps_have_the_bytes_of_samples_side_by_side() {
    check::<f32>();
    check::<f64>();
}
