//! Losses by name, and [`Objective`]: what training makes small, a named loss or any closure.

mod check;
mod objective;
mod of_sequence;
mod over_time;
mod with_records;

use bd_core::{Error, Result, setting};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use self::check::check_labels;
use self::check::{check_class_targets, check_like_outputs, check_probabilities};
pub use self::objective::{EachStep, Objective, Records};
pub use self::of_sequence::OfSequence;
pub use self::over_time::OverTime;
use self::over_time::Valid;
pub use self::with_records::WithRecords;

/// The label of a step that no loss counts, where every step has one: PyTorch's `ignore_index`.
pub const UNCOUNTED: i64 = -100;

/// Losses by name. `d` is output minus target, `y` an output.
///
/// | name | loss | targets | parameters |
/// |---|---|---|---|
/// | `cross_entropy` | mean of `log sum_c e^(y_c) - y_label`, over samples with `y` as `over` says, or over samples and steps for `every` | `[batch]`, int64, from 0 to below `n_out`; for `every` also `[batch, time]`, in which [`UNCOUNTED`] steps do not count | `over` max |
/// | `mse` | mean of `d^2` | as the outputs | |
/// | `mae` | mean of `abs(d)` | as the outputs | |
/// | `huber` | mean of `d^2 / 2` where `abs(d) <= delta`, else of `delta (abs(d) - delta / 2)` | as the outputs | `delta` 1, above 0 |
/// | `binary_cross_entropy` | mean of `log(1 + e^y) - target y`: each output is a logit of its own | as the outputs, from 0 to 1 | |
///
/// Means are over samples, steps and outputs, but for padding where sequences have lengths. What stands in padding, outputs and
/// targets alike, may be anything, not a number included. Forms and names are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Loss {
    CrossEntropy { over: OverTime },
    Mse,
    Mae,
    Huber { delta: f64 },
    BinaryCrossEntropy,
}

impl Loss {
    /// Every loss, with its default parameters.
    pub fn all() -> [Self; 5] {
        [
            Self::CrossEntropy { over: OverTime::Max },
            Self::Mse,
            Self::Mae,
            Self::Huber { delta: 1.0 },
            Self::BinaryCrossEntropy,
        ]
    }

    /// Refuses parameters that cannot be.
    pub fn check_parameters(&self) -> Result<()> {
        match self {
            Self::Huber { delta } => setting::above_zero("huber.delta", *delta),
            _ => Ok(()),
        }
    }

    /// The loss of each output on its own.
    fn of_each(&self, outputs: &Tensor, targets: &Tensor) -> Tensor {
        match self {
            Self::CrossEntropy { .. } => {
                // Not tch's `cross_entropy_for_logits`: it computes in float32 whatever it is given.
                let log_p = outputs.log_softmax(-1, outputs.kind());
                -log_p.gather(-1, &targets.unsqueeze(-1), false)
            }
            Self::Mse => (outputs - targets).square(),
            Self::Mae => (outputs - targets).abs(),
            Self::Huber { delta } => {
                let distance = (outputs - targets).abs();
                let near = distance.clamp_max(*delta);
                (distance - &near * 0.5) * near
            }
            // log(1 + e^y) = y - log sigmoid(y), which libtorch computes without overflow.
            Self::BinaryCrossEntropy => (1.0 - targets) * outputs - outputs.log_sigmoid(),
        }
    }
}

impl Objective for Loss {
    fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        self.check_parameters()?;
        match self {
            Self::CrossEntropy { over } => check_class_targets(outputs, targets, lengths, *over == OverTime::Every),
            Self::BinaryCrossEntropy => {
                check_like_outputs(outputs, kind, targets)?;
                check_probabilities(targets, lengths)
            }
            _ => check_like_outputs(outputs, kind, targets),
        }
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        let kind = outputs.kind();
        match self {
            Self::CrossEntropy { over: OverTime::Every } if targets.dim() == 1 => {
                let of_steps = targets.unsqueeze(1).expand(&outputs.size()[..2], false);
                return self.loss(outputs, &of_steps, lengths);
            }
            Self::CrossEntropy { over: OverTime::Every } => {
                let valid = Valid::counted(targets, lengths);
                return valid.mean(&self.of_each(&valid.fill(outputs, 0.0), &valid.fill(targets, 0.0)));
            }
            Self::CrossEntropy { over } => {
                return self.of_each(&over.scores(outputs, lengths), targets).mean(kind);
            }
            _ => {}
        }
        match lengths.map(|lengths| Valid::new(lengths, outputs.size()[1])) {
            // Padding is taken out first: what is not finite there would go into the gradient as 0 times infinity.
            Some(valid) => valid.mean(&self.of_each(&valid.fill(outputs, 0.0), &valid.fill(targets, 0.0))),
            None => self.of_each(outputs, targets).mean(kind),
        }
    }

    fn weight(&self, [batch, time, _]: [i64; 3], lengths: Option<&Tensor>) -> f64 {
        match lengths {
            _ if !self.by_step() => batch as f64,
            Some(lengths) => lengths.sum(Kind::Int64).int64_value(&[]) as f64,
            None => (batch * time) as f64,
        }
    }

    fn weight_of(&self, outputs: [i64; 3], targets: &Tensor, lengths: Option<&Tensor>) -> f64 {
        match self {
            Self::CrossEntropy { over: OverTime::Every } if targets.dim() == 2 => {
                let lengths = lengths.map(|lengths| lengths.to_device(targets.device()));
                Valid::counted(targets, lengths.as_ref()).steps()
            }
            _ => self.weight(outputs, lengths),
        }
    }

    fn by_step(&self) -> bool {
        !matches!(self, Self::CrossEntropy { over } if *over != OverTime::Every)
    }

    fn by_piece(&self) -> bool {
        // The label of a sequence is that of each of its pieces. But only the last piece has the last step, and a sum over a piece is
        // another scale of scores.
        matches!(self, Self::CrossEntropy { over: OverTime::Max | OverTime::Mean }) || self.by_step()
    }

    /// As measured: what operations keep for their gradient, and the gradients in between. With padding, outputs and targets are
    /// filled first.
    fn copies(&self, padded: bool) -> usize {
        match self {
            Self::CrossEntropy { over: OverTime::Every } => 3,
            Self::CrossEntropy { over } => over.copies(padded),
            Self::Mse => 4,
            Self::Mae => 3 + usize::from(padded),
            Self::Huber { .. } => 6 + usize::from(padded),
            Self::BinaryCrossEntropy => 5 + 2 * usize::from(padded),
        }
    }
}

/// The fraction of samples whose greatest score `[batch, n]` is that of their label `[batch]`; of steps likewise, with `[batch, time,
/// n]` and `[batch, time]`. Fails if there is not a label for each, or none.
pub fn accuracy(scores: &Tensor, labels: &Tensor) -> Result<f64> {
    let (of_scores, of_labels) = (scores.size(), labels.size());
    if of_scores.split_last().is_none_or(|(classes, samples)| *classes == 0 || samples != of_labels)
        || labels.numel() == 0
    {
        let expected = format!("a label for each of the scores {of_scores:?}, which are [.., classes]");
        return Err(Error::Shape { what: "labels".into(), expected, found: of_labels });
    }
    let correct = scores.f_argmax(-1, false)?.f_eq_tensor(labels)?;
    Ok(correct.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
}

#[cfg(test)]
mod tests;
