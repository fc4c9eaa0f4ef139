//! Recurrent cells on a GPU: [`Recurrent`](super::Recurrent) units, and the cells of networks of rates.
//!
//! | | forward | adjoint |
//! |---|---|---|
//! | spikes come back, and a block has room for their list and for the state of its units | a block for each sample gathers rows of the weight (`gathered.cu`) | by teams |
//! | else | teams of blocks share the weight (`teams.cu`, `forward.cu`) | by teams (`backward.cu`) |
//!
//! What is kept is the same each time, so that forward and adjoint choose for themselves.

use std::sync::Arc;

use bd_core::Inputs;
use bd_core::Result;
use bd_core::gpu::{Gpu, Launch, Program, Value};
use bd_core::kernel::gpu::{
    ForwardArgs, ForwardOut, GpuKernel, InGrads, OutGrads, Saved, held_of, numbers, shared_out,
};
use bd_kernel::models::cell::CellUnits;
use tch::{Kind, Tensor};

use cell::{CellFacts, CellText, OneInput};
use layout::{GpuLimits, Problem, TeamLayout};

mod cell;
mod gathered;
mod layout;

const TEAMS_TEXT: &str = include_str!("teams.cu");
const FORWARD: &str = include_str!("forward.cu");
const BACKWARD: &str = include_str!("backward.cu");

/// Units whose outputs come back. Parameters: those of the units, then the weight `[n, inputs n]`.
#[derive(Debug)]
pub(crate) struct RecurrentOnGpu {
    cell: Cell,
    n: usize,
    facts: CellFacts,
    /// How work is shared out; tests choose for themselves.
    share: fn(Problem<'_>, GpuLimits) -> Result<TeamLayout>,
}

/// What comes back.
#[derive(Debug)]
enum Cell {
    /// The outputs of units, which are a leaf of their own.
    Units(OneInput),
    /// The first number of the state of a cell.
    Phases(CellUnits),
}

impl Cell {
    fn text(&self) -> &dyn CellText {
        match self {
            Self::Units(units) => units,
            Self::Phases(units) => units,
        }
    }
}

impl RecurrentOnGpu {
    /// Around `n` units, if they have a formula.
    pub(crate) fn around(units: &dyn GpuKernel, n: usize) -> Option<Self> {
        Some(Self::new(Cell::Units(OneInput(units.formula()?)), n))
    }

    /// `n` units of a cell, whose first number of state is its output.
    pub(crate) fn cell(units: impl Into<CellUnits>, n: usize) -> Self {
        Self::new(Cell::Phases(units.into()), n)
    }

    fn new(cell: Cell, n: usize) -> Self {
        let facts = cell.text().facts();
        Self { cell, n, facts, share: TeamLayout::of }
    }

    fn is_cell(&self) -> bool {
        matches!(self.cell, Cell::Phases(_))
    }

    /// Leaves but for what comes back, where that is one of its own.
    fn n_moving(&self) -> usize {
        self.facts.units.reads.len()
    }

    /// For each product of a step: rows of all units, and columns for each.
    fn products(&self, forward: bool) -> Vec<(usize, usize)> {
        self.facts.phases.iter().map(|inputs| if forward { (1, *inputs) } else { (*inputs, 1) }).collect()
    }

    /// The text of one direction.
    fn text(&self, layout: &TeamLayout, kind: Kind, forward: bool) -> Result<String> {
        let direction = if forward { FORWARD } else { BACKWARD };
        let own = format!("#define N {}\n{}", self.n, layout.definitions());
        Ok([&self.facts.definitions(kind)?, &own, &self.cell.text().text()?, TEAMS_TEXT, direction].concat())
    }

    /// The kernel of one direction by teams: the program, how it is started, and the memory that it works in.
    fn by_teams(&self, gpu: &Gpu, batch: i64, kind: Kind, forward: bool) -> Result<ByTeams> {
        let products = self.products(forward);
        let problem =
            Problem { units: self.n, samples: batch as usize, products: &products, bytes: kind.elt_size_in_bytes() };
        let limits =
            GpuLimits { processors: gpu.processors(), bytes: gpu.shared_bytes(), products: gpu.products_a_cycle(kind) };
        // One text for all batches up to a power of two.
        let layout = (self.share)(Problem { samples: problem.samples.next_power_of_two(), ..problem }, limits)?;
        let (teams, members) = (layout.teams(problem, limits), layout.members);
        let launch = Launch {
            blocks: teams * members,
            threads: layout.threads,
            shared_bytes: layout.bytes,
            together: members > 1,
        };
        let name = format!("recurrent {forward} {} {layout:?} {kind:?} {}", self.n, self.cell.text().name());
        let program = gpu.program(&name, || self.text(&layout, kind, forward))?;
        let weight = if layout.resident { 0 } else { members * problem.weight(layout.units) };
        Ok(ByTeams { program, launch, teams, weight })
    }
}

/// See [`RecurrentOnGpu::by_teams`].
struct ByTeams {
    program: Arc<Program>,
    launch: Launch,
    teams: usize,
    /// Numbers of the weight that are laid down on the device, in the order in which they are read.
    weight: usize,
}

impl ByTeams {
    /// The memory for weights, and the counters of the teams.
    fn memory(&self, like: &Tensor) -> [Option<Tensor>; 2] {
        let weights = (self.weight > 0).then(|| Tensor::empty([self.weight as i64], (like.kind(), like.device())));
        let meetings =
            self.launch.together.then(|| Tensor::zeros([self.teams as i64 * 32], (Kind::Int, like.device())));
        [weights, meetings]
    }
}

impl GpuKernel for RecurrentOnGpu {
    fn n_leaves(&self) -> usize {
        self.n_moving() + usize::from(!self.is_cell())
    }

    fn n_units(&self, _leaf: usize, _n_in: i64) -> i64 {
        self.n as i64
    }

    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        let (xs, facts, n) = (numbers(xs), &self.facts, self.n as i64);
        let ([time, batch, width], on) = (size(xs), (xs.kind(), xs.device()));
        assert_eq!(width, n * facts.inputs() as i64, "{self:?} is given all inputs of its units");
        let n_moving = self.n_moving();
        let (weight, own) = pass.params.split_last().expect("there is a weight");
        let (weight, leaves) = (weight.contiguous(), pass.leaves.iter().map(Tensor::contiguous).collect::<Vec<_>>());
        let fed_first = &in_fours(&leaves[if self.is_cell() { 0 } else { n_moving }]);
        let held = held_of(own, facts.units.held, self.n);
        let series = |wanted: bool| wanted.then(|| Tensor::empty([time, batch, n], on));
        let (ys, between) = (Tensor::empty([time, batch, n], on), series(facts.phases.len() > 1));
        let last: Vec<Tensor> = leaves.iter().map(Tensor::empty_like).collect();
        let traces: Vec<_> = pass.traced.iter().map(|traced| series(*traced)).collect();
        let kept: Vec<_> = facts.units.reads.iter().map(|reads| series(*reads && pass.keep)).collect();
        let driven = (facts.units.reads_input && pass.keep).then(|| xs.empty_like());
        let over = series(facts.units.spikes && pass.keep);
        let before = [
            Value::from(time as usize),
            Value::from(batch as usize),
            Value::from(xs),
            Value::from(&weight),
            Value::from(held.as_ref()),
            Value::leaves(leaves[..n_moving].iter().map(Some)),
            Value::from(fed_first),
            Value::leaves(last[..n_moving].iter().map(Some)),
            Value::from(last.get(n_moving)),
            Value::from(&ys),
        ];
        let after = [
            Value::from(driven.as_ref()),
            Value::leaves(kept.iter().map(Option::as_ref)),
            Value::from(over.as_ref()),
            Value::leaves(traces[..n_moving].iter().map(Option::as_ref)),
            Value::from(traces.get(n_moving).and_then(Option::as_ref)),
        ];
        let gathered = gathered::launch(self.n, batch as usize, on.0);
        match &self.cell {
            Cell::Units(units) if facts.units.spikes && gathered::serves(self.n, gathered, gpu) => {
                let program = gathered::program(gpu, units.0.as_ref(), self.n, on.0)?;
                let values = [before.as_slice(), &after].concat();
                // SAFETY: the values are those of `gathered`; series are `[time, batch, n]`, leaves `[batch, n]`, the weight `[n, n]`.
                unsafe { program.launch("gathered", gathered, &values)? };
            }
            _ => {
                let teams = self.by_teams(gpu, batch, on.0, true)?;
                let memory = teams.memory(xs);
                let limits = memory.each_ref().map(|part| Value::from(part.as_ref()));
                let values = [before.as_slice(), &[Value::from(between.as_ref())], &after, &limits].concat();
                // SAFETY: the values are those of `forward`; sizes as above, `xs` and `driven` and the weight with all inputs.
                unsafe { teams.program.launch("forward", teams.launch, &values)? };
            }
        }
        let mut all = Vec::new();
        if pass.keep {
            all.extend([fed_first.shallow_clone(), ys.detach()]);
            all.extend(between.into_iter().chain(driven).chain(kept.into_iter().flatten()).chain(over).chain(held));
        }
        Ok(ForwardOut { ys, last, traces, kept: all })
    }

    fn backward(&self, gpu: &Gpu, past: Saved<'_>, out_grads: OutGrads) -> Result<InGrads> {
        let (facts, n_moving) = (&self.facts, self.n_moving());
        let ([time, batch, _], n, kind) = (past.size, self.n as i64, past.on.0);
        let weight = past.params.last().expect("there is a weight").contiguous();
        let ([first, ys], mut kept) =
            past.kept.split_first_chunk().map(|(both, kept)| (both, kept.iter())).expect("two");
        let mut next = |there: bool| if there { kept.next() } else { None };
        let (between, driven) = (next(facts.phases.len() > 1), next(facts.units.reads_input));
        let states: Vec<_> = facts.units.reads.iter().map(|reads| next(*reads)).collect();
        let (over, held) = (next(facts.units.spikes), next(facts.units.held > 0));
        let like_a_leaf = || Tensor::empty([batch, n], past.on);
        let gxs = Tensor::empty(past.size, past.on);
        let gfirst: Vec<_> = (0..n_moving).map(|_| like_a_leaf()).collect();
        let gfed = like_a_leaf();
        let gheld = held.map(|_| Tensor::empty([facts.units.held as i64, batch, n], past.on));
        let teams = self.by_teams(gpu, batch, kind, false)?;
        let [weights, meetings] = teams.memory(&gxs);
        let values = [
            Value::from(time as usize),
            Value::from(batch as usize),
            Value::from(&weight),
            Value::from(driven),
            Value::from(held),
            Value::leaves(states),
            Value::from(over),
            Value::from(out_grads.ys.as_ref()),
            Value::leaves(out_grads.last[..n_moving].iter().map(Option::as_ref)),
            Value::from(out_grads.last.get(n_moving).and_then(Option::as_ref)),
            Value::leaves(out_grads.traces[..n_moving].iter().map(Option::as_ref)),
            Value::from(out_grads.traces.get(n_moving).and_then(Option::as_ref)),
            Value::from(&gxs),
            Value::leaves(gfirst.iter().map(Some)),
            Value::from(&gfed),
            Value::from(gheld.as_ref()),
            Value::from(weights.as_ref()),
            Value::from(meetings.as_ref()),
        ];
        // SAFETY: the values are those of `backward`; `gxs` is like the input, series are `[time, batch, n]`, leaves `[batch, n]`.
        unsafe { teams.program.launch("backward", teams.launch, &values)? };
        let own = &past.params[..past.params.len() - 1];
        let mut params = match gheld {
            Some(gheld) => shared_out(&gheld.sum_dim_intlist(1, false, kind), own),
            None => Vec::new(),
        };
        params.push(Some(weight_gradient([first, ys], between, &gxs, &facts.phases)));
        let mut leaves: Vec<Option<Tensor>> = gfirst.into_iter().map(Some).collect();
        if self.is_cell() {
            leaves[0] = leaves[0].take().map(|own| own + gfed);
        } else {
            leaves.push(Some(gfed));
        }
        Ok(InGrads { xs: Some(gxs), leaves, params })
    }
}

/// With the alignment that kernels which read four numbers at once rely on: a view may begin anywhere.
fn in_fours(numbers: &Tensor) -> Tensor {
    if (numbers.data_ptr() as usize).is_multiple_of(FOUR_BYTES) { numbers.shallow_clone() } else { numbers.copy() }
}

/// Bytes of a `float4` or `double2` of CUDA C.
const FOUR_BYTES: usize = 16;

fn size(series: &Tensor) -> [i64; 3] {
    std::array::from_fn(|i| series.size()[i])
}

/// For each phase one product over all steps: of what came to it, with the gradient of its inputs. To the first come the outputs of the
/// step before, and `first` before there are any; to the second what is between the phases of the same step.
fn weight_gradient([first, ys]: [&Tensor; 2], between: Option<&Tensor>, gxs: &Tensor, phases: &[usize]) -> Tensor {
    let ([time, _, width], n) = (size(gxs), first.size()[1]);
    let columns = |from: usize, inputs: usize| gxs.narrow(2, from as i64 * n, inputs as i64 * n);
    let product = |came: &Tensor, out_grads: &Tensor| {
        let rows = |series: &Tensor| series.reshape([-1, *series.size().last().expect("it has channels")]);
        rows(came).transpose(0, 1).matmul(&rows(out_grads))
    };
    let out_grads = columns(0, phases[0]);
    let mut of_first = product(first, &out_grads.get(0));
    if time > 1 {
        of_first += product(&ys.narrow(0, 0, time - 1), &out_grads.narrow(0, 1, time - 1));
    }
    let Some(between) = between else { return of_first };
    let rest = columns(phases[0], (width / n) as usize - phases[0]);
    Tensor::cat(&[of_first, product(between, &rest)], 1)
}

#[cfg(test)]
mod races;
#[cfg(test)]
mod tests;
