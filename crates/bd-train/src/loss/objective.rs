//! [`Objective`]: what training makes small.

use std::collections::BTreeMap;

use bd_core::{Error, Result};
use tch::{Kind, Tensor};

/// What training makes small: a scalar of outputs `[batch, time, n_out]` and targets. Any closure of the two is one.
///
/// `lengths`, int64 `[batch]`, are there where sequences are padded at their ends: the steps of a sequence from its length on
/// count for nothing.
pub trait Objective {
    /// Refuses targets that cannot be for outputs of this shape, `[batch, time, n_out]`, and dtype.
    fn check(&self, _outputs: [i64; 3], _kind: Kind, _targets: &Tensor, _lengths: Option<&Tensor>) -> Result<()> {
        Ok(())
    }

    /// The loss.
    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor;

    /// Names of the states that [`loss_with`](Self::loss_with) is to see, as in `r.spike`. A scan that records takes about three
    /// times as long, and keeps the records until its gradients are known.
    fn records(&self) -> Vec<String> {
        Vec::new()
    }

    /// The loss of an objective that asks for [`records`](Self::records): each `[batch, time, n]`, inside the graph. Without records
    /// it is [`loss`](Self::loss).
    fn loss_with(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>, _records: &Records) -> Tensor {
        self.loss(outputs, targets, lengths)
    }

    /// How many things the loss is a mean over, for outputs of this shape: what batches are weighted by where several make one
    /// loss. The number of sequences, unless it is said otherwise.
    fn weight(&self, outputs: [i64; 3], _lengths: Option<&Tensor>) -> f64 {
        outputs[0] as f64
    }

    /// The same of targets of which some may not count, as labels of steps that are [`UNCOUNTED`](super::UNCOUNTED).
    fn weight_of(&self, outputs: [i64; 3], _targets: &Tensor, lengths: Option<&Tensor>) -> f64 {
        self.weight(outputs, lengths)
    }

    /// The fraction of labels that have the greatest score, from 0 to 1; `None` where targets are no labels. Over several batches it is
    /// weighted as the loss is.
    fn accuracy(&self, _outputs: &Tensor, _targets: &Tensor, _lengths: Option<&Tensor>) -> Option<f64> {
        None
    }

    /// Whether each step is judged alone: targets are then `[batch, time, ..]`, or `[batch]` for all steps.
    fn by_step(&self) -> bool {
        false
    }

    /// Whether a piece of a sequence can be judged by itself, so that sequences can be cut in pieces: where each step is, and
    /// where every piece of a sequence has the target of the whole, as a label. Unless each step is judged alone, sequences must not be
    /// padded, for a piece of padding is nothing to judge.
    fn by_piece(&self) -> bool {
        self.by_step()
    }

    /// How many tensors of the outputs' size the loss and its gradient make at most, beside the outputs and their gradient: an
    /// estimate, by which the memory of an update is predicted. `padded` says whether sequences have lengths.
    fn copies(&self, _padded: bool) -> usize {
        3
    }
}

/// States over time by name, each `[batch, time, n]`.
pub type Records = BTreeMap<String, Tensor>;

impl<F: Fn(&Tensor, &Tensor) -> Tensor> Objective for F {
    fn check(&self, _outputs: [i64; 3], _kind: Kind, _targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        refuse_lengths(lengths)
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, _lengths: Option<&Tensor>) -> Tensor {
        self(outputs, targets)
    }
}

/// A closure that is a mean over samples and steps, each step judged alone: sequences can be cut in pieces.
#[derive(Debug, Clone, Copy)]
pub struct EachStep<F>(pub F);

impl<F: Fn(&Tensor, &Tensor) -> Tensor> Objective for EachStep<F> {
    fn check(&self, _outputs: [i64; 3], _kind: Kind, _targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        refuse_lengths(lengths)
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, _lengths: Option<&Tensor>) -> Tensor {
        (self.0)(outputs, targets)
    }

    fn weight(&self, [batch, time, _]: [i64; 3], _lengths: Option<&Tensor>) -> f64 {
        (batch * time) as f64
    }

    fn by_step(&self) -> bool {
        true
    }
}

fn refuse_lengths(lengths: Option<&Tensor>) -> Result<()> {
    if lengths.is_none() {
        return Ok(());
    }
    Err(Error::Config(
        "the sequences have lengths, and a closure of outputs and targets does not see them: it would count padding; use a named \
         loss, or implement Objective"
            .into(),
    ))
}
