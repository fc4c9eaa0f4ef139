//! [`Targets`]: what kind of targets sequences have.

use std::fmt;

use bd_core::text::plural;
use serde::{Deserialize, Serialize};

use crate::loss::{Loss, OverTime};

/// What kind of targets sequences have.
///
/// | name | target | array | usual loss |
/// |---|---|---|---|
/// | `labels` | a class for each sequence | int64 `[sample]` | cross entropy of the mean over time |
/// | `labels_of_steps` | a class for each step | int64 `[sample, time]` | cross entropy at every step |
/// | `series` | numbers for each step | float `[sample, time, output]` | mean square error |
/// | `vectors` | numbers for each sequence | float `[sample, output]` | mean square error |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Targets {
    /// A label for each sequence.
    Labels {
        /// Number of classes; labels go from 0 to one less.
        classes: i64,
    },
    /// A label for each step.
    LabelsOfSteps {
        /// Number of classes.
        classes: i64,
    },
    /// Numbers for each step.
    Series {
        /// Numbers of a step.
        n_out: i64,
    },
    /// Numbers for each sequence.
    Vectors {
        /// Numbers of a sequence.
        n_out: i64,
    },
}

impl Targets {
    /// Outputs that a model needs: one for each class or number.
    pub fn n_out(self) -> i64 {
        match self {
            Self::Labels { classes: n } | Self::LabelsOfSteps { classes: n } => n,
            Self::Series { n_out: n } | Self::Vectors { n_out: n } => n,
        }
    }

    /// The same labels, of so many classes; numbers stay what they are.
    pub(super) fn with_classes(self, classes: i64) -> Self {
        match self {
            Self::Labels { .. } => Self::Labels { classes },
            Self::LabelsOfSteps { .. } => Self::LabelsOfSteps { classes },
            numbers => numbers,
        }
    }

    /// Whether they are labels, and not numbers.
    pub fn are_labels(self) -> bool {
        matches!(self, Self::Labels { .. } | Self::LabelsOfSteps { .. })
    }

    /// Whether there is one for each step.
    pub fn of_steps(self) -> bool {
        matches!(self, Self::LabelsOfSteps { .. } | Self::Series { .. })
    }

    /// The usual loss.
    pub fn loss(self) -> Loss {
        match self {
            Self::Labels { .. } => Loss::CrossEntropy { over: OverTime::Mean },
            Self::LabelsOfSteps { .. } => Loss::CrossEntropy { over: OverTime::Every },
            Self::Series { .. } | Self::Vectors { .. } => Loss::Mse,
        }
    }

    /// In few words, such as `2 classes at every step`.
    pub fn describe(self) -> String {
        match self {
            Self::Labels { classes } => format!("{classes} classes"),
            Self::LabelsOfSteps { classes } => format!("{classes} classes at every step"),
            Self::Series { n_out } => format!("{} at every step", plural(n_out as usize, "target")),
            Self::Vectors { n_out } => format!("{} a sequence", plural(n_out as usize, "target")),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels { classes } => write!(f, "labels of sequences, of 0 to {}", classes - 1),
            Self::LabelsOfSteps { classes } => write!(f, "labels of steps, of 0 to {}", classes - 1),
            Self::Series { n_out } => write!(f, "targets for each step, of {n_out} outputs"),
            Self::Vectors { n_out } => write!(f, "targets for each sequence, of {n_out} outputs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_choose_cross_entropy_and_numbers_the_mean_square() {
        assert_eq!(Targets::Labels { classes: 2 }.loss(), Loss::CrossEntropy { over: OverTime::Mean });
        assert_eq!(Targets::LabelsOfSteps { classes: 2 }.loss(), Loss::CrossEntropy { over: OverTime::Every });
        assert_eq!((Targets::Series { n_out: 1 }.loss(), Targets::Vectors { n_out: 1 }.loss()), (Loss::Mse, Loss::Mse));
    }

    /// Names that configurations of runs rely on.
    #[test]
    fn targets_are_read_by_name() {
        for (targets, text) in [
            (Targets::Labels { classes: 3 }, r#"{"name":"labels","classes":3}"#),
            (Targets::LabelsOfSteps { classes: 3 }, r#"{"name":"labels_of_steps","classes":3}"#),
            (Targets::Series { n_out: 2 }, r#"{"name":"series","n_out":2}"#),
            (Targets::Vectors { n_out: 2 }, r#"{"name":"vectors","n_out":2}"#),
        ] {
            assert_eq!(serde_json::to_string(&targets).unwrap(), text);
            assert_eq!(serde_json::from_str::<Targets>(text).unwrap(), targets);
        }
    }
}
