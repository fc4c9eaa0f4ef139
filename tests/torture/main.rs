//! Nothing is lost and nothing is silently wrong: the real binary is killed, cut off from its disk, damaged and fed with rubbish.
//!
//! In the suite in a short form. `scripts/torture` runs the long one, by `BD_TORTURE=long`, which takes about an hour.

#[path = "../cli/common.rs"]
#[allow(dead_code, reason = "the tests of the command line use the rest")]
mod common;
mod crash;
mod damage;
mod disk;
mod faults;
mod first_process;
mod jobs;
mod kills;
mod memory;
mod processes;
mod same_bytes;
mod sweeps;

/// Whether the long form is asked for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("BD_TORTURE").is_some_and(|form| form == "long")
}

/// How often something is tried: in the suite, and in the long form.
pub(crate) fn tries(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}
