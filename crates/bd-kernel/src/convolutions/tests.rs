//! Convolutions by their definition, one product at a time, and what is drawn.

use super::layout::{Deck, PLACES, SPAN, counted, dilations, quantile};
use super::*;

/// Numbers that repeat only after a long time, evenly spread.
fn numbers(count: usize) -> Vec<f32> {
    (1..=count).map(|i| ((i * i) as f32 * 0.754_877_7).fract() - 0.5).collect()
}

/// SplitMix64.
fn uniform() -> impl FnMut() -> f64 {
    let mut state = 0u64;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// `c(t)` of the module's formula in float64, with the weights written out.
fn convolution(sequence: &[f32], steps: usize, channels: &[usize], kernel: usize, dilation: usize, t: usize) -> f64 {
    let weight = |place: usize| if PLACES[kernel].contains(&place) { 2.0 } else { -1.0 };
    let value = |channel: usize, place: usize| {
        let at = (t + place * dilation).checked_sub(SPAN / 2 * dilation).filter(|at| *at < steps);
        at.map_or(0.0, |at| f64::from(sequence[channel * steps + at]))
    };
    let of_channel = |&channel: &usize| (0..SPAN).map(|place| weight(place) * value(channel, place)).sum::<f64>();
    channels.iter().map(of_channel).sum()
}

#[test]
fn features_are_shares_of_steps_above_thresholds() {
    for (steps, channels) in [(50, 1), (37, 4), (5, 2), (1, 1)] {
        let values = numbers(steps * channels);
        let convolutions = Convolutions::new(steps, channels, 84 * 7, uniform());
        let sequence = Sequence::new(&values, steps);
        let thresholds = convolutions.thresholds(|| sequence);
        let mut found = vec![f32::NAN; convolutions.n_features()];
        convolutions.features(sequence, &thresholds, &mut found, &mut Scratch::default());
        let mut at = 0;
        for (number, dilation) in convolutions.dilations.iter().enumerate() {
            for kernel in 0..KERNELS {
                let all: Vec<f64> = (0..steps)
                    .map(|t| convolution(&values, steps, &dilation.channels[kernel], kernel, dilation.steps, t))
                    .collect();
                let edge = 4 * dilation.steps;
                let whole = (number + kernel) % 2 == 1 && steps > 2 * edge;
                let some = if whole { &all[edge..steps - edge] } else { &all[..] };
                for _ in 0..dilation.thresholds {
                    // Whether what equals the threshold but for round-off is above it is left open.
                    let threshold = f64::from(thresholds[at]);
                    let [least, most] = [1e-5, -1e-5].map(|by| some.iter().filter(|c| **c > threshold + by).count());
                    let count = (found[at] * some.len() as f32).round() as usize;
                    assert!(
                        (least..=most).contains(&count),
                        "{steps} {channels} {number} {kernel}: {least} {count} {most}"
                    );
                    at += 1;
                }
            }
        }
        assert_eq!(at, 84 * 7);
    }
}

/// A constant sequence gives zero where all places lie in it, whatever the constant; thresholds of another sequence see that.
#[test]
fn a_constant_added_changes_nothing_inside() {
    let steps = 60;
    let values = numbers(steps);
    let lifted: Vec<f32> = values.iter().map(|x| x + 16.0).collect();
    let convolutions = Convolutions::new(steps, 1, 84, uniform());
    let mut scratch = Scratch::default();
    for kernel in 0..KERNELS {
        let inside = [&values, &lifted].map(|values| {
            scratch.prepare(Sequence::new(values, steps), 1, &[0]);
            scratch.convolve(steps, &convolutions.dilations[0], kernel);
            scratch.convolved[4..steps - 4].to_vec()
        });
        let apart = inside[0].iter().zip(&inside[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{kernel}: {apart}");
    }
}

#[test]
fn a_scratch_of_a_longer_sequence_leaves_nothing_behind() {
    let (long, short) = (numbers(3 * 90), numbers(3 * 20));
    let convolutions = Convolutions::new(90, 3, 84 * 10, uniform());
    let thresholds = convolutions.thresholds(|| Sequence::new(&long, 90));
    let features = |scratch: &mut Scratch, values: &[f32]| {
        let mut out = vec![0.0; convolutions.n_features()];
        convolutions.features(Sequence::new(values, values.len() / 3), &thresholds, &mut out, scratch);
        out
    };
    let mut used = Scratch::default();
    features(&mut used, &long);
    assert_eq!(features(&mut used, &short), features(&mut Scratch::default(), &short));
}

/// By hand: 100 steps allow 2^3.63 = 12.4 at most; 5 exponents 0, 0.907, 1.815, 2.72, 3.63 give 1, 1.88, 3.52, 6.6 and 12.4.
#[test]
fn dilations_grow_by_powers_of_two() {
    assert_eq!(dilations(100, 5), [(1, 2), (3, 1), (6, 1), (12, 1)]);
    assert_eq!(dilations(65, 4), [(1, 1), (2, 1), (4, 1), (8, 1)]);
    assert_eq!((dilations(7, 5), dilations(1, 0), dilations(9, 1)), (vec![(1, 5)], vec![(1, 1)], vec![(1, 1)]));
    for (steps, thresholds) in [(24, 119), (1000, 119), (100_000, 33), (361, 7)] {
        let found = dilations(steps, thresholds);
        assert_eq!(found.iter().map(|(_, count)| count).sum::<usize>(), thresholds);
        assert!(found.is_sorted_by(|a, b| a.0 < b.0) && found.iter().all(|(dilation, _)| 8 * dilation < steps));
    }
}

#[test]
fn channels_are_different_and_few_more_often_than_many() {
    let (mut uniform, mut deck) = (uniform(), Deck::new(20));
    let mut of_count = [0; 10];
    for _ in 0..4000 {
        let drawn = deck.draw(&mut uniform);
        assert!(drawn.is_sorted_by(|a, b| a < b) && drawn.iter().all(|channel| *channel < 20));
        of_count[drawn.len()] += 1;
    }
    // 2^(u log2 10) is below 2 for u below 0.301, and from 8 on from 0.903 on.
    assert!((1150..1260).contains(&of_count[1]) && (330..450).contains(&(of_count[8] + of_count[9])), "{of_count:?}");
    assert_eq!((Deck::new(1).draw(&mut uniform), of_count[0]), (vec![0], 0));
}

/// 84 convolutions of 3.4 channels in the mean draw 280 times.
#[test]
fn no_channel_of_many_is_left_out() {
    let convolutions = Convolutions::new(9, 200, 84, uniform());
    let mut seen = [false; 200];
    convolutions.dilations[0].channels.iter().flatten().for_each(|channel| seen[*channel] = true);
    assert!(seen.iter().all(|seen| *seen));
}

#[test]
fn convolutions_can_be_saved() {
    let convolutions = Convolutions::new(100, 13, 84 * 20, uniform());
    let rows = convolutions.rows();
    assert_eq!(Convolutions::of_rows(13, &rows).as_ref(), Some(&convolutions));
    let wrong = |at: usize, number: i64| {
        let mut rows = rows.clone();
        rows[1][at] = number;
        Convolutions::of_rows(13, &rows)
    };
    assert_eq!([wrong(0, 0), wrong(1, -3), wrong(2, 13), wrong(2, -7)], [None, None, None, None]);
    // A kernel without a channel.
    let mut rows = rows;
    rows[0][2..11].fill(-1);
    assert_eq!(Convolutions::of_rows(13, &rows), None);
}

#[test]
fn quantiles_are_linear_between_numbers() {
    let rising = [1.0, 2.0, 4.0, 8.0, 16.0];
    let found = [0.0, 0.25, 0.6, 0.999_999_999, 1.0].map(|q| quantile(&rising, q));
    // numpy.quantile([1, 2, 4, 8, 16], 0.6) is 5.6
    assert_eq!(found, [1.0, 2.0, 5.6, 16.0, 16.0]);
    assert_eq!(quantile(&[3.0], 0.7), 3.0);
}

#[test]
fn every_second_pair_counts_only_what_lies_inside() {
    assert_eq!(
        (counted(50, 3, 4), counted(50, 3, 5), counted(24, 3, 5), counted(25, 3, 5)),
        (0..50, 12..38, 0..24, 12..13)
    );
}
