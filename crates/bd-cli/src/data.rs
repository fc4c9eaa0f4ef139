//! `bd data`: data to try things with, as files.

use bd_core::Error;
use bd_core::npz::save_npz;
use bd_train::data::Digits;

use crate::args::{self, Data};
use crate::console;

pub(crate) fn make(data: &Data) -> anyhow::Result<()> {
    match data {
        Data::Digits(args) => digits(args),
    }
}

/// Synthetic spoken digits, in the format that `bd train snn --data` reads.
fn digits(args: &args::Digits) -> anyhow::Result<()> {
    let args::Digits { out, train, test, classes, channels, seed, .. } = args;
    if out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npz")) {
        return Err(Error::Config(format!("--out {}: it must end in .npz", out.display())).into());
    }
    if out.symlink_metadata().is_ok() {
        let there = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists; name a new file or remove it");
        return Err(Error::storage("create", out)(there).into());
    }
    let digits = Digits { classes: *classes, channels: *channels, seed: *seed };
    let (mut arrays, mut said) = (Vec::new(), Vec::new());
    for (part, count) in [("train", *train), ("test", *test)] {
        if count < *classes || count > MOST_SAMPLES {
            let message = format!("--{part} is {count}; it is from {classes}, one of each class, to {MOST_SAMPLES}");
            return Err(Error::Config(message).into());
        }
        let (events, labels) = digits.draw(part, count)?;
        let [times, units, offsets] = events.arrays();
        said.push(format!("{count} samples ({} spikes) in {part}", times.numel()));
        let named = [("times", times), ("units", units), ("offsets", offsets), ("y", labels)];
        arrays.extend(named.map(|(name, array)| (format!("{name}_{part}"), array)));
    }
    save_npz(out, &arrays)?;
    if !args.quiet {
        console::message(&format!(
            "data      {}: {}, {classes} classes, {channels} channels, times in seconds",
            out.display(),
            said.join(" and "),
        ));
    }
    Ok(())
}

/// As many take some 3 GB of memory.
const MOST_SAMPLES: usize = 100_000;
