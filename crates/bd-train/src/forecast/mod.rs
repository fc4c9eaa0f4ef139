//! Forecasts of series by any [`Forecaster`](bd_core::Forecaster): its fit by ridge regression or sample by sample, the choice of a penalty, errors beside
//! those of forecasts that need no model, free runs.

mod device;
mod fit;
mod fitter;
mod measure;
mod online;
mod passage;
mod settings;
#[cfg(test)]
mod tests;

pub use self::device::RidgeDevice;
pub use self::fit::{Candidate, FitEvent, ForecastFit, Score, fit};
pub use self::fitter::Fitter;
pub use self::measure::{Forecast, ForecastEvaluation, Measure, ValidTime};
pub use self::online::{OnlineFit, OnlineFitter};
pub use self::settings::{ForecastConfig, Select, ShortPart};
