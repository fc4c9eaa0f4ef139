//! Which samples a figure shows.

use std::collections::{BTreeMap, BTreeSet};

/// Samples of a class that are right and are shown, if there is space for them.
const RIGHT_OF_A_CLASS: usize = 2;

/// A sample that was classified: its class, and what it was taken for.
pub(super) type Classified = (i64, i64);

/// At most `most` samples that cover the classes and include mistakes, in the order of their classes, those of a class that are right
/// first. On a third to a half of the places are mistakes, if there are as many, and on more where only they show a class. On the
/// others are the first one or two of each class that are right.
pub(super) fn cover(samples: &[Classified], most: usize) -> Vec<usize> {
    let classes: BTreeSet<i64> = samples.iter().map(|(class, _)| *class).collect();
    let (right, wrong): (Vec<usize>, Vec<usize>) = (0..samples.len()).partition(|&i| samples[i].0 == samples[i].1);
    let places = most.saturating_sub(RIGHT_OF_A_CLASS * classes.len()).clamp(most / 3, most / 2).min(wrong.len());
    let (first, next): (Vec<_>, Vec<_>) = alternating(samples, &right)
        .into_iter()
        .filter(|(place, _)| *place < RIGHT_OF_A_CLASS)
        .partition(|(place, _)| *place == 0);
    let first = &first[..first.len().min(most - places)];
    let shown: BTreeSet<i64> = first.iter().map(|&(_, i)| samples[i].0).collect();
    let mut wrong = alternating(samples, &wrong);
    wrong.sort_by_key(|&(place, i)| (place, shown.contains(&samples[i].0)));
    let needed = wrong.iter().filter(|&&(place, i)| place == 0 && !shown.contains(&samples[i].0)).count();
    let (wrong, others) = wrong.split_at(places.max(needed));
    let all = first.iter().chain(wrong).chain(&next).chain(others);
    let mut chosen: Vec<usize> = all.map(|(_, i)| *i).take(most).collect();
    chosen.sort_unstable_by_key(|&i| (samples[i].0, samples[i].0 != samples[i].1, i));
    chosen
}

/// Some of the samples, of each class one before a second one of any, with how many of its class are before it: first one of each class
/// that it was taken for.
fn alternating(samples: &[Classified], some: &[usize]) -> Vec<(usize, usize)> {
    fn count<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> usize {
        let count = counts.entry(key).or_default();
        *count += 1;
        *count - 1
    }
    let (mut alike, mut of_class) = (BTreeMap::new(), BTreeMap::new());
    let mut ordered: Vec<_> = some.iter().map(|&i| (count(&mut alike, samples[i]), i)).collect();
    ordered.sort_unstable();
    let mut placed: Vec<_> = ordered.into_iter().map(|(_, i)| (count(&mut of_class, samples[i].0), i)).collect();
    placed.sort_by_key(|&(place, i)| (place, samples[i].0));
    placed
}

/// At most `most` numbers of samples whose values are spread evenly from the least to the greatest, in this order.
pub(super) fn spread(values: &[f64], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let count = most.min(order.len());
    // The first and the last one, and others at equal distances.
    (0..count).map(|k| order[k * (order.len() - 1) / (count - 1).max(1)]).collect()
}

/// How many classes the chosen samples cover, and how many of them are mistakes.
pub(super) fn covered(samples: &[Classified], chosen: &[usize]) -> (usize, usize) {
    let classes: BTreeSet<i64> = chosen.iter().map(|&i| samples[i].0).collect();
    (classes.len(), chosen.iter().filter(|&&i| samples[i].0 != samples[i].1).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_mistakes_there_are_two_samples_of_each_class_or_as_many_as_have_space() {
        let samples = [(0, 0), (0, 0), (0, 0), (2, 2), (1, 1), (2, 2)];
        assert_eq!(cover(&samples, 12), [0, 1, 4, 3, 5]);
        assert_eq!(covered(&samples, &cover(&samples, 12)), (3, 0));
        assert_eq!(cover(&samples, 4), [0, 1, 4, 3], "one of each class before a second one");
        assert_eq!(cover(&samples, 2), [0, 4], "more classes than places");
        assert!(cover(&[], 12).is_empty());
    }

    #[test]
    fn mistakes_follow_the_right_ones_of_their_class() {
        let samples = [(1, 0), (0, 0), (1, 1), (0, 1), (0, 1)];
        assert_eq!(cover(&samples, 12), [1, 3, 4, 2, 0]);
        // Two classes on three places leave one for a mistake, of the first class.
        assert_eq!(cover(&samples, 3), [1, 3, 2]);
    }

    /// Four classes on twelve places leave four for mistakes: of each class alternately, and of each kind before a second one of it.
    #[test]
    fn mistakes_are_of_different_kinds() {
        let right = (0..4).flat_map(|class| [(class, class); 3]);
        let wrong = [(3, 2), (3, 2), (3, 2), (0, 1), (0, 1), (0, 2)];
        let samples: Vec<Classified> = right.chain(wrong).collect();
        let chosen = cover(&samples, 12);
        assert_eq!(chosen, [0, 1, 15, 17, 3, 4, 6, 7, 9, 10, 12, 13]);
        assert_eq!(covered(&samples, &chosen), (4, 4));
    }

    /// Of four places one is for a mistake, and that is of a class for which there is no place.
    #[test]
    fn a_mistake_stands_for_a_class_that_is_not_shown_yet() {
        let samples = [(0, 0), (0, 1), (1, 1), (2, 2), (3, 3), (3, 0)];
        let chosen = cover(&samples, 4);
        assert_eq!((chosen.clone(), covered(&samples, &chosen)), (vec![0, 2, 3, 5], (4, 1)));
    }

    #[test]
    fn classes_that_are_never_right_are_shown_by_their_mistakes() {
        let samples = [(0, 0), (1, 0), (1, 2), (2, 2)];
        assert_eq!(cover(&samples, 3), [0, 1, 3]);
        assert_eq!(cover(&samples, 12), [0, 1, 2, 3]);
        // Six classes on six places, of which three are for mistakes: only the first class is ever right.
        let samples: Vec<Classified> = [(0, 0), (0, 0)].into_iter().chain((1..6).map(|class| (class, 0))).collect();
        assert_eq!(cover(&samples, 6), [0, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn values_are_spread_from_the_least_to_the_greatest() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(spread(&values, 3), [1, 4, 0]);
        assert_eq!(spread(&values, 9), [1, 3, 4, 2, 0]);
        assert_eq!(spread(&values, 1), [1]);
        assert!(spread(&[], 3).is_empty() && spread(&values, 0).is_empty());
    }
}
