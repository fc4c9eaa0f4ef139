//! [`TeamLayout`]: how the units, the samples and the weight of a recurrent cell are divided among thread blocks.

use bd_core::kernel::Memo;
use bd_core::{Error, Result};

/// Threads of a block at most.
const THREADS: usize = 256;
/// Threads that do the same.
const WARP: usize = 32;
/// Samples that a thread multiplies with a number of the weight that it has read; see teams.cu.
const RUN: usize = 16;
/// Pairs of sample and unit of a block at most, so that the state of those of a thread stays in registers.
const PAIRS: usize = 8 * THREADS;
/// Numbers that are read at once.
const QUAD: usize = 4;
/// Samples of a team at most.
const SAMPLES: usize = 64;
/// Quads of a sum that are worth a thread.
const SHORTEST: usize = 8;

/// Bytes a cycle that a processor gets from the cache of all, when all of them read.
const SHARED_CACHE: usize = 32;

/// The size of the problem, in one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'a> {
    pub(super) units: usize,
    pub(super) samples: usize,
    /// For each product of a step: rows of all units that it reads, and columns that it gives to each unit.
    pub(super) products: &'a [(usize, usize)],
    /// Bytes of a number.
    pub(super) bytes: usize,
}

/// Limits of the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct GpuLimits {
    /// Blocks that run together.
    pub(super) processors: usize,
    /// Bytes that a block shares.
    pub(super) bytes: usize,
    /// Products that a processor makes and adds in a cycle.
    pub(super) products: usize,
}

/// The words are explained in teams.cu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TeamLayout {
    pub(super) members: usize,
    pub(super) units: usize,
    pub(super) samples: usize,
    /// Quads of a sample that are staged at once.
    pub(super) stage: usize,
    pub(super) threads: usize,
    pub(super) resident: bool,
    pub(super) alone: bool,
    pub(super) bytes: usize,
}

/// A problem, in numbers: units, samples and bytes, and the products; and the limits.
type Question = ([usize; 3], Vec<(usize, usize)>, GpuLimits);

impl TeamLayout {
    /// Those that take the least time, by [`cycles`](Self::cycles).
    pub(super) fn of(problem: Problem<'_>, limits: GpuLimits) -> Result<Self> {
        // Thousands are compared, which takes as long as a launch of ten kernels.
        static KNOWN: Memo<Question, Option<TeamLayout>> = Memo::new();
        let Problem { units, samples, products, bytes } = problem;
        let question = ([units, samples, bytes], products.to_vec(), limits);
        KNOWN.get(question, || Self::best(problem, limits)).ok_or_else(|| {
            let bytes = limits.bytes;
            Error::Gpu(format!(
                "{units} recurrent units are more than a block with {bytes} bytes of shared memory can work on; take fewer units"
            ))
        })
    }

    fn best(problem: Problem<'_>, limits: GpuLimits) -> Option<Self> {
        let members = (1..=limits.processors.min(problem.units)).filter(|members| {
            // Others have the same units, and members without any.
            problem.units.div_ceil(problem.units.div_ceil(*members)) == *members
        });
        let samples = (0..).map(|power| 1 << power).take_while(|samples| *samples <= SAMPLES);
        let all = members.flat_map(|members| samples.clone().map(move |samples| (members, samples)));
        let all = all.flat_map(|(members, samples)| [true, false].map(|resident| (members, samples, resident)));
        let all = all.filter_map(|which| Self::with(problem, limits, which));
        all.min_by_key(|layout| layout.cycles(problem, limits))
    }

    /// Those of so many members and samples, if there is room.
    pub(super) fn with(
        problem: Problem<'_>,
        limits: GpuLimits,
        (members, samples, resident): (usize, usize, bool),
    ) -> Option<Self> {
        let units = problem.units.div_ceil(members);
        if samples * units > PAIRS && samples > 1 {
            return None;
        }
        let row = problem.units.div_ceil(QUAD);
        let whole = problem.products.iter().map(|(rows, _)| rows * row).max()?;
        let columns = || problem.products.iter().map(|(_, columns)| columns * units);
        let most_tiles = columns().map(|columns| tiles(columns, samples)).max()?;
        let warps = (most_tiles * whole.div_ceil(SHORTEST)).max((samples * units).div_ceil(WARP)).min(THREADS / WARP);
        let sums =
            |stage: usize| columns().map(|columns| splits(warps, columns, samples, stage) * samples * columns).max();
        let bytes = |stage: usize| {
            let weight = usize::from(resident) * problem.weight(units);
            Some((weight + samples * stage * QUAD + sums(stage)?) * problem.bytes)
        };
        let stage = if bytes(whole)? <= limits.bytes {
            whole
        } else {
            let left = limits.bytes.checked_sub(bytes(whole)? - samples * whole * QUAD * problem.bytes)?;
            // All pieces alike.
            let pieces = whole.div_ceil((left / (samples * QUAD * problem.bytes)).max(1));
            whole.div_ceil(pieces)
        };
        let bytes = bytes(stage).filter(|bytes| *bytes <= limits.bytes)?;
        let (threads, alone) = (warps * WARP, members == 1 && stage == whole);
        Some(Self { members, units, samples, stage, threads, resident, alone, bytes })
    }

    /// Cycles that a step takes, roughly: what a processor multiplies in a cycle, as in data sheets; two cycles for four numbers that all
    /// threads of a warp read in shared memory, and four where each reads its own; about 700 for memory and 1,500 for each other, as is
    /// known of such waiting. None of it has been measured here.
    fn cycles(&self, problem: Problem<'_>, limits: GpuLimits) -> usize {
        let teams = self.teams(problem, limits);
        let together = if self.members == 1 { limits.processors } else { teams };
        let turns = problem.samples.div_ceil(self.samples).div_ceil(together);
        let row = problem.units.div_ceil(QUAD);
        let of_product = |(rows, columns): &(usize, usize)| {
            let (quads, columns) = (rows * row, columns * self.units);
            let (runs, warps) = (self.samples.div_ceil(RUN), columns.div_ceil(WARP));
            let read_near = quads * warps * (2 * self.samples.div_ceil(across(columns)) + QUAD * runs);
            let multiplied = quads * warps * self.samples * QUAD * WARP / limits.products;
            // One warp after the other has its turn: what a thread waits for is there for some of them only.
            let splits = splits(self.threads / WARP, columns, self.samples, self.stage);
            let alone = quads * 30 * self.samples.min(RUN).div_ceil(4) / splits;
            // What is read from afar is waited for now and then.
            let waits = if self.resident { 2 } else { 3 };
            let weight = if self.resident { 0 } else { quads * QUAD * columns * problem.bytes / SHARED_CACHE + 700 };
            let pieces = quads.div_ceil(self.stage);
            let read = self.samples * quads * QUAD * problem.bytes / SHARED_CACHE + 700 * pieces;
            let met = if self.members > 1 { 1_500 } else { 100 };
            (waits * read_near.max(multiplied) / 2).max(alone).max(weight) + if self.alone { 0 } else { read } + met
        };
        turns * problem.products.iter().map(of_product).sum::<usize>()
    }

    /// Teams that there are.
    pub(super) fn teams(&self, problem: Problem<'_>, limits: GpuLimits) -> usize {
        let groups = problem.samples.div_ceil(self.samples);
        // A team of one block needs no cooperative launch.
        if self.members == 1 { groups } else { groups.min(limits.processors / self.members) }
    }

    /// What comes before teams.cu.
    pub(super) fn definitions(&self) -> String {
        let Self { members, units, samples, stage, threads, .. } = self;
        let (resident, alone) = (i32::from(self.resident), i32::from(self.alone));
        format!(
            "#define MEMBERS {members}\n#define UNITS {units}\n#define SAMPLES {samples}\n#define STAGE {stage}\n\
             #define RESIDENT {resident}\n#define ALONE {alone}\n#define THREADS {threads}\n"
        )
    }
}

impl Problem<'_> {
    /// Numbers of the weight that a block with so many units wants.
    pub(super) fn weight(&self, units: usize) -> usize {
        let row = self.units.next_multiple_of(QUAD);
        self.products.iter().map(|(rows, columns)| rows * row * columns * units).sum()
    }
}

/// Columns that a thread has; see `Tiles` in teams.cu.
fn across(columns: usize) -> usize {
    if columns > WARP { 2 } else { 1 }
}

/// Pieces of a product, each for a warp.
fn tiles(columns: usize, samples: usize) -> usize {
    columns.div_ceil(WARP * across(columns)) * samples.div_ceil(RUN)
}

/// Parts of the rows, each for a warp, too.
fn splits(warps: usize, columns: usize, samples: usize, stage: usize) -> usize {
    (warps / tiles(columns, samples)).min(stage).max(1)
}
