//! [`KernelChain`]: kernels in a row as one kernel.

use std::ops::Range;
use std::sync::Arc;

use super::leaves::{leaves_within, numbers_of};
use super::{AnyKernel, Grads, Input, Kernel, Real, SingleStep, Sizes, Tile, Typed};

mod step;

/// Kernels in a row, each fed by the one before. A stretch goes through all of them before the next one begins, so that
/// what one writes is still in the cache when the next one reads it.
///
/// Behind the outputs of the last are the series that kernels [record](AnyKernel::recording), in the order of the kernels.
///
/// Kept is for each kernel its own, then its outputs where the next one's adjoint reads them and nothing else says what they were.
/// `work`: two blocks for what is between two kernels, or its gradient; one for outputs that are made again; and the workspace of
/// a kernel.
#[derive(Debug)]
pub struct KernelChain {
    parts: Vec<(Arc<dyn AnyKernel>, Sizes)>,
    /// Channels that each has behind its outputs.
    recorded: Vec<usize>,
}

/// How the adjoint of a kernel comes to its inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// They are kept.
    Kept,
    /// The kernel before makes them again.
    Again,
    /// It does not read them.
    Unread,
}

/// Where the inputs of a kernel are.
enum Given<'a, F> {
    /// They are those of the chain.
    Input,
    /// Among what is kept.
    Kept(&'a [F]),
    /// In the block that was written to last.
    Other,
}

impl KernelChain {
    /// The kernels in order, at least one.
    pub fn new(parts: Vec<Arc<dyn AnyKernel>>) -> Self {
        assert!(!parts.is_empty(), "a chain of kernels needs one");
        let with_sizes = |part: Arc<dyn AnyKernel>| {
            let sizes = Kernel::<f32>::sizes(part.as_ref());
            (part, sizes)
        };
        let recorded = vec![0; parts.len()];
        Self { parts: parts.into_iter().map(with_sizes).collect(), recorded }
    }

    /// The kernels of a path as one: each merged with what is before it where [it can be](AnyKernel::behind), from the beginning, since what
    /// is merged can be merged with what comes behind it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn joined(parts: impl IntoIterator<Item = Arc<dyn AnyKernel>>) -> Arc<dyn AnyKernel> {
        let mut joined: Vec<Arc<dyn AnyKernel>> = Vec::new();
        for part in parts {
            match joined.last_mut().and_then(|last| Some((part.behind(last.as_ref())?, last))) {
                Some((both, last)) => *last = both,
                None => joined.push(part),
            }
        }
        if joined.len() == 1 { joined.remove(0) } else { Arc::new(Self::new(joined)) }
    }

    fn part<F: Real>(&self, i: usize) -> &dyn Kernel<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        self.parts[i].0.typed()
    }

    /// What is behind the `i`th kernel; nothing behind the last.
    fn between<F: Real>(&self, i: usize) -> Option<Between>
    where
        dyn AnyKernel: Typed<F>,
    {
        let next = i + 1;
        (next < self.parts.len()).then(|| {
            match (self.part::<F>(next).reads_inputs(), self.part::<F>(i).keeps_outputs()) {
                (false, _) => Between::Unread,
                (true, true) => Between::Again,
                (true, false) => Between::Kept,
            }
        })
    }

    /// Numbers that the `i`th kernel keeps, and of its outputs.
    fn kept<F: Real>(&self, i: usize, steps: usize) -> [usize; 2]
    where
        dyn AnyKernel: Typed<F>,
    {
        let outputs = if self.between::<F>(i) == Some(Between::Kept) { self.n_out(i) } else { 0 };
        [self.part::<F>(i).n_kept(steps), outputs * steps]
    }

    /// Outputs of the `i`th kernel, without what it records.
    fn n_out(&self, i: usize) -> usize {
        self.parts[i].1.n_out - self.recorded[i]
    }

    /// The channels of the chain's outputs that the `i`th kernel records.
    fn recorded(&self, i: usize) -> Range<usize> {
        let begin = self.n_out(self.parts.len() - 1) + self.recorded[..i].iter().sum::<usize>();
        begin..begin + self.recorded[i]
    }

    fn widest(&self) -> usize {
        let recording = self.parts.iter().zip(&self.recorded).filter(|(_, recorded)| **recorded > 0);
        let outputs = recording.map(|((_, sizes), _)| sizes.n_out);
        self.parts[1..].iter().map(|(_, sizes)| sizes.n_in).chain(outputs).max().unwrap_or(0)
    }
}

impl AnyKernel for KernelChain {
    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        let (mut parts, mut recorded, mut begin) = (Vec::new(), Vec::new(), 0);
        for (part, sizes) in &self.parts {
            let end = begin + sizes.n_state;
            let own = leaves_within(leaves, &(begin..end));
            recorded.push(numbers_of(&own));
            parts.push(if own.is_empty() { part.clone() } else { part.clone().recording(&own)? });
            begin = end;
        }
        let all = recorded.iter().sum::<usize>() == numbers_of(leaves);
        all.then(|| Arc::new(Self { recorded, ..Self::new(parts) }) as _)
    }
}

impl<F: Real> Kernel<F> for KernelChain
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let sum = |of: fn(&Sizes) -> usize| self.parts.iter().map(|(_, sizes)| of(sizes)).sum::<usize>();
        let work = self.parts.iter().map(|(_, sizes)| sizes.n_work).max().unwrap_or(0);
        Sizes {
            n_in: self.parts[0].1.n_in,
            n_out: self.n_out(self.parts.len() - 1) + self.recorded.iter().sum::<usize>(),
            n_state: sum(|sizes| sizes.n_state),
            n_work: 3 * self.widest() + work,
            n_params: sum(|sizes| sizes.n_params),
        }
    }

    fn takes_events(&self) -> bool {
        self.part::<F>(0).takes_events()
    }

    fn n_kept(&self, steps: usize) -> usize {
        (0..self.parts.len()).flat_map(|i| self.kept::<F>(i, steps)).sum()
    }

    /// If any kernel should be stored, the whole chain is.
    fn stores(&self) -> bool {
        (0..self.parts.len()).any(|i| self.part::<F>(i).stores())
    }

    fn stores_much(&self) -> bool {
        (0..self.parts.len()).any(|i| self.part::<F>(i).stores_much())
    }

    fn fills_vectors(&self) -> bool {
        (0..self.parts.len()).any(|i| self.part::<F>(i).fills_vectors())
    }

    fn reads_inputs(&self) -> bool {
        self.part::<F>(0).reads_inputs()
    }

    fn spikes(&self) -> bool {
        self.recorded.iter().sum::<usize>() == 0 && self.part::<F>(self.parts.len() - 1).spikes()
    }

    fn keeps_outputs(&self) -> bool {
        self.part::<F>(self.parts.len() - 1).keeps_outputs()
    }

    fn outputs(&self, tile: Tile, kept: &[F], ys: &mut [F]) {
        let last = self.part::<F>(self.parts.len() - 1);
        last.outputs(tile, &kept[kept.len() - last.n_kept(tile.steps) * tile.lanes..], ys);
    }

    fn forward(
        &self,
        tile: Tile,
        xs: Input<'_, F>,
        mut state: &mut [F],
        ys: &mut [F],
        mut kept: &mut [F],
        work: &mut [F],
    ) {
        let wide = tile.len() * self.widest();
        let (mut one, work) = work.split_at_mut(wide);
        let (mut other, work) = work.split_at_mut(wide);
        let mut given = Given::Input;
        for (i, (_, sizes)) in self.parts.iter().enumerate() {
            let [own, outputs] = self.kept::<F>(i, tile.steps);
            let (own_state, rest) = state.split_at_mut(tile.lanes * sizes.n_state);
            state = rest;
            let (own_kept, rest) = kept.split_at_mut(tile.lanes * own);
            let (outputs, rest) = rest.split_at_mut(tile.lanes * outputs);
            kept = rest;
            let xs = match given {
                Given::Input => xs,
                Given::Kept(before) => Input::Dense(before),
                Given::Other => Input::Dense(&other[..tile.len() * sizes.n_in]),
            };
            let part = self.part::<F>(i);
            let (own, between) = (tile.channels(0..self.n_out(i)), self.between::<F>(i));
            // With its records behind them, outputs do not fit where they belong.
            let records = self.recorded[i] > 0;
            let made = match between {
                None if !records => &mut ys[own.clone()],
                Some(Between::Kept) if !records => &mut *outputs,
                _ => &mut one[..tile.len() * sizes.n_out],
            };
            part.forward(tile, xs, own_state, made, own_kept, work);
            if records {
                ys[tile.channels(self.recorded(i))].copy_from_slice(&one[own.end..tile.len() * sizes.n_out]);
            }
            match between {
                None if records => ys[own.clone()].copy_from_slice(&one[own]),
                None => {}
                Some(Between::Kept) => {
                    if records {
                        outputs.copy_from_slice(&one[own]);
                    }
                    given = Given::Kept(outputs);
                }
                Some(Between::Again | Between::Unread) => {
                    (one, other) = (other, one);
                    given = Given::Other;
                }
            }
        }
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        let steps = (0..self.parts.len()).map(|i| self.part::<F>(i).single_step()).collect::<Option<Vec<_>>>()?;
        Some(Box::new(step::ChainStep::new(steps)))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, mut kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        let Grads { ys, state: mut gstate, xs: gxs, params: mut gparams } = grads;
        let wide = tile.len() * self.widest();
        let (mut one, work) = work.split_at_mut(wide);
        let (mut other, work) = work.split_at_mut(wide);
        let (again, work) = work.split_at_mut(wide);
        let mut gxs = Some(gxs);
        for (i, (_, sizes)) in self.parts.iter().enumerate().rev() {
            // The blocks end with those of the last kernel.
            let (before, own_kept) = kept.split_at_mut(kept.len() - tile.lanes * self.kept::<F>(i, tile.steps)[0]);
            let (before_state, own_gstate) = gstate.split_at_mut(gstate.len() - tile.lanes * sizes.n_state);
            let (before_params, own_gparams) = gparams.split_at_mut(gparams.len() - sizes.n_params);
            let (own, is_last) = (tile.channels(0..self.n_out(i)), i + 1 == self.parts.len());
            if self.recorded[i] > 0 {
                if is_last {
                    other[own.clone()].copy_from_slice(&ys[own.clone()]);
                }
                let asked = &ys[tile.channels(self.recorded(i))];
                other[own.end..tile.len() * sizes.n_out].copy_from_slice(asked);
            }
            let own_ys = match is_last && self.recorded[i] == 0 {
                true => &ys[own],
                false => &other[..tile.len() * sizes.n_out],
            };
            let part = self.part::<F>(i);
            if i == 0 {
                let own_gxs = gxs.take().expect("only the first writes there");
                let grads = Grads { ys: own_ys, state: own_gstate, xs: own_gxs, params: own_gparams };
                return part.backward(tile, xs, own_kept, work, grads);
            }
            let len = tile.len() * sizes.n_in;
            let grads = Grads { ys: own_ys, state: own_gstate, xs: &mut one[..len], params: own_gparams };
            let of_outputs = tile.lanes * self.kept::<F>(i - 1, tile.steps)[1];
            let (before, outputs) = before.split_at_mut(before.len() - of_outputs);
            let own_xs = match self.between::<F>(i - 1) {
                Some(Between::Kept) => &*outputs,
                Some(Between::Again) => {
                    let of_before = tile.lanes * self.kept::<F>(i - 1, tile.steps)[0];
                    self.part::<F>(i - 1).outputs(tile, &before[before.len() - of_before..], &mut again[..len]);
                    &again[..len]
                }
                _ => &again[..len],
            };
            part.backward(tile, Input::Dense(own_xs), own_kept, work, grads);
            (kept, gstate, gparams) = (before, before_state, before_params);
            (one, other) = (other, one);
        }
    }
}
