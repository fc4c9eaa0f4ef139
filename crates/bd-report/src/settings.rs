//! The configuration of a run as a table.

use bd_run::record::{Record, flat, usual};
use bd_run::sweep::shown;
use serde_json::Value;

use crate::table::{Cell, Table};

/// What is said of the configuration, and its table, which is left out where there is no space for it.
pub(crate) fn of(record: &Record, with_table: bool) -> (String, Table) {
    let mut table = Table::new("Every value in force.", &["setting", "value"]);
    let (config, file) = (record.config(), record.path().join("config.json"));
    if config.is_null() {
        return ("There is none that can be read.".into(), table);
    }
    if !with_table {
        return (format!("Every value is in {}.", file.display()), table);
    }
    let defaults = usual(config).map(|usual| flat(&usual));
    let mut changed = 0;
    if defaults.is_some() {
        table.head.push("default".into());
    }
    for (name, value) in flat(config) {
        let mut cells = vec![Cell::text(&name), Cell::text(shown(&value))];
        let mut is_changed = false;
        if let Some(defaults) = &defaults {
            let known = defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            is_changed = known.is_some_and(|known| *known != value);
            cells.push(Cell::text(beside(known, &value)));
        }
        changed += usize::from(is_changed);
        match is_changed {
            true => table.push_marked(cells),
            false => table.push(cells),
        }
    }
    (words(defaults.is_some(), changed), table)
}

/// What stands beside a value.
fn beside(known: Option<&Value>, value: &Value) -> String {
    match known {
        None => String::new(),
        Some(known) if known == value => "the default".into(),
        Some(known) => shown(known),
    }
}

fn words(is_known: bool, changed: usize) -> String {
    match (is_known, changed) {
        (false, _) => "Which of them are defaults is not said: defaults follow from the data.".into(),
        (true, 0) => "All of them are the defaults of this job and what it learns.".into(),
        (true, 1) => "One of them is not the default of this job and what it learns; it is marked.".into(),
        (true, n) => format!("{n} of them are not the defaults of this job and what it learns; they are marked."),
    }
}
