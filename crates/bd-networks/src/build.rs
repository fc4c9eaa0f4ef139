//! From [`NetworkText`] to [`Network`].

use std::collections::{BTreeMap, BTreeSet};

use bd_equations::{Dimension, Error, Quantity, Result, Target, Value, nearest};

use crate::connect::Pair;
use crate::delay::LearnedDelay;
use crate::network::{Background, Carried, Network, Neurons, Population, Projection, Scaled, Source};
use crate::target::{Used, find, named, place_of, scaled, split, target_of};
use crate::text::{NetworkText, ProjectionText, SourceText};

/// Most neurons of a population.
const MOST: usize = 1 << 27;

/// Most spikes of a step that the background of one neuron may have on average.
const MOST_OF_BACKGROUND: f64 = 100.0;

impl NetworkText {
    /// Checks all of it.
    pub fn build(&self) -> Result<Network> {
        if !(self.dt_ms > 0.0 && self.dt_ms.is_finite()) {
            return Err(Error::of("dt_ms", format!("a step of {} ms cannot be; it must be above 0", self.dt_ms)));
        }
        limit("population", self.population.len(), 1000)?;
        limit("projection", self.projection.len() + self.background.len(), 10_000)?;
        let mut populations = Vec::new();
        for name in self.population.keys() {
            populations.push(self.checked(name)?);
        }
        if populations.is_empty() {
            return Err(Error::of("population", "there is none; write [population.NAME]"));
        }
        // What is driven, and then what projections and backgrounds name.
        let mut used: Vec<BTreeSet<Target>> = Vec::new();
        for (population, (_, source)) in populations.iter().zip(&self.sources()?) {
            used.push(drives(population, source)?.into_keys().collect());
        }
        let mut places = Vec::new();
        for (at, text) in self.projection.iter().enumerate() {
            places.extend(named(&populations, &text.to, &format!("projection.{}.to", at + 1))?);
        }
        for (at, text) in self.background.iter().enumerate() {
            places.extend(named(&populations, &text.to, &format!("background.{}.to", at + 1))?);
        }
        for place in &places {
            used[place.to].insert(place.target);
        }
        for ((population, used), (_, source)) in populations.iter_mut().zip(used).zip(&self.sources()?) {
            let drives = drives(population, source)?;
            if let Source::Neurons(neurons) = &mut population.source {
                neurons.targets = used.into_iter().collect();
                neurons.drive = neurons.targets.iter().map(|target| drives.get(target).cloned()).collect();
            }
        }
        let mut places = places.into_iter();
        let mut network = Network {
            dt_ms: self.dt_ms,
            projections: self.projections(&populations, &mut places)?,
            backgrounds: self.backgrounds(&populations, &mut places)?,
            keeps_spikes: Vec::new(),
            traces: Vec::new(),
            readout: self.readout(&populations)?,
            populations,
        };
        self.record(&mut network)?;
        network.levels()?;
        Ok(network)
    }

    fn sources(&self) -> Result<Vec<(String, SourceText)>> {
        self.population.keys().map(|name| Ok((name.clone(), self.population(name)?.source))).collect()
    }

    /// A population without its targets.
    fn checked(&self, name: &str) -> Result<Population> {
        let part = format!("population.{name}");
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(Error::of(part, "names of populations have letters, digits and '_' only"));
        }
        let text = self.population(name)?;
        let SourceText { n, kind, rate, file, drive, positions } = &text.source;
        if !(1..=MOST).contains(n) {
            return Err(Error::of(format!("{part}.n"), format!("{n} neurons cannot be; 1 to {MOST} are allowed")));
        }
        let only = |key: &str, given: bool, of: &str| match given {
            true => Err(Error::of(format!("{part}.{key}"), format!("it is for populations of kind '{of}'"))),
            false => Ok(()),
        };
        let source = match kind.as_deref() {
            None => {
                only("rate", rate.is_some(), "poisson")?;
                only("file", file.is_some(), "input")?;
                let text = text.neuron.expect("a population without kind has neurons");
                let within = |error: Error| Error { part: format!("{part}.{}", error.part), ..error };
                let model = text.build().map_err(within)?;
                model.constants(self.dt_ms).map_err(within)?;
                Source::Neurons(Box::new(Neurons { text, model, targets: Vec::new(), drive: Vec::new() }))
            }
            Some("poisson") => {
                only("file", file.is_some(), "input")?;
                let Some(rate) = rate else {
                    return Err(Error::of(part, "a population of kind 'poisson' needs a 'rate', such as \"15*Hz\""));
                };
                let probability = per_step(&format!("{part}.rate"), rate, self.dt_ms)?;
                if probability > 1.0 {
                    let message = format!("{probability} spikes in a step of {} ms cannot be; at most 1", self.dt_ms);
                    return Err(Error::of(format!("{part}.rate"), message));
                }
                Source::Poisson { probability }
            }
            Some("input") => {
                only("rate", rate.is_some(), "poisson")?;
                Source::Input { file: file.clone() }
            }
            Some(other) => {
                let message =
                    format!("there is no kind '{other}'.{}", nearest(other, ["poisson", "input"].into_iter()));
                return Err(Error::of(format!("{part}.kind"), message));
            }
        };
        if kind.is_some() && !drive.is_empty() {
            return Err(Error::of(format!("{part}.drive"), "only neurons can be driven"));
        }
        let places = positions.as_ref().map(|positions| positions.places(&format!("{part}.positions"), name, *n));
        Ok(Population { name: name.to_owned(), n: *n, source, positions: places.transpose()? })
    }

    fn projections(
        &self,
        populations: &[Population],
        places: &mut impl Iterator<Item = Used>,
    ) -> Result<Vec<Projection>> {
        let mut all: Vec<Projection> = Vec::new();
        for (at, text) in self.projection.iter().enumerate() {
            let part = format!("projection.{}", at + 1);
            let from = find(populations, &text.from, &format!("{part}.from"))?;
            let carries = carried(&populations[from], text, &part)?;
            if text.keeps_sign && !text.trained {
                let message = "signs are kept of weights that are trained; add 'trained = true', or leave it out";
                return Err(Error::of(format!("{part}.keeps_sign"), message));
            }
            let delay = text.delay.read(&format!("{part}.delay"), self.dt_ms)?;
            if text.instant && (delay.1.is_some() || delay.0.constant() != Some(0.0)) {
                let message =
                    "what is instant arrives in the step in which it is sent, without a delay; leave one of both out";
                return Err(Error::of(format!("{part}.instant"), message));
            }
            for (to, place) in text.to.all().iter().zip(places.by_ref()) {
                let name = match (&text.name, text.to.all().len()) {
                    (Some(name), 1) => name.clone(),
                    (Some(name), _) => format!("{name}>{to}"),
                    (None, _) => format!("{}>{to}", text.from),
                };
                let projection =
                    Self::projection(populations, text, name, (from, carries), &place, part.clone(), &delay)?;
                if let Some(value) = projection.delay.constant() {
                    projection.steps(value, self.dt_ms)?;
                }
                if all.iter().any(|other| other.name == projection.name) {
                    let message = format!("there is another projection '{}'; give one a 'name'", projection.name);
                    return Err(Error::of(part, message));
                }
                all.push(projection);
            }
        }
        Ok(all)
    }

    fn projection(
        populations: &[Population],
        text: &ProjectionText,
        name: String,
        (from, carries): (usize, Carried),
        place: &Used,
        part: String,
        (delay, learned_delay): &(Quantity, Option<LearnedDelay>),
    ) -> Result<Projection> {
        let sizes = [populations[from].n, populations[place.to].n];
        let places = [from, place.to].map(|at| populations[at].positions.clone());
        let of_pair = places.each_ref().map(Option::as_deref);
        let pair = Pair { from: sizes[0], to: sizes[1], same: from == place.to, places: of_pair };
        text.connect.check(&format!("{part}.connect"), pair)?;
        let Scaled { quantity: weight, factor } =
            scaled(&populations[place.to], place.target, &format!("{part}.weight"), &text.weight)?;
        Ok(Projection {
            name,
            from,
            carries,
            to: place.to,
            target: place_of(&populations[place.to], place.target),
            sizes,
            places,
            connect: text.connect.clone(),
            weight,
            factor,
            delay: delay.clone(),
            learned_delay: *learned_delay,
            instant: text.instant,
            trained: text.trained,
            keeps_sign: text.keeps_sign,
            part,
        })
    }

    fn backgrounds(
        &self,
        populations: &[Population],
        places: &mut impl Iterator<Item = Used>,
    ) -> Result<Vec<Background>> {
        let mut all: Vec<Background> = Vec::new();
        for (at, text) in self.background.iter().enumerate() {
            let part = format!("background.{}", at + 1);
            let per_step = per_step(&format!("{part}.rate"), &text.rate, self.dt_ms)?;
            if per_step > MOST_OF_BACKGROUND {
                let message = format!(
                    "{per_step} spikes in a step cannot be; at most {MOST_OF_BACKGROUND}. Drive it by a mean instead"
                );
                return Err(Error::of(format!("{part}.rate"), message));
            }
            for (to, place) in text.to.all().iter().zip(places.by_ref()) {
                let population = &populations[place.to];
                let Scaled { quantity, factor } =
                    scaled(population, place.target, &format!("{part}.weight"), &text.weight)?;
                let Some(weight) = quantity.constant() else {
                    return Err(Error::of(format!("{part}.weight"), "weights of a background are not random"));
                };
                // The number tells two of one target apart.
                let name = format!("background {}>{to}", at + 1);
                let target = place_of(population, place.target);
                let (to, weight) = (place.to, weight * factor);
                all.push(Background { name, to, target, per_step, weight });
            }
        }
        Ok(all)
    }

    fn readout(&self, populations: &[Population]) -> Result<Option<usize>> {
        let (Some(readout), part) = (&self.readout, "readout.from") else { return Ok(None) };
        let at = find(populations, &readout.from, part)?;
        match &populations[at].source {
            Source::Neurons(_) => Ok(Some(at)),
            _ => Err(Error::of(part, format!("'{}' has no neurons; a readout reads neurons", readout.from))),
        }
    }

    fn record(&self, network: &mut Network) -> Result<()> {
        network.keeps_spikes = vec![self.record.spikes.is_none(); network.populations.len()];
        for name in self.record.spikes.iter().flatten() {
            let at = find(&network.populations, name, "record.spikes")?;
            network.keeps_spikes[at] = true;
        }
        for (name, neurons) in &self.record.traces {
            let part = "record.traces";
            let (population, state) = split(name, part)?;
            let at = find(&network.populations, population, part)?;
            let Population { n, source, .. } = &network.populations[at];
            let states: Vec<&str> = match source {
                Source::Neurons(neurons) => neurons.model.states().iter().map(|state| &state.name[..]).collect(),
                _ => Vec::new(),
            };
            let Some(which) = states.iter().position(|known| *known == state) else {
                let message = format!("'{population}' has no state '{state}'.{}", nearest(state, states.into_iter()));
                return Err(Error::of(part, message));
            };
            if let Some(wrong) = neurons.iter().find(|neuron| **neuron >= *n) {
                let message = format!("there is no neuron {wrong} in '{population}'; they are numbered 0 to {}", n - 1);
                return Err(Error::of(part, message));
            }
            network.traces.push((at, which, neurons.clone()));
        }
        Ok(())
    }
}

fn limit(part: &str, count: usize, most: usize) -> Result<()> {
    match count > most {
        true => Err(Error::of(part, format!("there are {count}; at most {most} are allowed"))),
        false => Ok(()),
    }
}

/// What a projection carries from a population.
fn carried(population: &Population, text: &ProjectionText, part: &str) -> Result<Carried> {
    let state = |key: &str, name: &String| {
        let part = format!("{part}.{key}");
        let Source::Neurons(neurons) = &population.source else {
            return Err(Error::of(part, format!("'{}' has no neurons with variables", population.name)));
        };
        let names = || neurons.model.states().iter().map(|state| &state.name[..]);
        names().position(|known| known == name).ok_or_else(|| {
            Error::of(part, format!("'{}' has no variable '{name}'.{}", population.name, nearest(name, names())))
        })
    };
    let spikes = match &population.source {
        Source::Neurons(neurons) => neurons.model.surrogate().is_some() && neurons.model.spikes(),
        _ => true,
    };
    match (&text.carries, &text.times) {
        (Some(_), Some(_)) => {
            Err(Error::of(format!("{part}.times"), "'carries' and 'times' exclude each other: 'times' is for spikes"))
        }
        (Some(name), None) => Ok(Carried::State(state("carries", name)?)),
        (None, Some(name)) if spikes => Ok(Carried::SpikesTimes(state("times", name)?)),
        (None, Some(_)) => Err(Error::of(
            format!("{part}.times"),
            format!("'times' is for spikes, and '{}' sends none", population.name),
        )),
        (None, None) => Ok(if spikes { Carried::Spikes } else { Carried::Output }),
    }
}

/// What drives a population, by target.
fn drives(population: &Population, source: &SourceText) -> Result<BTreeMap<Target, Scaled>> {
    let part = format!("population.{}.drive", population.name);
    let one = |(name, value): (&String, &Value)| {
        let part = format!("{part}.{name}");
        let target = target_of(population, name, &part)?;
        Ok((target, scaled(population, target, &part, value)?))
    };
    source.drive.iter().map(one).collect()
}

/// Spikes of a step, on average.
fn per_step(part: &str, rate: &Value, dt_ms: f64) -> Result<f64> {
    let quantity = Quantity::parse(part, rate)?;
    match quantity.constant() {
        Some(rate) if quantity.dimension == Dimension::HERTZ && rate >= 0.0 => Ok(rate * dt_ms),
        _ => Err(Error::of(part, format!("'{}' must be a rate from 0 on, such as \"15*Hz\"", quantity.text))),
    }
}
