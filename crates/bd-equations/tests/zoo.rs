//! Every neuron of the zoo: it builds, stays finite, and its derivatives are right.

use bd_equations::{Model, NeuronText, zoo};
use bd_kernel::{Code, Dual, Listing, Num};

fn initial(model: &Model) -> Vec<f64> {
    let states = model.states().iter().map(|state| state.initial.value(|_| 0.0));
    states.chain(model.held().iter().map(|held| held.initial.value(|_| 0.0))).collect()
}

fn step(model: &Model, dt: f64, x: f64, s: &[f64]) -> (f64, Vec<f64>) {
    model.step(&model.constants(dt).unwrap(), &vec![x; model.ports().len()], s, Num::heaviside)
}

#[test]
fn all_of_them_run_and_stay_finite() {
    assert!(zoo::names().count() >= 20);
    for name in zoo::names() {
        let model = zoo::model(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        for x in [0.0, 2.0] {
            let (mut s, mut spikes) = (initial(&model), 0.0);
            for _ in 0..1000 {
                let (y, next) = step(&model, 0.1, x, &s);
                assert_eq!(next.len(), model.states().len(), "{name}");
                assert!(y.is_finite() && next.iter().all(|x| x.is_finite()), "{name} with {x}: {next:?}");
                assert!(!model.spikes() || y == 0.0 || y == 1.0, "{name} sends {y}");
                (s, spikes) = (next, spikes + y);
            }
            // 1 is about the rheobase, so that 2 makes every neuron fire within 100 ms. Without input only one does.
            let fires = x > 0.0 || name == "traub_miles";
            assert!(!model.spikes() || (spikes > 0.0) == fires, "{name} with {x}: {spikes} spikes");
        }
    }
}

/// In float32 as in float64: numbers are near 1.
#[test]
fn single_precision_follows_double() {
    for name in zoo::names() {
        let model = zoo::model(name).unwrap();
        let constants = model.constants(0.1).unwrap();
        let mut double = initial(&model);
        let mut single: Vec<f32> = double.iter().map(|x| *x as f32).collect();
        let ports = model.ports().len();
        for _ in 0..50 {
            double = model.step(&constants, &vec![0.73; ports], &double, Num::heaviside).1;
            single = model.step(&constants, &vec![0.73f32; ports], &single, Num::heaviside).1;
        }
        for (state, (a, b)) in model.states().iter().zip(double.iter().zip(&single)) {
            let difference = (a - f64::from(*b)).abs() / (1.0 + a.abs());
            assert!(difference < 1e-4, "{name}.{}: {a} and {b}", state.name);
        }
    }
}

/// Against differences over five points, for all neurons with their spikes cut off: none at these states.
#[test]
fn derivatives_are_those_of_difference_quotients() {
    for name in zoo::names() {
        let model = zoo::model(name).unwrap();
        let constants = model.constants(0.1).unwrap();
        let mut s = initial(&model);
        for _ in 0..20 {
            s = step(&model, 0.1, 0.3, &s).1;
        }
        let ports = model.ports().len();
        let mut at = vec![0.3; ports];
        at.extend(&s);
        let variables =
            model.states().iter().filter(|state| !["spike", "refractory"].contains(&state.name.as_str())).count();
        for which in 0..ports + variables {
            let run = |shift: f64| {
                let mut at = at.clone();
                at[which] += shift;
                model.step(&constants, &at[..ports], &at[ports..], Num::heaviside).1
            };
            let dual: Vec<Dual<f64>> = at.iter().enumerate().map(|(i, x)| Dual::varied(*x, i == which)).collect();
            let found = model.step(&constants, &dual[..ports], &dual[ports..], |x| Dual::fixed(x.value.heaviside())).1;
            let h = 1e-3;
            let points = [-2.0, -1.0, 1.0, 2.0].map(|k| run(k * h));
            for (i, found) in found.iter().enumerate().take(variables) {
                let f = |point: usize| points[point][i];
                let slope = (8.0 * (f(2) - f(1)) - (f(3) - f(0))) / (12.0 * h);
                let found = found.slope.unwrap_or(0.0);
                assert!(
                    (found - slope).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{name}: {i} by {which}: {found} and not {slope}"
                );
            }
        }
    }
}

#[test]
fn files_are_written_as_they_are_read() {
    for name in zoo::names() {
        let text = zoo::text(name).unwrap();
        assert!(!text.summary.is_empty() && !text.source.is_empty(), "{name}");
        assert_eq!(NeuronText::parse(&text.to_toml().unwrap()).unwrap(), text, "{name}");
    }
}

#[test]
fn unknown_names_have_a_nearest_one() {
    let error = zoo::model("adx").unwrap_err().to_string();
    assert!(error.starts_with("model: 'adx' is no neuron of the zoo. Is 'adex' meant? There are if, lif,"), "{error}");
}

/// A step is written down as CUDA C, and depends on each input and on each number of state that it should.
#[test]
fn a_step_is_a_formula_for_whatever_calculates() {
    for name in zoo::names() {
        let model = zoo::model(name).unwrap();
        let listing = Listing::new();
        let named =
            |prefix: &str, n: usize| -> Vec<Code> { (0..n).map(|i| listing.name(&format!("{prefix}{i}"))).collect() };
        let (x, s) = (named("x", model.ports().len()), named("s", model.states().len()));
        let (y, next) = model.step(&model.constants(0.1).unwrap(), &x, &s, Num::heaviside);
        let results: Vec<Code> = next.into_iter().chain([y]).collect();
        listing.statements(&results).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (i, state) in model.states().iter().enumerate() {
            // The spike of the last step changes nothing.
            assert_eq!(listing.depends(&results, &format!("s{i}")), state.name != "spike", "{name}.{}", state.name);
        }
        assert!((0..x.len()).all(|i| listing.depends(&results, &format!("x{i}"))), "{name}");
    }
}

/// What a port of `coba` adds to a conductance in one step is spread over it. Together with the decay afterwards, its integral
/// is `J tau`, that of a jump by `J`, for any step `h`: the conductance after it must be `J tau/h (1 - exp(-h/tau))`.
#[test]
fn a_spike_adds_the_same_integral_of_conductance_for_any_step() {
    let model = zoo::model("coba").unwrap();
    for h in [0.1, 0.5, 2.0] {
        let constants = model.constants(h).unwrap();
        for (state, x, jump, tau) in [("g_e", [60.0, 0.0], 6.0, 5.0), ("g_i", [0.0, 1675.0], 67.0, 10.0)] {
            let place = model.states().iter().position(|known| known.name == state).unwrap();
            let next = model.step(&constants, &x, &initial(&model), Num::heaviside).1;
            let expected = -jump * tau / h * f64::exp_m1(-h / tau);
            assert!(
                (next[place] / expected - 1.0).abs() < 1e-14,
                "{state}, {h} ms: {} and not {expected}",
                next[place]
            );
        }
    }
}
