//! `bd zoo`: the neurons of the literature, and what they do.

mod picture;

use bd_core::Result;
use bd_equations::{Dimension, Initial, Model, Response, zoo};
use bd_run::NamedNeuron;
use serde_json::{Value, json};

use crate::args;
use crate::console;

/// Length of a step in the picture.
const DT_MS: f64 = 0.1;

pub(crate) fn zoo(args: &args::Zoo) -> Result<()> {
    let printed = match &args.name {
        None => list(args.json)?,
        Some(name) => one(&NamedNeuron::read(name)?, args.json)?,
    };
    console::result(&printed)
}

/// A line for each.
fn list(as_json: bool) -> Result<String> {
    let all = zoo::names().map(NamedNeuron::read).collect::<Result<Vec<_>>>()?;
    if as_json {
        return Ok(json!({"job": "zoo", "neurons": all.iter().map(facts).collect::<Vec<_>>()}).to_string());
    }
    let line =
        |name: &str, states: &str, method: &str, summary: &str| format!("{name:<17}{states:>6}  {method:<19}{summary}");
    let lines = all.iter().map(|neuron| {
        let states = neuron.model.states().len().to_string();
        line(&neuron.name, &states, &method(&neuron.model), &neuron.text.summary)
    });
    let head = line("name", "states", "method", "summary");
    Ok(std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n"))
}

/// The file, and in remarks of it states, inputs and a picture.
fn one(neuron: &NamedNeuron, as_json: bool) -> Result<String> {
    let model = &neuron.model;
    let refuse = |error: bd_equations::Error| bd_core::Error::Config(format!("neuron {}: {error}", neuron.name));
    let response = model.response(DT_MS).map_err(refuse)?;
    if as_json {
        return Ok(details(neuron, &response).to_string());
    }
    let mut remarks = vec!["states".to_owned()];
    remarks.extend(
        model.states().iter().map(|state| {
            format!("  {:<13}{:<14}{} at first", state.name, state.dimension.unit(), first(&state.initial))
        }),
    );
    remarks.push("inputs".into());
    remarks.extend(
        model
            .ports()
            .iter()
            .map(|port| format!("  {:<13}1 means {}", port.name, with_unit(port.scale, port.dimension))),
    );
    if !model.held().is_empty() {
        remarks.push("numbers of each neuron".into());
    }
    remarks.extend(model.held().iter().map(|held| {
        let trained = if held.trained { ", trained" } else { "" };
        format!("  {:<13}{:<14}{} at first{trained}", held.name, held.dimension.unit(), first(&held.initial))
    }));
    remarks.push(String::new());
    remarks.extend(picture::of(model, &response));
    let remarks = remarks.iter().map(|line| format!("# {line}").trim_end().to_owned());
    Ok(std::iter::once(neuron.toml.trim_end().to_owned()).chain(remarks).collect::<Vec<_>>().join("\n"))
}

/// As it is written in a file: `exponential_euler`.
fn method(model: &Model) -> String {
    json!(model.method()).as_str().unwrap_or_default().to_owned()
}

fn facts(neuron: &NamedNeuron) -> Value {
    let model = &neuron.model;
    json!({
        "name": neuron.name, "summary": neuron.text.summary, "method": method(model), "states": model.states().len(),
        "spikes": model.spikes(),
    })
}

fn details(neuron: &NamedNeuron, response: &Response) -> Value {
    let model = &neuron.model;
    let initial = |initial: &Initial| (!initial.is_random()).then(|| initial.value(|_| 0.0));
    let states = model
        .states()
        .iter()
        .map(|state| json!({"name": state.name, "unit": state.dimension.unit(), "initial": initial(&state.initial)}));
    let inputs = model
        .ports()
        .iter()
        .map(|port| json!({"name": port.name, "unit": port.dimension.unit(), "one_means": port.scale}));
    let held = model.held().iter().map(|held| {
        json!({
            "name": held.name, "unit": held.dimension.unit(), "initial": initial(&held.initial), "trained": held.trained,
            "positive": held.positive,
        })
    });
    let ms = |step: usize| step as f64 * response.dt_ms;
    let first: Vec<f64> = response.trajectory.states.iter().map(|state| state[0]).collect();
    json!({
        "job": "zoo", "name": neuron.name, "summary": neuron.text.summary, "method": method(model), "spikes": model.spikes(),
        "toml": neuron.toml, "states": states.collect::<Vec<_>>(), "inputs": inputs.collect::<Vec<_>>(),
        "held": held.collect::<Vec<_>>(),
        "response": {
            "dt_ms": response.dt_ms, "input": response.level, "from_ms": ms(response.onset),
            "spikes_ms": response.trajectory.spikes.iter().map(|step| ms(*step)).collect::<Vec<_>>(),
            "state": model.states()[0].name, "values": first,
        },
    })
}

/// The value before the first step.
fn first(initial: &Initial) -> String {
    match initial.is_random() {
        true => "random".into(),
        false => digits(initial.value(|_| 0.0)).to_string(),
    }
}

/// With the unit: `-70.6 mV`.
fn with_unit(value: f64, dimension: Dimension) -> String {
    match dimension == Dimension::ONE {
        true => digits(value).to_string(),
        false => format!("{} {}", digits(value), dimension.unit()),
    }
}

/// Six at most.
fn digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
