//! What files for `bd` may say, as JSON Schema (draft 2020-12): editors complete and check by it.
//!
//! The types that read the files say it of themselves, their documentation included. What differs here is what [`Layers`](super::Layers)
//! make of a file: it has only what is not as usual, one value for a list of one, and a name for a table that is nothing else.

use bd_core::{Error, Result};
use bd_equations::NeuronText;
use bd_models::{PopulationNetworkConfig, RateNetConfig, SnnConfig};
use bd_networks::NetworkText;
use bd_train::data::FLOWS;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{ESN, FeaturesConfig, ForecastConfig, NetworkConfig};
use crate::sweep::SweepSpec;

/// What there are schemas of: the configuration of each job, a file of a sweep, of a network and of a neuron.
pub const SCHEMAS: [&str; 8] = ["ngrc", "esn", "rnn", "snn", "conv", "sweep", "network", "neuron"];

/// The schema of one of [`SCHEMAS`].
pub fn schema(of: &str) -> Result<Value> {
    let mut schema = match of {
        "ngrc" => configuration(of, |generator| {
            let mut schema = ForecastConfig::json_schema(generator);
            for key in ["reservoir", "washout", "search"] {
                properties(&mut schema).remove(key);
            }
            schema
        }),
        ESN => configuration(of, |generator| {
            let mut schema = ForecastConfig::json_schema(generator);
            let mut of_sequences = FeaturesConfig::json_schema(generator);
            // Of a series or of sequences: one table of both, so that an editor says which name is wrong.
            let own = properties(&mut schema);
            for (key, of_sequences) in std::mem::take(properties(&mut of_sequences)) {
                let both = match own.remove(&key) {
                    Some(of_series) if of_series != of_sequences => json!({"anyOf": [of_series, of_sequences]}),
                    _ => of_sequences,
                };
                own.insert(key, both);
            }
            schema
        }),
        "rnn" => configuration(of, |generator| {
            let model = generator.subschema_for::<RateNetConfig>();
            network(generator, model)
        }),
        "snn" => configuration(of, |generator| {
            let layers = generator.subschema_for::<SnnConfig>();
            let populations = generator.subschema_for::<PopulationNetworkConfig>();
            // The choice says which name is wrong, and the list is what editors complete by.
            let all = json!([layers, populations]);
            let either = json!({"anyOf": all, "if": {"required": ["network"]}, "then": populations, "else": layers});
            network(generator, Schema::try_from(either).expect("an object"))
        }),
        "conv" => configuration(of, FeaturesConfig::json_schema),
        "sweep" => {
            let mut schema = whole::<SweepSpec>();
            of_editors(properties(&mut schema));
            schema
        }
        "network" => whole::<NetworkText>(),
        "neuron" => whole::<NeuronText>(),
        _ => {
            let all = SCHEMAS.join(", ");
            return Err(Error::Config(format!("there is no schema of '{of}'; there are: {all}")));
        }
    };
    schema.insert("title".into(), format!("bd {of}").into());
    fields_by_name(&mut schema);
    plain_words(&mut schema);
    only_used(&mut schema);
    Ok(schema.to_value())
}

/// Tables that may be named instead: the definition, the place in it, what the name is.
const NAMED: [(&str, &str, &str); 3] = [
    ("NeuronConfig", "", "lif, one of the zoo, or a file of equations."),
    ("PopulationNetworkConfig", "/properties/network", "A file with the text of a network."),
    ("SystemConfig", "", "A known system."),
];

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// Of a file that one type reads as it is.
fn whole<T: JsonSchema>() -> Schema {
    generator().into_root_schema_for::<T>()
}

/// Of what [`Layers`](super::Layers) lay over the usual configuration of a job.
fn configuration(job: &str, of: impl Fn(&mut SchemaGenerator) -> Schema) -> Schema {
    let mut generator = generator();
    let mut schema = of(&mut generator);
    properties(&mut schema).insert("job".into(), json!({"const": job}));
    of_editors(properties(&mut schema));
    let mut definitions = generator.take_definitions(true);
    if let Some(name) = definitions.get_mut("SystemConfig").and_then(|of| of.pointer_mut("/properties/name")) {
        name["enum"] = FLOWS.iter().map(|flow| flow.name).collect();
    }
    for (definition, place, words) in NAMED {
        if let Some(table) = definitions.get_mut(definition).and_then(|of| of.pointer_mut(place)) {
            let names = table.pointer("/properties/name/enum").cloned();
            let mut name = json!({"type": "string", "description": words});
            if let Some(names) = names {
                name["enum"] = names;
            }
            *table = json!({"anyOf": [table.take(), name]});
        }
    }
    schema.insert("$schema".into(), generator.settings().meta_schema.clone().into());
    schema.insert("$defs".into(), Value::Object(definitions));
    OverUsual.transform(&mut schema);
    schema
}

/// The key by which a JSON file names its schema.
fn of_editors(table: &mut Map<String, Value>) {
    table.insert("$schema".into(), json!({"type": "string", "description": "Of an editor alone."}));
}

/// Of a network with this model.
fn network(generator: &mut SchemaGenerator, model: Schema) -> Schema {
    let mut schema = NetworkConfig::json_schema(generator);
    properties(&mut schema).insert("model".into(), model.to_value());
    schema
}

fn properties(schema: &mut Schema) -> &mut Map<String, Value> {
    schema.get_mut("properties").and_then(Value::as_object_mut).expect("a table has keys")
}

/// A file says only what is not as usual, and some of it shorter.
struct OverUsual;

impl Transform for OverUsual {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if schema.get("properties").is_some() {
            schema.remove("required");
        }
        // What is usual depends on the data.
        schema.remove("default");
        // Names that the usual table does not have are refused, whatever type reads it then.
        if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
            schema.insert("additionalProperties".into(), false.into());
        }
        alternatives(schema);
        one_of_a_list(schema);
    }
}

/// Of tables that a `name` tells apart the name may be as usual; and the name alone is short for the table.
fn alternatives(schema: &mut Schema) {
    let Some(Value::Array(tables)) = schema.get("oneOf") else { return };
    let name = |table: &Value| table.pointer("/properties/name/const").cloned();
    let Some(names) = tables.iter().map(name).collect::<Option<Vec<Value>>>() else { return };
    let mut tables = tables.clone();
    tables.push(json!({"enum": names}));
    schema.remove("oneOf");
    schema.insert("anyOf".into(), Value::Array(tables));
}

/// A list of one may be written without brackets.
fn one_of_a_list(schema: &mut Schema) {
    let is_list = schema.get("type").is_some_and(|kind| kind == "array" || kind == &json!(["array", "null"]));
    if !is_list || schema.get("minItems").is_some() {
        return;
    }
    let Some(one) = schema.get("items").cloned() else { return };
    let description = schema.remove("description");
    let list = std::mem::take(schema.ensure_object());
    schema.insert("anyOf".into(), json!([list, one]));
    description.map(|words| schema.insert("description".into(), words));
}

/// Leaves the definitions that something refers to.
fn only_used(schema: &mut Schema) {
    let mut used: Vec<String> = Vec::new();
    let mut open: Vec<Value> = schema
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "$defs")
        .map(|(_, value)| value.clone())
        .collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                let Some(name) = text.strip_prefix("#/$defs/") else { continue };
                if !used.iter().any(|known| known == name) {
                    used.push(name.to_owned());
                    open.extend(schema.pointer(&format!("/$defs/{name}")).cloned());
                }
            }
            Value::Array(values) => open.extend(values),
            Value::Object(table) => open.extend(table.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.retain(|name, _| used.contains(name));
    }
}

/// Gives each field the words that a table in the description of its type has of it.
///
/// Such a table has a column `field` and others, of which `meaning` says what it is. What is usual stays in the table: it depends on the data.
fn fields_by_name(schema: &mut Schema) {
    transform_subschemas(&mut fields_by_name, schema);
    let Some(words) = schema.get("description").and_then(Value::as_str).map(str::to_owned) else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = words.lines().filter(|line| line.starts_with('|')).map(cells);
    let Some(head) = rows.next().filter(|head| head[0] == "field") else { return };
    for row in rows {
        let Some(Value::Object(field)) = properties.get_mut(row[0].trim_matches('`')) else { continue };
        let mut said = String::new();
        for (column, cell) in
            head.iter().zip(&row).skip(1).filter(|(column, cell)| *column != "default" && !cell.is_empty())
        {
            let cell = if column == "meaning" { cell.clone() } else { format!("{column}: {cell}") };
            said = if said.is_empty() { cell } else { format!("{said}; {cell}") };
        }
        if !said.is_empty() && !field.contains_key("description") {
            field.insert("description".into(), said.into());
        }
    }
}

/// Descriptions without links to code, and without examples of it.
fn plain_words(schema: &mut Schema) {
    if let Some(Value::String(words)) = schema.get_mut("description") {
        *words = without_links(&without_code(words));
    }
    transform_subschemas(&mut plain_words, schema);
}

/// What stands outside of ``` and ```.
fn without_code(words: &str) -> String {
    let outside = words.split("```").step_by(2).map(str::trim).filter(|part| !part.is_empty());
    outside.collect::<Vec<_>>().join("\n\n")
}

/// `[`Name`](target)` and `[`Name`]` become `` `Name` ``.
fn without_links(words: &str) -> String {
    let mut plain = String::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once("[`") {
        plain += before;
        let Some((name, behind)) = after.split_once("`]") else {
            plain += "[`";
            rest = after;
            continue;
        };
        plain += &format!("`{name}`");
        rest = match behind.strip_prefix('(').and_then(|link| link.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    plain + rest
}
