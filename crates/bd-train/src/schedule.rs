//! [`Schedule`]: learning rates as pure functions of the number of updates done.

use std::f64::consts::PI;

use bd_core::{Result, portable, setting};
use serde::{Deserialize, Serialize};

/// What a learning rate is multiplied by, before the update of number `step` (from 0).
///
/// | name | factor | parameters |
/// |---|---|---|
/// | `constant` | 1 | |
/// | `exponential_decay` | `rate^(step / steps)` | `rate` 0.999 per `steps` 1 updates; both above 0 |
/// | `cosine` | `floor + (1 - floor) (1 + cos(pi step / steps)) / 2`, and `floor` from `steps` on | `steps` 1000, at least 1; `floor` 0, from 0 to 1 |
/// | `multi_step` | `gamma^k` after `k` of the milestones, at each of which it is multiplied already | `milestones` `[500, 750]`, rising, from 1; `gamma` 0.1, above 0 |
/// | `warmup` | `(step + 1) / steps` for the first `steps` updates, then what `then` says, which counts from there | `steps` 100, at least 1; `then` any of these, `constant` |
///
/// `cosine` is one period of Loshchilov and Hutter 2017 (SGDR); `multi_step` is PyTorch's `MultiStepLR`. The first update after a
/// warm-up has the whole learning rate, as has the last one of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Schedule {
    #[default]
    Constant,
    ExponentialDecay {
        rate: f64,
        steps: f64,
    },
    Cosine {
        steps: u64,
        floor: f64,
    },
    MultiStep {
        milestones: Vec<u64>,
        gamma: f64,
    },
    Warmup {
        steps: u64,
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// Every schedule, with its default parameters.
    pub fn all() -> [Self; 5] {
        [
            Self::Constant,
            Self::ExponentialDecay { rate: 0.999, steps: 1.0 },
            Self::Cosine { steps: 1000, floor: 0.0 },
            Self::MultiStep { milestones: vec![500, 750], gamma: 0.1 },
            Self::Warmup { steps: 100, then: Box::default() },
        ]
    }

    /// The factor before the update of number `step`.
    pub fn factor(&self, step: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::ExponentialDecay { rate, steps } => portable::pow(*rate, step as f64 / steps),
            Self::Cosine { steps, floor } => {
                let done = step.min(*steps) as f64 / *steps as f64;
                floor + (1.0 - floor) * 0.5 * (1.0 + portable::cos(PI * done))
            }
            Self::MultiStep { milestones, gamma } => {
                gamma.powi(milestones.iter().filter(|milestone| **milestone <= step).count() as i32)
            }
            Self::Warmup { steps, .. } if step < *steps => (step + 1) as f64 / *steps as f64,
            Self::Warmup { steps, then } => then.factor(step - steps),
        }
    }

    /// Refuses parameters that cannot be.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Constant => Ok(()),
            Self::ExponentialDecay { rate, steps } => {
                setting::above_zero("exponential_decay.rate", *rate)?;
                setting::above_zero("exponential_decay.steps", *steps)
            }
            Self::Cosine { steps, floor } => {
                setting::at_least("cosine.steps", *steps, 1)?;
                setting::check("cosine.floor", floor, (0.0..=1.0).contains(floor), "from 0 to 1")
            }
            Self::MultiStep { milestones, gamma } => {
                let allowed = "numbers of updates from 1, each above the one before";
                let shown = format!("{milestones:?}");
                setting::check("multi_step.milestones", shown, rising_from_one(milestones), allowed)?;
                setting::above_zero("multi_step.gamma", *gamma)
            }
            Self::Warmup { steps, then } => {
                setting::at_least("warmup.steps", *steps, 1)?;
                then.check()
            }
        }
    }
}

fn rising_from_one(milestones: &[u64]) -> bool {
    !milestones.contains(&0) && milestones.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warm(steps: u64, then: Schedule) -> Schedule {
        Schedule::Warmup { steps, then: Box::new(then) }
    }

    #[track_caller]
    fn assert_factors(schedule: &Schedule, formula: impl Fn(u64) -> f64) {
        for step in 0..50 {
            let (found, expected) = (schedule.factor(step), formula(step));
            assert!((found - expected).abs() < 1e-14, "{schedule:?} at {step}: {found} and not {expected}");
        }
    }

    /// Each by another way to write it: products, double angles, counting on fingers.
    #[test]
    fn factors_are_their_formulas() {
        assert_factors(&Schedule::Constant, |_| 1.0);
        let decay = Schedule::ExponentialDecay { rate: 0.9, steps: 2.0 };
        assert_factors(&decay, |step| (0..step).map(|_| 0.9f64.sqrt()).product());
        let cosine = Schedule::Cosine { steps: 20, floor: 0.1 };
        let half_angle = |step: u64| (PI / 40.0 * step.min(20) as f64).cos().powi(2);
        assert_factors(&cosine, |step| 0.1 + 0.9 * half_angle(step));
        let multi_step = Schedule::MultiStep { milestones: vec![3, 10, 11], gamma: 0.5 };
        assert_factors(&multi_step, |step| match step {
            0..3 => 1.0,
            3..10 => 0.5,
            10 => 0.25,
            _ => 0.125,
        });
        for then in [decay, cosine, multi_step] {
            assert_factors(&warm(8, then.clone()), |step| match step {
                0..8 => 0.125 * (step + 1) as f64,
                _ => then.factor(step - 8),
            });
        }
    }

    #[test]
    fn defaults_can_be_and_are_read_back() {
        for schedule in Schedule::all().into_iter().chain([warm(2, Schedule::Cosine { steps: 5, floor: 0.5 })]) {
            schedule.check().unwrap();
            assert!((schedule.factor(200) - schedule.factor(200).clamp(0.0, 1.0)).abs() < 1e-15);
            let text = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule, "{text}");
        }
        let text = serde_json::to_string(&warm(2, Schedule::Constant)).unwrap();
        assert_eq!(text, r#"{"name":"warmup","steps":2,"then":{"name":"constant"}}"#);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (schedule, words) in [
            (Schedule::ExponentialDecay { rate: 0.0, steps: 1.0 }, "exponential_decay.rate is 0;"),
            (Schedule::Cosine { steps: 0, floor: 0.0 }, "cosine.steps is 0;"),
            (Schedule::Cosine { steps: 1, floor: 1.5 }, "cosine.floor is 1.5;"),
            (Schedule::MultiStep { milestones: vec![0], gamma: 0.1 }, "[0]"),
            (Schedule::MultiStep { milestones: vec![5, 5], gamma: 0.1 }, "[5, 5]"),
            (Schedule::MultiStep { milestones: vec![5], gamma: f64::NAN }, "multi_step.gamma is NaN;"),
            (warm(0, Schedule::Constant), "warmup.steps is 0;"),
            (warm(1, Schedule::Cosine { steps: 0, floor: 0.0 }), "cosine"),
        ] {
            let error = schedule.check().unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
