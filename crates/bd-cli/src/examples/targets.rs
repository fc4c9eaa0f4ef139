//! [`Targets`]: what is wanted of sequences.

use std::fmt;

use bd_train::{Loss, OverTime};
use serde::{Deserialize, Serialize};

use crate::text::plural;

/// What is wanted of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Targets {
    /// A label for each sequence.
    Labels { classes: i64 },
    /// A label for each step.
    LabelsOfSteps { classes: i64 },
    /// Numbers for each step.
    Series { n_out: i64 },
    /// Numbers for each sequence.
    Vectors { n_out: i64 },
}

impl Targets {
    pub(crate) fn n_out(self) -> i64 {
        match self {
            Self::Labels { classes: n } | Self::LabelsOfSteps { classes: n } => n,
            Self::Series { n_out: n } | Self::Vectors { n_out: n } => n,
        }
    }

    pub(crate) fn are_labels(self) -> bool {
        matches!(self, Self::Labels { .. } | Self::LabelsOfSteps { .. })
    }

    /// Whether there is one for each step.
    pub(crate) fn of_steps(self) -> bool {
        matches!(self, Self::LabelsOfSteps { .. } | Self::Series { .. })
    }

    /// The usual loss.
    pub(crate) fn loss(self) -> Loss {
        match self {
            Self::Labels { .. } => Loss::CrossEntropy { over: OverTime::Mean },
            Self::LabelsOfSteps { .. } => Loss::CrossEntropy { over: OverTime::Every },
            Self::Series { .. } | Self::Vectors { .. } => Loss::Mse,
        }
    }

    /// Whether a network that has learned these can be tested on others, of which the classes may be fewer.
    pub(super) fn include(self, others: Self) -> bool {
        match (others, self) {
            (Self::Labels { classes }, Self::Labels { classes: known })
            | (Self::LabelsOfSteps { classes }, Self::LabelsOfSteps { classes: known }) => classes <= known,
            (others, known) => others == known,
        }
    }

    /// In the line about the data.
    pub(super) fn describe(self) -> String {
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
