//! Networks of populations in training: what updates may not change stays, whatever the rule of the optimiser.

use bd_core::{Inputs, Params, Rng, Shared};
use bd_models::{PopulationNetwork, WrittenNetwork};
use bd_train::data::Examples;
use bd_train::optim::Rule;
use bd_train::{Loss, OptimConfig, Source, TrainConfig, Trainer};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Excitation and inhibition with signs that are kept, delays that are learned, and a projection that may change its signs.
const NETWORK: &str = r#"
dt_ms = 1
[population.in]
n = 6
kind = "input"
[population.E]
n = 12
equations = """
dv/dt = (g_e*(E_e - v) + g_i*(E_i - v) - v) / tau : 1
dg_e/dt = -g_e/(3*ms) : 1
dg_i/dt = -g_i/(5*ms) : 1
"""
threshold = "v > 1"
reset = "v = 0"
method = "exponential_euler"
surrogate = { name = "sigmoid", alpha = 4.0 }
constants = { E_e = 4, E_i = -2, tau = "10*ms" }
[population.I]
n = 5
like = "E"
[[projection]]
from = "in"
to = ["E.g_e", "I.g_e"]
connect = { rule = "fixed_probability", p = 0.5 }
weight = "0.5*rand()"
delay = { learned = "4*ms*rand()", most = "4*ms", spread = "2*ms", halves_in = 8 }
trained = true
keeps_sign = true
[[projection]]
from = "E"
to = "I.g_e"
connect = { rule = "fixed_probability", p = 0.3 }
weight = "0.1*rand()"
trained = true
keeps_sign = true
[[projection]]
from = "I"
to = "E.g_i"
connect = { rule = "fixed_in_degree", n = 2 }
weight = "0.2*rand()"
delay = { learned = "2*ms", most = "3*ms" }
trained = true
keeps_sign = true
[[projection]]
from = "E"
to = "E.v"
connect = { rule = "fixed_probability", p = 0.3 }
weight = "0.1*randn()"
trained = true
[readout]
from = "E"
"#;

fn examples() -> Examples {
    let xs = Rng::new(1, "x").tensor(&[24, 20, 6], ON, |rng| f64::from(u8::from(rng.uniform() < 0.2)));
    let ys = Rng::new(2, "y").tensor(&[24, 20, 12], ON, |rng| f64::from(u8::from(rng.uniform() < 0.3)));
    Examples::new(Inputs::batch_first(&xs).unwrap(), ys).unwrap()
}

/// Learning rates and decays that are far too large move parameters through zero and delays beyond their bounds. No weight changes its sign, no synapse
/// is added, and every delay is one that can be.
#[test]
fn signs_and_bounds_of_delays_survive_every_rule() {
    let rules = [
        Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 2.0 },
        Rule::default(),
        Rule::Momentum { momentum: 0.9 },
    ];
    let written = WrittenNetwork::parse(NETWORK).unwrap();
    for rule in rules {
        let mut params = Params::new(0, ON);
        let no_files = |_: &str| Err("there is none".into());
        let net = PopulationNetwork::new(&mut params.at("net"), written.network(), "E", 5, &no_files).unwrap();
        let weights = || -> Vec<(String, Tensor)> {
            net.weights().map(|(name, weights)| (name.to_owned(), weights.detach().copy())).collect()
        };
        let delays = || -> Vec<Tensor> { net.learned_delays_ms().map(|(_, delays)| delays.copy()).collect() };
        let (before, delays_before) = (weights(), delays());
        let lr = if rule == (Rule::Momentum { momentum: 0.9 }) { 30.0 } else { 0.3 };
        let optim = OptimConfig { lr, rule, ..OptimConfig::default() };
        let config = TrainConfig { epochs: 5, batch: 8, optim, ..TrainConfig::default() };
        let mut trainer = Trainer::new(&net, &params, Loss::Mse, &config, Shared::new(1.0)).unwrap();
        let trained = trainer.fit(Source::Examples(&examples())).unwrap();
        assert_eq!(trained.losses.len(), 15);
        let mut flipped = 0.0;
        for ((name, before), (_, after)) in before.iter().zip(weights()) {
            assert_eq!(before.size(), after.size(), "{name}");
            assert!((before - &after).abs().max().double_value(&[]) > 0.01, "{name} moves, {rule:?}");
            let turned = (before * &after).lt(0.0).sum(Kind::Double).double_value(&[]);
            match name.as_str() {
                "E>E.v" => flipped = turned,
                _ => assert_eq!(turned, 0.0, "{name}, {rule:?}"),
            }
        }
        assert!(flipped > 0.0, "weights without a sign to keep change theirs, {rule:?}");
        for ((before, after), most) in delays_before.iter().zip(delays()).zip([4.0, 4.0, 3.0]) {
            assert!(*before != after, "delays move, {rule:?}");
            assert!(after.min().double_value(&[]) >= 0.0 && after.max().double_value(&[]) <= most, "{rule:?}");
        }
        let bounded = |name: &str| params.get(name).unwrap().le(1.0).all().int64_value(&[]) == 1;
        assert!(bounded("net.in>E.g_e.delay"), "the parameter itself, too");
        // 2 / 2^(15 / 8)
        let spread = params.get("net.in>E.g_e.spread").unwrap().double_value(&[0]);
        assert!((spread - 2.0 * 0.5f64.powf(15.0 / 8.0)).abs() < 1e-12, "{spread}");
    }
}
