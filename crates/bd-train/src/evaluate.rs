//! [`Criterion`]: the loss of a training, and what else a trained model is judged by; [`Evaluation`]: what comes of it.

use bd_core::{DataTransform, Error, Result, Shared, System, Tap};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::data::dataset::padding;
use crate::data::{EvaluationSet, Targets};
use crate::loss::{Loss, Objective, OfSequence, OverTime, accuracy};
use crate::metrics::forecast_error;
use crate::predict::predict;

/// Which output stands for a sequence where there is one target of numbers for each.
pub const OF_SEQUENCE: OverTime = OverTime::Last;

const ONE_LABEL: &str = "over is every, but a sequence has one label";
const LABELS_OF_STEPS: &str = "every step has a label, so that over must be every";

/// A loss, of the outputs at all steps or of one output for each sequence. It is the [`Objective`] of a training, and
/// [`evaluate`](Self::evaluate) judges a trained model by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
    /// Of the outputs of all steps; `cross_entropy` makes scores of them as its `over` says.
    Steps(Loss),
    /// Of one output for each sequence.
    Sequences(OfSequence),
}

impl Criterion {
    /// For the targets of a data set. Fails with a reason if the loss is not one of such targets.
    pub fn for_targets(loss: Loss, targets: Targets) -> Result<Self> {
        let over = over(loss);
        check(loss, targets.are_labels())?;
        match targets {
            Targets::Labels { .. } if over == Some(OverTime::Every) => refused(loss, ONE_LABEL),
            Targets::LabelsOfSteps { .. } if over != Some(OverTime::Every) => refused(loss, LABELS_OF_STEPS),
            Targets::Vectors { .. } => Ok(Self::Sequences(OfSequence { loss, over: OF_SEQUENCE })),
            _ => Ok(Self::Steps(loss)),
        }
    }

    /// For a task whose usual loss is `usual`, see [`Task::loss`](crate::Task::loss). Fails if one is of labels and the other is not, or one of
    /// labels of steps.
    pub fn for_task(loss: Loss, usual: Loss) -> Result<Self> {
        check(loss, over(usual).is_some())?;
        let every = |loss: Loss| over(loss) == Some(OverTime::Every);
        match (every(loss), every(usual)) {
            (true, false) => refused(loss, ONE_LABEL),
            (false, true) => refused(loss, LABELS_OF_STEPS),
            _ => Ok(Self::Steps(loss)),
        }
    }

    /// What is compared with targets, of outputs `[batch, time, n]`: scores `[batch, n]`, or all outputs as they are, or the
    /// output of each sequence `[batch, n]`.
    pub fn scores(&self, outputs: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        match self {
            Self::Steps(Loss::CrossEntropy { over }) => over.scores(outputs, lengths),
            Self::Steps(_) => outputs.shallow_clone(),
            Self::Sequences(of) => of.outputs(outputs, lengths),
        }
    }

    /// Runs `model` over examples, `batch` sequences at once, from `sha` and the initial state: the loss as in training, and all else
    /// in the units of the data, to which `transform` brings the outputs.
    ///
    /// Fails if the targets do not fit the loss, or if a state or the loss is not finite.
    pub fn evaluate<S: System>(
        &self,
        model: &S,
        transform: &impl DataTransform,
        sha: &Shared,
        set: &EvaluationSet,
        batch: usize,
    ) -> Result<Evaluation> {
        let _guard = tch::no_grad_guard();
        let (mut sum, mut weights, mut scores, mut sha) = (0.0, 0.0, Vec::new(), *sha);
        for batch in set.examples.batches(batch, None) {
            let batch = batch?;
            let (outputs, _) = predict(model, &sha, batch.inputs(), None, &mut Tap::none())?;
            sha = sha.samples_ahead(batch.count());
            let size = [outputs.size()[0], outputs.size()[1], outputs.size()[2]];
            self.check(size, outputs.kind(), batch.targets(), batch.lengths())?;
            let weight = self.weight_of(size, batch.targets(), batch.lengths());
            sum += weight * self.loss(&outputs, batch.targets(), batch.lengths()).double_value(&[]);
            weights += weight;
            let found = transform.outputs(&self.scores(&outputs, batch.lengths()));
            scores.push(found.to_device(Device::Cpu).to_kind(Kind::Double));
        }
        let loss = sum / weights;
        if !loss.is_finite() {
            let where_ = format!("it is {loss} on the test examples");
            return Err(Error::NotFinite { what: "the loss".into(), where_ });
        }
        Evaluation::new(loss, Tensor::cat(&scores, 0), &set.truth.to_device(Device::Cpu), set.examples.lengths())
    }
}

/// How a loss makes scores of outputs, if it is one of labels.
fn over(loss: Loss) -> Option<OverTime> {
    match loss {
        Loss::CrossEntropy { over } => Some(over),
        _ => None,
    }
}

fn check(loss: Loss, labels: bool) -> Result<()> {
    match over(loss) {
        None if labels => refused(loss, "the targets are labels, for which it is cross_entropy"),
        Some(_) if !labels => {
            refused(loss, "the targets are numbers, for which it is mse, mae, huber or binary_cross_entropy")
        }
        _ => Ok(()),
    }
}

fn refused<T>(loss: Loss, message: &str) -> Result<T> {
    let name = serde_json::to_value(loss).ok().and_then(|loss| loss["name"].as_str().map(str::to_owned));
    Err(Error::Config(format!("loss is {}: {message}", name.unwrap_or_default())))
}

/// Calls a method of the loss, whichever it is.
macro_rules! delegate {
    ($self:ident, $($call:tt)*) => {
        match $self {
            Self::Steps(loss) => loss.$($call)*,
            Self::Sequences(of) => of.$($call)*,
        }
    };
}

impl Objective for Criterion {
    fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        delegate!(self, check(outputs, kind, targets, lengths))
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        delegate!(self, loss(outputs, targets, lengths))
    }

    fn weight(&self, outputs: [i64; 3], lengths: Option<&Tensor>) -> f64 {
        delegate!(self, weight(outputs, lengths))
    }

    fn accuracy(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Option<f64> {
        let Self::Steps(Loss::CrossEntropy { .. }) = self else { return None };
        let [scores, labels] = [&self.scores(outputs, lengths), targets].map(|t| t.to_device(Device::Cpu));
        let by_step = scores.dim() == 3;
        let labels = rows(&labels, lengths, by_step && labels.dim() > 1);
        let [scores, labels] = counted(rows(&scores, lengths, by_step), labels);
        accuracy(&scores, &labels).ok()
    }

    fn weight_of(&self, outputs: [i64; 3], targets: &Tensor, lengths: Option<&Tensor>) -> f64 {
        delegate!(self, weight_of(outputs, targets, lengths))
    }

    fn by_step(&self) -> bool {
        delegate!(self, by_step())
    }

    fn by_piece(&self) -> bool {
        delegate!(self, by_piece())
    }

    fn copies(&self, padded: bool) -> usize {
        delegate!(self, copies(padded))
    }
}

/// What a model does on examples.
#[derive(Debug)]
pub struct Evaluation {
    /// The loss, as in training.
    pub loss: f64,
    /// What is compared with targets, on the host in float64: `[sample, time, output]`, or scores or outputs `[sample, n]`.
    pub outputs: Tensor,
    /// Targets in the units of the data, on the host.
    pub targets: Tensor,
    /// Fraction of labels that have the greatest score, from 0 to 1, if targets are labels.
    pub accuracy: Option<f64>,
    /// Mean square error, if targets are numbers.
    pub mse: Option<f64>,
    /// Mean over outputs of error over variance, see [`ForecastError::nmse`](crate::metrics::ForecastError::nmse), if targets are
    /// numbers.
    pub nmse: Option<f64>,
    /// If targets are labels, how often class (row) was taken for class (column).
    pub confusion: Option<Vec<Vec<i64>>>,
}

impl Evaluation {
    /// Compares `outputs`, `[sample, time, n]` or `[sample, n]` in float64, with targets in the units of the data, both on the host.
    /// Padding, the steps from `lengths` on, does not count.
    pub fn new(loss: f64, outputs: Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Result<Self> {
        let targets = targets.shallow_clone();
        let by_step = outputs.dim() == 3;
        let (y, t) = (rows(&outputs, lengths, by_step), rows(&targets, lengths, by_step && targets.dim() > 1));
        let mut found = Self { loss, accuracy: None, nmse: None, mse: None, confusion: None, outputs, targets };
        if found.targets.kind() == Kind::Int64 {
            let [y, t] = counted(y, t);
            let classes = y.size()[1];
            found.accuracy = Some(accuracy(&y, &t)?);
            let pairs = (&t * classes + y.argmax(1, false)).bincount::<Tensor>(None, classes * classes);
            found.confusion = Some(Vec::<Vec<i64>>::try_from(pairs.reshape([classes, classes]))?);
        } else {
            let error = forecast_error(&y, &t.to_kind(Kind::Double))?;
            (found.nmse, found.mse) = (Some(error.nmse()), Some(error.mse));
        }
        Ok(found)
    }

    /// By names that begin with `split`: `test_loss`, and `test_accuracy` or `test_mse` and `test_nmse`.
    pub fn metrics(&self, split: &str) -> Map<String, Value> {
        let all = [("loss", Some(self.loss)), ("accuracy", self.accuracy), ("mse", self.mse), ("nmse", self.nmse)];
        all.into_iter().filter_map(|(name, value)| Some((format!("{split}_{name}"), json!(value?)))).collect()
    }

    /// Outputs and targets by name: `score` and `label`, or `prediction` and `target`.
    pub fn arrays(&self) -> Vec<(String, Tensor)> {
        let labels = self.targets.kind() == Kind::Int64;
        let [output, target] = if labels { ["score", "label"] } else { ["prediction", "target"] };
        vec![(output.into(), self.outputs.shallow_clone()), (target.into(), self.targets.shallow_clone())]
    }
}

/// The rows of scores and labels that count.
fn counted(scores: Tensor, labels: Tensor) -> [Tensor; 2] {
    if labels.numel() == 0 || labels.min().int64_value(&[]) >= 0 {
        return [scores, labels];
    }
    let rows = labels.ge(0).nonzero().squeeze_dim(1);
    [scores, labels].map(|of| of.index_select(0, &rows))
}

/// Rows of what is no padding, `[row, ..]`.
fn rows(t: &Tensor, lengths: Option<&Tensor>, by_step: bool) -> Tensor {
    if !by_step {
        return t.shallow_clone();
    }
    match lengths {
        None => t.flatten(0, 1),
        Some(lengths) => {
            let valid = padding(&lengths.to_device(Device::Cpu), t.size()[1]).logical_not();
            t.flatten(0, 1).index_select(0, &valid.flatten(0, 1).nonzero().squeeze_dim(1))
        }
    }
}

#[cfg(test)]
mod tests;
