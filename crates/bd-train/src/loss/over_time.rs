//! [`OverTime`]: how outputs over time become scores. [`Valid`]: which steps are of a sequence and which are padding.

use bd_core::kernel::max_over_time;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// How outputs over time become one score for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OverTime {
    /// The greatest. Steps that are tied for it share its gradient equally, as in JAX.
    #[default]
    Max,
    /// The mean.
    Mean,
    /// That of the last step.
    Last,
    /// Half the mean and half that of the last step: what was seen at any time counts, and so does what the state has gathered.
    MeanLast,
    /// The sum: of spikes their number.
    Sum,
    /// None: every step has scores of its own.
    Every,
}

impl OverTime {
    /// `[batch, time, n]` to `[batch, n]`, or as it is for every step. Of sequences with `lengths`, `[batch]`, only the steps
    /// before them count; the scores of every step are then 0 where there is padding.
    pub fn scores(self, outputs: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        let Some(lengths) = lengths else { return self.of_all_steps(outputs) };
        let valid = Valid::new(lengths, outputs.size()[1]);
        let counts = || lengths.unsqueeze(1).to_kind(outputs.kind());
        match self {
            Self::Max => Self::Max.of_all_steps(&valid.fill(outputs, f64::NEG_INFINITY)),
            Self::Mean => Self::Sum.of_all_steps(&valid.fill(outputs, 0.0)) / counts(),
            Self::Last => {
                let [batch, n] = [0, 2].map(|dim| outputs.size()[dim]);
                let last = (lengths - 1).reshape([-1, 1, 1]).expand([batch, 1, n], false);
                outputs.gather(1, &last, false).squeeze_dim(1)
            }
            Self::MeanLast => self.of_both(|over| over.scores(outputs, Some(lengths))),
            Self::Sum | Self::Every => self.of_all_steps(&valid.fill(outputs, 0.0)),
        }
    }

    /// Half of each of [`Mean`](Self::Mean) and [`Last`](Self::Last).
    fn of_both(self, scores: impl Fn(Self) -> Tensor) -> Tensor {
        (scores(Self::Mean) + scores(Self::Last)) * 0.5
    }

    /// What the [`scores`](Self::scores) and their gradient make of tensors of the outputs' size, see
    /// [`Objective::copies`](super::Objective::copies).
    pub(super) fn copies(self, padded: bool) -> usize {
        // Outputs with padding filled, and the gradient of these.
        if self == Self::Max && padded { 2 } else { 0 }
    }

    fn of_all_steps(self, outputs: &Tensor) -> Tensor {
        match self {
            Self::Max => max_over_time(&outputs.transpose(0, 1)),
            Self::Mean => outputs.mean_dim(1, false, outputs.kind()),
            Self::Last => outputs.select(1, -1),
            Self::MeanLast => self.of_both(|over| over.of_all_steps(outputs)),
            Self::Sum => outputs.sum_dim_intlist(1, false, outputs.kind()),
            Self::Every => outputs.shallow_clone(),
        }
    }
}

/// The steps that count: those before the lengths of sequences.
pub(super) struct Valid {
    /// `[batch, time]`.
    padding: Tensor,
    count: Tensor,
}

impl Valid {
    pub(super) fn new(lengths: &Tensor, time: i64) -> Self {
        let steps = Tensor::arange(time, (Kind::Int64, lengths.device())).unsqueeze(0);
        Self { padding: steps.ge_tensor(&lengths.unsqueeze(1)), count: lengths.sum(Kind::Int64) }
    }

    /// The steps of labels `[batch, time]` that are counted: not [`UNCOUNTED`](super::UNCOUNTED), and no padding.
    pub(super) fn counted(labels: &Tensor, lengths: Option<&Tensor>) -> Self {
        let mut padding = labels.lt(0);
        if let Some(lengths) = lengths {
            padding = padding.logical_or(&Self::new(lengths, labels.size()[1]).padding);
        }
        // Of a piece in which nothing counts the mean is 0.
        let count = padding.logical_not().sum(Kind::Int64).clamp_min(1);
        Self { padding, count }
    }

    /// How many they are.
    pub(super) fn steps(&self) -> f64 {
        self.padding.logical_not().sum(Kind::Int64).int64_value(&[]) as f64
    }

    /// `[batch, time, ..]` with a value in place of padding, whatever stands there: it gets no gradient, even if it is not finite.
    pub(super) fn fill(&self, x: &Tensor, value: f64) -> Tensor {
        let mut padding = self.padding.shallow_clone();
        while padding.dim() < x.dim() {
            padding = padding.unsqueeze(-1);
        }
        x.masked_fill(&padding, value)
    }

    /// The mean of `[batch, time, ..]` over all but padding.
    pub(super) fn mean(&self, x: &Tensor) -> Tensor {
        let a_step: i64 = x.size()[2..].iter().product();
        self.fill(x, 0.0).sum(x.kind()) / (&self.count * a_step).to_kind(x.kind())
    }
}
