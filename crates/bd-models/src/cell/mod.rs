//! What the cells of rate networks have in common: [`Rnn`](crate::Rnn), [`Gru`](crate::Gru), [`Lstm`](crate::Lstm).
//!
//! A cell of `n` units with `g` gates has the parameters `input_weight` `[n_in, g n]`, `recurrent_weight` `[n, g n]` and `bias`
//! `[g n]`; rows are inputs, and the columns of the gates stand side by side. There is one bias, as in BrainPy, where PyTorch has two that are
//! added. A trained initial state is one parameter `[n]` for all sequences.

use bd_core::kernel::{Numbers, Real, Tile};
use bd_core::{Error, ParamPath, Result};
use tch::{Device, Kind, Tensor};

use crate::init::Init;
pub(crate) use inputs::{Inputs, add_products};
pub(crate) use map::Map;

mod inputs;
mod map;
#[cfg(test)]
pub(crate) mod testing;

/// The weights of a cell.
#[derive(Debug)]
pub(crate) struct Weights {
    input: Tensor,
    recurrent: Tensor,
    bias: Tensor,
}

impl Weights {
    /// Makes them at `path`; `model` is what messages call the cell.
    pub(crate) fn new(
        path: &mut ParamPath<'_>,
        model: &str,
        [n_in, n, gates]: [i64; 3],
        [input, recurrent]: [Init; 2],
    ) -> Result<Self> {
        if n_in < 1 || n < 1 {
            return Err(Error::Config(format!(
                "{model} needs inputs and units, at least one each, got {n_in} and {n}"
            )));
        }
        input.check()?;
        recurrent.check()?;
        let width = gates * n;
        let zeros = |_: &mut _| Tensor::zeros([width], (Kind::Double, Device::Cpu));
        Ok(Self {
            input: path.param("input_weight", |rng| input.draw(rng, [n_in, width]))?,
            recurrent: path.param("recurrent_weight", |rng| recurrent.draw(rng, [n, width]))?,
            bias: path.param("bias", zeros)?,
        })
    }

    pub(crate) fn n_in(&self) -> i64 {
        self.input.size()[0]
    }

    /// Units.
    pub(crate) fn n(&self) -> i64 {
        self.recurrent.size()[0]
    }

    /// `x W + b`.
    pub(crate) fn project(&self, x: &Tensor) -> Tensor {
        self.bias.addmm(x, &self.input)
    }

    /// Columns of the recurrent weight.
    pub(crate) fn recurrent(&self, from: i64, to: i64) -> Tensor {
        self.recurrent.narrow(1, from, to - from)
    }

    /// In the order in which [`gradients`] gives theirs.
    pub(crate) fn tensors(&self) -> [&Tensor; 3] {
        [&self.input, &self.recurrent, &self.bias]
    }

    /// What a kernel needs of them: what comes from the input, and the recurrent weight.
    pub(crate) fn numbers(&self) -> Option<(Inputs, Numbers)> {
        let (n_in, width) = (self.n_in() as usize, self.bias.size()[0] as usize);
        let weight = Numbers::of(&self.input)?;
        let inputs = Inputs { map: Map::new(&weight, n_in, width, 0..width), bias: Numbers::of(&self.bias)? };
        Some((inputs, Numbers::of(&self.recurrent)?))
    }
}

/// The gradients of [`Weights::tensors`] in one block: input weight, recurrent weight, bias.
pub(crate) fn gradients<F>(params: &mut [F], n: usize, width: usize) -> (&mut [F], &mut [F], &mut [F]) {
    let (weights, bias) = params.split_at_mut(params.len() - width);
    let (input, recurrent) = weights.split_at_mut(weights.len() - n * width);
    (input, recurrent, bias)
}

/// The parameter of a trained initial state, zero at first.
pub(crate) fn initial_param(path: &mut ParamPath<'_>, name: &str, n: i64, trained: bool) -> Result<Option<Tensor>> {
    trained.then(|| path.param(name, |_| Tensor::zeros([n], (Kind::Double, Device::Cpu)))).transpose()
}

/// The state before the first step, `[batch, n]`: a copy of the parameter for each sequence, within the graph, or zeros.
pub(crate) fn initial_state(trained: Option<&Tensor>, n: i64, batch: i64, on: (Kind, Device)) -> Tensor {
    match trained {
        Some(state) => state.to_kind(on.0).to_device(on.1).repeat([batch, 1]),
        None => Tensor::zeros([batch, n], on),
    }
}

/// The samples of one channel of a series at column `at`.
#[inline(always)]
pub(crate) fn lanes<F: Real>(series: &mut [F], tile: Tile, channel: usize, at: usize) -> &mut [F] {
    &mut series[channel * tile.len() + at..][..tile.lanes]
}

/// The samples of one channel of a state.
#[inline(always)]
pub(crate) fn units<F: Real>(state: &mut [F], tile: Tile, channel: usize) -> &mut [F] {
    &mut state[channel * tile.lanes..][..tile.lanes]
}

/// Columns of series at which the steps of a stretch begin.
pub(crate) fn steps(tile: Tile) -> impl DoubleEndedIterator<Item = usize> {
    (0..tile.steps).map(move |t| t * tile.lanes)
}
