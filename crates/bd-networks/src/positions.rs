//! [`PositionsText`]: where the neurons of a population lie.

use std::sync::Arc;

use bd_equations::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::layout::Place;
use crate::text::NetworkText;

/// The key of a population.
pub(crate) const POSITIONS: &str = "positions";

/// Where each neuron of a population lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PositionsText {
    /// A file, whose content [`NetworkText::place`] puts in its place: this crate reads none.
    File(String),
    /// `x`, `y` and `z` of each, of which those that are left out are 0.
    Listed(Vec<Vec<f64>>),
}

impl PositionsText {
    /// Of `n` neurons of a population.
    pub(crate) fn places(&self, part: &str, name: &str, n: usize) -> Result<Arc<[Place]>> {
        let wrong = |message: String| Err(Error::of(part, message));
        let list = match self {
            Self::File(file) => return wrong(format!("'{file}' was not read")),
            Self::Listed(list) => list,
        };
        if list.len() != n {
            return wrong(format!("there are positions of {} neurons, and '{name}' has {n}", list.len()));
        }
        if let Some(at) = list.iter().position(|place| !(1..=3).contains(&place.len())) {
            let found = list[at].len();
            return wrong(format!("the position of neuron {at} has {found} numbers; it has 1 to 3: x, y and z"));
        }
        if let Some(at) = list.iter().position(|place| place.iter().any(|number| !number.is_finite())) {
            return wrong(format!("the position of neuron {at} is not finite"));
        }
        let whole = |place: &Vec<f64>| std::array::from_fn(|axis| place.get(axis).copied().unwrap_or(0.0));
        Ok(list.iter().map(whole).collect())
    }
}

impl NetworkText {
    /// Files of positions by the names of their populations.
    pub fn position_files(&self) -> Vec<(String, String)> {
        let file =
            |(name, table): (&String, &toml::Table)| Some((name.clone(), table.get(POSITIONS)?.as_str()?.to_owned()));
        self.population.iter().filter_map(file).collect()
    }

    /// Sets where the neurons of a population lie, instead of the file that it names.
    pub fn place(&mut self, population: &str, places: &[Vec<f64>]) {
        let numbers = |place: &Vec<f64>| place.iter().copied().map(toml::Value::Float).collect();
        let list = places.iter().map(|place| toml::Value::Array(numbers(place))).collect();
        if let Some(table) = self.population.get_mut(population) {
            table.insert(POSITIONS.to_owned(), toml::Value::Array(list));
        }
    }

    /// How many neurons a population has, if that is said.
    pub fn size(&self, population: &str) -> Option<usize> {
        Some(self.population(population).ok()?.source.n)
    }
}
