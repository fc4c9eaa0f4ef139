//! [`Bptt`]: training by back-propagation through time.

use std::fmt;
use std::ops::ControlFlow;

use bd_core::{Checkpoint, Error, Params, Result, Shared, System, Tap, catch_torch};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::data::{Examples, Sequences};
use crate::layout::{batch_first, check_inputs};
use crate::loss::Objective;
use crate::optim::{OptimConfig, Optimizer};

/// What one update found.
#[derive(Debug)]
pub struct Update {
    /// Its number, from 1.
    pub step: u64,
    /// The loss before it, penalties included.
    pub loss: f64,
    /// Euclidean norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
    /// Outputs of the model before it, `[batch, time, n_out]`, outside the graph.
    pub outputs: Tensor,
}

/// A penalty on parameters that is added to the loss.
type Penalty<'a> = Box<dyn Fn(&Params) -> Tensor + 'a>;

/// A model in training: every update resets the state, scans a batch, and follows the gradient of the objective.
///
/// A loss, a gradient or a parameter that would not be finite stops before the update with [`Error::NotFinite`]; the parameters
/// are then still those of the last good one.
///
/// ```no_run
/// use bd_core::{Params, Shared};
/// use bd_train::{Bptt, OptimConfig};
/// use bd_train::loss::{Loss, OverTime};
/// # fn run(net: bd_core::Stack, params: Params, examples: bd_train::data::Examples) -> bd_core::Result<()> {
/// let loss = Loss::CrossEntropy { over: OverTime::Max };
/// let mut bptt = Bptt::new(&net, &params, loss, &OptimConfig::default(), Shared::new(0.1))?;
/// let losses = bptt.fit(100, |_| examples.batches(64, None), |_, update| {
///     println!("{} {}", update.step, update.loss);
///     Ok(std::ops::ControlFlow::Continue(()))
/// })?;
/// # Ok(())
/// # }
/// ```
pub struct Bptt<'a, S, O> {
    system: &'a S,
    params: &'a Params,
    objective: O,
    optimizer: Optimizer,
    sha: Shared,
    clip: Option<f64>,
    penalty: Option<Penalty<'a>>,
}

impl<S: fmt::Debug, O> fmt::Debug for Bptt<'_, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bptt").field("system", self.system).field("optimizer", &self.optimizer).finish_non_exhaustive()
    }
}

impl<'a, S: System, O: Objective> Bptt<'a, S, O> {
    /// Trains all trainable parameters. `sha` is that of the first step of a sequence; the key that steps draw their random
    /// numbers by is its key and the number of the update.
    pub fn new(system: &'a S, params: &'a Params, objective: O, optim: &OptimConfig, sha: Shared) -> Result<Self> {
        let optimizer = Optimizer::new(optim, params)?;
        let sha = sha.in_phase(bd_core::Phase::Fit);
        Ok(Self { system, params, objective, optimizer, sha, clip: None, penalty: None })
    }

    /// Scales the gradient down to this Euclidean norm, over all parameters, where it is greater.
    pub fn clip(mut self, norm: f64) -> Result<Self> {
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(Error::Config(format!("the gradient is clipped to a norm of {norm}; it must be above 0")));
        }
        self.clip = Some(norm);
        Ok(self)
    }

    /// Adds a penalty to the loss.
    pub fn penalty(mut self, penalty: impl Fn(&Params) -> Tensor + 'a) -> Self {
        self.penalty = Some(Box::new(penalty));
        self
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// One update on a batch.
    pub fn update(&mut self, batch: &Examples) -> Result<Update> {
        self.check(batch)?;
        catch_torch(|| {
            let step = self.optimizer.step() + 1;
            let [count, ..] = batch.inputs().shape();
            let state = self.system.init_state(count, batch.inputs().on());
            let sha = Shared { key: self.sha.key ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15), ..self.sha };
            let outputs = scan(self.system, &sha, batch.inputs(), state, &mut Tap::none()).0;
            let mut loss = self.objective.loss(&outputs, batch.targets(), batch.lengths());
            if let Some(penalty) = &self.penalty {
                // Not in place: the graph may have saved what is there.
                loss = &loss + penalty(self.params);
            }
            let value = loss.double_value(&[]);
            if !value.is_finite() {
                let where_ = format!("it is {value} at update {step}");
                return Err(Error::NotFinite { what: "the loss".into(), where_ });
            }
            let (gradients, gradient_norm) = self.gradients(&loss, step)?;
            self.optimizer.update(&gradients)?;
            Ok(Update { step, loss: value, gradient_norm, outputs: outputs.detach() })
        })
    }

    /// Trains for some epochs on the batches that `batches(epoch)` makes, and returns the loss of every update. `observe` sees
    /// each update after it was made; it ends the training with `ControlFlow::Break`.
    pub fn fit<I: IntoIterator<Item = Result<Examples>>>(
        &mut self,
        epochs: usize,
        mut batches: impl FnMut(usize) -> I,
        mut observe: impl FnMut(&Self, &Update) -> Result<ControlFlow<()>>,
    ) -> Result<Vec<f64>> {
        let mut losses = Vec::new();
        for epoch in 0..epochs {
            for batch in batches(epoch) {
                let update = self.update(&batch?)?;
                losses.push(update.loss);
                if observe(self, &update)?.is_break() {
                    return Ok(losses);
                }
            }
        }
        Ok(losses)
    }

    /// Parameters and optimiser: everything that training needs to go on, for a model whose state begins anew with each batch.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            // Copies: training that goes on must not change them.
            model: self.params.named().into_iter().map(|(name, tensor)| (name, tensor.detach().copy())).collect(),
            optim: self.optimizer.state(),
            state: Vec::new(),
            meta: json!({"step": self.optimizer.step()}),
        }
    }

    fn check(&self, batch: &Examples) -> Result<()> {
        check_inputs(batch.inputs(), self.system.n_in())?;
        let (inputs, params) = (batch.inputs().on(), self.params.on());
        if inputs != params {
            let show =
                |(kind, device)| format!("{} on {}", bd_core::kind_name(kind), bd_core::device::device_name(device));
            let expected = format!("{}, as the parameters are", show(params));
            return Err(Error::Place { what: "inputs".into(), expected, found: show(inputs) });
        }
        let [count, time, _] = batch.inputs().shape();
        self.objective.check([count, time, self.system.n_out()], params.0, batch.targets(), batch.lengths())
    }

    /// Gradients of all parameters, clipped, and their norm before that.
    fn gradients(&self, loss: &Tensor, step: u64) -> Result<(Vec<Tensor>, f64)> {
        let params = self.optimizer.params();
        let tensors: Vec<&Tensor> = params.iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::f_run_backward(&[loss], &tensors, false, false)?;
        // libtorch gives an undefined tensor for a parameter that the loss does not depend on.
        let or_zeros =
            |(gradient, param): (Tensor, &&Tensor)| if gradient.defined() { gradient } else { param.zeros_like() };
        let mut gradients: Vec<Tensor> = gradients.into_iter().zip(&tensors).map(or_zeros).collect();
        let mut sum = 0.0;
        for ((name, _), gradient) in params.iter().zip(&gradients) {
            // In float64, where squares do not overflow.
            let norm = gradient.to_kind(Kind::Double).norm().double_value(&[]);
            if !norm.is_finite() {
                let wrong = gradient.isfinite().logical_not().sum(Kind::Int64).int64_value(&[]);
                let where_ = format!("{wrong} of its {} numbers at update {step}", gradient.numel());
                return Err(Error::NotFinite { what: format!("the gradient of {name}"), where_ });
            }
            sum += norm * norm;
        }
        let norm = sum.sqrt();
        if let Some(most) = self.clip.filter(|most| norm > *most) {
            gradients.iter_mut().for_each(|gradient| *gradient = &*gradient * (most / norm));
        }
        Ok((gradients, norm))
    }
}

/// Scans sequences of either form: outputs `[batch, time, n_out]` and the state after the last step.
pub(crate) fn scan<S: System>(
    system: &S,
    sha: &Shared,
    inputs: &Sequences,
    state: S::State,
    tap: &mut Tap,
) -> (Tensor, S::State) {
    let (ys, state) = match inputs {
        Sequences::Dense(xs) => system.scan(sha, xs.tensor(), state, tap),
        Sequences::Spikes(spikes) => system.scan_spikes(sha, spikes, state, tap),
    };
    (batch_first(&ys), state)
}
