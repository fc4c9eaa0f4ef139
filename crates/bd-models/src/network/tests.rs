use bd_core::kernel::{Instructions, Tuning, scan_tuned};
use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
use bd_core::{Inputs, Params, Phase, Rng, StateTree, Tap};
use bd_networks::{Options, Simulation};

use super::*;

mod carried;
mod delays;
mod gpu;
mod instant;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Conductances as variables that spikes are added to, each population's own delays, trained weights that keep their sign, and trained constants.
const COBA: &str = r#"
dt_ms = 0.1
[population.E]
n = 13
equations = """
dv/dt = (ge*(E_e - v) + gi*(E_i - v) - (v - E_L) + I) / tau : volt (unless refractory)
dge/dt = -ge/tau_e : 1
dgi/dt = -gi/(1*ms) : 1
E_L : volt (trained)
tau_e : second (trained, positive)
"""
threshold = "v > -50*mV"
reset = "v = -60*mV"
refractory = "0.3*ms"
surrogate = { name = "sigmoid", alpha = 4.0 }
surrogate_scale = "10*mV"
constants = { E_e = "0*mV", E_i = "-80*mV", I = "20*mV", tau = "2*ms" }
initial = { v = "-60*mV + 10*mV*rand()", E_L = "-58*mV + 3*mV*randn()", tau_e = "1*ms" }
[population.I]
n = 6
like = "E"
drive = { gi = "0.1 + 0.1*rand()" }
[population.in]
n = 4
kind = "input"
FILE
[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.5 }
weight = "0.6 + 0.1*randn()"
delay = EXCITATION
trained = true
keeps_sign = true
[[projection]]
from = "I"
to = ["E.gi", "I.gi"]
connect = { rule = "fixed_in_degree", n = 3 }
weight = "2.7 + 0.4*randn()"
delay = INHIBITION
trained = true
[[projection]]
from = "in"
to = ["E.ge", "I.ge"]
connect = { rule = "all_to_all" }
weight = "0.5*randn()"
delay = INPUT
trained = true
keeps_sign = true
[[projection]]
from = "I"
to = "E.v"
connect = { rule = "fixed_total", n = 30 }
weight = "-0.2*mV"
delay = INHIBITION
[readout]
from = "E"
"#;

/// Delays of 0, of some steps, and of each synapse's own.
const DELAYS: [[&str; 3]; 6] = [
    ["0*ms", "0*ms", "0*ms"],
    ["0.2*ms", "0.1*ms + 0.2*ms*rand()", "0*ms"],
    ["0.1*ms + 0.2*ms*rand()", "0.2*ms", "0.3*ms*rand()"],
    ["1.5*ms", "0.8*ms", "0.5*ms"],
    // Learned ones: spikes spread out over as many steps as there are, over some, and over none.
    [
        "{ learned = \"0.3*ms*rand()\", most = \"0.3*ms\", spread = \"0.3*ms\" }",
        "0.1*ms",
        "{ learned = \"0.2*ms*rand()\", most = \"0.2*ms\", spread = \"0.13*ms\" }",
    ],
    [
        "{ learned = \"0.1*ms + 0.2*ms*rand()\", most = \"0.3*ms\", spread = 0 }",
        "{ learned = \"0.2*ms*rand()\", most = \"0.2*ms\", spread = 0 }",
        "0.3*ms*rand()",
    ],
];

fn text([excitation, inhibition, input]: [&str; 3], file: &str) -> Network {
    let quoted = |delay: &str| if delay.starts_with('{') { delay.to_owned() } else { format!("\"{delay}\"") };
    let text = COBA.replace("EXCITATION", &quoted(excitation)).replace("INHIBITION", &quoted(inhibition));
    let text = text.replace("INPUT", &quoted(input));
    Network::parse(&text.replace("FILE", file)).unwrap()
}

fn no_files(_: &str) -> std::result::Result<EdgeList, String> {
    Err("there is none".into())
}

fn made(params: &mut Params, network: &Network) -> PopulationNetwork {
    PopulationNetwork::new(&mut params.at("net"), network, "E", 5, &no_files).unwrap()
}

#[test]
fn scan_is_steps() {
    for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 2e-3)] {
        for (seed, delays) in DELAYS.into_iter().enumerate() {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(3, on);
            let net = made(&mut params, &text(delays, ""));
            assert_scan_is_steps(&net, &params, ScanCase::random(seed as u64, on, tolerance));
            let long = ScanCase { time: 37, batch: 3, on, tolerance, seed: 9 };
            assert_scan_is_steps(&net, &params, long);
        }
    }
}

#[test]
fn parameters_and_states_have_names() {
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &text(DELAYS[1], ""));
    let names = |all: Vec<(String, Tensor)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let expected =
        ["E>E.ge", "E>I.ge", "I>E.gi", "I>I.gi", "in>E.ge", "in>I.ge"].map(|name| format!("net.{name}.weight"));
    let own = ["E.E_L", "E.log_tau_e", "I.E_L", "I.log_tau_e"].map(|name| format!("net.{name}"));
    assert_eq!(names(params.trainable()), [&expected[..], &own[..]].concat());
    let states = [
        "E.v",
        "E.ge",
        "E.gi",
        "E.spike",
        "E.refractory",
        "E.sent",
        "I.v",
        "I.ge",
        "I.gi",
        "I.spike",
        "I.refractory",
        "I.sent",
        "in.sent",
    ];
    let state = net.init_state(2, ON).named();
    assert_eq!(state.iter().find(|(name, _)| name == "E.sent").unwrap().1.size(), [2, 3 * 13]);
    assert_eq!(names(state), states);
}

/// Stretches of any length, tiles of any width, and instructions: the same numbers and gradients but for rounding; AVX2 and AVX-512 the same bytes.
#[test]
fn how_a_scan_is_cut_up_makes_no_difference() {
    for delays in DELAYS {
        check_cuts(&text(delays, ""));
    }
}

/// Of a network with four inputs.
#[track_caller]
fn check_cuts(network: &Network) {
    let mut params = Params::new(3, ON);
    let net = made(&mut params, network);
    let xs = Rng::new(1, "x").tensor(&[45, 20, 4], ON, |rng| f64::from(u8::from(rng.uniform() < 0.3)));
    let trained: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
    let everything = |bytes: usize, samples: usize, instructions: Instructions| {
        let tuning = Tuning {
            samples,
            vector_samples: samples,
            bytes,
            min_steps: 1,
            instructions,
            ..Tuning::of(20, Kind::Double)
        };
        let start = net.init_state(20, ON);
        let sha = Shared::new(0.1).in_phase(Phase::Fit);
        let done = scan_tuned(&net, &sha, &Inputs::of_steps(&xs), start, &mut Tap::none(), tuning);
        let (ys, _) = done.unwrap();
        assert!(ys.sum(Kind::Double).double_value(&[]) > 100.0);
        let weights = Rng::new(2, "w").tensor(&ys.size(), ON, Rng::normal);
        let gradients = Tensor::run_backward(&[(&ys * weights).sum(Kind::Double)], &trained, false, false);
        std::iter::once(ys.detach()).chain(gradients).collect::<Vec<_>>()
    };
    let best = everything(1 << 30, 16, Instructions::best());
    for (bytes, samples) in [(1, 8), (40_000, 8), (100_000, 16), (60_000, 24)] {
        for (i, (found, best)) in everything(bytes, samples, Instructions::best()).iter().zip(&best).enumerate() {
            assert_close(&format!("result {i}, {bytes} bytes, {samples} samples"), found, best, 1e-10);
        }
    }
    if let Some(avx2) = Instructions::avx2() {
        assert_eq!(everything(1 << 30, 16, avx2), best);
    }
    for (i, (any, best)) in everything(1 << 30, 16, Instructions::any()).iter().zip(&best).enumerate() {
        assert_close(&format!("result {i}"), any, best, 1e-10);
    }
}

#[test]
fn a_scan_is_a_simulation() {
    for delays in DELAYS {
        check_simulation(&text(delays, "file = \"spikes\""), "E");
    }
}

/// The spikes of a simulation of the same network from the same seed, whose four inputs come from a file, and its last states.
#[track_caller]
fn check_simulation(network: &Network, output: &str) {
    let steps = 120;
    let input = Rng::new(4, "x").tensor(&[steps, 1, 4], ON, |rng| f64::from(u8::from(rng.uniform() < 0.1)));
    let train = |_: &str| {
        let spikes = (0..steps).flat_map(|t| (0..4).map(move |k| (t, k)));
        let spikes = spikes.filter(|(t, k)| input.double_value(&[*t, 0, *k]) > 0.0);
        Ok(spikes.map(|(t, k)| (t as f64 * 0.1, k as u32)).collect())
    };
    let mut simulation =
        Simulation::<f64>::new(network, Options { seed: 5, ..Options::default() }, &no_files, &train).unwrap();
    simulation.advance(steps as u64);
    let mut params = Params::new(3, ON);
    let net = PopulationNetwork::new(&mut params.at("net"), network, output, 5, &no_files).unwrap();
    let start = net.init_state(1, ON);
    let (ys, last) = net.scan(&Shared::new(0.1), &Inputs::of_steps(&input), start, &mut Tap::none());
    let expected: Vec<(u64, u32)> =
        simulation.recording().spikes.iter().find(|spikes| spikes.population == output).unwrap().spikes.clone();
    let found = (0..steps).flat_map(|t| (0..net.n_out()).map(move |k| (t, k)));
    let found = found.filter(|(t, k)| ys.double_value(&[*t, 0, *k]) > 0.0).map(|(t, k)| (t as u64, k as u32));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert!(expected.len() > 30, "{} spikes", expected.len());
    for (name, leaf) in last.named() {
        let (population, state) = name.split_once('.').unwrap();
        let Some(expected) = simulation.state(population, state) else { continue };
        assert_close(&name, &leaf.get(0), &Tensor::from_slice(&expected), 1e-11);
    }
}

/// Adam with a large step moves the parameter through zero, and no weight.
#[test]
fn weights_keep_their_sign() {
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &text(DELAYS[1], ""));
    let of = |name: &str| net.weights().find(|(known, _)| *known == name).unwrap().1.detach().copy();
    let before = ["E>E.ge", "in>E.ge", "I>E.gi"].map(&of);
    tch::no_grad(|| {
        for (_, mut theta) in params.trainable() {
            theta -= 5.0;
        }
    });
    let after = ["E>E.ge", "in>E.ge", "I>E.gi"].map(&of);
    assert_eq!([&before[0].sign(), &before[1].sign()], [&after[0].sign(), &after[1].sign()]);
    assert!(after[2].sign() != before[2].sign(), "these may change it");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let refusal = |from: &str, to: &str, output: &str| {
        let text = COBA.replace("EXCITATION", "0").replace("INHIBITION", "0").replace("INPUT", "0").replace("FILE", "");
        let network = Network::parse(&text.replace(from, to)).unwrap();
        let mut params = Params::new(3, ON);
        PopulationNetwork::new(&mut params.at("net"), &network, output, 5, &no_files).unwrap_err().to_string()
    };
    for (from, to, output, words) in [
        ("kind = \"input\"", "kind = \"poisson\"\nrate = \"1*kHz\"", "E", "there are 0 populations of kind 'input'"),
        ("p = 0.5", "p = 0.0", "E", "the projection 'E>E.ge' has no synapses"),
        ("", "", "F", "there is no population 'F' of neurons"),
        ("", "", "in", "there is no population 'in' of neurons."),
    ] {
        let found = refusal(from, to, output);
        assert!(found.contains(words), "{words:?} not in: {found}");
    }
}
