//! [`fit`]: warm-up, the choice of the penalty where there are several, the regression.
//!
//! The horizons share their inputs, so that one model with the targets of all horizons side by side needs the features
//! and the factorisation once: its outputs are `[horizon, channel]`, flattened.

use std::ops::Range;

use bd_core::{Error, Forecaster, Result, Shared, Tap, catch_torch};
use tch::{Device, Kind, Tensor};

use super::measure::{Forecast, Measure};
use super::settings::{ForecastConfig, Select, ShortPart};
use crate::data::{Series, Split};
use crate::free_runs::{FreeRunSummary, Units};
use crate::predict::predict;
use crate::ridge::{RidgeFactor, RidgeReport};

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
    },
    /// By free runs.
    FreeRun(FreeRunSummary),
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
    /// The regression begins.
    Started {
        /// Samples.
        rows: usize,
        /// Weights of each output: features and the intercept.
        columns: usize,
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
    config.check()?;
    match config.short_part(split, model.memory()) {
        None | Some(ShortPart::Test { .. }) => {}
        Some(short) => return Err(short.into()),
    }
    let fitted = if config.alphas.len() > 1 { &split.validation } else { &split.train };
    let end = config.rows(fitted).end + config.farthest();
    if end > series.points() {
        return Err(Error::Config(format!(
            "targets {} steps ahead would end at point {end}, but the series has {} points",
            config.farthest(),
            series.points()
        )));
    }
    catch_torch(|| {
        let known = series.stretch(split.train.clone()).squeeze_dim(0);
        let measure = Measure::new(model, series, &config.horizons, Units::of(&known)?)?;
        Fit { model, series, split, config, measure }.run(observe)
    })
}

struct Fit<'a, M> {
    model: &'a M,
    series: &'a Series,
    split: &'a Split,
    config: &'a ForecastConfig,
    measure: Measure<'a, M>,
}

impl<M: Forecaster> Fit<'_, M> {
    fn on(&self) -> (Kind, Device) {
        let weight = self.model.readout().0;
        (weight.kind(), weight.device())
    }

    /// Points as `[1, time, channel]`, as the model takes them.
    fn stretch(&self, range: Range<usize>) -> Tensor {
        let (kind, device) = self.on();
        self.series.stretch(range).to_device(device).to_kind(kind)
    }

    fn run(&self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<ForecastFit> {
        let Self { model, series, split, config, .. } = self;
        model.fit_scale(&series.stretch(split.train.clone()).to_device(self.on().1))?;
        let state = self.warm_up(observe)?;
        let rows = config.rows(&split.train);
        observe(&FitEvent::Started { rows: rows.len(), columns: model.n_features() + 1 });
        let ridge = config.ridge_with(config.alphas[0]);
        let sha = Shared::new(series.dt).ahead(rows.start);
        let (mut factor, state) =
            ridge.factor(*model, &sha, &self.stretch(rows.clone()), &self.targets(&rows), state)?;
        let (alpha, candidates) = if config.alphas.len() > 1 {
            let choice = self.choose(&factor)?;
            observe(&FitEvent::Chosen(&choice.1));
            // With the penalty chosen, the validation part is for training, too.
            let more = rows.end..config.rows(&split.validation).end;
            let sha = Shared::new(series.dt).ahead(more.start);
            ridge.extend(&mut factor, *model, &sha, &self.stretch(more.clone()), &self.targets(&more), state)?;
            choice
        } else {
            (ridge.alpha, Vec::new())
        };
        let ridge = config.ridge_with(alpha);
        let solution = factor.solve(&ridge)?;
        solution.write_to(*model)?;
        let report = factor.report(&ridge, &solution)?;
        observe(&FitEvent::Solved { alpha, report: &report });
        let validation = match config.alphas.len() {
            1 if split.validation.len() > config.farthest() => self.measure.forecasts(split.validation.clone())?,
            _ => Vec::new(),
        };
        observe(&FitEvent::Validated(&validation));
        Ok(ForecastFit { alpha, report, candidates, validation })
    }

    fn warm_up(&self, observe: &mut dyn FnMut(&FitEvent<'_>)) -> Result<M::State> {
        let (warmup, memory) = (&self.split.warmup, self.model.memory());
        let points = warmup.len();
        if memory > points {
            observe(&FitEvent::ShortWarmUp { memory, points });
        }
        let mut state = self.model.init_state(1, self.on());
        if points > 0 {
            let sha = Shared::new(self.series.dt);
            state = predict(self.model, &sha, &self.stretch(warmup.clone()), state, &mut Tap::none())?.1;
        }
        observe(&FitEvent::WarmedUp { points });
        Ok(state)
    }

    /// The targets of inputs `rows`, those of all horizons side by side.
    fn targets(&self, rows: &Range<usize>) -> Tensor {
        let shifted = |h: &usize| self.stretch(rows.start + h..rows.end + h);
        Tensor::cat(&self.config.horizons.iter().map(shifted).collect::<Vec<_>>(), 2)
    }

    /// The penalty that is best on the validation part.
    fn choose(&self, factor: &RidgeFactor) -> Result<(f64, Vec<Candidate>)> {
        let (config, part) = (self.config, &self.split.validation);
        let nearest = (0..config.horizons.len()).min_by_key(|&i| config.horizons[i]).expect("there is a horizon");
        let mut found = Vec::new();
        // The greatest score wins: for one step ahead the error with its sign turned.
        let score = |_: &M| match config.select {
            Select::OneStep => {
                let forecast = &self.measure.forecasts(part.clone())?[nearest];
                let (mse, nrmse) = (forecast.error.mse, forecast.error.nrmse);
                found.push(Score::OneStep { horizon: forecast.horizon, mse, nrmse });
                Ok([0.0, 0.0, -nrmse])
            }
            Select::FreeRun => {
                let Some(free) = self.measure.free_runs(part.clone(), &config.free_run)? else {
                    return Err(ShortPart::FreeRuns { points: part.len() }.into());
                };
                found.push(Score::FreeRun((&free).into()));
                Ok(free.score())
            }
        };
        let (best, scores) = factor.choose(&config.ridge_with(0.0), &config.alphas, self.model, score)?;
        let mut found = found.into_iter();
        let candidates = config.alphas.iter().zip(scores).map(|(&alpha, score)| Candidate {
            alpha,
            score: score.map(|_| found.next().expect("one for each score")).map_err(|error| error.to_string()),
            chosen: alpha == best,
        });
        Ok((best, candidates.collect()))
    }
}
