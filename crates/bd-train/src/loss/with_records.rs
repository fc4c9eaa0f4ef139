//! [`WithRecords`]: an objective with a term of states.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::objective::{Objective, Records};

/// An objective to which a term is added that sees states over time: a penalty on firing rates, or on rates of hidden units.
///
/// `term` is given the records, each `[batch, time, n]` inside the graph, and the lengths of padded sequences. Where sequences are
/// cut in pieces it sees those of a piece, and where several batches make an update it is weighted as the objective is: let it be a
/// mean.
///
/// ```
/// use bd_train::loss::{Loss, OverTime, WithRecords};
/// use bd_core::tch::Kind;
///
/// let loss = Loss::CrossEntropy { over: OverTime::Max };
/// // 10 times the mean over all neurons of (rate - 0.01)^2, with rates in spikes a step.
/// let loss = WithRecords::new(loss, ["r.spike"], |records, _lengths| {
///     let rates = records["r.spike"].mean_dim([0i64, 1].as_slice(), false, Kind::Float);
///     (rates - 0.01).square().mean(Kind::Float) * 10.0
/// });
/// # let _ = loss;
/// ```
#[derive(Debug, Clone)]
pub struct WithRecords<O, F> {
    objective: O,
    names: Vec<String>,
    term: F,
}

impl<O: Objective, F: Fn(&Records, Option<&Tensor>) -> Tensor> WithRecords<O, F> {
    /// `objective`, and a term of the states of these names.
    pub fn new<S: Into<String>>(objective: O, names: impl IntoIterator<Item = S>, term: F) -> Self {
        Self { objective, names: names.into_iter().map(Into::into).collect(), term }
    }
}

impl<O: Objective, F: Fn(&Records, Option<&Tensor>) -> Tensor> Objective for WithRecords<O, F> {
    fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        self.objective.check(outputs, kind, targets, lengths)
    }

    /// Without the term.
    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        self.objective.loss(outputs, targets, lengths)
    }

    fn records(&self) -> Vec<String> {
        let mut names = self.objective.records();
        names.extend(self.names.iter().cloned());
        names
    }

    fn loss_with(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>, records: &Records) -> Tensor {
        self.objective.loss_with(outputs, targets, lengths, records) + (self.term)(records, lengths)
    }

    fn weight(&self, outputs: [i64; 3], lengths: Option<&Tensor>) -> f64 {
        self.objective.weight(outputs, lengths)
    }

    fn weight_of(&self, outputs: [i64; 3], targets: &Tensor, lengths: Option<&Tensor>) -> f64 {
        self.objective.weight_of(outputs, targets, lengths)
    }

    fn by_step(&self) -> bool {
        self.objective.by_step()
    }

    fn by_piece(&self) -> bool {
        self.objective.by_piece()
    }

    fn copies(&self, padded: bool) -> usize {
        self.objective.copies(padded)
    }
}
