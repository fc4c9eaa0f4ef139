//! What a figure shows, in words and numbers: for who hears the page, and below the picture.

use bd_core::text::{plural, short};
use bd_plot::Drawing;
use bd_run::record::Record;
use serde_json::Value;

use super::counted;

/// Below a figure.
pub(super) fn caption(name: &str, drawing: &Drawing) -> String {
    let shows = shows(name);
    match drawing.title() {
        "" => format!("{shows}."),
        title => format!("{shows}. Its title: {title}."),
    }
}

/// What a figure of this name shows.
fn shows(name: &str) -> String {
    let known = match name {
        "training" => {
            "The loss of each update, of the first network where there are several, and where they are known the loss of the validation part and the accuracy"
        }
        "confusion" => {
            "How often a class of the test part (row) was taken for a class (column), shaded by the share of the row"
        }
        "prediction" => "Predictions of the test part against the truth, with the diagonal, on which they are equal",
        "psychometric" => {
            "The share of the first alternative among the choices by the evidence for it, with intervals of 95 % confidence"
        }
        "free-run" => "The first run of the model on its own outputs over the truth",
        "rates" => "Spikes of a neuron in a second over time, of each population",
        "raster" => "Spikes of neurons over time, a dot each",
        "traces" => "Recorded states of neurons over time",
        "samples" => "Samples of the test part with what they are and what the model says",
        "voltages" => "Potentials of neurons of the first layer over time",
        "series" => "The whole series over time, a panel for each channel",
        "spectrum" => {
            "Power spectra of the series and of runs on the model's own outputs, averaged over the runs, a panel for each channel"
        }
        "return-map" => {
            "Each maximum of the last channel against the one before it, of the series and of runs on the model's own outputs"
        }
        "states" => "States of the first units of the reservoir over time, a panel each",
        "attractor" => "The last channel of the series against the first, and a forecast of it",
        horizon => {
            let steps = horizon.strip_prefix("horizon-").and_then(|steps| steps.parse().ok()).unwrap_or(0);
            return format!(
                "The forecast {} ahead over the truth, on the test part, a panel for each channel",
                plural(steps, "step")
            );
        }
    };
    known.to_owned()
}

/// What is said in place of a figure.
pub(super) fn of(name: &str, record: &Record, drawing: &Drawing) -> String {
    let numbers = match name {
        "training" => of_training(record),
        "confusion" => of_confusion(record),
        name => name.strip_prefix("horizon-").and_then(|steps| of_horizon(record, steps)),
    };
    let words = shows(name);
    match numbers {
        Some(numbers) => format!("{words}. {numbers}"),
        None => format!("{words}. {}", drawing.title()),
    }
}

fn of_training(record: &Record) -> Option<String> {
    let losses = record.losses(1);
    let ((first, from), (last, to)) = (losses.first()?, losses.last()?);
    let (at, least) = losses.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let begin = format!(
        "The loss goes from {} at update {first} to {} at update {last}; the least is {} at update {at}.",
        short(*from),
        short(*to),
        short(*least)
    );
    let reports = record.reports_of(1);
    let of = |name: &str, words: &str| {
        let value = reports.last().and_then(|line| line[name].as_f64());
        value.map_or(String::new(), |value| format!(" {words} at the last report is {}.", short(value)))
    };
    let validation = of("validation_loss", "The loss of the validation part");
    Some(
        begin
            + &validation
            + &of("accuracy", "The accuracy")
            + &of("validation_accuracy", "The accuracy on the validation part"),
    )
}

fn of_confusion(record: &Record) -> Option<String> {
    let (names, counts) = counted(record)?;
    let all: i64 = counts.iter().flatten().sum();
    let right: i64 = (0..counts.len()).map(|class| counts[class][class]).sum();
    let mistakes = (0..counts.len()).flat_map(|class| (0..counts.len()).map(move |taken_for| (class, taken_for)));
    let most = mistakes
        .filter(|(class, taken_for)| class != taken_for)
        .max_by_key(|(class, taken_for)| counts[*class][*taken_for]);
    let most =
        most.filter(|(class, taken_for)| counts[*class][*taken_for] > 0).map_or(String::new(), |(class, taken_for)| {
            format!(
                " The most frequent mistake is {} taken for {}, {}.",
                names[class],
                names[taken_for],
                plural(counts[class][taken_for] as usize, "time")
            )
        });
    Some(format!(
        "Of {} of {}, {right} are on the diagonal, which are right.{most}",
        plural(all as usize, "case"),
        match names.len() {
            1 => "1 class".to_owned(),
            n => format!("{n} classes"),
        }
    ))
}

fn of_horizon(record: &Record, steps: &str) -> Option<String> {
    let steps: u64 = steps.parse().ok()?;
    let is_it = |line: &&Value| line["split"] == "test" && line["horizon"].as_u64() == Some(steps);
    let line = record.lines().iter().find(is_it)?;
    let channel = |(name, value): (&String, &Value)| Some(format!("{name} {}", short(value.as_f64()?)));
    let channels: Vec<String> =
        line["nrmse_per_channel"].as_object().into_iter().flatten().filter_map(channel).take(12).collect();
    Some(format!(
        "The error is {} standard deviations of the series; of each channel: {}.",
        line["nrmse"].as_f64().map_or("unknown".into(), short),
        channels.join(", ")
    ))
}
