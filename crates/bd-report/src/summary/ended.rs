//! How a run ended.

use bd_core::text::plural;
use bd_run::record::{Record, State};
use serde_json::Value;

use crate::words::{duration, moment};

/// What the progress of a run is counted in: updates, or samples that a regression has taken in.
pub(crate) fn unit_of_updates(record: &Record) -> &'static str {
    if matches!(record.manifest().job.as_str(), "rnn" | "snn") { "update" } else { "sample" }
}

/// The same of several.
pub(crate) fn units_of_updates(record: &Record) -> &'static str {
    if unit_of_updates(record) == "update" { "updates" } else { "samples" }
}

pub(super) fn sentences(record: &Record) -> String {
    let manifest = record.manifest();
    let made = match record.updates() {
        0 => String::new(),
        updates => format!(" after {}", plural(updates as usize, unit_of_updates(record))),
    };
    let can_resume = if record.has_checkpoint() { " It can be resumed from its newest checkpoint." } else { "" };
    let begin = format!("It began on {}", moment(&manifest.started));
    match record.state() {
        State::Finished => {
            let took = record.seconds().map_or(String::new(), |seconds| format!(" and took {}", duration(seconds)));
            format!("{}{begin}{took}.", trained(record))
        }
        State::Running { owner } => {
            let by = if owner.is_empty() { String::new() } else { format!(" ({owner})") };
            format!("{begin} and is still at work{by}: what stands here is what was known{made}.")
        }
        State::Stopped if manifest.job == "simulate" => {
            format!("{begin} and was stopped by a signal; what was simulated until then is here.")
        }
        State::Stopped => format!("{begin} and was stopped by a signal{made}.{can_resume}"),
        State::CutOff => format!("{begin} and did not come to its end: its process is gone{made}.{can_resume}"),
        State::Diverged => format!(
            "{begin} and diverged{made}: a loss or a gradient was no finite number. The last good parameters are in its newest checkpoint; a lower \
             learning rate may help."
        ),
        State::Failed => format!("{begin} and ended with an error{made}.{can_resume}"),
    }
}

/// Why the training of a network ended.
fn trained(record: &Record) -> String {
    let count = record.updates();
    if unit_of_updates(record) != "update" || count == 0 {
        return String::new();
    }
    let (members, epochs) = (record.members().len() as u64, record.config()["epochs"].as_u64());
    let epochs = epochs.map_or(String::new(), |epochs| format!(" of {}", plural(epochs as usize, "epoch")));
    let each = if members > 1 { format!(" by {members} networks together") } else { String::new() };
    let updates = plural(count as usize, "update");
    let ended: Vec<&str> = record
        .test()
        .and_then(|test| test["ended"].as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match ended.iter().find(|end| **end != "done") {
        Some(&"patience") => {
            format!(
                "Early stopping ended the training after {updates}{each}, when the validation part had not got better for a while. "
            )
        }
        Some(&"time") => format!("The training ended after {updates}{each}, for its time was over. "),
        _ => format!("The training ended after all {updates}{epochs}{each}. "),
    }
}
