//! [`Seconds`]: wall seconds of the parts of a run.

use std::time::Instant;

use serde_json::{Map, Value, json};

/// Wall seconds of the parts of a run, by name, in their order.
#[derive(Debug)]
pub struct Seconds {
    parts: Map<String, Value>,
    began: Instant,
    last: Instant,
}

impl Seconds {
    /// The first part began then.
    pub fn since(began: Instant) -> Self {
        Self { parts: Map::new(), began, last: began }
    }

    /// The part of this name ends now, and the next begins.
    pub(crate) fn lap(&mut self, name: &str) {
        self.parts.insert(name.into(), json!(self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }

    /// Seconds of a part that has ended.
    pub fn of(&self, name: &str) -> Option<f64> {
        self.parts.get(name)?.as_f64()
    }

    /// Seconds of everything so far.
    pub fn total(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The parts, and `total`.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut all = self.parts.clone();
        all.insert("total".into(), json!(self.total()));
        all
    }
}
