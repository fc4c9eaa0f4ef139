//! What ThreadSanitizer says of the same kernels: the word of others, but about what the scheduler happened to do. Hence to be run by hand:
//! `cargo test -p bd-models --lib -- --ignored sanitizer`.

use bd_core::testing::races;

use super::*;

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

/// Panics with what ThreadSanitizer says, if it says anything; fails as well where it cannot run.
fn assert_quiet(text: &str, main: &str) {
    let said = races(text, main).unwrap().expect("this C++ compiler has ThreadSanitizer, and it runs here");
    assert_eq!(said, "");
}

#[test]
#[ignore = "ThreadSanitizer depends on the scheduler and on how addresses are laid out; the emulator finds races for certain"]
fn it_finds_nothing_in_teams() {
    let forward_call = "forward(steps, batch, xs, weight, nullptr, first, fed_first, last, nullptr, ys, between, driven, kept, nullptr, \
         traces, fed_trace, nullptr, meetings);";
    let backward_call = "backward(steps, batch, weight, driven, nullptr, kept, nullptr, ys, last, fed_last, traces, fed_trace, gxs, first, \
         fed_first, nullptr, nullptr, meetings);";
    for (forward, call) in [(true, forward_call), (false, backward_call)] {
        for way in WAYS {
            let (text, launch, inputs) = of_teams(way, forward);
            assert_quiet(&text, &main_of(call, launch, inputs, N, 1));
        }
    }
}

#[test]
#[ignore = "ThreadSanitizer depends on the scheduler and on how addresses are laid out; the emulator finds races for certain"]
fn it_finds_nothing_in_gathered_spikes() {
    let n = 40;
    let (text, launch, leaves) = of_spikes(n);
    let call = "gathered(steps, batch, xs, weight, nullptr, first, fed_first, last, fed_last, ys, driven, kept, over, traces, fed_trace);";
    assert_quiet(&text, &main_of(call, launch, 1, n, leaves));
}
