//! [`LearnedDelays`]: delays of the synapses of a projection that training changes.
//!
//! In [`Phase::Fit`] a spike of step `k` is spread over several steps. With `d` the delay of a synapse in steps, `s = 1 + spread`, and `x` the
//! distance of step `k + l` from where the spike would arrive, it adds in step `k + l`, of all lags `l` from 1 to `most + 3`,
//!
//! ```text
//! x = l - (1 + d)
//! w max(0, s - |x|) / s^2
//! ```
//!
//! so that the gradient by `d` is the difference between what would be had of the spike later and earlier: `+ w / s^2` for lags with
//! `0 < x <= s`, and `- w / s^2` for those with `-s < x <= 0`; where `d` is whole, it is the slope on the right.
//!
//! In [`Phase::Predict`] a delay is rounded to whole steps, as in a simulation (but half steps, which float32 may not hold, either way), and in [`Phase::Fit`], too, once the spread is below a step: what
//! training ends with is what is judged. Its gradient is then still that of the triangle with `s = 2`.
//!
//! The triangle is that of Queant, Rancon, Cottereau and Masquelier, "DelRec: learning delays in recurrent spiking neural networks" (2025).

use std::sync::Arc;

use bd_core::{Error, ParamPath, Phase, Result, portable};
use bd_kernel::models::network::{Delays, Synapses};
use bd_networks::LearnedDelay;
use tch::{Kind, Tensor};

/// With a spread of fewer steps, spikes arrive in whole steps, and gradients are those of this spread.
const LEAST_SPREAD: f64 = 1.0;

/// Lags of the synapses of a projection at most. Each takes some 130 bytes while a network learns: 2.6 GB.
const MOST_LAGS: f64 = 2e7;

/// Steps that the delay of a synapse is spread over when it is spread out most, at first: a triangle that reaches `1 + spread` to both sides, at
/// most all that there are.
pub fn lags_of_learned(learned: &LearnedDelay, dt_ms: f64) -> f64 {
    let [most, spread] = [learned.most_ms, learned.spread_ms].map(|ms| ms / dt_ms);
    (2.0 * (1.0 + spread.max(LEAST_SPREAD))).min(most.round() + 3.0)
}

/// Refuses more lags than are allowed, of so many synapses of a projection of this name.
pub(super) fn check_lags(
    name: &str,
    learned: &LearnedDelay,
    synapses: f64,
    dt_ms: f64,
) -> std::result::Result<(), String> {
    let lags = lags_of_learned(learned, dt_ms);
    let all = synapses * lags;
    match all > MOST_LAGS {
        false => Ok(()),
        true => Err(format!(
            "{name}: {synapses:.0} synapses with delays that are learned, spread over {lags:.0} steps each, are {all:.0} lags, and at most \
             {MOST_LAGS:.0} are allowed; take fewer synapses, a smaller 'spread', or longer steps"
        )),
    }
}

/// Delays of the synapses of a projection.
#[derive(Debug)]
pub(super) struct LearnedDelays {
    /// The parameter, `[synapses]`: delays, in multiples of `scale` steps.
    theta: Tensor,
    scale: f64,
    /// By how many steps a spike is spread out now, `[1]`; not trained.
    spread: Tensor,
    /// The longest, in steps.
    most: i64,
    /// By how many steps a spike is spread out before the first update.
    first_spread: f64,
    halves_in: f64,
}

impl LearnedDelays {
    /// With parameters that are made at `path`.
    pub(super) fn new(
        path: &mut ParamPath<'_>,
        name: &str,
        learned: &LearnedDelay,
        delays_ms: &[f64],
        dt_ms: f64,
    ) -> Result<Self> {
        let most = (learned.most_ms / dt_ms).round();
        let scale = most * learned.rate;
        let first_spread = learned.spread_ms / dt_ms;
        check_lags(name, learned, delays_ms.len() as f64, dt_ms)
            .map_err(|message| Error::Config(format!("network: {message}")))?;
        let thetas: Vec<f64> = delays_ms.iter().map(|delay| (delay / dt_ms).clamp(0.0, most) / scale).collect();
        let theta = path.param("delay", |_| Tensor::from_slice(&thetas))?;
        let spread = path.fixed("spread", |_| Tensor::from_slice(&[first_spread]))?;
        Ok(Self { theta, scale, spread, most: most as i64, first_spread, halves_in: learned.halves_in })
    }

    /// The longest lag that a spike can arrive with.
    pub(super) fn longest_lag(&self) -> i64 {
        self.most + 3
    }

    /// In steps, `[synapses]`, float64, in the graph. One that rounding has put beyond a bound is at the bound, and has its gradient.
    pub(super) fn steps(&self) -> Tensor {
        let steps = self.theta.to_kind(Kind::Double) * self.scale;
        let within = steps.detach().clamp(0.0, self.most as f64);
        &steps + (within - steps.detach())
    }

    /// Whole steps, `[synapses]`, float64.
    pub(super) fn whole_steps(&self) -> Tensor {
        rounded(&self.steps())
    }

    /// How a spike arrives while the network learns.
    fn response(&self) -> Response {
        let spread = self.spread.detach().double_value(&[0]).clamp(0.0, self.most as f64);
        Response { s: 1.0 + spread.max(LEAST_SPREAD), whole: spread < LEAST_SPREAD }
    }

    /// Which part of a spike arrives with a lag, of each synapse, in the graph and in the dtype of the parameters.
    pub(super) fn part(&self, phase: Phase, lag: i64) -> Tensor {
        let part = match phase {
            Phase::Fit => self.response().part(&self.steps(), &Tensor::from(lag as f64).to_device(self.theta.device())),
            Phase::Predict => self.whole_steps().eq(lag - 1),
        };
        part.to_kind(self.theta.kind())
    }

    /// Synapses each of which stands for one lag of one of `synapses`, and their weights, in the graph.
    pub(super) fn spread_out(&self, synapses: &Synapses, weights: &Tensor) -> (Arc<Synapses>, Tensor) {
        let (steps, response) = (self.steps(), self.response());
        let (delays, mut of) = (numbers(&steps), Vec::<i64>::new());
        let mut all = Synapses { begins: vec![0], targets: Vec::new(), delays: Delays::Same(0) };
        let (mut own, mut lags) = (Vec::<u16>::new(), Vec::<f64>::new());
        for bounds in synapses.begins.windows(2) {
            for (synapse, delay) in (bounds[0]..).zip(&delays[bounds[0]..bounds[1]]) {
                let middle = delay + 1.0;
                // Those with -s < x <= s.
                let first = ((middle - response.s).floor() as i64 + 1).max(1);
                let last = ((middle + response.s).floor() as i64).min(self.longest_lag());
                for lag in first..=last {
                    all.targets.push(synapses.targets[synapse]);
                    own.push((lag - 1) as u16);
                    of.push(synapse as i64);
                    lags.push(lag as f64);
                }
            }
            all.begins.push(all.targets.len());
        }
        all.delays = Delays::Own(own);
        let device = weights.device();
        let of = Tensor::from_slice(&of).to_device(device);
        let lags = Tensor::from_slice(&lags).to_device(device);
        let parts = response.part(&steps.index_select(0, &of), &lags).to_kind(weights.kind());
        (Arc::new(all), weights.index_select(0, &of) * parts)
    }

    /// The same synapses with their delays in whole steps.
    pub(super) fn rounded(&self, synapses: &Synapses) -> Arc<Synapses> {
        let delays = numbers(&self.whole_steps()).into_iter().map(|steps| steps as u16).collect();
        let (begins, targets) = (synapses.begins.clone(), synapses.targets.clone());
        Arc::new(Synapses { begins, targets, delays: Delays::Own(delays) })
    }

    /// After so many updates: no delay is longer than the longest or below 0, and spikes are spread out less.
    pub(super) fn after_update(&self, updates: u64) {
        let _ = self.theta.shallow_clone().clamp_(0.0, self.most as f64 / self.scale);
        let spread = self.first_spread * portable::pow(0.5, updates as f64 / self.halves_in);
        let _ = self.spread.shallow_clone().fill_(spread);
    }
}

/// How a spike arrives.
#[derive(Debug, Clone, Copy)]
struct Response {
    /// Of the triangle: how far it reaches.
    s: f64,
    /// Whether the triangle is that of the gradient only, and spikes arrive in whole steps.
    whole: bool,
}

impl Response {
    /// Which part of a spike arrives with these lags through synapses with these delays, in steps, float64, in the graph.
    fn part(self, steps: &Tensor, lags: &Tensor) -> Tensor {
        let triangle = triangle(&(lags - 1.0 - steps), self.s);
        match self.whole {
            false => triangle,
            true => {
                let at_once = rounded(steps).eq_tensor(&(lags - 1.0)).to_kind(Kind::Double);
                // Zero, with the gradient.
                at_once + (&triangle - triangle.detach())
            }
        }
    }
}

/// `max(0, s - |x|) / s^2`, with the derivative by `-x` that is on the right where there are two.
fn triangle(x: &Tensor, s: f64) -> Tensor {
    let here = x.detach();
    let before = here.gt(-s).logical_and(&here.le(0.0)).to_kind(Kind::Double);
    let behind = here.gt(0.0).logical_and(&here.le(s)).to_kind(Kind::Double);
    (before * (x + s) + behind * (x.neg() + s)) / (s * s)
}

/// Whole steps.
fn rounded(steps: &Tensor) -> Tensor {
    (steps.detach() + 0.5).floor()
}

/// On the host.
fn numbers(steps: &Tensor) -> Vec<f64> {
    let host = steps.detach().to_device(tch::Device::Cpu).contiguous();
    Vec::try_from(host).expect("a list of numbers in float64")
}
