//! [`RidgeSolution`]: the weights that a fit comes to.

use bd_core::{Readout, Result, catch_torch};
use tch::Tensor;

/// Weights that solve a ridge regression, in float64.
#[derive(Debug)]
pub struct RidgeSolution {
    /// `[n_features, n_targets]`.
    pub weight: Tensor,
    /// `[n_targets]`, if there is an intercept.
    pub bias: Option<Tensor>,
    /// Directions that were kept.
    pub rank: usize,
}

impl RidgeSolution {
    /// Copies the solution into the readout of `model`, in the readout's own dtype.
    pub fn write_to<M: Readout>(&self, model: &M) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let (weight, bias) = model.readout();
        weight.shallow_clone().f_copy_(&self.weight)?;
        if let (Some(bias), Some(solved)) = (bias, &self.bias) {
            bias.shallow_clone().f_copy_(solved)?;
        }
        Ok(())
    }

    /// Features that have a weight which is not zero.
    pub fn used(&self) -> Result<usize> {
        catch_torch(|| Ok(self.weight.ne(0.0).any_dim(1, false).sum(tch::Kind::Int64).int64_value(&[]) as usize))
    }
}
