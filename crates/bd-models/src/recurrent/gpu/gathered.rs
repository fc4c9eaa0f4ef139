//! Forward of units that spike: a block for each sample gathers rows of the weight.

use std::sync::Arc;

use bd_core::Result;
use bd_core::gpu::{Gpu, Launch, Program};
use bd_core::kernel::Formula;
use bd_core::kernel::gpu::definitions;
use tch::Kind;

const TEXT: &str = include_str!("gathered.cu");

/// Threads of a block at most.
const THREADS: usize = 1024;
/// Units of a thread at most: 1,024 threads have 64 registers each.
const MOST_UNITS: usize = 4;
/// Threads that decide together.
const WARP: usize = 32;

/// Units of a thread, and threads of a block.
fn layout(n: usize) -> (usize, usize) {
    let per = n.div_ceil(THREADS);
    (per, n.div_ceil(per).next_multiple_of(WARP))
}

/// How the kernel is started for so many samples.
pub(super) fn launch(n: usize, samples: usize, kind: Kind) -> Launch {
    let (per, threads) = layout(n);
    // Outputs, a word for 32 of them, and their list.
    let shared_bytes = n * (kind.elt_size_in_bytes() + 4) + per * threads / WARP * 4;
    Launch { blocks: samples, threads, shared_bytes, together: false }
}

/// Whether there is room: for the list of spikes, and in registers for the units of a thread.
pub(super) fn serves(n: usize, launch: Launch, gpu: &Gpu) -> bool {
    layout(n).0 <= MOST_UNITS && launch.shared_bytes <= gpu.shared_bytes()
}

pub(super) fn program(gpu: &Gpu, units: &dyn Formula, n: usize, kind: Kind) -> Result<Arc<Program>> {
    gpu.program(&format!("gathered {n} {kind:?} {}", units.name()), || text(units, n, kind))
}

pub(super) fn text(units: &dyn Formula, n: usize, kind: Kind) -> Result<String> {
    let (per, threads) = layout(n);
    let own = format!("#define N {n}\n#define PER {per}\n#define THREADS {threads}\n");
    Ok(definitions(&units.facts(), kind)? + &own + &units.text()? + TEXT)
}
