//! The numbers of a figure as a table, where they are few.

use bd_run::record::Record;
use serde_json::Value;

use super::counted;
use crate::table::{Cell, Table};

/// Rows of a table: of more reports some are left out.
const MOST_ROWS: usize = 40;
/// Classes of a table.
const MOST_CLASSES: usize = 40;

pub(super) fn of(name: &str, record: &Record) -> Option<Table> {
    let table = match name {
        "training" => of_training(record),
        "confusion" => of_confusion(record)?,
        "free-run" => of_free_runs(record)?,
        _ => return None,
    };
    (!table.rows.is_empty()).then_some(table)
}

/// What was reported of the first network.
fn of_training(record: &Record) -> Table {
    let reports = record.reports_of(1);
    let columns = [
        ("loss", "loss"),
        ("validation_loss", "validation loss"),
        ("accuracy", "accuracy"),
        ("validation_accuracy", "validation accuracy"),
        ("lr", "learning rate"),
        ("gradient_norm", "norm of the gradient"),
    ];
    let drawn: Vec<_> =
        columns.into_iter().filter(|(key, _)| reports.iter().any(|line| line[*key].is_number())).collect();
    let every = reports.len().div_ceil(MOST_ROWS).max(1);
    let caption = match every {
        1 => "What was reported.".to_owned(),
        every => format!("What was reported, one of {every} reports."),
    };
    let mut table = Table::new(caption, &["update"]);
    table.head.extend(drawn.iter().map(|(_, words)| (*words).to_owned()));
    for line in reports.iter().rev().step_by(every).rev() {
        let mut cells = vec![Cell::count(line["step"].as_u64().unwrap_or(0))];
        cells.extend(drawn.iter().map(|(key, _)| Cell::number(line[*key].as_f64())));
        table.push(cells);
    }
    table
}

fn of_confusion(record: &Record) -> Option<Table> {
    let (names, counts) = counted(record).filter(|(names, _)| names.len() <= MOST_CLASSES)?;
    let mut table = Table::new("Rows are what it was, columns what it was taken for.", &["class"]);
    table.head.extend(names.iter().cloned());
    for (name, row) in names.iter().zip(counts) {
        let mut cells = vec![Cell::text(name)];
        cells.extend(row.iter().map(Cell::count));
        table.push(cells);
    }
    Some(table)
}

/// Of each start how long the run stays near the truth.
fn of_free_runs(record: &Record) -> Option<Table> {
    let line = record.lines().iter().find(|line| line["valid_steps"].is_array())?;
    let list = |name: &str| line[name].as_array().cloned().unwrap_or_default();
    let (starts, valid, bounded) = (list("starts"), list("valid_steps"), list("bounded"));
    let mut table = Table::new(
        "Each free run: the point of the series after which it starts, and how long it stays near the truth.",
        &["start", "valid steps", "stays bounded"],
    );
    for ((start, valid), bounded) in starts.iter().zip(&valid).zip(&bounded).take(MOST_ROWS) {
        let bounded = if *bounded == Value::Bool(true) { "yes" } else { "no" };
        table.push(vec![Cell::count(start), Cell::count(valid), Cell::text(bounded)]);
    }
    if starts.len() > MOST_ROWS {
        table.caption += &format!(" The first {MOST_ROWS} of {}.", starts.len());
    }
    Some(table)
}
