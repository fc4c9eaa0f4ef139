//! [`Tap`]: which states a scan records, by name.

use std::collections::{BTreeMap, BTreeSet};

use tch::Tensor;

use crate::error::{Error, Result};
use crate::state::join;

/// Records the states that were asked for, as `[time, batch, n]`. Scans of consecutive stretches of time append.
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

    /// The records, each `[time, batch, n]`. A name that no scan has put is an error.
    pub fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        let absent: Vec<_> = self.wanted.iter().filter(|name| !self.records.contains_key(*name)).cloned().collect();
        if !absent.is_empty() {
            return Err(Error::Config(format!("no state is called {}", absent.join(" or "))));
        }
        Ok(self.records.into_iter().map(|(name, parts)| (name, Tensor::cat(&parts, 0))).collect())
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
