//! [`NetworkText`]: a network as it is written in a file.

use std::collections::BTreeMap;

use bd_equations::{Error, NeuronText, Position, Result, Value, nearest, zoo};
use serde::{Deserialize, Serialize};

use crate::connect::Connect;
use crate::delay::DelayText;
use crate::positions::{POSITIONS, PositionsText};
use crate::words::plain;

/// A network as text. [`Network::parse`](crate::Network::parse) reads and checks it.
///
/// ```
/// let network = bd_networks::Network::parse(r#"
///     dt_ms = 0.1
///     [population.E]
///     n = 80
///     equations = """
///     dv/dt = (g - v) / (20*ms) : 1
///     dg/dt = -g / (5*ms) : 1
///     """
///     threshold = "v > 1"
///     reset = "v = 0"
///     [population.in]
///     n = 20
///     kind = "poisson"
///     rate = "100*Hz"
///     [[projection]]
///     from = "in"
///     to = "E.g"
///     connect = { rule = "fixed_probability", p = 0.5 }
///     weight = "0.6 + 0.1*randn()"
///     delay = "1*ms"
/// "#)?;
/// assert_eq!(network.projections[0].name, "in>E.g");
/// # bd_networks::Result::<()>::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NetworkText {
    /// What it is, in one line.
    #[serde(default)]
    pub summary: String,
    /// Where it is from.
    #[serde(default)]
    pub source: String,
    /// The length of a step, in ms.
    pub dt_ms: f64,
    /// Populations by name: the keys of [`SourceText`] and of [`NeuronText`] side by side. `neuron = "adex"` begins with one of the zoo, and
    /// `like = "E"` with another population; what else is given replaces what these have, tables entry by entry.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::populations"))]
    pub population: BTreeMap<String, toml::Table>,
    /// Projections, in the order in which what arrives in a step is added up.
    #[serde(default)]
    pub projection: Vec<ProjectionText>,
    /// Noise of many unseen neurons.
    #[serde(default)]
    pub background: Vec<BackgroundText>,
    /// What a simulation keeps.
    #[serde(default)]
    pub record: RecordText,
    /// What a trained network reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readout: Option<ReadoutText>,
}

/// What is said of a population beside its neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceText {
    /// How many neurons it has.
    pub n: usize,
    /// `poisson`: neurons that spike at random, at a `rate`. `input`: spikes come from outside, a channel each; from a file, if `file` is given.
    /// Nothing: neurons.
    #[serde(default)]
    pub kind: Option<String>,
    /// Of `poisson`: spikes of each neuron in time, such as `"15*Hz"`.
    #[serde(default)]
    pub rate: Option<Value>,
    /// Of `input`: where a simulation takes its spikes from.
    #[serde(default)]
    pub file: Option<String>,
    /// What comes in at ports or is added to variables at every step, such as `{ I = "600*pA" }`. `rand()` and `randn()` are another number for
    /// each neuron.
    #[serde(default)]
    pub drive: BTreeMap<String, Value>,
    /// Where each neuron lies, of this population and none that is like it.
    #[serde(default)]
    pub positions: Option<PositionsText>,
}

/// What a population may say: the keys of a source and of a neuron side by side, and of what it begins with.
#[cfg(feature = "schema")]
mod schema {
    use std::collections::BTreeMap;

    use bd_equations::NeuronText;
    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::SourceText;

    #[derive(JsonSchema)]
    #[allow(dead_code)] // it is what it says of itself
    #[serde(deny_unknown_fields)]
    struct Population {
        /// Another population, which it begins with.
        #[serde(default)]
        like: Option<String>,
        /// A neuron of the zoo, which it begins with.
        #[serde(default)]
        neuron: Option<String>,
        #[serde(flatten)]
        source: SourceText,
        #[serde(flatten)]
        neurons: NeuronText,
    }

    pub(super) fn populations(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = BTreeMap::<String, Population>::json_schema(generator);
        // What it does not say itself it has of another one.
        if let Some(population) = generator.definitions_mut().get_mut("Population").and_then(|of| of.as_object_mut()) {
            population.remove("required");
            // Tables are laid over those of the neuron that it begins with.
            if let Some(surrogate) = population.get_mut("properties").and_then(|of| of.get_mut("surrogate")) {
                *surrogate = serde_json::json!({"anyOf": [surrogate.take(), {"type": "object"}]});
            }
        }
        schema.insert("minProperties".into(), 1.into());
        schema
    }
}

/// Names of its fields.
const OF_SOURCES: [&str; 6] = ["n", "kind", "rate", "file", "drive", POSITIONS];

/// What a population has besides the parts of a neuron.
const OF_POPULATIONS: [&str; 8] = ["n", "kind", "rate", "file", "drive", POSITIONS, "like", "neuron"];

/// Synapses from one population to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectionText {
    /// What it is called; `E>I.g` without.
    #[serde(default)]
    pub name: Option<String>,
    /// The population whose spikes it carries.
    pub from: String,
    /// A population and an input or variable of its equations, such as `"I.ge"`; or several.
    pub to: OneOrMore,
    /// Who is connected with whom.
    pub connect: Connect,
    /// What one spike adds, in the unit of what it is added to; or a number, in multiples of what 1 means there. With `rand()` or `randn()` another
    /// number for each synapse.
    pub weight: Value,
    /// How long a spike travels, rounded to whole steps; 0 means to the next step.
    #[serde(default)]
    pub delay: DelayText,
    /// Whether spikes arrive in the step in which they are sent, without any delay: as from layer to layer of a stack. Such projections do not lead back to
    /// where they began.
    #[serde(default)]
    pub instant: bool,
    /// A variable of the neurons that send, instead of their spikes: its value after each step, at every step. So a synapse that saturates is
    /// one of the neuron that sends. Without spikes, the neuron's output.
    #[serde(default)]
    pub carries: Option<String>,
    /// A variable of the neurons that send, whose value after the step of a spike, and after the reset, multiplies what the spike adds: a
    /// synapse that tires.
    #[serde(default)]
    pub times: Option<String>,
    /// Whether its weights are trained.
    #[serde(default)]
    pub trained: bool,
    /// Whether each weight keeps its sign while it is trained (Dale's law).
    #[serde(default)]
    pub keeps_sign: bool,
}

/// Spikes of many neurons that are not part of the network: to each neuron its own, at random.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackgroundText {
    /// As of a projection.
    pub to: OneOrMore,
    /// Spikes in time that each neuron gets, such as `"12.8*kHz"`.
    pub rate: Value,
    /// What one spike adds.
    pub weight: Value,
}

/// What a simulation keeps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordText {
    /// Populations whose spikes are kept; all of them if this is not given.
    #[serde(default)]
    pub spikes: Option<Vec<String>>,
    /// Numbers of neurons whose state is kept at every step, by the name of the state, such as `"E.v"`.
    #[serde(default)]
    pub traces: BTreeMap<String, Vec<usize>>,
}

/// What the outputs of a trained network are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReadoutText {
    /// The population whose spikes are read. It is needed where several populations have neurons.
    pub from: String,
}

/// A word, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// What a population is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PopulationText {
    pub(crate) source: SourceText,
    /// Of neurons.
    pub(crate) neuron: Option<NeuronText>,
}

impl NetworkText {
    /// From TOML.
    pub fn parse(toml: &str) -> Result<Self> {
        toml::from_str(toml).map_err(|error| {
            let position = error.span().map(|span| Position::of(toml, span.start));
            Error { part: "file".into(), position, message: plain(error.message(), &[]) }
        })
    }

    /// As TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::of("file", error.to_string()))
    }

    /// A population with all that it takes from others.
    pub(crate) fn population(&self, name: &str) -> Result<PopulationText> {
        let part = format!("population.{name}");
        let whole = self.merged(name, &mut Vec::new())?;
        let (of_source, of_neuron): (toml::Table, toml::Table) =
            whole.into_iter().partition(|(key, _)| OF_SOURCES.contains(&key.as_ref()));
        let source: SourceText = read(&part, of_source)?;
        if let Some(kind) = &source.kind {
            if let Some(key) = of_neuron.keys().next() {
                let message = format!("'{key}' is of neurons, and '{kind}' has none");
                return Err(Error::of(format!("{part}.{key}"), message));
            }
            return Ok(PopulationText { source, neuron: None });
        }
        if !of_neuron.contains_key("equations") {
            let message = "it has no neurons; give 'neuron', one of the zoo, or 'equations', or 'kind', which is 'poisson' or 'input'";
            return Err(Error::of(part, message));
        }
        let neuron: NeuronText = read(&part, of_neuron)?;
        Ok(PopulationText { source, neuron: Some(neuron) })
    }

    fn merged(&self, name: &str, seen: &mut Vec<String>) -> Result<toml::Table> {
        let part = format!("population.{name}");
        seen.push(name.to_owned());
        let mut own = self.population[name].clone();
        let mut base = toml::Table::new();
        if let Some(like) = word(&mut own, &part, "like")? {
            let place = format!("{part}.like");
            if !self.population.contains_key(&like) {
                let known = self.population.keys().map(String::as_str);
                let message = format!("there is no population '{like}'.{}", nearest(&like, known));
                return Err(Error::of(place, message));
            }
            if seen.contains(&like) {
                return Err(Error::of(
                    place,
                    format!("populations are like each other in a circle: {}", seen.join(", ")),
                ));
            }
            base = self.merged(&like, seen)?;
            base.remove(POSITIONS);
        }
        if let Some(neuron) = word(&mut own, &part, "neuron")? {
            let text = zoo::toml(&neuron).map_err(|error| Error { part: format!("{part}.neuron"), ..error })?;
            let of_zoo = text.parse().map_err(|error: toml::de::Error| Error::of("zoo", error.to_string()))?;
            // Its equations replace those of the population that this is like.
            base.retain(|key, _| OF_SOURCES.contains(&key));
            merge(&mut base, of_zoo);
        }
        let (of_base, of_own) = (constants(&base), constants(&own));
        merge(&mut base, own);
        // What replaces nothing, and is used nowhere, is a misspelt name.
        let is_wrong = |name: &&String| !of_base.contains(name) && !base.iter().any(|(_, value)| uses(value, name));
        if let Some(name) = of_own.iter().find(is_wrong).filter(|_| !of_base.is_empty()) {
            let message =
                format!("no constant of this name is used.{}", nearest(name, of_base.iter().map(String::as_str)));
            return Err(Error::of(format!("{part}.constants.{name}"), message));
        }
        Ok(base)
    }
}

/// Names of the constants in a table of a population.
fn constants(table: &toml::Table) -> Vec<String> {
    let own = table.get("constants").and_then(toml::Value::as_table);
    own.into_iter().flat_map(toml::Table::keys).cloned().collect()
}

/// Whether a name occurs in texts of a value, or in those within it.
fn uses(value: &toml::Value, name: &str) -> bool {
    match value {
        toml::Value::String(text) => text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name),
        toml::Value::Table(table) => table.iter().any(|(_, value)| uses(value, name)),
        toml::Value::Array(values) => values.iter().any(|value| uses(value, name)),
        _ => false,
    }
}

/// The text of a key, which is taken away.
fn word(table: &mut toml::Table, part: &str, key: &str) -> Result<Option<String>> {
    match table.remove(key) {
        None => Ok(None),
        Some(toml::Value::String(word)) => Ok(Some(word)),
        Some(_) => Err(Error::of(format!("{part}.{key}"), "it must be a name in quotes")),
    }
}

/// Entries of `over` replace those of `table`; tables do so entry by entry.
fn merge(table: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => merge(inner, over),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

fn read<T: for<'a> Deserialize<'a>>(part: &str, table: toml::Table) -> Result<T> {
    table.try_into().map_err(|error: toml::de::Error| {
        // The name of a key that is wrong, to find its place: one that is not known, or the one whose value is of another type, which is
        // named in a line of its own.
        let whole = error.to_string();
        let unknown = error.message().strip_prefix("unknown field `");
        let key = unknown
            .or_else(|| whole.split_once("\nin `").map(|(_, rest)| rest))
            .and_then(|rest| rest.split('`').next());
        let part = key.map_or(part.to_owned(), |key| format!("{part}.{key}"));
        Error::of(part, plain(error.message(), &OF_POPULATIONS))
    })
}
