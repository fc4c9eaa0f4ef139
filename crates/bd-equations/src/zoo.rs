//! Neurons of the literature, as texts that Brian2 reads, too.

use crate::error::{Error, Result, nearest};
use crate::model::Model;
use crate::text::NeuronText;

macro_rules! zoo {
    ($($name:literal),* $(,)?) => {
        const TEXTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../zoo/", $name, ".toml")))),*];
    };
}

zoo![
    "if",
    "lif",
    "lif_ref",
    "coba",
    "expif",
    "qif",
    "adqif",
    "adex",
    "adex_2005",
    "izhikevich",
    "gif",
    "alif",
    "theta",
    "hh",
    "traub_miles",
    "wang_buzsaki",
    "morris_lecar",
    "fitzhugh_nagumo",
    "van_der_pol",
    "stuart_landau",
    "threshold_linear",
    "wilson_cowan",
    "qif_mean_field",
    "jansen_rit",
];

/// Names of all neurons: integrators, spiking neurons from simple to detailed, oscillators, populations.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|(name, _)| *name)
}

/// The file of a neuron, for someone who changes it.
pub fn toml(name: &str) -> Result<&'static str> {
    let found = TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    found.ok_or_else(|| {
        let near = nearest(name, names());
        Error::of(
            "model",
            format!("'{name}' is no neuron of the zoo.{near} There are {}", names().collect::<Vec<_>>().join(", ")),
        )
    })
}

/// The text of a neuron.
pub fn text(name: &str) -> Result<NeuronText> {
    NeuronText::parse(toml(name)?)
}

/// A neuron.
pub fn model(name: &str) -> Result<Model> {
    text(name)?.build()
}
