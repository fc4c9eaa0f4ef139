//! The results of a run as tables.

use bd_run::record::Record;
use serde_json::Value;

use crate::table::{Cell, Table};
use crate::words;

/// Channels that have a column of their own.
const MOST_CHANNELS: usize = 8;

pub(crate) fn of(record: &Record) -> Vec<Table> {
    let all = match record.activity() {
        Some(activity) => vec![of_populations(activity)],
        None => vec![of_horizons(record), compared(record), others(record)],
    };
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// A row for each population of a simulation.
fn of_populations(activity: &Value) -> Table {
    let ms = |name: &str| activity[name].as_f64().map_or("?".into(), |ms| format!("{}", (ms * 1e6).round() / 1e6));
    let caption = format!(
        "Populations of the simulation. Spikes are counted from its begin; rate, CV and synchrony from {} ms to {} ms. CV is the \
         coefficient of variation of the intervals between the spikes of a neuron, the mean over neurons.",
        ms("from_ms"),
        ms("to_ms")
    );
    let head = ["population", "neurons", "spikes", "rate (Hz)", "CV", "synchrony"];
    let mut table = Table::new(caption, &head);
    for (name, population) in activity["populations"].as_object().into_iter().flatten() {
        let count = |key: &str| Cell::count(population[key].as_u64().map_or("–".into(), |n| n.to_string()));
        let number = |key: &str| Cell::number(population[key].as_f64());
        table.push(vec![
            Cell::text(name),
            count("n"),
            count("spikes"),
            number("rate_hz"),
            number("cv"),
            number("synchrony"),
        ]);
    }
    table
}

/// A row for each horizon of a forecast.
fn of_horizons(record: &Record) -> Table {
    let lines: Vec<&Value> =
        record.lines().iter().filter(|line| line["split"] == "test" && line["horizon"].is_u64()).collect();
    let channels: Vec<&String> = lines
        .first()
        .and_then(|line| line["nrmse_per_channel"].as_object())
        .map_or(Vec::new(), |all| all.keys().collect());
    let drawn = if channels.len() > 1 { &channels[..channels.len().min(MOST_CHANNELS)] } else { &[] };
    let caption = "Forecasts of the test part. NRMSE is the root of the mean square error in standard deviations of the series: 0 is perfect, and \
                   about 1 is what its mean reaches. Persistence repeats the last value."
        .to_owned();
    let mut table = Table::new(caption, &["steps ahead", "MSE", "NRMSE", "NRMSE of persistence", "NRMSE of the mean"]);
    table.head.extend(drawn.iter().map(|name| format!("NRMSE of {name}")));
    for line in lines {
        let mut cells = vec![
            Cell::count(line["horizon"].as_u64().unwrap_or(0)),
            Cell::number(line["mse"].as_f64()),
            Cell::number(line["nrmse"].as_f64()),
            Cell::number(line["baseline_persistence"]["nrmse"].as_f64()),
            Cell::number(line["baseline_mean"]["nrmse"].as_f64()),
        ];
        cells.extend(drawn.iter().map(|name| Cell::number(line["nrmse_per_channel"][name.as_str()].as_f64())));
        table.push(cells);
    }
    table
}

/// Simple methods by their metrics: name, measure and value.
pub(crate) fn baselines(record: &Record) -> Vec<(String, &'static str, f64)> {
    let of = |(name, value): (&String, &Value)| {
        let name = name.strip_prefix("baseline_")?;
        let measure = ["accuracy", "nmse", "mse"].into_iter().find(|measure| name.ends_with(&format!("_{measure}")))?;
        Some((name[..name.len() - measure.len() - 1].to_owned(), measure, value.as_f64()?))
    };
    record.test().and_then(Value::as_object).map_or(Vec::new(), |test| test.iter().filter_map(of).collect())
}

/// The run among simple methods, the best first.
fn compared(record: &Record) -> Table {
    let simple = baselines(record);
    let Some(test) = record.test() else { return Table::default() };
    let (measure, words, is_greater) = match test["test_accuracy"].is_number() {
        true => ("accuracy", "share that is right", true),
        false => ("nmse", "mean square error / variance", false),
    };
    let mut rows: Vec<(String, f64, bool)> = simple
        .iter()
        .filter(|(_, of, _)| *of == measure)
        .map(|(name, _, value)| (words::baseline(name).to_owned(), *value, false))
        .collect();
    let own = test[format!("test_{measure}")].as_f64();
    if rows.is_empty() {
        return Table::default();
    }
    rows.extend(own.map(|value| ("this run".to_owned(), value, true)));
    rows.sort_by(|a, b| if is_greater { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) });
    let caption = "This run, marked, among simple methods on the same test part, the best first.";
    let mut table = Table::new(caption, &["method", words]);
    for (name, value, is_own) in rows {
        let cells = vec![Cell::text(name), Cell::number(value)];
        if is_own { table.push_marked(cells) } else { table.push(cells) }
    }
    table
}

/// Everything else, by name.
fn others(record: &Record) -> Table {
    let is_above =
        |name: &str| name.starts_with("baseline_") || name.starts_with("test_nrmse.") || name.starts_with("test_mse.");
    let mut table = Table::new("What was measured.", &["measure", "value"]);
    for (name, value) in record.metrics().iter().filter(|(name, _)| !is_above(name)) {
        let cell = match value.as_u64() {
            Some(whole) => Cell::count(whole),
            None => Cell::number(value.as_f64()),
        };
        table.push(vec![Cell::text(words::metric(name)), cell]);
    }
    table
}
