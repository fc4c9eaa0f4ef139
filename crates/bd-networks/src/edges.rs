//! [`Edges`]: the synapses of a projection.

use bd_equations::{Draw, Error, Quantity, Result};
use bd_kernel::models::network::Delays;
use bd_kernel::{Real, Rng};

use crate::Connect;
use crate::connect::{EdgeList, Pair, by_sources};
use crate::network::Projection;

/// Longest delay, in steps.
pub(crate) const LONGEST: usize = 60_000;

/// Synapses by source; those of one source by target.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges<W> {
    /// Where each source begins, `[sources + 1]`.
    pub begins: Vec<usize>,
    /// Numbers of the neurons that receive.
    pub targets: Vec<u32>,
    /// What a spike adds, in multiples of what 1 means at the target.
    pub weights: Each<W>,
    /// For how many steps a spike travels; 0 means to the next.
    pub delays: Each<u16>,
}

/// Numbers of synapses.
#[derive(Debug, Clone, PartialEq)]
pub enum Each<T> {
    /// The same for all.
    Same(T),
    /// Each its own.
    Own(Vec<T>),
}

impl From<Each<u16>> for Delays {
    fn from(delays: Each<u16>) -> Self {
        match delays {
            Each::Same(delay) => Self::Same(delay),
            Each::Own(delays) => Self::Own(delays),
        }
    }
}

impl<T: Copy + PartialOrd> Each<T> {
    /// That of synapse number `at`.
    pub fn get(&self, at: usize) -> T {
        match self {
            Self::Same(value) => *value,
            Self::Own(values) => values[at],
        }
    }

    /// The least and the greatest of all; nothing where there is none.
    pub(crate) fn bounds(&self) -> Option<[T; 2]> {
        match self {
            Self::Same(value) => Some([*value; 2]),
            Self::Own(values) => values.iter().fold(None, |found, value| {
                let [least, most] = found.unwrap_or([*value; 2]);
                Some([if *value < least { *value } else { least }, if *value > most { *value } else { most }])
            }),
        }
    }
}

impl<W> Edges<W> {
    /// How many synapses there are.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

impl Projection {
    /// Its synapses, drawn by the seed, the projection's name, and source or target: neither threads nor other projections change them. `files` reads a
    /// file of synapses.
    pub fn edges<W: Real>(
        &self,
        dt_ms: f64,
        seed: u64,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
    ) -> Result<Edges<W>> {
        let (begins, targets, list) = self.connected(seed, files)?;
        let weights = self.each(&self.weight, &begins, seed, "weight", |at, weight| {
            let value = weight * self.factor * list.weights.as_ref().map_or(1.0, |weights| weights[at]);
            Ok(W::of(value))
        });
        let weights = match (weights?, &list.weights) {
            (Each::Same(_), Some(weights)) => {
                let value = self.weight.constant().unwrap_or_default() * self.factor;
                Each::Own(weights.iter().map(|weight| W::of(weight * value)).collect())
            }
            (weights, _) => weights,
        };
        let steps = |delay_ms: f64| self.steps(delay_ms, dt_ms);
        let delays = self.delays(&begins, &list, seed, steps)?;
        Ok(Edges { begins, targets, weights, delays })
    }

    /// The delays of its [edges](Self::edges) in ms, before they are rounded to whole steps.
    pub fn delays_ms(
        &self,
        dt_ms: f64,
        seed: u64,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
    ) -> Result<Each<f64>> {
        let (begins, _, list) = self.connected(seed, files)?;
        self.delays(&begins, &list, seed, |delay_ms| self.steps(delay_ms, dt_ms).map(|_| delay_ms))
    }

    /// Where each source begins, the targets, and what a file says of them.
    fn connected(
        &self,
        seed: u64,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
    ) -> Result<(Vec<usize>, Vec<u32>, EdgeList)> {
        let drawn = self.connect.draw(self.pair(), seed, &format!("{}.connect", self.name));
        match (drawn, &self.connect) {
            (Some((begins, targets)), _) => Ok((begins, targets, EdgeList::default())),
            (None, Connect::FromFile { file }) => self.of_file(file, files),
            (None, Connect::Listed(list)) => {
                self.of_list(list).map_err(|message| Error::of(format!("{}.connect", self.part), message))
            }
            (None, _) => unreachable!("every other rule draws"),
        }
    }

    /// What `make` makes of the delays in ms: those of a list, or those that are drawn.
    fn delays<T: Copy + PartialOrd>(
        &self,
        begins: &[usize],
        list: &EdgeList,
        seed: u64,
        make: impl Fn(f64) -> Result<T>,
    ) -> Result<Each<T>> {
        match &list.delays_ms {
            Some(delays) => Ok(Each::Own(delays.iter().map(|delay| make(*delay)).collect::<Result<_>>()?)),
            None => self.each(&self.delay, begins, seed, "delay", |_, delay| make(delay)),
        }
    }

    /// How many synapses it will have, about; 0 of a file, which says itself.
    pub fn expected(&self) -> f64 {
        self.connect.expected(self.pair())
    }

    fn pair(&self) -> Pair {
        Pair { from: self.sizes[0], to: self.sizes[1], same: self.from == self.to }
    }

    /// A quantity of each synapse. Numbers are drawn source by source.
    fn each<T: Copy + PartialOrd>(
        &self,
        quantity: &Quantity,
        begins: &[usize],
        seed: u64,
        what: &str,
        make: impl Fn(usize, f64) -> Result<T>,
    ) -> Result<Each<T>> {
        if let Some(value) = quantity.constant() {
            return match begins.last() {
                Some(0) | None => Ok(Each::Own(Vec::new())),
                _ => make(0, value).map(Each::Same),
            };
        }
        let rng = Rng::new(seed, &format!("{}.{what}", self.name));
        let mut all = Vec::with_capacity(begins.last().copied().unwrap_or(0));
        for (source, bounds) in begins.windows(2).enumerate() {
            let mut rng = rng.numbered(source as u64);
            for at in bounds[0]..bounds[1] {
                all.push(make(at, drawn(quantity, &mut rng))?);
            }
        }
        Ok(Each::Own(all))
    }

    /// Whole steps of a delay.
    pub(crate) fn steps(&self, delay_ms: f64, dt_ms: f64) -> Result<u16> {
        let steps = (delay_ms / dt_ms).round();
        let (key, most_ms) = match self.learned_delay {
            None => ("delay", LONGEST as f64 * dt_ms),
            Some(learned) => ("delay.learned", learned.most_ms),
        };
        match (0.0..=(most_ms / dt_ms).round()).contains(&steps) {
            true => Ok(steps as u16),
            false => Err(Error::of(
                format!("{}.{key}", self.part),
                format!("a delay of {delay_ms} ms cannot be; it is from 0 to {most_ms} ms"),
            )),
        }
    }

    fn of_file(
        &self,
        file: &str,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
    ) -> Result<(Vec<usize>, Vec<u32>, EdgeList)> {
        let wrong = |message: String| Error::of(format!("{}.connect.file", self.part), format!("{file}: {message}"));
        self.of_list(&files(file).map_err(wrong)?).map_err(wrong)
    }

    /// Synapses of a list by source, and by target; or what is wrong with it.
    fn of_list(&self, list: &EdgeList) -> Result<(Vec<usize>, Vec<u32>, EdgeList), String> {
        let n = list.sources.len();
        let others =
            [Some(list.targets.len()), list.weights.as_ref().map(Vec::len), list.delays_ms.as_ref().map(Vec::len)];
        if others.into_iter().flatten().any(|other| other != n) {
            return Err("it has not as many targets, weights and delays as sources".into());
        }
        if let Some(at) = list.weights.iter().flatten().position(|weight| !weight.is_finite()) {
            return Err(format!("the weight of synapse {} is not a finite number", at + 1));
        }
        let [from, to] = self.sizes;
        for (what, numbers, size) in [("source", &list.sources, from), ("target", &list.targets, to)] {
            if let Some(at) = numbers.iter().position(|number| *number as usize >= size) {
                let message =
                    format!("synapse {} has the {what} {}, and there are {size} neurons", at + 1, numbers[at]);
                return Err(message);
            }
        }
        // By target first, and then by source: stable, so that doubles stay in the order of the file.
        let (_, by_target) = by_sources(to, list.targets.iter().copied());
        let (begins, order) = by_sources(from, by_target.iter().map(|at| list.sources[*at]));
        let order: Vec<usize> = order.into_iter().map(|at| by_target[at]).collect();
        let sorted =
            |values: &Option<Vec<f64>>| values.as_ref().map(|values| order.iter().map(|at| values[*at]).collect());
        let (weights, delays_ms) = (sorted(&list.weights), sorted(&list.delays_ms));
        let targets: Vec<u32> = order.iter().map(|at| list.targets[*at]).collect();
        Ok((begins, targets, EdgeList { weights, delays_ms, ..EdgeList::default() }))
    }
}

/// The next number of a quantity.
pub(crate) fn drawn(quantity: &Quantity, rng: &mut Rng) -> f64 {
    quantity.value.value(|draw| match draw {
        Draw::Uniform => rng.uniform(),
        Draw::Normal => rng.normal(),
    })
}
