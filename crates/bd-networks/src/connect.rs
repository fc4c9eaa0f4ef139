//! [`Connect`]: who is connected with whom.

use bd_equations::{Error, Result};
use bd_kernel::Rng;
use serde::{Deserialize, Serialize};

use crate::drawing::Drawing;
use crate::layout::{Layout, Place, Profile, Space};

/// A rule. Whether neurons of a population may be connected with themselves is `autapses`, which is true unless it is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Connect {
    /// Each with each.
    AllToAll {
        /// Whether neurons are connected with themselves.
        #[serde(default = "yes")]
        autapses: bool,
    },
    /// The first with the first, the second with the second.
    OneToOne {},
    /// Each pair with this probability.
    FixedProbability {
        /// From 0 to 1.
        p: f64,
        /// Whether neurons are connected with themselves.
        #[serde(default = "yes")]
        autapses: bool,
    },
    /// Each target with so many sources, drawn with replacement.
    FixedInDegree {
        /// How many.
        n: usize,
        /// Whether neurons are connected with themselves.
        #[serde(default = "yes")]
        autapses: bool,
    },
    /// So many synapses, each of a source and a target drawn at random.
    FixedTotal {
        /// How many.
        n: usize,
        /// Whether neurons are connected with themselves.
        #[serde(default = "yes")]
        autapses: bool,
    },
    /// Each pair with a probability that falls with the distance of its neurons, which lie evenly in a space of size 1, or where their
    /// populations say.
    Distance {
        /// The probability at no distance, from 0 to 1.
        p: f64,
        /// The distance, above 0, in which it falls.
        scale: f64,
        /// How it falls.
        profile: Profile,
        /// Where neurons lie.
        layout: Layout,
        /// Whether neurons are connected with themselves.
        #[serde(default = "yes")]
        autapses: bool,
    },
    /// As these lists say, with an entry for each synapse.
    Listed(EdgeList),
    /// As a file says.
    FromFile {
        /// Its path.
        file: String,
    },
}

fn yes() -> bool {
    true
}

/// Synapses one by one, as a file lists them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeList {
    /// Numbers of the neurons that send, from 0.
    #[serde(rename = "source")]
    pub sources: Vec<u32>,
    /// Numbers of those that receive.
    #[serde(rename = "target")]
    pub targets: Vec<u32>,
    /// By what the projection's weight is multiplied.
    #[serde(rename = "weight", default)]
    pub weights: Option<Vec<f64>>,
    /// Instead of the projection's delay.
    #[serde(rename = "delay_ms", default)]
    pub delays_ms: Option<Vec<f64>>,
}

/// The populations of a projection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether they are one.
    pub(crate) same: bool,
    /// Where the neurons of both lie, if their text says so.
    pub(crate) places: [Option<&'a [Place]>; 2],
}

impl Connect {
    /// Refuses numbers that cannot be.
    pub(crate) fn check(&self, part: &str, pair: Pair<'_>) -> Result<()> {
        let Pair { from, to, same, places } = pair;
        let wrong = |key: &str, message: String| Err(Error::of(format!("{part}.{key}"), message));
        let alone = same && from == 1;
        match self {
            Self::FixedProbability { p, .. } if !(0.0..=1.0).contains(p) => {
                wrong("p", format!("a probability of {p} cannot be; it is from 0 to 1"))
            }
            Self::Distance { p, .. } if !(0.0..=1.0).contains(p) => {
                wrong("p", format!("a probability of {p} cannot be; it is from 0 to 1"))
            }
            Self::Distance { scale, layout, .. } if !(*scale > 0.0 && scale.is_finite()) => {
                let all =
                    if *layout == Layout::Positions { "in the unit of positions" } else { "and 1 is the size of all" };
                wrong("scale", format!("a distance of {scale} cannot be; it is above 0, {all}"))
            }
            Self::Distance { layout: Layout::Positions, .. } if places.contains(&None) => {
                let which = if places[0].is_none() { "sends" } else { "receives" };
                wrong(
                    "layout",
                    format!("the population that {which} has no 'positions'; give it some, or take another layout"),
                )
            }
            Self::OneToOne {} if from != to => wrong(
                "rule",
                format!("one_to_one needs populations of one size, and these have {from} and {to} neurons"),
            ),
            Self::FixedInDegree { n, autapses: false } | Self::FixedTotal { n, autapses: false } if alone && *n > 0 => {
                wrong("autapses", "a single neuron can only be connected with itself".to_owned())
            }
            _ => match self.expected(pair) > MOST {
                true => wrong(
                    "rule",
                    format!("about {:.2e} synapses are too many; at most {MOST:.0e} are allowed", self.expected(pair)),
                ),
                false => Ok(()),
            },
        }
    }

    /// How many synapses there will be, about.
    pub(crate) fn expected(&self, Pair { from, to, .. }: Pair<'_>) -> f64 {
        let (from, to) = (from as f64, to as f64);
        match self {
            Self::AllToAll { .. } | Self::Distance { .. } => from * to,
            Self::OneToOne {} => from,
            Self::FixedProbability { p, .. } => p * from * to,
            Self::FixedInDegree { n, .. } => *n as f64 * to,
            Self::FixedTotal { n, .. } => *n as f64,
            Self::Listed(list) => list.sources.len() as f64,
            Self::FromFile { .. } => 0.0,
        }
    }

    /// The targets of each source, in their order; `begins` of `from + 1` places, and targets. Nothing for a file or lists.
    ///
    /// Once the drawing is stopped, what is found is less than it should be, and of no use.
    pub(crate) fn draw(
        &self,
        pair: Pair<'_>,
        seed: u64,
        name: &str,
        drawing: &Drawing,
    ) -> Option<(Vec<usize>, Vec<u32>)> {
        let Pair { from, to, same, places } = pair;
        let rng = Rng::new(seed, name);
        let by_source = |of_source: &mut dyn FnMut(usize, &mut Vec<u32>)| {
            // With room for a little more than is expected: a list that grows is twice in memory.
            let expected = if matches!(self, Self::Distance { .. }) { 0.0 } else { self.expected(pair) };
            let (mut begins, mut targets) = (vec![0], Vec::with_capacity((expected + 6.0 * expected.sqrt()) as usize));
            for source in 0..from {
                let before = targets.len();
                of_source(source, &mut targets);
                begins.push(targets.len());
                // Of a rule that looks at every pair, the pairs.
                let looked = if matches!(self, Self::Distance { .. }) { to } else { targets.len() - before };
                if !drawing.go_on(looked) {
                    begins.resize(from + 1, targets.len());
                    break;
                }
            }
            (begins, targets)
        };
        Some(match *self {
            Self::AllToAll { autapses } => by_source(&mut |source, targets| {
                targets.extend((0..to as u32).filter(|to| autapses || !same || *to as usize != source));
            }),
            Self::OneToOne {} => by_source(&mut |source, targets| targets.push(source as u32)),
            Self::FixedProbability { p, autapses } => by_source(&mut |source, targets| {
                let begin = targets.len();
                skip_through(to, p, &mut rng.numbered(source as u64 + 1), targets);
                if same && !autapses {
                    let itself = targets[begin..].binary_search(&(source as u32));
                    itself.into_iter().for_each(|at| {
                        targets.remove(begin + at);
                    });
                }
            }),
            Self::FixedTotal { n, autapses } => {
                let mut counts = vec![0usize; from];
                let mut sources = rng.numbered(0);
                for first in (0..if to > 0 { n } else { 0 }).step_by(AT_ONCE) {
                    (first..n.min(first + AT_ONCE)).for_each(|_| counts[below(&mut sources, from)] += 1);
                    if !drawing.go_on(0) {
                        break;
                    }
                }
                by_source(&mut |source, targets| {
                    let (begin, mut rng) = (targets.len(), rng.numbered(source as u64 + 1));
                    let except = (same && !autapses).then_some(source);
                    targets.extend((0..counts[source]).map(|_| below_but(&mut rng, to, except) as u32));
                    targets[begin..].sort_unstable();
                })
            }
            Self::FixedInDegree { n, autapses } => {
                let sources = (0..to).flat_map(|target| {
                    let mut rng = rng.numbered(target as u64 + 1);
                    let except = (same && !autapses).then_some(target);
                    let n = if drawing.go_on(n) { n } else { 0 };
                    (0..n).map(move |_| (below_but(&mut rng, from, except) as u32, target as u32))
                });
                let pairs: Vec<(u32, u32)> = sources.collect();
                let (begins, order) = by_sources(from, pairs.iter().map(|(source, _)| *source));
                (begins, order.into_iter().map(|at| pairs[at].1).collect())
            }
            Self::Distance { p, scale, profile, layout, autapses } => by_source(&mut |source, targets| {
                let mut rng = rng.numbered(source as u64 + 1);
                let [space, others] =
                    [(from, places[0]), (to, places[1])].map(|(n, places)| Space { layout, n, places });
                let at = space.place(source);
                let chance = |target: usize| p * profile.at(layout.distance(at, others.place(target)), scale);
                let drawn = (0..to).filter(|target| rng.uniform() < chance(*target));
                targets
                    .extend(drawn.filter(|target| autapses || !same || *target != source).map(|target| target as u32));
            }),
            Self::Listed(_) | Self::FromFile { .. } => return None,
        })
    }
}

/// Numbers that are drawn between two looks at whether they are still wanted.
const AT_ONCE: usize = 1 << 20;

/// Most synapses of a projection: their numbers have 32 bits.
const MOST: f64 = 4e9;

/// Places of the entries of each source, in their order: where each source begins, and the places.
pub(crate) fn by_sources(n: usize, sources: impl Iterator<Item = u32> + Clone) -> (Vec<usize>, Vec<usize>) {
    let mut begins = vec![0; n + 1];
    sources.clone().for_each(|source| begins[source as usize + 1] += 1);
    (0..n).for_each(|source| begins[source + 1] += begins[source]);
    let mut next = begins.clone();
    let mut order = vec![0; begins[n]];
    for (at, source) in sources.enumerate() {
        order[next[source as usize]] = at;
        next[source as usize] += 1;
    }
    (begins, order)
}

/// Of `0..n` each with probability `p`: distances from one to the next are geometric.
fn skip_through(n: usize, p: f64, rng: &mut Rng, found: &mut Vec<u32>) {
    if p >= 1.0 {
        return found.extend(0..n as u32);
    }
    if p <= 0.0 {
        return;
    }
    let scale = bd_kernel::portable::ln_1p(-p).recip();
    let mut at = 0.0;
    loop {
        at += (bd_kernel::portable::ln_1p(-rng.uniform()) * scale).floor();
        if at >= n as f64 {
            return;
        }
        found.push(at as u32);
        at += 1.0;
    }
}

/// A number of `0..n`.
pub(crate) fn below(rng: &mut Rng, n: usize) -> usize {
    ((u128::from(rng.bits()) * n as u128) >> 64) as usize
}

/// The same without one of them.
fn below_but(rng: &mut Rng, n: usize, except: Option<usize>) -> usize {
    match except {
        None => below(rng, n),
        Some(except) => {
            let drawn = below(rng, n - 1);
            drawn + usize::from(drawn >= except)
        }
    }
}
