//! How the outputs of a network are judged: in training by a loss, afterwards also by what people ask for.

use bd_core::{DataTransform, Error, Result, Shared, Tap};
use bd_models::Pipeline;
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::metrics::forecast_error;
use bd_train::{Loss, Objective, OfSequence, OverTime, predict};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::targets::Targets;
use crate::plan::OF_SEQUENCE;
use crate::text::short;
use crate::training::Trained;

/// The loss of a job: of outputs, or of one output for each sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judge {
    Steps(Loss),
    Inputs(OfSequence),
}

/// What a trained network does on examples.
pub(crate) struct Evaluated {
    pub(crate) loss: f64,
    /// What is compared with targets, on the host in float64: `[sample, time, output]`, or scores or outputs `[sample, n]`.
    pub(crate) outputs: Tensor,
    pub(crate) targets: Tensor,
    /// Where targets are labels.
    pub(crate) accuracy: Option<f64>,
    /// Where they are numbers: error over variance.
    nmse: Option<f64>,
    mse: Option<f64>,
    /// How often class (row) was taken for class (column).
    pub(crate) confusion: Option<Vec<Vec<i64>>>,
}

impl Judge {
    /// For targets of a file.
    pub(crate) fn of_targets(loss: Loss, targets: Targets) -> Result<Self> {
        let over = over(loss);
        check(loss, targets.are_labels())?;
        match targets {
            Targets::Labels { .. } if over == Some(OverTime::Every) => {
                refused(loss, "over is every, but a sequence has one label")
            }
            Targets::LabelsOfSteps { .. } if over != Some(OverTime::Every) => {
                refused(loss, "every step has a label, so that over must be every")
            }
            Targets::Vectors { .. } => Ok(Self::Inputs(OfSequence { loss, over: OF_SEQUENCE })),
            _ => Ok(Self::Steps(loss)),
        }
    }

    /// For a task whose usual loss is another one, perhaps.
    pub(crate) fn of_task(loss: Loss, usual: Loss) -> Result<Self> {
        check(loss, over(usual).is_some())?;
        Ok(Self::Steps(loss))
    }

    /// What is compared with targets.
    pub(crate) fn read(&self, outputs: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        match self {
            Self::Steps(Loss::CrossEntropy { over }) => over.scores(outputs, lengths),
            Self::Steps(_) => outputs.shallow_clone(),
            Self::Inputs(of) => of.outputs(outputs, lengths),
        }
    }

    /// Of examples, with their targets as they were before any scaling: the loss as in training, and all else in the units of the
    /// data.
    pub(crate) fn evaluate(
        &self,
        network: &Pipeline,
        sha: &Shared,
        (examples, truth): (&Examples, &Tensor),
        batch: usize,
    ) -> Result<Evaluated> {
        let _guard = tch::no_grad_guard();
        let (mut sum, mut weights, mut read) = (0.0, 0.0, Vec::new());
        for batch in examples.batches(batch, None) {
            let batch = batch?;
            let (outputs, _) = predict(&network.net, sha, batch.inputs(), None, &mut Tap::none())?;
            let size = [outputs.size()[0], outputs.size()[1], outputs.size()[2]];
            self.check(size, outputs.kind(), batch.targets(), batch.lengths())?;
            let weight = self.weight(size, batch.lengths());
            sum += weight * self.loss(&outputs, batch.targets(), batch.lengths()).double_value(&[]);
            weights += weight;
            read.push(
                network.outputs(&self.read(&outputs, batch.lengths())).to_device(Device::Cpu).to_kind(Kind::Double),
            );
        }
        let loss = sum / weights;
        if !loss.is_finite() {
            let where_ = format!("it is {loss} on the test examples");
            return Err(Error::NotFinite { what: "the loss".into(), where_ });
        }
        Evaluated::new(loss, Tensor::cat(&read, 0), &truth.to_device(Device::Cpu), examples.lengths())
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

impl Objective for Judge {
    fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
        match self {
            Self::Steps(loss) => loss.check(outputs, kind, targets, lengths),
            Self::Inputs(of) => of.check(outputs, kind, targets, lengths),
        }
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        match self {
            Self::Steps(loss) => loss.loss(outputs, targets, lengths),
            Self::Inputs(of) => of.loss(outputs, targets, lengths),
        }
    }

    fn weight(&self, outputs: [i64; 3], lengths: Option<&Tensor>) -> f64 {
        match self {
            Self::Steps(loss) => loss.weight(outputs, lengths),
            Self::Inputs(of) => of.weight(outputs, lengths),
        }
    }

    fn by_step(&self) -> bool {
        match self {
            Self::Steps(loss) => loss.by_step(),
            Self::Inputs(of) => of.by_step(),
        }
    }

    fn copies(&self, padded: bool) -> usize {
        match self {
            Self::Steps(loss) => loss.copies(padded),
            Self::Inputs(of) => of.copies(padded),
        }
    }
}

/// Rows of what is no padding, `[row, ..]`.
fn rows(t: &Tensor, lengths: Option<&Tensor>, by_step: bool) -> Tensor {
    if !by_step {
        return t.shallow_clone();
    }
    match lengths {
        None => t.flatten(0, 1),
        Some(lengths) => {
            let steps = Tensor::arange(t.size()[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
            let valid =
                steps.lt_tensor(&lengths.to_device(Device::Cpu).unsqueeze(1)).flatten(0, 1).nonzero().squeeze_dim(1);
            t.flatten(0, 1).index_select(0, &valid)
        }
    }
}

impl Evaluated {
    fn new(loss: f64, outputs: Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Result<Self> {
        let targets = targets.shallow_clone();
        let labels = targets.kind() == Kind::Int64;
        let by_step = outputs.dim() == 3;
        let (y, t) = (rows(&outputs, lengths, by_step), rows(&targets, lengths, by_step && targets.dim() > 1));
        let mut found = Self { loss, accuracy: None, nmse: None, mse: None, confusion: None, outputs, targets };
        if labels {
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

    /// With what ridge regression reaches, where that was asked.
    pub(crate) fn metrics(&self, baseline: Option<f64>) -> Map<String, Value> {
        let all = [
            ("test_loss", Some(self.loss)),
            ("test_accuracy", self.accuracy),
            ("baseline_accuracy", baseline),
            ("test_mse", self.mse),
            ("test_nmse", self.nmse),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect()
    }

    pub(crate) fn arrays(&self) -> Vec<(String, Tensor)> {
        let target = if self.targets.kind() == Kind::Int64 { "label" } else { "target" };
        let output = if self.targets.kind() == Kind::Int64 { "score" } else { "prediction" };
        vec![(output.into(), self.outputs.shallow_clone()), (target.into(), self.targets.shallow_clone())]
    }

    fn table(&self) -> String {
        let mut lines = vec![format!("{:>14}  {}", "test loss", short(self.loss))];
        if let Some(accuracy) = self.accuracy {
            lines.push(format!("{:>14}  {}", "test accuracy", short(accuracy)));
        }
        if let (Some(mse), Some(nmse)) = (self.mse, self.nmse) {
            lines.push(format!("{:>14}  {} ({} of the variance)", "test MSE", short(mse), short(nmse)));
        }
        lines.join("\n")
    }

    /// Rows are what it was, columns what it was taken for.
    fn confusion_table(&self) -> String {
        const MOST_CLASSES: usize = 12;
        let Some(confusion) = self.confusion.as_ref().filter(|rows| rows.len() <= MOST_CLASSES) else {
            return String::new();
        };
        let head: String = (0..confusion.len()).map(|class| format!("{class:>6}")).collect();
        let row = |(class, row): (usize, &Vec<i64>)| {
            format!("\n{class:>14}  {}", row.iter().map(|count| format!("{count:>6}")).collect::<String>())
        };
        format!("\n{:>14}  {head}", "is / taken for") + &confusion.iter().enumerate().map(row).collect::<String>()
    }
}

/// For people: what the training ended with, the test, the baseline beside it, and what was taken for what. `more` are lines of the
/// job's own.
pub(crate) fn table(
    evaluated: &Evaluated,
    baseline: Option<f64>,
    trained: Option<&Trained>,
    more: &[(String, String)],
) -> String {
    let mut text = trained.map_or(String::new(), |trained| {
        format!("{:>14}  {} (mean of the last 100 updates)\n", "train loss", short(trained.last_100()))
    });
    text += &evaluated.table();
    if let Some(accuracy) = baseline {
        let accuracy = short(accuracy);
        text += &format!("\n{:>14}  {accuracy} (ridge regression on each channel's mean and deviation)", "linear");
    }
    for (name, value) in more {
        text += &format!("\n{name:>14}  {value}");
    }
    text + &evaluated.confusion_table()
}
