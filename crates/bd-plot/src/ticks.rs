//! Where an axis has ticks, and what stands beside them.

use std::ops::Range;

/// A place on an axis with its words.
pub(crate) type Tick = (f64, String);

/// Multiples of 1, 2 or 5 times a power of ten within a range: as many as there can be, but no more than `most`. None where the
/// numbers of a range are too close to be told apart.
pub(crate) fn linear(range: &Range<f64>, most: usize) -> Vec<Tick> {
    let width = range.end - range.start;
    if !(width > 0.0 && width.is_finite()) {
        return Vec::new();
    }
    let top = width.log10().floor() as i32 + 1;
    let steps = (-3..=0).rev().flat_map(|below| [5, 2, 1].map(|digit| Step { digit, exponent: top + below }));
    let fitting = steps.map_while(|step| step.multiples(range, most)).last();
    fitting.map_or_else(Vec::new, |values| label(values, range))
}

/// For an axis of decimal logarithms: round numbers, 1, 2 and 5 or 1 and 3 of each power of ten or powers of ten alone, by how many
/// there may be. Places are logarithms, words are the numbers themselves.
pub(crate) fn logarithmic(range: &Range<f64>, most: usize) -> Vec<Tick> {
    let (first, last) = (range.start.floor() as i32, range.end.ceil() as i32);
    let within = |digits: &[i32]| -> Vec<Tick> {
        let of_decade = |exponent: i32| digits.iter().map(move |&digit| power(digit, exponent));
        (first..=last).flat_map(of_decade).filter(|(at, _)| range.contains(at) || *at == range.end).collect()
    };
    // Of ranges over hundreds of decades only some powers are made.
    let count = |digits: &[i32]| (range.end - range.start) * digits.len() as f64;
    let sets: [&[i32]; 3] = [&[1, 2, 5], &[1, 3], &[1]];
    let fitting = sets.into_iter().filter(|set| count(set) <= 2.0 * most as f64).map(within);
    let round = fitting.into_iter().find(|ticks| ticks.len() <= most);
    match round {
        Some(ticks) if ticks.len() > 1 => ticks,
        // Less than a decade.
        Some(_) => {
            let numbers = linear(&(10f64.powf(range.start)..10f64.powf(range.end)), most);
            numbers.into_iter().filter(|(value, _)| *value > 0.0).map(|(value, words)| (value.log10(), words)).collect()
        }
        None => {
            let exponents = linear(range, most).into_iter().filter(|(at, _)| at.fract() == 0.0);
            exponents.map(|(at, _)| power(1, at as i32)).collect()
        }
    }
}

/// A number between ticks, with digits for a thousandth of the range.
pub(crate) fn between(value: f64, range: &Range<f64>) -> String {
    let digits = (3.0 - (range.end - range.start).log10().floor()).clamp(0.0, 12.0);
    trimmed(format!("{value:.*}", digits as usize))
}

/// `digit * 10^exponent` on an axis of logarithms.
fn power(digit: i32, exponent: i32) -> Tick {
    let value = f64::from(digit) * 10f64.powi(exponent);
    let words =
        if (-4..6).contains(&exponent) { trimmed(format!("{value:.4}")) } else { format!("{digit}e{exponent}") };
    (f64::from(digit).log10() + f64::from(exponent), words)
}

/// A distance between ticks.
struct Step {
    digit: i64,
    exponent: i32,
}

impl Step {
    /// Its multiples in a range, unless there are more than `most` or they cannot be told apart.
    fn multiples(&self, range: &Range<f64>, most: usize) -> Option<Vec<Multiple>> {
        // A hair of tolerance: 0.3 is a multiple of 0.1.
        let first = (self.quotient(range.start) - 1e-9).ceil();
        let last = (self.quotient(range.end) + 1e-9).floor();
        let exact = first.abs().max(last.abs()) < 1e15;
        (exact && last - first < most as f64).then(|| {
            let digits = (first as i64..=last as i64).map(|number| number * self.digit);
            digits.map(|digits| Multiple { digits, exponent: self.exponent }).collect()
        })
    }

    fn quotient(&self, value: f64) -> f64 {
        scaled(value, -self.exponent) / self.digit as f64
    }
}

/// `digits * 10^exponent`.
struct Multiple {
    digits: i64,
    exponent: i32,
}

impl Multiple {
    fn value(&self) -> f64 {
        scaled(self.digits as f64, self.exponent)
    }

    /// With as many digits as it has.
    fn plain(&self) -> String {
        trimmed(format!("{:.*}", (-self.exponent).max(0) as usize, self.value()))
    }

    fn scientific(&self) -> String {
        let digits = self.digits.unsigned_abs().checked_ilog10().unwrap_or(0) as usize;
        let text = format!("{:.digits$e}", self.value());
        match text.split_once('e') {
            Some((digits, exponent)) if self.digits != 0 => trimmed(digits.to_owned()) + "e" + exponent,
            _ => "0".into(),
        }
    }
}

/// `value * 10^exponent`. Powers of ten that are whole are exact, so that tenths come from a division.
fn scaled(value: f64, exponent: i32) -> f64 {
    match exponent {
        0.. => value * 10f64.powi(exponent),
        _ => value / 10f64.powi(-exponent),
    }
}

/// In one notation for all: scientific where a number is very large or small and that is shorter.
fn label(multiples: Vec<Multiple>, range: &Range<f64>) -> Vec<Tick> {
    let largest = range.start.abs().max(range.end.abs());
    let usual = (1e-4..1e6).contains(&largest);
    let words = |form: fn(&Multiple) -> String| multiples.iter().map(form).collect::<Vec<_>>();
    let length = |words: &[String]| words.iter().map(String::len).sum::<usize>();
    let (plain, scientific) = (words(Multiple::plain), words(Multiple::scientific));
    let words = if usual || length(&plain) <= length(&scientific) { plain } else { scientific };
    multiples.iter().map(Multiple::value).zip(words).collect()
}

/// Without zeros behind the point that say nothing.
fn trimmed(number: String) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ticks: Vec<Tick>) -> String {
        ticks.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_are_round_and_as_many_as_allowed() {
        for (range, most, expected) in [
            (0.0..1.0, 5, "0 0.5 1"),
            (0.0..0.3, 5, "0 0.1 0.2 0.3"),
            (-18.9..18.9, 5, "-10 0 10"),
            (1.0..3000.0, 10, "500 1000 1500 2000 2500 3000"),
            (0.0..2e6, 5, "0 5e5 1e6 1.5e6 2e6"),
            (0.0..4.5e275, 5, "0 1e275 2e275 3e275 4e275"),
            (0.0..3e-7, 5, "0 1e-7 2e-7 3e-7"),
            // A clock in seconds; differences are what matters.
            (1_700_000_003.0..1_700_000_095.0, 5, "1700000020 1700000040 1700000060 1700000080"),
            (0.5..0.500_000_4, 5, "0.5 0.5000001 0.5000002 0.5000003 0.5000004"),
        ] {
            assert_eq!(words(linear(&range, most)), expected, "{range:?}");
        }
    }

    #[test]
    fn ticks_are_where_their_words_say() {
        for scale in [1e-300, 3.7e-9, 1.0, 12.3, 8e14, 1e299] {
            for shift in [-1.0, -0.2, 0.0, 5.0] {
                let range = shift * scale..(shift + 1.0) * scale;
                let ticks = linear(&range, 7);
                assert!((3..=7).contains(&ticks.len()), "{range:?}: {ticks:?}");
                for (at, words) in ticks {
                    assert!((words.parse::<f64>().unwrap() - at).abs() <= 1e-12 * scale, "{at}: {words}");
                    assert!(at >= range.start - 1e-8 * scale && at <= range.end + 1e-8 * scale);
                }
            }
        }
    }

    #[test]
    fn ranges_in_which_nothing_can_be_told_apart_have_no_ticks() {
        let close = 1.7e9..f64::from_bits(1.7e9_f64.to_bits() + 1);
        for range in [0.0..0.0, 1.0..0.0, 0.0..f64::INFINITY, f64::NAN..1.0, close, 0.0..5e-324] {
            assert!(linear(&range, 5).len() <= 5, "{range:?}");
        }
        assert!(linear(&(0.0..1.0), 0).is_empty());
    }

    #[test]
    fn logarithms_are_labelled_by_their_numbers() {
        for (range, most, expected) in [
            (-1.9..0.27, 7, "0.02 0.05 0.1 0.2 0.5 1"),
            (-1.9..0.27, 5, "0.03 0.1 0.3 1"),
            (-6.5..1.2, 9, "1e-6 1e-5 0.0001 0.001 0.01 0.1 1 10"),
            (-12.0..0.0, 7, "1e-12 1e-10 1e-8 1e-6 0.0001 0.01 1"),
            (-0.52..-0.47, 5, "0.31 0.32 0.33"),
        ] {
            assert_eq!(words(logarithmic(&range, most)), expected, "{range:?}");
        }
        for (at, words) in logarithmic(&(-3.3..2.7), 6) {
            assert!((10f64.powf(at) / words.parse::<f64>().unwrap() - 1.0).abs() < 1e-12);
        }
        assert!(logarithmic(&(-320.0..308.0), 5).len() > 1);
        assert!(logarithmic(&(f64::NAN..1.0), 5).is_empty());
    }

    #[test]
    fn a_number_between_ticks_has_digits_for_a_thousandth() {
        assert_eq!(between(82.612_345, &(80.0..90.0)), "82.61");
        assert_eq!(between(1_700_000_012.3, &(1.7e9..1.7e9 + 9e4)), "1700000012");
    }
}
