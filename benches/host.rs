//! The host's own time of an update on a GPU, without a GPU: kernels of ours do nothing, and what libtorch does is on a few numbers of
//! the CPU, or counted as it is. float32, the networks of the tutorial's second and third part.
//!
//!     cargo bench --bench host
//!     cargo bench --bench host -- --json FILE   and all figures in a file, of which scripts/bench --compare compares two
//!
//! On a GPU each operation of libtorch is a launch of some microseconds in place of a loop over numbers; so the time of the host here is
//! the lesser part of its time there, and moves with it.

use std::ffi::c_void;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bd_core::gpu::{Backend, Gpu, Launch, Module};
use bd_core::testing::OnGpu;
use bd_core::{Inputs, Params, Result, Rng, Shared, Spikes, System, Tap, threads};
use bd_models::{RateNetConfig, SnnConfig};
use bd_train::data::Examples;
use bd_train::loss::OverTime;
use bd_train::{Bptt, Loss, Objective, OptimConfig, Penalty};
use tch::{Device, Kind, Tensor};

use figures::Figures;

#[path = "shared/figures.rs"]
mod figures;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const UPDATES: usize = 400;

/// A GPU that compiles nothing and runs nothing.
#[derive(Debug)]
struct Idle;

impl Backend for Idle {
    fn compile(&self, _text: &str) -> Result<Box<dyn Module>> {
        Ok(Box::new(Idle))
    }

    fn shared_bytes(&self) -> usize {
        227 << 10
    }

    fn products_a_cycle(&self, _kind: Kind) -> usize {
        128
    }

    fn processors(&self) -> usize {
        132
    }
}

impl Module for Idle {
    unsafe fn launch(&self, _kernel: &str, _shape: Launch, _values: &[*const c_void]) -> Result<()> {
        Ok(())
    }
}

/// Seconds of each time.
fn timed(mut work: impl FnMut()) -> Vec<f64> {
    (0..UPDATES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64()
        })
        .collect()
}

/// Scan, scan with its adjoint, and update of a network.
#[allow(clippy::too_many_arguments)]
fn line<S: System>(
    figures: &mut Figures,
    name: &str,
    net: S,
    params: &Params,
    examples: &Examples,
    loss: impl Objective,
    penalty: Penalty,
    sha: Shared,
) -> Result<()> {
    let gpu = Arc::new(Gpu::new(Idle));
    let net = OnGpu(net, Arc::clone(&gpu));
    let trained = params.trainable();
    let of: Vec<&Tensor> = trained.iter().map(|(_, tensor)| tensor).collect();
    let batch = examples.count() as i64;
    let scan = || net.scan(&sha, examples.inputs(), net.init_state(batch, ON), &mut Tap::none()).0;
    let forward = {
        let _guard = tch::no_grad_guard();
        timed(|| drop(scan()))
    };
    let ones = scan().ones_like();
    let both = timed(|| drop(Tensor::run_backward(&[(scan() * &ones).sum(ON.0)], &of, false, false)));
    let mut bptt = Bptt::new(&net, params, loss, &OptimConfig::default(), sha)?.penalty(penalty)?.as_on_gpu(&gpu)?;
    let mut times = Vec::new();
    let mut last = Instant::now();
    // What is never looked at is never refused.
    let _ = bptt.fit(
        UPDATES,
        |_| [Ok(examples.clone())],
        |_, _| {
            times.push(last.elapsed().as_secs_f64());
            last = Instant::now();
            Ok(ControlFlow::Continue(()))
        },
    );
    let mut us = |what: &str, seconds: &[f64]| 1e6 * figures.add(&format!("{name}, {what}"), seconds).median;
    let (forward, both, update) = (us("scan", &forward), us("scan and adjoint", &both), us("update", &times));
    println!("{name:24}{forward:>10.0}{both:>10.0}{update:>10.0}");
    Ok(())
}

fn main() -> Result<()> {
    threads::set(1);
    let mut figures = Figures::new("host", 1);
    println!("{:24}{:>10}{:>10}{:>10}", "us of the host", "scan", "+ adjoint", "update");
    for samples in [1, 128] {
        let mut params = Params::new(0, ON);
        let net = RateNetConfig::default().build(&mut params)?;
        let x = Rng::new(0, "x").tensor(&[samples, 25, 1], ON, Rng::normal);
        let examples = Examples::new(Inputs::batch_first(&x)?, x.copy())?;
        let penalty = Penalty { l1: 0.0, l2: 2e-4 };
        line(
            &mut figures,
            &format!("rnn 1-100-1, {samples} x 25"),
            net,
            &params,
            &examples,
            Loss::Mse,
            penalty,
            Shared::new(1.0),
        )?;
    }
    for samples in [1usize, 256] {
        let mut params = Params::new(0, ON);
        let net = SnnConfig::default().build(&mut params)?;
        let spikes = Spikes::draw([200, samples, 100], ON, 0.0005, &mut Rng::new(0, "spikes"))?;
        let examples =
            Examples::new(Inputs::Spikes(spikes), Tensor::zeros([samples as i64], (Kind::Int64, Device::Cpu)))?;
        let loss = Loss::CrossEntropy { over: OverTime::Max };
        line(
            &mut figures,
            &format!("snn 100-10-2, {samples} x 200"),
            net,
            &params,
            &examples,
            loss,
            Penalty::default(),
            Shared::new(0.1),
        )?;
    }
    figures.write();
    Ok(())
}
