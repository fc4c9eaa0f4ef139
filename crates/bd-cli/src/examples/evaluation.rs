//! Tables of what a trained network does on the test examples.

use bd_train::Evaluation;

use crate::text::short;
use crate::training::Trained;

fn results(evaluation: &Evaluation) -> String {
    let mut lines = vec![format!("{:>14}  {}", "test loss", short(evaluation.loss))];
    if let Some(accuracy) = evaluation.accuracy {
        lines.push(format!("{:>14}  {}", "test accuracy", short(accuracy)));
    }
    if let (Some(mse), Some(nmse)) = (evaluation.mse, evaluation.nmse) {
        lines.push(format!("{:>14}  {} ({} of the variance)", "test MSE", short(mse), short(nmse)));
    }
    lines.join("\n")
}

/// Rows are what it was, columns what it was taken for.
fn confusion(evaluation: &Evaluation) -> String {
    const MOST_CLASSES: usize = 12;
    let Some(confusion) = evaluation.confusion.as_ref().filter(|rows| rows.len() <= MOST_CLASSES) else {
        return String::new();
    };
    let head: String = (0..confusion.len()).map(|class| format!("{class:>6}")).collect();
    let row = |(class, row): (usize, &Vec<i64>)| {
        format!("\n{class:>14}  {}", row.iter().map(|count| format!("{count:>6}")).collect::<String>())
    };
    format!("\n{:>14}  {head}", "is / taken for") + &confusion.iter().enumerate().map(row).collect::<String>()
}

/// For people: what the training ended with, the test, the baseline beside it, and what was taken for what. `more` are lines of the
/// job's own.
pub(crate) fn table(
    evaluation: &Evaluation,
    baseline: Option<f64>,
    trained: Option<&Trained>,
    more: &[(String, String)],
) -> String {
    let mut text = trained.map_or(String::new(), |trained| {
        format!("{:>14}  {} (mean of the last 100 updates)\n", "train loss", short(trained.last_100()))
    });
    text += &results(evaluation);
    if let Some(accuracy) = baseline {
        let accuracy = short(accuracy);
        text += &format!("\n{:>14}  {accuracy} (ridge regression on each channel's mean and deviation)", "linear");
    }
    for (name, value) in more {
        text += &format!("\n{name:>14}  {value}");
    }
    text + &confusion(evaluation)
}
