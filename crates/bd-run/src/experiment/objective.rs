//! [`RunObjective`]: the one number by which a run is compared with others, never of its test part.

use bd_train::HeldOut;
use bd_train::forecast::{Forecast, Score};

/// What a run is compared with others by, as in a sweep: the smaller the better. It is never of the test part.
///
/// | what is learned | name |
/// |---|---|
/// | a file, with early stopping | `best_validation_loss`, of an ensemble the mean of its members |
/// | a file with a validation part, without early stopping; a task | `validation_loss`; of a task on a batch that neither an update nor the test draws |
/// | a file without a validation part | `train_loss_last_100`, the mean loss of the last updates |
/// | random spikes, by heart | `train_loss` |
/// | a series | `validation_nrmse`, the mean over the horizons (of constant targets `validation_mse`) |
/// | a series whose settings are chosen by free runs | `minus_validation_valid_steps`, the mean of the valid steps with its sign turned |
/// | a series without a validation part | `train_nrmse` on the last points of the training part; learned online `online_mse`, of each sample before it was learned |
/// | features of sequences | `validation_error_rate` or `validation_nmse` on samples that were held out, without such `left_out_mse` |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunObjective {
    /// What it is.
    pub name: &'static str,
    /// Its value; not a number where that is not known.
    pub value: f64,
}

impl RunObjective {
    /// The mean over members of an ensemble.
    pub(super) fn mean(name: &'static str, values: &[f64]) -> Self {
        Self { name, value: values.iter().sum::<f64>() / values.len() as f64 }
    }

    /// What models reach on samples that were held out; `None` if there are none.
    pub(super) fn of_held_out(held: &HeldOut) -> Option<Self> {
        let (name, value) = match held.are_labels() {
            true => ("validation_error_rate", 1.0 - held.mean()),
            false => ("validation_nmse", held.mean()),
        };
        (held.samples() > 0).then_some(Self { name, value })
    }

    /// The score by which something was chosen on the validation part.
    pub(super) fn of_score(score: &Score) -> Self {
        match score {
            Score::OneStep { nrmse, mean_error, .. } if nrmse.is_nan() => {
                Self { name: "validation_mse", value: *mean_error }
            }
            Score::OneStep { mean_error, .. } => Self { name: "validation_nrmse", value: *mean_error },
            Score::FreeRun(free) => Self { name: "minus_validation_valid_steps", value: -free.mean_valid_steps },
        }
    }

    /// The mean error of forecasts of all horizons on the validation part; `None` if there are none.
    pub(super) fn of_validation(forecasts: &[Forecast]) -> Option<Self> {
        Self::of_forecasts(["validation_nrmse", "validation_mse"], forecasts)
    }

    /// The same of the training part; not a number if it is too short for forecasts.
    pub(super) fn of_training(forecasts: &[Forecast]) -> Self {
        let none = Self { name: "train_nrmse", value: f64::NAN };
        Self::of_forecasts(["train_nrmse", "train_mse"], forecasts).unwrap_or(none)
    }

    /// Normalised, unless targets are constant.
    fn of_forecasts([nrmse, mse]: [&'static str; 2], forecasts: &[Forecast]) -> Option<Self> {
        let of = |error: fn(&Forecast) -> f64| forecasts.iter().map(error).collect::<Vec<_>>();
        let normalised = of(|one| one.error.nrmse);
        match normalised.iter().any(|error| error.is_nan()) {
            _ if forecasts.is_empty() => None,
            true => Some(Self::mean(mse, &of(|one| one.error.mse))),
            false => Some(Self::mean(nrmse, &normalised)),
        }
    }
}

#[cfg(test)]
mod tests {
    use bd_train::Evaluation;
    use tch::Tensor;

    use super::*;

    /// One of four labels is told wrong: 0.25. Without samples there is nothing.
    #[test]
    fn of_labels_it_is_the_share_that_is_wrong() {
        assert_eq!(RunObjective::of_held_out(&HeldOut::default()), None);
        let scores = Tensor::from_slice(&[1.0, 0.0]).expand([4, 2], false).contiguous();
        let found = Evaluation::new(0.0, scores, &Tensor::from_slice(&[0i64, 0, 0, 1]), None).unwrap();
        let mut held = HeldOut::default();
        held.add(&found, None, None).unwrap();
        assert_eq!(RunObjective::of_held_out(&held), Some(RunObjective { name: "validation_error_rate", value: 0.25 }));
    }

    #[test]
    fn of_constant_targets_it_is_the_mean_square_error() {
        let score = |nrmse| Score::OneStep { horizon: 1, mse: 4.0, nrmse, mean_error: 0.5 };
        assert_eq!(RunObjective::of_score(&score(f64::NAN)).name, "validation_mse");
        assert_eq!(RunObjective::of_score(&score(0.2)), RunObjective { name: "validation_nrmse", value: 0.5 });
    }
}
