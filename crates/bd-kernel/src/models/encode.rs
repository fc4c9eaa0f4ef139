//! [`Encoder`]: numbers over time as what drives a spiking network, spikes or currents.

use serde::{Deserialize, Serialize};

use crate::{Result, Rng, setting};

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

    /// The spikes of one step of a sequence, each by its substep and channel: of scaled numbers `[n]`. `sent` is what the sequence carries from
    /// one step to the next, and `rng` its random numbers.
    pub fn spikes(&self, x: &[f64], sent: &mut Sent, rng: &mut Rng, add: &mut impl FnMut(usize, usize)) {
        match *self {
            Self::None | Self::Current { .. } => ones(x, add),
            Self::Rate { substeps, max_rate } => rate(x, substeps, max_rate, rng, add),
            Self::Latency { substeps } => latency(x, substeps, add),
            Self::Delta { threshold, .. } => delta(x, threshold, sent.values(x), add),
        }
    }
}

/// The values of a sequence at the last spike of each channel.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    values: Vec<f64>,
    /// Whether there are some.
    begun: bool,
}

impl Sent {
    /// Before the first step, with room for so many channels.
    pub fn new(channels: usize) -> Self {
        Self { values: vec![0.0; channels], begun: false }
    }

    /// Forgets them.
    pub fn reset(&mut self) {
        self.begun = false;
    }

    /// At the first step its own.
    fn values(&mut self, x: &[f64]) -> &mut [f64] {
        if !self.begun {
            self.values.clear();
            self.values.extend_from_slice(x);
            self.begun = true;
        }
        &mut self.values
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
