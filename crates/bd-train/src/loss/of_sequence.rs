//! [`OfSequence`]: one target for a whole sequence.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::{Loss, Objective, OverTime};

/// A loss of outputs against targets `[batch, n_out]`, one for each sequence: the outputs over time become one, as `over` says, which
/// a loss of single outputs then judges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfSequence {
    /// `mse` or another one whose targets are as the outputs.
    pub loss: Loss,
    /// Which output stands for the sequence.
    pub over: OverTime,
}

impl OfSequence {
    /// The output of each sequence, `[batch, n_out]`.
    pub fn outputs(&self, outputs: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        self.over.scores(outputs, lengths)
    }
}

impl Objective for OfSequence {
    fn check(
        &self,
        [batch, _, n_out]: [i64; 3],
        kind: Kind,
        targets: &Tensor,
        _lengths: Option<&Tensor>,
    ) -> Result<()> {
        let as_one_step = if targets.dim() == 2 { targets.unsqueeze(1) } else { targets.shallow_clone() };
        self.loss.check([batch, 1, n_out], kind, &as_one_step, None)
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        self.loss.loss(&self.outputs(outputs, lengths).unsqueeze(1), &targets.unsqueeze(1), None)
    }

    /// One output of each sequence is next to nothing.
    fn copies(&self, padded: bool) -> usize {
        self.over.copies(padded)
    }
}
