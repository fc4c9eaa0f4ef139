//! Neurons that SpikingJelly, snnTorch and Norse have, too: their states, spikes and gradients, which `scripts/golden-libraries` wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use bd_equations::{Model, NeuronText, Sent, Target};
use bd_kernel::{Grads, GraphKernel, Input, Instructions, Kernel, LANES, Tile};
use serde::Deserialize;

mod frozen;

use frozen::noise;

const DT_MS: f64 = 1.0;

#[derive(Debug, Deserialize)]
struct Golden {
    versions: BTreeMap<String, String>,
    runs: BTreeMap<String, Run>,
}

#[derive(Debug, Deserialize)]
struct Run {
    /// Of the inputs.
    scale: f64,
    /// Steps with spikes.
    spikes: Vec<usize>,
    /// After each step.
    potentials: Vec<f64>,
    /// By each input, of the last potential and of all spikes, which count `1 + t / steps`.
    gradients: Vec<f64>,
}

/// A port, or the synaptic current.
fn target(model: &Model) -> Target {
    ["x", "g"].into_iter().find_map(|name| model.target(name)).expect("it has an input")
}

/// Spikes and potentials, step by step.
fn by_step(model: &Model, inputs: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let constants = model.constants(DT_MS).unwrap();
    let mut state: Vec<f64> = model.states().iter().map(|state| state.initial.value(|_| 0.0)).collect();
    let (mut spikes, mut potentials) = (Vec::new(), Vec::new());
    for (t, x) in inputs.iter().enumerate() {
        let spike = |distance: f64| f64::from(u8::from(distance >= 0.0));
        let (fired, next) = model.step_of(&[target(model)], &constants, &[*x], &state, spike);
        state = next;
        potentials.push(state[0]);
        if fired != 0.0 {
            spikes.push(t);
        }
    }
    (spikes, potentials)
}

/// Gradients by each input, by the fused adjoint.
fn gradients(model: &Model, inputs: &[f64]) -> Vec<f64> {
    let program = model.program_of(&[target(model)], &[Sent::Output], &model.constants(DT_MS).unwrap());
    let kernel = GraphKernel::new(1, Arc::new(program));
    let kernel: &dyn Kernel<f64> = &kernel;
    let tile = Tile {
        steps: inputs.len(),
        lanes: LANES,
        keep: true,
        instructions: Instructions::best(),
        first_step: 0,
        first_sample: 0,
    };
    let side_by_side = |numbers: Vec<f64>| numbers.into_iter().flat_map(|x| [x; LANES]).collect::<Vec<_>>();
    let xs = side_by_side(inputs.to_vec());
    let mut state = side_by_side(model.states().iter().map(|state| state.initial.value(|_| 0.0)).collect());
    let (mut ys, mut gxs) = (vec![0.0; tile.len()], vec![0.0; tile.len()]);
    let mut kept = vec![0.0; kernel.n_kept(tile.steps) * LANES];
    let mut work = vec![0.0; kernel.sizes().n_work * tile.len()];
    kernel.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
    let asked = side_by_side((0..tile.steps).map(|t| 1.0 + t as f64 / tile.steps as f64).collect());
    state.fill(0.0);
    state[..LANES].fill(1.0);
    let grads = Grads { ys: &asked, state: &mut state, xs: &mut gxs, params: &mut [] };
    kernel.backward(tile, Input::Dense(&xs), &mut kept, &mut work, grads);
    gxs.into_iter().step_by(LANES).collect()
}

/// The largest difference as part of the largest number.
fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    ours.iter()
        .zip(theirs)
        .fold(0.0, |worst: f64, (a, b)| if (a - b).is_nan() { f64::NAN } else { worst.max((a - b).abs()) })
        / largest
}

#[test]
fn neurons_of_spiking_libraries() {
    let golden: Golden = serde_json::from_str(include_str!("libraries.json")).unwrap();
    assert_eq!(golden.versions["spikingjelly"], "2.0.0");
    let texts: BTreeMap<String, NeuronText> = toml::from_str(include_str!("libraries.toml")).unwrap();
    assert_eq!(texts.keys().collect::<Vec<_>>(), golden.runs.keys().collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (name, text) in &texts {
        let (model, run) = (text.build().unwrap(), &golden.runs[name]);
        let inputs: Vec<f64> = (0..run.potentials.len()).map(|t| run.scale * noise(t)).collect();
        let (spikes, potentials) = by_step(&model, &inputs);
        let states = difference(&potentials, &run.potentials);
        let gradients = difference(&gradients(&model, &inputs), &run.gradients);
        println!("{name:28} {} spikes, states {states:e}, gradients {gradients:e}", run.spikes.len());
        // snnTorch has spikes and their gradients in float32, whatever it is given.
        let most = if name.starts_with("snntorch") { 1e-6 } else { 1e-10 };
        let alike = spikes == run.spikes && states <= 1e-12 && gradients <= most;
        if !alike {
            wrong.push(format!("{name}: spikes {}, states {states:e}, gradients {gradients:e}", spikes == run.spikes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
