//! What files for `bd` may say, as JSON Schema (draft 2020-12): editors complete and check by it.
//!
//! The types that read the files say it of themselves, their documentation included. What differs here is what [`Layers`](super::Layers)
//! make of a file: it has only what is not as usual, one value for a list of one, and a name for a table that is nothing else.

use bd_core::{Error, Result};
use bd_equations::NeuronText;
use bd_models::{PopulationNetworkConfig, RateNetConfig, SnnConfig};
use bd_networks::NetworkText;
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
            let [series, sequences] = [ForecastConfig::json_schema(generator), FeaturesConfig::json_schema(generator)];
            Schema::try_from(json!({"anyOf": [series, sequences]})).expect("an object")
        }),
        "rnn" => configuration(of, |generator| {
            let model = generator.subschema_for::<RateNetConfig>();
            network(generator, model)
        }),
        "snn" => configuration(of, |generator| {
            let layers = generator.subschema_for::<SnnConfig>();
            let populations = generator.subschema_for::<PopulationNetworkConfig>();
            network(generator, Schema::try_from(json!({"anyOf": [layers, populations]})).expect("an object"))
        }),
        "conv" => configuration(of, FeaturesConfig::json_schema),
        "sweep" => whole::<SweepSpec>(),
        "network" => whole::<NetworkText>(),
        "neuron" => whole::<NeuronText>(),
        _ => {
            let all = SCHEMAS.join(", ");
            return Err(Error::Config(format!("there is no schema of '{of}'; there are: {all}")));
        }
    };
    schema.insert("title".into(), format!("bd {of}").into());
    plain_words(&mut schema);
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
    let of_file = |table: &mut Map<String, Value>| {
        table.insert("job".into(), json!({"const": job}));
        table.insert("$schema".into(), json!({"type": "string", "description": "Of an editor alone."}));
    };
    match schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(kinds) => kinds.iter_mut().filter_map(|kind| kind["properties"].as_object_mut()).for_each(of_file),
        None => of_file(properties(&mut schema)),
    }
    let mut definitions = generator.take_definitions(true);
    for place in NAMED {
        if let Some(table) = definitions.get_mut(place.0).and_then(|of| of.pointer_mut(place.1)) {
            *table = json!({"anyOf": [table.take(), {"type": "string", "description": place.2}]});
        }
    }
    schema.insert("$schema".into(), generator.settings().meta_schema.clone().into());
    schema.insert("$defs".into(), Value::Object(definitions));
    OverUsual.transform(&mut schema);
    schema
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
        schema.remove("required");
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

/// Descriptions without links to code.
fn plain_words(schema: &mut Schema) {
    if let Some(Value::String(words)) = schema.get_mut("description") {
        *words = without_links(words);
    }
    transform_subschemas(&mut plain_words, schema);
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
