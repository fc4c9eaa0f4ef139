//! [`UnitsOnGpu`]: the loops around a [`Formula`].

use std::sync::Arc;

use bd_kernel::{Facts, Formula};
use tch::{Kind, Tensor};

use super::{ForwardArgs, ForwardOut, GpuKernel, InGrads, OutGrads, Saved, definitions, numbers};
use crate::error::Result;
use crate::gpu::{Gpu, LEAVES, Launch, Program, Value};
use crate::inputs::Inputs;

/// The loops around a formula.
const LOOPS: &str = include_str!("units.cu");

/// Units side by side, by their formula.
#[derive(Debug)]
pub struct UnitsOnGpu(pub Arc<dyn Formula>);

impl GpuKernel for UnitsOnGpu {
    fn n_leaves(&self) -> usize {
        self.0.facts().reads.len()
    }

    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        forward(self.0.as_ref(), gpu, numbers(xs), pass)
    }

    fn backward(&self, gpu: &Gpu, past: Saved<'_>, out_grads: OutGrads) -> Result<InGrads> {
        backward(self.0.as_ref(), gpu, past, out_grads)
    }

    fn formula(&self) -> Option<Arc<dyn Formula>> {
        Some(Arc::clone(&self.0))
    }
}

/// All steps of units side by side.
fn forward(units: &dyn Formula, gpu: &Gpu, xs: &Tensor, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
    let Facts { held, reads, reads_input, spikes } = units.facts();
    let [time, batch, n] = size(xs);
    let leaves: Vec<Tensor> = pass.leaves.iter().map(Tensor::contiguous).collect();
    let held = held_of(pass.params, held, n);
    let (ys, last) = (xs.empty_like(), leaves.iter().map(Tensor::empty_like).collect::<Vec<_>>());
    let traces: Vec<_> = pass.traced.iter().map(|traced| traced.then(|| xs.empty_like())).collect();
    let kept: Vec<_> = reads.iter().map(|reads| (*reads && pass.keep).then(|| xs.empty_like())).collect();
    let over = (spikes && pass.keep).then(|| xs.empty_like());
    let values = [
        Value::from(time),
        Value::from(batch * n),
        Value::from(n),
        Value::from(xs),
        Value::from(held.as_ref()),
        Value::leaves(leaves.iter().map(Some)),
        Value::leaves(last.iter().map(Some)),
        Value::from(&ys),
        Value::leaves(kept.iter().map(Option::as_ref)),
        Value::from(over.as_ref()),
        Value::leaves(traces.iter().map(Option::as_ref)),
    ];
    // SAFETY: the values are those of `forward` in units.cu; series are like `xs`, leaves `[batch, n]`, as the driver has checked.
    unsafe { program(units, gpu, xs.kind())?.launch("forward", Launch::each(batch * n), &values)? };
    let kept = if pass.keep {
        let xs = reads_input.then(|| xs.shallow_clone());
        xs.into_iter().chain(kept.into_iter().flatten()).chain(over).chain(held).collect()
    } else {
        Vec::new()
    };
    Ok(ForwardOut { ys, last, traces, kept })
}

/// Their adjoint.
fn backward(units: &dyn Formula, gpu: &Gpu, past: Saved<'_>, out_grads: OutGrads) -> Result<InGrads> {
    let Facts { held, reads, reads_input, spikes } = units.facts();
    let ([time, batch, n], kind) = (past.size, past.on.0);
    let mut kept = past.kept.iter();
    let mut next = |there: bool| if there { kept.next() } else { None };
    let xs = next(reads_input);
    let states: Vec<_> = reads.iter().map(|reads| next(*reads)).collect();
    let (over, own) = (next(spikes), next(held > 0));
    let gxs = out_grads.wants_xs.then(|| Tensor::empty([time, batch, n], past.on));
    let gfirst: Vec<_> = reads.iter().map(|_| Tensor::empty([batch, n], past.on)).collect();
    let gheld = (held > 0).then(|| Tensor::empty([held as i64, batch, n], past.on));
    let values = [
        Value::from(time as usize),
        Value::from((batch * n) as usize),
        Value::from(n as usize),
        Value::from(xs),
        Value::from(own),
        Value::leaves(states),
        Value::from(over),
        Value::from(out_grads.ys.as_ref()),
        Value::leaves(out_grads.last.iter().map(Option::as_ref)),
        Value::leaves(out_grads.traces.iter().map(Option::as_ref)),
        Value::from(gxs.as_ref()),
        Value::leaves(gfirst.iter().map(Some)),
        Value::from(gheld.as_ref()),
    ];
    let launch = Launch::each((batch * n) as usize);
    // SAFETY: the values are those of `backward` in units.cu; series are of `past.size`, leaves `[batch, n]`.
    unsafe { program(units, gpu, kind)?.launch("backward", launch, &values)? };
    let params = match gheld {
        Some(gheld) => shared_out(&gheld.sum_dim_intlist(1, false, kind), past.params),
        None => Vec::new(),
    };
    Ok(InGrads { xs: gxs, leaves: gfirst.into_iter().map(Some).collect(), params })
}

/// What units hold, `[held, n]`, from the parameters that it is made of.
pub fn held_of(params: &[Tensor], held: usize, n: usize) -> Option<Tensor> {
    let all = (held > 0).then(|| Tensor::cat(&params.iter().map(|param| param.reshape([-1])).collect::<Vec<_>>(), 0));
    // What kernels rely on.
    assert!(all.as_ref().is_none_or(|all| all.numel() == held * n), "{n} units hold {held} numbers each");
    all
}

/// The gradient of what units [hold](held_of), as those of the parameters that it is made of.
pub fn shared_out(all: &Tensor, params: &[Tensor]) -> Vec<Option<Tensor>> {
    let (all, mut from) = (all.reshape([-1]), 0);
    let mut part = |param: &Tensor| {
        let length = param.numel() as i64;
        from += length;
        all.narrow(0, from - length, length).reshape(param.size())
    };
    params.iter().map(|param| Some(part(param))).collect()
}

fn program(units: &dyn Formula, gpu: &Gpu, kind: Kind) -> Result<Arc<Program>> {
    let facts = units.facts();
    debug_assert!(facts.reads.len() <= LEAVES);
    gpu.program(&format!("units {kind:?} {}", units.name()), || Ok(definitions(&facts, kind)? + &units.text()? + LOOPS))
}

fn size(series: &Tensor) -> [usize; 3] {
    std::array::from_fn(|i| series.size()[i] as usize)
}
