//! [`UnitsOnGpu`]: the loops around a [`Formula`]; [`UnitLoops`]: the same over parts of a stretch of time.

use std::ops::Range;
use std::sync::Arc;

use bd_kernel::{Facts, Formula};
use tch::{Device, Kind, Tensor};

use super::{
    ForwardArgs, ForwardOut, GpuKernel, InGrads, OutGrads, Saved, definitions, numbers, series_size, steps_of,
};
use crate::error::Result;
use crate::gpu::{Gpu, LEAVES, Launch, Program, Value};
use crate::inputs::Inputs;

/// The loops around a formula.
const LOOPS: &str = include_str!("units.cu");

/// Units side by side, by their formula: inputs `[time, batch, ports n]`, all units of the first port before those of the second, to outputs
/// `[time, batch, outputs n]`.
#[derive(Debug)]
pub struct UnitsOnGpu(pub Arc<dyn Formula>);

impl GpuKernel for UnitsOnGpu {
    fn n_leaves(&self) -> usize {
        self.0.facts().reads.len()
    }

    fn n_units(&self, _leaf: usize, n_in: i64) -> i64 {
        n_in / self.0.facts().ports as i64
    }

    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        let xs = numbers(xs);
        let ([time, batch, n_in], on) = (series_size(xs), (xs.kind(), xs.device()));
        let loops = UnitLoops::new(gpu, self.0.as_ref(), self.n_units(0, n_in), pass.params, on)?;
        let leaves: Vec<Tensor> = pass.leaves.iter().map(Tensor::contiguous).collect();
        let last: Vec<Tensor> = leaves.iter().map(Tensor::empty_like).collect();
        let series = loops.series(Tensor::empty([time, batch, loops.n_out()], on), pass.traced, pass.keep);
        loops.forward(xs, &leaves, &last, &series)?;
        let UnitSeries { ys, past, traces } = series;
        let kept = if pass.keep { loops.into_kept(xs, past) } else { Vec::new() };
        Ok(ForwardOut { ys, last, traces, kept })
    }

    fn backward(&self, gpu: &Gpu, past: Saved<'_>, asked: OutGrads) -> Result<InGrads> {
        let [time, batch, n_in] = past.size;
        let facts = self.0.facts();
        let n = self.n_units(0, n_in);
        let (xs, kept, held) = UnitPast::from_kept(&facts, &mut past.kept.iter());
        let loops = UnitLoops::with_held(gpu, self.0.as_ref(), n, held, past.on)?;
        let gxs = asked.wants_xs.then(|| Tensor::empty([time, batch, n_in], past.on));
        let gfirst: Vec<Tensor> = facts.reads.iter().map(|_| Tensor::empty([batch, n], past.on)).collect();
        let gheld = loops.gradient_of_held(batch);
        let grads = UnitGrads {
            ys: asked.ys.as_ref(),
            last: asked.last.iter().map(Option::as_ref).collect(),
            held_later: None,
            traces: asked.traces.iter().map(Option::as_ref).collect(),
            xs: gxs.as_ref(),
            first: &gfirst,
            held: gheld.as_ref(),
        };
        loops.backward([time, batch], xs.as_ref(), &kept, grads)?;
        let params = loops.gradients_of_params(gheld.as_ref(), past.params);
        Ok(InGrads { xs: gxs, leaves: gfirst.into_iter().map(Some).collect(), params })
    }

    fn formula(&self) -> Option<Arc<dyn Formula>> {
        Some(Arc::clone(&self.0))
    }
}

/// `n` units with what they hold, for however many steps at a time.
#[derive(Debug)]
pub struct UnitLoops {
    program: Arc<Program>,
    facts: Facts,
    n: i64,
    /// `[held, n]`.
    held: Option<Tensor>,
    on: (Kind, Device),
}

/// What units have been, as far as their adjoint reads it, `[time, batch, n]` each.
#[derive(Debug)]
pub struct UnitPast {
    /// Numbers of state before each step.
    states: Vec<Option<Tensor>>,
    /// The distance from the threshold.
    over: Option<Tensor>,
}

/// What units write in a forward pass.
#[derive(Debug)]
pub struct UnitSeries {
    /// `[time, batch, outputs n]`.
    pub ys: Tensor,
    /// What the adjoint needs, if it comes later.
    pub past: UnitPast,
    /// Numbers of state after each step, `[time, batch, n]`, where they are recorded.
    pub traces: Vec<Option<Tensor>>,
}

/// Gradients of some steps of units: those that are given, by what came of the steps, and those that are asked for, which are written.
#[derive(Debug)]
pub struct UnitGrads<'a> {
    /// Given: of the outputs, `[time, batch, outputs n]`.
    pub ys: Option<&'a Tensor>,
    /// Given: of the state after the last step, `[batch, n]` each.
    pub last: Vec<Option<&'a Tensor>>,
    /// Given: of what is held, by later steps, `[held, batch, n]`.
    pub held_later: Option<&'a Tensor>,
    /// Given: of recorded numbers of state, `[time, batch, n]`.
    pub traces: Vec<Option<&'a Tensor>>,
    /// Asked for: of the inputs, `[time, batch, ports n]`.
    pub xs: Option<&'a Tensor>,
    /// Asked for: of the state before the first step. They may be those `last`.
    pub first: &'a [Tensor],
    /// Asked for: of what is held. It may be `held_later`.
    pub held: Option<&'a Tensor>,
}

fn steps_of_each(tensors: &[Option<Tensor>], steps: &Range<i64>) -> Vec<Option<Tensor>> {
    tensors.iter().map(|tensor| tensor.as_ref().map(|tensor| steps_of(tensor, steps))).collect()
}

impl UnitPast {
    /// That of some steps.
    pub fn steps(&self, steps: &Range<i64>) -> Self {
        let over = self.over.as_ref().map(|over| steps_of(over, steps));
        Self { states: steps_of_each(&self.states, steps), over }
    }

    /// Inputs, if the adjoint reads them, past, and what is held, from what [`UnitLoops::into_kept`] has put into a list.
    pub fn from_kept<'a>(
        facts: &Facts,
        kept: &mut impl Iterator<Item = &'a Tensor>,
    ) -> (Option<Tensor>, Self, Option<Tensor>) {
        let mut next = |there: bool| if there { kept.next().map(Tensor::shallow_clone) } else { None };
        let xs = next(facts.reads_input);
        let states = facts.reads.iter().map(|reads| next(*reads)).collect();
        let past = Self { states, over: next(facts.spikes) };
        (xs, past, next(facts.held > 0))
    }
}

impl UnitSeries {
    /// Those of some steps.
    pub fn steps(&self, steps: &Range<i64>) -> Self {
        let (ys, past) = (steps_of(&self.ys, steps), self.past.steps(steps));
        Self { ys, past, traces: steps_of_each(&self.traces, steps) }
    }
}

impl UnitLoops {
    /// `n` units of a formula. What they hold is made of their parameters.
    pub fn new(gpu: &Gpu, units: &dyn Formula, n: i64, params: &[Tensor], on: (Kind, Device)) -> Result<Self> {
        Self::with_held(gpu, units, n, held_of(params, units.facts().held, n as usize), on)
    }

    /// `n` units of a formula that hold `held`, `[held, n]`.
    pub fn with_held(gpu: &Gpu, units: &dyn Formula, n: i64, held: Option<Tensor>, on: (Kind, Device)) -> Result<Self> {
        let facts = units.facts();
        debug_assert!(facts.reads.len() <= LEAVES);
        let program = gpu.program(&format!("units {:?} {}", on.0, units.name()), || {
            let sizes = format!("#define PORTS {}\n#define OUTPUTS {}\n", facts.ports, facts.outputs);
            Ok(definitions(&facts, on.0)? + &sizes + &units.text()? + LOOPS)
        })?;
        Ok(Self { program, facts, n, held, on })
    }

    /// Room for what a forward pass writes besides its outputs `ys`, `[time, batch, outputs n]`: for numbers of state that are `traced`, and if
    /// the adjoint comes later (`keep`) for what it reads.
    pub fn series(&self, ys: Tensor, traced: &[bool], keep: bool) -> UnitSeries {
        let [time, batch, _] = series_size(&ys);
        let room = |wanted: bool| wanted.then(|| Tensor::empty([time, batch, self.n], self.on));
        let states = self.facts.reads.iter().map(|reads| room(*reads && keep)).collect();
        let past = UnitPast { states, over: room(self.facts.spikes && keep) };
        UnitSeries { ys, past, traces: traced.iter().map(|traced| room(*traced)).collect() }
    }

    /// Numbers that all units give out in a step.
    pub fn n_out(&self) -> i64 {
        self.facts.outputs as i64 * self.n
    }

    /// What the adjoint needs as a list: the inputs, if it reads them, the past, and what is held.
    pub fn into_kept(self, xs: &Tensor, past: UnitPast) -> Vec<Tensor> {
        let xs = self.facts.reads_input.then(|| xs.shallow_clone());
        xs.into_iter().chain(past.states.into_iter().flatten()).chain(past.over).chain(self.held).collect()
    }

    /// All steps of `xs`, `[time, batch, ports n]`, from the state `first` to the state `last`, which may be the same tensors, `[batch, n]` each.
    pub fn forward(&self, xs: &Tensor, first: &[Tensor], last: &[Tensor], to: &UnitSeries) -> Result<()> {
        let [time, batch, _] = series_size(xs);
        let values = [
            Value::from(time as usize),
            Value::from((batch * self.n) as usize),
            Value::from(self.n as usize),
            Value::from(xs),
            Value::from(self.held.as_ref()),
            Value::leaves(first.iter().map(Some)),
            Value::leaves(last.iter().map(Some)),
            Value::from(&to.ys),
            Value::leaves(to.past.states.iter().map(Option::as_ref)),
            Value::from(to.past.over.as_ref()),
            Value::leaves(to.traces.iter().map(Option::as_ref)),
        ];
        let series = [time, batch, self.n];
        self.check(std::iter::once(xs), [time, batch, self.facts.ports as i64 * self.n]);
        self.check(std::iter::once(&to.ys), [time, batch, self.n_out()]);
        self.check(to.past.states.iter().chain([&to.past.over]).chain(&to.traces).flatten(), series);
        self.check(first.iter().chain(last), [batch, self.n]);
        self.count(&[first.len(), last.len(), to.past.states.len(), to.traces.len()]);
        // SAFETY: the values are those of `forward` in units.cu, all of them of sizes that were looked at.
        unsafe { self.program.launch("forward", Launch::each((batch * self.n) as usize), &values) }
    }

    /// The adjoint of so many steps and samples, with the inputs `xs` if they are read.
    pub fn backward(
        &self,
        [time, batch]: [i64; 2],
        xs: Option<&Tensor>,
        past: &UnitPast,
        grads: UnitGrads<'_>,
    ) -> Result<()> {
        let series = [time, batch, self.n];
        self.check(xs.into_iter().chain(grads.xs), [time, batch, self.facts.ports as i64 * self.n]);
        self.check(grads.ys.into_iter(), [time, batch, self.n_out()]);
        self.check(past.states.iter().chain([&past.over]).flatten(), series);
        self.check(grads.traces.iter().copied().flatten(), series);
        self.check(grads.last.iter().copied().flatten().chain(grads.first), [batch, self.n]);
        self.check(grads.held_later.into_iter().chain(grads.held), [self.facts.held as i64, batch, self.n]);
        self.count(&[past.states.len(), grads.last.len(), grads.traces.len(), grads.first.len()]);
        assert!(past.over.is_some() || !self.facts.spikes, "the adjoint of spikes reads distances");
        assert!(xs.is_some() || !self.facts.reads_input, "the adjoint reads the inputs");
        assert!(grads.held.is_some() || self.facts.held == 0, "what is held has a gradient");
        let values = [
            Value::from(time as usize),
            Value::from((batch * self.n) as usize),
            Value::from(self.n as usize),
            Value::from(xs.filter(|_| self.facts.reads_input)),
            Value::from(self.held.as_ref()),
            Value::leaves(past.states.iter().map(Option::as_ref)),
            Value::from(past.over.as_ref()),
            Value::from(grads.ys),
            Value::leaves(grads.last),
            Value::from(grads.held_later),
            Value::leaves(grads.traces),
            Value::from(grads.xs),
            Value::leaves(grads.first.iter().map(Some)),
            Value::from(grads.held),
        ];
        // SAFETY: the values are those of `backward` in units.cu, all of them of sizes that were looked at.
        unsafe { self.program.launch("backward", Launch::each((batch * self.n) as usize), &values) }
    }

    /// What a kernel takes for granted of tensors.
    fn check<'a, const D: usize>(&self, mut tensors: impl Iterator<Item = &'a Tensor>, expected: [i64; D]) {
        let fits = |tensor: &Tensor| tensor.size() == expected && (tensor.kind(), tensor.device()) == self.on;
        assert!(tensors.all(fits), "the numbers of units are {expected:?} in {:?}", self.on);
    }

    /// One of each number of state.
    fn count(&self, lists: &[usize]) {
        assert!(lists.iter().all(|count| *count == self.facts.reads.len()), "there is one for each number of state");
    }

    /// Room for the gradient of what units hold, if they hold anything: `[held, batch, n]`.
    pub fn gradient_of_held(&self, batch: i64) -> Option<Tensor> {
        let held = self.facts.held as i64;
        (held > 0).then(|| Tensor::empty([held, batch, self.n], self.on))
    }

    /// From it those of the parameters.
    pub fn gradients_of_params(&self, held: Option<&Tensor>, params: &[Tensor]) -> Vec<Option<Tensor>> {
        held.map_or_else(Vec::new, |held| shared_out(&held.sum_dim_intlist(1, false, self.on.0), params))
    }
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
