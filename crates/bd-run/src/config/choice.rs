//! Settings of a forecast with several values, of which the validation part chooses one: [`NvarChoice`], [`RidgeChoice`]; and how the
//! series is divided for it: [`SplitChoice`].

use bd_core::{Error, Result, setting};
use bd_models::NvarConfig;
use bd_train::{Ridge, Solver};
use serde::{Deserialize, Serialize};

/// Delays that are tried on a file: the shortest, which forecast what follows from the last points, and one more than one and two years of
/// months, for the point that repeats after a period has one before it that does too: `(1 - a B)(1 - b B^12)` has 13 lags.
const DELAYS: [usize; 8] = [1, 2, 3, 5, 9, 13, 18, 25];

/// The delay for a file where nothing is chosen: that of the literature's AR(9) of yearly sunspot numbers.
pub(super) const UNCHOSEN_DELAY: usize = 9;

/// The penalty where nothing is chosen: the tutorial's.
pub(super) const UNCHOSEN_ALPHA: f64 = 1e-6;

/// Penalties that are tried on a file, whose channels are standardised: from none to speak of to one that outweighs a hundred points.
pub(super) fn ladder() -> Vec<f64> {
    penalties("1e-8..1e2").expect("it is a range of powers of ten")
}

/// Settings of a reservoir that are tried where nobody says how many.
pub(super) const USUAL_SEARCH: usize = 20;

/// Refuses a number of settings that is a mistake in writing.
pub(super) fn check_search(settings: usize) -> Result<()> {
    setting::check("search", settings, settings <= MOST_SEARCHED, &format!("at most {MOST_SEARCHED}"))
}

const MOST_SEARCHED: usize = 100_000;

/// [`SplitConfig`](bd_train::data::SplitConfig), with values that depend on others where nobody sets them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SplitChoice {
    /// Null: for a file what the lags reach back, those of the longest delay that is tried; for a system 0.2.
    pub warmup: Option<f64>,
    /// Null: a validation part only if there is something to choose.
    pub split: Option<[f64; 3]>,
    /// Whether the targets of the last points of a part lie in the part after it, as in BrainPy's tutorial. Otherwise a part
    /// ends with its last target.
    pub targets_beyond: bool,
}

/// [`NvarConfig`] with any number of delays to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NvarChoice {
    /// Numbers of points, of which the validation part chooses one. One alone is written as a number.
    #[serde(with = "one_or_more")]
    #[cfg_attr(feature = "schema", schemars(with = "one_or_more::OneOrMore"))]
    pub delay: Vec<usize>,
    /// Steps between points.
    pub stride: usize,
    /// Orders of the products.
    pub order: Vec<usize>,
    /// Whether there is a constant feature.
    pub constant: bool,
}

impl NvarChoice {
    /// Linear features of the last points: on a few hundred points products win the validation part and lose the test.
    pub(super) fn of_a_file() -> Self {
        Self { delay: DELAYS.to_vec(), stride: 1, order: vec![1], constant: false }
    }

    /// With one delay.
    pub fn with(&self, delay: usize) -> NvarConfig {
        let Self { stride, ref order, constant, .. } = *self;
        NvarConfig { delay, stride, order: order.clone(), constant }
    }

    /// Whether the delay is still to be chosen.
    pub fn is_open(&self) -> bool {
        self.delay.len() > 1
    }

    pub(super) fn check(&self) -> Result<()> {
        let delays = &self.delay;
        let config = |what: &str| Err(Error::Config(format!("nvar.delay is {delays:?}; {what}")));
        if delays.is_empty() {
            return config("it is one number of points, or several to choose from");
        }
        if self.is_open() && delays.contains(&0) {
            return config("each number of points is at least 1");
        }
        if has_twice(delays).is_some() {
            return config("each number of points can be named once");
        }
        Ok(())
    }
}

impl From<NvarConfig> for NvarChoice {
    fn from(NvarConfig { delay, stride, order, constant }: NvarConfig) -> Self {
        Self { delay: vec![delay], stride, order, constant }
    }
}

/// [`Ridge`] with any number of penalties to choose from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RidgeChoice {
    /// Penalties, of which the validation part chooses one.
    pub alpha: Vec<f64>,
    /// How the regression is solved.
    pub solver: Solver,
    /// Share of the penalty that is of absolute values, from 0, ridge regression, to 1, the lasso: above 0 weights of some features are zero.
    pub l1_ratio: f64,
    /// Whether the penalty holds down the intercept, too.
    pub penalise_intercept: bool,
    /// Samples that are factorised at once.
    pub chunk_rows: usize,
}

impl RidgeChoice {
    /// With one penalty.
    pub fn with(&self, alpha: f64) -> Ridge {
        let Self { solver, l1_ratio, penalise_intercept, chunk_rows, .. } = *self;
        Ridge { alpha, solver, l1_ratio, penalise_intercept, chunk_rows }
    }

    pub(super) fn check(&self) -> Result<()> {
        let alphas = &self.alpha;
        if alphas.is_empty() {
            return Err(Error::Config("ridge.alpha is empty; it is one penalty, or several to choose from".into()));
        }
        alphas.iter().try_for_each(|&alpha| self.with(alpha).check())?;
        match has_twice(alphas) {
            Some(twice) => Err(Error::Config(format!("ridge.alpha has {twice:e} twice, in {alphas:?}"))),
            None => Ok(()),
        }
    }
}

/// The first value that a list has had before.
fn has_twice<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)).map(|(_, value)| *value)
}

/// A list of numbers; a single one stands without brackets.
mod one_or_more {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(untagged, expecting = "expected a whole number of points, or a list of such numbers")]
    pub(super) enum OneOrMore {
        One(usize),
        More(Vec<usize>),
    }

    pub(super) fn serialize<S: Serializer>(values: &[usize], serializer: S) -> Result<S::Ok, S::Error> {
        match values {
            [one] => one.serialize(serializer),
            more => more.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
        Ok(match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        })
    }
}

/// Penalties as text, separated by commas; `1e-8..1e2` stands for each power of ten from one to the other.
pub fn penalties(text: &str) -> Result<Vec<f64>> {
    let bad = |part: &str, why: &str| Error::Config(format!("--alpha {part}: {why}"));
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => Err(Error::Config(format!("--alpha is {value}; it must be a number"))),
        Err(_) => Err(bad(part, "expected numbers separated by commas, or a range of powers of ten such as 1e-8..1e2")),
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let Some((from, to)) = part.split_once("..") else {
            all.push(number(part)?);
            continue;
        };
        let [from, to] = [number(from)?, number(to)?].map(|end| if end > 0.0 { end.log10() } else { f64::NAN });
        if !(from <= to && from.fract() == 0.0 && to.fract() == 0.0) {
            return Err(bad(part, "a range goes from a power of ten to a greater one"));
        }
        // Read from text, as it would be if it were written out: 10^-5 by multiplication is not quite 1e-5.
        let powers = (from as i32..=to as i32).map(|power| format!("1e{power}").parse().expect("a power of ten"));
        all.extend(powers.collect::<Vec<f64>>());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn penalties_are_a_list_or_powers_of_ten() {
        assert_eq!(penalties("0.5").unwrap(), [0.5]);
        assert_eq!(penalties("0,1e-6..1e-3, 2").unwrap(), [0.0, 1e-6, 1e-5, 1e-4, 1e-3, 2.0]);
        for (text, words) in [
            ("1e-3..1e-6", "a range goes from"),
            ("0..1", "a range goes from"),
            ("2..20", "a range goes from"),
            ("many", "--alpha many: expected numbers"),
            ("", "--alpha : expected numbers"),
            ("NaN", "--alpha is NaN"),
        ] {
            let error = penalties(text).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }

    #[test]
    fn one_delay_is_written_as_a_number() {
        let nvar = |delay: Value| json!({"delay": delay, "stride": 1, "order": [1], "constant": false});
        for (read, delays, written) in
            [(json!(9), vec![9], json!(9)), (json!([9]), vec![9], json!(9)), (json!([1, 9]), vec![1, 9], json!([1, 9]))]
        {
            let choice: NvarChoice = serde_json::from_value(nvar(read)).unwrap();
            assert_eq!((&choice.delay, choice.is_open()), (&delays, delays.len() > 1));
            assert_eq!(serde_json::to_value(&choice).unwrap(), nvar(written));
        }
        let error = serde_json::from_value::<NvarChoice>(nvar(json!("many"))).unwrap_err().to_string();
        assert!(error.contains("expected a whole number of points, or a list"), "{error}");
    }

    #[test]
    fn delays_that_cannot_be_chosen_from_are_refused() {
        for (delay, words) in [
            (vec![], "nvar.delay is []; it is one number of points, or several"),
            (vec![0, 3], "nvar.delay is [0, 3]; each number of points is at least 1"),
            (vec![3, 2, 3], "nvar.delay is [3, 2, 3]; each number of points can be named once"),
        ] {
            let error = NvarChoice { delay, ..NvarChoice::of_a_file() }.check().unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
