//! Signs and zeros of weights through a whole training: every optimiser, clipping, penalties, the best weights, a break.

use bd_models::{Activation, RnnConfig};

use super::*;
use crate::Penalty;
use crate::optim::Rule;

/// Six units of eight excite; a third of the connections is missing.
pub(super) fn cell() -> Cell {
    let (excitatory, activation) = (Some(0.75), Activation::Tanh);
    Cell::Rnn(RnnConfig { excitatory, density: 0.7, autapses: false, activation, ..RnnConfig::default() })
}

fn of<'a>(named: &'a [(String, Tensor)], name: &str) -> &'a Tensor {
    &named.iter().find(|(known, _)| known == name).unwrap().1
}

fn least(tensor: &Tensor) -> f64 {
    tensor.min().double_value(&[])
}

/// Weights are positive from rows 0 to 5, negative from 6 and 7, and zero where the mask is; the readout has positive weights from the first six.
fn assert_kept(name: &str, came: &Came) {
    let [mask, recurrent, readout] =
        ["r.recurrent_mask", "r.recurrent_weight", "o.weight"].map(|name| of(&came.weights, name));
    let signs = Tensor::from_slice(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0]).reshape([8, 1]);
    assert!(least(&(recurrent * &signs)) >= 0.0, "{name}: a sign was lost");
    assert_eq!(recurrent.masked_select(&mask.eq(0.0)).abs().max().double_value(&[]), 0.0, "{name}");
    assert!(least(&readout.narrow(0, 0, 6)) >= 0.0, "{name}: a sign of the readout was lost");
    assert_eq!(readout.narrow(0, 6, 2).abs().max().double_value(&[]), 0.0, "{name}");
    // What is missing costs a penalty nothing, either.
    assert_eq!(
        of(&came.parameters, "r.recurrent_weight").masked_select(&mask.eq(0.0)).abs().max().double_value(&[]),
        0.0
    );
    // A checkpoint has the parameter; the weight has its size.
    assert_eq!(of(&came.parameters, "r.recurrent_weight").abs() * mask, recurrent.abs());
}

#[test]
fn signs_and_zeros_are_kept_by_every_rule() {
    for rule in Rule::all() {
        let rule = match rule {
            Rule::AdamW { beta1, beta2, eps, .. } => Rule::AdamW { beta1, beta2, eps, weight_decay: 0.1 },
            other => other,
        };
        let name = format!("{rule:?}");
        let config = TrainConfig {
            epochs: 8,
            batch: 3,
            report_every: 2,
            clip: Some(1.0),
            penalty: Penalty { l1: 1e-3, l2: 1e-3 },
            optim: OptimConfig { lr: 0.2, rule, ..OptimConfig::default() },
            early_stopping: Some(EarlyStopping { patience: 100, min_delta: 0.0 }),
            ..TrainConfig::default()
        };
        let case = Case { config, validation: true, dale: true, ..Case::default() };
        let whole = train(&case, tempfile::tempdir().unwrap().path(), None);
        assert_kept(&name, &whole);
        let folder = tempfile::tempdir().unwrap();
        assert_kept(&name, &train(&case, folder.path(), Some(5)));
        assert_eq!(train(&case, folder.path(), None), whole, "{name}: a break made a difference");
        let last = Case { validation: false, config: TrainConfig { early_stopping: None, ..case.config }, ..case };
        let last = train(&last, tempfile::tempdir().unwrap().path(), None);
        assert_kept(&name, &last);
        // The test would be empty if no parameter had crossed zero.
        let (theta, weight) =
            ["r.recurrent_weight"; 1].map(|name| (of(&last.parameters, name), of(&last.weights, name)))[0];
        assert!(least(&(theta * weight)) < 0.0, "{name}: no parameter has changed its sign");
    }
}

/// A device updates parameters as one vector.
#[test]
fn signs_are_kept_on_a_device() {
    let (_, case) = cases().swap_remove(6);
    assert_kept("device", &train(&Case { dale: true, ..case }, tempfile::tempdir().unwrap().path(), None));
}
