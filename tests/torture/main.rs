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
mod same_bytes;

/// Whether the long form is asked for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("BD_TORTURE").is_some_and(|form| form == "long")
}

/// How often something is tried: in the suite, and in the long form.
pub(crate) fn tries(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// `examples/ei_digits.toml` with 24 and 6 neurons, and 50 channels.
pub(crate) fn small_network() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ei_digits.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let small = [
        ("n = 700", "n = 50"),
        ("n = 320", "n = 24"),
        ("n = 80", "n = 6"),
        ("p = 0.2", "p = 0.5"),
        ("dt_ms = 1", "dt_ms = 4"),
        ("0.12*rand()", "1.2*rand()"),
        ("delay = \"2*ms\"", "delay = \"8*ms\""),
        ("delay = \"1*ms\"", "delay = \"4*ms\""),
    ];
    small.into_iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}
