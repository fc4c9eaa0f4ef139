//! Ridge regression on whole sequences, or of targets at each step on the steps before.

use bd_core::{Result, text::plural};
use tch::{Device, Kind, Tensor};

use super::folds::folds_of_rows;
use super::sequences::{MOST_NUMBERS, Scale, Sequences, lagged};
use super::{Baseline, as_numbers};
use crate::data::{Subset, Targets};
use crate::ridge::{Ridge, RidgeFactor, RidgeSolution};

/// The steps that a target of a step is regressed on, or as many as [`MOST_DIRECTIONS`] allow.
const LAGS: i64 = 10;
/// Features or rows, whichever are fewer.
const MOST_DIRECTIONS: i64 = 1000;
/// Penalties to choose from.
const PENALTIES: [f64; 7] = [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3];
const FOLDS: usize = 5;

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
    let found = match targets.of_steps() {
        true => rows_of_steps(sequences, train, test, targets),
        false => Some(rows_of_sequences(sequences, train, targets)),
    };
    let Some((rows, of_test, method)) = found else { return Ok(None) };
    match predict(&rows, &of_test.reshape([-1, of_test.size()[of_test.dim() - 1]]))? {
        Some(predicted) => {
            let mut size = of_test.size();
            *size.last_mut().expect("features are a dimension") = targets.n_out();
            Baseline::new("ridge", method, predicted.reshape(size), test)
        }
        None => Ok(None),
    }
}

/// Rows of steps, the features of the test part and the method; `None` where no lag is within the cap.
fn rows_of_steps(
    sequences: &Sequences,
    train: &Subset,
    test: &Subset,
    targets: Targets,
) -> Option<(Rows, Tensor, String)> {
    let lags = LAGS.min(MOST_DIRECTIONS / train.channels());
    let numbers = |x: &Tensor| (x.numel() as i64).saturating_mul(lags);
    if lags == 0 || [&sequences.train, &sequences.test].into_iter().any(|x| numbers(x) > MOST_NUMBERS) {
        return None;
    }
    let [samples, time] = [0, 1].map(|dim| train.targets.size()[dim]);
    let of_step = Tensor::arange(samples, (Kind::Int64, Device::Cpu)).reshape([-1, 1, 1]);
    let sample_of_row = train.valid_steps(&of_step.expand([samples, time, 1], false)).squeeze_dim(1);
    let rows = Rows {
        features: train.valid_steps(&lagged(&sequences.train.narrow(1, 0, time), lags)),
        targets: train.valid_steps(&as_numbers(train, targets)),
        folds: folds_of_rows(train, &sample_of_row, FOLDS),
    };
    let of_test = lagged(&sequences.test.narrow(1, 0, test.targets.size()[1]), lags);
    Some((rows, of_test, format!("ridge regression on the last {}", plural(lags as usize, "step"))))
}

/// The same of sequences.
fn rows_of_sequences(sequences: &Sequences, train: &Subset, targets: Targets) -> (Rows, Tensor, String) {
    let numbers = Tensor::arange(train.count() as i64, (Kind::Int64, Device::Cpu));
    let rows = Rows {
        features: sequences.train.flatten(1, 2),
        targets: as_numbers(train, targets),
        folds: folds_of_rows(train, &numbers, FOLDS),
    };
    let of_what = match sequences.windows {
        Some(windows) => format!("the spikes of each channel in {}", plural(windows as usize, "window")),
        None => "the whole sequence".to_owned(),
    };
    (rows, sequences.test.flatten(1, 2), format!("ridge regression on {of_what}"))
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
    for fold in 0..FOLDS as i64 {
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
