//! [`Edges`]: the synapses of a projection.

use bd_equations::{Draw as Random, Error, Quantity, Result};
use bd_kernel::models::network::Delays;
use bd_kernel::{Real, Rng};

use crate::Connect;
use crate::connect::{EdgeList, Pair, by_sources};
use crate::drawing::Drawing;
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
    /// The neuron that each synapse is of.
    pub fn sources(&self) -> impl Iterator<Item = u32> + '_ {
        let rows = self.begins.windows(2).zip(0u32..);
        rows.flat_map(|(row, source)| std::iter::repeat_n(source, row[1] - row[0]))
    }

    /// How many synapses there are.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// How numbers are drawn, and who watches.
#[derive(Clone, Copy)]
struct Draw<'a> {
    seed: u64,
    drawing: &'a Drawing,
}

/// Who is connected with whom.
struct Connected {
    /// Where each source begins.
    begins: Vec<usize>,
    targets: Vec<u32>,
    /// What a file says of them.
    list: EdgeList,
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
        self.edges_watched(dt_ms, seed, files, &Drawing::default())
    }

    /// The same, and its delays in ms, before they are rounded to whole steps.
    pub fn edges_and_delays_ms<W: Real>(
        &self,
        dt_ms: f64,
        seed: u64,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
    ) -> Result<(Edges<W>, Each<f64>)> {
        let draw = Draw { seed, drawing: &Drawing::default() };
        let connected = self.connected(draw, files)?;
        let delays_ms = self.delays(&connected, draw, |delay_ms| self.steps(delay_ms, dt_ms).map(|_| delay_ms))?;
        Ok((self.made(dt_ms, connected, draw)?, delays_ms))
    }

    /// The same, watched: once the drawing is stopped, what is found is of no use.
    pub(crate) fn edges_watched<W: Real>(
        &self,
        dt_ms: f64,
        seed: u64,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
        drawing: &Drawing,
    ) -> Result<Edges<W>> {
        let draw = Draw { seed, drawing };
        self.made(dt_ms, self.connected(draw, files)?, draw)
    }

    fn made<W: Real>(&self, dt_ms: f64, connected: Connected, draw: Draw<'_>) -> Result<Edges<W>> {
        let Connected { begins, list, .. } = &connected;
        let weights = self.each(&self.weight, begins, draw, "weight", |at, weight| {
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
        let delays = self.delays(&connected, draw, |delay_ms| self.steps(delay_ms, dt_ms))?;
        Ok(Edges { begins: connected.begins, targets: connected.targets, weights, delays })
    }

    /// Numbers that are drawn for it, about, as [`Drawing`] counts them.
    pub(crate) fn draws(&self) -> f64 {
        let own = |quantity: &Quantity| f64::from(u8::from(quantity.constant().is_none()));
        self.expected() * (1.0 + own(&self.weight) + own(&self.delay))
    }

    fn connected(&self, draw: Draw<'_>, files: &dyn Fn(&str) -> Result<EdgeList, String>) -> Result<Connected> {
        let drawn = self.connect.draw(self.pair(), draw.seed, &format!("{}.connect", self.name), draw.drawing);
        match (drawn, &self.connect) {
            (Some((begins, targets)), _) => Ok(Connected { begins, targets, list: EdgeList::default() }),
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
        Connected { begins, list, .. }: &Connected,
        draw: Draw<'_>,
        make: impl Fn(f64) -> Result<T>,
    ) -> Result<Each<T>> {
        match &list.delays_ms {
            Some(delays) => Ok(Each::Own(delays.iter().map(|delay| make(*delay)).collect::<Result<_>>()?)),
            None => self.each(&self.delay, begins, draw, "delay", |_, delay| make(delay)),
        }
    }

    /// How many synapses it will have, about; 0 of a file, which says itself.
    pub fn expected(&self) -> f64 {
        self.connect.expected(self.pair())
    }

    fn pair(&self) -> Pair<'_> {
        let places = self.places.each_ref().map(Option::as_deref);
        Pair { from: self.sizes[0], to: self.sizes[1], same: self.from == self.to, places }
    }

    /// A quantity of each synapse. Numbers are drawn source by source.
    fn each<T: Copy + PartialOrd>(
        &self,
        quantity: &Quantity,
        begins: &[usize],
        Draw { seed, drawing }: Draw<'_>,
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
            if !drawing.go_on(bounds[1] - bounds[0]) {
                break;
            }
            for at in bounds[0]..bounds[1] {
                all.push(make(at, drawn(quantity, &mut rng))?);
            }
        }
        Ok(Each::Own(all))
    }

    /// Whole steps of a delay.
    pub(crate) fn steps(&self, delay_ms: f64, dt_ms: f64) -> Result<u16> {
        let steps = (delay_ms / dt_ms).round();
        if self.instant && steps != 0.0 {
            let message = format!("it is instant, and a synapse of its list has a delay of {delay_ms} ms");
            return Err(self.error("instant", message));
        }
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

    fn of_file(&self, file: &str, files: &dyn Fn(&str) -> Result<EdgeList, String>) -> Result<Connected> {
        let wrong = |message: String| Error::of(format!("{}.connect.file", self.part), format!("{file}: {message}"));
        self.of_list(&files(file).map_err(wrong)?).map_err(wrong)
    }

    /// Synapses of a list by source, and by target; or what is wrong with it.
    fn of_list(&self, list: &EdgeList) -> Result<Connected, String> {
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
        Ok(Connected { begins, targets, list: EdgeList { weights, delays_ms, ..EdgeList::default() } })
    }
}

/// The next number of a quantity.
pub(crate) fn drawn(quantity: &Quantity, rng: &mut Rng) -> f64 {
    quantity.value.value(|draw| match draw {
        Random::Uniform => rng.uniform(),
        Random::Normal => rng.normal(),
    })
}
