//! What is wrong is found, and what is right is not there for nothing.

use super::*;
use crate::inputs::Inputs;
use crate::shared::Shared;
use crate::system::scan_by_step;
use crate::tap::Tap;

/// A linear map of three channels whose scan is wrong in a chosen way.
#[derive(Debug)]
struct Wrong(Tensor, &'static str);

impl System for Wrong {
    type State = ();

    fn n_in(&self) -> i64 {
        self.0.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.0.size()[1]
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        (x.matmul(&self.0), ())
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, _s: (), tap: &mut Tap) -> (Tensor, ()) {
        let xs = &inputs.time_first();
        let (ys, ()) = scan_by_step(self, sha, xs, (), tap);
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
    let model = Subject::smooth("wrong", move |params: &mut Params, n: i64| {
        let on = params.on();
        Ok(Wrong(params.at("o").param("weight", |rng| rng.tensor(&[3, n], on, Rng::normal))?, wrong))
    });
    examine(&model, 0, Device::Cpu)
}

#[test]
fn every_kind_of_error_is_found_and_has_its_word() {
    use Comparison::{Differences, Float64, StepsF32, StepsF64};
    assert!(failures(&[examined("nothing")]).is_empty());
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
        assert!(row.json()["checks"].to_string().contains(&format!("\"verdict\":\"{word}\"")), "{}", row.json());
        let failures = failures(std::slice::from_ref(&row));
        assert!(failures[0].0.starts_with("wrong (") && failures.len() >= found_by.len(), "{failures:?}");
    }
    let rows = [examined("gradient")];
    let why = failures(&rows)[0].1;
    // A thousandth, as far as processors round alike.
    let figures = ["1.000e-3", "9.999e-4"]
        .map(|figure| format!("gradient of input differs by {figure} of scale (dense input, predict, some recorded)"));
    assert!(figures.iter().any(|figure| **figure == *why), "{why}");
}

/// Columns of a device: what is compared with the CPU is not there on the CPU, and differences only of what is smooth.
#[test]
fn comparisons_depend_on_device_and_model() {
    let names = |device, smooth| Comparison::on(device, smooth).map(Comparison::name).collect::<Vec<_>>();
    assert_eq!(names(Device::Cpu, true), ["steps f32", "steps f64", "differences", "float64"]);
    assert_eq!(names(Device::Cpu, false), ["steps f32", "steps f64", "float64"]);
    assert_eq!(names(Device::Cuda(0), false), ["steps f32", "steps f64", "float64", "cpu f32", "cpu f64"]);
}

/// A row takes what was found elsewhere; of a failure in between every check is told.
#[test]
fn a_row_is_filled_with_comparisons_of_any_origin() {
    let named = |value: f64| vec![("weight".to_owned(), Tensor::from_slice(&[value]))];
    let fill = |found: f64| {
        Row::filled("mine", [Comparison::Float64].into_iter(), true, |row| {
            row.take(Comparison::Float64, &named(found), &named(2.0), " (mine)");
            Ok(())
        })
    };
    // 2.0002 differs by 1e-4 of 2, which is allowed; 2.002 by ten times as much.
    assert!(failures(&[fill(2.0 * (1.0 + 0.9e-4))]).is_empty());
    assert_eq!(failures(&[fill(2.002)])[0], ("mine (float64)".into(), "weight differs by 1.000e-3 of scale (mine)"));
    let failed = Row::filled("mine", Comparison::on(Device::Cpu, true), true, |_| {
        Err(crate::error::Error::Config("no data\nat all".into()))
    });
    assert!(failed.checks.iter().all(|check| check.fault.as_ref().unwrap().sentence == "no data"));
}
