//! Do threads wait for each other wherever one reads what another writes? See [`bd_core::testing::races`].

use std::io::Write;

use bd_core::kernel::Processor;
use bd_core::testing::races;
use bd_core::{Shared, System};

use super::tests::TwoPhases;
use super::*;
use crate::{Lif, LifConfig};

const STEPS: usize = 4;
const SAMPLES: usize = 9;
/// So that teams work on several groups of samples in turn.
const TEAMS: usize = 2;

/// Starts a kernel with memory for all that it may read and write.
fn main_of(call: &str, launch: Launch, inputs: usize, n: usize, leaves: usize) -> String {
    let Launch { blocks, threads, shared_bytes, .. } = launch;
    format!(
        "const long long steps = {STEPS}, batch = {SAMPLES};
  auto series = [] {{ return races::numbers({series}); }};
  auto inputs = [] {{ return races::numbers({series} * {inputs}); }};
  auto leaf = [] {{ return races::numbers({leaf}); }};
  Leaves first{{}}, last{{}}, kept{{}}, traces{{}};
  for (int j = 0; j < {leaves}; j++)
    first.at[j] = leaf(), last.at[j] = leaf(), kept.at[j] = series(), traces.at[j] = series();
  real *xs = inputs(), *weight = races::numbers({n} * {n} * {inputs}), *fed_first = leaf(), *fed_last = leaf(), *ys = series();
  real *between = series(), *driven = inputs(), *over = series(), *fed_trace = series(), *gxs = inputs();
  unsigned *meetings = new unsigned[{TEAMS} * 32]();
  races::run({blocks}, {threads}, {shared_bytes}, [=] {{ {call} }});",
        series = STEPS * SAMPLES * n,
        leaf = SAMPLES * n,
    )
}

/// What is found in one direction of a cell of two phases, shared out as told; `None` if nothing can be found on this machine.
fn of_teams(
    which: (usize, usize, bool),
    limits: usize,
    forward: bool,
    change: &dyn Fn(String) -> String,
) -> Option<String> {
    let (cell, n) = (RecurrentOnGpu::cell(TwoPhases, 13), 13);
    let products = cell.products(forward);
    let problem = Problem { units: n, samples: SAMPLES, products: &products, bytes: 4 };
    let layout = TeamLayout::with(problem, GpuLimits { processors: 6, bytes: limits, products: 128 }, which)
        .expect("there is limits");
    let launch = Launch {
        blocks: TEAMS * layout.members,
        threads: layout.threads,
        shared_bytes: layout.bytes,
        together: layout.members > 1,
    };
    let call = if forward {
        "forward(steps, batch, xs, weight, nullptr, first, fed_first, last, nullptr, ys, between, driven, kept, nullptr, traces, \
         fed_trace, nullptr, meetings);"
    } else {
        "backward(steps, batch, weight, driven, nullptr, kept, nullptr, ys, last, fed_last, traces, fed_trace, gxs, first, \
         fed_first, nullptr, nullptr, meetings);"
    };
    let text = change(cell.text(&layout, Kind::Float, forward).unwrap());
    races(&text, &main_of(call, launch, cell.facts.inputs(), n, 1)).unwrap()
}

fn skipped() {
    // Straight to the stream: what `eprintln` writes in a test that passes is not shown.
    let _ = std::io::stderr()
        .write_all(b"\nSKIPPED, races between threads of kernels: this C++ compiler has no ThreadSanitizer.\n");
}

/// Blocks alone and teams, steps at once and in pieces.
#[test]
fn nobody_reads_what_another_is_writing() {
    for forward in [true, false] {
        for (which, limits) in [((1, 4, true), 4000), ((3, 2, true), 4000), ((3, 2, true), 1800), ((1, 2, true), 2800)]
        {
            match of_teams(which, limits, forward, &|text| text) {
                Some(said) => assert_eq!(said, "", "forward {forward}, {which:?} in {limits} bytes"),
                None => return skipped(),
            }
        }
    }
}

/// Each place in which threads wait is there for a reason, and a race would be found.
#[test]
fn without_waiting_there_are_races() {
    const WAIT: &str = "__syncthreads();";
    for forward in [true, false] {
        let count = [TEAMS_TEXT, if forward { FORWARD } else { BACKWARD }].concat().matches(WAIT).count();
        for left_out in 0..count {
            let without = |text: String| {
                let (at, _) = text.match_indices(WAIT).nth(left_out).expect("it is there");
                [&text[..at], &text[at + WAIT.len()..]].concat()
            };
            let ways = [((1, 4, true), 4000), ((3, 2, true), 1800)];
            let found = ways.map(|(which, limits)| of_teams(which, limits, forward, &without));
            if found.contains(&None) {
                return skipped();
            }
            let found = found.iter().flatten().any(|said| said.contains("data race"));
            assert!(found, "nobody misses {WAIT} number {left_out}, forward {forward}");
        }
    }
}

#[test]
fn gathering_spikes_has_no_race() {
    let n = 40;
    let units = Lif::new(n as i64, &LifConfig::default()).unwrap().kernel(&Shared::new(1.0), Processor::Gpu).unwrap();
    let units = OneInput(units.on_gpu().unwrap().remove(0).0.formula().unwrap());
    let call = "gathered(steps, batch, xs, weight, nullptr, first, fed_first, last, fed_last, ys, driven, kept, over, traces, fed_trace);";
    let launch = gathered::launch(n, SAMPLES, Kind::Float);
    let text = gathered::text(units.0.as_ref(), n, Kind::Float).unwrap();
    let leaves = units.0.facts().reads.len();
    match races(&text, &main_of(call, launch, 1, n, leaves)).unwrap() {
        Some(said) => assert_eq!(said, ""),
        None => skipped(),
    }
}
