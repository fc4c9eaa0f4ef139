//! [`UpdateRule`]: an optimiser of one's own.

use std::fmt::Debug;

use bd_core::checked::check_on;
use bd_core::{Error, Result, check_finite};
use tch::Tensor;

/// How gradients change parameters, where none of [`Rule`](super::Rule) will do: for [`Optimizer::with_rule`](super::Optimizer::with_rule), and by it for
/// [`Bptt::with_optimizer`](crate::Bptt::with_optimizer).
///
/// It is a function of the present values; the optimiser keeps the tensors, saves them under their names, and goes on from them. So
/// clipping, penalties, several batches an update, truncation, checks and checkpoints are as for the built-in rules. All parameters are
/// given at once, for rules that look at more than one.
///
/// ```
/// use bd_core::Result;
/// use bd_train::optim::{Current, Next, UpdateRule};
///
/// /// Descent by the sign of a running mean of the gradient (Chen et al. 2023, Lion, without decay of weights).
/// #[derive(Debug)]
/// struct Lion;
///
/// impl UpdateRule for Lion {
///     fn slots(&self) -> Vec<String> {
///         vec!["m".into()]
///     }
///
///     fn next(&self, _step: u64, lr: f64, params: &[Current]) -> Result<Vec<Next>> {
///         let next = |Current { value, gradient, slots, .. }: &Current| Next {
///             value: *value - (&slots[0] * 0.9 + *gradient * 0.1).sign() * lr,
///             slots: vec![&slots[0] * 0.99 + *gradient * 0.01],
///         };
///         Ok(params.iter().map(next).collect())
///     }
/// }
/// ```
pub trait UpdateRule: Debug + Send {
    /// Names of the tensors that are kept beside each parameter: of its shape, dtype and device, and zero at first.
    fn slots(&self) -> Vec<String>;

    /// Values and slots of all parameters after update `step`, counted from 1, with learning rate `lr`. Runs with gradients off. It must
    /// give new tensors, and not edit those that it is given.
    fn next(&self, step: u64, lr: f64, params: &[Current<'_>]) -> Result<Vec<Next>>;
}

/// A parameter before an update.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a Tensor,
    /// Its gradient, with the penalty's, and clipped.
    pub gradient: &'a Tensor,
    /// What is kept beside it, in the order of [`UpdateRule::slots`].
    pub slots: &'a [Tensor],
}

/// A parameter after an update.
#[derive(Debug)]
pub struct Next {
    /// Its value.
    pub value: Tensor,
    /// What is kept beside it, in the order of [`UpdateRule::slots`].
    pub slots: Vec<Tensor>,
}

/// Makes update `step`. Where what the rule gives does not fit, or a number of it is not finite, nothing is changed.
pub(super) fn update(
    rule: &dyn UpdateRule,
    (step, lr): (u64, f64),
    params: &[(String, Tensor)],
    gradients: &[Tensor],
    slots: &[Vec<Tensor>],
) -> Result<()> {
    // Values outside the graph, so that a rule cannot build on it.
    let values: Vec<Tensor> = params.iter().map(|(_, param)| param.detach()).collect();
    let current: Vec<Current<'_>> = params
        .iter()
        .zip(&values)
        .zip(gradients.iter().zip(slots))
        .map(|(((name, _), value), (gradient, slots))| Current { name, value, gradient, slots })
        .collect();
    let next = rule.next(step, lr, &current)?;
    if next.len() != params.len() {
        let (found, expected) = (next.len(), params.len());
        return Err(Error::Config(format!("the update rule gave {found} values for {expected} parameters")));
    }
    let names = rule.slots();
    for (at, next) in current.iter().zip(&next) {
        check_next(&format!("{}, as update {step} would make it,", at.name), &next.value, at.value)?;
        if next.slots.len() != at.slots.len() {
            let (found, expected) = (next.slots.len(), at.slots.len());
            return Err(Error::Config(format!("the update rule gave {found} slots for {}, of {expected}", at.name)));
        }
        for ((name, next), slot) in names.iter().zip(&next.slots).zip(at.slots) {
            check_next(&format!("{}.{name}, as update {step} would make it,", at.name), next, slot)?;
        }
    }
    for ((param, slots), next) in values.iter().zip(slots).zip(&next) {
        param.shallow_clone().f_copy_(&next.value)?;
        slots.iter().zip(&next.slots).try_for_each(|(slot, next)| slot.shallow_clone().f_copy_(next).map(drop))?;
    }
    Ok(())
}

fn check_next(what: &str, next: &Tensor, before: &Tensor) -> Result<()> {
    check_like(what, next, before)?;
    check_finite(what, next)
}

/// Refuses a tensor of another shape, dtype or device than `like`, the parameter that it belongs to.
pub(super) fn check_like(what: &str, tensor: &Tensor, like: &Tensor) -> Result<()> {
    if tensor.size() != like.size() {
        let expected = format!("{:?}, as the parameter", like.size());
        return Err(Error::Shape { what: what.into(), expected, found: tensor.size() });
    }
    check_on(what, (tensor.kind(), tensor.device()), (like.kind(), like.device()), "as the parameter is")
}
