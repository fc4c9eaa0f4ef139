//! The catalogue has something to examine.

use bd_core::contract::report::{sized_case, steady_case};
use bd_core::contract::{Form, Named, Recorded, Trial, Way, compare, gradients, vary_vectors};
use bd_core::kernel::{Processor, Tuning, scan_tuned};
use bd_core::{DynState, DynSystem, Inputs, Phase, Shared, StateTree, System, Tap, scan_by_step};
use tch::{Device, Kind};

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A comparison of zeros with zeros would find nothing.
#[test]
fn no_gradient_of_a_parameter_is_zero() {
    let way = Way { phase: Phase::Fit, record: Recorded::Nothing, form: Form::Dense };
    for model in all() {
        for units in [3, 7] {
            let sized = sized_case(3);
            let case = if model.smooth { sized } else { steady_case(&model, units, sized).unwrap() };
            let (system, params) = model.build(units, case.seed, (Kind::Double, Device::Cpu)).unwrap();
            let trial = Trial { system: &system, params: &params, case, way };
            for (name, gradient) in gradients(&trial.by_step()) {
                // Of spikes and of time that a neuron still rests there is none, and of lags where only the present counts.
                let none = ["spike", "refractory"].iter().any(|state| name.ends_with(state)) || gradient.numel() == 0;
                assert!(none || gradient.abs().max().double_value(&[]) > 0.0, "{} has no {name}", model.name);
            }
        }
    }
}

/// What every kernel records in chunks of many steps: all but what is on its way between populations.
fn is_recorded(name: &str) -> bool {
    !name.ends_with("sent")
}

#[test]
fn kernels_record_each_state() {
    for model in all() {
        let (system, _) = model.build(3, 1, ON).unwrap();
        let Some(kernel) = system.kernel(&Shared::new(0.1), Processor::Cpu).and_then(|fused| fused.kernel()) else {
            continue;
        };
        let mut begin = 0;
        for (name, leaf) in system.init_state(1, ON).named() {
            let range = begin..begin + leaf.size()[1] as usize;
            begin = range.end;
            let found = kernel.clone().recording(&[range]).is_some();
            assert_eq!(found, is_recorded(&name), "{}: {name}", model.name);
        }
    }
}

/// Outputs, records, and gradients of a loss of both by the input, the first state and all parameters.
fn recorded(
    (system, params): (&DynSystem, &Params),
    xs: &Tensor,
    scan: impl Fn(&Tensor, DynState, &mut Tap) -> (Tensor, DynState),
) -> Named {
    let xs = xs.detach().set_requires_grad(true);
    let start = system.init_state(xs.size()[1], ON).map(&mut |leaf| leaf.detach().copy().set_requires_grad(true));
    let names: Vec<String> = start.named().into_iter().map(|(name, _)| name).filter(|name| is_recorded(name)).collect();
    let mut tap = Tap::new(names);
    let (ys, _) = scan(&xs, start.share(), &mut tap);
    let mut all: Named = vec![("output".to_owned(), ys)];
    all.extend(tap.finish().unwrap());
    let mut rng = Rng::new(2, "loss");
    let mut weighted = |t: &Tensor| (t * rng.tensor(&t.size(), ON, Rng::normal)).sum(ON.0);
    let loss = all.iter().map(|(_, t)| weighted(t)).reduce(|a, b| a + b).unwrap();
    let mut by: Named = vec![("input".to_owned(), xs)];
    by.extend(start.named().into_iter().chain(params.trainable()));
    let tensors: Vec<&Tensor> = by.iter().map(|(_, t)| t).collect();
    for (gradient, (name, of)) in Tensor::run_backward(&[&loss], &tensors, false, false).into_iter().zip(&by) {
        all.push((format!("gradient of {name}"), if gradient.defined() { gradient } else { of.zeros_like() }));
    }
    all.into_iter().map(|(name, t)| (name, t.detach())).collect()
}

/// In chunks of three steps and a rest, with what the adjoint needs stored or calculated again.
#[test]
fn records_in_chunks_are_those_of_steps() {
    let sha = Shared::new(0.1);
    for model in all() {
        let (system, params) = model.build(9, 1, ON).unwrap();
        if system.kernel(&sha, Processor::Cpu).is_none() {
            continue;
        }
        vary_vectors(&params, 3);
        let xs = Rng::new(1, "xs").tensor(&[11, 5, system.n_in()], ON, Rng::normal);
        let of = (&system, &params);
        let steps = recorded(of, &xs, |xs, start, tap| scan_by_step(&system, &sha, xs, start, tap));
        for stored_bytes in [0, usize::MAX] {
            let tuning = Tuning { bytes: 0, min_steps: 3, stored_bytes, ..Tuning::of(5, ON.0) };
            let found = recorded(of, &xs, |xs, start, tap| {
                scan_tuned(&system, &sha, &Inputs::of_steps(xs), start, tap, tuning).expect("there is a kernel")
            });
            for difference in compare(&found, &steps) {
                assert!(!difference.exceeds(1e-9), "{}: {difference}, {tuning:?}", model.name);
            }
        }
    }
}

#[test]
fn names_are_different() {
    let mut names: Vec<String> = all().into_iter().map(|model| model.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}
