//! `bd data` of series and `bd train --system`: known systems as files and as what is learned; `bd eval --lyapunov`.

use std::fs;

use bd_core::files::load_tensors;
use bd_train::data::FLOWS;

use crate::common::{Desk, array, data, metric, refused_by};

/// The numbers of a row of a table, its time first.
fn row(desk: &Desk, file: &str, row: usize) -> Vec<f64> {
    let text = fs::read_to_string(desk.path(file)).unwrap();
    text.lines().nth(row + 1).unwrap().split(',').map(|number| number.parse().unwrap()).collect()
}

fn make(desk: &Desk, args: &[&str]) {
    let ended = desk.bd(&[&["data"], args].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
}

#[test]
fn every_system_is_written() {
    let desk = Desk::new();
    for flow in &FLOWS {
        let (table, arrays) = (format!("{}.csv", flow.name), format!("{}.npz", flow.name));
        let small = ["--steps", "30", "--transient", "0"];
        make(&desk, &[&[flow.name, "--out", &table][..], &small].concat());
        make(&desk, &[&[flow.name, "--out", &arrays][..], &small].concat());
        let (last, series) = (row(&desk, &table, 29), array(&desk, &arrays, "series"));
        assert!((last[0] - 30.0 * flow.dt).abs() < 1e-9, "{}", flow.name);
        assert_eq!(Vec::<f64>::try_from(series.get(29)).unwrap(), last[1..], "{}", flow.name);
        let head = fs::read_to_string(desk.path(&table)).unwrap();
        let names = flow.channels(&flow.usual_params()).join(",");
        assert_eq!(head.lines().next().unwrap(), format!("time,{names}"));
    }
    make(&desk, &["narma", "--out", "narma.csv", "--steps", "9", "--quiet"]);
    assert_eq!(row(&desk, "narma.csv", 0)[0], 200.0);
}

/// The series of BrainPy (tests/data/lorenz_f64.json).
#[test]
fn lorenz_is_brainpys() {
    let desk = Desk::new();
    make(&desk, &["lorenz", "--out", "l.csv", "--steps", "500", "--transient", "0"]);
    let golden = load_tensors(data("lorenz_f64.safetensors").as_ref()).unwrap();
    let series = &golden.iter().find(|(name, _)| name == "series").unwrap().1;
    for point in [0, 99, 499] {
        let expected = Vec::<f64>::try_from(series.get(point as i64)).unwrap();
        for (found, expected) in row(&desk, "l.csv", point)[1..].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-11 * expected.abs().max(1.0), "{found} and not {expected}");
        }
    }
}

#[test]
fn options_say_which_series() {
    let desk = Desk::new();
    let small = ["--steps", "5", "--transient", "0"];
    let read = |name: &str| fs::read(desk.path(name)).unwrap();
    for (name, more) in [
        ("a.csv", &[][..]),
        ("b.csv", &["--seed", "1"]),
        ("c.csv", &["--seed", "1"]),
        ("d.csv", &["--start", "1,-2,3"]),
        ("e.csv", &["--param", "rho=30", "--param", "sigma=9"]),
        ("f.csv", &["--method", "extrapolation", "--dt", "0.1"]),
    ] {
        make(&desk, &[&["lorenz", "--out", name][..], &small, more].concat());
    }
    assert_eq!(read("b.csv"), read("c.csv"));
    for other in ["b.csv", "d.csv", "e.csv", "f.csv"] {
        assert_ne!(read("a.csv"), read(other), "{other}");
    }
    make(&desk, &[&["lorenz96", "--out", "g.csv", "--param", "n=6"][..], &small].concat());
    assert_eq!(row(&desk, "g.csv", 0).len(), 7);
    for (args, code, words) in [
        (vec!["lorentz", "--out", "x.csv"], 2, "unrecognized subcommand 'lorentz'"),
        (vec!["lorenz", "--out", "x.txt"], 2, "x.txt: a file of a series ends in .csv or .npz"),
        (vec!["lorenz", "--out", "a.csv"], 5, "cannot create a.csv: it exists"),
        (
            vec!["lorenz", "--out", "x.csv", "--param", "s=1"],
            2,
            "lorenz has no parameter 's'; it has: sigma, rho, beta",
        ),
        (vec!["lorenz", "--out", "x.csv", "--param", "rho"], 2, "--param rho: expected NAME=NUMBER"),
        (vec!["lorenz", "--out", "x.csv", "--start", "1,2"], 2, "3 start values, got 2"),
        (vec!["lorenz", "--out", "x.csv", "--dt", "1"], 3, "the series of lorenz is not finite: point 2"),
        (vec!["lorenz", "--out", "x.csv", "--method", "rk5"], 2, "there are: rk4, rk23, extrapolation"),
        (vec!["mackey-glass", "--out", "x.csv", "--method", "rk4"], 2, "has one method of its own"),
        (vec!["narma", "--out", "x.csv", "--param", "n=30"], 3, "try another seed or a lower order"),
        (vec!["narma", "--out", "x.csv", "--param", "q=3"], 2, "narma has no parameter 'q'; it has: n, a, b, c, d"),
    ] {
        refused_by(&desk, &[&["data"], &args[..]].concat(), code, words);
    }
}

/// Lorenz by a model of the present point: the exponents of both, the sum of the system's the divergence.
#[test]
fn exponents_of_model_and_system() {
    let desk = Desk::new();
    let learn = ["--system", "lorenz", "--delay", "1", "--order", "2,3", "--target", "increment", "--horizon", "1"];
    let trained = desk.bd_json(&[&["train", "ngrc", "--out", "run", "--free-run", "200"], &learn[..]].concat());
    assert_eq!((metric(&trained, "vpt_steps"), metric(&trained, "vpt_void")), (200.0, 0.0));
    assert!(metric(&trained, "vpt_limit") >= metric(&trained, "vpt"));
    let found = desk.bd_json(&["eval", "run", "--lyapunov", "3", "--lyapunov-steps", "3000"]);
    let exponents = |name: &str| -> Vec<f64> {
        found["metrics"][name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (model, system) = (exponents("lyapunov"), exponents("lyapunov_system"));
    assert!((system.iter().sum::<f64>() + 41.0 / 3.0).abs() < 1e-6, "{system:?}");
    // Over 30 units of time the first is within 0.2 of 0.906.
    for (found, expected) in model.iter().zip([0.906, 0.0, -14.57]) {
        assert!((found - expected).abs() < 0.3, "{model:?}");
    }
    refused_by(&desk, &["eval", "run", "--lyapunov", "4"], 2, "exponents (--lyapunov) is 4; it must be 1 to 3");
}

#[test]
fn systems_are_learned_by_name() {
    let desk = Desk::new();
    let small = ["--set", "data.system.params.n=5", "--set", "data.system.duration=100", "--horizon", "1"];
    for job in ["ngrc", "esn"] {
        let more = if job == "esn" { &["--units", "50"][..] } else { &[] };
        let args = [&["train", job, "--system", "lorenz96", "--out", job][..], &small, more].concat();
        let result = desk.bd_json(&args);
        assert!(metric(&result, "test_nrmse.1") < 0.3, "{result}");
        assert_eq!(crate::common::json_of(&desk, &format!("{job}/config.json"))["data"]["system"]["start"][2], 8.008);
    }
    refused_by(
        &desk,
        &["train", "ngrc", "--system", "lorentz"],
        2,
        "unknown system 'lorentz'; there are: lorenz, rossler",
    );
    refused_by(&desk, &["train", "ngrc", "--system", "rossler", "--data", "x.csv"], 2, "cannot be used with");
}
