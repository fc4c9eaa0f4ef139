//! [`UnitProgram`]: what the interpreter runs of a unit.

use crate::models::surrogate::Surrogate;
use crate::program::{CHUNK, Program};
use crate::{Compile, Id, Result, UnitFormula};

/// What rows of registers take together at most, in bytes: half of a nearest cache of 32 KiB. But a row has [`WIDTH`] numbers where
/// instructions are so many that this would leave few.
const WORKING_SET: usize = 16 << 10;

/// Numbers of a row, at least and at most: below, choosing an instruction costs more than running it.
const WIDTH: [usize; 2] = [64, 256];

/// A [`UnitFormula`] made ready to run: programs of its step and of its adjoint, and its text. It is worth keeping, for it takes longer to
/// make than a short scan.
#[derive(Debug)]
pub struct UnitProgram {
    pub(crate) formula: UnitFormula,
    pub(crate) surrogate: Option<Surrogate>,
    pub(crate) spikes: bool,
    /// Whether the adjoint reads the inputs, and each number of state.
    pub(crate) reads: (bool, Vec<bool>),
    /// Without and with the distance from the threshold as a result.
    pub(crate) forward: [Program; 2],
    /// Which result that is.
    pub(crate) over: usize,
    pub(crate) backward: Program,
    /// States that are the first output as it was: `spike`. They are written once, after a stretch.
    pub(crate) repeats: Vec<bool>,
    /// Whether the slope of the surrogate is worked out before, by a Rust function.
    pub(crate) slope_before: bool,
    pub(crate) text: Result<String>,
    pub(crate) compile: Compile,
}

/// Rows of the adjoint's inputs behind those of ports and state. Gradients of the outputs are several, and behind them are those of the next
/// state.
pub(crate) const OVER: usize = 0;
pub(crate) const SLOPE: usize = 1;
pub(crate) const GY: usize = 2;

impl UnitProgram {
    /// Units have a surrogate if they have a threshold, from which they know their distance; `spikes` says whether their first output is
    /// exactly 0 or 1.
    pub fn new(formula: &UnitFormula, surrogate: Option<Surrogate>, spikes: bool) -> Self {
        let formula = formula.simplified();
        assert!(surrogate.is_some() == formula.step.over.is_some(), "units have a surrogate if they spike");
        let (ports, states) = (formula.ports, formula.adjoint.gs.len());
        let step = &formula.step;
        let repeats: Vec<bool> =
            step.next.iter().enumerate().map(|(j, id)| *id == step.outputs[0] && !formula.step_reads(j)).collect();
        // A state that repeats the output is none of the results: the output then has a row of its own, which can be its series.
        let results: Vec<(Id, Option<usize>)> = (step.outputs.iter().map(|id| (*id, None)))
            .chain(step.next.iter().enumerate().filter(|(j, _)| !repeats[*j]).map(|(j, id)| (*id, Some(ports + j))))
            .collect();
        let over = results.len();
        let and_over: Vec<_> = results.iter().copied().chain(step.over.map(|over| (over, None))).collect();
        let forward = [&results, &and_over].map(|results| Program::new(&step.graph, results));
        let gnext = ports + states + GY + formula.outputs();
        let adjoint = formula.adjoint_with_slope();
        let pulled: Vec<(Id, Option<usize>)> = (adjoint.gx.iter().map(|id| (*id, None)))
            .chain(adjoint.gs.iter().enumerate().map(|(j, id)| (*id, Some(gnext + j))))
            .collect();
        let backward = Program::new(&adjoint.graph, &pulled);
        let text = formula.cuda();
        let slope_before = surrogate.is_some() && formula.has_rust_functions();
        Self {
            reads: formula.reads(),
            repeats,
            over,
            slope_before,
            text,
            formula,
            surrogate,
            spikes,
            forward,
            backward,
            compile: Compile::Never,
        }
    }

    /// The same, and whether it is compiled.
    pub fn compiled(mut self, compile: Compile) -> Self {
        self.compile = compile;
        if compile == Compile::IfFound {
            let kept: Vec<usize> = self.kept_states().map(|j| self.formula.ports + j).collect();
            let [plain, keeping] = self.forward;
            self.forward = [plain.compiled(std::iter::empty()), keeping.compiled(kept.into_iter())];
            self.backward = self.backward.compiled(std::iter::empty());
        }
        self
    }

    /// In one line, whether its loops are compiled, as far as they have run, and why not.
    pub fn outcome(&self) -> String {
        if self.compile == Compile::Never {
            return "interpreted".into();
        }
        let outcomes: Vec<_> = self.forward.iter().chain([&self.backward]).flat_map(Program::outcomes).collect();
        let mut words: Vec<String> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Ok(words) => words.clone(),
                Err(reason) => format!("interpreted, since {reason}"),
            })
            .collect();
        words.sort();
        words.dedup();
        match words.is_empty() {
            true => "to be compiled when it first runs".into(),
            false => words.join("; "),
        }
    }

    /// Instructions of a step, and of its adjoint.
    pub fn instructions(&self) -> [usize; 2] {
        [self.stepping().len(), self.backward.len()]
    }

    /// Step, adjoint and surrogate as CUDA C, see [`UnitFormula::cuda`].
    pub fn cuda(&self) -> Result<String> {
        self.text.clone()
    }

    pub(crate) fn ports(&self) -> usize {
        self.formula.ports
    }

    pub(crate) fn outputs(&self) -> usize {
        self.formula.outputs()
    }

    /// Numbers of state that change.
    pub(crate) fn moving(&self) -> usize {
        self.formula.moving()
    }

    pub(crate) fn held(&self) -> usize {
        self.formula.held()
    }

    pub(crate) fn sends_spikes(&self) -> bool {
        self.spikes
    }

    /// Whether this state is the output as it was.
    pub(crate) fn repeats(&self, state: usize) -> bool {
        self.repeats[state]
    }

    /// The program of a step of which no adjoint comes: its first result is the output.
    pub(crate) fn stepping(&self) -> &Program {
        &self.forward[0]
    }

    /// Units whose samples fill a row of it.
    pub(crate) fn units_of_a_row<F>(&self, lanes: usize) -> usize {
        units_of_a_row::<F>(self.stepping(), lanes)
    }

    pub(crate) fn n_states_kept(&self) -> usize {
        self.reads.1.iter().filter(|reads| **reads).count()
    }

    pub(crate) fn kept_states(&self) -> impl Iterator<Item = usize> {
        (0..self.formula.moving()).filter(|j| self.reads.1[*j])
    }
}

/// Units of a row: as many as fit into the whole [chunks](CHUNK) that the nearest cache has room for, at least one. Where lanes do not
/// divide a chunk, the rest of the last one is calculated for nothing.
pub(crate) fn units_of_a_row<F>(program: &Program, lanes: usize) -> usize {
    let width = (WORKING_SET / (program.rows() * size_of::<F>())).clamp(WIDTH[0], WIDTH[1]);
    (width / CHUNK * CHUNK / lanes).max(1)
}
