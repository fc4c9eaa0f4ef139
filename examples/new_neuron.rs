//! Prints the same loss twice, below 0.35, and a factor, above 2 with `--release`: a neuron of one's own, trained by steps; then the
//! same as a formula, fused.
//!
//! The neuron is an adaptive LIF: every spike raises its threshold, `th = 1 + 0.2 a`, for a while (Bellec et al. 2018).
//! It learns to tell random spike trains of two labels apart, in a network with the layers of bd.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bd_core::kernel::{AnyKernel, Num, Unit, UnitKernel, Units, spike};
use bd_core::{DynSystem, Inputs, Params, Rng, Shared, Spikes, Stack, System, state, threads};
use bd_models::expon::behind_synapses;
use bd_models::{LeakyIntegrator, LeakyIntegratorConfig, Surrogate, Synapse, SynapseConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, Loss, OptimConfig, OverTime};
use tch::{Device, Kind, Tensor};

// A neuron by steps of libtorch: a state, its beginning, a step.

const BETA: f64 = 0.2;
const KEEP_V: f64 = 0.95;
const KEEP_A: f64 = 0.99;

state! {
    struct Adaptive { v: Tensor, a: Tensor }
}

#[derive(Debug)]
struct AdaptiveLif(i64);

impl System for AdaptiveLif {
    type State = Adaptive;

    fn n_in(&self) -> i64 {
        self.0
    }

    fn n_out(&self) -> i64 {
        self.0
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Adaptive {
        Adaptive { v: Tensor::zeros([batch, self.0], on), a: Tensor::zeros([batch, self.0], on) }
    }

    fn step(&self, _: &Shared, x: &Tensor, s: &Adaptive) -> (Tensor, Adaptive) {
        let u = &s.v * KEEP_V + x * (1.0 - KEEP_V);
        let spike = spike(&Surrogate::default(), &(&u - &s.a * BETA - 1.0));
        let v = &u * (1.0 - spike.detach());
        (spike.shallow_clone(), Adaptive { v, a: &s.a * KEEP_A + spike })
    }
}

// The same as a formula: the step by libtorch, the loops of the CPU, their adjoint and CUDA C follow from it.

#[derive(Debug, Clone, Copy)]
struct AdaptiveFormula;

impl Unit<2> for AdaptiveFormula {
    const NAME: &'static str = "adaptive lif";
    const STATES: [&'static str; 2] = ["v", "a"];
    type Constants = ();
    type Surrogate = Surrogate;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> Surrogate {
        Surrogate::default()
    }

    /// One loop with the exponential synapses before it.
    fn behind(kernel: &UnitKernel<Self, 2>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        behind_synapses::<_, 2, 3, 4>(kernel, before)
    }

    #[inline(always)]
    fn step<N: Num>(&self, _: &(), x: N, [v, a]: [N; 2], spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        let u = v.scale(KEEP_V) + x.scale(1.0 - KEEP_V);
        let spike = spike((u.clone() - a.clone().scale(BETA)).shift(-1.0));
        let v = u * (-spike.clone().detach()).shift(1.0);
        (spike.clone(), [v, a.scale(KEEP_A) + spike])
    }
}

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const NEURONS: i64 = 20;

/// Trains a network around `neurons`: the last loss, and the seconds of an update.
fn train(neurons: DynSystem, examples: &Examples) -> bd_core::Result<(f64, f64)> {
    const UPDATES: usize = 80;
    let mut params = Params::new(1, ON);
    let net = Stack::new([
        ("i2r", DynSystem::new(Synapse::new(&mut params.at("i2r"), 40, NEURONS, &SynapseConfig::default())?)),
        ("r", neurons),
        ("r2o", DynSystem::new(Synapse::new(&mut params.at("r2o"), NEURONS, 2, &SynapseConfig::default())?)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default())?)),
    ])?;
    let optim = OptimConfig { lr: 1e-2, ..OptimConfig::default() };
    let mut bptt = Bptt::new(&net, &params, Loss::CrossEntropy { over: OverTime::Max }, &optim, Shared::new(1.0))?;
    let began = Instant::now();
    let losses = bptt.fit(UPDATES, |_| examples.batches(64, None), |_, _| Ok(ControlFlow::Continue(())))?;
    Ok((losses[UPDATES - 1], began.elapsed().as_secs_f64() / UPDATES as f64))
}

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let mut rng = Rng::new(0, "data");
    let spikes = Spikes::draw([100, 64, 40], ON, 0.02, &mut rng)?;
    let labels: Vec<i64> = (0..64).map(|_| i64::from(rng.uniform() < 0.5)).collect();
    let examples = Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))?;

    let (loss, by_steps) = train(DynSystem::new(AdaptiveLif(NEURONS)), &examples)?;
    println!("by steps: loss {loss:.4}, {:.2} ms an update", 1e3 * by_steps);
    let (loss, fused) = train(DynSystem::new(Units::new(NEURONS, &AdaptiveFormula)?), &examples)?;
    println!("fused:    loss {loss:.4}, {:.2} ms an update", 1e3 * fused);
    println!("{:.0} times faster", by_steps / fused);
    Ok(())
}
