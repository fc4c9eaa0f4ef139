//! [`Shares`]: how the units, the samples and the weight of a recurrent cell are shared out among blocks.

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

/// What a cell asks of a GPU, in one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) units: usize,
    pub(super) samples: usize,
    /// For each product of a step: rows of all units that it reads, and columns that it gives to each unit.
    pub(super) products: &'a [(usize, usize)],
    /// Bytes of a number.
    pub(super) bytes: usize,
}

/// What there is to share out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Blocks that run together.
    pub(super) processors: usize,
    /// Bytes that a block shares.
    pub(super) bytes: usize,
    /// Products that a processor makes and adds in a cycle.
    pub(super) products: usize,
}

/// The words are explained in teams.cu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
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

impl Shares {
    /// Those that take the least time, by [`cycles`](Self::cycles).
    pub(super) fn of(work: Work<'_>, room: Room) -> Result<Self> {
        let members = (1..=room.processors.min(work.units)).filter(|members| {
            // Others have the same units, and members without any.
            work.units.div_ceil(work.units.div_ceil(*members)) == *members
        });
        let samples = (0..).map(|power| 1 << power).take_while(|samples| *samples <= SAMPLES);
        let all = members.flat_map(|members| samples.clone().map(move |samples| (members, samples)));
        let all = all.flat_map(|(members, samples)| [true, false].map(|resident| (members, samples, resident)));
        let all = all.filter_map(|which| Self::with(work, room, which));
        all.min_by_key(|shares| shares.cycles(work, room)).ok_or_else(|| {
            let (units, bytes) = (work.units, room.bytes);
            Error::Gpu(format!(
                "{units} recurrent units are more than a block with {bytes} bytes of shared memory can work on; take fewer units"
            ))
        })
    }

    /// Those of so many members and samples, if there is room.
    pub(super) fn with(work: Work<'_>, room: Room, (members, samples, resident): (usize, usize, bool)) -> Option<Self> {
        let units = work.units.div_ceil(members);
        if samples * units > PAIRS && samples > 1 {
            return None;
        }
        let row = work.units.div_ceil(QUAD);
        let whole = work.products.iter().map(|(rows, _)| rows * row).max()?;
        let columns = || work.products.iter().map(|(_, columns)| columns * units);
        let most_tiles = columns().map(|columns| tiles(columns, samples)).max()?;
        let warps = (most_tiles * whole.div_ceil(SHORTEST)).max((samples * units).div_ceil(WARP)).min(THREADS / WARP);
        let sums =
            |stage: usize| columns().map(|columns| splits(warps, columns, samples, stage) * samples * columns).max();
        let bytes = |stage: usize| {
            let weight = usize::from(resident) * work.weight(units);
            Some((weight + samples * stage * QUAD + sums(stage)?) * work.bytes)
        };
        let stage = if bytes(whole)? <= room.bytes {
            whole
        } else {
            let left = room.bytes.checked_sub(bytes(whole)? - samples * whole * QUAD * work.bytes)?;
            // All pieces alike.
            let pieces = whole.div_ceil((left / (samples * QUAD * work.bytes)).max(1));
            whole.div_ceil(pieces)
        };
        let bytes = bytes(stage).filter(|bytes| *bytes <= room.bytes)?;
        let (threads, alone) = (warps * WARP, members == 1 && stage == whole);
        Some(Self { members, units, samples, stage, threads, resident, alone, bytes })
    }

    /// Cycles that a step takes, roughly: what a processor multiplies in a cycle, as in data sheets; two cycles for four numbers that all
    /// threads of a warp read in shared memory, and four where each reads its own; about 700 for memory and 1,500 for each other, as is
    /// known of such waiting. None of it has been measured here.
    fn cycles(&self, work: Work<'_>, room: Room) -> usize {
        let teams = self.teams(work, room);
        let together = if self.members == 1 { room.processors } else { teams };
        let turns = work.samples.div_ceil(self.samples).div_ceil(together);
        let row = work.units.div_ceil(QUAD);
        let of_product = |(rows, columns): &(usize, usize)| {
            let (quads, columns) = (rows * row, columns * self.units);
            let (runs, warps) = (self.samples.div_ceil(RUN), columns.div_ceil(WARP));
            let read_near = quads * warps * (2 * self.samples.div_ceil(across(columns)) + QUAD * runs);
            let multiplied = quads * warps * self.samples * QUAD * WARP / room.products;
            // One warp after the other has its turn: what a thread waits for is there for some of them only.
            let splits = splits(self.threads / WARP, columns, self.samples, self.stage);
            let alone = quads * 30 * self.samples.min(RUN).div_ceil(4) / splits;
            // What is read from afar is waited for now and then.
            let waits = if self.resident { 2 } else { 3 };
            let weight = if self.resident { 0 } else { quads * QUAD * columns * work.bytes / SHARED_CACHE + 700 };
            let pieces = quads.div_ceil(self.stage);
            let read = self.samples * quads * QUAD * work.bytes / SHARED_CACHE + 700 * pieces;
            let met = if self.members > 1 { 1_500 } else { 100 };
            (waits * read_near.max(multiplied) / 2).max(alone).max(weight) + if self.alone { 0 } else { read } + met
        };
        turns * work.products.iter().map(of_product).sum::<usize>()
    }

    /// Teams that there are.
    pub(super) fn teams(&self, work: Work<'_>, room: Room) -> usize {
        let groups = work.samples.div_ceil(self.samples);
        // Who waits for nobody need not run together.
        if self.members == 1 { groups } else { groups.min(room.processors / self.members) }
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

impl Work<'_> {
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
