//! What the checks have found, for people and for programs.

use serde_json::{Map, Value, json};
use tch::Device;

use super::examine::{Check, Comparison, Row};

const NAME: usize = 51;
const CELL: usize = 13;

/// The columns that there are on a device.
fn columns(device: Device) -> impl Iterator<Item = Comparison> {
    Comparison::on(device, true)
}

/// Names of the columns, and what is allowed.
pub(super) fn head(device: Device) -> String {
    let line = |name: &str, cell: &dyn Fn(Comparison) -> String, spikes: &str| {
        let cells: String = columns(device).map(|column| format!("{:>CELL$}", cell(column))).collect();
        format!("{name:<NAME$}{cells}{spikes:>8}")
    };
    let allowed = |smooth: bool| {
        move |column: Comparison| match column {
            Comparison::Differences if !smooth => "-".into(),
            _ => format!("{:.0e}   ", column.tolerance(smooth)),
        }
    };
    [
        line("model", &|column| column.name().into(), "spikes"),
        line("largest allowed", &allowed(true), "-"),
        line("largest allowed, spiking models", &allowed(false), "-"),
    ]
    .join("\n")
}

pub(super) fn line(row: &Row, device: Device) -> String {
    let cell = |check: Option<&Check>| match check {
        None => "-".to_owned(),
        Some(Check { fault: Some(fault), largest, .. }) if fault.word == "differs" => format!("{largest:.1e} FAIL"),
        Some(Check { fault: Some(fault), .. }) => format!("{} FAIL", fault.word),
        Some(Check { largest, .. }) => format!("{largest:.1e} ok"),
    };
    let cells: String = columns(device).map(|column| format!("{:>CELL$}", cell(row.of(column)))).collect();
    let spikes = row.spikes.map_or("-".to_owned(), |spikes| spikes.to_string());
    format!("{:<NAME$}{cells}{spikes:>8}", row.model)
}

/// Which checks failed, as `model: column`, and why.
pub(super) fn failures(rows: &[Row]) -> Vec<(String, &str)> {
    let all = rows.iter().flat_map(|row| row.checks.iter().map(move |check| (row, check)));
    let failed = all.filter_map(|(row, check)| Some((row, check, check.fault.as_ref()?)));
    failed
        .map(|(row, check, fault)| (format!("{} ({})", row.model, check.comparison.name()), fault.sentence.as_str()))
        .collect()
}

pub(super) fn json(rows: &[Row]) -> Value {
    let models = rows.iter().map(|row| {
        let checks: Map<String, Value> = row
            .checks
            .iter()
            .map(|check| {
                let verdict = check.fault.as_ref().map_or("ok", |fault| fault.word);
                let mut value = json!({"error": check.largest, "tolerance": check.tolerance, "verdict": verdict});
                if let Some(fault) = &check.fault {
                    value["why"] = json!(fault.sentence);
                }
                (check.comparison.name().replace(' ', "_"), value)
            })
            .collect();
        let mut model = json!({"model": row.model, "checks": checks});
        if let Some(spikes) = row.spikes {
            model["spikes"] = json!(spikes);
        }
        model
    });
    models.collect()
}
