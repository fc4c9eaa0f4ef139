//! What something arrives at, as texts name it.

use bd_equations::{Dimension, Error, Quantity, Result, Target, Value, nearest};

use crate::network::{Population, Scaled, Source};
use crate::text::OneOrMore;

/// A target by population and name, as it is used in a text.
pub(crate) struct Used {
    pub(crate) to: usize,
    pub(crate) target: Target,
}

/// The number of the population of this name.
pub(crate) fn find(populations: &[Population], name: &str, part: &str) -> Result<usize> {
    populations.iter().position(|population| population.name == name).ok_or_else(|| {
        let known = populations.iter().map(|population| &population.name[..]);
        Error::of(part, format!("there is no population '{name}'.{}", nearest(name, known)))
    })
}

/// Population and name of `E.g`.
pub(crate) fn split<'a>(name: &'a str, part: &str) -> Result<(&'a str, &'a str)> {
    name.split_once('.').ok_or_else(|| {
        Error::of(part, format!("'{name}' must be a population and a name of its equations, such as 'E.v'"))
    })
}

/// The targets of these names.
pub(crate) fn named(populations: &[Population], names: &OneOrMore, part: &str) -> Result<Vec<Used>> {
    let one = |name: &String| {
        let (population, target) = split(name, part)?;
        let to = find(populations, population, part)?;
        let target = target_of(&populations[to], target, part)?;
        Ok(Used { to, target })
    };
    if names.all().is_empty() {
        return Err(Error::of(part, "the list is empty; name what receives, such as \"E.v\""));
    }
    names.all().iter().map(one).collect()
}

pub(crate) fn target_of(population: &Population, name: &str, part: &str) -> Result<Target> {
    let Source::Neurons(neurons) = &population.source else {
        return Err(Error::of(part, format!("'{}' has no neurons that could receive anything", population.name)));
    };
    neurons.model.target(name).ok_or_else(|| {
        let message = format!(
            "'{}' has neither an input nor a variable '{name}'.{}",
            population.name,
            nearest(name, neurons.model.targets())
        );
        Error::of(part, message)
    })
}

/// The place of a target among those of the population.
pub(crate) fn place_of(population: &Population, target: Target) -> usize {
    match &population.source {
        Source::Neurons(neurons) => neurons.targets.iter().position(|known| *known == target).expect("it is used"),
        _ => unreachable!("targets are of neurons"),
    }
}

/// What arrives at a target, in the unit of the target or in multiples of what 1 means there.
pub(crate) fn scaled(population: &Population, target: Target, part: &str, value: &Value) -> Result<Scaled> {
    let Source::Neurons(neurons) = &population.source else { unreachable!("targets are of neurons") };
    let quantity = Quantity::parse(part, value)?;
    let (dimension, one) = neurons.model.measure(target);
    let factor = match quantity.dimension {
        found if found == dimension && matches!(target, Target::Variable(_)) => 1.0,
        found if found == Dimension::ONE && matches!(target, Target::Port(_)) => 1.0,
        found if found == dimension => one.recip(),
        found => {
            let message = format!("what arrives there is of unit {dimension}, and '{}' of unit {found}", quantity.text);
            return Err(Error::of(part, message));
        }
    };
    Ok(Scaled { quantity, factor })
}
