//! [`Weight`]: a parameter of which something is kept whatever an optimiser does to it, its signs or the places of its zeros.
//!
//! ```text
//! W = theta                  what is trained is used as it is
//! W = theta mask             zeros stay zeros
//! W = signs |theta| mask     and signs stay signs: Dale's law, where the sign is one of the source
//! ```
//!
//! An optimiser moves `theta` as it likes. Its gradient is that of these formulas: none where the mask is 0, and `signs sgn(theta)` times that of `W`
//! elsewhere, so that neither momentum, weight decay nor clipping has to know of it. Song, Yang and Wang 2016 ("Training excitatory-inhibitory
//! recurrent neural networks for cognitive tasks") have `[theta]_+` for `|theta|`, whose weights have no gradient any more once they are 0.

use tch::Tensor;

/// What is kept of a weight. Both tensors are broadcast to its shape.
#[derive(Debug, Default)]
pub struct Kept {
    /// 1 or -1.
    pub signs: Option<Tensor>,
    /// 1 where there is a weight, 0 where there is none.
    pub mask: Option<Tensor>,
}

impl Kept {
    /// Whether everything may change.
    pub fn is_nothing(&self) -> bool {
        self.signs.is_none() && self.mask.is_none()
    }

    /// The weight that is used, in the graph of `theta`.
    pub fn of(&self, theta: &Tensor) -> Tensor {
        let signed = match &self.signs {
            Some(signs) => theta.abs() * signs,
            None => theta.shallow_clone(),
        };
        match &self.mask {
            Some(mask) => signed * mask,
            None => signed,
        }
    }

    /// The same tensors.
    pub(crate) fn handle(&self) -> Self {
        let [signs, mask] = [&self.signs, &self.mask].map(|of| of.as_ref().map(Tensor::shallow_clone));
        Self { signs, mask }
    }
}

/// A parameter `theta` and what is kept of it: see the [module](self). [`ParamPath::weight`](crate::ParamPath::weight) makes one.
#[derive(Debug)]
pub struct Weight {
    theta: Tensor,
    kept: Kept,
}

impl Weight {
    /// Of a parameter that is there already.
    pub fn new(theta: Tensor, kept: Kept) -> Self {
        Self { theta, kept }
    }

    /// The weight that is used, in the graph of the parameter. Where nothing is kept it is the parameter.
    pub fn value(&self) -> Tensor {
        self.kept.of(&self.theta)
    }

    /// What is trained.
    pub fn theta(&self) -> &Tensor {
        &self.theta
    }

    /// What is kept.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }
}

/// A weight of which nothing is kept.
impl From<Tensor> for Weight {
    fn from(theta: Tensor) -> Self {
        Self::new(theta, Kept::default())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn matrix(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).reshape([2, 2])
    }

    /// By hand, with a parameter of either sign.
    #[test]
    fn a_weight_is_its_formula_and_so_is_its_gradient() {
        let theta = matrix(&[1.0, -2.0, 3.0, -4.0]).set_requires_grad(true);
        let signs = || Some(Tensor::from_slice(&[1.0, -1.0]).reshape([2, 1]));
        let mask = || Some(matrix(&[1.0, 1.0, 0.0, 1.0]));
        for (kept, value, gradient) in [
            (Kept::default(), [1.0, -2.0, 3.0, -4.0], [1.0, 10.0, 100.0, 1000.0]),
            (Kept { signs: None, mask: mask() }, [1.0, -2.0, 0.0, -4.0], [1.0, 10.0, 0.0, 1000.0]),
            (Kept { signs: signs(), mask: None }, [1.0, 2.0, -3.0, -4.0], [1.0, -10.0, -100.0, 1000.0]),
            (Kept { signs: signs(), mask: mask() }, [1.0, 2.0, 0.0, -4.0], [1.0, -10.0, 0.0, 1000.0]),
        ] {
            let weight = Weight::new(theta.shallow_clone(), kept);
            assert_eq!(weight.value(), matrix(&value));
            let loss = (weight.value() * matrix(&[1.0, 10.0, 100.0, 1000.0])).sum(Kind::Double);
            assert_eq!(Tensor::run_backward(&[loss], &[&theta], false, false)[0], matrix(&gradient));
        }
    }

    #[test]
    fn a_weight_of_which_nothing_is_kept_is_its_parameter() {
        let theta = Tensor::ones([3], (Kind::Float, Device::Cpu));
        let weight = Weight::from(theta.shallow_clone());
        assert!(weight.kept().is_nothing() && weight.value().data_ptr() == theta.data_ptr());
    }
}
