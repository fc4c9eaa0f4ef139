//! Simple methods beside a network: a row for each, and a sentence about the best.

use bd_core::text::short;
use bd_run::experiment::NetworkReport;
use bd_train::{Baseline, Score};

use super::row;

/// A row for each baseline, and one that compares the network with the best.
pub(super) fn of(report: &NetworkReport) -> Vec<String> {
    let is_trained_in_steps = !report.trained.is_empty();
    let baselines = &report.baselines;
    let mut lines: Vec<String> = baselines.all.iter().map(line).collect();
    if let (Some(own), Some(best)) = (Score::of(&report.evaluation), baselines.best()) {
        lines.push(row("compared", &comparison(own, best, is_trained_in_steps)));
    }
    lines
}

fn line(baseline: &Baseline) -> String {
    row(baseline.name, &format!("{} ({})", words(baseline.score), baseline.method))
}

fn words(score: Score) -> String {
    match score {
        Score::Accuracy(accuracy) => short(accuracy),
        Score::Error { mse, nmse } if nmse.is_finite() => format!("{}, {} of the variance", short(mse), short(nmse)),
        Score::Error { mse, .. } => short(mse),
    }
}

/// One sentence; what is worse than a simple method comes with what may help.
fn comparison(own: Score, best: &Baseline, is_trained_in_steps: bool) -> String {
    let (own_words, best_words, method) = (words(own), words(best.score), &best.method);
    let gain = own.gain_over(best.score);
    if gain > 0.0 {
        let gain = match own {
            Score::Accuracy(_) => format!("{} in accuracy", short(gain)),
            Score::Error { nmse, .. } if nmse.is_finite() => format!("{} of the variance", short(gain)),
            Score::Error { .. } => format!("{} in the mean square error", short(gain)),
        };
        return format!("better than the best of these ({method}) by {gain}");
    }
    let how = if gain < 0.0 { "worse than" } else { "no better than" };
    let help = if is_trained_in_steps {
        "more --epochs or --hidden, or another job (bd train auto tries them)"
    } else {
        "or another job (bd train auto tries them)"
    };
    format!(
        "the model ({own_words}) is {how} {method} ({best_words}), which is fitted in a moment; more data for training, {help} may help"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(own: Score, best: Score) -> String {
        comparison(own, &Baseline { name: "nearest", method: "nearest neighbour".into(), score: best }, true)
    }

    #[test]
    fn a_network_below_a_baseline_hears_both_numbers() {
        let words = compared(Score::Accuracy(0.85), Score::Accuracy(0.94));
        assert!(words.starts_with("the model (0.8500) is worse than nearest neighbour (0.9400), which"), "{words}");
        let words = compared(Score::Accuracy(0.9), Score::Accuracy(0.9));
        assert!(words.contains("(0.9000) is no better than nearest neighbour (0.9000)"), "{words}");
        let words = compared(Score::Error { mse: 3.0, nmse: 0.75 }, Score::Error { mse: 2.0, nmse: 0.5 });
        assert!(words.contains("(3.000, 0.7500 of the variance) is worse than"), "{words}");
    }

    #[test]
    fn a_network_above_all_of_them_hears_by_how_much() {
        let better = "better than the best of these (nearest neighbour) by ";
        assert_eq!(compared(Score::Accuracy(0.75), Score::Accuracy(0.5)), format!("{better}0.2500 in accuracy"));
        let [own, best] = [(1.0, 0.25), (2.0, 0.5)].map(|(mse, nmse)| Score::Error { mse, nmse });
        assert_eq!(compared(own, best), format!("{better}0.2500 of the variance"));
        let [own, best] = [1.0, 2.0].map(|mse| Score::Error { mse, nmse: f64::NAN });
        assert_eq!(compared(own, best), format!("{better}1.000 in the mean square error"));
    }
}
