//! [`NeuronGroup`]: as many neurons as an interpreter advances at once.

use std::sync::Arc;

use crate::bits::WriteBits;
use crate::program::{CHUNK, Channel, Loaded, Registers, Steps, run_steps};
use crate::{Block, Compile, Instructions, LANES, Real, UnitProgram, vectorised};

/// Neurons side by side, whose states stay in the rows of an interpreter from one call to the next.
///
/// Neurons lie in chunks of [`CHUNK`](Self::CHUNK). Behind the last one, numbers of neurons that are not there are calculated as well.
#[derive(Debug)]
pub struct NeuronGroup<F: Real> {
    unit: Arc<UnitProgram>,
    program: Arc<Loaded<F>>,
    n: usize,
    registers: Registers<F>,
    /// Outputs of the last step, in whole chunks, where they are a state or all that was made.
    last: Block<F>,
}

/// What comes in at a port over some steps.
#[derive(Debug, Clone, Copy)]
pub enum PortInput<'a, F> {
    /// The same in all steps, `[neuron]`.
    Constant(&'a [F]),
    /// `[chunk][step][neuron of the chunk]`.
    Series(&'a [F]),
}

/// A number of each neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeuronNumber {
    /// Of the state that moves.
    State(usize),
    /// That neurons hold.
    Held(usize),
}

/// Outputs of some steps, and other memory that groups use in turn.
#[derive(Debug, Default)]
pub struct GroupWorkspace<F: Real> {
    /// `[chunk][step][neuron of the chunk]`, and more behind that.
    outputs: Block<F>,
    steps: usize,
    /// Whether each output is a spike, a bit each.
    bits: Vec<u8>,
    loads: Vec<Channel>,
    stores: Vec<Channel>,
}

impl<F: Real> NeuronGroup<F> {
    /// Neurons of a chunk.
    pub const CHUNK: usize = CHUNK;

    /// Most steps that are made at once, so that outputs stay in the nearest cache.
    pub const STEPS: usize = 16;

    /// As many neurons of a unit as one group has at most, if it makes so many steps at once: what an interpreter works on in its nearest
    /// cache. Of a compiled loop only inputs and outputs have to stay near, and fewer calls take less time.
    pub fn most(unit: &UnitProgram, steps: usize) -> usize {
        const COMPILED: usize = 16 * CHUNK * 16;
        match unit.compile {
            Compile::Never => CHUNK * unit.units_of_a_row::<F>(CHUNK),
            Compile::IfFound => (COMPILED / steps.clamp(1, Self::STEPS)).next_multiple_of(CHUNK),
        }
    }

    /// Groups for `n` neurons that make so many steps at once. All their numbers are 0 at first.
    pub fn groups(n: usize, unit: &Arc<UnitProgram>, steps: usize) -> Vec<Self> {
        let program = unit.stepping().load();
        let most = Self::most(unit, steps);
        let sizes = (0..n).step_by(most).map(|first| most.min(n - first));
        sizes.map(|n| Self::new(n, unit, program)).collect()
    }

    fn new(n: usize, unit: &Arc<UnitProgram>, program: &Arc<Loaded<F>>) -> Self {
        let registers = Registers::new(unit.stepping().rows(), n);
        let last = Block::zeros(n.next_multiple_of(CHUNK));
        Self { n, registers, last, unit: Arc::clone(unit), program: Arc::clone(program) }
    }

    /// How many neurons there are.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How many, with those that fill the last chunk.
    pub fn padded_len(&self) -> usize {
        self.n.next_multiple_of(CHUNK)
    }

    fn row(&self, number: NeuronNumber) -> usize {
        match number {
            NeuronNumber::State(j) if j < self.unit.moving() => self.unit.ports() + j,
            NeuronNumber::Held(j) if j < self.unit.held() => self.unit.ports() + self.unit.moving() + j,
            _ => panic!("there is no {number:?}"),
        }
    }

    /// Sets a number of all neurons, `[n]`.
    pub fn set(&mut self, number: NeuronNumber, values: &[F]) {
        let n = self.n;
        match number {
            NeuronNumber::State(j) if self.unit.repeats(j) => {
                self.last[..n].copy_from_slice(values);
            }
            number => fill(self.registers.row_mut(self.row(number)), values, n),
        }
    }

    /// A number of all neurons, `[n]`.
    pub fn get(&self, number: NeuronNumber) -> &[F] {
        match number {
            NeuronNumber::State(j) if self.unit.repeats(j) => &self.last[..self.n],
            number => &self.registers.row(self.row(number))[..self.n],
        }
    }

    /// Makes at most [`STEPS`](Self::STEPS) steps. `inputs` are one of each port. What states are after each step is written for those in `traced`,
    /// `[state][chunk][step][neuron of the chunk]`.
    pub fn advance(
        &mut self,
        instructions: Instructions,
        steps: usize,
        inputs: &[PortInput<'_, F>],
        traced: (&[usize], &mut [F]),
        workspace: &mut GroupWorkspace<F>,
    ) {
        assert!(steps <= Self::STEPS && inputs.len() == self.unit.ports(), "steps of a group");
        let unit = Arc::clone(&self.unit);
        let units = self.padded_len() / CHUNK;
        let len = steps * units * CHUNK;
        workspace.steps = steps;
        let GroupWorkspace { outputs, loads, stores, .. } = workspace;
        if outputs.len() < len {
            outputs.resize(len);
        }
        // One step needs no copy.
        let outputs = if steps == 1 { &mut self.last[..] } else { &mut outputs[..len] };
        let load = |(port, input): (usize, &PortInput<'_, F>)| {
            let constant = matches!(input, PortInput::Constant(_));
            Channel { row: port, block: port, begin: 0, own: false, constant }
        };
        loads.clear();
        loads.extend(inputs.iter().enumerate().map(load));
        let output = unit.stepping().result(0);
        let store = |row, block, begin, own| Channel { row, block, begin, own, constant: false };
        let traces = traced.0.iter().enumerate().map(|(at, j)| match unit.repeats(*j) {
            true => store(output, 1, at * len, false),
            false => store(unit.ports() + j, 1, at * len, false),
        });
        // A row that is traced as well is copied: it cannot be in two places.
        let own = unit.stepping().owns(0) && !traced.0.iter().any(|j| unit.repeats(*j));
        stores.clear();
        stores.extend([store(output, 0, 0, own)].into_iter().chain(traces));
        with_slices(inputs, |read| {
            let run = Steps {
                program: &self.program,
                steps,
                backward: false,
                lanes: CHUNK,
                units,
                read,
                loads,
                written: &mut [&mut *outputs, traced.1],
                keeps: &[],
                stores,
            };
            run_steps(instructions, run, &mut self.registers);
        });
        if steps > 1 && (0..unit.moving()).any(|j| unit.repeats(j)) {
            for (k, last) in self.last.chunks_mut(CHUNK).enumerate() {
                last.copy_from_slice(&workspace.outputs[(k * steps + steps - 1) * CHUNK..][..CHUNK]);
            }
        }
    }

    /// Outputs of the steps that were made last, with this workspace, `[chunk][step][neuron of the chunk]`.
    pub fn outputs<'a>(&'a self, workspace: &'a GroupWorkspace<F>) -> &'a [F] {
        match workspace.steps {
            1 => &self.last,
            steps => &workspace.outputs[..steps * self.padded_len()],
        }
    }

    /// Calls `found` with step and neuron, from 0, of each spike of the steps that were made last with this workspace: by chunk, in it by
    /// step, in that by neuron.
    pub fn spikes(
        &self,
        instructions: Instructions,
        workspace: &mut GroupWorkspace<F>,
        mut found: impl FnMut(usize, usize),
    ) {
        if !self.unit.sends_spikes() || workspace.steps == 0 {
            return;
        }
        let mut bits = std::mem::take(&mut workspace.bits);
        let numbers = self.outputs(workspace);
        bits.resize(numbers.len() / LANES, 0);
        vectorised(instructions, WriteBits { numbers, bits: &mut bits });
        let steps = workspace.steps;
        // A chunk of neurons has as many bits as an `u32`.
        for (at, bits) in bits.as_chunks::<{ CHUNK / LANES }>().0.iter().enumerate() {
            let mut fired = u32::from_le_bytes(*bits);
            while fired != 0 {
                let neuron = at / steps * CHUNK + fired.trailing_zeros() as usize;
                if neuron < self.n {
                    found(at % steps, neuron);
                }
                fired &= fired - 1;
            }
        }
        workspace.bits = bits;
    }
}

/// Calls `run` with the numbers of all inputs. Of few there is no list in memory.
fn with_slices<'a, F>(inputs: &[PortInput<'a, F>], run: impl FnOnce(&[&'a [F]])) {
    const FEW: usize = 8;
    let slice = |input: &PortInput<'a, F>| match *input {
        PortInput::Constant(xs) | PortInput::Series(xs) => xs,
    };
    let mut few: [&'a [F]; FEW] = [&[]; FEW];
    match few.get_mut(..inputs.len()) {
        Some(few) => {
            few.iter_mut().zip(inputs).for_each(|(few, input)| *few = slice(input));
            run(few);
        }
        None => run(&inputs.iter().map(slice).collect::<Vec<_>>()),
    }
}

/// The last one fills the last chunk.
fn fill<F: Real>(row: &mut [F], values: &[F], n: usize) {
    assert_eq!(values.len(), n, "one number of each neuron");
    row[..n].copy_from_slice(values);
    if let Some(last) = values.last() {
        row[n..].fill(*last);
    }
}
