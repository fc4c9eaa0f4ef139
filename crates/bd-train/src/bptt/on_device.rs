//! Updates on a device, which the host does not wait for.
//!
//! Loss, penalty, norm, and whether all of it is finite stay there. An update that is not sound changes nothing, nor do those after it,
//! until the host looks: it then makes the refused update again, on copies, by its own code, and so finds the words that it would have
//! had for it at once.

use std::sync::{Arc, PoisonError};

use bd_core::gpu::Gpu;
use bd_core::{Error, Inputs, Result, System, catch_torch};
use tch::{Device, Kind, Tensor};

use super::gradients::{Gradients, by_tensors};
use super::pending::Numbers;
use super::update::{check_total, finite_loss};
use super::{Bptt, Update};
use crate::data::Examples;
use crate::loss::Objective;
use crate::optim::by_kernels::Lesson;
use crate::optim::together::{joined, parts};

/// Adds the loss of a part, the sum in float64. A sum that is not finite stays what it is, as that which the host stops at.
pub(super) fn add(sum: Option<Tensor>, own: &Tensor) -> Tensor {
    let (own, wide) = (own.detach(), |loss: &Tensor| loss.to_kind(Kind::Double));
    match sum {
        None => own,
        Some(sum) => {
            let sum = wide(&sum);
            (&sum + wide(&own)).where_self(&sum.isfinite(), &sum)
        }
    }
}

/// The value of a loss; not a number where its inputs are not finite. Those of the host were checked when examples were made of them.
pub(super) fn of_finite_inputs(loss: &Tensor, inputs: &Inputs) -> Tensor {
    match inputs {
        Inputs::Dense(xs) if xs.device() != Device::Cpu => {
            loss.where_self(&xs.isfinite().all(), &loss.full_like(f64::NAN))
        }
        _ => loss.shallow_clone(),
    }
}

impl<S: System, O: Objective> Bptt<'_, S, O> {
    /// Makes update `step` from the loss and its gradients.
    pub(super) fn apply_unseen(&mut self, step: u64, loss: &Tensor, gradients: &[Tensor]) -> Result<()> {
        let _guard = tch::no_grad_guard();
        // An objective may have judged elsewhere; kernels read where the parameters are.
        let loss = &loss.to_device(self.params.on().1);
        if !self.optimizer.has_kernels() {
            self.apply_by_tensors(step, loss.to_kind(Kind::Double), gradients);
            return Ok(());
        }
        let pending = self.pending.get_mut();
        let row = pending.next_row(loss.device());
        let (penalty, clip, before) = (self.penalty, self.clip, pending.before());
        let held = self.optimizer.update_by_kernels(Lesson { loss, gradients, penalty, clip, before, row: &row })?;
        pending.unseen(step, held, row);
        Ok(())
    }

    /// The same by operations of libtorch: the definition of what kernels do.
    fn apply_by_tensors(&mut self, step: u64, loss: Tensor, gradients: &[Tensor]) {
        let params = self.optimizer.params();
        let (param, of_loss) = (joined(params.iter().map(|(_, param)| param)), joined(gradients));
        let (gradient, [squares, penalty]) = by_tensors(&param, &of_loss, self.penalty);
        let before = self.pending.get_mut().sound(param.device());
        let total = &loss + &penalty;
        let sound = Tensor::stack(&[&total, &squares], 0).isfinite().all().logical_and(&before);
        let gradient = match self.clip {
            None => gradient,
            Some(most) => {
                let norm = squares.sqrt();
                let factor = (most / &norm).where_self(&norm.gt(most), &norm.ones_like());
                gradient * factor.to_kind(param.kind())
            }
        };
        let sound = self.optimizer.update_where(&param, &gradient, &sound).to_kind(Kind::Double);
        let pending = self.pending.get_mut();
        let held = pending.holding(of_loss);
        pending.unseen(step, held, Tensor::stack(&[loss, penalty, squares, sound], 0));
    }

    /// Checks targets once for all batches that are taken of the same examples, where these were given: no update reads targets of
    /// a device.
    pub(super) fn check_once(&self, batch: &Examples, kind: Kind) -> Result<()> {
        let mut checked = self.checked.borrow_mut();
        checked.retain(|known| known.strong_count() > 0);
        let origin = Arc::downgrade(batch.origin());
        if checked.iter().any(|known| known.ptr_eq(&origin)) {
            return Ok(());
        }
        let all = batch.origin().lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = [all.shape[0], all.shape[1], self.system.n_out()];
        self.objective.check(outputs, kind, &all.targets, all.lengths.as_ref())?;
        checked.push(origin);
        Ok(())
    }

    /// Looks at what was not looked at. Of an update that was refused, the error is kept until it is told.
    pub(super) fn settle(&self) -> Result<()> {
        let mut pending = self.pending.borrow_mut();
        let Some((numbers, gradient)) = pending.look()? else { return Ok(()) };
        self.optimizer.refused(numbers.step);
        // As if it had not been, nor those that wait behind it.
        tch::no_grad(|| self.system.after_update(numbers.step - 1));
        pending.outputs = None;
        pending.failure = Some(match self.make_again(&numbers, &gradient) {
            Err(error) => error,
            // The host's sums are in another order, and may be finite by a hair.
            Ok(()) => Error::NotFinite {
                what: "the gradient of all parameters".into(),
                where_: format!("the sum of its squares is {} at update {}", numbers.squares, numbers.step),
            },
        });
        Ok(())
    }

    /// What the host says of a refused update: parameters and optimiser are as they were before it.
    fn make_again(&self, numbers: &Numbers, of_loss: &Tensor) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let Numbers { step, loss, .. } = *numbers;
        finite_loss(loss, || format!("at update {step}"))?;
        let params: Vec<(String, Tensor)> = self
            .optimizer
            .params()
            .iter()
            .map(|(name, param)| (name.clone(), param.detach().to_device(Device::Cpu)))
            .collect();
        let mut gradients = Gradients::new(&params, parts(of_loss, &params), self.penalty, step)?;
        check_total(loss, &gradients, step)?;
        if let Some(norm) = self.clip {
            gradients.clip(norm);
        }
        self.optimizer.check_next(&params, &gradients.all)
    }

    /// Waits for the device, if updates are made on one, and returns the last update. Fails if one was refused since the last
    /// look, for a number that is not finite: parameters are those before it, and [`optimizer`](Self::optimizer) counts those
    /// before it.
    pub fn look(&self) -> Result<Update> {
        self.wait()?;
        let pending = self.pending.borrow();
        match (pending.last(), &pending.outputs) {
            (Some(known), Some(outputs)) => Ok(Update {
                step: known.step,
                loss: known.loss,
                gradient_norm: known.gradient_norm,
                outputs: outputs.shallow_clone(),
            }),
            _ => Err(Error::Config("there is no update to look at: none is being made".into())),
        }
    }

    /// Waits for the device, if updates are made on one, and fails as [`look`](Self::look) does.
    pub fn wait(&self) -> Result<()> {
        catch_torch(|| self.settle())?;
        self.pending.borrow_mut().failure.take().map_or(Ok(()), Err)
    }

    /// How many updates there are that nobody has looked at yet; on the CPU none.
    pub fn unseen(&self) -> usize {
        self.pending.borrow().len()
    }

    /// Number and loss of the last update that was looked at and made.
    pub fn last_loss(&self) -> Option<(u64, f64)> {
        self.pending.borrow().last().map(|known| (known.step, known.loss))
    }

    /// The loss of every update that was looked at and made, since [`losses`](Self::losses) was last called.
    pub fn known_losses(&self) -> Vec<f64> {
        self.pending.borrow().losses().to_vec()
    }

    /// How often a device was waited for, to look at updates.
    #[doc(hidden)]
    pub fn looks(&self) -> u64 {
        self.pending.borrow().looks
    }

    /// Makes updates as on a device, wherever the parameters are: for tests.
    #[doc(hidden)]
    pub fn as_on_a_device(mut self) -> Self {
        self.unwaited = self.optimizer.is_built_in();
        self
    }

    /// The same by the kernels of a GPU.
    #[doc(hidden)]
    pub fn as_on_gpu(mut self, gpu: &Gpu) -> Result<Self> {
        self.optimizer.use_kernels(gpu)?;
        Ok(self.as_on_a_device())
    }
}
