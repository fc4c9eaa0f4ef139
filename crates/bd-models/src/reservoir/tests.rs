use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{Params, Rng};

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn reservoir(config: &ReservoirConfig, on: (Kind, Device)) -> (Params, Reservoir) {
    let mut params = Params::new(4, on);
    let reservoir = Reservoir::new(&mut params.at("r"), 3, config).unwrap();
    (params, reservoir)
}

#[test]
fn scan_is_steps() {
    for activation in Activation::all() {
        for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
            let config =
                ReservoirConfig { units: 37, leak: 0.3, bias_scaling: 0.2, activation, ..ReservoirConfig::default() };
            let on = (kind, Device::Cpu);
            let (params, reservoir) = reservoir(&config, on);
            assert_scan_is_steps(&reservoir, &params, ScanCase { time: 11, batch: 5, on, tolerance, seed: 4 });
        }
    }
}

/// The formula by hand, for two units.
#[test]
fn a_step_is_the_formula() {
    let config = ReservoirConfig {
        units: 2,
        leak: 0.25,
        bias_scaling: 0.5,
        matrix: RecurrentMatrix::Ring,
        ..ReservoirConfig::default()
    };
    let (params, reservoir) = reservoir(&config, ON);
    let of = |name: &str, place: &[i64]| params.get(name).unwrap().double_value(place);
    assert_eq!(
        [of("r.recurrent_weight", &[0, 1]), of("r.recurrent_weight", &[1, 0]), of("r.recurrent_weight", &[0, 0])],
        [0.9, 0.9, 0.0]
    );
    let (u, x) = ([0.5, -1.0, 2.0], [0.1, -0.3]);
    let state = ReservoirState { x: Tensor::from_slice(&x).unsqueeze(0) };
    let found = reservoir.step(&Shared::new(1.0), &Tensor::from_slice(&u).unsqueeze(0), &state).0;
    for unit in 0..2 {
        let other = 1 - unit;
        let a: f64 = (0..3).map(|i| u[i] * of("r.input_weight", &[i as i64, unit as i64])).sum::<f64>()
            + 0.9 * x[other]
            + of("r.bias", &[unit as i64]);
        let expected = 0.75 * x[unit] + 0.25 * a.tanh();
        assert!((found.double_value(&[0, unit as i64]) - expected).abs() < 1e-15);
    }
    assert!(params.trainable().is_empty());
}

/// Beside all eigenvalues, which cost more: random matrices of all kinds, and one whose greatest eigenvalues are close together.
#[test]
fn the_spectral_radius_is_that_of_all_eigenvalues() {
    for entries in [Entries::Normal, Entries::Uniform, Entries::Bernoulli] {
        for (units, density) in [(30, 0.2), (500, 0.1), (600, 1.0)] {
            let matrix = RecurrentMatrix::Random { entries, density };
            let w = matrix.draw(&mut Rng::new(units as u64, "w"), units, 1.25).unwrap();
            let exact = w.linalg_eigvals().abs().max().double_value(&[]);
            assert!((exact / 1.25 - 1.0).abs() < 1e-7, "{matrix:?} {units}: {exact}");
            let filled = w.ne(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((filled - density).abs() < 0.06, "{filled}");
        }
    }
    for matrix in [RecurrentMatrix::Orthogonal, RecurrentMatrix::Ring] {
        let w = matrix.draw(&mut Rng::new(0, "w"), 50, 0.7).unwrap();
        let product = w.matmul(&w.tr()) - Tensor::eye(50, ON) * 0.49;
        assert!(product.abs().max().double_value(&[]) < 1e-14);
    }
}

#[test]
fn what_has_no_spectral_radius_is_refused() {
    let sparse = RecurrentMatrix::Random { entries: Entries::Normal, density: 1e-9 };
    let of = |config: ReservoirConfig| Reservoir::new(&mut Params::new(0, ON).at("r"), 1, &config).map(drop);
    let config = ReservoirConfig { units: 20, matrix: sparse, ..ReservoirConfig::default() };
    let error = of(config).unwrap_err().to_string();
    assert!(error.contains("20 units has a spectral radius of 0"), "{error}");
    assert!(of(ReservoirConfig { spectral_radius: 0.0, ..config }).is_ok());
    for wrong in [
        ReservoirConfig { leak: 0.0, ..config },
        ReservoirConfig { leak: 1.5, ..config },
        ReservoirConfig { units: 0, ..config },
        ReservoirConfig { spectral_radius: f64::NAN, ..config },
        ReservoirConfig { input_scaling: -1.0, ..config },
        ReservoirConfig { matrix: RecurrentMatrix::Random { entries: Entries::Normal, density: 0.0 }, ..config },
    ] {
        assert!(matches!(of(wrong), Err(Error::Setting { .. })), "{wrong:?}");
    }
}

/// Below a radius of 1 two states come together, whatever they were.
#[test]
fn echoes_fade() {
    let (_, reservoir) = reservoir(&ReservoirConfig { units: 100, ..ReservoirConfig::default() }, ON);
    let inputs = Rng::new(0, "u").tensor(&[400, 2, 3], ON, Rng::normal);
    inputs.select(1, 1).copy_(&inputs.select(1, 0).copy());
    let state = ReservoirState { x: Rng::new(0, "x").tensor(&[2, 100], ON, Rng::normal) };
    let (_, last) =
        reservoir.scan(&Shared::new(1.0), &bd_core::Inputs::of_steps(&inputs), state, &mut bd_core::Tap::none());
    assert!((last.x.get(0) - last.x.get(1)).abs().max().double_value(&[]) < 1e-12);
}
