//! The tutorial's spiking network against BrainPy 2.2.4.0 (tests/data/snn_small and snn_full, see its README.md): traces, loss,
//! gradients, and weights after updates by Adam in BrainPy's form. 100 inputs, 10 LIF neurons, 2 leaky integrators, steps of
//! 0.1 ms; 4 samples of 200 steps, and 256 of 2,000.

use std::collections::HashMap;
use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Inputs, Params, Shared, Spikes, Stack, System, Tap, scan_by_step};
use bd_models::SnnConfig;
use bd_train::data::Examples;
use bd_train::optim::{EpsOn, Rule};
use bd_train::{Bptt, Loss, Objective, OptimConfig, OverTime};
use tch::{Device, Kind, Tensor};

/// Largest differences allowed, relative to scale.
struct Tolerances {
    traces: f64,
    /// The gradient of the first matrix is the most sensitive number of all, for the surrogate is narrow.
    gradients: f64,
    /// Weights after 1, 2 and 10 updates; each update moves by the sign of the gradient at first.
    weights: f64,
}

const DOUBLE: Tolerances = Tolerances { traces: 1e-11, gradients: 1e-11, weights: 1e-11 };
const SINGLE: Tolerances = Tolerances { traces: 1e-6, gradients: 5e-5, weights: 5e-5 };
const LOSS: Loss = Loss::CrossEntropy { over: OverTime::Max };

struct Golden {
    name: String,
    tensors: HashMap<String, Tensor>,
    params: Params,
    net: Stack,
    spikes: Spikes,
    labels: Tensor,
    kind: Kind,
}

impl Golden {
    fn load(name: &str, [time, batch]: [usize; 2], kind: Kind) -> Self {
        let suffix = if kind == Kind::Double { "f64" } else { "f32" };
        let name = format!("{name}_{suffix}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/{name}.safetensors"));
        let tensors: HashMap<_, _> = load_tensors(&path).unwrap().into_iter().collect();
        let on = (kind, Device::Cpu);
        let mut params = Params::new(0, on);
        let net = SnnConfig::default().build(&mut params).unwrap();
        let weights = ["i2r", "r2o"].iter().zip(["W1", "W2"]);
        let weights: Vec<_> = weights.map(|(to, from)| (format!("{to}.weight"), tensors[from].copy())).collect();
        params.load(&weights).unwrap();
        // Rows of sample, step and channel, sorted.
        let rows = Vec::<i64>::try_from(tensors["spike_idx"].to_kind(Kind::Int64).flatten(0, -1)).unwrap();
        let mut rows = rows.chunks_exact(3).peekable();
        let spikes = Spikes::from_fn([time, batch, 100], on, |sample, step, channels| {
            while let Some(row) = rows.next_if(|row| row[0] == sample as i64 && row[1] == step as i64) {
                channels.push(row[2] as u32);
            }
        });
        let labels = tensors["labels"].to_kind(Kind::Int64);
        Self { name, tensors, params, net, spikes: spikes.unwrap(), labels, kind }
    }

    fn check(&self, what: &str, found: &Tensor, golden: &str, tolerance: f64) {
        assert_close(
            &format!("{what} in {}", self.name),
            found,
            &self.tensors[golden].to_kind(found.kind()),
            tolerance,
        );
    }

    fn start(&self) -> <Stack as System>::State {
        self.net.init_state(self.spikes.shape()[1] as i64, (self.kind, Device::Cpu))
    }

    fn weights(&self) -> [Tensor; 2] {
        ["i2r.weight", "r2o.weight"].map(|name| self.params.get(name).unwrap().shallow_clone())
    }

    /// Loss and gradients from outputs `[time, batch, 2]`.
    fn check_loss_and_gradients(&self, how: &str, ys: &Tensor, to: &Tolerances) {
        let ys = ys.transpose(0, 1);
        self.check(&format!("maximum over time, {how},"), &ys.amax(1, false).detach(), "out_max", to.traces);
        let loss = LOSS.loss(&ys, &self.labels, None);
        self.check(&format!("loss, {how},"), &loss.detach(), "loss", to.traces);
        let found = Tensor::run_backward(&[loss], &self.weights(), false, false);
        for (found, golden) in found.iter().zip(["grad_W1", "grad_W2"]) {
            self.check(&format!("{golden}, {how},"), found, golden, to.gradients);
        }
    }

    fn check_updates(&self, to: &Tolerances) {
        let rule = Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_on: EpsOn::Uncorrected };
        let optim = OptimConfig { lr: 2e-3, rule, ..OptimConfig::default() };
        let examples = Examples::new(Inputs::Spikes(self.spikes.clone()), self.labels.shallow_clone()).unwrap();
        let mut bptt = Bptt::new(&self.net, &self.params, LOSS, &optim, Shared::new(0.1)).unwrap();
        let mut losses = Vec::new();
        for step in 1..=10 {
            losses.push(bptt.update(&examples).unwrap().loss);
            if matches!(step, 1 | 2 | 10) {
                for (found, matrix) in self.weights().iter().zip(["W1", "W2"]) {
                    let golden = format!("after{step}_{matrix}");
                    self.check(&golden, &found.detach(), &golden, to.weights);
                }
            }
        }
        self.check("losses of ten updates", &Tensor::from_slice(&losses), "losses", to.weights);
    }
}

/// Every trace, by steps and by the fused kernel, from a dense tensor and from spikes.
fn small(kind: Kind, to: &Tolerances) {
    let golden = Golden::load("snn_small", [200, 4], kind);
    let (sha, xs) = (Shared::new(0.1), golden.spikes.to_dense());
    let states = ["i2r.g", "r.v", "r.spike", "r2o.g", "o.v"];
    for how in ["by steps", "fused", "fused from spikes"] {
        let scan = |tap: &mut Tap| match how {
            "by steps" => scan_by_step(&golden.net, &sha, &xs, golden.start(), tap).0,
            "fused" => golden.net.scan(&sha, &Inputs::of_steps(&xs), golden.start(), tap).0,
            _ => golden.net.scan(&sha, &Inputs::from(&golden.spikes), golden.start(), tap).0,
        };
        let mut tap = Tap::new(states);
        golden.check_loss_and_gradients(&format!("{how} and recorded"), &scan(&mut tap), to);
        let records = tap.finish().unwrap();
        for (state, brainpy) in states.iter().zip(["i2r.g", "r.V", "r.spike", "r2o.g", "o.V"]) {
            let tolerance = if *state == "r.spike" { 0.0 } else { to.traces };
            let found = records[*state].detach();
            golden.check(&format!("{state} {how}"), &found, &format!("trace_{brainpy}"), tolerance);
        }
        golden.check_loss_and_gradients(how, &scan(&mut Tap::none()), to);
    }
    golden.check_updates(to);
}

fn full(kind: Kind, to: &Tolerances) {
    let golden = Golden::load("snn_full", [2000, 256], kind);
    let mut tap = Tap::new(["r.spike"]);
    let ys = golden.net.scan(&Shared::new(0.1), &Inputs::from(&golden.spikes), golden.start(), &mut tap).0;
    golden.check_loss_and_gradients("recorded", &ys, to);
    let counts = tap.finish().unwrap()["r.spike"].detach().sum_dim_intlist(1, false, kind);
    golden.check("hidden spikes", &counts, "hidden_spike_count", 0.0);
    let ys = golden.net.scan(&Shared::new(0.1), &Inputs::from(&golden.spikes), golden.start(), &mut Tap::none()).0;
    golden.check("steps of the maxima", &ys.argmax(0, false), "out_argmax_t", 0.0);
    golden.check_loss_and_gradients("fused", &ys, to);
    golden.check_updates(to);
}

#[test]
fn small_in_float64() {
    small(Kind::Double, &DOUBLE);
}

#[test]
fn small_in_float32() {
    small(Kind::Float, &SINGLE);
}

#[test]
fn full_in_float64() {
    full(Kind::Double, &DOUBLE);
}

#[test]
fn full_in_float32() {
    full(Kind::Float, &SINGLE);
}
