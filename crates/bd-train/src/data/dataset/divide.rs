//! Samples drawn for two parts: by class, or by group.

use std::collections::BTreeMap;

use super::subset::Subset;
use bd_core::{Error, Result, Rng};
use tch::Kind;

/// Numbers of samples, rising.
#[derive(Debug, PartialEq)]
pub(super) struct Divided {
    pub(super) kept: Vec<usize>,
    pub(super) held: Vec<usize>,
}

impl Subset {
    /// Draws about the fraction `fraction` of the sequences for `what`, `test` or `validation`, by `seed`, see [`divide`].
    ///
    /// Fails if there is nothing for one of both.
    pub(super) fn divide(&self, fraction: f64, seed: u64, what: &'static str) -> Result<Divided> {
        let classes = match self.targets.dim() {
            1 => Vec::<i64>::try_from(self.targets.to_kind(Kind::Int64))?,
            _ => vec![0; self.count()],
        };
        let divided = divide(fraction, &mut Rng::new(seed, what), &classes, self.groups.as_deref());
        if !divided.held.is_empty() && !divided.kept.is_empty() {
            return Ok(divided);
        }
        let (count, kept, held) = (self.count(), divided.kept.len(), divided.held.len());
        let needs =
            if self.groups.is_some() { "both need a group of samples, and there is one" } else { "both need one" };
        Err(Error::Config(format!(
            "a {what} part of {fraction} of {count} samples leaves {kept} for training and {held} for {what}; {needs}"
        )))
    }

    /// What is left for training, and the fraction `fraction` for validation, see [`Dataset::hold_out`](super::Dataset::hold_out).
    pub(super) fn hold_out(&self, fraction: f64, seed: u64) -> Result<(Self, Option<Self>)> {
        if fraction == 0.0 {
            return Ok((self.named("training"), None));
        }
        let Divided { kept, held } = self.divide(fraction, seed, "validation")?;
        let numbered = |samples: &[usize], name| {
            let part = self.select(samples, name)?;
            // Of a file that was not divided they are numbers of the part that is.
            Ok::<_, Error>(Self { samples: part.samples.clone().or_else(|| Some(samples.to_vec())), ..part })
        };
        Ok((numbered(&kept, "training")?, Some(numbered(&held, "validation")?)))
    }
}

/// Draws about the fraction `fraction` of the samples, whose classes and perhaps groups are these: none or all where that is less than
/// half a sample from it.
///
/// Without groups that is the fraction of each class, rounded, but at least one sample and not all, where a class has two. With groups a
/// group is in one part only; they are drawn so that both parts have about the same share of each class.
pub(super) fn divide(fraction: f64, rng: &mut Rng, classes: &[i64], groups: Option<&[i64]>) -> Divided {
    let mut is_held = vec![false; classes.len()];
    let held = match ((classes.len() as f64 * fraction).round() as usize, groups) {
        (0, _) => Vec::new(),
        (all, _) if all >= classes.len() => (0..classes.len()).collect(),
        (_, None) => of_each_class(fraction, rng, classes),
        (_, Some(groups)) => whole_groups(fraction, rng, classes, groups),
    };
    held.into_iter().for_each(|sample| is_held[sample] = true);
    let (held, kept) = (0..classes.len()).partition(|sample| is_held[*sample]);
    Divided { kept, held }
}

fn of_each_class(fraction: f64, rng: &mut Rng, classes: &[i64]) -> Vec<usize> {
    let mut drawn: Vec<(i64, f64, usize)> =
        classes.iter().enumerate().map(|(sample, class)| (*class, rng.uniform(), sample)).collect();
    drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let of_class = |class: &[(i64, f64, usize)]| {
        let count = (class.len() as f64 * fraction).round() as usize;
        let count = if class.len() < 2 { 0 } else { count.clamp(1, class.len() - 1) };
        class[..count].iter().map(|(_, _, sample)| *sample).collect::<Vec<_>>()
    };
    drawn.chunk_by(|a, b| a.0 == b.0).flat_map(of_class).collect()
}

fn whole_groups(fraction: f64, rng: &mut Rng, classes: &[i64], groups: &[i64]) -> Vec<usize> {
    let mut samples: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(sample, group)| samples.entry(*group).or_default().push(sample));
    let mut order: Vec<(f64, Vec<usize>)> = samples.into_values().map(|samples| (rng.uniform(), samples)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    if order.len() < 2 {
        return Vec::new();
    }
    let mut share = Shares::new(fraction, classes);
    // The group that comes nearest by itself, if none brings the shares nearer than nothing does.
    let nearest = (0..order.len()).min_by(|&a, &b| share.with(&order[a].1).total_cmp(&share.with(&order[b].1)));
    let mut held: Vec<usize> = Vec::new();
    let mut kept = order.len();
    for (_, group) in &order {
        if kept > 1 && share.with(group) < share.distance() {
            share.add(group);
            held.extend(group);
            kept -= 1;
        }
    }
    if held.is_empty() { order.swap_remove(nearest.unwrap_or(0)).1 } else { held }
}

/// How far the held samples are from the fraction of each class that is wanted.
struct Shares<'a> {
    fraction: f64,
    classes: &'a [i64],
    /// Of each class all samples, and those that are held.
    counts: BTreeMap<i64, (usize, usize)>,
}

impl<'a> Shares<'a> {
    fn new(fraction: f64, classes: &'a [i64]) -> Self {
        let mut counts = BTreeMap::new();
        classes.iter().for_each(|class| counts.entry(*class).or_insert((0, 0)).0 += 1);
        Self { fraction, classes, counts }
    }

    /// Sum over classes of squared differences of fractions.
    fn distance(&self) -> f64 {
        self.counts.values().map(|(all, held)| (*held as f64 / *all as f64 - self.fraction).powi(2)).sum()
    }

    fn add(&mut self, samples: &[usize]) {
        for sample in samples {
            if let Some(count) = self.counts.get_mut(&self.classes[*sample]) {
                count.1 += 1;
            }
        }
    }

    /// The distance if these samples were held too.
    fn with(&self, samples: &[usize]) -> f64 {
        let mut more = Self { counts: self.counts.clone(), ..*self };
        more.add(samples);
        more.distance()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(fraction: f64, seed: u64, classes: &[i64], groups: Option<&[i64]>) -> Divided {
        divide(fraction, &mut Rng::new(seed, "test"), classes, groups)
    }

    fn count(of: &[usize], is: impl Fn(usize) -> bool) -> usize {
        of.iter().filter(|sample| is(**sample)).count()
    }

    /// 8, 4, 2 and 1 samples of four classes: a quarter is 2, 1 and half a sample, which is one; a single sample is kept.
    #[test]
    fn every_class_with_two_samples_is_in_both_parts() {
        let classes: Vec<i64> = [vec![0; 8], vec![7; 4], vec![2; 2], vec![5]].concat();
        for (fraction, expected) in [(0.25, [2, 1, 1, 0]), (0.04, [1, 1, 1, 0]), (0.96, [7, 3, 1, 0])] {
            let Divided { kept, held } = divided(fraction, 3, &classes, None);
            let found = [0, 7, 2, 5].map(|class| count(&held, |sample| classes[sample] == class));
            assert_eq!((found, kept.len() + held.len()), (expected, 15));
            assert!(kept.is_sorted() && held.is_sorted() && held.iter().all(|sample| !kept.contains(sample)));
        }
        let none_or_all = [0.03, 0.97].map(|fraction| divided(fraction, 3, &classes, None).held.len());
        assert_eq!(none_or_all, [0, 15]);
        assert_eq!(divided(0.25, 3, &classes, None), divided(0.25, 3, &classes, None));
        assert_ne!(divided(0.25, 3, &classes, None), divided(0.25, 4, &classes, None));
    }

    /// Twelve groups of five samples, of which each has one class only: a quarter is three groups, one of each class, whatever the seed.
    #[test]
    fn a_group_is_in_one_part_and_classes_keep_their_shares() {
        let groups: Vec<i64> = (0..60).map(|sample| sample % 12).collect();
        let classes: Vec<i64> = groups.iter().map(|group| group % 3).collect();
        let mut seen = Vec::new();
        for seed in 0..20 {
            let Divided { kept, held } = divided(0.25, seed, &classes, Some(&groups));
            assert!(held.iter().all(|a| kept.iter().all(|b| groups[*a] != groups[*b])));
            assert_eq!([0, 1, 2].map(|class| count(&held, |sample| classes[sample] == class)), [5; 3], "{seed}");
            seen.push(held);
        }
        seen.sort();
        seen.dedup();
        assert!(seen.len() > 10, "seeds draw different groups: {}", seen.len());
    }

    #[test]
    fn two_groups_are_one_each_and_one_is_not_divided() {
        for fraction in [0.06, 0.25, 0.94] {
            let Divided { kept, held } = divided(fraction, 0, &[0; 9], Some(&[4, 4, 4, 4, 4, 4, 9, 9, 9]));
            assert!([3, 6].contains(&held.len()) && kept.len() + held.len() == 9, "{held:?}");
        }
        assert!(divided(0.25, 0, &[0; 3], Some(&[1; 3])).held.is_empty());
    }
}
