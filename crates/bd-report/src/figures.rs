//! The figures of a run: those in its folder, and what can be drawn of its numbers where they are not there.

mod alternative;
mod numbers;

use std::fs;
use std::path::Path;

use bd_plot::{Drawing, Figure, confusion, training};
use bd_run::record::Record;
use serde_json::Value;

use crate::table::Table;

/// Figures by the names of their files, the most telling first; one that ends with a dash is of all that begin so.
const ORDER: [&str; 16] = [
    "training",
    "confusion",
    "prediction",
    "psychometric",
    "horizon-",
    "free-run",
    "rates",
    "raster",
    "traces",
    "samples",
    "voltages",
    "series",
    "attractor",
    "spectrum",
    "return-map",
    "states",
];
/// Of a file that is read, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// How far lines may be from where they were, in half pixels: nobody sees the first one, the last one is coarse.
const TOLERANCES: [f64; 3] = [1.0, 2.0, 4.0];
/// No figure takes more than this share of the room for all.
const MOST_SHARE: f64 = 0.5;

/// The figures of a run, and what is said of those that are not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) shown: Vec<Shown>,
    pub(crate) without: Vec<String>,
}

/// A figure in a page.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Of its place in the page.
    pub(crate) id: String,
    /// An element of HTML.
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) table: Option<Table>,
}

/// Those of a run in so many bytes.
pub(crate) fn of(record: &Record, id: &str, room: usize) -> Figures {
    let mut found = Figures::default();
    let (mut left, mut without) = (room, Vec::new());
    let all = drawings(record, &mut found.without);
    for (name, drawing) in all {
        let label = alternative::of(&name, record, &drawing);
        let most = left.min((room as f64 * MOST_SHARE) as usize);
        match inline(&drawing, &label, most) {
            None => without.push(name),
            Some(svg) => {
                left -= svg.len();
                let (caption, table) = (alternative::caption(&name, &drawing), numbers::of(&name, record));
                found.shown.push(Shown { id: format!("{id}-{name}"), svg, caption, table });
            }
        }
    }
    if !without.is_empty() {
        let names = crate::words::listed(&without);
        let folder = record.path().join("plots");
        found.without.push(format!("Left out to keep this file small: {names}. They are in {}.", folder.display()));
    }
    if found.shown.is_empty() && found.without.is_empty() {
        found.without.push("There are none.".into());
    }
    found
}

/// As an element that is not longer than `most`, with lines as fine as that allows.
pub(crate) fn inline(drawing: &Drawing, label: &str, most: usize) -> Option<String> {
    TOLERANCES.into_iter().map(|tolerance| drawing.inline(label, tolerance)).find(|svg| svg.len() <= most)
}

/// Drawings of a run.
#[derive(Debug, Clone)]
pub struct Drawings {
    /// By the names of their files, the most telling first: those in its folder, and what can be drawn of its numbers where they are not there.
    pub found: Vec<(String, Drawing)>,
    /// A sentence for each that cannot be read.
    pub unread: Vec<String>,
}

/// The drawings of a run.
///
/// # Errors
/// [`bd_core::Error::Storage`] and [`bd_core::Error::BadFile`] as of [`Record::read`].
pub fn of_folder(run: &Path) -> bd_core::Result<Drawings> {
    let mut unread = Vec::new();
    let found = drawings(&Record::read(run)?, &mut unread);
    Ok(Drawings { found, unread })
}

/// Every drawing of a run by its name, the most telling first.
fn drawings(record: &Record, without: &mut Vec<String>) -> Vec<(String, Drawing)> {
    let folder = record.path().join("plots");
    let mut found = Vec::new();
    for name in names_in(&folder) {
        match read(&folder.join(format!("{name}.svg"))) {
            Ok(drawing) => found.push((name, drawing)),
            Err(why) => without.push(format!("The figure {name} in {} cannot be read: {why}.", folder.display())),
        }
    }
    for (name, figure) in [("training", of_training(record)), ("confusion", of_confusion(record))] {
        let is_missing = !found.iter().any(|(known, _)| known == name);
        let drawing = figure.filter(|_| is_missing).and_then(|figure| Drawing::of(&figure).ok());
        found.extend(drawing.map(|drawing| (name.to_owned(), drawing)));
    }
    found.sort_by_key(|(name, _)| place(name));
    found
}

/// Where a figure stands among all: its kind, and the number after that.
fn place(name: &str) -> (usize, u64) {
    let kind = ORDER.iter().position(|known| *known == name || known.ends_with('-') && name.starts_with(known));
    let number = name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    (kind.unwrap_or(ORDER.len()), number)
}

/// Names of the figures that `bd` writes, without their extension.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let named = names.filter_map(|name| name.strip_suffix(".svg").map(str::to_owned));
    named.filter(|name| place(name).0 < ORDER.len()).collect()
}

fn read(file: &Path) -> Result<Drawing, String> {
    let bytes = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if bytes > MOST_BYTES {
        return Err(format!("it has more than {} MiB", MOST_BYTES >> 20));
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    Drawing::read(&text).map_err(|error| error.to_string())
}

/// The course of a training, of its first network.
fn of_training(record: &Record) -> Option<Figure> {
    let losses = record.losses(1);
    let number = |line: &Value, name: &str| line[name].as_f64();
    let report = |line: &&Value| {
        Some(training::Report {
            step: line["step"].as_u64()?,
            loss: number(line, "loss")?,
            validation: number(line, "validation_loss"),
            accuracy: number(line, "accuracy").or(number(line, "validation_accuracy")),
        })
    };
    let reports: Vec<training::Report> = record.reports_of(1).iter().filter_map(report).collect();
    let last = losses.last()?;
    let title = format!("training, as far as update {}", last.0);
    let is_whole = losses.len() as f64 == last.0;
    let of_updates: Vec<f64> = losses.iter().map(|(_, loss)| *loss).collect();
    let mut figure = training::figure(&title, if is_whole { &of_updates } else { &[] }, &reports);
    if !is_whole {
        // Only what was reported is known.
        figure.panels[0].lines[0].points = losses;
    }
    Some(figure)
}

fn of_confusion(record: &Record) -> Option<Figure> {
    let (names, counts) = counted(record)?;
    confusion::figure("what was taken for what on the test part", &names, &counts)
}

/// Names of classes, and how often each was taken for each on the test part.
fn counted(record: &Record) -> Option<(Vec<String>, Vec<Vec<i64>>)> {
    let row = |row: &Value| row.as_array()?.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>();
    let counts: Vec<Vec<i64>> = record.test()?["confusion"].as_array()?.iter().map(row).collect::<Option<_>>()?;
    let known = record.config().pointer("/data/classes").and_then(Value::as_array);
    let name = |class: usize| {
        let name = known.and_then(|names| names.get(class)?.as_str());
        name.map_or_else(|| class.to_string(), str::to_owned)
    };
    let is_square = counts.iter().all(|row| row.len() == counts.len());
    (is_square && !counts.is_empty()).then(|| ((0..counts.len()).map(name).collect(), counts))
}
