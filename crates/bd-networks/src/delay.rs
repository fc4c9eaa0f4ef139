//! Delays of a projection: as they are written, and what becomes of them where they are learned.

use std::fmt;

use bd_equations::{Dimension, Error, Quantity, Result, Value};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::edges::LONGEST;

/// How long spikes travel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DelayText {
    /// A time. With `rand()` or `randn()` another one for each synapse.
    Fixed(Value),
    /// Of each synapse its own, learned where the network is trained.
    Learned(LearnedDelayText),
}

/// Delays that are learned, as they are written: `{ learned = "20*ms*rand()", most = "25*ms" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LearnedDelayText {
    /// What they begin with.
    pub learned: Value,
    /// The longest that one may become.
    pub most: Value,
    /// By how much a spike is spread out in time at first, while the network is trained; half of `most` without.
    #[serde(default)]
    pub spread: Option<Value>,
    /// Updates in which the spread becomes half as wide; 100 without.
    #[serde(default)]
    pub halves_in: Option<f64>,
    /// How many times `most` a learning rate of 1 moves a delay by; 1 without.
    #[serde(default)]
    pub rate: Option<f64>,
}

/// Delays that are learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnedDelay {
    /// The longest, a whole number of steps, in ms.
    pub most_ms: f64,
    /// By how much a spike is spread out before the first update, in ms.
    pub spread_ms: f64,
    /// Updates in which the spread becomes half as wide.
    pub halves_in: f64,
    /// How many times `most_ms` a learning rate of 1 moves a delay by.
    pub rate: f64,
}

/// Updates in which the spread becomes half as wide, where the text does not say.
const HALVES_IN: f64 = 100.0;

impl Default for DelayText {
    fn default() -> Self {
        Self::Fixed(Value::Number(0.0))
    }
}

impl DelayText {
    /// The delays that synapses have at first, and what is learned, if they are learned.
    pub(crate) fn read(&self, part: &str, dt_ms: f64) -> Result<(Quantity, Option<LearnedDelay>)> {
        match self {
            Self::Fixed(value) => Ok((time(part, value)?, None)),
            Self::Learned(text) => {
                Ok((time(&format!("{part}.learned"), &text.learned)?, Some(text.read(part, dt_ms)?)))
            }
        }
    }
}

impl LearnedDelayText {
    fn read(&self, part: &str, dt_ms: f64) -> Result<LearnedDelay> {
        let longest = LONGEST as f64 * dt_ms;
        let most_ms = constant(&format!("{part}.most"), &self.most)?;
        if !(most_ms >= dt_ms && most_ms <= longest) {
            let message =
                format!("a longest delay of {most_ms} ms cannot be; it is from {dt_ms} ms, a step, to {longest} ms");
            return Err(Error::of(format!("{part}.most"), message));
        }
        // Whole steps, but for rounding of what is a whole number of steps.
        let most_ms = (most_ms / dt_ms - 1e-6).ceil() * dt_ms;
        let spread_ms = match &self.spread {
            None => most_ms / 2.0,
            Some(spread) => constant(&format!("{part}.spread"), spread)?,
        };
        if !(0.0..=most_ms).contains(&spread_ms) {
            let message = format!("a spread of {spread_ms} ms cannot be; it is from 0 to 'most', {most_ms} ms");
            return Err(Error::of(format!("{part}.spread"), message));
        }
        let above_zero = |key: &str, value: Option<f64>, usual: f64| match value.unwrap_or(usual) {
            value if value > 0.0 && value.is_finite() => Ok(value),
            value => Err(Error::of(format!("{part}.{key}"), format!("{value} cannot be; it is above 0"))),
        };
        let halves_in = above_zero("halves_in", self.halves_in, HALVES_IN)?;
        let rate = self.rate.unwrap_or(1.0);
        if !(1e-3..=1e3).contains(&rate) {
            return Err(Error::of(format!("{part}.rate"), format!("{rate} cannot be; it is from 0.001 to 1000")));
        }
        Ok(LearnedDelay { most_ms, spread_ms, halves_in, rate })
    }
}

fn time(part: &str, value: &Value) -> Result<Quantity> {
    let delay = Quantity::parse(part, value)?;
    if delay.dimension != Dimension::SECOND && delay.constant() != Some(0.0) {
        let message = format!("a delay is a time, such as \"1.5*ms\", and this is of unit {}", delay.dimension);
        return Err(Error::of(part, message));
    }
    Ok(delay)
}

/// A time that is the same for all synapses, in ms.
fn constant(part: &str, value: &Value) -> Result<f64> {
    let message = "it is the same for all synapses; only 'learned' may have rand() or randn()";
    time(part, value)?.constant().ok_or_else(|| Error::of(part, message))
}

impl<'de> Deserialize<'de> for DelayText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(AnyDelay)
    }
}

/// Reads either form by itself, so that what is wrong within a table is named.
struct AnyDelay;

impl<'de> Visitor<'de> for AnyDelay {
    type Value = DelayText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DelayText")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<DelayText, E> {
        Ok(DelayText::Fixed(Value::Text(text.to_owned())))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<DelayText, E> {
        Ok(DelayText::Fixed(Value::Number(number)))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<DelayText, E> {
        Ok(DelayText::Fixed(Value::Number(number as f64)))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<DelayText, E> {
        Ok(DelayText::Fixed(Value::Number(number as f64)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<DelayText, A::Error> {
        LearnedDelayText::deserialize(MapAccessDeserializer::new(map)).map(DelayText::Learned)
    }
}
