//! [`fit()`]: a fit without a break; what a fit finds, and what happens in it.

use bd_core::{Forecaster, Result};

use super::fitter::Fitter;
use super::measure::Forecast;
use super::settings::ForecastConfig;
use crate::data::{Series, Split};
use crate::free_runs::FreeRunSummary;
use crate::ridge::RidgeReport;

/// What a fit has found.
#[derive(Debug)]
pub struct ForecastFit {
    /// The penalty, the best one where there were several.
    pub alpha: f64,
    /// Of the regression.
    pub report: RidgeReport,
    /// Each of several penalties; empty where there was one.
    pub candidates: Vec<Candidate>,
    /// Forecasts of a validation part that nothing was chosen by; empty where there is none.
    pub validation: Vec<Forecast>,
}

/// One of several penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The penalty.
    pub alpha: f64,
    /// How good it is on the validation part, or why the solver has refused it.
    pub score: Result<Score, String>,
    /// Whether it is the best.
    pub chosen: bool,
}

/// How good a penalty is on the validation part.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// By the error of the nearest horizon.
    OneStep {
        /// The horizon.
        horizon: usize,
        /// Mean square error.
        mse: f64,
        /// See [`ForecastError::nrmse`](crate::metrics::ForecastError::nrmse).
        nrmse: f64,
        /// Mean over all horizons of the normalised errors or, where targets are constant and have none, of the mean square errors.
        mean_error: f64,
    },
    /// By free runs.
    FreeRun(FreeRunSummary),
}

impl Score {
    /// Of two models the better one has the greater rank: by the errors of all horizons the one with the smaller mean, by free runs
    /// the one with the greater [score](FreeRunSummary::score).
    pub fn rank(&self) -> [f64; 3] {
        match self {
            Self::OneStep { mean_error, .. } => [0.0, 0.0, -mean_error],
            Self::FreeRun(free) => free.score(),
        }
    }
}

/// What happens in a fit, in this order, for whoever wants to report it.
#[derive(Debug)]
pub enum FitEvent<'a> {
    /// The model remembers more points than warm-up has: training begins with zeros as history.
    ShortWarmUp {
        /// Points that the model remembers.
        memory: usize,
        /// Points of the warm-up.
        points: usize,
    },
    /// The warm-up is done.
    WarmedUp {
        /// Its points; there may be none.
        points: usize,
    },
    /// The regression begins, or goes on from a checkpoint.
    Started {
        /// Samples, those of the checkpoint included.
        rows: usize,
        /// Weights of each output: features and the intercept.
        columns: usize,
    },
    /// A chunk of samples is in the regression.
    Taken {
        /// Samples in it so far.
        samples: usize,
    },
    /// The best of several penalties is known.
    Chosen(&'a [Candidate]),
    /// The readout is fitted.
    Solved {
        /// The penalty.
        alpha: f64,
        /// Of the regression.
        report: &'a RidgeReport,
    },
    /// All samples were learned [online](super::OnlineFitter).
    Learned {
        /// How many.
        samples: usize,
        /// See [`OnlineFit::before_mse`](super::OnlineFit::before_mse).
        before_mse: &'a [f64],
        /// See [`Learner::unexcited`](crate::online::Learner::unexcited).
        unexcited: usize,
    },
    /// A validation part that nothing was chosen by has its forecasts.
    Validated(&'a [Forecast]),
}

/// Fits `model`, whose outputs are the horizons of `config`, to the training part of `series`, after a warm-up from zeros. With several
/// penalties the best on the validation part is taken, and then the readout is fitted to both parts. `observe` sees what happens.
///
/// Fails if settings are not allowed, if a part is too short (the test part aside, which has no use here), or if the regression fails.
pub fn fit<M: Forecaster>(
    model: &M,
    series: &Series,
    split: &Split,
    config: &ForecastConfig,
    observe: &mut dyn FnMut(&FitEvent<'_>),
) -> Result<ForecastFit> {
    let fitted = Fitter::new(model, series, split, config).fit(observe)?;
    Ok(fitted.expect("nobody else has a handle by which to stop it"))
}
