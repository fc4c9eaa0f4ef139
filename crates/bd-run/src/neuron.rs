//! [`NamedNeuron`]: a neuron of the zoo, or one of a file of equations.

use bd_core::{Error, Result};
use bd_equations::{Model, NeuronText, zoo};
use bd_models::NeuronConfig;

/// A neuron as text, by the name that was given.
#[derive(Debug, Clone)]
pub struct NamedNeuron {
    /// What it is called; of a file its name without folder and ending.
    pub name: String,
    /// The file.
    pub toml: String,
    /// What the file says.
    pub text: NeuronText,
    /// The neuron.
    pub model: Model,
}

impl NamedNeuron {
    /// Of the zoo by its name, or of the file `name` if that ends in `.toml`.
    pub fn read(name: &str) -> Result<Self> {
        let Some(called) = name.strip_suffix(".toml") else {
            let toml = zoo::toml(name).map_err(|error| Error::Config(error.message))?;
            return Self::of(name, toml.to_owned(), |error| Error::Config(error.to_string()));
        };
        let refuse = |reason: String| Error::Config(format!("{name}: {reason}"));
        let toml =
            std::fs::read_to_string(name).map_err(|error| Error::bad_file(name, format!("cannot be read: {error}")))?;
        let called = called.rsplit(['/', '\\']).next().unwrap_or(called);
        Self::of(called, toml, |error| refuse(error.to_string()))
    }

    fn of(name: &str, toml: String, refuse: impl Fn(bd_equations::Error) -> Error) -> Result<Self> {
        let text = NeuronText::parse(&toml).map_err(&refuse)?;
        let model = text.build().map_err(&refuse)?;
        Ok(Self { name: name.to_owned(), toml, text, model })
    }

    /// The neurons of a network: those that are compiled ahead for `lif`, equations else.
    pub(crate) fn config(name: &str) -> Result<NeuronConfig> {
        if !name.ends_with(".toml") {
            return NeuronConfig::named(name);
        }
        let Self { name, text, .. } = Self::read(name)?;
        NeuronConfig::equations(&name, text)
    }
}
