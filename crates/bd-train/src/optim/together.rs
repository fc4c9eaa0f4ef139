//! An update of all parameters at once, as one long one: for devices on which every operation costs the same few microseconds,
//! whatever it does, and where every look at a result waits for all that came before it.

use tch::{Device, Tensor};

use super::apply::{Next, Target, Try};
use super::rule::Rule;
use bd_core::Error;

/// The update of parameters by their gradients, both joined, where it is `sound` and every number that comes of it is finite; else
/// nothing is changed. `slots` are those of all parameters, in the rule's order. Nothing is looked at: whether it was made is handed
/// back as a tensor.
pub(super) fn update_where(
    (rule, step, lr): (Rule, u64, f64),
    params: &[(String, Tensor)],
    (param, gradient): (&Tensor, &Tensor),
    slots: &[Tensor],
    sound: &Tensor,
) -> Tensor {
    let target = Target { param, gradient, slots };
    let (next, next_slots) = rule.formula(step, lr, Next(&target));
    let next_slots = &next_slots[..slots.len()];
    let sound = std::iter::once(&next)
        .chain(next_slots)
        .fold(sound.shallow_clone(), |sound, next| sound.logical_and(&next.isfinite().all()));
    for (slot, next) in slots.iter().zip(next_slots) {
        slot.shallow_clone().copy_(&next.where_self(&sound, slot));
    }
    // Copies into the parameters themselves, so that libtorch knows that they were edited.
    let next = parts(&next.where_self(&sound, param), params);
    params.iter().zip(next).for_each(|((_, param), next)| param.shallow_clone().copy_(&next));
    sound
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

/// Which of the parameters, or of what is kept beside them, would overflow, if any would: found out one by one and on the host.
/// `slots` are joined.
pub(super) fn overflow(
    (rule, step, lr): (Rule, u64, f64),
    params: &[(String, Tensor)],
    gradients: &[Tensor],
    slots: &[Tensor],
) -> Option<Error> {
    let host = |t: &Tensor| t.detach().to_device(Device::Cpu).contiguous();
    let slots: Vec<Vec<Tensor>> = slots.iter().map(|slot| parts(&host(slot), params)).collect();
    params.iter().zip(gradients).enumerate().find_map(|(i, ((name, param), gradient))| {
        let slots: Vec<Tensor> = slots.iter().map(|parts| parts[i].shallow_clone()).collect();
        let target = Target { param: &host(param), gradient: &host(gradient), slots: &slots };
        let wrong = rule.formula(step, lr, Try(&target)).err();
        wrong.map(|which| super::overflow(rule, step, name, which))
    })
}

#[cfg(test)]
mod tests {
    use bd_core::testing::assert_close;
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

    fn update_all(
        rule: (Rule, u64, f64),
        params: &[(String, Tensor)],
        gradients: &[Tensor],
        slots: &[Tensor],
    ) -> Tensor {
        let (param, gradient) = (joined(params.iter().map(|(_, param)| param)), joined(gradients));
        update_where(rule, params, (&param, &gradient), slots, &Tensor::from(true))
    }

    /// What is done parameter by parameter.
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
                let sound = update_all((rule, t, 0.01), &params, &gradients, &slots);
                assert!(sound.int64_value(&[]) == 1);
                for ((name, found), (_, expected)) in params.iter().zip(one.trainable()) {
                    let what = format!("{name} by {rule:?} in {kind:?} after {t}");
                    assert_close(&what, &found.detach(), &expected.detach(), rule.round_off(kind));
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
        let rule = (Rule::default(), 1, 0.1);
        assert!(update_all(rule, &params, &gradients, &slots).int64_value(&[]) == 0);
        let error = overflow(rule, &params, &gradients, &slots).unwrap().to_string();
        assert!(error.contains("the optimiser's v of c.w") && error.contains("update 1"), "{error}");
        assert!(params.iter().zip(&before).all(|((_, param), before)| param.equal(before)));
        assert!(slots.iter().all(|slot| slot.abs().max().double_value(&[]) == 0.0));
    }
}
