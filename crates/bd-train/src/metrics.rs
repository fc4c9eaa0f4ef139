//! Measures of how good predictions are. All take `[.., time, channel]` of the same shape and compute in float64.

use bd_core::{Error, Result, catch_torch};
use tch::{Kind, Tensor};

/// What reports call [`ForecastError::nrmse`], with its norm.
pub const NRMSE: &str = "NRMSE/std";

/// Errors of a forecast, over all samples.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastError {
    /// Mean square error over all samples and channels.
    pub mse: f64,
    /// Mean of [`nrmse_per_channel`](Self::nrmse_per_channel) over the channels that have one.
    pub nrmse: f64,
    /// The same over the range of the target, its greatest less its least value, instead of its standard deviation: several times
    /// smaller. Programs differ in which they call NRMSE.
    pub nrmse_by_range: f64,
    /// Root mean square error of a channel over the standard deviation (of the population) of its target. Not a number
    /// where the target is constant.
    pub nrmse_per_channel: Vec<f64>,
}

impl ForecastError {
    /// Error over variance, the square of [`nrmse_per_channel`](Self::nrmse_per_channel): its mean over the channels that have one.
    pub fn nmse(&self) -> f64 {
        let squares: Vec<f64> = self.nrmse_per_channel.iter().filter(|nrmse| !nrmse.is_nan()).map(|x| x * x).collect();
        squares.iter().sum::<f64>() / squares.len() as f64
    }
}

/// Compares a prediction with its target.
pub fn forecast_error(prediction: &Tensor, target: &Tensor) -> Result<ForecastError> {
    if prediction.size() != target.size() || target.numel() == 0 || target.dim() < 2 {
        let expected = format!("[.., time, channel] like the target ({:?}), not empty", target.size());
        return Err(Error::Shape { what: "prediction".into(), expected, found: prediction.size() });
    }
    catch_torch(|| {
        let rows = |t: &Tensor| t.to_kind(Kind::Double).flatten(0, -2);
        let (prediction, target) = (rows(prediction), rows(target));
        let mse_per_channel = (&prediction - &target).square().mean_dim(0, false, Kind::Double);
        let range = target.amax(0, false) - target.amin(0, false);
        let constant = range.eq(0.0);
        let over_channels =
            |values: &Tensor| values.masked_select(&constant.logical_not()).mean(Kind::Double).double_value(&[]);
        let by_range = mse_per_channel.sqrt() / range;
        let nrmse = (mse_per_channel.sqrt() / target.std_dim(0, false, false)).masked_fill(&constant, f64::NAN);
        Ok(ForecastError {
            mse: mse_per_channel.mean(Kind::Double).double_value(&[]),
            nrmse: over_channels(&nrmse),
            nrmse_by_range: over_channels(&by_range),
            nrmse_per_channel: Vec::try_from(nrmse)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_channel_has_no_normalised_error_and_does_not_spoil_the_mean() {
        let target = Tensor::from_slice(&[0.0f64, 7.1, 2.0, 7.1]).reshape([2, 2]);
        let error = forecast_error(&(&target + 0.5), &target).unwrap();
        assert!((error.mse, error.nrmse, error.nrmse_per_channel[0]) == (0.25, 0.5, 0.5), "{error:?}");
        assert!(error.nrmse_per_channel[1].is_nan());
    }

    /// By hand: errors 1, 1 and 0, 2 on channels of standard deviation 1 and 2.
    #[test]
    fn the_definitions() {
        let target = Tensor::from_slice(&[0.0f64, 0.0, 2.0, 4.0]).reshape([2, 2]);
        let prediction = Tensor::from_slice(&[1.0f64, 0.0, 3.0, 6.0]).reshape([2, 2]);
        let error = forecast_error(&prediction, &target).unwrap();
        assert_eq!(error.mse, 1.5);
        for (found, expected) in error.nrmse_per_channel.iter().zip([1.0, 0.5f64.sqrt()]) {
            assert!((found - expected).abs() < 1e-15, "{error:?}");
        }
        assert!((error.nrmse - (1.0 + 0.5f64.sqrt()) / 2.0).abs() < 1e-15);
        // Ranges 2 and 4.
        assert!((error.nrmse_by_range - (0.5 + 0.5f64.sqrt() / 2.0) / 2.0).abs() < 1e-15);
        assert!((error.nmse() - 0.75).abs() < 1e-15);
        for wrong in [target.narrow(0, 0, 1), target.flatten(0, -1)] {
            assert!(forecast_error(&prediction, &wrong).is_err());
        }
        assert!(forecast_error(&prediction.flatten(0, -1), &target.flatten(0, -1)).is_err());
    }
}
