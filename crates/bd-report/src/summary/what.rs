//! What a run is: the model, and what it learns.

use bd_core::text::plural;
use bd_run::record::Record;
use serde_json::{Value, json};

use super::{chosen, file_name};
use crate::words::listed;

/// Classes whose names are said.
const MOST_NAMES: usize = 6;

pub(super) fn sentences(record: &Record) -> String {
    let (job, config) = (record.manifest().job.as_str(), record.config());
    if config.is_null() {
        return format!("A run of the job {job}; its configuration cannot be read.");
    }
    match job {
        "simulate" => of_simulation(record),
        "ngrc" | "esn" if config["horizon"].is_array() => of_forecast(job, config),
        "esn" | "conv" => format!("{} was fitted {}.", features(config), on_examples(config)),
        "rnn" => format!("{} was trained by gradient descent {}.", rate_network(config), learned(config)),
        "snn" => format!("{} was trained by gradient descent {}.", spiking_network(config), learned(config)),
        other => format!("A run of the job {other}."),
    }
}

fn of_simulation(record: &Record) -> String {
    let config = record.config();
    let file = file_name(config["network"].as_str().unwrap_or("?")).to_owned();
    let activity = record.activity();
    let whole =
        activity.and_then(|activity| activity["to_ms"].as_f64()).or(config["duration_ms"].as_f64()).unwrap_or(f64::NAN);
    let of = |(name, population): (&String, &Value)| format!("{name} ({} neurons)", population["n"]);
    let populations: Vec<String> = activity
        .and_then(|activity| activity["populations"].as_object())
        .map_or(Vec::new(), |all| all.iter().map(of).collect());
    let within = match populations.is_empty() {
        true => String::new(),
        false => {
            let synapses = activity.and_then(|activity| activity["synapses"].as_u64()).unwrap_or(0);
            format!(" Its populations are {}, with {}.", listed(&populations), plural(synapses as usize, "synapse"))
        }
    };
    format!(
        "The network of spiking neurons in {file} was simulated for {} ms; nothing was trained.{within}",
        (whole * 1e6).round() / 1e6
    )
}

fn of_forecast(job: &str, config: &Value) -> String {
    let model = match job {
        "ngrc" => format!(
            "A next-generation reservoir computer (ngrc: products of delayed values, of delay {} and order {}, and a linear readout)",
            config.pointer("/nvar/delay").unwrap_or(&Value::Null),
            numbers(config.pointer("/nvar/order").unwrap_or(&Value::Null)),
        ),
        _ => format!(
            "An echo state network (esn: a random network of {} units and a linear readout)",
            units(config, "/reservoir")
        ),
    };
    let data = match (config.pointer("/data/file").and_then(Value::as_str), chosen(config, "/data/system")) {
        (Some(file), _) => {
            let columns: Vec<String> = strings(config.pointer("/data/columns"));
            let columns = if columns.is_empty() {
                String::new()
            } else {
                format!(" (channel{} {})", if columns.len() > 1 { "s" } else { "" }, some_of(&columns))
            };
            format!("the series in {}{columns}", file_name(file))
        }
        (None, Some(system)) => format!("a series of the system {system}, which was computed for it,"),
        (None, None) => "a series".into(),
    };
    let online = chosen(config, "/online").filter(|rule| *rule != "off");
    let fitted = online.map_or("fitted by ridge regression".into(), |rule| format!("fitted online by {rule}"));
    format!(
        "{model} was {fitted} to {data} to forecast it {} {} ahead.",
        numbers(&config["horizon"]),
        if config["horizon"] == json!([1]) { "step" } else { "steps" }
    )
}

fn features(config: &Value) -> String {
    match chosen(config, "/model") {
        Some("reservoir") => format!(
            "An echo state network (esn: a random network of {} units and a linear readout)",
            units(config, "/model/reservoir")
        ),
        _ => {
            let count = config.pointer("/model/features").and_then(Value::as_u64);
            let count = count.map_or("many".into(), |count| count.to_string());
            format!("A linear readout of {count} random convolutions (conv)")
        }
    }
}

fn units(config: &Value, place: &str) -> String {
    config.pointer(&format!("{place}/units")).and_then(Value::as_u64).map_or("many".into(), |units| units.to_string())
}

fn rate_network(config: &Value) -> String {
    let cell = chosen(config, "/model/cell").unwrap_or("rnn");
    let kind = match cell {
        "rnn" => "a plain rate network".to_owned(),
        other => format!("of {other} cells"),
    };
    of_members(config, "recurrent network", &format!("rnn: {kind}, {}", layers(config)))
}

fn spiking_network(config: &Value) -> String {
    let details = match config.pointer("/model/network").and_then(Value::as_str) {
        Some(file) => format!("snn: the populations of {}", file_name(file)),
        None => format!("snn: neurons {}, {}", chosen(config, "/model/neuron").unwrap_or("lif"), layers(config)),
    };
    of_members(config, "spiking network", &details)
}

fn of_members(config: &Value, what: &str, details: &str) -> String {
    match config["ensemble"].as_u64() {
        Some(members @ 2..) => format!("An ensemble of {members} {what}s ({details}), whose outputs are averaged,"),
        _ => format!("A {what} ({details})"),
    }
}

fn layers(config: &Value) -> String {
    let hidden: Vec<String> =
        config.pointer("/model/hidden").and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect();
    match hidden.len() {
        0 => "without a hidden layer".into(),
        1 => format!("{} units in one hidden layer", hidden[0]),
        n => format!("{} units in {n} hidden layers", listed(&hidden)),
    }
}

/// What a network learns.
fn learned(config: &Value) -> String {
    let number = |place: &str| config.pointer(place).and_then(Value::as_u64).unwrap_or(0) as usize;
    match (config.pointer("/data/file").and_then(Value::as_str), chosen(config, "/data/task")) {
        (Some(_), _) => on_examples(config),
        (None, Some(task)) => format!("on the task {task}{}, of which every update draws new examples", of_task(task)),
        (None, None) => {
            let samples = plural(number("/data/samples"), "sample");
            format!("to learn by heart the classes of {samples} of random spikes, which were drawn for it")
        }
    }
}

/// What a task asks for.
fn of_task(task: &str) -> &'static str {
    match task {
        "integration" => " (the running sum of a noisy input)",
        "decision" => " (for which of two alternatives noisy evidence speaks)",
        "flip_flop" => " (the last pulse of each of some channels)",
        "perceptual_decision" => " (which of two noisy stimuli is the stronger one)",
        "context_decision" => " (which of two noisy stimuli is the stronger one, in the modality that a context names)",
        "delayed_match" => " (whether a stimulus is the same as an earlier one)",
        _ => "",
    }
}

fn on_examples(config: &Value) -> String {
    let file = config.pointer("/data/file").and_then(Value::as_str).map_or("a file", file_name).to_owned();
    let number = |name: &str| config["data"][name].as_u64().map(|n| n as usize);
    let size = [number("steps").map(|n| plural(n, "step")), number("channels").map(|n| plural(n, "channel"))];
    let size: Vec<String> = size.into_iter().flatten().collect();
    let size = if size.is_empty() { String::new() } else { format!(" of {}", size.join(" and ")) };
    let targets = &config["data"]["targets"];
    let classes = targets["classes"].as_u64();
    let names = strings(config.pointer("/data/classes"));
    let names = if names.is_empty() { String::new() } else { format!(" ({})", some_of(&names)) };
    match classes {
        Some(classes) => format!("to tell {classes} classes{names} of sequences{size} in {file} apart"),
        None => format!("to predict numbers from sequences{size} in {file}"),
    }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The first names of a list.
fn some_of(names: &[String]) -> String {
    match names.len() > MOST_NAMES {
        true => format!("{} and {} more", names[..MOST_NAMES].join(", "), names.len() - MOST_NAMES),
        false => listed(names),
    }
}

/// A list of numbers in words.
fn numbers(list: &Value) -> String {
    match list.as_array() {
        Some(all) => listed(&all.iter().map(Value::to_string).collect::<Vec<_>>()),
        None => list.to_string(),
    }
}
