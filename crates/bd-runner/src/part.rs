//! [`Part`]: what makes a step of one network, and [`Row`], parts in a row.

use std::sync::Arc;

use bd_kernel::{AnyKernel, Block, Instructions, LANES, Real, SingleStep, Stretch, Typed, flush, places, places_of};

/// A kernel as it was made, with the state before the first step: of each leaf its numbers, or zeros.
pub(crate) struct Layer {
    pub(crate) kernel: Arc<dyn AnyKernel>,
    pub(crate) initial: Vec<Option<Vec<f64>>>,
}

impl Layer {
    /// Whose state begins at zero.
    pub(crate) fn new(kernel: Arc<dyn AnyKernel>, leaves: usize) -> Self {
        Self { kernel, initial: vec![None; leaves] }
    }
}

/// Something that makes steps of one series, in memory that is there already.
#[derive(Debug)]
pub(crate) enum Part<F: Real> {
    Kernel {
        step: Box<dyn SingleStep<F>>,
        initial: Block<F>,
        /// Steps after which what is about to underflow becomes zero, as in a scan of a few series.
        stretch: u64,
    },
    /// Its input, and beside it the mean of all inputs so far: `bd_models::RunningMean`.
    Mean { n: usize },
}

/// How a scan cuts up time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Samples side by side, of an input that is a list of spikes or not.
    Tile { listed: bool },
    /// A series alone.
    OneSeries,
}

/// The state of a part.
#[derive(Debug)]
pub(crate) struct State<F: Real> {
    numbers: Block<F>,
    /// Sums of a mean, which libtorch keeps in float64.
    sums: Vec<f64>,
}

impl<F: Real> Part<F>
where
    dyn AnyKernel: Typed<F>,
{
    /// Of kernels in a row; none if one of them makes no single steps.
    pub(crate) fn kernel(layers: Vec<Layer>, scan: Scan) -> Option<Self> {
        let initial: Vec<_> = layers.iter().flat_map(|layer| layer.initial.clone()).collect();
        let kernel = bd_kernel::KernelChain::joined(layers.into_iter().map(|layer| layer.kernel));
        let typed = Typed::<F>::typed(kernel.as_ref());
        let stretch = match scan {
            Scan::Tile { listed } => Stretch::default().steps(typed, LANES, listed),
            Scan::OneSeries => Stretch::OF_ONE_SERIES,
        };
        let step = typed.single_step()?;
        let leaves = step.leaves();
        assert_eq!(leaves.len(), initial.len(), "leaves of the state of {kernel:?}");
        let mut block = Block::zeros(places_of::<F>(&leaves));
        let mut at = 0;
        for (n, values) in leaves.into_iter().zip(initial) {
            for (to, value) in block[at..at + n].iter_mut().zip(values.into_iter().flatten()) {
                *to = F::of(value);
            }
            at += places::<F>(n);
        }
        Some(Self::Kernel { step, initial: block, stretch: stretch as u64 })
    }
}

impl<F: Real + Into<f64>> Part<F> {
    pub(crate) fn n_out(&self) -> usize {
        match self {
            Self::Kernel { step, .. } => step.n_out(),
            Self::Mean { n } => 2 * n,
        }
    }

    fn state(&self) -> State<F> {
        match self {
            Self::Kernel { initial, .. } => State { numbers: initial.clone(), sums: Vec::new() },
            Self::Mean { n } => State { numbers: Block::default(), sums: vec![0.0; *n] },
        }
    }

    fn reset(&self, state: &mut State<F>) {
        match self {
            Self::Kernel { initial, .. } => state.numbers.copy_from_slice(initial),
            Self::Mean { .. } => state.sums.fill(0.0),
        }
    }

    /// The step of this number, counted from 0.
    #[inline]
    fn step(&mut self, number: u64, instructions: Instructions, state: &mut State<F>, x: &[F], y: &mut [F]) {
        match self {
            Self::Kernel { step, stretch, .. } => {
                step.step(&mut state.numbers, x, y);
                if (number + 1).is_multiple_of(*stretch) {
                    flush(instructions, &mut state.numbers);
                }
            }
            Self::Mean { n } => {
                let steps = F::of((number + 1) as f64);
                y[..*n].copy_from_slice(&x[..*n]);
                for (mean, (sum, x)) in y[*n..].iter_mut().zip(state.sums.iter_mut().zip(x)) {
                    *sum += (*x).into();
                    *mean = F::of(*sum) / steps;
                }
            }
        }
    }
}

/// Parts in a row.
#[derive(Debug)]
pub(crate) struct Row<F: Real> {
    parts: Vec<Part<F>>,
    /// The outputs of each.
    outputs: Vec<Block<F>>,
    instructions: Instructions,
}

impl<F: Real + Into<f64>> Row<F> {
    pub(crate) fn new(parts: Vec<Part<F>>) -> Self {
        let outputs = parts.iter().map(|part| Block::zeros(places::<F>(part.n_out()))).collect();
        Self { parts, outputs, instructions: Instructions::best() }
    }

    pub(crate) fn n_out(&self) -> usize {
        self.parts.last().map_or(0, Part::n_out)
    }

    /// States before the first step.
    pub(crate) fn states(&self) -> Vec<State<F>> {
        self.parts.iter().map(Part::state).collect()
    }

    pub(crate) fn reset(&self, states: &mut [State<F>]) {
        self.parts.iter().zip(states).for_each(|(part, state)| part.reset(state));
    }

    /// The step of this number; outputs, and places behind them.
    pub(crate) fn step(&mut self, number: u64, states: &mut [State<F>], x: &[F]) -> &[F] {
        let Self { parts, outputs, instructions } = self;
        let mut before: &[F] = x;
        for ((part, state), y) in parts.iter_mut().zip(states).zip(outputs.iter_mut()) {
            part.step(number, *instructions, state, before, y);
            before = y;
        }
        outputs.last().map_or(&[], |outputs| outputs)
    }
}
