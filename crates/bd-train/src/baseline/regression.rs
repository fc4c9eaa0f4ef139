//! Ridge regression on whole sequences, or of targets at each step on the steps before.

use bd_core::{Result, text::plural};
use tch::{Device, Kind, Tensor};

use super::sequences::{Scale, Sequences, folds, lagged};
use super::{Baseline, as_numbers};
use crate::data::{Subset, Targets};
use crate::ridge::{Ridge, RidgeFactor, RidgeSolution};

/// The steps that a target of a step is regressed on, or as many as [`MOST_DIRECTIONS`] allow.
const LAGS: i64 = 10;
/// Features or rows, whichever are fewer.
const MOST_DIRECTIONS: i64 = 1000;
/// Penalties to choose from.
const PENALTIES: [f64; 7] = [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3];
const FOLDS: i64 = 5;

/// Rows of features `[row, feature]` with their targets `[row, target]` and folds `[row]`.
struct Rows {
    features: Tensor,
    targets: Tensor,
    folds: Tensor,
}

/// `None` beyond the cap, and where the training part is a single row.
pub(super) fn baseline(
    sequences: &Sequences,
    train: &Subset,
    test: &Subset,
    targets: Targets,
) -> Result<Option<Baseline>> {
    let truth = as_numbers(train, targets);
    let samples = train.count() as i64;
    let numbers = Tensor::arange(samples, (Kind::Int64, Device::Cpu));
    let (rows, of_test, method) = if targets.of_steps() {
        let (time, lags) = (truth.size()[1], LAGS.min(MOST_DIRECTIONS / train.channels()));
        if lags == 0 {
            return Ok(None);
        }
        let sample_of_row = train.valid_steps(&numbers.reshape([-1, 1, 1]).expand([samples, time, 1], false));
        let of_train = lagged(&sequences.train.narrow(1, 0, time), lags);
        let rows = Rows {
            features: train.valid_steps(&of_train),
            targets: train.valid_steps(&truth),
            folds: folds(&sample_of_row.squeeze_dim(1), samples, FOLDS),
        };
        let of_test = lagged(&sequences.test.narrow(1, 0, test.targets.size()[1]), lags);
        (rows, of_test, format!("ridge regression on the last {}", plural(lags as usize, "step")))
    } else {
        let flat = |x: &Tensor| x.flatten(1, 2);
        let rows = Rows { features: flat(&sequences.train), targets: truth, folds: folds(&numbers, samples, FOLDS) };
        let of_what = match sequences.windows {
            Some(windows) => format!("the spikes of each channel in {}", plural(windows as usize, "window")),
            None => "the whole sequence".to_owned(),
        };
        (rows, flat(&sequences.test), format!("ridge regression on {of_what}"))
    };
    match predict(&rows, &of_test.reshape([-1, of_test.size()[of_test.dim() - 1]]))? {
        Some(predicted) => {
            let mut size = of_test.size();
            *size.last_mut().expect("features are a dimension") = targets.n_out();
            Baseline::new("ridge", method, predicted.reshape(size), test)
        }
        None => Ok(None),
    }
}

/// Predictions for other rows of features, with the penalty that is best in folds.
fn predict(train: &Rows, test: &Tensor) -> Result<Option<Tensor>> {
    let [rows, features] = [0, 1].map(|dim| train.features.size()[dim]);
    if rows < 2 || rows.min(features) > MOST_DIRECTIONS {
        return Ok(None);
    }
    let scale = Scale::of(&train.features);
    let (x, test) = (scale.apply(&train.features), scale.apply(test));
    // The weights lie in the space of the rows: with orthonormal axes of it as features, they are as many as rows at most.
    let (x, test) = if features > rows {
        let (axes, r) = Tensor::linalg_qr(&x.transpose(0, 1), "reduced");
        (r.transpose(0, 1).contiguous(), test.matmul(&axes))
    } else {
        (x, test)
    };
    let penalty = best_penalty(&x, &train.targets, &train.folds)?;
    let solution = solutions(&x, &train.targets, &[penalty])?.remove(0);
    Ok(Some(apply(&solution, &test)))
}

/// The penalty with the least square error on the rows of each fold when it was fitted to all others; of equal ones the greater.
fn best_penalty(x: &Tensor, y: &Tensor, folds: &Tensor) -> Result<f64> {
    let mut errors = [0.0; PENALTIES.len()];
    for fold in 0..FOLDS {
        let held = folds.eq(fold).nonzero().squeeze_dim(1);
        let kept = folds.ne(fold).nonzero().squeeze_dim(1);
        if held.numel() == 0 {
            continue;
        }
        let [x_held, y_held] = [x, y].map(|t| t.index_select(0, &held));
        let fitted = solutions(&x.index_select(0, &kept), &y.index_select(0, &kept), &PENALTIES)?;
        for (error, solution) in errors.iter_mut().zip(&fitted) {
            *error += (apply(solution, &x_held) - &y_held).square().sum(Kind::Double).double_value(&[]);
        }
    }
    let best = (0..PENALTIES.len()).rev().min_by(|a, b| errors[*a].total_cmp(&errors[*b]));
    Ok(PENALTIES[best.expect("there are penalties")])
}

/// Weights and intercept, which is not penalised, for each penalty.
pub(super) fn solutions(x: &Tensor, y: &Tensor, penalties: &[f64]) -> Result<Vec<RidgeSolution>> {
    let mut factor = RidgeFactor::new(x.size()[1], y.size()[1], true, Device::Cpu);
    factor.update(x, y)?;
    let solve = |&alpha| factor.solve(&Ridge { alpha, penalise_intercept: false, ..Ridge::default() });
    penalties.iter().map(solve).collect()
}

/// `[row, target]`.
pub(super) fn apply(solution: &RidgeSolution, x: &Tensor) -> Tensor {
    let product = x.matmul(&solution.weight);
    match &solution.bias {
        Some(bias) => product + bias,
        None => product,
    }
}
