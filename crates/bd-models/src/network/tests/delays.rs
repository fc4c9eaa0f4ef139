use bd_core::contract::central_differences;
use bd_networks::LearnedDelay;

use super::super::delays::LearnedDelays;
use super::*;

/// Delays of so many steps of 0.5 ms, the longest 8 of them.
fn delays(params: &mut Params, steps: &[f64], spread: f64) -> LearnedDelays {
    let learned = LearnedDelay { most_ms: 4.0, spread_ms: 0.5 * spread, halves_in: 10.0, rate: 0.5 };
    let delays_ms: Vec<f64> = steps.iter().map(|steps| 0.5 * steps).collect();
    LearnedDelays::new(&mut params.at("p"), "A>B.v", &learned, &delays_ms, 0.5).unwrap()
}

/// Of each lag from 1 to 11 the part of a spike that arrives with it.
fn parts(delays: &LearnedDelays, phase: Phase) -> Tensor {
    Tensor::stack(&(1..=delays.longest_lag()).map(|lag| delays.part(phase, lag)).collect::<Vec<_>>(), 1)
}

/// By hand: `max(0, s - |l - (1 + d)|) / s^2` with `s = 2`, of `d = 2.3`, `0` and `8`; and one step where the spread is less than one, or nothing learned.
#[test]
fn a_spike_is_spread_out_as_a_triangle() {
    let steps = [2.3, 0.0, 8.0];
    let expected = |rows: [[f64; 11]; 3]| Tensor::from_slice(&rows.concat()).reshape([3, 11]);
    let mut params = Params::new(0, ON);
    let wide = delays(&mut params, &steps, 1.0);
    let rows = [
        [0.0, 0.175, 0.425, 0.325, 0.075, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.25, 0.0],
    ];
    assert_close("a spread of a step", &parts(&wide, Phase::Fit), &expected(rows), 1e-12);
    let whole = [2, 0, 8].map(|steps| std::array::from_fn(|lag| f64::from(u8::from(lag == steps))));
    assert_close("prediction", &parts(&wide, Phase::Predict), &expected(whole), 0.0);
    let mut params = Params::new(0, ON);
    let narrow = delays(&mut params, &steps, 0.9);
    assert_close("less than a step", &parts(&narrow, Phase::Fit), &expected(whole), 0.0);
}

/// Of taps behind and before, over `s^2`, with `s = 2` for a spread of a step or less. Where a delay is whole, its own tap is before.
#[test]
fn the_gradient_is_a_difference_of_taps() {
    for spread in [0.0, 1.0] {
        let mut params = Params::new(0, ON);
        let net = delays(&mut params, &[2.3, 3.0, 0.0, 8.0], spread);
        let asked = Rng::new(0, "asked").tensor(&[4, 11], ON, Rng::normal);
        let loss = (parts(&net, Phase::Fit) * &asked).sum(Kind::Double);
        let found = Tensor::run_backward(&[loss], &[params.get("p.delay").unwrap()], false, false).remove(0);
        let sum = |row: i64, lags: &[i64]| lags.iter().map(|lag| asked.double_value(&[row, lag - 1])).sum::<f64>();
        // By the parameter, which counts in 8 * 0.5 steps.
        let slope = |row, behind: &[i64], before: &[i64]| 4.0 * (sum(row, behind) - sum(row, before)) / 4.0;
        let expected = [
            slope(0, &[4, 5], &[2, 3]),
            slope(1, &[5, 6], &[3, 4]),
            slope(2, &[2, 3], &[1]),
            slope(3, &[10, 11], &[8, 9]),
        ];
        assert_close("gradients", &found, &Tensor::from_slice(&expected), 1e-12);
    }
}

#[test]
fn delays_stay_in_their_bounds_and_the_spread_becomes_narrow() {
    let mut params = Params::new(0, ON);
    let net = delays(&mut params, &[2.0, 4.0, 6.0], 4.0);
    let spread = || params.get("p.spread").unwrap().double_value(&[0]);
    tch::no_grad(|| {
        params.get("p.delay").unwrap().shallow_clone().copy_(&Tensor::from_slice(&[-0.1, 1.0, 7.0]));
        assert_close("before", &net.steps(), &Tensor::from_slice(&[0.0, 4.0, 8.0]), 1e-12);
        net.after_update(10);
    });
    let bounded = Tensor::from_slice(&[0.0, 1.0, 2.0]);
    assert_close("the parameter", &params.get("p.delay").unwrap().detach(), &bounded, 0.0);
    assert!((spread() - 2.0).abs() < 1e-12, "half of what it was: {}", spread());
    tch::no_grad(|| net.after_update(25));
    assert!((spread() - 4.0 * 0.5f64.powf(2.5)).abs() < 1e-12, "{}", spread());
}

/// In float32 the parameter of 25 steps over `7 * 25`, times that, is 25.000002.
#[test]
fn a_delay_at_its_bound_can_leave_it() {
    let mut params = Params::new(0, (Kind::Float, Device::Cpu));
    let learned = LearnedDelay { most_ms: 25.0, spread_ms: 2.0, halves_in: 10.0, rate: 7.0 };
    let net = LearnedDelays::new(&mut params.at("p"), "A>B.v", &learned, &[25.0, 25.0], 1.0).unwrap();
    tch::no_grad(|| net.after_update(1));
    let (theta, steps) = (params.get("p.delay").unwrap(), net.steps());
    let beyond = theta.to_kind(Kind::Double) * 175.0;
    assert!(beyond.gt(25.0).all().int64_value(&[]) == 1, "rounding has put it beyond the bound");
    assert_close("steps", &steps.detach(), &Tensor::from_slice(&[25.0, 25.0]), 0.0);
    let slopes = Tensor::run_backward(&[steps.sum(Kind::Double)], &[theta], false, false).remove(0);
    assert_close("slopes", &slopes, &Tensor::from_slice(&[175.0f32, 175.0]), 0.0);
}

/// 2,000 synapses, over 10,002 steps each.
#[test]
fn too_many_lags_are_refused() {
    let learned = LearnedDelay { most_ms: 1000.0, spread_ms: 500.0, halves_in: 10.0, rate: 1.0 };
    let made = LearnedDelays::new(&mut Params::new(0, ON).at("p"), "A>B.v", &learned, &[0.0; 2000], 0.1);
    assert_eq!(
        made.unwrap_err().to_string(),
        "network: A>B.v: 2000 synapses with delays that are learned, spread over 10002 steps each, are 20004000 lags, and at most \
         20000000 are allowed; take fewer synapses, a smaller 'spread', or longer steps"
    );
}

/// Those that a text says, with their place.
#[test]
fn too_many_lags_of_a_text_are_refused() {
    let delay = "delay = { learned = 0, most = \"1000*ms\" }";
    let text = SMOOTH.lines().map(|line| if line.starts_with("delay") { delay } else { line }).collect::<Vec<_>>();
    let text = text.join("\n").replace("n = 5\n", "n = 1000\n");
    let error = WrittenNetwork::parse(&text).unwrap_err().to_string();
    let words = "projection.1.delay, line 15, column 1: in>V.v: 2800 synapses with delays that are learned, spread over 10002 steps each";
    assert!(error.contains(words), "{error}");
}

/// Membranes without a threshold, so that outputs are smooth in weights and delays but where a delay is whole.
const SMOOTH: &str = r#"
dt_ms = 0.1
[population.in]
n = 5
kind = "input"
[population.V]
n = 4
equations = "dv/dt = -v/(0.4*ms) : 1"
output = "v"
[[projection]]
from = "in"
to = "V.v"
connect = { rule = "fixed_probability", p = 0.7 }
weight = "randn()"
delay = { learned = "0.8*ms*rand()", most = "0.8*ms", spread = SPREAD }
trained = true
keeps_sign = true
"#;

/// To rounding, without a threshold that could turn it into something else.
#[test]
fn a_scan_is_its_steps_to_rounding() {
    for (seed, spread) in ["0", "\"0.1*ms\"", "\"0.35*ms\"", "\"0.8*ms\""].into_iter().enumerate() {
        let network = Network::parse(&SMOOTH.replace("SPREAD", spread)).unwrap();
        let mut params = Params::new(3, ON);
        let net = PopulationNetwork::new(&mut params.at("net"), &network, "V", 5, &no_files).unwrap();
        let case = ScanCase { time: 31, batch: 3, on: ON, tolerance: 1e-12, seed: seed as u64 };
        assert_scan_is_steps(&net, &params, case);
    }
}

/// Of weights and delays, spikes being on their way at both ends of what is scanned.
#[test]
fn gradients_are_central_differences() {
    for spread in ["\"0.1*ms\"", "\"0.14*ms\"", "\"0.8*ms\""] {
        let network = Network::parse(&SMOOTH.replace("SPREAD", spread)).unwrap();
        let mut params = Params::new(3, ON);
        let net = PopulationNetwork::new(&mut params.at("net"), &network, "V", 5, &no_files).unwrap();
        let xs = Rng::new(1, "x").tensor(&[30, 3, 5], ON, |rng| f64::from(u8::from(rng.uniform() < 0.2)));
        let weights = Rng::new(2, "w").tensor(&[30, 3, 4], ON, Rng::normal);
        let sha = Shared::new(0.1).in_phase(Phase::Fit);
        let loss = || {
            let scan = |from: i64, len: i64, state| {
                let xs = Inputs::of_steps(xs.narrow(0, from, len));
                net.scan(&sha, &xs, state, &mut Tap::none())
            };
            let (first, state) = scan(0, 13, net.init_state(3, ON));
            let (second, _) = scan(13, 17, state);
            (Tensor::cat(&[first, second], 0) * &weights).sum(Kind::Double)
        };
        let trained = params.trainable();
        assert_eq!(trained.len(), 2);
        let tensors: Vec<&Tensor> = trained.iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::run_backward(&[loss()], &tensors, false, false);
        for ((name, parameter), gradient) in trained.iter().zip(gradients) {
            let slopes = central_differences(|| tch::no_grad(loss).double_value(&[]), parameter);
            assert_close(&format!("{name}, spread {spread}"), &gradient, &slopes, 1e-7);
            assert!(gradient.abs().max().double_value(&[]) > 0.1);
        }
    }
}
