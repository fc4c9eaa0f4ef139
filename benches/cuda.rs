//! Spiking networks and cells of rates on a GPU, forward and adjoint, float32.
//!
//!     cargo bench --bench cuda                       a table of medians on cuda:0
//!     cargo bench --bench cuda -- --device cuda:1
//!     cargo bench --bench cuda -- --quick            fewer sizes
//!
//! Every time ends when the GPU has done its work. Bandwidth is that of the bytes that have to move, in what a copy on the same GPU
//! reaches in the same run. Of LIF neurons these are, for each neuron and step, four bytes each of: forward, the current read, the
//! spike written, and the distance from the threshold kept; backward, that distance and what is asked of the spike read, and what is
//! asked of the current written: 24 in all.

use std::time::Instant;

use bd_core::{
    DeviceSpec, Inputs, Params, Result, Rng, Shared, Spikes, StateTree, System, Tap, catch_torch, cuda, scan_by_step,
};
use bd_models::{Cell, Lif, LifConfig, RateNetConfig, SnnConfig};
use tch::{Cuda, Device, Kind, Tensor};

use cells::{Case, net, of_libtorch};
use network::{BATCH, INPUTS, STEPS, network};

#[path = "shared/cells.rs"]
mod cells;

#[path = "shared/network.rs"]
mod network;

/// Bytes that have to move for a LIF neuron and step.
const LIF_BYTES: f64 = 24.0;
/// And for the loss: two numbers read and their product written, that read for the sum, and what is asked of a spike made of two.
const LOSS_BYTES: f64 = 24.0;
/// Samples of the training part of the Spiking Heidelberg Digits.
const DIGITS: f64 = 8156.0;

struct Bench {
    on: (Kind, Device),
    index: i64,
    repeats: usize,
}

impl Bench {
    /// Median seconds of something that is done to the end on the GPU, after two times that do not count.
    fn median(&self, mut work: impl FnMut()) -> f64 {
        let mut once = || {
            Cuda::synchronize(self.index);
            let began = Instant::now();
            work();
            Cuda::synchronize(self.index);
            began.elapsed().as_secs_f64()
        };
        let mut seconds: Vec<f64> = (0..self.repeats + 2).map(|_| once()).skip(2).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }

    /// Seconds of a forward pass and of the gradients of `of` for the sum of all outputs.
    fn pass(&self, of: &[&Tensor], forward: impl Fn() -> Tensor) -> f64 {
        self.median(|| {
            let loss = forward().square().sum(self.on.0);
            let _ = Tensor::run_backward(&[loss], of, false, false);
        })
    }

    fn draw(&self, name: &str, shape: &[i64]) -> Tensor {
        Rng::new(0, name).tensor(shape, self.on, Rng::normal)
    }

    /// Bytes per second, read and written, of a copy of a gigabyte.
    fn bandwidth(&self) -> f64 {
        let from = Tensor::zeros([1 << 28], self.on);
        let to = from.zeros_like();
        2.0 * 4.0 * from.numel() as f64 / self.median(|| to.shallow_clone().copy_(&from))
    }

    fn lif(&self, quick: bool) -> Result<()> {
        let bandwidth = self.bandwidth();
        println!("copy {:.0} GB/s", bandwidth / 1e9);
        println!("{:34} {:>9} {:>18} {:>10}", "LIF: samples, neurons, steps", "ms", "neuron-steps / s", "bandwidth");
        let mut worst: Option<(f64, String)> = None;
        let sizes = [16i64, 64, 256].into_iter().flat_map(|batch| [128i64, 512, 4096].map(|n| (batch, n)));
        for (batch, n) in sizes.filter(|size| !quick || *size == (256, 512)) {
            for steps in [100i64, 500] {
                let lif = Lif::new(n, &LifConfig::default())?;
                let currents = (self.draw("currents", &[steps, batch, n]) * 1.5).set_requires_grad(true);
                let asked = self.draw("asked", &[steps, batch, n]);
                let sha = Shared::new(1.0);
                let seconds = self.median(|| {
                    let ys = lif
                        .scan(&sha, &Inputs::of_steps(&currents), lif.init_state(batch, self.on), &mut Tap::none())
                        .0;
                    // The gradient is there already: what makes it is no part of the neurons.
                    let _ = Tensor::run_backward(&[(ys * &asked).sum(self.on.0)], &[&currents], false, false);
                });
                let count = (steps * batch * n) as f64;
                let share = count * (LIF_BYTES + LOSS_BYTES) / seconds / bandwidth;
                let name = format!("{batch}, {n}, {steps}");
                println!("{name:34} {:9.3} {:18.3e} {:9.0} %", seconds * 1e3, count / seconds, share * 100.0);
                if worst.as_ref().is_none_or(|(least, _)| share < *least) {
                    worst = Some((share, name));
                }
            }
        }
        if let Some((share, name)) = worst {
            println!("worst: {name}, {:.0} % of a copy's bandwidth", share * 100.0);
        }
        Ok(())
    }

    /// LIF neurons by kernels and by libtorch's operations, step by step.
    fn beside_steps(&self) -> Result<()> {
        let (steps, batch, n) = (100i64, 256i64, 512i64);
        let lif = Lif::new(n, &LifConfig::default())?;
        let currents = (self.draw("currents", &[steps, batch, n]) * 1.5).set_requires_grad(true);
        let (sha, start) = (Shared::new(1.0), || lif.init_state(batch, self.on));
        let fused =
            self.pass(&[&currents], || lif.scan(&sha, &Inputs::of_steps(&currents), start(), &mut Tap::none()).0);
        let steps = self.pass(&[&currents], || scan_by_step(&lif, &sha, &currents, start(), &mut Tap::none()).0);
        line(
            "LIF, 256 x 512 x 100",
            fused,
            &format!("by libtorch step by step {:.2} ms, {:.1} times", steps * 1e3, steps / fused),
        );
        Ok(())
    }

    fn recurrent(&self) -> Result<()> {
        let mut params = Params::new(0, self.on);
        let net = network(&mut params)?;
        let weights: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
        let weights: Vec<&Tensor> = weights.iter().collect();
        let spikes = Spikes::draw([STEPS, BATCH, INPUTS], self.on, 0.02, &mut Rng::new(0, "spikes"))?;
        let start = || net.init_state(BATCH as i64, self.on);
        let pass = |spikes: &Spikes| net.scan(&Shared::new(1.0), &Inputs::from(spikes), start(), &mut Tap::none()).0;
        let seconds = self.pass(&weights, || pass(&spikes));
        let batches = DIGITS / BATCH as f64;
        line(
            "700 -> 2 x 512 recurrent, 256 x 250",
            seconds,
            &format!("an epoch of 8,156 samples {:.3} s", seconds * batches),
        );
        // As in a training that draws other samples for each update: they are moved and put in order every time.
        let order: Vec<usize> = (0..BATCH).rev().collect();
        let seconds = self.pass(&weights, || pass(&spikes.select(&order).expect("they are there")));
        line("the same, spikes moved each time", seconds, &format!("an epoch {:.3} s", seconds * batches));
        Ok(())
    }

    fn tutorials(&self) -> Result<()> {
        let mut params = Params::new(0, self.on);
        let net = SnnConfig::default().build(&mut params)?;
        let spikes = Spikes::draw([2000, 256, 100], self.on, 0.0005, &mut Rng::new(0, "spikes"))?;
        self.network(
            "spiking tutorial, 256 x 2000",
            &net,
            &params,
            |s, tap| net.scan(&Shared::new(1.0), &Inputs::from(&spikes), s, tap).0,
            256,
        );
        for cell in Cell::all() {
            let config = RateNetConfig { cell, ..RateNetConfig::default() };
            let mut params = Params::new(0, self.on);
            let net = config.build(&mut params)?;
            let xs = self.draw("xs", &[25, 128, 1]);
            let name = format!("{} tutorial, 128 x 25", cell.name());
            self.network(
                &name,
                &net,
                &params,
                |s, tap| net.scan(&Shared::new(1.0), &Inputs::of_steps(&xs), s, tap).0,
                128,
            );
        }
        Ok(())
    }

    /// Cells beside libtorch's own layers, which on a GPU are cuDNN's, and beside their steps.
    fn cells(&self, quick: bool) -> Result<()> {
        let sizes = [(100, 25, 128), (512, 250, 64), (1024, 100, 256)];
        let cases = ["rnn", "gru", "lstm"].into_iter().flat_map(|cell| sizes.map(|size| (cell, size)));
        for (cell, (n, time, batch)) in cases.filter(|(_, size)| !quick || size.0 != 1024) {
            let case = Case { cell, n, batch };
            let mut params = Params::new(0, self.on);
            let (net, _) = net(&case, &mut params)?;
            let weights: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
            let xs = self.draw("xs", &[time, batch, 1]) * 0.1;
            let (sha, start) = (Shared::new(0.04), || net.init_state(batch, self.on));
            let weights: Vec<&Tensor> = weights.iter().collect();
            let own = self.pass(&weights, || net.scan(&sha, &Inputs::of_steps(&xs), start(), &mut Tap::none()).0);
            let steps = self.pass(&weights, || scan_by_step(&net, &sha, &xs, start(), &mut Tap::none()).0);
            let (tensors, theirs) = of_libtorch(&case, &xs);
            let theirs = self.pass(&tensors.iter().collect::<Vec<_>>(), theirs);
            let beside = [("libtorch's layer", theirs), ("its steps", steps)]
                .map(|(name, seconds)| format!("{name} {:.3} ms, {:.1} times", seconds * 1e3, seconds / own));
            line(&format!("{cell} {n} x {time} x {batch}"), own, &beside.join("; "));
        }
        Ok(())
    }

    fn network<S: System>(
        &self,
        name: &str,
        net: &S,
        params: &Params,
        scan: impl Fn(S::State, &mut Tap) -> Tensor,
        batch: i64,
    ) {
        let weights: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
        let seconds =
            self.pass(&weights.iter().collect::<Vec<_>>(), || scan(net.init_state(batch, self.on), &mut Tap::none()));
        let leaves = net.init_state(1, self.on).named().len();
        line(name, seconds, &format!("forward and adjoint, {leaves} leaves of state"));
    }
}

fn line(name: &str, seconds: f64, rest: &str) {
    println!("{name:40} {:9.3} ms   {rest}", seconds * 1e3);
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let spec: DeviceSpec = after("--device").map_or("cuda", String::as_str).parse()?;
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let device = spec.resolve()?;
    let Device::Cuda(index) = device else { return Err(bd_core::Error::Config("this is for GPUs".into())) };
    println!("{}", cuda::gpus()?[index].name);
    let bench = Bench { on: (Kind::Float, device), index: index as i64, repeats: if quick { 5 } else { 15 } };
    catch_torch(|| {
        bench.lif(quick)?;
        bench.beside_steps()?;
        bench.recurrent()?;
        bench.tutorials()?;
        bench.cells(quick)
    })
}
