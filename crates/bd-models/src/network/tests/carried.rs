//! Networks whose projections carry more than spikes, and networks with noise.

use super::*;

/// Synapses that tire, receptors that saturate, and neurons that do not spike, all with weights that are trained.
const CARRIED: &str = r#"
dt_ms = 0.1
[population.E]
n = 13
equations = """
dv/dt = (ge*(E_e - v) + gi*(E_i - v) + s_in*(E_e - v)/(1 + exp(-0.062*v/mV)/3.57) - (v - E_L) + I) / tau : volt
dge/dt = -ge/(1*ms) : 1
dgi/dt = -gi/(1*ms) : 1
du/dt = -u/tau_f : 1
dx/dt = (1 - x)/(3*ms) : 1
dz/dt = -z/(0.5*ms) : 1
ds/dt = -s/(4*ms) + 1/ms*z*(1 - s) : 1
r : 1
s_in : 1
tau_f : second (trained, positive)
"""
inputs = { s_in = 1 }
threshold = "v > -50*mV"
reset = """
v = -60*mV
u += 0.4*(1 - u)
r = u*x
x -= r
z += 1
"""
refractory = "0.2*ms"
surrogate = { name = "sigmoid", alpha = 4.0 }
surrogate_scale = "10*mV"
constants = { E_L = "-58*mV", E_e = "0*mV", E_i = "-80*mV", I = "20*mV", tau = "2*ms" }
initial = { v = "-60*mV + 10*mV*rand()", x = 1, tau_f = "5*ms" }
[population.I]
n = 6
like = "E"
[population.R]
n = 5
equations = """
dy/dt = (in - y)/(2*ms) : 1
in : 1
rate = tanh(y) : 1
"""
inputs = { in = 1 }
output = "rate"
[population.in]
n = 4
kind = "input"
file = "spikes"
[[projection]]
from = "in"
to = ["E.ge", "I.ge"]
connect = { rule = "all_to_all" }
weight = "0.5*rand()"
trained = true
[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.5 }
weight = "0.6 + 0.1*randn()"
delay = DELAY
times = "r"
trained = true
keeps_sign = true
[[projection]]
name = "saturating"
from = "E"
to = ["E.s_in", "I.s_in"]
connect = { rule = "fixed_in_degree", n = 4 }
weight = "0.1 + 0.02*randn()"
carries = "s"
trained = true
[[projection]]
from = "I"
to = ["E.gi", "I.gi"]
connect = { rule = "fixed_in_degree", n = 3 }
weight = "2.7 + 0.4*randn()"
delay = DELAY
times = "r"
[[projection]]
from = "E"
to = "R.in"
connect = { rule = "fixed_in_degree", n = 5 }
weight = "1 + 0.1*randn()"
trained = true
[[projection]]
from = "R"
to = ["E.ge", "R.in"]
connect = { rule = "all_to_all" }
weight = "0.2*rand()"
delay = DELAY
trained = true
NOISE
[readout]
from = "E"
"#;

pub(super) const NOISE: &str = r#"
[population.chance]
n = 7
kind = "poisson"
rate = "800*Hz"
[[projection]]
from = "chance"
to = "E.ge"
connect = { rule = "fixed_probability", p = 0.6 }
weight = "0.4 + 0.1*randn()"
delay = DELAY
trained = true
[[background]]
to = ["E.ge", "I.gi"]
rate = "3*kHz"
weight = 0.2
[[background]]
to = "E.ge"
rate = "500*Hz"
weight = 0.1
"#;

pub(super) const DELAYS_OF_CARRIED: [&str; 4] = [
    "0",
    "\"0.1*ms + 0.4*ms*rand()\"",
    "\"1.3*ms\"",
    "{ learned = \"0.3*ms*rand()\", most = \"0.3*ms\", spread = \"0.3*ms\" }",
];

pub(super) fn carried(delay: &str, noise: &str) -> Network {
    Network::parse(&CARRIED.replace("NOISE", noise).replace("DELAY", delay)).unwrap()
}

#[test]
fn scans_are_steps() {
    for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 5e-3)] {
        for (seed, (delay, noise)) in DELAYS_OF_CARRIED.into_iter().zip([NOISE, "", NOISE, ""]).enumerate() {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(3, on);
            let net = made(&mut params, &carried(delay, noise));
            assert_scan_is_steps(&net, &params, ScanCase { time: 19, batch: 3, on, tolerance, seed: seed as u64 });
        }
    }
}

#[test]
fn how_they_are_cut_up_makes_no_difference() {
    for delay in DELAYS_OF_CARRIED {
        check_cuts(&carried(delay, NOISE));
    }
}

#[test]
fn their_scans_are_simulations() {
    for delay in DELAYS_OF_CARRIED {
        check_simulation(&carried(delay, ""), "E");
    }
}

/// All trained numbers, rates and what projections carry included, against differences where nothing spikes.
#[test]
fn gradients_are_differences_where_nothing_spikes() {
    let text = CARRIED.replace("NOISE", NOISE).replace("DELAY", "\"0.2*ms\"").replace("v > -50*mV", "v > 500*mV");
    let network = Network::parse(&text).unwrap();
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &network);
    // States that a spike would have left, so that what is carried is not 0.
    let start = |of: &Tensor| {
        let (z, zeros) = (Tensor::full([2, 13], 0.7, ON), net.init_state(2, ON));
        zeros.try_map("", &mut |name, leaf| Ok(if name == "E.z" { &z * of } else { leaf.shallow_clone() })).unwrap()
    };
    let xs = Rng::new(1, "x").tensor(&[25, 2, 4], ON, |rng| f64::from(u8::from(rng.uniform() < 0.3)));
    let sha = Shared::new(0.1).in_phase(Phase::Fit);
    let loss = |one: &Tensor| {
        let mut tap = Tap::new(["E.v", "R.y"]);
        let _ = net.scan(&sha, &Inputs::of_steps(&xs), start(one), &mut tap);
        let records = tap.finish().unwrap();
        (records["E.v"].square().mean(Kind::Double) * 1e-2) + records["R.y"].square().sum(Kind::Double)
    };
    let one = Tensor::from(1.0).set_requires_grad(true);
    let trained: Vec<(String, Tensor)> =
        params.trainable().into_iter().chain([("z".to_owned(), one.shallow_clone())]).collect();
    let tensors: Vec<&Tensor> = trained.iter().map(|(_, tensor)| tensor).collect();
    let gradients = Tensor::run_backward(&[loss(&one)], &tensors, false, false);
    for ((name, tensor), gradient) in trained.iter().zip(&gradients) {
        let flat = tch::no_grad(|| tensor.view(-1));
        let found: Vec<f64> = Vec::try_from(gradient.view(-1)).unwrap();
        for at in [0, flat.numel() as i64 / 2, flat.numel() as i64 - 1] {
            let moved = |by: f64| {
                tch::no_grad(|| {
                    let value = flat.double_value(&[at]);
                    let _ = flat.get(at).fill_(value + by);
                    let loss = loss(&one).double_value(&[]);
                    let _ = flat.get(at).fill_(value);
                    loss
                })
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let (found, scale) = (found[at as usize], found.iter().fold(1e-3f64, |most, g| most.max(g.abs())));
            assert!((found - difference).abs() < 1e-6 * scale, "{name} {at}: {found} and not {difference}");
        }
    }
}

/// Of a neuron that does not spike, by hand: the loss is of the neuron that receives alone, and its derivative by the weight of the input goes
/// through the spike that might have been.
#[test]
fn a_silent_neuron_learns_through_what_it_would_have_sent() {
    const TEXT: &str = r#"
dt_ms = 0.1
[population.A]
n = 1
equations = """
dv/dt = -v/(10*ms) : 1
ds/dt = -s/(4*ms) : 1
u : 1
r : 1
"""
threshold = "v > 1"
reset = """
v = 0
u += 0.3*(1 - u)
r = 2*u
s += 1
"""
surrogate = { name = "inv_square", alpha = 3.0 }
initial = { u = 0.2, r = 0 }
DETACH
[population.B]
n = 1
equations = """
dg/dt = -g/(5*ms) : 1
y = g : 1
"""
output = "y"
[population.in]
n = 1
kind = "input"
[[projection]]
from = "in"
to = "A.v"
connect = { rule = "all_to_all" }
weight = 0.5
trained = true
[[projection]]
from = "A"
to = "B.g"
connect = { rule = "all_to_all" }
weight = 3
CARRIED
[readout]
from = "B"
"#;
    let decay = |tau: f64| (-0.1 / tau).exp();
    // The input arrives in step 1, and what A sends then in step 2.
    let distance = 0.5 * decay(10.0) - 1.0;
    let slope = (3.0 * distance.abs() + 1.0f64).powi(-2);
    for (carried, sent) in [("times = \"r\"", 2.0 * (0.2 + 0.3 * 0.8)), ("carries = \"s\"", 1.0)] {
        for detach in ["", "detach_reset = false"] {
            let network = Network::parse(&TEXT.replace("CARRIED", carried).replace("DETACH", detach)).unwrap();
            let mut params = Params::new(3, ON);
            let net = PopulationNetwork::new(&mut params.at("net"), &network, "B", 5, &no_files).unwrap();
            let xs = Tensor::from_slice(&[1.0, 0.0, 0.0]).view([3, 1, 1]);
            let sha = Shared::new(0.1).in_phase(Phase::Fit);
            let (ys, _) = net.scan(&sha, &Inputs::of_steps(&xs), net.init_state(1, ON), &mut Tap::none());
            let weight = &params.trainable()[0].1;
            let gradient = Tensor::run_backward(&[ys.get(2).sum(Kind::Double)], &[weight], false, false).remove(0);
            let expected = 3.0 * decay(5.0) * sent * slope * decay(10.0);
            let found = gradient.double_value(&[0]);
            assert!((found - expected).abs() < 1e-12, "{carried} {detach}: {found} and not {expected}");
        }
    }
}

/// Noise is that of a sample's number, whatever batch it is in, and of the key.
#[test]
fn noise_belongs_to_samples_and_keys() {
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &carried("0", NOISE));
    let xs = Tensor::zeros([60, 5, 4], ON);
    let outputs = |sha: Shared, first: i64, count: i64| {
        let _guard = tch::no_grad_guard();
        let start = net.init_state(count, ON);
        net.scan(&sha, &Inputs::of_steps(xs.narrow(1, first, count)), start, &mut Tap::none()).0
    };
    let sha = Shared::new(0.1);
    let all = outputs(sha, 0, 5);
    assert_eq!(outputs(sha.samples_ahead(2), 2, 3), all.narrow(1, 2, 3));
    assert_ne!(outputs(sha, 2, 3), all.narrow(1, 2, 3));
    assert_ne!(outputs(Shared { key: 1, ..sha }, 0, 5), all);
    let rate = all.mean(Kind::Double).double_value(&[]);
    assert!(rate > 0.0, "{rate}");
}

/// The mean and variance of what arrives, of many samples, are those of the distributions that the text names.
#[test]
fn noise_has_its_mean_and_variance() {
    let text = r#"
dt_ms = 0.1
[population.E]
n = 9
equations = "dv/dt = -v/(1e-9*ms) : 1\narriving : 1\ny = arriving : 1"
inputs = { arriving = 1 }
method = "exponential_euler"
output = "y"
[population.in]
n = 1
kind = "input"
[population.chance]
n = 9
kind = "poisson"
rate = "2*kHz"
[[projection]]
from = "chance"
to = "E.arriving"
connect = { rule = "one_to_one" }
weight = 2
[[background]]
to = "E.arriving"
rate = "13*kHz"
weight = 0.5
[readout]
from = "E"
"#;
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &Network::parse(text).unwrap());
    let xs = Inputs::of_steps(Tensor::zeros([300, 40, 1], ON));
    let (ys, _) = net.scan(&Shared::new(0.1), &xs, net.init_state(40, ON), &mut Tap::none());
    let later = ys.narrow(0, 1, 299);
    let (mean, variance) = (later.mean(Kind::Double).double_value(&[]), later.var(true).double_value(&[]));
    // Poisson: mean 1.3 and variance 1.3, each 0.5 times; once in five steps, 2.
    let (expected, spread) = (0.5 * 1.3 + 2.0 * 0.2, 0.25 * 1.3 + 4.0 * 0.2 * 0.8);
    let numbers = later.numel() as f64;
    assert!((mean - expected).abs() < 5.0 * (spread / numbers).sqrt(), "{mean} and not {expected}");
    assert!((variance - spread).abs() < 0.02 * spread, "{variance} and not {spread}");
}
