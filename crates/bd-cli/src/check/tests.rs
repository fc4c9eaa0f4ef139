//! What is wrong is found, and what is right is not there for nothing.

use bd_core::contract::{Form, gradients};
use bd_core::{Inputs, Params, Phase, Shared, System, Tap, scan_by_step};
use bd_models::{Linear, LinearConfig};
use tch::{Device, Kind, Tensor};

use super::examine::{Built, Comparison, Row, examine, sized, steady};
use super::models::{self, Model};
use super::table;

/// A linear map whose scan is wrong in a chosen way.
#[derive(Debug)]
struct Wrong(Linear, &'static str);

impl System for Wrong {
    type State = ();

    fn n_in(&self) -> i64 {
        self.0.n_in()
    }

    fn n_out(&self) -> i64 {
        self.0.n_out()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) {
        self.0.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        self.0.step(sha, x, &())
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, _s: (), tap: &mut Tap) -> (Tensor, ()) {
        let xs = &inputs.time_first();
        let (ys, ()) = scan_by_step(&self.0, sha, xs, (), tap);
        let constant = ys.detach();
        let ys = match self.1 {
            "output" => ys * 1.001,
            // The value is right.
            "gradient" => &ys * 1.001 - constant * 0.001,
            "zero" => constant + xs.sum(xs.kind()) * 0.0,
            // The root's slope at zero is infinite, and infinity by zero is none.
            "NaN" => &ys + (&ys - constant).square().sqrt() * 0.0,
            "float32" if xs.kind() == Kind::Double => ys.to_kind(Kind::Float).to_kind(Kind::Double),
            "panics" => panic!("a word\nand another"),
            "libtorch" => ys.matmul(&Tensor::zeros([1, 2, 3, 4], (xs.kind(), Device::Cpu))),
            _ => ys,
        };
        (ys, ())
    }
}

fn examined(wrong: &'static str) -> Row {
    let model = Model::smooth("wrong", move |params: &mut Params, n: i64| {
        Ok(Wrong(Linear::new(&mut params.at("o"), 3, n, &LinearConfig::default())?, wrong))
    });
    examine(&model, 0, Device::Cpu)
}

#[test]
fn every_kind_of_error_is_found_and_has_its_word() {
    use Comparison::{Differences, Float64, StepsF32, StepsF64};
    assert!(table::failures(&[examined("nothing")]).is_empty());
    for (wrong, word, found_by) in [
        ("output", "differs", [StepsF32, StepsF64, Float64].as_slice()),
        ("gradient", "differs", &[StepsF32, StepsF64, Differences, Float64]),
        ("zero", "zero", &[StepsF32, StepsF64, Differences, Float64]),
        ("NaN", "NaN", &[StepsF32, StepsF64, Differences, Float64]),
        ("float32", "differs", &[StepsF64]),
        ("panics", "error", &[StepsF32, StepsF64, Differences, Float64]),
        ("libtorch", "error", &[StepsF32, StepsF64, Differences, Float64]),
    ] {
        let row = examined(wrong);
        for comparison in found_by {
            let fault = row.of(*comparison).unwrap().fault.as_ref();
            let fault = fault.unwrap_or_else(|| panic!("{wrong} went unnoticed by {comparison:?}: {row:?}"));
            assert_eq!(fault.word, word, "{wrong}, {comparison:?}: {fault:?}");
            assert!(!fault.sentence.contains('\n'), "{fault:?}");
        }
        let line = table::line(&row, Device::Cpu);
        let shown = if word == "differs" { " FAIL" } else { &format!(" {word} FAIL") };
        assert!(line.contains(shown), "{line}");
        let failures = table::failures(std::slice::from_ref(&row));
        assert!(failures[0].0.starts_with("wrong (") && failures.len() >= found_by.len(), "{failures:?}");
    }
    let rows = [examined("gradient")];
    let why = table::failures(&rows)[0].1;
    assert_eq!(why, "gradient of input differs by 1.000e-3 of scale (dense input, predict, recorded)");
}

/// A comparison of zeros with zeros would find nothing.
#[test]
fn no_gradient_of_a_parameter_is_zero() {
    let way = bd_core::contract::Way { phase: Phase::Fit, record: false, form: Form::Dense };
    for model in models::all() {
        for units in [3, 7] {
            let case = if model.smooth { sized(3) } else { steady(&model, units, sized(3)).unwrap() };
            let built = Built::new(&model, units, case, (Kind::Double, Device::Cpu)).unwrap();
            for (name, gradient) in gradients(&built.trial(way).by_step()) {
                // Of spikes and of time that a neuron still rests there is none.
                let none = ["spike", "refractory"].iter().any(|state| name.ends_with(state));
                assert!(none || gradient.abs().max().double_value(&[]) > 0.0, "{} has no {name}", model.name);
            }
        }
    }
}

#[test]
fn names_are_different() {
    let mut names: Vec<String> = models::all().into_iter().map(|model| model.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}
