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
}

/// The words are explained in teams.cu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) members: usize,
    pub(super) units: usize,
    pub(super) samples: usize,
    /// Quads of a sample that are staged at once.
    pub(super) stage: usize,
    pub(super) splits: usize,
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
        let weight = work.weight(units);
        let (most_rows, most_columns) = work.most();
        let whole = most_rows * row;
        let tiles = (most_columns * units).div_ceil(WARP) * samples.div_ceil(RUN);
        let bytes = |stage: usize, splits: usize| {
            let sums = splits * samples * most_columns * units;
            (usize::from(resident) * weight + samples * stage * QUAD + sums) * work.bytes
        };
        let warps = (tiles * whole.div_ceil(SHORTEST)).max((samples * units).div_ceil(WARP)).min(THREADS / WARP);
        let splits = |stage: usize| (warps / tiles).clamp(1, stage);
        let at_once = bytes(whole, splits(whole)) <= room.bytes;
        // As much of a step as there is room for.
        let stage = if at_once {
            whole
        } else {
            let left = room.bytes.checked_sub(bytes(0, splits(whole)))? / (samples * QUAD * work.bytes);
            left.min(whole)
        };
        if stage == 0 {
            return None;
        }
        let splits = splits(stage);
        let alone = members == 1 && at_once;
        let (threads, bytes) = (warps * WARP, bytes(stage, splits));
        Some(Self { members, units, samples, stage, splits, threads, resident, alone, bytes })
    }

    /// Cycles that a step takes, roughly: 128 products a cycle of a processor, as in data sheets; about 700 cycles for memory and 1,500 for
    /// each other, as is known of such waiting. None of it has been measured here.
    fn cycles(&self, work: Work<'_>, room: Room) -> usize {
        let teams = self.teams(work, room);
        let together = if self.members == 1 { room.processors } else { teams };
        let turns = work.samples.div_ceil(self.samples).div_ceil(together);
        let row = work.units.next_multiple_of(QUAD);
        let of_product = |(rows, columns): &(usize, usize)| {
            let (k, columns) = (rows * row, columns * self.units);
            // Columns are worked on by whole warps, and a number of the weight is read for each run of samples.
            let warps = columns.next_multiple_of(WARP);
            // What is read from afar is waited for now and then.
            let waits = if self.resident { 2 } else { 3 };
            let multiplied = waits * k * warps * (self.samples + QUAD * self.samples.div_ceil(RUN)) / (2 * 128);
            // One warp after the other has its turn: what a thread waits for is there for some of them only.
            let alone = k / QUAD * 30 * self.samples.min(RUN).div_ceil(4) / self.splits;
            let weight = if self.resident { 0 } else { k * columns * work.bytes / SHARED_CACHE + 700 };
            let read = if self.alone { 0 } else { self.samples * k * work.bytes / SHARED_CACHE + 700 };
            let met = if self.members > 1 { 1_500 } else { 100 };
            multiplied.max(alone).max(weight) + read + met
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
        let Self { members, units, samples, stage, splits, threads, .. } = self;
        let (resident, alone) = (i32::from(self.resident), i32::from(self.alone));
        format!(
            "#define MEMBERS {members}\n#define UNITS {units}\n#define SAMPLES {samples}\n#define STAGE {stage}\n#define SPLITS {splits}\n\
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

    fn most(&self) -> (usize, usize) {
        self.products.iter().fold((0, 0), |(rows, columns), product| (rows.max(product.0), columns.max(product.1)))
    }
}
