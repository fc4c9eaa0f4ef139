//! A run as a part of a report.

use bd_run::record::{Record, State};
use serde_json::Value;

use crate::figures::{self, Figures};
use crate::table::{Cell, Table};
use crate::words::{duration, moment, quoted};
use crate::{results, settings, summary};

/// What a report says of a run.
#[derive(Debug, Clone)]
pub(crate) struct RunPart {
    /// Of its place in the page.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) state_class: &'static str,
    pub(crate) summary: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) results: Vec<Table>,
    pub(crate) figures: Vec<figures::Shown>,
    /// What is said of figures that are not here.
    pub(crate) without: Vec<String>,
    /// Words, and the command that they are about.
    pub(crate) commands: Vec<(String, String)>,
    pub(crate) remarks: Vec<String>,
    pub(crate) settings_words: String,
    pub(crate) settings: Table,
    pub(crate) environment: Table,
}

impl RunPart {
    /// Of a run, of which the page may have so many bytes of figures.
    pub(crate) fn of(record: &Record, id: &str, room: usize, with_settings: bool) -> Self {
        let Figures { shown, without } = figures::of(record, id, room);
        let (settings_words, settings) = settings::of(record, with_settings);
        let (commands, remarks) = repeated(record);
        Self {
            id: id.to_owned(),
            name: record.name(),
            state: state_words(record),
            state_class: state_class(record.state()),
            summary: summary::of(record),
            notes: record.notes().to_vec(),
            results: results::of(record),
            figures: shown,
            without,
            commands,
            remarks,
            settings_words,
            settings,
            environment: environment(record),
        }
    }
}

/// How it stands, in a word or two.
pub(crate) fn state_words(record: &Record) -> String {
    let updates = record.updates();
    match record.state() {
        State::Finished => "finished".into(),
        state if updates > 0 => format!("{state} at {} {updates}", summary::unit_of_updates(record)),
        state => state.to_string(),
    }
}

fn state_class(state: &State) -> &'static str {
    match state {
        State::Finished => "good",
        State::Diverged | State::Failed => "bad",
        State::Running { .. } | State::CutOff | State::Stopped => "wait",
    }
}

/// Commands that repeat a run or go on with it, each with words before it, and what is to be said of them.
fn repeated(record: &Record) -> (Vec<(String, String)>, Vec<String>) {
    let folder = record.path().to_string_lossy();
    let (job, config) = (&record.manifest().job, record.config());
    let mut commands = Vec::new();
    let mut remarks = Vec::new();
    let mut add = |words: &str, command: String| commands.push((words.to_owned(), command));
    if job == "simulate" {
        add("This command simulates the same again:", of_simulation(config));
        remarks.push("The same seed draws the same synapses, initial values and noise. The network as it was read is in network.toml.".into());
        return (commands, remarks);
    }
    let config_file = quoted(&format!("{folder}/config.json"));
    let deterministic = if record.manifest().deterministic { " --deterministic" } else { "" };
    add(
        "This command trains the same again, into a new folder:",
        format!("bd train {job} --config {config_file}{deterministic} --out again"),
    );
    let goes_on = !record.state().is_finished() && record.has_checkpoint();
    if goes_on && !matches!(record.state(), State::Running { .. }) {
        add("This one goes on with it from its newest checkpoint:", format!("bd train --resume {}", quoted(&folder)));
    }
    if record.manifest().weights_sha256.is_some() {
        add("This one repeats its test:", format!("bd eval {}", quoted(&folder)));
    }
    let kind =
        if record.manifest().deterministic { "any processor with AVX2 and FMA" } else { "the same kind of device" };
    remarks.push(format!("With the same versions on {kind} it gives the same weights and predictions, byte for byte."));
    if let Some(file) = config.pointer("/data/file").and_then(Value::as_str) {
        remarks.push(format!("It reads {file}, which must be what it was: its SHA-256 is in the configuration."));
    }
    (commands, remarks)
}

fn of_simulation(config: &Value) -> String {
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| config[name].to_string();
    let mut command = format!(
        "bd simulate {} --duration-ms {} --discard-ms {} --dtype {} --seed {}",
        quoted(&text("network")),
        number("duration_ms"),
        number("discard_ms"),
        quoted(&text("dtype")),
        number("seed"),
    );
    for (name, option) in [("spikes", "--spikes"), ("data", "--data")] {
        command += &config[name].as_str().map_or(String::new(), |file| format!(" {option} {}", quoted(file)));
    }
    for (name, option) in [("sample", "--sample"), ("member", "--member")] {
        command += &config[name].as_u64().map_or(String::new(), |number| format!(" {option} {number}"));
    }
    for (name, option) in [("save_synapses", "--save-synapses"), ("compile", "--compile")] {
        command += &if config[name] == true { format!(" {option}") } else { String::new() };
    }
    command + " --out again"
}

fn environment(record: &Record) -> Table {
    let manifest = record.manifest();
    let mut table = Table::new("What it was computed with, and when.", &["what", "value"]);
    let mut add = |what: &str, value: String| table.push(vec![Cell::text(what), Cell::text(value)]);
    let versions = &manifest.versions;
    let git = versions.git.as_ref().map_or(String::new(), |git| format!(" (commit {git})"));
    add("bd", versions.bd.clone() + &git);
    add("libtorch", versions.libtorch.clone().unwrap_or_else(|| "unknown".into()));
    if let Some(cuda) = versions.cuda {
        add("CUDA", cuda.to_string());
    }
    add("device", manifest.device.clone());
    add("threads", manifest.threads.to_string());
    add("number type", manifest.dtype.clone());
    add("seed", manifest.seed.to_string());
    if manifest.deterministic {
        add("deterministic", "yes: other processors give the same bytes".into());
    }
    add("begin", moment(&manifest.started));
    for resumed in &manifest.resumed {
        let words = format!(
            "{} after {} {}, on {}",
            moment(&resumed.at),
            resumed.step,
            summary::units_of_updates(record),
            resumed.device
        );
        add("resumed", words);
    }
    if let Some(finished) = &manifest.finished {
        add("end", moment(finished));
    }
    if let Some(seconds) = record.seconds() {
        add("duration", duration(seconds));
    }
    add("folder", record.path().to_string_lossy().into_owned());
    for (what, hash) in
        [("SHA-256 of config.json", &manifest.config_sha256), ("SHA-256 of the weights", &manifest.weights_sha256)]
    {
        add(what, hash.clone().unwrap_or_else(|| "none".into()));
    }
    table
}
