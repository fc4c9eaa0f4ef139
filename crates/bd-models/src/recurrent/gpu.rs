//! [`Recurrent`](super::Recurrent) units on a GPU.
//!
//! | | forward | adjoint |
//! |---|---|---|
//! | spikes come back, and a block has room for their list | one kernel, a block of threads for each sample: rows of the weight are gathered | |
//! | numbers come back, and a block has room for the weight | one kernel | one kernel, spikes or not |
//! | else | a product by libtorch and a kernel for each step | the same |
//!
//! What is kept is the same each time, so that forward and adjoint choose for themselves.

use std::sync::Arc;

use bd_core::Result;
use bd_core::gpu::{Gpu, Launch, Program, Value};
use bd_core::kernel::gpu::{
    Asked, Facts, Formula, GpuInput, GpuKernel, Pass, Passed, Past, Pulled, held_of, shared_out,
};
use tch::{Kind, Tensor};

const TEXT: &str = include_str!("recurrent.cu");

/// Threads of a block at most.
const THREADS: usize = 1024;
/// Threads that decide together.
const WARP: usize = 32;

/// Units with a formula, whose outputs come back. Parameters: those of the units, then the weight `[n, n]`.
#[derive(Debug)]
pub(crate) struct RecurrentOnGpu {
    /// The units; they have a formula.
    inner: Arc<dyn GpuKernel>,
    n: usize,
    /// Whether what comes back is the first number of the units' state, and no leaf of its own.
    from_state: bool,
}

impl RecurrentOnGpu {
    /// Around `inner`, if that is units with a formula.
    pub(crate) fn new(inner: Arc<dyn GpuKernel>, n: usize, from_state: bool) -> Option<Self> {
        inner.formula()?;
        Some(Self { inner, n, from_state })
    }

    fn formula(&self) -> &dyn Formula {
        self.inner.formula().expect("checked in `new`")
    }

    /// Units of a thread, and threads of a block.
    fn shares(&self) -> (usize, usize) {
        let per = self.n.div_ceil(THREADS);
        (per, self.n.div_ceil(per).next_multiple_of(WARP))
    }

    /// Bytes that a block shares if it has the weight to itself.
    fn bytes_with_weight(&self, kind: Kind) -> usize {
        (self.n * self.n + self.n) * kind.elt_size_in_bytes()
    }

    /// Bytes that it shares to gather rows: outputs, a word for 32 of them, and their list.
    fn bytes_to_gather(&self, kind: Kind) -> usize {
        let (per, threads) = self.shares();
        self.n * (kind.elt_size_in_bytes() + 4) + per * threads / WARP * 4
    }

    fn bytes_forward(&self, kind: Kind, facts: &Facts) -> usize {
        if facts.spikes { self.bytes_to_gather(kind) } else { self.bytes_with_weight(kind) }
    }

    fn program(&self, gpu: &Gpu, kind: Kind, facts: &Facts) -> Result<Arc<Program>> {
        let (formula, (per, threads), n) = (self.formula(), self.shares(), self.n);
        gpu.program(&format!("recurrent {n} {threads} {kind:?} {}", formula.name()), || {
            let own = format!("#define N {n}\n#define PER {per}\n#define THREADS {threads}\n");
            Ok(facts.definitions(kind)? + &own + &formula.text()? + TEXT)
        })
    }

    fn launch(&self, batch: usize, shared_bytes: usize) -> Launch {
        Launch { blocks: batch, threads: self.shares().1, shared_bytes }
    }

    /// All steps in one kernel.
    fn forward_at_once(&self, gpu: &Gpu, xs: &Tensor, pass: Pass<'_>, facts: &Facts) -> Result<Passed> {
        let (kind, n_inner) = (xs.kind(), self.inner.n_leaves());
        let (weight, own) = pass.params.split_last().expect("there is a weight");
        let (weight, leaves) = (weight.contiguous(), pass.leaves.iter().map(Tensor::contiguous).collect::<Vec<_>>());
        let fed_first = &leaves[if self.from_state { 0 } else { n_inner }];
        let held = held_of(own, facts.held);
        let (ys, last) = (xs.empty_like(), leaves.iter().map(Tensor::empty_like).collect::<Vec<_>>());
        let series = |wanted: bool| wanted.then(|| xs.empty_like());
        let traces: Vec<_> = pass.traced.iter().map(|traced| series(*traced)).collect();
        let kept: Vec<_> = facts.reads.iter().map(|reads| series(*reads && pass.keep)).collect();
        let (driven, over) = (series(facts.reads_input && pass.keep), series(facts.spikes && pass.keep));
        let [time, batch] = [0, 1].map(|i| xs.size()[i] as usize);
        let values = [
            Value::from(time),
            Value::from(batch),
            Value::from(xs),
            Value::from(&weight),
            Value::from(held.as_ref()),
            Value::leaves(leaves[..n_inner].iter().map(Some)),
            Value::from(fed_first),
            Value::leaves(last[..n_inner].iter().map(Some)),
            Value::from(last.get(n_inner)),
            Value::from(&ys),
            Value::from(driven.as_ref()),
            Value::leaves(kept.iter().map(Option::as_ref)),
            Value::from(over.as_ref()),
            Value::leaves(traces[..n_inner].iter().map(Option::as_ref)),
            Value::from(traces.get(n_inner).and_then(Option::as_ref)),
        ];
        let bytes = self.bytes_forward(kind, facts);
        // SAFETY: the values are those of `forward` in recurrent.cu; series are like `xs`, leaves `[batch, n]`, the weight `[n, n]`.
        unsafe { self.program(gpu, kind, facts)?.launch("forward", self.launch(batch, bytes), &values)? };
        let mut all = Vec::new();
        if pass.keep {
            all.extend([fed_first.shallow_clone(), ys.detach()]);
            all.extend(driven.into_iter().chain(kept.into_iter().flatten()).chain(over).chain(held));
        }
        Ok(Passed { ys, last, traces, kept: all })
    }

    /// A product and a kernel for each step.
    fn forward_by_step(&self, gpu: &Gpu, xs: &Tensor, pass: Pass<'_>, facts: &Facts) -> Result<Passed> {
        let n_inner = self.inner.n_leaves();
        let (weight, own) = pass.params.split_last().expect("there is a weight");
        let mut leaves: Vec<Tensor> = pass.leaves[..n_inner].iter().map(Tensor::shallow_clone).collect();
        let first = pass.leaves[if self.from_state { 0 } else { n_inner }].contiguous();
        let mut fed = first.shallow_clone();
        let mut traces: Vec<Vec<Tensor>> = (0..n_inner).map(|_| Vec::new()).collect();
        let (mut ys, mut kept) = (Vec::new(), Vec::new());
        for x in xs.unbind(0) {
            let x = x.addmm(&fed, weight).unsqueeze(0);
            let step = Pass { params: own, leaves: &leaves, traced: &pass.traced[..n_inner], keep: pass.keep };
            let done = self.inner.forward(gpu, GpuInput::Dense(&x), step)?;
            (leaves, fed) = (done.last, done.ys.get(0));
            ys.push(done.ys);
            kept.push(done.kept);
            done.traces.into_iter().zip(&mut traces).for_each(|(trace, all)| all.extend(trace));
        }
        let ys = Tensor::cat(&ys, 0);
        let mut traces: Vec<_> = traces.iter().map(|all| (!all.is_empty()).then(|| Tensor::cat(all, 0))).collect();
        if !self.from_state {
            leaves.push(fed.copy());
            traces.push(pass.traced[n_inner].then(|| ys.copy()));
        }
        let mut all = Vec::new();
        if pass.keep {
            all.extend([first, ys.detach()]);
            let series = kept[0].len() - usize::from(facts.held > 0);
            all.extend((0..series).map(|i| Tensor::cat(&kept.iter().map(|step| &step[i]).collect::<Vec<_>>(), 0)));
            all.extend(kept.remove(0).into_iter().skip(series));
        }
        Ok(Passed { ys, last: leaves, traces, kept: all })
    }

    /// What is asked of the inputs, and gradients of leaves and of what the units hold, in one kernel.
    fn backward_at_once(&self, gpu: &Gpu, past: Past<'_>, asked: &Asked, facts: &Facts) -> Result<Steps> {
        let ([time, batch, n], n_inner) = (past.size, self.inner.n_leaves());
        let weight = past.params.last().expect("there is a weight").contiguous();
        let mut kept = past.kept[2..].iter();
        let mut next = |there: bool| if there { kept.next() } else { None };
        let driven = next(facts.reads_input);
        let states: Vec<_> = facts.reads.iter().map(|reads| next(*reads)).collect();
        let (over, held) = (next(facts.spikes), next(facts.held > 0));
        let like_a_leaf = || Tensor::empty([batch, n], past.on);
        let gxs = Tensor::empty([time, batch, n], past.on);
        let gfirst: Vec<_> = (0..n_inner).map(|_| like_a_leaf()).collect();
        let gfed = like_a_leaf();
        let gheld = held.map(|_| Tensor::empty([facts.held as i64, batch, n], past.on));
        let values = [
            Value::from(time as usize),
            Value::from(batch as usize),
            Value::from(&weight),
            Value::from(driven),
            Value::from(held),
            Value::leaves(states),
            Value::from(over),
            Value::from(asked.ys.as_ref()),
            Value::leaves(asked.last[..n_inner].iter().map(Option::as_ref)),
            Value::from(asked.last.get(n_inner).and_then(Option::as_ref)),
            Value::leaves(asked.traces[..n_inner].iter().map(Option::as_ref)),
            Value::from(asked.traces.get(n_inner).and_then(Option::as_ref)),
            Value::from(&gxs),
            Value::leaves(gfirst.iter().map(Some)),
            Value::from(&gfed),
            Value::from(gheld.as_ref()),
        ];
        let launch = self.launch(batch as usize, self.bytes_with_weight(past.on.0));
        // SAFETY: the values are those of `backward` in recurrent.cu; series are of `past.size`, leaves `[batch, n]`.
        unsafe { self.program(gpu, past.on.0, facts)?.launch("backward", launch, &values)? };
        let own = &past.params[..past.params.len() - 1];
        let params = match gheld {
            Some(gheld) => shared_out(&gheld.sum_dim_intlist(1, false, past.on.0), own),
            None => Vec::new(),
        };
        Ok(Steps { gxs, leaves: gfirst.into_iter().map(Some).collect(), gfed: Some(gfed), params })
    }

    /// The same by a product and a kernel for each step.
    fn backward_by_step(&self, gpu: &Gpu, past: Past<'_>, asked: &Asked, facts: &Facts) -> Result<Steps> {
        let ([time, batch, n], n_inner) = (past.size, self.inner.n_leaves());
        let (weight, own) = past.params.split_last().expect("there is a weight");
        let turned = weight.transpose(0, 1);
        let held = usize::from(facts.held > 0);
        let (series, whole) = past.kept[2..].split_at(past.kept.len() - 2 - held);
        let mut gleaves: Vec<Option<Tensor>> =
            asked.last[..n_inner].iter().map(|g| g.as_ref().map(Tensor::shallow_clone)).collect();
        let mut gfed = asked.last.get(n_inner).and_then(|g| g.as_ref().map(Tensor::shallow_clone));
        let mut gxs = Vec::new();
        let mut gparams: Vec<Option<Tensor>> = own.iter().map(|_| None).collect();
        for t in (0..time).rev() {
            let of_step = |series: &Option<Tensor>| series.as_ref().map(|series| series.narrow(0, t, 1));
            let fed_trace = asked.traces.get(n_inner).and_then(of_step);
            let outside = sum(of_step(&asked.ys), fed_trace);
            let asked_of_step = Asked {
                ys: sum(outside, gfed.take().map(|g| g.unsqueeze(0))),
                last: std::mem::take(&mut gleaves),
                traces: asked.traces[..n_inner].iter().map(of_step).collect(),
                wants_xs: true,
            };
            let kept: Vec<Tensor> = series.iter().map(|series| series.narrow(0, t, 1)).collect();
            let kept: Vec<Tensor> = kept.into_iter().chain(whole.iter().map(Tensor::shallow_clone)).collect();
            let of_past = Past { params: own, kept: &kept, size: [1, batch, n], on: past.on };
            let pulled = self.inner.backward(gpu, of_past, asked_of_step)?;
            let gx = pulled.xs.expect("it was wanted");
            gfed = Some(gx.get(0).matmul(&turned));
            gleaves = pulled.leaves;
            gparams = gparams.into_iter().zip(pulled.params).map(|(all, of_step)| sum(all, of_step)).collect();
            gxs.push(gx);
        }
        gxs.reverse();
        Ok(Steps { gxs: Tensor::cat(&gxs, 0), leaves: gleaves, gfed, params: gparams })
    }
}

/// Gradients but for that of the weight.
struct Steps {
    gxs: Tensor,
    leaves: Vec<Option<Tensor>>,
    /// Of what came back before the first step.
    gfed: Option<Tensor>,
    params: Vec<Option<Tensor>>,
}

fn sum(a: Option<Tensor>, b: Option<Tensor>) -> Option<Tensor> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

impl GpuKernel for RecurrentOnGpu {
    fn n_leaves(&self) -> usize {
        self.inner.n_leaves() + usize::from(!self.from_state)
    }

    fn forward(&self, gpu: &Gpu, xs: GpuInput<'_>, pass: Pass<'_>) -> Result<Passed> {
        let (xs, facts) = (xs.dense(), self.formula().facts());
        if self.bytes_forward(xs.kind(), &facts) <= gpu.shared_bytes() {
            self.forward_at_once(gpu, xs, pass, &facts)
        } else {
            self.forward_by_step(gpu, xs, pass, &facts)
        }
    }

    fn backward(&self, gpu: &Gpu, past: Past<'_>, asked: Asked) -> Result<Pulled> {
        let facts = self.formula().facts();
        let steps = if self.bytes_with_weight(past.on.0) <= gpu.shared_bytes() {
            self.backward_at_once(gpu, past, &asked, &facts)?
        } else {
            self.backward_by_step(gpu, past, &asked, &facts)?
        };
        let Steps { gxs, mut leaves, gfed, mut params } = steps;
        if self.from_state {
            leaves[0] = sum(leaves[0].take(), gfed);
        } else {
            leaves.push(gfed);
        }
        params.push(Some(weight_gradient(&past.kept[0], &past.kept[1], &gxs)));
        Ok(Pulled { xs: Some(gxs), leaves, params })
    }
}

/// One product over all steps: of each output, and of what there was at first, with what is asked of the inputs a step later.
fn weight_gradient(first: &Tensor, ys: &Tensor, gxs: &Tensor) -> Tensor {
    let (time, n) = (gxs.size()[0], gxs.size()[2]);
    let of_first = first.transpose(0, 1).matmul(&gxs.get(0));
    if time == 1 {
        return of_first;
    }
    let rows = |series: &Tensor, from: i64| series.narrow(0, from, time - 1).reshape([-1, n]);
    of_first.addmm(&rows(ys, 0).transpose(0, 1), &rows(gxs, 1))
}
