//! [`Encoder`]: numbers over time as what drives a spiking network, spikes or currents.

use bd_core::{Error, Inputs, Result, Rng, Spike, Spikes, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// How numbers `[batch, time, n]` drive a spiking network. Each of their steps becomes `substeps` steps of the network. `x` is a
/// number as [`scaling`](Self::scaling) has made it.
///
/// | name | in the `substeps` steps of a number | numbers are | parameters |
/// |---|---|---|---|
/// | `none` | zeros and ones are spikes already, and stay what they are | | |
/// | `current` | `x` itself, held, which the synapses take as a current | standardised | `substeps` 1 |
/// | `rate` | in each of them a spike with probability `max_rate x` | from 0 to 1 | `substeps` 1, `max_rate` 1, above 0 up to 1 |
/// | `latency` | one spike, in step `(substeps - 1) (1 - x)`, rounded, counted from 0; none where `x` is 0 | from 0 to 1 | `substeps` 10, from 2 |
/// | `delta` | in the first of them a spike in channel `2k` where `x` of channel `k` is more than `threshold` above what it was at the channel's last spike (or in the first step), in channel `2k + 1` where it is as much below | standardised | `substeps` 1, `threshold` 0.25, above 0 |
///
/// Padding has neither spikes nor currents.
///
/// `rate` and `latency` are snnTorch's `spikegen.rate` (with `gain` for `max_rate`, of inputs that vary in time) and
/// `spikegen.latency` (`linear`, `normalize` and `clip`, with a threshold that only 0 is below; a half is rounded to the even
/// step, as there). `delta` is send-on-delta (Miskowicz, "Send-on-delta concept", Sensors 2006): what the value was at the last
/// spike is always within `threshold` of the value. snnTorch's `spikegen.delta` compares with the step before instead, and
/// loses changes that are slow.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Encoder {
    #[default]
    None,
    Current {
        substeps: usize,
    },
    Rate {
        substeps: usize,
        max_rate: f64,
    },
    Latency {
        substeps: usize,
    },
    Delta {
        substeps: usize,
        threshold: f64,
    },
}

/// How numbers are to be scaled, channel by channel, before they are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// To mean 0 and standard deviation 1.
    Standard,
    /// To 0 at the least and 1 at the greatest; what lies outside becomes 0 or 1.
    UnitRange,
}

/// More steps than this of one number are a mistake.
const MOST_SUBSTEPS: usize = 10_000;

impl Encoder {
    /// Every encoder, with its default parameters.
    pub fn all() -> [Self; 5] {
        [
            Self::None,
            Self::Current { substeps: 1 },
            Self::Rate { substeps: 1, max_rate: 1.0 },
            Self::Latency { substeps: 10 },
            Self::Delta { substeps: 1, threshold: 0.25 },
        ]
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Current { .. } => "current",
            Self::Rate { .. } => "rate",
            Self::Latency { .. } => "latency",
            Self::Delta { .. } => "delta",
        }
    }

    /// Refuses parameters that cannot be.
    pub fn check(&self) -> Result<()> {
        let named = |name: &str| format!("encode.{}.{name}", self.name());
        let (substeps, least) = (self.substeps(), if matches!(self, Self::Latency { .. }) { 2 } else { 1 });
        let fits = (least..=MOST_SUBSTEPS).contains(&substeps);
        setting::check(&named("substeps"), substeps, fits, &format!("from {least} to {MOST_SUBSTEPS}"))?;
        match *self {
            Self::Rate { max_rate, .. } => {
                let fits = max_rate > 0.0 && max_rate <= 1.0;
                setting::check(&named("max_rate"), max_rate, fits, "a probability above 0 and at most 1")
            }
            Self::Delta { threshold, .. } => setting::above_zero(&named("threshold"), threshold),
            _ => Ok(()),
        }
    }

    /// Steps of the network for a step of the data.
    pub fn substeps(&self) -> usize {
        match *self {
            Self::None => 1,
            Self::Current { substeps }
            | Self::Rate { substeps, .. }
            | Self::Latency { substeps }
            | Self::Delta { substeps, .. } => substeps,
        }
    }

    /// Channels of the network for `n` channels of the data.
    pub fn channels(&self, n: i64) -> i64 {
        if matches!(self, Self::Delta { .. }) { 2 * n } else { n }
    }

    /// How numbers must have been scaled.
    pub fn scaling(&self) -> Option<Scaling> {
        match self {
            Self::None => None,
            Self::Current { .. } | Self::Delta { .. } => Some(Scaling::Standard),
            Self::Rate { .. } | Self::Latency { .. } => Some(Scaling::UnitRange),
        }
    }

    /// What drives the network, of dtype and device `on`: of scaled numbers `[batch, time, n]`, of which the first `lengths`,
    /// `[batch]`, are no padding where there are some.
    ///
    /// What is drawn for a sequence is a function of the seed, `stream` and the sequence's number, and the same for any batch that
    /// begins at the same sequence: name the data that it is of.
    pub fn encode(
        &self,
        x: &Tensor,
        lengths: Option<&Tensor>,
        on: (Kind, Device),
        (seed, stream): (u64, &str),
    ) -> Result<Inputs> {
        self.check()?;
        let size = x.size();
        if size.len() != 3 || size.contains(&0) {
            let expected = "[batch, time, n] with at least one of each".into();
            return Err(Error::Shape { what: "numbers to encode".into(), expected, found: size });
        }
        let x = x.to_device(Device::Cpu).to_kind(Kind::Double);
        let lengths = match lengths {
            Some(lengths) => Vec::<i64>::try_from(lengths.to_device(Device::Cpu).to_kind(Kind::Int64))?,
            None => vec![size[1]; size[0] as usize],
        };
        if lengths.len() != size[0] as usize {
            let expected = format!("[{}], one for each sequence", size[0]);
            return Err(Error::Shape { what: "lengths".into(), expected, found: vec![lengths.len() as i64] });
        }
        if let Self::Current { substeps } = *self {
            return current(&x, &lengths, substeps, on);
        }
        let (time, n) = (size[1] as usize * self.substeps(), size[2] as usize);
        let samples = lengths.iter().enumerate().map(|(sample, length)| {
            let rows = Vec::<f64>::try_from(x.get(sample as i64).narrow(0, 0, *length).flatten(0, -1).contiguous())?;
            Ok(self.spikes(rows.chunks(n), &mut Rng::new(seed, &format!("{stream} {sample}"))))
        });
        let samples = samples.collect::<Result<Vec<_>>>()?;
        let channels = self.channels(size[2]) as usize;
        Ok(Inputs::Spikes(Spikes::from_samples([time, channels], on, samples)?))
    }

    /// Of one sequence, given as its steps.
    fn spikes<'a>(&self, steps: impl Iterator<Item = &'a [f64]>, rng: &mut Rng) -> Vec<Spike> {
        let mut spikes = Vec::new();
        let mut sent: Option<Vec<f64>> = None;
        for (step, x) in steps.enumerate() {
            let mut add = |substep: usize, channel: usize| {
                spikes.push(Spike { step: (step * self.substeps() + substep) as u32, channel: channel as u32 });
            };
            match *self {
                Self::None | Self::Current { .. } => ones(x, &mut add),
                Self::Rate { substeps, max_rate } => rate(x, substeps, max_rate, rng, &mut add),
                Self::Latency { substeps } => latency(x, substeps, &mut add),
                Self::Delta { threshold, .. } => {
                    delta(x, threshold, sent.get_or_insert_with(|| x.to_vec()), &mut add);
                }
            }
        }
        spikes
    }
}

fn ones(x: &[f64], add: &mut impl FnMut(usize, usize)) {
    let ones = x.iter().enumerate().filter(|(_, x)| **x != 0.0);
    ones.for_each(|(channel, _)| add(0, channel));
}

fn rate(x: &[f64], substeps: usize, max_rate: f64, rng: &mut Rng, add: &mut impl FnMut(usize, usize)) {
    for substep in 0..substeps {
        for (channel, x) in x.iter().enumerate() {
            if rng.uniform() < x * max_rate {
                add(substep, channel);
            }
        }
    }
}

fn latency(x: &[f64], substeps: usize, add: &mut impl FnMut(usize, usize)) {
    for (channel, x) in x.iter().enumerate().filter(|(_, x)| **x > 0.0) {
        let late = (substeps - 1) as f64 * (1.0 - x.min(1.0));
        add(late.round_ties_even() as usize, channel);
    }
}

/// `sent` holds the values at the last spike of each channel.
fn delta(x: &[f64], threshold: f64, sent: &mut [f64], add: &mut impl FnMut(usize, usize)) {
    for (channel, (x, sent)) in x.iter().zip(sent).enumerate() {
        if (x - *sent).abs() > threshold {
            add(0, 2 * channel + usize::from(x < sent));
            *sent = *x;
        }
    }
}

/// Held for `substeps`, and 0 in padding.
fn current(x: &Tensor, lengths: &[i64], substeps: usize, on: (Kind, Device)) -> Result<Inputs> {
    let steps = Tensor::arange(x.size()[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let padding = steps.ge_tensor(&Tensor::from_slice(lengths).unsqueeze(1)).unsqueeze(2);
    let held = x.masked_fill(&padding, 0.0).repeat_interleave_self_int(substeps as i64, 1, None);
    Inputs::batch_first(&held.to_kind(on.0).to_device(on.1))
}

#[cfg(test)]
mod tests;
