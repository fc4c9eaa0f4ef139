//! [`Program`]: a formula for an interpreter, which works on hundreds of numbers at once.
//!
//! A formula that is known only when the program runs cannot be compiled ahead. Each of its instructions is a loop over a row of
//! numbers, one for each neuron and sample of a tile, so that choosing the loop costs little beside running it. What is
//! left are reads and writes of the nearest cache, and so an instruction does as much as it can: see [`Instruction`].

use std::sync::Arc;

use crate::compiled::{Compiled, Source};
use crate::{Graph, Id};

mod allocate;
mod loaded;
mod lower;
mod run;

pub(crate) use loaded::Loaded;
pub(crate) use run::{CHUNK, Channel, Registers, Steps, run_steps};

/// What an instruction calculates, of rows `a`, `b`, `c` and constants `k`, `l`.
///
/// Constants never fill a row of their own. A formula of sums and products with constants is one instruction for each product of two
/// rows or sum of two rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Instruction<K = f64> {
    /// `k a + l`.
    Affine { a: Row, k: K, l: K },
    /// `k a + l b + m`.
    Sum { a: Row, b: Row, k: K, l: K, m: K },
    /// `k a b + l`.
    Product { a: Row, b: Row, k: K, l: K },
    /// `k a b + l c + m`.
    ProductSum { a: Row, b: Row, c: Row, k: K, l: K, m: K },
    /// `k a / b`.
    Quotient { a: Row, b: Row, k: K },
    /// `k / (a + l)`.
    Reciprocal { a: Row, k: K, l: K },
    /// `b` where `a >= 0`, else `c`.
    Pick { a: Row, b: Row, c: Row },
    /// `k` where `a >= l`, else `b`.
    Replace { a: Row, b: Row, k: K, l: K },
    /// `k` where `a >= m`, else `l`.
    Choose { a: Row, k: K, l: K, m: K },
    /// `f(k a + l)`.
    Of { f: crate::Function, a: Row, k: K, l: K },
    /// `(k a)^l`.
    Power { a: Row, k: K, l: K },
}

/// A row of numbers: before [allocation](allocate) a result of its own, and then a place that several results use in turn.
pub(crate) type Row = u16;

impl<K> Instruction<K> {
    /// The rows that it reads.
    fn reads(&mut self) -> impl Iterator<Item = &mut Row> {
        let all = match self {
            Self::Affine { a, .. } | Self::Reciprocal { a, .. } | Self::Choose { a, .. } => [Some(a), None, None],
            Self::Of { a, .. } | Self::Power { a, .. } => [Some(a), None, None],
            Self::Sum { a, b, .. } | Self::Product { a, b, .. } | Self::Quotient { a, b, .. } => {
                [Some(a), Some(b), None]
            }
            Self::Replace { a, b, .. } => [Some(a), Some(b), None],
            Self::ProductSum { a, b, c, .. } | Self::Pick { a, b, c } => [Some(a), Some(b), Some(c)],
        };
        all.into_iter().flatten()
    }

    /// With constants of another type.
    pub(crate) fn with<L>(self, of: impl Fn(K) -> L) -> Instruction<L> {
        match self {
            Self::Affine { a, k, l } => Instruction::Affine { a, k: of(k), l: of(l) },
            Self::Sum { a, b, k, l, m } => Instruction::Sum { a, b, k: of(k), l: of(l), m: of(m) },
            Self::Product { a, b, k, l } => Instruction::Product { a, b, k: of(k), l: of(l) },
            Self::ProductSum { a, b, c, k, l, m } => Instruction::ProductSum { a, b, c, k: of(k), l: of(l), m: of(m) },
            Self::Quotient { a, b, k } => Instruction::Quotient { a, b, k: of(k) },
            Self::Reciprocal { a, k, l } => Instruction::Reciprocal { a, k: of(k), l: of(l) },
            Self::Pick { a, b, c } => Instruction::Pick { a, b, c },
            Self::Replace { a, b, k, l } => Instruction::Replace { a, b, k: of(k), l: of(l) },
            Self::Choose { a, k, l, m } => Instruction::Choose { a, k: of(k), l: of(l), m: of(m) },
            Self::Of { f, a, k, l } => Instruction::Of { f, a, k: of(k), l: of(l) },
            Self::Power { a, k, l } => Instruction::Power { a, k: of(k), l: of(l) },
        }
    }
}

impl Instruction {
    /// Where 0 is added, -0: the sum is then the other number whatever that is, and a compiler may leave it out.
    fn without_zeros(mut self) -> Self {
        let added = match &mut self {
            Self::Affine { l, .. } | Self::Product { l, .. } | Self::Of { l, .. } => l,
            Self::Sum { m, .. } | Self::ProductSum { m, .. } => m,
            _ => return self,
        };
        if *added == 0.0 {
            *added = -0.0;
        }
        self
    }
}

/// Instructions that take some rows to others.
///
/// The inputs stand in the first rows, in their order. A result may have the row of an input as its own, which it then replaces: the next
/// state that of the state. Other inputs are as they were when the program ends.
#[derive(Debug, Clone)]
pub struct Program {
    /// Each with the row that it writes.
    instructions: Vec<(Row, Instruction)>,
    inputs: usize,
    rows: usize,
    results: Vec<Row>,
    /// Of results that replace no input.
    stored: Vec<Row>,
    compiled: Option<Arc<Compiled>>,
    loaded: Arc<loaded::LoadedOnce>,
}

impl Program {
    /// The program of some results of a graph; each with the input whose row it replaces, if it does.
    pub fn new(graph: &Graph, results: &[(Id, Option<usize>)]) -> Self {
        let ids: Vec<Id> = results.iter().map(|(id, _)| *id).collect();
        let (graph, ids) = graph.simplified(&ids);
        let lowered = lower::lower(&graph, &ids);
        let replaced: Vec<Option<usize>> = results.iter().map(|(_, replaced)| *replaced).collect();
        allocate::allocate(lowered, &replaced)
    }

    /// The same, compiled when it first runs. `kept` are inputs that are written down before each step.
    pub(crate) fn compiled(mut self, kept: impl Iterator<Item = usize>) -> Self {
        self.loaded = Arc::default();
        self.compiled = Some(Arc::new(Compiled::new(Source {
            instructions: self.instructions.clone(),
            inputs: self.inputs,
            rows: self.rows,
            kept: kept.map(|input| input as Row).collect(),
            stored: self.stored.clone(),
        })));
        self
    }

    /// What has become of its compiled loops.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = Result<String, String>> {
        self.compiled.iter().flat_map(|compiled| compiled.outcomes())
    }

    /// Rows that it needs, inputs included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The row of the result of this number.
    pub fn result(&self, which: usize) -> usize {
        self.results[which].into()
    }

    /// Whether the row of this result is its own when the program ends, and of no input.
    pub(crate) fn owns(&self, which: usize) -> bool {
        let row = self.results[which];
        usize::from(row) >= self.inputs && self.results.iter().filter(|other| **other == row).count() == 1
    }

    /// How many instructions there are.
    pub fn len(&self) -> usize {
        self.instructions.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }
}
