//! [`Learner`]: the weights of a readout and what a rule remembers.

use std::ops::Range;

use bd_core::{Error, Features, Inputs, Phase, Readout, Result, Shared, Tap, check_state_finite};
use tch::{Device, Kind, Tensor};

use super::algebra::dot;
use super::lms::LmsMemory;
use super::rls::RlsMemory;
use super::rule::OnlineRule;
use crate::host;

/// Features beyond this are refused: with penalties from 1e-50 on all numbers of the rules then stay in the range of float64.
const GREATEST: f64 = 1e50;

/// The readout of a model while it learns: the weights in float64 and what the rule remembers, on the host, whatever the dtype and device of
/// the model.
///
/// It keeps no model and no state, as [`Ridge`](crate::Ridge) keeps none. [`Online`](super::Online) does.
#[derive(Debug, Clone)]
pub struct Learner {
    pub(super) rule: OnlineRule,
    pub(super) memory: Memory,
    pub(super) weights: Weights,
    pub(super) samples: u64,
}

/// What a rule remembers.
#[derive(Debug, Clone)]
pub(super) enum Memory {
    Rls(RlsMemory),
    Lms(LmsMemory),
}

/// The weights of a readout.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// `[output, column]`; the columns are the intercept, if there is one, and the features.
    pub(super) numbers: Vec<f64>,
    pub(super) features: usize,
    pub(super) intercept: bool,
}

impl Weights {
    fn zeros(features: usize, outputs: usize, intercept: bool) -> Self {
        Self { numbers: vec![0.0; outputs * (features + usize::from(intercept))], features, intercept }
    }

    pub(super) fn columns(&self) -> usize {
        self.features + usize::from(self.intercept)
    }

    pub(super) fn outputs(&self) -> usize {
        self.numbers.len() / self.columns()
    }
}

/// Samples, those of a batch one after the other.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    /// `[row, column]`.
    pub(super) columns: &'a [f64],
    /// `[row, output]`.
    pub(super) targets: &'a [f64],
    /// Rows of one step.
    pub(super) batch: usize,
    outputs: usize,
    width: usize,
}

impl Samples<'_> {
    pub(super) fn rows(&self) -> usize {
        self.columns.len() / self.width
    }

    pub(super) fn columns_of(&self, rows: Range<usize>) -> &[f64] {
        &self.columns[rows.start * self.width..rows.end * self.width]
    }

    pub(super) fn targets_of(&self, row: usize) -> &[f64] {
        &self.targets[row * self.outputs..(row + 1) * self.outputs]
    }

    /// Writes the outputs of some rows to their places in `[row, output]`.
    pub(super) fn predict(&self, weights: &Weights, rows: Range<usize>, predictions: &mut [f64]) {
        for row in rows {
            let x = self.columns_of(row..row + 1);
            let found = &mut predictions[row * self.outputs..(row + 1) * self.outputs];
            for (found, w) in found.iter_mut().zip(weights.numbers.chunks_exact(self.width)) {
                *found = dot(x, w);
            }
        }
    }
}

impl Learner {
    /// For the readout of `model`, with all weights 0 at first, as ridge regression has them without a sample.
    pub fn new<M: Readout>(model: &M, rule: &OnlineRule) -> Result<Self> {
        rule.check()?;
        let (weight, bias) = model.readout();
        let (features, outputs) = (weight.size()[0] as usize, weight.size()[1] as usize);
        let weights = Weights::zeros(features, outputs, bias.is_some());
        let memory = match rule {
            OnlineRule::Rls(rls) => Memory::Rls(RlsMemory::new(rls, weights.columns())),
            OnlineRule::Lms(_) => Memory::Lms(LmsMemory::default()),
        };
        Ok(Self { rule: *rule, memory, weights, samples: 0 })
    }

    /// The same with the weights that the readout of `model` has, such as those of a fit.
    pub fn with_weights_of<M: Readout>(self, model: &M) -> Result<Self> {
        let (weight, bias) = model.readout();
        let columns: Vec<Tensor> =
            bias.map(|bias| bias.unsqueeze(0)).into_iter().chain([weight.shallow_clone()]).collect();
        let numbers = on_host(&Tensor::cat(&columns, 0).transpose(0, 1).detach());
        let weights = Weights { numbers: host::numbers::<f64>(&numbers).to_vec(), ..self.weights.clone() };
        Ok(Self { weights, ..self })
    }

    /// The rule.
    pub fn rule(&self) -> &OnlineRule {
        &self.rule
    }

    /// Samples that it has learned.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Directions in the space of features, of recursive least squares with forgetting, that samples have not excited for so long that
    /// nothing but rounding is left of what is known of them. They are forgotten no further, or their gain would grow without bound
    /// ("wind-up"). The next sample that excites them is taken for exact. 0 without forgetting.
    pub fn unexcited(&self) -> usize {
        match (&self.memory, &self.rule) {
            (Memory::Rls(memory), OnlineRule::Rls(rule)) => memory.unexcited(rule),
            _ => 0,
        }
    }

    /// Copies the weights into the readout of `model`, in the readout's own dtype.
    pub fn write_to<M: Readout>(&self, model: &M) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let (weight, bias) = model.readout();
        let columns = self.weights.columns() as i64;
        let numbers = Tensor::from_slice(&self.weights.numbers).reshape([-1, columns]).transpose(0, 1);
        let first = i64::from(self.weights.intercept);
        weight.shallow_clone().f_copy_(&numbers.narrow(0, first, columns - first))?;
        if let Some(bias) = bias {
            bias.shallow_clone().f_copy_(&numbers.get(0))?;
        }
        Ok(())
    }

    /// Runs `model` over inputs `[time, batch, n_in]`, learns the targets `[time, batch, n_out]` step by step, and writes the weights to the
    /// model. Returns the predictions `[time, batch, n_out]`, each before its step was learned, and the state after the last.
    ///
    /// Where it fails nothing has changed. It does if features are beyond 1e50 or not finite, if the next state is not finite, or if the descent of `lms` diverges.
    pub(crate) fn learn_steps<M: Readout>(
        &mut self,
        model: &M,
        sha: &Shared,
        [xs, ys]: [&Tensor; 2],
        state: M::State,
    ) -> Result<(Tensor, M::State)> {
        let _guard = tch::no_grad_guard();
        let inputs = Inputs::of_steps(xs);
        let (features, next) = model.features(&sha.in_phase(Phase::Fit), &inputs, state, &mut Tap::none());
        check_state_finite(&next)?;
        Ok((self.learn_features(model, &features, ys)?, next))
    }

    /// The same of one step: input `[batch, n_in]`, target and prediction `[batch, n_out]`.
    pub(crate) fn learn_step<M: Readout>(
        &mut self,
        model: &M,
        sha: &Shared,
        [x, y]: [&Tensor; 2],
        state: &M::State,
    ) -> Result<(Tensor, M::State)> {
        let _guard = tch::no_grad_guard();
        let (Features { values, added }, next) = model.step_features(&sha.in_phase(Phase::Fit), x, state);
        check_state_finite(&next)?;
        let features = Features { values: values.unsqueeze(0), added: added.map(|added| added.unsqueeze(0)) };
        Ok((self.learn_features(model, &features, &y.unsqueeze(0))?.squeeze_dim(0), next))
    }

    fn learn_features<M: Readout>(&mut self, model: &M, features: &Features, ys: &Tensor) -> Result<Tensor> {
        let left = features.added.as_ref().map(|added| ys - added);
        let predictions = self.learn_rows(&features.values, left.as_ref().unwrap_or(ys))?;
        self.write_to(model)?;
        let predictions = predictions.to_kind(ys.kind()).to_device(ys.device());
        Ok(features.added.as_ref().map_or_else(|| predictions.shallow_clone(), |added| &predictions + added))
    }

    /// Learns features `[time, batch, n_features]` and targets `[time, batch, n_out]`, and returns the predictions in float64 on the host.
    fn learn_rows(&mut self, features: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let (size, width) = (targets.size(), self.weights.columns());
        let (values, targets) = (on_host(features), on_host(targets));
        let columns = self.columns(host::numbers::<f64>(&values))?;
        let outputs = self.weights.outputs();
        let samples = Samples {
            columns: &columns,
            targets: host::numbers::<f64>(&targets),
            batch: size[1] as usize,
            outputs,
            width,
        };
        let mut predictions = vec![0.0; samples.targets.len()];
        match (&mut self.memory, &self.rule) {
            (Memory::Rls(memory), OnlineRule::Rls(rule)) => {
                memory.learn(rule, &mut self.weights, &samples, self.samples == 0, &mut predictions);
            }
            (Memory::Lms(memory), OnlineRule::Lms(rule)) => {
                let (mut next, mut weights) = (*memory, self.weights.clone());
                next.learn(rule, &mut weights, &samples, self.samples, &mut predictions)?;
                (*memory, self.weights) = (next, weights);
            }
            _ => unreachable!("the memory is made for the rule"),
        }
        self.samples += samples.rows() as u64;
        Ok(Tensor::from_slice(&predictions).reshape(size))
    }

    /// Rows with their intercept, if there is one.
    fn columns(&self, values: &[f64]) -> Result<Vec<f64>> {
        let features = self.weights.features;
        if let Some(at) = values.iter().position(|value| value.abs() > GREATEST || value.is_nan()) {
            let (row, feature) = (at / features, at % features);
            let where_ = format!(
                "{:e} of feature {feature} in row {row} of what is learned, counted from 0; scale the inputs down",
                values[at]
            );
            return Err(Error::NotFinite { what: "a feature".into(), where_ });
        }
        Ok(match self.weights.intercept {
            false => values.to_vec(),
            true => {
                values.chunks_exact(features).flat_map(|row| std::iter::once(1.0).chain(row.iter().copied())).collect()
            }
        })
    }
}

/// In float64 on the host, row by row.
fn on_host(tensor: &Tensor) -> Tensor {
    tensor.to_device(Device::Cpu).to_kind(Kind::Double).contiguous()
}
