//! [`GraphKernel`]: the loops of units whose formula is known when the program runs.

mod step;

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::leaves::whole_leaves;
use crate::program::{Channel, Program, Registers, Steps, run_steps};
use crate::unit_kernel::surrogates;
use crate::unit_program::{GY, OVER, SLOPE, units_of_a_row};
use crate::{
    AnyKernel, Compile, Facts, Formula, Grads, Input, Kernel, LEAVES, Memo, Numbers, Real, Result, SingleStep, Sizes,
    Tile, UnitProgram, flush,
};

/// `n` equal units, interpreted: see [`Program`].
///
/// Blocks are `[port][unit][step][lane]`, and those of outputs alike. A row of registers has all samples of some units. What is [held](crate::Unit::HELD) and what is
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

/// Channels of a few units: a slice of a network may have one step, beside which allocating them would take long.
type Channels = SmallVec<[Channel; 8]>;

/// The units of a row and their samples.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    units: usize,
    n: usize,
    tile: Tile,
}

impl Group {
    fn all(n: usize, tile: Tile, units: usize) -> impl Iterator<Item = Self> {
        (0..n).step_by(units).map(move |first| Self { first, units: units.min(n - first), n, tile })
    }

    /// Their numbers in a leaf of the state, `[unit][lane]`.
    fn leaf(self, leaf: usize) -> Range<usize> {
        let begin = (leaf * self.n + self.first) * self.tile.lanes;
        begin..begin + self.units * self.tile.lanes
    }

    /// The numbers of a row that are theirs.
    fn row(self) -> Range<usize> {
        0..self.units * self.tile.lanes
    }

    /// Their series among those of a block's channels, for a row of registers.
    fn channel(self, row: usize, block: usize, channel: usize) -> Channel {
        Channel { row, block, begin: (channel * self.n + self.first) * self.tile.len(), own: false, constant: false }
    }

    /// The same for a result.
    fn result(self, program: &Program, which: usize, block: usize, channel: usize) -> Channel {
        Channel { own: program.owns(which), ..self.channel(program.result(which), block, channel) }
    }

    /// What the units hold, the same for all samples, into the rows from `row` on.
    fn hold<F: Real>(self, registers: &mut Registers<F>, row: usize, held: &[F]) {
        for (j, held) in held.chunks_exact(self.n).enumerate() {
            let of_units = registers.row_mut(row + j).chunks_exact_mut(self.tile.lanes);
            of_units.zip(&held[self.first..][..self.units]).for_each(|(lanes, held)| lanes.fill(*held));
        }
    }
}

impl AnyKernel for GraphKernel {
    fn behind(&self, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        static KNOWN: Memo<(String, String, Compile), Arc<UnitProgram>> = Memo::new();
        let own = &self.unit;
        // A row of units has one input and one output.
        let text = own.cuda().ok().filter(|_| [own.formula.ports, own.outputs()] == [1, 1])?;
        let before = before.plain_units().filter(|before| before.n == self.n)?;
        let unit = KNOWN.get((before.name, text, own.compile), || {
            let both = own.formula.behind(&(before.formula)());
            Arc::new(UnitProgram::new(&both, own.surrogate, own.spikes).compiled(own.compile))
        });
        Some(Arc::new(Self { n: self.n, unit, held: self.held.clone() }))
    }

    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        type Question = (String, bool, Vec<usize>, Compile);
        static KNOWN: Memo<Question, Arc<UnitProgram>> = Memo::new();
        let own = &self.unit;
        let states = whole_leaves(self.n, own.moving(), leaves)?;
        let unit = KNOWN.get((own.cuda().ok()?, own.spikes, states.clone(), own.compile), || {
            let recording = own.formula.recording(&states);
            Arc::new(UnitProgram::new(&recording, own.surrogate, own.spikes).compiled(own.compile))
        });
        Some(Arc::new(Self { n: self.n, unit, held: self.held.clone() }))
    }

    fn formula(self: Arc<Self>) -> Option<Arc<dyn Formula>> {
        (self.unit.formula.moving() <= LEAVES).then_some(self)
    }
}

impl Formula for GraphKernel {
    fn name(&self) -> String {
        // Units of one name may differ in their constants.
        self.text().unwrap_or_else(|_| self.unit.formula.name.clone())
    }

    fn text(&self) -> Result<String> {
        self.unit.cuda()
    }

    fn facts(&self) -> Facts {
        let (reads_input, reads) = self.unit.reads.clone();
        let unit = &self.unit.formula;
        let (ports, outputs, held) = (unit.ports, unit.outputs(), unit.held());
        Facts { ports, outputs, held, reads, reads_input, spikes: self.unit.surrogate.is_some() }
    }
}

impl<F: Real> Kernel<F> for GraphKernel {
    fn sizes(&self) -> Sizes {
        let n_work = if self.unit.slope_before { self.n } else { 0 };
        let unit = &self.unit.formula;
        let [n_in, n_out, n_state, n_params] =
            [unit.ports, unit.outputs(), unit.moving(), unit.held()].map(|numbers| numbers * self.n);
        Sizes { n_in, n_out, n_state, n_work, n_params }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.n * steps * (self.unit.n_states_kept() + usize::from(self.unit.surrogate.is_some()))
    }

    fn reads_inputs(&self) -> bool {
        self.unit.reads.0
    }

    fn spikes(&self) -> bool {
        self.unit.spikes && self.unit.outputs() == 1
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], _: &mut [F]) {
        let (unit, xs) = (&*self.unit, xs.dense());
        let (ports, moving) = (unit.formula.ports, unit.formula.moving());
        let forward = &unit.forward[usize::from(tile.keep)];
        let units = units_of_a_row::<F>(forward, tile.lanes);
        let mut registers = Registers::new(forward.rows(), units * tile.lanes);
        let program = forward.load();
        for group in Group::all(self.n, tile, units) {
            for j in 0..moving {
                registers.row_mut(ports + j)[group.row()].copy_from_slice(&state[group.leaf(j)]);
            }
            group.hold(&mut registers, ports + moving, self.held());
            let loads: Channels = (0..ports).map(|port| group.channel(port, 0, port)).collect();
            let mut stores: Channels =
                (0..unit.outputs()).map(|output| group.result(forward, output, 0, output)).collect();
            let mut keeps = Channels::new();
            if tile.keep {
                keeps.extend(unit.kept_states().enumerate().map(|(place, j)| group.channel(ports + j, 1, place)));
                let over = unit.surrogate.map(|_| group.result(forward, unit.over, 1, unit.n_states_kept()));
                stores.extend(over);
            }
            let steps = Steps {
                program,
                steps: tile.steps,
                backward: false,
                lanes: tile.lanes,
                units: group.units,
                read: &[xs],
                loads: &loads,
                written: &mut [&mut *ys, &mut *kept],
                keeps: &keeps,
                stores: &stores,
            };
            run_steps(tile.instructions, steps, &mut registers);
            for j in (0..moving).filter(|j| !unit.repeats[*j]) {
                state[group.leaf(j)].copy_from_slice(&registers.row(ports + j)[group.row()]);
            }
        }
        for j in (0..moving).filter(|j| unit.repeats[*j]) {
            let leaf = state[j * self.n * tile.lanes..].chunks_exact_mut(tile.lanes);
            for (last, series) in leaf.zip(ys[tile.channels(0..self.n)].chunks_exact(tile.len())) {
                last.copy_from_slice(&series[tile.len() - tile.lanes..]);
            }
        }
    }

    /// Of units with one input.
    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        Some(Box::new(step::GraphStep::new(self.n, &self.unit, self.held())?))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], slopes: &mut [F], grads: Grads<'_, F>) {
        let (unit, xs) = (&*self.unit, xs.dense());
        let (ports, moving) = (unit.formula.ports, unit.formula.moving());
        let (states, n_values) = (moving + unit.formula.held(), self.n * tile.len());
        if let Some(surrogate) = unit.surrogate.filter(|_| unit.slope_before) {
            let over = &kept[unit.n_states_kept() * n_values..][..n_values];
            surrogates(tile.instructions, surrogate, over, &mut slopes[..n_values]);
        }
        let units = units_of_a_row::<F>(&unit.backward, tile.lanes);
        let mut registers = Registers::new(unit.backward.rows(), units * tile.lanes);
        let program = unit.backward.load();
        let (spike, outputs) = (ports + states, unit.outputs());
        let gnext = spike + GY + outputs;
        for group in Group::all(self.n, tile, units) {
            group.hold(&mut registers, ports + moving, self.held());
            for j in 0..moving {
                registers.row_mut(gnext + j)[group.row()].copy_from_slice(&grads.state[group.leaf(j)]);
            }
            // Of what is held, nothing is asked after the stretch.
            (moving..states).for_each(|j| registers.row_mut(gnext + j).fill(F::default()));
            let mut loads: Channels =
                (0..outputs).map(|output| group.channel(spike + GY + output, 3, output)).collect();
            loads.extend((0..ports).filter(|_| unit.reads.0).map(|port| group.channel(port, 0, port)));
            loads.extend(unit.kept_states().enumerate().map(|(place, j)| group.channel(ports + j, 1, place)));
            if unit.surrogate.is_some() {
                loads.push(group.channel(spike + OVER, 1, unit.n_states_kept()));
            }
            if unit.slope_before {
                loads.push(group.channel(spike + SLOPE, 2, 0));
            }
            let wanted = (0..ports).filter(|_| !grads.xs.is_empty());
            let stores: Channels = wanted.map(|port| group.result(&unit.backward, port, 0, port)).collect();
            let steps = Steps {
                program,
                steps: tile.steps,
                backward: true,
                lanes: tile.lanes,
                units: group.units,
                read: &[xs, kept, slopes, grads.ys],
                loads: &loads,
                written: &mut [&mut *grads.xs],
                keeps: &[],
                stores: &stores,
            };
            run_steps(tile.instructions, steps, &mut registers);
            // As in compiled loops: what is left of a surrogate far from the threshold makes products slow. While it is in the cache.
            for store in &stores {
                flush(tile.instructions, &mut grads.xs[store.begin..][..group.units * tile.len()]);
            }
            for j in 0..moving {
                grads.state[group.leaf(j)].copy_from_slice(&registers.row(gnext + j)[group.row()]);
            }
            for j in moving..states {
                let sums = &mut grads.params[(j - moving) * self.n + group.first..][..group.units];
                for (sum, lanes) in sums.iter_mut().zip(registers.row(gnext + j).chunks_exact(tile.lanes)) {
                    *sum += lanes.iter().fold(F::default(), |sum, gradient| sum + *gradient);
                }
            }
        }
    }
}
