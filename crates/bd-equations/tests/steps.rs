//! Methods against closed forms and plain loops, and the order of a step.

use bd_equations::{Draw, Method, Model, NeuronText};
use bd_kernel::{Dual, Num};

fn build(toml: &str) -> Model {
    NeuronText::parse(toml).and_then(|text| text.build()).unwrap_or_else(|error| panic!("{error}"))
}

fn initial(model: &Model) -> Vec<f64> {
    let states = model.states().iter().map(|state| state.initial.value(|_| 0.0));
    states.chain(model.held().iter().map(|held| held.initial.value(|_| 0.0))).collect()
}

/// Outputs and states of a run.
fn run(model: &Model, dt: f64, inputs: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let constants = model.constants(dt).unwrap();
    let first = initial(model);
    let (own, mut s) = (first[model.states().len()..].to_vec(), first[..model.states().len()].to_vec());
    let step = |x: &f64| {
        let (y, next) = model.step(&constants, &[*x], &[&s[..], &own[..]].concat(), Num::heaviside);
        s = next.clone();
        (y, next)
    };
    inputs.iter().map(step).unzip()
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} and not {b}");
}

/// `x' = x^2 - I x`, without a threshold, by each method that takes it.
fn logistic(method: &str) -> Model {
    build(&format!(
        "equations = \"\"\"\ndx/dt = (x**2 - I*x)/tau : 1\nI : 1\n\"\"\"\noutput = \"x\"\nmethod = \"{method}\"\n\
         constants = {{ tau = \"2*ms\" }}\ninputs = {{ I = 3 }}\ninitial = {{ x = 0.7 }}"
    ))
}

#[test]
fn explicit_methods_are_the_plain_loops() {
    let (dt, inputs) = (0.3, [0.2, 0.9, -0.4, 1.3]);
    let f = |x: f64, i: f64| (x * x - 3.0 * i * x) / 2.0;
    let euler = |x: f64, i: f64| x + dt * f(x, i);
    let rk2 = |x: f64, i: f64| x + dt * f(x + dt / 2.0 * f(x, i), i);
    let rk4 = |x: f64, i: f64| {
        let a = f(x, i);
        let b = f(x + dt / 2.0 * a, i);
        let c = f(x + dt / 2.0 * b, i);
        x + dt / 6.0 * (a + 2.0 * b + 2.0 * c + f(x + dt * c, i))
    };
    let rosenbrock = |x: f64, i: f64| {
        let j = (2.0 * x - 3.0 * i) / 2.0;
        x + ((j * dt).exp() - 1.0) / j * f(x, i)
    };
    type Next<'a> = &'a dyn Fn(f64, f64) -> f64;
    let methods: [(&str, Next<'_>); 4] =
        [("euler", &euler), ("rk2", &rk2), ("rk4", &rk4), ("exponential_rosenbrock", &rosenbrock)];
    for (name, next) in methods {
        let (_, states) = run(&logistic(name), dt, &inputs);
        let mut x = 0.7;
        for (i, state) in inputs.iter().zip(states) {
            x = next(x, *i);
            close(state[0], x, 1e-13);
        }
    }
}

/// Substeps are steps, with the same input.
#[test]
fn substeps_divide_the_step() {
    let text = |substeps: usize| {
        let toml = format!(
            "equations = \"\"\"\ndx/dt = (x**2 - I*x)/tau : 1\nI : 1\n\"\"\"\noutput = \"x\"\nmethod = \"rk2\"\n\
             substeps = {substeps}\nconstants = {{ tau = \"2*ms\" }}\ninputs = {{ I = 3 }}\ninitial = {{ x = 0.7 }}"
        );
        build(&toml)
    };
    let (_, whole) = run(&text(4), 0.4, &[0.5, -0.2]);
    let (_, parts) = run(&text(1), 0.1, &[0.5, 0.5, 0.5, 0.5, -0.2, -0.2, -0.2, -0.2]);
    close(whole[1][0], parts[7][0], 1e-14);
}

/// The exponential and the other variable are frozen: `v' = A v + B` with `A = -g`, as Brian2 has it.
#[test]
fn exponential_euler_freezes_what_is_not_linear() {
    let model = build(
        "equations = \"\"\"\ndv/dt = (w*(1 - v) + exp(v/2) - v)/tau + I : 1\ndw/dt = (v - w)/tau : 1\nI : Hz\n\"\"\"\n\
         output = \"v\"\nmethod = \"exponential_euler\"\nconstants = { tau = \"5*ms\" }\ninputs = { I = \"1/ms\" }\n\
         initial = { v = 0.3, w = 0.6 }",
    );
    let (dt, tau) = (0.5, 5.0);
    let (_, states) = run(&model, dt, &[0.3, -0.2]);
    let (mut v, mut w) = (0.3f64, 0.6f64);
    for (i, state) in [0.3, -0.2].into_iter().zip(states) {
        let (a, b) = (-(w + 1.0) / tau, (w + (v / 2.0).exp()) / tau + i);
        let next = (v + b / a) * (a * dt).exp() - b / a;
        (v, w) = (next, v + (w - v) * (-dt / tau).exp());
        close(state[0], v, 1e-14);
        close(state[1], w, 1e-14);
    }
}

/// Of an alpha synapse that drives a membrane: `v(t)` is a difference of exponentials, whatever the step.
#[test]
fn exact_solves_chains() {
    let model = build(
        "equations = \"\"\"\ndv/dt = (-v + R*g)/tau : volt\ndg/dt = -g/tau_s + h : amp\ndh/dt = -h/tau_s + I/ms : amp/second\n\
         I : amp/second\n\"\"\"\noutput = \"v\"\nconstants = { tau = \"20*ms\", tau_s = \"5*ms\", R = \"0.1*Gohm\" }\n\
         inputs = { I = \"0*pA/ms\" }\ninitial = { h = \"100*pA/ms\" }",
    );
    assert_eq!(model.method(), Method::Exact);
    let (tau, tau_s) = (20.0f64, 5.0f64);
    // v(t) = R/tau int_0^t e^(-(t-s)/tau) 100 s e^(-s/tau_s) ds
    let c = 1.0 / tau_s - 1.0 / tau;
    let exact = |t: f64| 0.1 * 100.0 / tau * (-t / tau).exp() * (1.0 - (1.0 + c * t) * (-c * t).exp()) / (c * c);
    for (dt, steps) in [(0.1, 70), (7.0, 1)] {
        let (_, states) = run(&model, dt, &vec![1.0; steps]);
        close(states[steps - 1][0], exact(7.0), 1e-12);
        close(states[steps - 1][1], 700.0 * (-7.0 / tau_s).exp(), 1e-12);
    }
}

#[test]
fn defaults_of_methods() {
    let method = |f: &str| {
        build(&format!(
            "equations = \"\"\"\ndv/dt = ({f})/ms : 1\ndw/dt = -w/ms : 1\nI : 1\n\"\"\"\noutput = \"v\"\ninputs = {{ I = 1 }}"
        ))
        .method()
    };
    assert_eq!(method("-v + I"), Method::Exact);
    assert_eq!(method("-v*I"), Method::Exact);
    assert_eq!(method("-v + w"), Method::Exact);
    // Coupled, and a coefficient is no constant.
    assert_eq!(method("-v*I + w"), Method::ExponentialEuler);
    assert_eq!(method("-v*w"), Method::ExponentialEuler);
    assert_eq!(method("-v + exp(v)"), Method::ExponentialEuler);
    assert_eq!(method("exp(v)"), Method::Rk4);
    assert_eq!(method("v*(1 - v)"), Method::Rk4);
}

/// A neuron that spikes whenever it may.
fn eager(refractory: &str) -> Model {
    build(&format!(
        "equations = \"\"\"\ndv/dt = 1/ms : 1 (unless refractory)\nc : 1\nI : 1\n\"\"\"\nthreshold = \"v > I\"\n\
         reset = \"\"\"\nv = 0.5\nc += v\n\"\"\"\nmethod = \"euler\"\nrefractory = \"{refractory}\"\ninputs = {{ I = 1 }}"
    ))
}

/// Brian2: `not_refractory = timestep(t - lastspike, dt) >= timestep(refractory, dt)`, so that of a period of R steps R - 1 are
/// without. Here every step from 1 on is a spike if it is free.
#[test]
fn refractory_times_count_as_in_brian2() {
    for (time, dt, between) in
        [("0*ms", 1.0, 1), ("1*ms", 1.0, 1), ("2*ms", 1.0, 2), ("2.9*ms", 1.0, 2), ("3*ms", 1.0, 3), ("0.3*ms", 0.1, 3)]
    {
        let (spikes, _) = run(&eager(time), dt, &[0.0; 10]);
        let expected: Vec<f64> = (0..10).map(|k| f64::from(u8::from(k % between == 0))).collect();
        assert_eq!(spikes, expected, "{time}");
    }
}

/// The potential stays while the neuron is refractory; assignments of the reset are in order; states are in order.
#[test]
fn a_step_in_full() {
    let model = eager("3*ms");
    let names: Vec<&str> = model.states().iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["v", "c", "spike", "refractory"]);
    let (_, states) = run(&model, 1.0, &[2.0; 7]);
    let expected = [
        [1.0, 0.0, 0.0, 0.0],
        // 2 >= 2: at equality it spikes.
        [0.5, 0.5, 1.0, 2.0],
        [0.5, 0.5, 0.0, 1.0],
        [0.5, 0.5, 0.0, 0.0],
        [1.5, 0.5, 0.0, 0.0],
        [0.5, 1.0, 1.0, 2.0],
        [0.5, 1.0, 0.0, 1.0],
    ];
    assert_eq!(states, expected);
}

/// Brian2: `not_refractory = not_refractory or not (condition)` at the start of a step, and false after a spike.
#[test]
fn a_refractory_condition_is_waited_for() {
    let model = build(
        "equations = \"\"\"\ndv/dt = I/ms : 1\nI : 1\n\"\"\"\nthreshold = \"v > 1\"\nrefractory = \"v > 0.25\"\n\
         method = \"euler\"\ninputs = { I = 1 }",
    );
    let inputs = [0.5, 0.75, 1.0, -1.0, -1.0, -1.25, 2.0, 0.0];
    let (spikes, states) = run(&model, 1.0, &inputs);
    let v: Vec<f64> = states.iter().map(|state| state[0]).collect();
    assert_eq!(v, [0.5, 1.25, 2.25, 1.25, 0.25, -1.0, 1.0, 1.0]);
    assert_eq!(spikes, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let waits: Vec<f64> = states.iter().map(|state| state[2]).collect();
    assert_eq!(waits, [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
}

/// A reset is picked, so that an infinite potential leaves no number that is none.
#[test]
fn an_infinite_potential_is_reset() {
    let model = build(
        "equations = \"\"\"\ndv/dt = exp(v)/ms : 1\nI : 1\n\"\"\"\nthreshold = \"v > 1\"\nreset = \"v = -1\"\n\
         method = \"euler\"\ninputs = { I = 1 }\ninitial = { v = 1000 }",
    );
    assert_eq!(run(&model, 1.0, &[0.0]).1, [[-1.0, 1.0]]);
}

/// Gradients: without detaching, `dv'/dv` has the spike's slope times the jump; detached, it is 0 where it spiked.
#[test]
fn the_reset_is_inside_or_outside_the_gradient() {
    let toml = |detach: bool| {
        format!(
            "equations = \"\"\"\ndv/dt = -v/tau : 1\nI : 1\n\"\"\"\nthreshold = \"v > 1\"\nreset = \"v = 0.25\"\nmethod = \"euler\"\n\
             surrogate_scale = 2\ndetach_reset = {detach}\nconstants = {{ tau = \"10*ms\" }}\ninputs = {{ I = 1 }}"
        )
    };
    let gradient = |detach: bool, v: f64| {
        let model = build(&toml(detach));
        let state = [Dual::varied(v, true), Dual::fixed(0.0)];
        // A spike of slope 3.
        let spike = |x: Dual<f64>| Dual { value: x.value.heaviside(), slope: x.slope.map(|d| 3.0 * d) };
        let (y, next) = model.step(&model.constants(1.0).unwrap(), &[Dual::fixed(0.0)], &state, spike);
        (y.slope.unwrap_or(0.0), next[0].slope.unwrap_or(0.0))
    };
    // d distance / dv is 0.9 / 2.
    close(gradient(true, 2.0).0, 3.0 * 0.45, 1e-15);
    assert_eq!(gradient(true, 2.0).1, 0.0);
    close(gradient(true, 0.5).1, 0.9, 1e-15);
    // v + (0.25 - v) z: 0.9 (1 - z) + (0.25 - 0.9 v) 3 * 0.45.
    close(gradient(false, 2.0).1, (0.25 - 1.8) * 1.35, 1e-14);
    close(gradient(false, 0.5).1, 0.9 + (0.25 - 0.45) * 1.35, 1e-14);
}

/// Held numbers come behind the states, from flags, lists and initial values, and each keeps its value.
#[test]
fn held_numbers() {
    let model = build(
        "equations = \"\"\"\ndv/dt = (E - v + gain*I)/tau : 1\ntau : second (trained, positive)\nE : 1\nI : 1\n\"\"\"\n\
         output = \"v\"\ntrained = [\"gain\"]\nconstants = { tau = \"10*ms\", gain = 2, spread = 3 }\ninputs = { I = 1 }\n\
         initial = { E = \"1 + spread*randn() + rand()\" }",
    );
    let held: Vec<_> = model.held().iter().map(|held| (held.name.as_str(), held.trained, held.positive)).collect();
    assert_eq!(held, [("tau", true, true), ("E", false, false), ("gain", true, false)]);
    let e = &model.held()[1].initial;
    assert!(e.is_random());
    assert_eq!(e.value(|draw| if draw == Draw::Normal { -1.0 } else { 0.25 }), -1.75);
    // v' = (E - v + gain I)/tau, exact.
    assert_eq!(model.method(), Method::Exact);
    let (_, next) = model.step(&model.constants(1.0).unwrap(), &[0.5], &[0.3, 4.0, 1.5, 2.0], Num::heaviside);
    assert_eq!(next.len(), 1);
    close(next[0], 2.5 + (0.3 - 2.5) * (-0.25f64).exp(), 1e-15);
}

/// Precedence and functions, by Python 3.11 and numpy 2.3.
#[test]
fn values_of_expressions() {
    let table = [
        ("-2**2", -4.0),
        ("2**-1", 0.5),
        ("2**3**2", 512.0),
        ("1 - 2 - 3", -4.0),
        ("8/4/2", 1.0),
        ("-2*3 + 4", -2.0),
        ("2*-3", -6.0),
        (".5e1 + 1e-1", 5.1),
        ("x**-2", 4.0 / 9.0),
        ("x**0.5", 1.224744871391589),
        ("x**x", 1.8371173070873836),
        ("(-x)**3", -3.375),
        ("exprel(x)", 2.3211260468920434),
        ("clip(x, 2, 3) + clip(x, 0, 1) + clip(x, 1, 2)", 4.5),
        ("sign(-x) + sign(x - x) + 3*sign(x)", 2.0),
        ("int(x > 1 and x < 2) + 2*int(not x >= 1) + 4*int(x < 1 or x == x)", 5.0),
        ("int(x > x) + 2*int(x >= x) + 4*int(x != x)", 2.0),
        ("sinh(x) - cosh(x)*tanh(x)", 0.0),
        ("tan(x) - sin(x)/cos(x) + log10(100*x/x)", 2.0),
        ("sqrt(4*mV**2)/mV + mV/(1000*uV)", 3.0),
        ("e**pi", 23.140692632779267),
        ("dt/ms", 0.1),
    ];
    for (expression, value) in table {
        let model = build(&format!(
            "equations = \"\"\"\ndv/dt = -v/ms : 1\nx : 1\n\"\"\"\noutput = \"{expression}\"\ninputs = {{ x = 1 }}"
        ));
        let found = model.step(&model.constants(0.1).unwrap(), &[1.5], &[0.0], Num::heaviside).0;
        assert!((found - value).abs() < 1e-14 * (1.0 + value.abs()), "{expression} is {found} and not {value}");
    }
}

/// While a neuron is refractory its membrane stays, and its synapse does not, by the second matrix.
#[test]
fn exact_solves_what_is_partly_refractory() {
    let model = build(
        "equations = \"\"\"\ndv/dt = (g - v)/tau : 1 (unless refractory)\ndg/dt = -g/tau_s : 1\nI : 1\n\"\"\"\nthreshold = \"v > 1\"\n\
         reset = \"v = 0\"\nrefractory = \"2*ms\"\nconstants = { tau = \"20*ms\", tau_s = \"5*ms\" }\ninputs = { I = 1 }\n\
         initial = { v = 3, g = 2 }",
    );
    assert_eq!(model.method(), Method::Exact);
    let (_, states) = run(&model, 1.0, &[0.0; 3]);
    let decay = |steps: f64| 2.0 * (-steps / 5.0).exp();
    for (k, state) in states.iter().enumerate() {
        close(state[1], decay(k as f64 + 1.0), 1e-14);
    }
    assert_eq!([states[0][0], states[1][0]], [0.0, 0.0]);
    // v' = (g - v)/20 from v = 0: g (e^(-1/5) - e^(-1/20)) / (20 (1/20 - 1/5)).
    let integral = ((-0.2f64).exp() - (-0.05f64).exp()) / (20.0 * (0.05 - 0.2));
    close(states[2][0], decay(2.0) * integral, 1e-13);
}

/// A solution that leaves all numbers within a step is an error, as a step that cannot be.
#[test]
fn steps_that_cannot_be_are_refused() {
    let model = build(
        "equations = \"\"\"\ndx/dt = 1000*y/ms : 1\ndy/dt = 1000*x/ms : 1\nI : 1\n\"\"\"\noutput = \"x\"\ninputs = { I = 1 }",
    );
    let error = |dt: f64| model.constants(dt).unwrap_err().to_string();
    assert!(model.constants(0.1).is_ok());
    assert!(
        error(10.0).starts_with("dt_ms: over a step of 10 ms the solution of the equations grows"),
        "{}",
        error(10.0)
    );
    assert_eq!(error(0.0), "dt_ms: a step of 0 ms cannot be; it must be above 0");
    assert_eq!(error(f64::NAN), "dt_ms: a step of NaN ms cannot be; it must be above 0");
}
