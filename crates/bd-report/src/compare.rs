//! Several runs side by side.

mod curves;
mod data;

use bd_core::text::plural;
use bd_plot::Drawing;
use bd_run::record::{Better, Record, Several, SeveralKind, SeveralRow, flat};
use bd_run::sweep::shown;
use serde_json::Value;

use crate::figures;
use crate::page::id;
use crate::run::state_words;
use crate::table::{Cell, Row, Table};

/// Metrics that are compared, those that any run has, in this order; one that ends with a dot is of all that begin so.
const METRICS: [&str; 11] = [
    "test_accuracy",
    "test_nmse",
    "test_mse",
    "test_nrmse.",
    "test_loss",
    "valid_steps",
    "validation_accuracy",
    "validation_loss",
    "best_validation_loss",
    "train_loss",
    "rate_hz.",
];
/// Columns of metrics and of settings.
const MOST_METRICS: usize = 8;
const MOST_SETTINGS: usize = 12;
/// Settings that change no result, and hashes, which are beside the names of their files.
const IGNORED: [&str; 6] =
    ["checkpoint_minutes", "checkpoint_every", "checkpoint_keep", "tensorboard", "data.sha256", "data.test_sha256"];

/// Settings of the data, by the beginnings of their names.
const OF_DATA: [&str; 5] = ["data.", "network", "model.n_in", "model.n_out", "time_unit"];

/// Several runs side by side.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) sentences: Vec<String>,
    pub(crate) table: Table,
    pub(crate) figures: Vec<figures::Shown>,
    /// All curves in one drawing, with what is said in its place and below it.
    pub(crate) curves: Option<(Drawing, String, String)>,
}

/// Runs that somebody has chosen.
pub(crate) fn of_runs(records: &[Record]) -> Comparison {
    let same_data = data::is_same(records);
    let (settings, more) = differing(records, same_data);
    let metrics = metrics(records);
    let caption = match same_data {
        true => "A row for each run. The best value of a column is bold, and only settings that differ are here.",
        false => "A row for each run, with settings that differ.",
    };
    let mut table = Table::new(caption, &["run", "job", "state"]);
    table.head.extend((!same_data).then(|| "data".to_owned()));
    table.head.extend(metrics.iter().cloned());
    table.head.extend(settings.iter().cloned());
    table.head.push("seconds".into());
    for (i, record) in records.iter().enumerate() {
        let mut cells = vec![
            Cell { link: id(i), ..Cell::text(record.name()) },
            Cell::text(&record.manifest().job),
            Cell::text(state_words(record)),
        ];
        cells.extend((!same_data).then(|| Cell::text(data::name(record))));
        let found = record.metrics();
        cells.extend(metrics.iter().map(|name| Cell::number(found.get(name).and_then(Value::as_f64))));
        let values = flat(record.config());
        cells.extend(settings.iter().map(|name| {
            let value = values.iter().find(|(known, _)| known == name);
            Cell::text(value.map_or("–".to_owned(), |(_, value)| shown(value)))
        }));
        cells.push(Cell::seconds(record.seconds()));
        table.push(cells);
    }
    if same_data {
        mark_best(&mut table, 3, &metrics, records);
    }
    let mut sentences = Vec::new();
    if more > 0 {
        let verb = if more == 1 { "differs" } else { "differ" };
        sentences.push(format!(
            "{} without a column {verb}, too; all are in the configuration of each run.",
            plural(more, "setting")
        ));
    }
    if settings.is_empty() && more == 0 {
        sentences.push("No setting differs.".into());
    }
    if !same_data {
        let words = "They do not learn the same data: their errors and losses say little beside each other, and none is called the best.";
        sentences.push(words.into());
    }
    Comparison { sentences, table, figures: Vec::new(), curves: curves::of(records) }
}

/// Runs of a sweep or of a choice among jobs, the best first.
pub(crate) fn of_several(several: &Several, records: &[Record]) -> Comparison {
    let mut rows: Vec<&SeveralRow> = several.rows.iter().collect();
    let value = |row: &SeveralRow| row.objective.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| a.failure.is_some().cmp(&b.failure.is_some()).then(value(a).total_cmp(&value(b))));
    let is_sweep = several.kind == SeveralKind::Sweep;
    let first = several.rows.first().filter(|_| is_sweep);
    let names: Vec<String> = first.map_or(Vec::new(), |row| row.values.keys().cloned().collect());
    let objective = several.objective.clone();
    let metrics = if objective.is_some() { Vec::new() } else { metrics(records) };
    let caption = match &objective {
        Some(name) => format!(
            "A row for each configuration, by {name}, the smaller the better. The best is marked; of several seeds it is the mean that counts."
        ),
        None => "A row for each job; the best on samples that were held out is marked.".to_owned(),
    };
    let mut table = Table::new(caption, &["run"]);
    table.head.extend(names.iter().cloned());
    table.head.extend(objective.clone());
    table.head.extend(metrics.iter().cloned());
    table.head.extend(["seconds".to_owned(), "remark".to_owned()]);
    let has_remark = rows.iter().any(|row| row.failure.is_some());
    if !has_remark {
        table.head.pop();
    }
    for row in rows {
        let found = records.iter().find(|record| record.name() == row.name).map(Record::metrics).unwrap_or_default();
        let link =
            if row.is_best && records.iter().any(|record| record.name() == row.name) { id(0) } else { String::new() };
        let mut cells = vec![Cell { link, ..Cell::text(&row.name) }];
        cells.extend(names.iter().map(|name| Cell::text(row.values.get(name).map_or("–".to_owned(), shown))));
        cells.extend(objective.as_ref().map(|_| Cell::number(row.objective)));
        cells.extend(metrics.iter().map(|name| Cell::number(found.get(name).and_then(Value::as_f64))));
        cells.push(Cell::seconds(row.seconds));
        cells.extend(has_remark.then(|| Cell::text(row.failure.clone().unwrap_or_default())));
        table.rows.push(Row { cells, is_marked: row.is_best });
    }
    Comparison { sentences: Vec::new(), table, figures: Vec::new(), curves: curves::of(records) }
}

/// Marks the best of each column of metrics.
fn mark_best(table: &mut Table, first: usize, metrics: &[String], records: &[Record]) {
    for (i, name) in metrics.iter().enumerate() {
        let values: Vec<Option<f64>> =
            records.iter().map(|record| record.metrics().get(name).and_then(Value::as_f64)).collect();
        if let Some(best) = Better::of(name).best(&values) {
            table.rows[best].cells[first + i].is_best = true;
        }
    }
}

/// Metrics that any of the runs has.
fn metrics(records: &[Record]) -> Vec<String> {
    let all: Vec<_> = records.iter().map(Record::metrics).collect();
    let mut found: Vec<String> = Vec::new();
    for wanted in METRICS {
        let is_it = |name: &&String| **name == wanted || wanted.ends_with('.') && name.starts_with(wanted);
        for name in all.iter().flat_map(|metrics| metrics.keys()).filter(is_it) {
            if !found.contains(name) {
                found.push(name.clone());
            }
        }
    }
    found.truncate(MOST_METRICS);
    found
}

/// Settings that are not the same in all runs, and how many more there are than have a column. Of other data those of the data are left out,
/// and sizes that follow from them.
fn differing(records: &[Record], same_data: bool) -> (Vec<String>, usize) {
    let all: Vec<Vec<(String, Value)>> = records.iter().map(|record| flat(record.config())).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in all.iter().flatten() {
        if !names.contains(&name) && !IGNORED.contains(&name.as_str()) && name != "job" {
            names.push(name);
        }
    }
    let value = |settings: &[(String, Value)], name: &str| {
        settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let differs = |name: &&&String| {
        let values: Vec<_> = all.iter().map(|settings| value(settings, name)).collect();
        values.windows(2).any(|pair| pair[0] != pair[1])
    };
    let mut found: Vec<String> = names.iter().filter(differs).map(|name| (*name).clone()).collect();
    let count = found.len();
    // Runs of several jobs have few settings in common, and only those can be compared.
    let everywhere = |name: &String| all.iter().all(|settings| value(settings, name).is_some());
    if found.iter().any(everywhere) {
        found.retain(everywhere);
    }
    if !same_data {
        found.retain(|name| !OF_DATA.iter().any(|of_data| name.starts_with(of_data)));
    }
    found.truncate(MOST_SETTINGS);
    let more = count - found.len();
    (found, more)
}
