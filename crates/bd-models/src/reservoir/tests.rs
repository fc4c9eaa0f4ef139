use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{Error, Params, Rng};

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn reservoir(config: &ReservoirConfig, on: (Kind, Device)) -> (Params, Reservoir) {
    let mut params = Params::new(4, on);
    let reservoir = Reservoir::new(&mut params.at("r"), 3, config).unwrap();
    (params, reservoir)
}

/// Every kind, sparse and dense, of one layer and three; series that go one by one, and a batch.
#[test]
fn scan_is_steps() {
    let dense = RecurrentMatrix::Random { entries: Entries::Normal, density: 0.9 };
    let ring = ReservoirKind::Es2n { mixing: Mixing::Ring };
    for kind in ReservoirKind::all().into_iter().chain([ring]) {
        for (i, activation) in Activation::all().into_iter().enumerate() {
            let matrix = if i == 2 { dense } else { RecurrentMatrix::default() };
            for (element, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
                let layers = if i == 1 { 3 } else { 1 };
                let usual =
                    ReservoirConfig { units: 37, layers, kind, leak: 0.3, bias_scaling: 0.2, ..Default::default() };
                let on = (element, Device::Cpu);
                let (params, reservoir) = reservoir(&ReservoirConfig { activation, matrix, ..usual }, on);
                for batch in [1, 2, 5] {
                    assert_scan_is_steps(&reservoir, &params, ScanCase { time: 11, batch, on, tolerance, seed: 4 });
                }
            }
        }
    }
}

fn scanned(reservoir: &Reservoir, xs: &Tensor) -> Tensor {
    let (batch, on) = (xs.size()[1], (xs.kind(), xs.device()));
    reservoir.scan(&Shared::new(1.0), &Inputs::of_steps(xs), reservoir.init_state(batch, on), &mut Tap::none()).0
}

/// A series has the same states to the last bit alone, as one of two, and among many; sparse and dense weights.
#[test]
fn a_series_does_not_depend_on_what_stands_beside_it() {
    for (kind, density) in ReservoirKind::all().into_iter().flat_map(|kind| [(kind, 0.1), (kind, 0.9)]) {
        let matrix = RecurrentMatrix::Random { entries: Entries::Normal, density };
        let config = ReservoirConfig { units: 53, kind, matrix, leak: 0.6, ..ReservoirConfig::default() };
        for element in [Kind::Double, Kind::Float] {
            let (_, reservoir) = reservoir(&config, (element, Device::Cpu));
            let xs = Rng::new(1, "u").tensor(&[70, 21, 3], (element, Device::Cpu), Rng::normal);
            let all = scanned(&reservoir, &xs);
            for (first, count) in [(0, 1), (4, 1), (7, 2), (19, 2)] {
                let some = scanned(&reservoir, &xs.narrow(1, first, count).contiguous());
                assert_eq!(some, all.narrow(1, first, count), "{config:?}: {count} from {first} on");
            }
        }
    }
}

/// What is kept for the next scan is made anew when the parameters are loaded.
#[test]
fn loaded_weights_are_those_of_the_next_scan() {
    for kind in ReservoirKind::all() {
        let config =
            ReservoirConfig { units: 20, kind, leak: 0.5, matrix: RecurrentMatrix::Ring, ..Default::default() };
        let (params, first) = reservoir(&config, ON);
        let mut others = Params::new(99, ON);
        let second = Reservoir::new(&mut others.at("r"), 3, &config).unwrap();
        let xs = Rng::new(1, "u").tensor(&[9, 1, 3], ON, Rng::normal);
        assert_ne!(scanned(&first, &xs), scanned(&second, &xs));
        params.load(&others.named()).unwrap();
        assert_eq!(scanned(&first, &xs), scanned(&second, &xs), "{kind:?}");
    }
}

/// With the identity for `f`, no input and all of the old state kept, `es2n` of a ring moves its states around, and `eusn` without diffusion keeps the norm
/// to the second order of its step.
#[test]
fn what_is_at_the_edge_of_stability_keeps_the_size_of_its_states() {
    let usual =
        ReservoirConfig { units: 5, spectral_radius: 1.0, activation: Activation::Identity, ..Default::default() };
    let matrix = RecurrentMatrix::Random { entries: Entries::Normal, density: 1.0 };
    let next = |config: ReservoirConfig, x: &[f64]| {
        let (_, reservoir) = reservoir(&config, ON);
        let state = ReservoirState { x: Tensor::from_slice(x).unsqueeze(0) };
        reservoir.step(&Shared::new(1.0), &Tensor::zeros([1, 3], ON), &state).0.get(0)
    };
    let x = [1.0, -2.0, 0.5, 3.0, 0.25];
    let es2n = ReservoirConfig { kind: ReservoirKind::Es2n { mixing: Mixing::Ring }, leak: 1e-12, matrix, ..usual };
    let moved = Tensor::from_slice(&[0.25, 1.0, -2.0, 0.5, 3.0]);
    assert!((next(es2n, &x) - moved).abs().max().double_value(&[]) < 1e-10);
    let eusn = ReservoirConfig { kind: ReservoirKind::Eusn { diffusion: 0.0 }, leak: 1e-4, matrix, ..usual };
    let norm = |x: &Tensor| x.square().sum(Kind::Double).double_value(&[]);
    // x A x' = 0 of an antisymmetric A, so that what is left is the square of the step times |x A|^2, which is below 100 |x|^2.
    let grown = norm(&next(eusn, &x)) / norm(&Tensor::from_slice(&x)) - 1.0;
    assert!(grown > 0.0 && grown < 1e-6, "{grown}");
}

/// Three channels to 400 units, a quarter of the entries -0.5 or 0.5: within three deviations of a binomial share.
#[test]
fn input_weights_have_their_density_and_entries() {
    let input_entries = Entries::Bernoulli;
    let usual = ReservoirConfig { units: 400, input_entries, matrix: RecurrentMatrix::Ring, ..Default::default() };
    let (params, _) = reservoir(&ReservoirConfig { input_density: 0.25, input_scaling: 0.5, ..usual }, ON);
    let weight = params.get("r.input_weight").unwrap();
    let drawn = weight.ne(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    assert!((drawn - 0.25).abs() < 3.0 * (0.25f64 * 0.75 / 1200.0).sqrt(), "{drawn}");
    assert!(weight.abs().masked_select(&weight.ne(0.0)).eq(0.5).all().int64_value(&[]) == 1);
}

/// Units 0, 3 and 6 of 9 with jumps both ways; the ring stands as it is.
#[test]
fn jumps_go_both_ways_and_around() {
    let matrix = RecurrentMatrix::RingWithJumps { jump: 3, weight: 0.25 };
    let drawn = matrix.draw(&mut Rng::new(0, "w"), 9, 0.8).unwrap();
    let exact = drawn.linalg_eigvals().abs().max().double_value(&[]);
    assert!((exact - 0.8).abs() < 1e-12, "{exact}");
    let w = &drawn / drawn.get(0).get(1);
    for (from, to) in (0..9).flat_map(|from| (0..9).map(move |to| (from, to))) {
        let jumps = from % 3 == 0 && to % 3 == 0 && from != to;
        let expected = if (from + 1) % 9 == to {
            1.0
        } else if jumps {
            0.25
        } else {
            0.0
        };
        assert!((w.double_value(&[from, to]) - expected).abs() < 1e-15, "{from} to {to}");
    }
}

/// The weights of a configuration without the keys that came later are what they were: drawn by bd 0.1.0 with seed 4.
#[test]
fn old_configurations_mean_what_they_meant() {
    let config: ReservoirConfig =
        serde_json::from_str(r#"{"units": 3, "leak": 0.5, "matrix": {"name": "ring"}}"#).unwrap();
    assert_eq!(config, ReservoirConfig { units: 3, leak: 0.5, matrix: RecurrentMatrix::Ring, ..Default::default() });
    assert_eq!((config.layers, config.kind, config.input_density), (1, ReservoirKind::Leaky, 1.0));
    let (params, _) = reservoir(&config, ON);
    let names: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["r.recurrent_weight", "r.input_weight", "r.bias"]);
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
        ReservoirConfig { matrix: RecurrentMatrix::RingWithJumps { jump: 11, weight: 1.0 }, ..config },
        ReservoirConfig { matrix: RecurrentMatrix::RingWithJumps { jump: 5, weight: 0.0 }, ..config },
        ReservoirConfig { layers: 0, ..config },
        ReservoirConfig { input_density: 1.1, ..config },
        ReservoirConfig { kind: ReservoirKind::Eusn { diffusion: -0.1 }, ..config },
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
    let (_, last) = reservoir.scan(&Shared::new(1.0), &Inputs::of_steps(&inputs), state, &mut Tap::none());
    assert!((last.x.get(0) - last.x.get(1)).abs().max().double_value(&[]) < 1e-12);
}
