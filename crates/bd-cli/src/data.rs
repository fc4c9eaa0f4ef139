//! `bd data`: data to try things with, as files.

use std::path::Path;

use bd_core::files::{refuse_existing, write_new};
use bd_core::npz::npz_to_bytes;
use bd_core::text::plural;
use bd_core::{Error, Result};
use bd_train::data::{Digits, FlowSeries, LabelledEvents, Lags, Method, Narma, Series};

use crate::args::{self, Data, OfFlow};
use crate::console;

pub(crate) fn make(data: &Data) -> anyhow::Result<()> {
    match data {
        Data::Digits(args) => Ok(digits(args)?),
        Data::Lags(args) => Ok(lags(args)?),
        Data::Narma(args) => Ok(narma(args)?),
        Data::Flow(of_flow) => Ok(flow(of_flow)?),
    }
}

/// A series of a system.
fn flow(OfFlow { flow, args }: &OfFlow) -> Result<()> {
    Series::check_path(&args.file.out)?;
    let changed = assignments(&args.file.param)?;
    let params = flow.params_with(changed.iter().map(|(name, value)| (name.as_str(), *value)))?;
    let usual = FlowSeries::of(flow, params, args.file.steps);
    let settings = FlowSeries {
        start: args.start.clone().unwrap_or_else(|| usual.start.clone()),
        dt: args.dt.unwrap_or(usual.dt),
        transient: args.transient.unwrap_or(usual.transient),
        seed: args.seed,
        method: args.method.as_deref().map(method).transpose()?,
        ..usual
    };
    save(&settings.make(flow)?, &args.file)
}

fn narma(args: &args::Narma) -> Result<()> {
    Series::check_path(&args.file.out)?;
    let mut narma = Narma { seed: args.seed, ..Narma::default() };
    for (name, value) in assignments(&args.file.param)? {
        narma.set(&name, value)?;
    }
    save(&narma.series(args.transient, args.file.steps)?, &args.file)
}

fn save(series: &Series, file: &args::SeriesFile) -> Result<()> {
    series.save(&file.out)?;
    if !file.quiet {
        console::message(&format!(
            "data      {}: {}, {}, dt {}, from time {} on",
            file.out.display(),
            plural(series.points(), "point"),
            plural(series.channels.len(), "channel"),
            series.dt,
            series.time_text(0),
        ));
    }
    Ok(())
}

/// `NAME=VALUE` of each.
fn assignments(all: &[String]) -> Result<Vec<(String, f64)>> {
    let assignment = |text: &String| {
        let parsed = text.split_once('=').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        parsed.ok_or_else(|| Error::Config(format!("--param {text}: expected NAME=NUMBER, as in tau=30")))
    };
    all.iter().map(assignment).collect()
}

fn method(name: &str) -> Result<Method> {
    Method::named(name).map_err(|error| Error::Config(format!("--method {name}: {error}")))
}

/// Synthetic spoken digits, in the format that `bd train snn --data` reads.
fn digits(args: &args::Digits) -> Result<()> {
    let args::Digits { out, train, test, classes, channels, seed, quiet } = args;
    let digits = Digits { classes: *classes, channels: *channels, seed: *seed };
    let samples = Samples { out, counts: [*train, *test], classes: *classes, channels: *channels, quiet: *quiet };
    samples.save(|part, count| digits.draw(part, count))
}

/// Pairs of spikes whose order tells the class, in the same format.
fn lags(args: &args::Lags) -> Result<()> {
    let args::Lags { out, train, test, channels, lag_ms, seed, quiet } = args;
    let lags = Lags { channels: *channels, lag_ms: *lag_ms, seed: *seed };
    let samples = Samples { out, counts: [*train, *test], classes: Lags::CLASSES, channels: *channels, quiet: *quiet };
    samples.save(|part, count| lags.draw(part, count))
}

/// Spikes with times that are made for training and testing.
struct Samples<'a> {
    out: &'a Path,
    /// For training and for testing.
    counts: [usize; 2],
    classes: usize,
    channels: usize,
    quiet: bool,
}

impl Samples<'_> {
    /// Draws both parts and writes them.
    fn save(&self, draw: impl Fn(&str, usize) -> Result<LabelledEvents>) -> Result<()> {
        let Self { out, counts, classes, channels, quiet } = *self;
        if out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npz")) {
            return Err(Error::Config(format!("--out {}: it must end in .npz", out.display())));
        }
        refuse_existing(out)?;
        let (mut arrays, mut said) = (Vec::new(), Vec::new());
        for (part, count) in ["train", "test"].into_iter().zip(counts) {
            if count < classes || count > MOST_SAMPLES {
                let message =
                    format!("--{part} is {count}; it is from {classes}, one of each class, to {MOST_SAMPLES}");
                return Err(Error::Config(message));
            }
            let (events, labels) = draw(part, count)?;
            let [times, units, offsets] = events.arrays();
            said.push(format!("{count} samples ({} spikes) in {part}", times.numel()));
            let named = [("times", times), ("units", units), ("offsets", offsets), ("y", labels)];
            arrays.extend(named.map(|(name, array)| (format!("{name}_{part}"), array)));
        }
        write_new(out, &npz_to_bytes(&arrays, &[])?)?;
        if !quiet {
            console::message(&format!(
                "data      {}: {}, {classes} classes, {channels} channels, times in seconds",
                out.display(),
                said.join(" and "),
            ));
        }
        Ok(())
    }
}

/// As many take some 3 GB of memory.
const MOST_SAMPLES: usize = 100_000;
