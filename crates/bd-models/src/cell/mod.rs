//! What the cells of rate networks have in common: [`Rnn`](crate::Rnn), [`Gru`](crate::Gru), [`Lstm`](crate::Lstm).
//!
//! A cell of `n` units with `g` gates has the parameters `input_weight` `[n_in, g n]`, `recurrent_weight` `[n, g n]`
//! and `bias` `[g n]`; rows are inputs, and the columns of the gates stand side by side. There is one bias, as in
//! BrainPy, where PyTorch has two that are added. Of the recurrent weights of [`Rnn`](crate::Rnn) signs and zeros may be
//! [kept](crate::connections). A trained initial state is one parameter `[n]` for all sequences.

use std::sync::Arc;

use bd_core::kernel::{AnyKernel, Element, Fused, Processor, numbers_of, with_numbers};
use bd_core::{ParamPath, Result, Weight, setting};
use bd_kernel::models::cell::{CellKernel, CellUnits, CellWeights};
use bd_kernel::models::fixed::FixedWeights;
use tch::{Device, Kind, Tensor};

use crate::connections::Connections;
use crate::init::Init;
use crate::linear::LinearOnGpu;
use crate::recurrent::RecurrentOnGpu;

#[cfg(test)]
pub(crate) mod testing;

/// The weights of a cell.
#[derive(Debug)]
pub(crate) struct Weights {
    input: Tensor,
    recurrent: Weight,
    bias: Tensor,
}

impl Weights {
    /// Makes them at `path`; `model` is what messages call the cell.
    pub(crate) fn new(
        path: &mut ParamPath<'_>,
        model: &str,
        [n_in, n, gates]: [i64; 3],
        inits: [Init; 2],
    ) -> Result<Self> {
        let recurrent = |path: &mut ParamPath<'_>, init: Init| {
            Ok(path.param("recurrent_weight", |rng| init.draw(rng, [n, gates * n]))?.into())
        };
        Self::made(path, model, [n_in, n, gates], inits, recurrent)
    }

    /// The same of a cell without gates whose recurrent weights are such connections.
    pub(crate) fn connected(
        path: &mut ParamPath<'_>,
        model: &str,
        [n_in, n]: [i64; 2],
        inits: [Init; 2],
        connections: &Connections,
    ) -> Result<Self> {
        let recurrent = |path: &mut ParamPath<'_>, init: Init| {
            connections.check(model, n, init)?;
            connections.weight(path, "recurrent_weight", n, init)
        };
        Self::made(path, model, [n_in, n, 1], inits, recurrent)
    }

    fn made(
        path: &mut ParamPath<'_>,
        model: &str,
        [n_in, n, gates]: [i64; 3],
        [input, recurrent]: [Init; 2],
        make_recurrent: impl FnOnce(&mut ParamPath<'_>, Init) -> Result<Weight>,
    ) -> Result<Self> {
        setting::at_least(&format!("{model}.n_in"), n_in, 1)?;
        setting::at_least(&format!("{model}.n"), n, 1)?;
        input.check()?;
        recurrent.check()?;
        let width = gates * n;
        let zeros = |_: &mut _| Tensor::zeros([width], (Kind::Double, Device::Cpu));
        Ok(Self {
            input: path.param("input_weight", |rng| input.draw(rng, [n_in, width]))?,
            recurrent: make_recurrent(path, recurrent)?,
            bias: path.param("bias", zeros)?,
        })
    }

    /// Weights that are there already.
    pub(crate) fn of(input: Tensor, recurrent: Tensor, bias: Tensor) -> Self {
        Self { input, recurrent: recurrent.into(), bias }
    }

    /// Dtype and device.
    pub(crate) fn on(&self) -> (Kind, Device) {
        (self.input.kind(), self.input.device())
    }

    pub(crate) fn n_in(&self) -> i64 {
        self.input.size()[0]
    }

    /// Units.
    pub(crate) fn n(&self) -> i64 {
        self.recurrent.theta().size()[0]
    }

    /// `x W + b`.
    pub(crate) fn project(&self, x: &Tensor) -> Tensor {
        self.bias.addmm(x, &self.input)
    }

    /// Columns of the recurrent weight.
    pub(crate) fn recurrent(&self, from: i64, to: i64) -> Tensor {
        self.recurrent.value().narrow(1, from, to - from)
    }

    /// Input weight, recurrent weight and bias.
    pub(crate) fn tensors(&self) -> [Tensor; 3] {
        [self.input.shallow_clone(), self.recurrent.value(), self.bias.shallow_clone()]
    }

    /// The kernel of such units for the CPU if the weights are never trained; `None` for a dtype or device without one.
    pub(crate) fn fixed_kernel(&self, units: CellUnits) -> Option<Arc<dyn AnyKernel>> {
        match self.input.kind() {
            Kind::Float => self.fixed_kernel_of::<f32>(units),
            Kind::Double => self.fixed_kernel_of::<f64>(units),
            _ => None,
        }
    }

    fn fixed_kernel_of<F: Element>(&self, units: CellUnits) -> Option<Arc<dyn AnyKernel>> {
        let [input, recurrent, bias] = self.tensors().map(|of| of.contiguous());
        with_numbers(&input, |input: &[F]| {
            with_numbers(&recurrent, |recurrent: &[F]| {
                with_numbers(&bias, |bias: &[F]| -> Arc<dyn AnyKernel> {
                    CellKernel::fixed(units, FixedWeights::new(input, recurrent, bias.len()), bias).into()
                })
            })
        })??
    }

    /// The fused form of a cell of such units.
    pub(crate) fn fused(&self, units: CellUnits, processor: Processor) -> Option<Fused> {
        let tensors = self.tensors();
        let [input, recurrent, bias] = &tensors;
        if processor == Processor::Gpu {
            // Weights of the input, then units that see each other's rates.
            let cell = RecurrentOnGpu::cell(units, self.n() as usize);
            let outside = Fused::for_gpu(LinearOnGpu, &[input, bias]);
            return Some(Fused::chain(vec![outside, Fused::for_gpu(cell, &[recurrent])]));
        }
        let (n_in, n) = (self.n_in() as usize, self.n() as usize);
        let gates = bias.size()[0] as usize / n;
        let weights =
            CellWeights::new([n_in, n, gates], &numbers_of(input)?, &numbers_of(recurrent)?, numbers_of(bias)?);
        Some(Fused::new(CellKernel::new(units, weights).into(), &[input, recurrent, bias]))
    }
}

/// The parameter of a trained initial state, zero at first.
pub(crate) fn initial_param(path: &mut ParamPath<'_>, name: &str, n: i64, trained: bool) -> Result<Option<Tensor>> {
    trained.then(|| path.param(name, |_| Tensor::zeros([n], (Kind::Double, Device::Cpu)))).transpose()
}

/// The state before the first step, `[batch, n]`: a copy of the parameter for each sequence, within the graph, or
/// zeros.
pub(crate) fn initial_state(trained: Option<&Tensor>, n: i64, batch: i64, on: (Kind, Device)) -> Tensor {
    match trained {
        Some(state) => state.to_kind(on.0).to_device(on.1).repeat([batch, 1]),
        None => Tensor::zeros([batch, n], on),
    }
}
