//! Measures of how good predictions are. All take `[.., time, channel]` of the same shape and compute in float64.

use bd_core::{Error, Result};
use tch::{Kind, Tensor};

/// Errors of a forecast, over all samples.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastError {
    /// Mean square error over all samples and channels.
    pub mse: f64,
    /// Mean over the channels of [`nrmse_per_channel`](Self::nrmse_per_channel).
    pub nrmse: f64,
    /// Root mean square error of a channel over the standard deviation (of the population) of its target.
    pub nrmse_per_channel: Vec<f64>,
}

/// Compares a prediction with its target.
pub fn forecast_error(prediction: &Tensor, target: &Tensor) -> Result<ForecastError> {
    if prediction.size() != target.size() || target.numel() == 0 {
        let expected = format!("{:?}, the target's shape, not empty", target.size());
        return Err(Error::Shape { what: "prediction".into(), expected, found: prediction.size() });
    }
    let rows = |t: &Tensor| t.to_kind(Kind::Double).flatten(0, -2);
    let (prediction, target) = (rows(prediction), rows(target));
    let mse_per_channel = (&prediction - &target).square().mean_dim(0, false, Kind::Double);
    let std = target.std_dim(0, false, false);
    let nrmse = mse_per_channel.sqrt() / std;
    Ok(ForecastError {
        mse: mse_per_channel.mean(Kind::Double).double_value(&[]),
        nrmse: nrmse.mean(Kind::Double).double_value(&[]),
        nrmse_per_channel: Vec::try_from(nrmse)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: errors 1, 1 and 0, 2 on channels of standard deviation 1 and 2.
    #[test]
    fn the_definitions() {
        let target = Tensor::from_slice(&[0.0f64, 0.0, 2.0, 4.0]).reshape([2, 2]);
        let prediction = Tensor::from_slice(&[1.0f64, 0.0, 3.0, 6.0]).reshape([2, 2]);
        let error = forecast_error(&prediction, &target).unwrap();
        assert_eq!(error.mse, 1.5);
        assert_eq!(error.nrmse_per_channel, [1.0, 2f64.sqrt() / 2.0]);
        assert!((error.nrmse - (1.0 + 0.5f64.sqrt()) / 2.0).abs() < 1e-15);
        assert!(forecast_error(&prediction, &target.narrow(0, 0, 1)).is_err());
    }
}
