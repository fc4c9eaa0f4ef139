//! The catalogue has something to examine.

use bd_core::contract::report::{sized_case, steady_case};
use bd_core::contract::{Form, Recorded, Trial, Way, gradients};
use bd_core::kernel::Processor;
use bd_core::{Phase, Shared, StateTree, System};
use tch::{Device, Kind};

use super::*;

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

/// So that a scan that records takes stretches of many steps. Only what is on its way between populations is read off the state after each
/// step.
#[test]
fn kernels_record_each_state() {
    let mut without = Vec::new();
    for model in all() {
        let (system, _) = model.build(3, 1, (Kind::Double, Device::Cpu)).unwrap();
        let Some(kernel) = system.kernel(&Shared::new(0.1), Processor::Cpu).and_then(|fused| fused.kernel()) else {
            continue;
        };
        let mut begin = 0;
        for (name, leaf) in system.init_state(1, (Kind::Double, Device::Cpu)).named() {
            let range = begin..begin + leaf.size()[1] as usize;
            begin = range.end;
            if kernel.clone().recording(&[range]).is_none() {
                without.push(format!("{}: {name}", model.name));
            }
        }
    }
    without.retain(|name| !name.ends_with("sent"));
    assert_eq!(without, [""; 0]);
}

#[test]
fn names_are_different() {
    let mut names: Vec<String> = all().into_iter().map(|model| model.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}
