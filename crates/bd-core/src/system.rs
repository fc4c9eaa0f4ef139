//! [`System`]: a model with a state, as a pure step and a scan over time that equals it.

use std::fmt::Debug;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::checked;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::kernel::{Fused, Processor, scan_fused};
use crate::shared::Shared;
use crate::state::{StateTree, join};
use crate::tap::Tap;

/// A dynamical system in discrete time.
///
/// [`step`](Self::step) is the definition of a model. [`scan`](Self::scan) may be overridden with something faster,
/// and only with something equal: `testing::assert_scan_is_steps` compares the two. Neither returns a `Result`, and neither checks
/// what it is given: sizes are checked where data come in and where models are made. A wrong shape, or the state of another model,
/// is a panic there or a number that means nothing. [`try_step`](Self::try_step), [`try_scan`](Self::try_scan), [`Stepper`](crate::Stepper) and the trainers check.
pub trait System: Debug + Send {
    /// What is carried from one step to the next.
    type State: StateTree + Send + 'static;

    /// Number of input channels.
    fn n_in(&self) -> i64;

    /// Number of output channels.
    fn n_out(&self) -> i64;

    /// The state before the first step, for `batch` independent sequences. A reset is a call of this.
    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State;

    /// Dtype and device of the parameters, where the model has any: inputs of another are refused where they are checked.
    fn on(&self) -> Option<(Kind, Device)> {
        None
    }

    /// One step: input `[batch, n_in]` and a state to output `[batch, n_out]` and the next state. Pure.
    ///
    /// It is recorded for gradients, in either phase, unless it runs under `tch::no_grad`: a state then keeps the graph of all steps
    /// before it. For a loop without end there is [`Stepper`](crate::Stepper).
    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State);

    /// [`step`](Self::step) with everything checked that it is given: step size, shapes, dtypes and devices, names of the state,
    /// numbers that are not finite. In [`Phase::Predict`](crate::Phase::Predict) nothing is recorded for gradients, so that states can be handed on for ever.
    fn try_step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> Result<(Tensor, Self::State)>
    where
        Self: Sized,
    {
        checked::step(self, sha, x, s)
    }

    /// All steps of a sequence: inputs, numbers `[time, batch, n_in]` or the list of their spikes, `time >= 1`, to outputs
    /// `[time, batch, n_out]` and the state after the last. `sha` is that of the first step. `tap` says which states to record.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Tensor, Self::State) {
        scan_fused(self, sha, inputs, s, tap).unwrap_or_else(|s| inputs_by_step(self, sha, inputs, s, tap))
    }

    /// [`scan`](Self::scan) with everything checked that it is given, as [`try_step`](Self::try_step) does, but for numbers that are not
    /// finite. On a GPU what a kernel cannot do is an error, too.
    fn try_scan(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> Result<(Tensor, Self::State)>
    where
        Self: Sized,
    {
        checked::scan(self, sha, inputs, &s, tap)
    }

    /// The fused form for steps of `sha` on a `processor`, where there is one; [`scan`](Self::scan) then uses it. It must not depend on the
    /// step number.
    fn kernel(&self, _sha: &Shared, _processor: Processor) -> Option<Fused> {
        None
    }

    /// What follows an update of the parameters beside the update itself: brings those back that may not be everywhere, and sets what is a
    /// function of the number of updates made. It edits parameters only, trained or fixed, so that whoever has these has all.
    ///
    /// Trainers call it after each update, with gradients off. Whoever holds other systems hands it on.
    fn after_update(&self, _updates: u64) {}
}

/// A model that ends in a linear map of features, `y = features W + b`, perhaps with something known added: what can be
/// fitted in closed form.
///
/// [`Chain`] is one whenever its second part is, so that any system followed by a linear layer is.
pub trait Readout: System {
    /// [`System::scan`] up to the readout: the features, and the state after the last step.
    fn features(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Features, Self::State);

    /// [`System::step`] up to the readout: the features of one input `[batch, n_in]`, with `[batch]` in the place of `[time, batch]`, and the
    /// next state. To be overridden where [`features`](Self::features) are made by a kernel, which costs more to make than a step takes: a
    /// loop that learns while it runs has no more than one input at a time.
    fn step_features(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Features, Self::State) {
        let xs = Inputs::of_steps(x.unsqueeze(0));
        let (Features { values, added }, next) = self.features(sha, &xs, s.share(), &mut Tap::none());
        let first = |t: &Tensor| t.squeeze_dim(0);
        (Features { values: first(&values), added: added.as_ref().map(first) }, next)
    }

    /// The weight `[n_features, n_out]` and, where there is one, the bias `[n_out]`.
    fn readout(&self) -> (&Tensor, Option<&Tensor>);
}

/// What a [`Readout`] makes its outputs of: `y = values W + b + added`.
#[derive(Debug)]
pub struct Features {
    /// `[time, batch, n_features]`.
    pub values: Tensor,
    /// `[time, batch, n_out]`, known before anything is fitted: the present input, where increments are learned.
    pub added: Option<Tensor>,
}

impl From<Tensor> for Features {
    fn from(values: Tensor) -> Self {
        Self { values, added: None }
    }
}

/// The definition of a scan: one [`System::step`] after the other. Inputs are `[time, batch, n_in]`.
pub fn scan_by_step<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    xs: &Tensor,
    s: S::State,
    tap: &mut Tap,
) -> (Tensor, S::State) {
    inputs_by_step(system, sha, &Inputs::Dense(xs.shallow_clone()), s, tap)
}

/// The same of inputs in either form.
pub(crate) fn inputs_by_step<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    mut s: S::State,
    tap: &mut Tap,
) -> (Tensor, S::State) {
    let ys = step_through(inputs, tap, &mut |i, x, watch| {
        let (y, next) = system.step(&sha.ahead(i), x, &s);
        s = next;
        if let Some(watch) = watch {
            s.visit("", watch);
        }
        y
    });
    (ys, s)
}

/// A step of so many into a scan, with the input `[batch, n_in]`; the state after it is shown to whoever watches.
type Step<'a> = &'a mut dyn FnMut(usize, &Tensor, Option<&mut dyn FnMut(&str, &Tensor)>) -> Tensor;

/// The outputs of one step after the other. Of no type parameter, so that it is compiled once.
fn step_through(inputs: &Inputs, tap: &mut Tap, step: Step<'_>) -> Tensor {
    let mut ys = Vec::new();
    let mut records: Vec<(String, Vec<Tensor>)> = Vec::new();
    for (i, x) in by_step(inputs).enumerate() {
        let watch = &mut |name: &str, tensor: &Tensor| record(&mut records, tap, name, tensor);
        ys.push(step(i, &x, if tap.wants_any() { Some(watch) } else { None }));
    }
    for (name, values) in records {
        tap.put(&name, Tensor::stack(&values, 0));
    }
    Tensor::stack(&ys, 0)
}

/// The inputs of each step, `[batch, n_in]`.
fn by_step(inputs: &Inputs) -> Box<dyn Iterator<Item = Tensor> + '_> {
    /// Spikes are written out a few steps at a time.
    const STEPS: usize = 32;
    let spikes = match inputs {
        // `unbind` once: a `select` per step would have a backward that fills a whole sequence each time.
        Inputs::Dense(xs) => return Box::new(xs.unbind(0).into_iter()),
        Inputs::Spikes(spikes) => spikes,
    };
    let time = spikes.shape()[0];
    let some = move |from: usize| spikes.steps(from, STEPS.min(time - from)).expect("within the sequence").to_dense();
    Box::new((0..time).step_by(STEPS).flat_map(move |from| some(from).unbind(0)))
}

fn record(records: &mut Vec<(String, Vec<Tensor>)>, tap: &Tap, name: &str, tensor: &Tensor) {
    if !tap.wants(name) {
        return;
    }
    match records.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => values.push(tensor.shallow_clone()),
        None => records.push((name.to_owned(), vec![tensor.shallow_clone()])),
    }
}

/// Two systems in a row, each under a name of its own. A chain of chains is a longer chain.
#[derive(Debug)]
pub struct Chain<A, B> {
    /// Sees the input.
    pub first: A,
    /// Sees the output of `first` of the same step.
    pub second: B,
    names: [Arc<str>; 2],
}

impl<A: System, B: System> Chain<A, B> {
    /// `first` feeding `second`. The names prefix their states, as in `r.v`. Fails if the sizes do not meet, or if the names
    /// would not tell states apart.
    pub fn new<N: Into<Arc<str>>, M: Into<Arc<str>>>(first: (N, A), second: (M, B)) -> Result<Self> {
        let names = [first.0.into(), second.0.into()];
        let (first, second) = (first.1, second.1);
        if names[0] == names[1] || names.iter().any(|name| name.is_empty() || name.contains('.')) {
            return Err(Error::Config(format!(
                "two parts cannot be called '{}' and '{}'; names differ, are not empty and have no dot",
                names[0], names[1]
            )));
        }
        let (n_out, n_in) = (first.n_out(), second.n_in());
        if n_out != n_in {
            let [a, b] = &names;
            return Err(Error::Config(format!("{a} has {n_out} outputs, but {b} takes {n_in} inputs")));
        }
        Ok(Self { first, second, names })
    }
}

/// State of a [`Chain`]: those of its two parts, under their names.
#[derive(Debug)]
pub struct ChainState<A, B> {
    /// State of the first part.
    pub first: A,
    /// State of the second part.
    pub second: B,
    names: [Arc<str>; 2],
}

impl<A: StateTree, B: StateTree> StateTree for ChainState<A, B> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.first.visit(&join(path, &self.names[0]), f);
        self.second.visit(&join(path, &self.names[1]), f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let first = self.first.try_map(&join(path, &self.names[0]), f)?;
        let second = self.second.try_map(&join(path, &self.names[1]), f)?;
        Ok(Self { first, second, names: self.names.clone() })
    }
}

impl<A: System, B: System> System for Chain<A, B> {
    type State = ChainState<A::State, B::State>;

    fn n_in(&self) -> i64 {
        self.first.n_in()
    }

    fn n_out(&self) -> i64 {
        self.second.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.first.on().or_else(|| self.second.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State {
        let (first, second) = (self.first.init_state(batch, on), self.second.init_state(batch, on));
        ChainState { first, second, names: self.names.clone() }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State) {
        let (between, first) = self.first.step(&sha.within(&self.names[0]), x, &s.first);
        let (y, second) = self.second.step(&sha.within(&self.names[1]), &between, &s.second);
        (y, ChainState { first, second, names: self.names.clone() })
    }

    /// Both parts in one kernel, where each has one; else one after the other.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Tensor, Self::State) {
        scan_fused(self, sha, inputs, s, tap).unwrap_or_else(|s| self.scan_with(sha, inputs, s, tap, B::scan))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let [a, b] = &self.names;
        Some(Fused::chain(vec![
            self.first.kernel(&sha.within(a), processor)?,
            self.second.kernel(&sha.within(b), processor)?,
        ]))
    }

    fn after_update(&self, updates: u64) {
        self.first.after_update(updates);
        self.second.after_update(updates);
    }
}

/// How the second part of a chain is scanned, to outputs or to features.
type Scan<B, Y> = fn(&B, &Shared, &Inputs, <B as System>::State, &mut Tap) -> (Y, <B as System>::State);

impl<A: System, B: System> Chain<A, B> {
    fn scan_with<Y>(
        &self,
        sha: &Shared,
        inputs: &Inputs,
        s: ChainState<A::State, B::State>,
        tap: &mut Tap,
        second: Scan<B, Y>,
    ) -> (Y, ChainState<A::State, B::State>) {
        let [a, b] = &self.names;
        let (between, first) = tap.within(a, |tap| self.first.scan(&sha.within(a), inputs, s.first, tap));
        let between = Inputs::Dense(between);
        let (ys, second) = tap.within(b, |tap| second(&self.second, &sha.within(b), &between, s.second, tap));
        (ys, ChainState { first, second, names: self.names.clone() })
    }
}

impl<A: System, B: Readout> Readout for Chain<A, B> {
    fn features(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Features, Self::State) {
        self.scan_with(sha, inputs, s, tap, B::features)
    }

    fn step_features(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Features, Self::State) {
        let (between, first) = self.first.step(&sha.within(&self.names[0]), x, &s.first);
        let (features, second) = self.second.step_features(&sha.within(&self.names[1]), &between, &s.second);
        (features, ChainState { first, second, names: self.names.clone() })
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        self.second.readout()
    }
}

#[cfg(test)]
mod tests;
