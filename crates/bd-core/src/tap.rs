//! [`Tap`]: which states a scan records, by name.

use std::collections::{BTreeMap, BTreeSet};

use tch::Tensor;

use crate::error::{Error, Result};
use crate::state::{StateTree, join};

/// Records the states that were asked for. Scans of consecutive stretches of time append.
///
/// Scans put `[time, batch, n]`, as time comes first inside them; [`finish`](Self::finish) hands out `[batch, time, n]`.
///
/// A system knows its states by their own names; whoever holds the system under a name wraps its scan in
/// [`within`](Self::within), so that the caller asks for `r.v` and the system puts `v`.
#[derive(Debug, Default)]
pub struct Tap {
    wanted: BTreeSet<String>,
    prefix: String,
    records: BTreeMap<String, Vec<Tensor>>,
}

impl Tap {
    /// Records nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Records the states of these names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { wanted: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether anything at all is to be recorded: lets a scan skip its bookkeeping.
    pub fn wants_any(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether this state is to be recorded.
    pub fn wants(&self, name: &str) -> bool {
        self.wants_any() && self.wanted.contains(&join(&self.prefix, name))
    }

    /// Records `[time, batch, n]` values of a state after each step, if they are wanted.
    pub fn put(&mut self, name: &str, values: Tensor) {
        if self.wants(name) {
            self.records.entry(join(&self.prefix, name)).or_default().push(values);
        }
    }

    /// Runs `f` with the names of everything inside it prefixed by `name`.
    pub fn within<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let inner = join(&self.prefix, name);
        let outer = std::mem::replace(&mut self.prefix, inner);
        let guard = RestorePrefix { tap: self, outer };
        f(guard.tap)
    }

    /// Refuses names that `state`, which is that of the system to be scanned, does not have: before anything is computed.
    pub fn check<S: StateTree>(&self, state: &S) -> Result<()> {
        if !self.wants_any() {
            return Ok(());
        }
        self.refuse_absent(&state.named().into_iter().map(|(name, _)| name).collect())
    }

    /// The records, each `[batch, time, n]`. A name that no scan has put is an error.
    pub fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        self.refuse_absent(&self.records.keys().cloned().collect())?;
        let batch_first = |mut parts: Vec<Tensor>| match parts.len() {
            1 => parts.remove(0).transpose(0, 1),
            _ => Tensor::cat(&parts, 0).transpose(0, 1),
        };
        Ok(self.records.into_iter().map(|(name, parts)| (name, batch_first(parts))).collect())
    }

    fn refuse_absent(&self, known: &BTreeSet<String>) -> Result<()> {
        let absent: Vec<_> = self.wanted.difference(known).map(String::as_str).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let there_are = if known.is_empty() { "there is none".to_owned() } else { format!("there are: {known}") };
        Err(Error::Config(format!("no state is called {}; {there_are}", absent.join(" or "))))
    }
}

/// Leaves the prefix as it was, also when a scan panics in libtorch and the panic becomes an error further out.
struct RestorePrefix<'a> {
    tap: &'a mut Tap,
    outer: String,
}

impl Drop for RestorePrefix<'_> {
    fn drop(&mut self) {
        self.tap.prefix = std::mem::take(&mut self.outer);
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Two stretches of three and two steps, of four samples and one unit.
    #[test]
    fn records_of_stretches_are_joined_along_time_and_handed_out_batch_first() {
        let mut tap = Tap::new(["r.v"]);
        let all = Tensor::arange(20, (Kind::Int64, Device::Cpu)).reshape([5, 4, 1]);
        for (from, steps) in [(0, 3), (3, 2)] {
            tap.within("r", |tap| tap.put("v", all.narrow(0, from, steps)));
        }
        let records = tap.finish().unwrap();
        assert_eq!(records["r.v"].size(), [4, 5, 1]);
        assert_eq!(records["r.v"], all.transpose(0, 1));
    }

    #[test]
    fn names_that_no_state_has_are_named_with_those_that_there_are() {
        let state = (Tensor::zeros([1], (Kind::Float, Device::Cpu)), ());
        let error = Tap::new(["0", "v"]).check(&state).unwrap_err().to_string();
        assert_eq!(error, "no state is called v; there are: 0");
        Tap::new(["0"]).check(&state).unwrap();
        Tap::none().check(&()).unwrap();
        assert_eq!(Tap::new(["v"]).finish().unwrap_err().to_string(), "no state is called v; there is none");
    }
}
