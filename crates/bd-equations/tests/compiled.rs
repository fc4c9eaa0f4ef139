//! Loops by the C++ compiler of the machine give the bytes of the interpreter: every neuron of the zoo, forward and backward.

use std::sync::Arc;

use bd_equations::{Model, zoo};
use bd_kernel::testing::Noise;
use bd_kernel::{
    AnyKernel, Compile, Grads, GraphKernel, Input, Instructions, Kernel, Numbers, Real, Tile, Typed, UnitProgram,
};

const N: usize = 5;
const STEPS: usize = 7;
const DT_MS: f64 = 0.1;

/// By their bits: not a number is one too.
trait Bits: Real {
    fn bits(self) -> u64;
}

impl Bits for f32 {
    fn bits(self) -> u64 {
        if self.is_nan() { u64::MAX } else { self.to_bits().into() }
    }
}

impl Bits for f64 {
    fn bits(self) -> u64 {
        if self.is_nan() { u64::MAX } else { self.to_bits() }
    }
}

fn noise<F: Real>(seed: u64, n: usize, [from, to]: [f64; 2]) -> Vec<F> {
    let mut noise = Noise(seed);
    (0..n).map(|_| F::of(from + (to - from) * noise.uniform())).collect()
}

/// What a stretch from the initial state gives: outputs, last state, what is kept, and gradients of inputs, state and held numbers.
fn all_of<F: Bits>(model: &Model, unit: &Arc<UnitProgram>, tile: Tile) -> Vec<(&'static str, Vec<F>)>
where
    dyn AnyKernel: Typed<F>,
{
    let first = model.initial();
    let (moving, held) = first.split_at(model.states().len());
    let of_units: Vec<F> = held.iter().flat_map(|value| vec![F::of(*value); N]).collect();
    let kernel = GraphKernel::new(N, Arc::clone(unit)).holding((!held.is_empty()).then(|| Numbers::copy_of(&of_units)));
    let kernel: Arc<dyn AnyKernel> = Arc::new(kernel);
    let kernel: &dyn Kernel<F> = kernel.typed();
    let sizes = kernel.sizes();
    let level = model.response(DT_MS).expect("a neuron of the zoo").level;
    let xs = noise(1, sizes.n_in * tile.len(), [0.0, 40.0 * level]);
    let mut state: Vec<F> = moving.iter().flat_map(|value| vec![F::of(*value); N * tile.lanes]).collect();
    let mut ys = vec![F::default(); sizes.n_out * tile.len()];
    let mut kept = vec![F::default(); kernel.n_kept(tile.steps) * tile.lanes];
    let mut work = vec![F::default(); sizes.n_work * tile.len()];
    kernel.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
    let mut all = vec![("outputs", ys.clone()), ("state", state.clone()), ("kept", kept.clone())];
    if tile.keep {
        let gys = noise(2, ys.len(), [-1.0, 1.0]);
        let (mut gstate, mut gxs) = (noise(3, state.len(), [-1.0, 1.0]), vec![F::default(); xs.len()]);
        let mut gparams = vec![F::default(); sizes.n_params];
        let grads = Grads { ys: &gys, state: &mut gstate, xs: &mut gxs, params: &mut gparams };
        kernel.backward(tile, Input::Dense(&xs), &mut kept, &mut work, grads);
        // Without the gradient of the inputs.
        let mut again = noise(3, state.len(), [-1.0, 1.0]);
        let mut no_params = vec![F::default(); sizes.n_params];
        let grads = Grads { ys: &gys, state: &mut again, xs: &mut [], params: &mut no_params };
        kernel.backward(tile, Input::Dense(&xs), &mut kept, &mut work, grads);
        all.extend([("gx", gxs), ("gs", gstate), ("gparams", gparams), ("gs alone", again)]);
    }
    all
}

fn check<F: Bits>(names: &[&str], levels: &[Instructions], lanes: &[usize])
where
    dyn AnyKernel: Typed<F>,
{
    for name in names {
        let model = zoo::model(name).expect("a neuron of the zoo");
        let [plain, compiled] = [Compile::Never, Compile::IfFound]
            .map(|compile| Arc::new(model.program(&model.constants(DT_MS).expect("a step")).compiled(compile)));
        for instructions in levels {
            for (lanes, keep) in lanes.iter().flat_map(|lanes| [(*lanes, false), (*lanes, true)]) {
                let tile =
                    Tile { steps: STEPS, lanes, keep, instructions: *instructions, first_step: 0, first_sample: 0 };
                let found = all_of::<F>(&model, &compiled, tile);
                for ((what, found), (_, expected)) in found.into_iter().zip(all_of::<F>(&model, &plain, tile)) {
                    let bits = |numbers: Vec<F>| -> Vec<u64> { numbers.into_iter().map(F::bits).collect() };
                    assert!(bits(found) == bits(expected), "{name}: {what}, {lanes} lanes, {keep}, {instructions:?}");
                }
            }
        }
        let outcome = compiled.outcome();
        let without = outcome.starts_with("interpreted, since there is no C++ compiler");
        assert!(without || !outcome.contains("interpreted"), "{name}: {outcome}");
    }
}

fn every_level() -> Vec<Instructions> {
    [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten().collect()
}

#[test]
fn the_zoo_in_float32() {
    check::<f32>(&zoo::names().collect::<Vec<_>>(), &[Instructions::best()], &[32]);
}

#[test]
fn the_zoo_in_float64() {
    check::<f64>(&zoo::names().collect::<Vec<_>>(), &[Instructions::best()], &[32]);
}

/// Whatever the processor and the width of a tile.
#[test]
fn every_processor_and_width() {
    check::<f32>(&["lif", "hh"], &every_level(), &[8, 32, 96]);
    check::<f64>(&["lif", "hh"], &every_level(), &[8, 32, 96]);
}
