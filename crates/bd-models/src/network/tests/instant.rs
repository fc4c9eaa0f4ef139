//! Projections whose spikes arrive in the step in which they are sent.

use bd_core::testing::{OnGpu, emulated};

use super::*;
use crate::SnnConfig;

/// A chain within a step, whose populations are in no order of names, of spikes, spikes times a state, and a state; delayed projections back; noise.
const CHAIN: &str = r#"
dt_ms = 0.1
[population.in]
n = 4
kind = "input"
file = "spikes"
[population.Z]
n = 9
equations = """
dv/dt = (g - v + I)/(2*ms) : 1
dg/dt = -g/(1*ms) : 1
du/dt = (1 - u)/(3*ms) : 1
ds/dt = -s/(2*ms) : 1
r : 1
I : 1 (per neuron)
"""
threshold = "v > 0.4"
reset = """
v = 0
r = 0.5*u
u -= r
s += 1
"""
surrogate = { name = "sigmoid", alpha = 4.0 }
initial = { v = "0.4*rand()", u = 1, I = "0.3*rand()" }
[population.E]
n = 7
like = "Z"
[population.A]
n = 5
like = "Z"
[[projection]]
from = "in"
to = "Z.g"
connect = { rule = "all_to_all" }
weight = "0.6*rand()"
instant = true
trained = true
[[projection]]
from = "Z"
to = ["E.g", "A.g"]
connect = { rule = "fixed_probability", p = 0.6 }
weight = "0.5*rand()"
instant = true
trained = true
[[projection]]
from = "E"
to = "A.g"
connect = { rule = "all_to_all" }
weight = "0.4*rand()"
times = "r"
instant = true
trained = true
[[projection]]
name = "state"
from = "Z"
to = "E.g"
connect = { rule = "fixed_in_degree", n = 3 }
weight = "0.02*rand()"
carries = "s"
instant = true
trained = true
[[projection]]
from = "A"
to = ["Z.g", "A.g"]
connect = { rule = "all_to_all" }
weight = "-0.2*rand()"
delay = DELAY
trained = true
[[projection]]
name = "late"
from = "E"
to = "A.g"
connect = { rule = "all_to_all" }
weight = "0.2*rand()"
delay = DELAY
NOISE
[readout]
from = "A"
"#;

const NOISE: &str = r#"
[population.B]
n = 6
kind = "poisson"
rate = "600*Hz"
[[projection]]
from = "B"
to = "A.g"
connect = { rule = "all_to_all" }
weight = "0.1*rand()"
instant = true
trained = true
"#;

const DELAYS: [&str; 3] = ["0", "\"0.1*ms + 0.3*ms*rand()\"", "\"1.2*ms\""];

fn chain(delay: &str, noise: &str) -> Network {
    Network::parse(&CHAIN.replace("DELAY", delay).replace("NOISE", noise)).unwrap()
}

fn of_chain(params: &mut Params, network: &Network) -> PopulationNetwork {
    PopulationNetwork::new(&mut params.at("net"), network, "A", 5, &no_files).unwrap()
}

#[test]
fn scans_are_steps() {
    let gpu = emulated(48 << 10, 1);
    for (kind, tolerance) in [(Kind::Double, 1e-10), (Kind::Float, 2e-3)] {
        for (seed, (delay, noise)) in DELAYS.into_iter().zip([NOISE, "", NOISE]).enumerate() {
            let on = (kind, Device::Cpu);
            let case = ScanCase { time: 19, batch: 3, on, tolerance, seed: seed as u64 };
            let (network, mut params) = (chain(delay, noise), Params::new(3, on));
            assert_scan_is_steps(&of_chain(&mut params, &network), &params, case);
            let mut params = Params::new(3, on);
            assert_scan_is_steps(&OnGpu(of_chain(&mut params, &network), gpu.clone()), &params, case);
        }
    }
}

#[test]
fn their_scans_are_simulations() {
    for delay in DELAYS {
        check_simulation(&chain(delay, ""), "A");
    }
}

/// Each of three populations passes on what it gets: a spike is everywhere in the step in which it came in, and one step later for each projection
/// that is not instant.
#[test]
fn a_spike_passes_through_a_chain_within_a_step() {
    let text = |instant: [bool; 3]| {
        let populations: String = ["C", "B", "A"]
            .map(|name| {
                format!(
                    "[population.{name}]\nn = 1\nequations = \"dv/dt = -v/(1e-9*ms) : 1\"\nthreshold = \"x > 0.5\"\nreset = \"\"\n\
                     inputs = {{ x = 1 }}\nmethod = \"exponential_euler\"\n"
                )
            })
            .concat()
            .replace("-v/(1e-9*ms) : 1\"", "-v/(1e-9*ms) : 1\\nx : 1\"");
        let projections: String = [("in", "C"), ("C", "B"), ("B", "A")]
            .into_iter()
            .zip(instant)
            .map(|((from, to), instant)| {
                format!("[[projection]]\nfrom = \"{from}\"\nto = \"{to}.x\"\nconnect = {{ rule = \"all_to_all\" }}\nweight = 1\ninstant = {instant}\n")
            })
            .collect();
        format!("dt_ms = 0.1\n[population.in]\nn = 1\nkind = \"input\"\n{populations}{projections}")
    };
    for (instant, at) in [([true; 3], 2), ([true, false, true], 3), ([false; 3], 5)] {
        let mut params = Params::new(3, ON);
        let net = of_chain(&mut params, &Network::parse(&text(instant)).unwrap());
        let xs = Tensor::from_slice(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]).view([7, 1, 1]);
        let (ys, _) = net.scan(&Shared::new(0.1), &Inputs::of_steps(&xs), net.init_state(1, ON), &mut Tap::none());
        let expected: Vec<f64> = (0..7).map(|t| f64::from(u8::from(t == at))).collect();
        assert_eq!(Vec::<f64>::try_from(ys.view(-1)).unwrap(), expected, "{instant:?}");
    }
}

/// The network of the tutorial, as a stack and as text, with the same weights: outputs, and gradients of weights.
#[test]
fn the_tutorials_network_is_a_stack() {
    const TEXT: &str = r#"
dt_ms = 0.1
[population.I]
n = 100
kind = "input"
[population.R]
n = 10
equations = """
dv/dt = (g - v)/(10*ms) : 1
dg/dt = -g/(10*ms) : 1
"""
threshold = "v > 1"
reset = "v = 0"
method = "exponential_euler"
surrogate = { name = "inv_square", alpha = 100.0 }
[population.O]
n = 2
equations = """
dv/dt = (g - v)/(5*ms) : 1
dg/dt = -g/(10*ms) : 1
y = v : 1
"""
output = "y"
method = "exponential_euler"
[[projection]]
from = "I"
to = "R.g"
connect = { rule = "all_to_all" }
weight = 0
instant = true
trained = true
[[projection]]
from = "R"
to = "O.g"
connect = { rule = "all_to_all" }
weight = 0
trained = true
[readout]
from = "O"
"#;
    let (mut of_stack, mut of_text) = (Params::new(3, ON), Params::new(3, ON));
    let stack = SnnConfig::default().build(&mut of_stack).unwrap();
    let network = Network::parse(TEXT).unwrap();
    let text = PopulationNetwork::new(&mut of_text.at("net"), &network, "O", 0, &no_files).unwrap();
    let weights =
        [of_stack.trainable(), of_text.trainable()].map(|all| all.into_iter().map(|(_, w)| w).collect::<Vec<_>>());
    tch::no_grad(|| {
        for (stack, text) in weights[0].iter().zip(&weights[1]) {
            text.shallow_clone().copy_(&stack.view(-1));
        }
    });
    let xs = Rng::new(1, "x").tensor(&[300, 4, 100], ON, |rng| f64::from(u8::from(rng.uniform() < 5e-3)));
    let (sha, xs) = (Shared::new(0.1).in_phase(Phase::Fit), Inputs::of_steps(&xs));
    let outputs = [
        stack.scan(&sha, &xs, stack.init_state(4, ON), &mut Tap::none()).0,
        text.scan(&sha, &xs, text.init_state(4, ON), &mut Tap::none()).0,
    ];
    assert!(outputs[0].abs().max().double_value(&[]) > 0.1);
    assert_close("outputs", &outputs[1], &outputs[0], 1e-12);
    let gradients =
        [0, 1].map(|i| Tensor::run_backward(&[outputs[i].square().sum(Kind::Double)], &weights[i], false, false));
    for (stack, text) in gradients[0].iter().zip(&gradients[1]) {
        assert!(stack.abs().max().double_value(&[]) > 0.0);
        assert_close("gradient", text, &stack.view(-1), 1e-10);
    }
}
