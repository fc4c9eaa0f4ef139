//! [`Stack`]: layers chosen at run time, each under a name.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::dyn_system::{DynState, DynSystem};
use crate::error::{Error, Result};
use crate::kernel::{Feed, Fused, Processor, scan_fused};
use crate::shared::Shared;
use crate::state::{StateTree, join};
use crate::system::System;
use crate::tap::Tap;

/// Layers in a row. A layer is named once, and the name prefixes its states, as in `r.v`; give its parameters the same
/// (`params.at("r")`).
#[derive(Debug)]
pub struct Stack {
    layers: Vec<(Arc<str>, DynSystem)>,
}

/// State of a [`Stack`]: one for each layer, under the layer's name.
#[derive(Debug)]
pub struct StackState(Vec<(Arc<str>, DynState)>);

impl StateTree for StackState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        for (name, state) in &self.0 {
            state.visit(&join(path, name), f);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let map = |(name, state): &(Arc<str>, DynState)| Ok((Arc::clone(name), state.try_map(&join(path, name), f)?));
        self.0.iter().map(map).collect::<Result<_>>().map(Self)
    }
}

impl Stack {
    /// Layers in order. Fails if there is none, if sizes of neighbours do not meet, or if names would not tell layers apart.
    pub fn new<N: Into<Arc<str>>>(layers: impl IntoIterator<Item = (N, DynSystem)>) -> Result<Self> {
        let layers: Vec<(Arc<str>, DynSystem)> = layers.into_iter().map(|(name, layer)| (name.into(), layer)).collect();
        if layers.is_empty() {
            return Err(Error::Config("a stack needs at least one layer".into()));
        }
        for (i, (name, _)) in layers.iter().enumerate() {
            if name.is_empty() || name.contains('.') || layers[..i].iter().any(|(other, _)| other == name) {
                let rule = "names differ, are not empty and have no dot";
                return Err(Error::Config(format!("layer {i} of a stack cannot be called '{name}'; {rule}")));
            }
        }
        for pair in layers.windows(2) {
            let [(a, before), (b, after)] = pair else { unreachable!("windows of two") };
            if before.n_out() != after.n_in() {
                let (n_out, n_in) = (before.n_out(), after.n_in());
                return Err(Error::Config(format!("{a} has {n_out} outputs, but {b} takes {n_in} inputs")));
            }
        }
        Ok(Self { layers })
    }
}

impl System for Stack {
    type State = StackState;

    fn n_in(&self) -> i64 {
        self.layers[0].1.n_in()
    }

    fn n_out(&self) -> i64 {
        self.layers[self.layers.len() - 1].1.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.layers.iter().find_map(|(_, layer)| layer.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> StackState {
        StackState(self.layers.iter().map(|(name, layer)| (Arc::clone(name), layer.init_state(batch, on))).collect())
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &StackState) -> (Tensor, StackState) {
        let mut x = x.shallow_clone();
        let mut states = Vec::with_capacity(self.layers.len());
        for ((name, layer), (_, state)) in self.layers.iter().zip(&s.0) {
            let (y, next) = layer.step(&sha.within(name), &x, state);
            x = y;
            states.push((Arc::clone(name), next));
        }
        (x, StackState(states))
    }

    /// All layers in one kernel, where each has one; else layer by layer.
    fn scan(&self, sha: &Shared, xs: &Tensor, s: StackState, tap: &mut Tap) -> (Tensor, StackState) {
        let s = match scan_fused(self, sha, Feed::Dense(xs), s, tap) {
            Ok(done) => return done,
            Err(s) => s,
        };
        let mut xs = xs.shallow_clone();
        let mut states = Vec::with_capacity(self.layers.len());
        for ((name, layer), (_, state)) in self.layers.iter().zip(s.0) {
            let (ys, last) = tap.within(name, |tap| layer.scan(&sha.within(name), &xs, state, tap));
            xs = ys;
            states.push((Arc::clone(name), last));
        }
        (xs, StackState(states))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let parts = self.layers.iter().map(|(name, layer)| layer.kernel(&sha.within(name), processor));
        Some(Fused::row(parts.collect::<Option<_>>()?))
    }
}
