//! An update of all parameters at once, as one long one: for devices on which every operation costs the same few microseconds,
//! whatever it does, and where every look at a result waits for all that came before it.

use bd_core::{Error, Result};
use tch::Tensor;

use super::apply::{Apply, Target, Try};
use super::rule::Rule;

/// The update of parameters by their gradients. `slots` are those of all parameters, joined, in the rule's order. Where a number would
/// not be finite, nothing is changed.
pub(super) fn update(
    (rule, step, lr): (Rule, u64, f64),
    params: &[(String, Tensor)],
    gradients: &[Tensor],
    slots: &[Tensor],
) -> Result<()> {
    for ((name, param), gradient) in params.iter().zip(gradients) {
        assert_eq!(param.size(), gradient.size(), "the gradient of {name} has its shape");
    }
    let param = joined(params.iter().map(|(_, param)| param));
    let gradient = joined(gradients);
    let target = Target { param: &param, gradient: &gradient, slots };
    let tried = rule.formula(step, lr, Try(&target)).map_err(|_| overflow((rule, step, lr), params, &target))?;
    rule.formula(step, lr, Apply(&target, tried));
    // Copies into the parameters themselves, so that libtorch knows that they were edited.
    params.iter().zip(parts(&param, params)).for_each(|((_, param), next)| param.shallow_clone().copy_(&next));
    Ok(())
}

/// Tensors one after the other.
pub(crate) fn joined<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Tensor {
    Tensor::cat(&tensors.into_iter().map(|tensor| tensor.detach().reshape([-1])).collect::<Vec<_>>(), 0)
}

/// Views of what belongs to each of the parameters.
pub(crate) fn parts(all: &Tensor, params: &[(String, Tensor)]) -> Vec<Tensor> {
    let mut from = 0;
    let part = |(_, param): &(String, Tensor)| {
        let length = param.numel() as i64;
        from += length;
        all.narrow(0, from - length, length).view(param.size().as_slice())
    };
    params.iter().map(part).collect()
}

/// Which of the parameters, or of what is kept beside them, would overflow: found out one by one, now that one is known to.
fn overflow((rule, step, lr): (Rule, u64, f64), params: &[(String, Tensor)], all: &Target<'_>) -> Error {
    let (values, gradients) = (parts(all.param, params), parts(all.gradient, params));
    let slots: Vec<Vec<Tensor>> = all.slots.iter().map(|slot| parts(slot, params)).collect();
    for (i, (name, _)) in params.iter().enumerate() {
        let slots: Vec<Tensor> = slots.iter().map(|parts| parts[i].shallow_clone()).collect();
        let target = Target { param: &values[i], gradient: &gradients[i], slots: &slots };
        if let Err(which) = rule.formula(step, lr, Try(&target)) {
            return super::overflow(rule, step, name, which);
        }
    }
    super::overflow(rule, step, "a parameter", 0)
}

#[cfg(test)]
mod tests {
    use bd_core::{Params, Rng};
    use tch::{Device, Kind};

    use super::*;
    use crate::optim::{OptimConfig, Optimizer};

    fn model(kind: Kind) -> Params {
        let mut params = Params::new(1, (kind, Device::Cpu));
        for (name, shape) in [("a", vec![3, 5]), ("b", vec![1]), ("c", vec![17])] {
            let _ = params.at(name).param("w", |rng| rng.tensor(&shape, (kind, Device::Cpu), Rng::normal)).unwrap();
        }
        params
    }

    /// Bit for bit what is done parameter by parameter.
    #[test]
    fn all_at_once_is_one_by_one() {
        for (kind, rule) in
            [Kind::Float, Kind::Double].into_iter().flat_map(|kind| Rule::all().map(|rule| (kind, rule)))
        {
            let (one, all) = (model(kind), model(kind));
            let config = OptimConfig { rule, lr: 0.01, ..OptimConfig::default() };
            let mut optimizer = Optimizer::new(&config, &one).unwrap();
            let (params, _guard) = (all.trainable(), tch::no_grad_guard());
            let total = params.iter().map(|(_, param)| param.numel() as i64).sum::<i64>();
            let slots: Vec<Tensor> = rule.slots().iter().map(|_| Tensor::zeros([total], (kind, Device::Cpu))).collect();
            for t in 1..5 {
                let draw = |(name, param): &(String, Tensor)| {
                    Rng::new(t, name).tensor(&param.size(), (kind, Device::Cpu), Rng::normal)
                };
                let gradients: Vec<Tensor> = params.iter().map(draw).collect();
                optimizer.update(&gradients).unwrap();
                update((rule, t, 0.01), &params, &gradients, &slots).unwrap();
                for ((name, found), (_, expected)) in params.iter().zip(one.trainable()) {
                    assert!(found.equal(&expected), "{name} by {rule:?} in {kind:?} after {t}");
                }
            }
        }
    }

    #[test]
    fn what_would_overflow_is_named_and_nothing_is_changed() {
        let params = model(Kind::Float).trainable();
        let before: Vec<Tensor> = params.iter().map(|(_, param)| param.copy()).collect();
        let _guard = tch::no_grad_guard();
        let gradients: Vec<Tensor> = params
            .iter()
            .map(|(name, param)| if name == "c.w" { param.full_like(1e30) } else { param.zeros_like() })
            .collect();
        let slots = [Tensor::zeros([33], (Kind::Float, Device::Cpu)), Tensor::zeros([33], (Kind::Float, Device::Cpu))];
        let error = update((Rule::default(), 1, 0.1), &params, &gradients, &slots).unwrap_err().to_string();
        assert!(error.contains("the optimiser's v of c.w") && error.contains("update 1"), "{error}");
        assert!(params.iter().zip(&before).all(|((_, param), before)| param.equal(before)));
        assert!(slots.iter().all(|slot| slot.abs().max().double_value(&[]) == 0.0));
    }
}
