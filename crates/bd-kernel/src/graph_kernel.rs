//! [`GraphKernel`]: the loops of units whose formula is known when the program runs.

use std::sync::Arc;

use crate::models::surrogate::Surrogate;
use crate::program::{Loaded, Program, Registers};
use crate::unit_kernel::surrogates;
use crate::{AnyKernel, Facts, Formula, Grads, Id, Input, Kernel, Numbers, Real, Result, Sizes, Tile, UnitFormula};

/// What rows of registers take together at most, in bytes: half of a nearest cache of 32 KiB. But a row has [`WIDTH`] numbers where
/// instructions are so many that this would leave few.
const WORKING_SET: usize = 16 << 10;

/// Numbers of a row, at least and at most: below, choosing an instruction costs more than running it.
const WIDTH: [usize; 2] = [64, 256];

/// A [`UnitFormula`] made ready to run: programs of its step and of its adjoint, and its text. It is worth keeping, for it takes longer to
/// make than a short scan.
#[derive(Debug)]
pub struct UnitProgram {
    formula: UnitFormula,
    surrogate: Option<Surrogate>,
    /// Whether the adjoint reads the inputs, and each number of state.
    reads: (bool, Vec<bool>),
    forward: Program,
    backward: Program,
    text: Result<String>,
}

/// Rows of the adjoint's inputs behind those of ports and state.
const OVER: usize = 0;
const SLOPE: usize = 1;
const GY: usize = 2;
const GNEXT: usize = 3;

impl UnitProgram {
    /// Units with a surrogate spike: the output is exactly 0 or 1, and they know their distance from the threshold.
    pub fn new(formula: &UnitFormula, surrogate: Option<Surrogate>) -> Self {
        let formula = formula.simplified();
        assert!(surrogate.is_some() == formula.step.over.is_some(), "units have a surrogate if they spike");
        let (ports, states) = (formula.ports, formula.adjoint.gs.len());
        let step = &formula.step;
        let results: Vec<(Id, Option<usize>)> = std::iter::once((step.y, None))
            .chain(step.next.iter().enumerate().map(|(j, id)| (*id, Some(ports + j))))
            .chain(step.over.map(|over| (over, None)))
            .collect();
        let forward = Program::new(&step.graph, &results);
        let gnext = ports + states + GNEXT;
        let pulled: Vec<(Id, Option<usize>)> = (formula.adjoint.gx.iter().map(|id| (*id, None)))
            .chain(formula.adjoint.gs.iter().enumerate().map(|(j, id)| (*id, Some(gnext + j))))
            .collect();
        let backward = Program::new(&formula.adjoint.graph, &pulled);
        Self { reads: formula.reads(), text: formula.cuda(), formula, surrogate, forward, backward }
    }

    /// Instructions of a step, and of its adjoint.
    pub fn instructions(&self) -> [usize; 2] {
        [self.forward.len(), self.backward.len()]
    }

    fn n_states_kept(&self) -> usize {
        self.reads.1.iter().filter(|reads| **reads).count()
    }

    fn kept_states(&self) -> impl Iterator<Item = usize> {
        (0..self.formula.moving()).filter(|j| self.reads.1[*j])
    }
}

/// `n` equal units, interpreted: see [`Program`].
///
/// Blocks are `[port][unit][step][lane]`. A row of registers has all samples of some units. What is [held](crate::Unit::HELD) and what is
/// kept is as in [`UnitKernel`](crate::UnitKernel).
#[derive(Debug)]
pub struct GraphKernel {
    n: usize,
    unit: Arc<UnitProgram>,
    held: Option<Numbers>,
}

impl GraphKernel {
    /// `n` units. Of those that hold numbers it can be run once it [has](Self::holding) them.
    pub fn new(n: usize, unit: Arc<UnitProgram>) -> Self {
        Self { n, unit, held: None }
    }

    /// With the numbers that its units hold, `[held, n]`. They are parameters. A GPU is handed them, and does without.
    pub fn holding(mut self, held: Option<Numbers>) -> Self {
        if let Some(held) = &held {
            assert_eq!(held.len(), self.unit.formula.held() * self.n, "numbers that {} units hold", self.n);
        }
        self.held = held;
        self
    }

    fn held<F: Real>(&self) -> &[F] {
        match &self.held {
            Some(held) => F::numbers(held),
            None => {
                assert!(self.unit.formula.held() == 0, "units were not given the numbers that they hold");
                &[]
            }
        }
    }
}

/// Units whose samples fill a row.
fn units_of_a_row<F>(program: &Program, lanes: usize) -> usize {
    let width = WORKING_SET / (program.rows() * size_of::<F>());
    (width.clamp(WIDTH[0], WIDTH[1]) / lanes).max(1)
}

/// The units of a row and their samples, for copies between registers and blocks.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    units: usize,
    n: usize,
    tile: Tile,
}

impl Group {
    fn all(n: usize, tile: Tile, units: usize) -> impl DoubleEndedIterator<Item = Self> {
        (0..n).step_by(units).map(move |first| Self { first, units: units.min(n - first), n, tile })
    }

    /// Where the numbers of each unit begin, in a row and in a leaf of the state.
    fn of_state(self, leaf: usize) -> impl Iterator<Item = (usize, usize)> {
        let Self { first, units, n, tile } = self;
        (0..units).map(move |unit| (unit * tile.lanes, (leaf * n + first + unit) * tile.lanes))
    }

    /// The same in the block of a channel's series.
    fn of_series(self, channel: usize, step: usize) -> impl Iterator<Item = (usize, usize)> {
        let Self { first, units, n, tile } = self;
        let begin = move |unit| (channel * n + first + unit) * tile.len() + step * tile.lanes;
        (0..units).map(move |unit| (unit * tile.lanes, begin(unit)))
    }

    fn read<F: Real>(self, row: &mut [F], from: &[F], places: impl Iterator<Item = (usize, usize)>) {
        for (at, begin) in places {
            row[at..at + self.tile.lanes].copy_from_slice(&from[begin..begin + self.tile.lanes]);
        }
    }

    fn write<F: Real>(self, row: &[F], to: &mut [F], places: impl Iterator<Item = (usize, usize)>) {
        for (at, begin) in places {
            to[begin..begin + self.tile.lanes].copy_from_slice(&row[at..at + self.tile.lanes]);
        }
    }

    /// What the units hold, the same for all samples, into the rows from `row` on.
    fn hold<F: Real>(self, registers: &mut Registers<F>, row: usize, held: &[F]) {
        for (j, held) in held.chunks_exact(self.n).enumerate() {
            let row = registers.row_mut(row + j);
            for unit in 0..self.units {
                row[unit * self.tile.lanes..][..self.tile.lanes].fill(held[self.first + unit]);
            }
        }
    }
}

impl AnyKernel for GraphKernel {
    fn formula(self: Arc<Self>) -> Option<Arc<dyn Formula>> {
        (self.unit.formula.ports == 1).then_some(self)
    }
}

impl Formula for GraphKernel {
    fn name(&self) -> String {
        // Units of one name may differ in their constants.
        self.text().unwrap_or_else(|_| self.unit.formula.name.clone())
    }

    fn text(&self) -> Result<String> {
        self.unit.text.clone()
    }

    fn facts(&self) -> Facts {
        let (reads_input, reads) = self.unit.reads.clone();
        Facts { held: self.unit.formula.held(), reads, reads_input, spikes: self.unit.surrogate.is_some() }
    }
}

impl<F: Real> Kernel<F> for GraphKernel {
    fn sizes(&self) -> Sizes {
        let n_work = if self.unit.surrogate.is_some() { self.n } else { 0 };
        let (n_in, n_state) = (self.unit.formula.ports * self.n, self.unit.formula.moving() * self.n);
        Sizes { n_in, n_out: self.n, n_state, n_work, n_params: self.unit.formula.held() * self.n }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.n * steps * (self.unit.n_states_kept() + usize::from(self.unit.surrogate.is_some()))
    }

    fn reads_inputs(&self) -> bool {
        self.unit.reads.0
    }

    fn spikes(&self) -> bool {
        self.unit.surrogate.is_some()
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], _: &mut [F]) {
        let (xs, ports, moving) = (xs.dense(), self.unit.formula.ports, self.unit.formula.moving());
        let units = units_of_a_row::<F>(&self.unit.forward, tile.lanes);
        let mut registers = Registers::new(self.unit.forward.rows(), units * tile.lanes);
        let program: Loaded<F> = self.unit.forward.load();
        for group in Group::all(self.n, tile, units) {
            for j in 0..moving {
                group.read(registers.row_mut(ports + j), state, group.of_state(j));
            }
            group.hold(&mut registers, ports + moving, self.held());
            for t in 0..tile.steps {
                for port in 0..ports {
                    group.read(registers.row_mut(port), xs, group.of_series(port, t));
                }
                if tile.keep {
                    for (place, j) in self.unit.kept_states().enumerate() {
                        group.write(registers.row(ports + j), kept, group.of_series(place, t));
                    }
                }
                program.run(tile.instructions, &mut registers);
                group.write(registers.row(self.unit.forward.result(0)), ys, group.of_series(0, t));
                if tile.keep && self.unit.surrogate.is_some() {
                    let over = registers.row(self.unit.forward.result(1 + moving));
                    group.write(over, kept, group.of_series(self.unit.n_states_kept(), t));
                }
            }
            for j in 0..moving {
                group.write(registers.row(ports + j), state, group.of_state(j));
            }
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], slopes: &mut [F], grads: Grads<'_, F>) {
        let (xs, ports, moving) = (xs.dense(), self.unit.formula.ports, self.unit.formula.moving());
        let states = moving + self.unit.formula.held();
        let n_values = self.n * tile.len();
        if let Some(surrogate) = self.unit.surrogate {
            let over = &kept[self.unit.n_states_kept() * n_values..][..n_values];
            surrogates(tile.instructions, surrogate, over, &mut slopes[..n_values]);
        }
        let units = units_of_a_row::<F>(&self.unit.backward, tile.lanes);
        let mut registers = Registers::new(self.unit.backward.rows(), units * tile.lanes);
        let program: Loaded<F> = self.unit.backward.load();
        let (spike, gnext) = (ports + states, ports + states + GNEXT);
        for group in Group::all(self.n, tile, units) {
            group.hold(&mut registers, ports + moving, self.held());
            for j in 0..states {
                let row = registers.row_mut(gnext + j);
                match j < moving {
                    true => group.read(row, grads.state, group.of_state(j)),
                    // Of what is held, nothing is asked after the stretch.
                    false => row.fill(F::default()),
                }
            }
            for t in (0..tile.steps).rev() {
                if self.unit.reads.0 {
                    for port in 0..ports {
                        group.read(registers.row_mut(port), xs, group.of_series(port, t));
                    }
                }
                for (place, j) in self.unit.kept_states().enumerate() {
                    group.read(registers.row_mut(ports + j), kept, group.of_series(place, t));
                }
                if self.unit.surrogate.is_some() {
                    group.read(registers.row_mut(spike + OVER), kept, group.of_series(self.unit.n_states_kept(), t));
                    group.read(registers.row_mut(spike + SLOPE), slopes, group.of_series(0, t));
                }
                group.read(registers.row_mut(spike + GY), grads.ys, group.of_series(0, t));
                program.run(tile.instructions, &mut registers);
                if !grads.xs.is_empty() {
                    for port in 0..ports {
                        let row = registers.row_mut(self.unit.backward.result(port));
                        // As in compiled loops: what is left of a surrogate far from the threshold makes products slow.
                        row.iter_mut().for_each(|x| *x = x.flushed());
                        group.write(row, grads.xs, group.of_series(port, t));
                    }
                }
            }
            for j in 0..moving {
                group.write(registers.row(gnext + j), grads.state, group.of_state(j));
            }
            for j in moving..states {
                for (at, unit) in (0..group.units).map(|unit| (unit * tile.lanes, group.first + unit)) {
                    let row = &registers.row(gnext + j)[at..at + tile.lanes];
                    let sum = row.iter().fold(F::default(), |sum, gradient| sum + *gradient);
                    grads.params[(j - moving) * self.n + unit] += sum;
                }
            }
        }
    }
}
