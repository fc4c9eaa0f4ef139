//! [`Forecaster`]: a model that forecasts the channels of a series and is fitted in closed form.

use tch::Tensor;

use crate::error::Result;
use crate::system::Readout;

/// A model whose outputs are forecasts of its inputs: of each channel at one or more horizons, `[horizon, channel]`, flattened. Its
/// readout can be fitted by ridge regression.
///
/// Fitting, the choice of a penalty, forecasts and free runs of `bd-train` ask for no more than this, so that a reservoir of any kind
/// has all of them.
pub trait Forecaster: Readout + Sized {
    /// How many points before the present one the state depends on: for lagged inputs the oldest lag. A state that has seen as many
    /// from its initial value is as good as one that has seen more; of a reservoir whose memory fades it is the length of its
    /// washout.
    fn memory(&self) -> usize;

    /// The model of one of the horizons alone, counted from 0, on views of the same parameters. That of one step ahead can run on
    /// its own outputs.
    fn horizon(&self, index: usize) -> Self;

    /// Learns the scaling of inputs from training data `[.., channel]`, where the model has one. Outputs are in the units of the
    /// data all the same.
    fn fit_scale(&self, _x: &Tensor) -> Result<()> {
        Ok(())
    }

    /// Number of channels.
    fn channels(&self) -> usize {
        self.n_in() as usize
    }

    /// Number of horizons.
    fn horizons(&self) -> usize {
        (self.n_out() / self.n_in()) as usize
    }

    /// Number of features that the readout is a linear map of, without the intercept.
    fn n_features(&self) -> usize {
        self.readout().0.size()[0] as usize
    }
}
