//! One step of interpreted units of one series, with units side by side.

use std::sync::Arc;

use crate::program::{CHUNK, Channel, Loaded, Registers, Steps, run_steps};
use crate::{Block, Instructions, Real, SingleStep, UnitProgram, places};

/// [`SingleStep`] of units of a graph: as of the neurons of a [`NeuronGroup`](crate::NeuronGroup), rows of registers hold all units.
#[derive(Debug)]
pub(super) struct GraphStep<F: Real> {
    n: usize,
    unit: Arc<UnitProgram>,
    program: Arc<Loaded<F>>,
    registers: Registers<F>,
    /// Input and output in whole chunks.
    x: Block<F>,
    y: Block<F>,
    load: Channel,
    store: Channel,
    instructions: Instructions,
}

impl<F: Real> GraphStep<F> {
    /// Of units with one input and one output; of others there is none.
    pub(super) fn new(n: usize, unit: &Arc<UnitProgram>, held: &[F]) -> Option<Self> {
        if unit.ports() != 1 || unit.outputs() != 1 {
            return None;
        }
        let program = unit.stepping();
        let mut registers = Registers::new(program.rows(), n);
        for (j, held) in held.chunks_exact(n).enumerate() {
            registers.row_mut(1 + unit.moving() + j)[..n].copy_from_slice(held);
        }
        let channel = |row, own| Channel { row, block: 0, begin: 0, own, constant: false };
        let chunks = || Block::zeros(n.next_multiple_of(CHUNK));
        Some(Self {
            n,
            registers,
            x: chunks(),
            y: chunks(),
            load: channel(0, false),
            store: channel(program.result(0), program.owns(0)),
            program: Arc::clone(program.load()),
            unit: Arc::clone(unit),
            instructions: Instructions::best(),
        })
    }

    /// Numbers of state that the program reads and writes. The others repeat the output, and nothing reads them.
    fn states(&self) -> impl Iterator<Item = usize> + use<F> {
        let unit = Arc::clone(&self.unit);
        (0..unit.moving()).filter(move |j| !unit.repeats(*j))
    }
}

impl<F: Real> SingleStep<F> for GraphStep<F> {
    fn n_in(&self) -> usize {
        self.n
    }

    fn n_out(&self) -> usize {
        self.n
    }

    fn leaves(&self) -> Vec<usize> {
        vec![self.n; self.unit.moving()]
    }

    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]) {
        let (n, places) = (self.n, places::<F>(self.n));
        self.x[..n].copy_from_slice(&xs[..n]);
        for j in self.states() {
            self.registers.row_mut(1 + j)[..n].copy_from_slice(&state[j * places..][..n]);
        }
        let Self { program, registers, x, y, load, store, instructions, .. } = self;
        let steps = Steps {
            program,
            steps: 1,
            backward: false,
            lanes: CHUNK,
            units: x.len() / CHUNK,
            read: &[x],
            loads: std::slice::from_ref(load),
            written: &mut [&mut *y],
            keeps: &[],
            stores: std::slice::from_ref(store),
        };
        run_steps(*instructions, steps, registers);
        ys[..n].copy_from_slice(&self.y[..n]);
        for j in self.states() {
            state[j * places..][..n].copy_from_slice(&self.registers.row(1 + j)[..n]);
        }
    }
}
