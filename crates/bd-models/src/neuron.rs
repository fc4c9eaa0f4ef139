//! [`NeuronConfig`]: which neurons a spiking network has.

use bd_core::{DynSystem, Error, ParamPath, Result};
use bd_equations::{Model, NeuronText, zoo};
use bd_kernel::Compile;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::cuba::Cuba;
use crate::equation_neurons::EquationNeurons;
use crate::expon::ExponConfig;
use crate::lif::{Lif, LifConfig};

/// Name of the neurons that are compiled ahead.
const LIF: &str = "lif";

/// The neurons of a network: [`Lif`] with settings of their own, or equations. In a file a table with a `name`, and behind it the fields
/// of a [`NeuronText`] unless it is `lif`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NeuronConfig {
    /// Leaky integrate-and-fire neurons, whose settings stand beside.
    #[default]
    Lif,
    /// Neurons whose equations are text.
    Equations {
        /// What they are called.
        name: String,
        /// The text.
        text: Box<NeuronText>,
    },
}

impl NeuronConfig {
    /// Those of this name: `lif`, or of the [zoo].
    pub fn named(name: &str) -> Result<Self> {
        match name {
            LIF => Ok(Self::Lif),
            _ => Self::equations(name, zoo::text(name).map_err(|error| Error::Config(error.message))?),
        }
    }

    /// Those of a text, which is checked.
    pub fn equations(name: &str, text: NeuronText) -> Result<Self> {
        let neurons = Self::Equations { name: name.to_owned(), text: Box::new(text) };
        neurons.model()?;
        Ok(neurons)
    }

    /// What they are called.
    pub fn name(&self) -> &str {
        match self {
            Self::Lif => LIF,
            Self::Equations { name, .. } => name,
        }
    }

    /// Their model, if they have equations. A layer of a network has one input for each neuron.
    pub fn model(&self) -> Result<Option<Model>> {
        let Self::Equations { name, text } = self else { return Ok(None) };
        let model = text.build().map_err(|error| Error::Config(format!("neuron {name}: {error}")))?;
        match model.ports().len() {
            1 => Ok(Some(model)),
            ports => Err(Error::Config(format!(
                "neuron {name} has {ports} inputs; neurons of a layer have one, the parameter that inputs names"
            ))),
        }
    }

    /// Whether their loops are compiled when they first run.
    pub fn compile(&self) -> Compile {
        match self.model() {
            Ok(Some(model)) => model.compile(),
            _ => Compile::Never,
        }
    }

    /// Whether they send spikes. What sends numbers has no state `spike`.
    pub fn spikes(&self) -> bool {
        !matches!(self.model(), Ok(Some(model)) if !model.spikes())
    }

    /// The state that pictures show beside the spikes: the potential.
    pub fn potential(&self) -> String {
        match self.model() {
            Ok(Some(model)) => model.states()[0].name.clone(),
            _ => "v".into(),
        }
    }

    /// A layer of `n` neurons, whose parameters are made at `path`; with exponential synapses in it if there is a setting for these.
    pub fn layer(
        &self,
        path: &mut ParamPath<'_>,
        n: i64,
        lif: &LifConfig,
        synapse: Option<&ExponConfig>,
    ) -> Result<DynSystem> {
        self.model()?;
        Ok(match (self, synapse) {
            (Self::Lif, None) => DynSystem::new(Lif::trained(path, n, lif)?),
            (Self::Lif, Some(synapse)) => DynSystem::new(Cuba::of(Lif::trained(path, n, lif)?, synapse)?),
            (Self::Equations { text, .. }, None) => DynSystem::new(EquationNeurons::new(path, n, text)?),
            (Self::Equations { text, .. }, Some(synapse)) => {
                DynSystem::new(Cuba::of(EquationNeurons::new(path, n, text)?, synapse)?)
            }
        })
    }
}

impl Serialize for NeuronConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = Map::from_iter([("name".to_owned(), Value::from(self.name()))]);
        if let Self::Equations { text, .. } = self {
            let Ok(Value::Object(fields)) = serde_json::to_value(text) else { unreachable!("a text is a table") };
            table.extend(fields);
        }
        table.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NeuronConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(deserializer)?;
        let Some(Value::String(name)) = table.remove("name") else {
            return Err(D::Error::custom("a neuron has a name"));
        };
        if name == LIF && table.is_empty() {
            return Ok(Self::Lif);
        }
        let text = serde_json::from_value(Value::Object(table)).map_err(D::Error::custom)?;
        Self::equations(&name, text).map_err(D::Error::custom)
    }
}

/// The fields of [`NeuronText`] beside a name.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for NeuronConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NeuronConfig".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = NeuronText::json_schema(generator);
        schema.insert(
            "description".into(),
            "The neurons of a layer: lif, one of the zoo, or a file or a text of equations.".into(),
        );
        schema.remove("required");
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            let name = serde_json::json!({"type": "string", "description": "lif, one of the zoo, or whatever equations are called."});
            properties.insert("name".into(), name);
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_holds_all_of_its_neuron() {
        for name in [LIF, "adex", "hh"] {
            let neurons = NeuronConfig::named(name).unwrap();
            let json = serde_json::to_string(&neurons).unwrap();
            assert_eq!(serde_json::from_str::<NeuronConfig>(&json).unwrap(), neurons, "{json}");
        }
        assert_eq!(serde_json::to_string(&NeuronConfig::Lif).unwrap(), r#"{"name":"lif"}"#);
        assert_eq!([NeuronConfig::Lif.potential(), NeuronConfig::named("adex").unwrap().potential()], ["v", "v"]);
        let error = NeuronConfig::named("adx").unwrap_err().to_string();
        assert!(error.starts_with("'adx' is no neuron of the zoo. Is 'adex' meant?"), "{error}");
    }
}
