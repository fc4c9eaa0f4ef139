//! Networks by kernels for GPUs, on a GPU that the C++ compiler emulates, against their steps.

use bd_core::gpu::Gpu;
use bd_core::testing::{OnGpu, emulated};

use super::carried::{DELAYS_OF_CARRIED, NOISE, carried};
use super::*;

fn gpu() -> Arc<Gpu> {
    emulated(48 << 10, 1)
}

#[track_caller]
fn check(gpu: &Arc<Gpu>, network: &Network, (kind, tolerance): (Kind, f64), size: [i64; 2]) {
    let on = (kind, Device::Cpu);
    let mut params = Params::new(3, on);
    let net = OnGpu(made(&mut params, network), Arc::clone(gpu));
    let [time, batch] = size;
    assert_scan_is_steps(&net, &params, ScanCase { time, batch, on, tolerance, seed: 9 });
}

#[test]
fn scans_are_steps() {
    let gpu = gpu();
    for (delays, size) in DELAYS.into_iter().zip([[19, 3], [1, 2], [24, 1], [37, 2], [12, 3], [9, 4]]) {
        check(&gpu, &text(delays, ""), (Kind::Double, 1e-9), size);
    }
    check(&gpu, &text(DELAYS[2], ""), (Kind::Float, 2e-3), [17, 3]);
}

#[test]
fn scans_of_what_is_carried_and_of_noise_are_steps() {
    let gpu = gpu();
    for (delay, noise) in DELAYS_OF_CARRIED.into_iter().zip([NOISE, "", NOISE, ""]) {
        check(&gpu, &carried(delay, noise), (Kind::Double, 1e-9), [19, 3]);
    }
    check(&gpu, &carried(DELAYS_OF_CARRIED[1], NOISE), (Kind::Float, 5e-3), [11, 2]);
}

/// More neurons than lie side by side, some of which nobody sends to, and more projections to a population than go into one launch.
#[test]
fn scans_of_many_neurons_and_projections_are_steps() {
    let projection = |at: usize| {
        format!(
            "[[projection]]\nname = \"p{at}\"\nfrom = \"{}\"\nto = \"E.g\"\nweight = \"0.2 + 0.1*randn()\"\ndelay = \"{}*ms\"\n\
             connect = {{ rule = \"fixed_total\", n = 40 }}\ntrained = true\n",
            if at.is_multiple_of(3) { "in" } else { "E" },
            f64::from(u32::try_from(at % 4).unwrap()) / 10.0,
        )
    };
    let text = r#"
dt_ms = 0.1
[population.E]
n = 70
equations = "dv/dt = (g - v)/(2*ms) : 1\ndg/dt = -g/(1*ms) : 1"
threshold = "v > 0.3"
reset = "v = 0"
surrogate = { name = "sigmoid", alpha = 4.0 }
initial = { v = "0.4*rand()" }
[population.in]
n = 4
kind = "input"
"#;
    let text = (0..18).map(projection).fold(text.to_owned(), |text, projection| text + &projection);
    check(&gpu(), &Network::parse(&text).unwrap(), (Kind::Double, 1e-10), [11, 2]);
}

/// Neurons that nobody sends to, on both processors.
#[test]
fn scans_of_pacemakers_are_steps() {
    let text = r#"
dt_ms = 0.1
[population.E]
n = 4
equations = "dv/dt = (1 - v)/(2*ms) : 1"
threshold = "v > 0.9"
reset = "v = 0"
surrogate = { name = "sigmoid", alpha = 4.0 }
[population.pace]
n = 3
equations = "dv/dt = 1/tau : 1\ntau : second (trained, positive)"
threshold = "v > 1"
reset = "v = 0"
surrogate = { name = "sigmoid", alpha = 4.0 }
initial = { v = "rand()", tau = "0.4*ms + 0.1*ms*rand()" }
[population.in]
n = 4
kind = "input"
[[projection]]
from = "pace"
to = "E.v"
connect = { rule = "all_to_all" }
weight = "0.2 + 0.1*randn()"
trained = true
[[projection]]
from = "in"
to = "E.v"
connect = { rule = "all_to_all" }
weight = "0.1*randn()"
trained = true
"#;
    let network = Network::parse(text).unwrap();
    check(&gpu(), &network, (Kind::Double, 1e-10), [15, 2]);
    let mut params = Params::new(3, ON);
    let net = made(&mut params, &network);
    assert_scan_is_steps(&net, &params, ScanCase { time: 15, batch: 2, on: ON, tolerance: 1e-10, seed: 9 });
}
