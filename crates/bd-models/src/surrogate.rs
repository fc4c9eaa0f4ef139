//! Surrogate gradients: what stands in for the derivative of a spike. The table is that of `bd-kernel`'s [`Surrogate`].

pub use bd_kernel::models::surrogate::{Custom, Surrogate};

#[cfg(test)]
mod tests {
    use bd_core::kernel::{Field, SurrogateGradient, spike};
    use tch::Tensor;

    use super::*;

    #[test]
    fn numbers_and_tensors_agree() {
        let xs = [-3.7, -1.3, -0.41, -0.06, -0.013, 0.007, 0.19, 0.77, 1.6, 4.1];
        for surrogate in Surrogate::all() {
            let tensor = Vec::<f64>::try_from(surrogate.grad(Field(Tensor::from_slice(&xs))).0).unwrap();
            for (x, tensor) in xs.into_iter().zip(tensor) {
                let number = surrogate.grad(x);
                assert!((tensor - number).abs() <= 1e-14 * (1.0 + number.abs()), "{surrogate:?} at {x}");
            }
        }
    }

    #[test]
    fn spikes_are_exactly_0_or_1_and_their_gradient_is_g() {
        for surrogate in Surrogate::all() {
            let x = Tensor::from_slice(&[-0.2f32, -1e-9, 0.0, 1e-9, 0.7]).set_requires_grad(true);
            let spikes = spike(&surrogate, &x);
            assert_eq!(Vec::<f32>::try_from(&spikes).unwrap(), [0.0, 0.0, 1.0, 1.0, 1.0]);
            let weights = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0]);
            let gradient = Tensor::run_backward(&[(spikes * &weights).sum(tch::Kind::Float)], &[&x], false, false);
            assert_eq!(gradient[0], surrogate.grad(Field(x.detach())).0 * weights, "{surrogate:?}");
        }
    }
}
