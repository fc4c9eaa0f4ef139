//! A rate network against BrainPy 2.2.4.0 (tests/data/rnn_small, see its README.md): outputs, states, loss, gradients,
//! and parameters after updates by Adam in BrainPy's form. One input, 8 units, one output; 4 samples of 25 steps; mean
//! squared error and `2e-4` times the sum of squares of all parameters. BrainPy's trained initial state stays at zero;
//! what its gradient should be is in rnn_intended_h0.

use std::collections::HashMap;
use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Chain, Inputs, Params, Shared, System, Tap, scan_by_step};
use bd_models::{Linear, LinearConfig, Rnn, RnnConfig};
use bd_train::data::Examples;
use bd_train::optim::{EpsOn, Rule};
use bd_train::{Bptt, Loss, Objective, OptimConfig, Penalty, Schedule};
use tch::{Device, Kind, Tensor};

const TOLERANCE: f64 = 1e-12;

/// Our names of the parameters and BrainPy's.
const NAMES: [(&str, &str); 5] =
    [("r.input_weight", "Wi"), ("r.recurrent_weight", "Wh"), ("r.bias", "b"), ("o.weight", "Wo"), ("o.bias", "bo")];

struct Golden {
    tensors: HashMap<String, Tensor>,
    params: Params,
    net: Chain<Rnn, Linear>,
}

impl Golden {
    fn load(name: &str, train_initial_state: bool) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/{name}.safetensors"));
        let tensors: HashMap<_, _> = load_tensors(&path).unwrap().into_iter().collect();
        let mut params = Params::new(0, (Kind::Double, Device::Cpu));
        let config = RnnConfig { train_initial_state, ..RnnConfig::default() };
        let rnn = Rnn::new(&mut params.at("r"), 1, 8, &config).unwrap();
        let readout = Linear::new(&mut params.at("o"), 8, 1, &LinearConfig::default()).unwrap();
        let initial: Vec<_> = params
            .named()
            .into_iter()
            .map(|(name, _)| {
                let theirs = NAMES.iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| format!("init_{theirs}"));
                let value = tensors[theirs.as_deref().unwrap_or("h0")].copy();
                (name, value)
            })
            .collect();
        params.load(&initial).unwrap();
        Self { tensors, params, net: Chain::new(("r", rnn), ("o", readout)).unwrap() }
    }

    /// `[time, batch, n]`.
    fn xs(&self) -> Tensor {
        self.tensors["x"].transpose(0, 1).contiguous()
    }

    fn check(&self, what: &str, found: &Tensor, golden: &str) {
        assert_close(what, &found.detach(), &self.tensors[golden], TOLERANCE);
    }

    /// By steps and by the fused kernel: outputs, loss and gradients, and the states if they are known.
    fn check_gradients(&self) {
        for by_step in [true, false] {
            let (sha, start) = (Shared::new(0.04), self.net.init_state(4, (Kind::Double, Device::Cpu)));
            let mut tap = Tap::new(self.tensors.contains_key("h").then_some("r.h"));
            let (ys, _) = match by_step {
                true => scan_by_step(&self.net, &sha, &self.xs(), start, &mut tap),
                false => self.net.scan(&sha, &Inputs::of_steps(self.xs()), start, &mut tap),
            };
            let ys = ys.transpose(0, 1);
            self.check("output", &ys, "out");
            if let Some(h) = tap.finish().unwrap().get("r.h") {
                self.check("h", h, "h");
            }
            let loss = Loss::Mse.loss(&ys, &self.tensors["y"], None) + penalty(&self.params);
            self.check("loss", &loss, "loss");
            let all = self.params.trainable();
            let tensors: Vec<&Tensor> = all.iter().map(|(_, tensor)| tensor).collect();
            for ((name, _), gradient) in all.iter().zip(Tensor::run_backward(&[loss], &tensors, false, false)) {
                let theirs = NAMES.iter().find(|(ours, _)| ours == name).map_or("h0", |(_, theirs)| theirs);
                self.check(&format!("gradient of {name}"), &gradient, &format!("grad_{theirs}"));
            }
        }
    }
}

/// `2e-4` times the sum of squares of all parameters.
fn penalty(params: &Params) -> Tensor {
    let squares = params.trainable().into_iter().map(|(_, tensor)| tensor.square().sum(Kind::Double));
    squares.reduce(|a, b| a + b).expect("there are parameters") * 2e-4
}

#[test]
fn gradients_are_brainpys() {
    Golden::load("rnn_small_f64", false).check_gradients();
}

#[test]
fn a_trained_initial_state_has_the_gradient_that_brainpy_intended() {
    Golden::load("rnn_intended_h0_f64", true).check_gradients();
}

#[test]
fn parameters_after_ten_updates_are_brainpys() {
    let golden = Golden::load("rnn_small_f64", false);
    let examples =
        Examples::new(Inputs::batch_first(&golden.tensors["x"]).unwrap(), golden.tensors["y"].copy()).unwrap();
    let rule = Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 0.1, eps_on: EpsOn::Uncorrected };
    let schedule = Schedule::ExponentialDecay { rate: 0.99975, steps: 1.0 };
    let optim = OptimConfig { lr: 0.025, rule, schedule };
    let bptt = Bptt::new(&golden.net, &golden.params, Loss::Mse, &optim, Shared::new(0.04)).unwrap();
    let mut bptt = bptt.penalty(Penalty { l2: 2e-4, ..Penalty::default() }).unwrap();
    let mut losses = Vec::new();
    for step in 1..=10 {
        losses.push(bptt.update(&examples).unwrap().loss);
        if matches!(step, 1 | 2 | 10) {
            for (ours, theirs) in NAMES {
                let found = golden.params.get(ours).unwrap();
                golden.check(&format!("{ours} after {step} updates"), found, &format!("after{step}_{theirs}"));
            }
        }
    }
    golden.check("losses", &Tensor::from_slice(&losses), "losses");
}
