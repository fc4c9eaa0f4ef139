//! [`Ends`]: what stands before and behind the features of a model that forecasts.

use bd_core::{ParamPath, Result};
pub use bd_kernel::models::Target;
use tch::Tensor;

use crate::standardise::Standardise;

/// The scaling of inputs, and what is added to the outputs of the readout.
#[derive(Debug)]
pub(crate) struct Ends {
    target: Target,
    scale: Option<Standardise>,
    /// Horizons of the readout.
    horizons: i64,
}

impl Ends {
    /// For `channels` channels; where inputs are scaled, with parameters made at `path`.
    pub(crate) fn new(
        path: &mut ParamPath<'_>,
        [channels, horizons]: [usize; 2],
        target: Target,
        scale: bool,
    ) -> Result<Self> {
        let scale = scale.then(|| Standardise::new(path, channels as i64)).transpose()?;
        Ok(Self { target, scale, horizons: horizons as i64 })
    }

    /// Inputs `[.., channel]` as the features see them.
    pub(crate) fn scaled(&self, x: &Tensor) -> Tensor {
        self.scale.as_ref().map_or_else(|| x.shallow_clone(), |scale| scale.apply(x))
    }

    /// What is added to the readout of inputs `[.., channel]`.
    pub(crate) fn added(&self, x: &Tensor) -> Option<Tensor> {
        match self.target {
            Target::Value => None,
            Target::Increment if self.horizons == 1 => Some(x.shallow_clone()),
            Target::Increment => Some(Tensor::cat(&vec![x; self.horizons as usize], -1)),
        }
    }

    /// The output of a readout `y` of inputs `x`.
    pub(crate) fn output(&self, x: &Tensor, y: Tensor) -> Tensor {
        self.added(x).map_or_else(|| y.shallow_clone(), |added| &y + added)
    }

    /// Takes the scaling from data `[.., channel]`, where there is one.
    pub(crate) fn fit_scale(&self, x: &Tensor) -> Result<()> {
        self.scale.as_ref().map_or(Ok(()), |scale| scale.fit(x))
    }

    /// Of one horizon alone, with handles on the same parameters.
    pub(crate) fn of_one_horizon(&self) -> Self {
        Self { target: self.target, scale: self.scale.as_ref().map(Standardise::share), horizons: 1 }
    }
}
