//! Axes: what they show, how numbers become places, and where their ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use crate::figure::Scale;
use crate::ticks::{self, Tick};

/// Ticks of a logarithmic axis, which has fewer round numbers.
const MOST_LOGARITHMIC: usize = 7;

/// An axis over places: numbers, or their logarithms.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    range: Range<f64>,
    ticks: Vec<Tick>,
}

impl Axis {
    /// Over `range`, in places, with at most `most` ticks at round numbers.
    pub(crate) fn new(scale: Scale, range: Range<f64>, most: usize) -> Self {
        let ticks = match scale {
            Scale::Linear => ticks::linear(&range, most),
            Scale::Log => ticks::logarithmic(&range, most.max(MOST_LOGARITHMIC)),
        };
        Self { range, ticks }
    }

    /// With ticks of its own, given as numbers; those outside the range are left out.
    pub(crate) fn with_ticks(scale: Scale, range: Range<f64>, ticks: &[Tick]) -> Self {
        let ticks = ticks.iter().map(|(value, words)| (scale.place(*value), words.clone()));
        let ticks = ticks.filter(|(at, _)| contains(&range, *at)).collect();
        Self { range, ticks }
    }

    /// Places with their words.
    pub(crate) fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// What stands beside a tick.
    pub(crate) fn words(&self, tick: f64) -> String {
        self.ticks.iter().find(|(at, _)| *at == tick).map_or_else(String::new, |(_, words)| words.clone())
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl Scale {
    /// Where a number is on an axis; not a number where it cannot be on it.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log if value > 0.0 => value.log10(),
            Self::Log => f64::NAN,
        }
    }

    /// A range of numbers in places, if it is one.
    pub(crate) fn places(self, range: &Range<f64>) -> Option<Range<f64>> {
        let places = self.place(range.start)..self.place(range.end);
        (drawable(places.start) && drawable(places.end) && places.start < places.end).then_some(places)
    }
}

/// Whether a place is within a range, both ends included.
pub(crate) fn contains(range: &Range<f64>, place: f64) -> bool {
    range.start <= place && place <= range.end
}

/// Whether a place can be on an axis: differences of larger ones are infinite.
pub(crate) fn drawable(place: f64) -> bool {
    place.abs() <= 1e300
}

/// Smallest to largest drawable place, widened on both sides by `margin` times their difference, and never empty.
pub(crate) fn extent(places: impl Iterator<Item = f64>, margin: f64) -> Range<f64> {
    let drawable = places.filter(|&place| drawable(place));
    let (low, high) = drawable.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let pad = if high > low { (high - low) * margin } else { low.abs().max(1.0) * 0.5 };
    low - pad..high + pad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_range_lie_at_the_edges_of_the_frame() {
        let axis = Axis::new(Scale::Linear, -2.0..6.0, 5);
        let frame = (100, 500);
        for (value, pixel) in [(-2.0, 100), (0.0, 200), (2.0, 300), (6.0, 500)] {
            assert_eq!(axis.map(&value, frame), pixel);
        }
        let upwards = (500, 100); // pixels count downwards
        assert_eq!([-2.0, 0.0, 6.0].map(|value| axis.map(&value, upwards)), [500, 400, 100]);
    }

    #[test]
    fn decades_are_equally_far_apart() {
        let axis = Axis::new(Scale::Log, Scale::Log.places(&(1e-3..1e1)).unwrap(), 5);
        let pixels = [1e-3, 1e-2, 1e-1, 1.0, 10.0].map(|value| axis.map(&Scale::Log.place(value), (0, 400)));
        assert_eq!(pixels, [0, 100, 200, 300, 400]);
        assert_eq!(axis.words(-2.0), "0.01");
        for value in [0.0, -1.0, f64::NAN] {
            assert!(Scale::Log.place(value).is_nan());
        }
    }

    #[test]
    fn an_extent_has_a_margin_and_is_never_empty() {
        let of = |values: &[f64]| extent(values.iter().copied(), 0.25);
        assert_eq!(of(&[1.0, f64::NAN, 5.0, f64::INFINITY]), 0.0..6.0);
        assert_eq!(of(&[4.0, 4.0]), 2.0..6.0);
        assert_eq!(of(&[0.0]), -0.5..0.5);
        assert_eq!(of(&[f64::NAN, f64::MAX]), 0.0..1.0);
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for range in [1.0..1.0, 2.0..1.0, f64::NAN..1.0, 0.0..f64::INFINITY, -f64::MAX..f64::MAX] {
            assert_eq!(Scale::Linear.places(&range), None, "{range:?}");
        }
        assert_eq!(Scale::Log.places(&(0.0..1.0)), None);
    }

    #[test]
    fn ticks_of_ones_own_outside_the_range_are_left_out() {
        let ticks = [(0.0, "low".to_owned()), (2.0, "high".to_owned())];
        let axis = Axis::with_ticks(Scale::Linear, 0.0..1.0, &ticks);
        assert_eq!((axis.words(0.0).as_str(), axis.words(2.0).as_str()), ("low", ""));
    }
}
