//! [`Stack`]: layers chosen at run time, each under a name.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::dyn_system::{DynState, DynSystem};
use crate::error::{Error, Result};
use crate::fused::{Fused, Processor, Tuning, scan_kernels};
use crate::inputs::Inputs;
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

    /// All layers in one kernel, where each has one; else runs of layers that have kernels, each in one, and the others layer by
    /// layer. Each reads its input in the form that it comes in: of a list of spikes nothing is written out for the first.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: StackState, tap: &mut Tap) -> (Tensor, StackState) {
        let processor = Processor::of(inputs.on().1);
        let kernel = |(name, layer): &(Arc<str>, DynSystem)| layer.kernel(&sha.within(name), processor);
        let kernels = self.layers.iter().map(|layer| kernel(layer).filter(|fused| fused.runs_on(processor)));
        let (mut inputs, mut rest) = (inputs.clone(), s.0);
        let mut last = Vec::with_capacity(self.layers.len());
        let mut first = 0;
        for run in runs(kernels) {
            let layers = &self.layers[first..first + run.len()];
            first += run.len();
            let states = StackState(rest.drain(..run.len()).collect());
            // One layer alone knows best how it scans, unless it is all that there is.
            let fused = run.into_iter().collect::<Option<Vec<_>>>();
            let fused = fused.filter(|run| run.len() > 1 || self.layers.len() == 1).map(Fused::chain);
            let (ys, states) = scan_layers(layers, fused.as_ref(), sha, &inputs, states, tap);
            last.extend(states.0);
            inputs = Inputs::Dense(ys);
        }
        (inputs.time_first(), StackState(last))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let parts = self.layers.iter().map(|(name, layer)| layer.kernel(&sha.within(name), processor));
        Some(Fused::chain(parts.collect::<Option<_>>()?))
    }

    fn after_update(&self, updates: u64) {
        self.layers.iter().for_each(|(_, layer)| layer.after_update(updates));
    }
}

/// Neighbours that have kernels together, and each that has none alone.
fn runs<K>(kernels: impl Iterator<Item = Option<K>>) -> Vec<Vec<Option<K>>> {
    let mut runs: Vec<Vec<Option<K>>> = Vec::new();
    for kernel in kernels {
        match runs.last_mut() {
            Some(run) if kernel.is_some() && run[0].is_some() => run.push(kernel),
            _ => runs.push(vec![kernel]),
        }
    }
    runs
}

/// Layers in a row by their kernels, if these serve; else layer by layer.
fn scan_layers(
    layers: &[(Arc<str>, DynSystem)],
    fused: Option<&Fused>,
    sha: &Shared,
    inputs: &Inputs,
    mut s: StackState,
    tap: &mut Tap,
) -> (Tensor, StackState) {
    if let Some(fused) = fused {
        s = match scan_kernels(fused, inputs, s, tap, Tuning::of_inputs(inputs)) {
            Ok(done) => return done,
            Err(s) => s,
        };
    }
    let mut inputs = inputs.clone();
    let mut states = Vec::with_capacity(layers.len());
    for ((name, layer), (_, state)) in layers.iter().zip(s.0) {
        let (ys, last) = tap.within(name, |tap| layer.scan(&sha.within(name), &inputs, state, tap));
        inputs = Inputs::Dense(ys);
        states.push((Arc::clone(name), last));
    }
    (inputs.time_first(), StackState(states))
}

#[cfg(test)]
mod tests;
