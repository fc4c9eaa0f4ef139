//! [`KernelChain`]: kernels in a row as one kernel.

use std::sync::Arc;

use super::{AnyKernel, Grads, Input, Kernel, Real, SingleStep, Sizes, Tile, Typed};

mod step;

/// Kernels in a row, each fed by the one before. A stretch goes through all of them before the next one begins, so that
/// what one writes is still in the cache when the next one reads it.
///
/// Kept is for each kernel its own, then its outputs where the next one's adjoint reads them and nothing else says what they were.
/// `work`: two blocks for what is between two kernels, or its gradient; one for outputs that are made again; and the workspace of
/// a kernel.
#[derive(Debug)]
pub struct KernelChain {
    parts: Vec<(Arc<dyn AnyKernel>, Sizes)>,
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
        Self { parts: parts.into_iter().map(with_sizes).collect() }
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
        let outputs = if self.between::<F>(i) == Some(Between::Kept) { self.parts[i].1.n_out } else { 0 };
        [self.part::<F>(i).n_kept(steps), outputs * steps]
    }

    fn widest(&self) -> usize {
        self.parts[1..].iter().map(|(_, sizes)| sizes.n_in).max().unwrap_or(0)
    }
}

impl AnyKernel for KernelChain {}

impl<F: Real> Kernel<F> for KernelChain
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let sum = |of: fn(&Sizes) -> usize| self.parts.iter().map(|(_, sizes)| of(sizes)).sum::<usize>();
        let work = self.parts.iter().map(|(_, sizes)| sizes.n_work).max().unwrap_or(0);
        Sizes {
            n_in: self.parts[0].1.n_in,
            n_out: self.parts[self.parts.len() - 1].1.n_out,
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
        self.part::<F>(self.parts.len() - 1).spikes()
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
        let mut ys = Some(ys);
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
            match self.between::<F>(i) {
                None => {
                    part.forward(tile, xs, own_state, ys.take().expect("only the last writes there"), own_kept, work)
                }
                Some(Between::Kept) => {
                    part.forward(tile, xs, own_state, outputs, own_kept, work);
                    given = Given::Kept(outputs);
                }
                Some(Between::Again | Between::Unread) => {
                    part.forward(tile, xs, own_state, &mut one[..tile.len() * sizes.n_out], own_kept, work);
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
            let own_ys = if i + 1 == self.parts.len() { ys } else { &other[..tile.len() * sizes.n_out] };
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
