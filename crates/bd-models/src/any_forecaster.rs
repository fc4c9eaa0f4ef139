//! [`AnyForecaster`]: a model that forecasts, of a kind that is known when a program runs.

use bd_core::{
    Features, Forecaster, Inputs, Params, Readout, Result, Shared, StateTree, System, Tap,
    kernel::{Fused, Processor},
};
use tch::{Device, Kind, Tensor};

use crate::esn::{Esn, EsnConfig, EsnState};
use crate::ngrc::{Ngrc, NgrcConfig, NgrcState};

/// Settings of an [`AnyForecaster`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum AnyForecasterConfig {
    Ngrc(NgrcConfig),
    Esn(EsnConfig),
}

/// One of the models that forecast.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum AnyForecaster {
    Ngrc(Ngrc),
    Esn(Esn),
}

/// State of an [`AnyForecaster`]: that of its model.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum AnyForecasterState {
    Ngrc(NgrcState),
    Esn(EsnState),
}

/// Calls something on the model, whichever it is.
macro_rules! of_any {
    ($self:expr, $model:ident => $call:expr) => {
        match $self {
            AnyForecaster::Ngrc($model) => $call,
            AnyForecaster::Esn($model) => $call,
        }
    };
}

/// Calls something on the model with a state of its kind, and wraps the state that comes with what it returns.
macro_rules! with_state {
    ($self:expr, $state:expr, |$model:ident, $own:ident| $call:expr) => {
        match ($self, $state) {
            (AnyForecaster::Ngrc($model), AnyForecasterState::Ngrc($own)) => {
                let (found, next) = $call;
                (found, AnyForecasterState::Ngrc(next))
            }
            (AnyForecaster::Esn($model), AnyForecasterState::Esn($own)) => {
                let (found, next) = $call;
                (found, AnyForecasterState::Esn(next))
            }
            _ => panic!("the state is of a model of another kind"),
        }
    };
}

impl AnyForecaster {
    /// A model of `n_in` channels that forecasts each of them `horizons` times.
    pub fn new(params: &mut Params, n_in: usize, horizons: usize, config: &AnyForecasterConfig) -> Result<Self> {
        match config {
            AnyForecasterConfig::Ngrc(config) => Ngrc::new(params, n_in, horizons, config).map(Self::Ngrc),
            AnyForecasterConfig::Esn(config) => Esn::new(params, n_in, horizons, config).map(Self::Esn),
        }
    }
}

impl StateTree for AnyForecasterState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        match self {
            Self::Ngrc(state) => state.visit(path, f),
            Self::Esn(state) => state.visit(path, f),
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        match self {
            Self::Ngrc(state) => state.try_map(path, f).map(Self::Ngrc),
            Self::Esn(state) => state.try_map(path, f).map(Self::Esn),
        }
    }
}

impl System for AnyForecaster {
    type State = AnyForecasterState;

    fn n_in(&self) -> i64 {
        of_any!(self, model => model.n_in())
    }

    fn n_out(&self) -> i64 {
        of_any!(self, model => model.n_out())
    }

    fn on(&self) -> Option<(Kind, Device)> {
        of_any!(self, model => model.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> AnyForecasterState {
        match self {
            Self::Ngrc(model) => AnyForecasterState::Ngrc(model.init_state(batch, on)),
            Self::Esn(model) => AnyForecasterState::Esn(model.init_state(batch, on)),
        }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &AnyForecasterState) -> (Tensor, AnyForecasterState) {
        with_state!(self, s, |model, s| model.step(sha, x, s))
    }

    fn scan(
        &self,
        sha: &Shared,
        inputs: &Inputs,
        s: AnyForecasterState,
        tap: &mut Tap,
    ) -> (Tensor, AnyForecasterState) {
        with_state!(self, s, |model, s| model.scan(sha, inputs, s, tap))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        of_any!(self, model => model.kernel(sha, processor))
    }
}

impl Readout for AnyForecaster {
    fn features(
        &self,
        sha: &Shared,
        inputs: &Inputs,
        s: AnyForecasterState,
        tap: &mut Tap,
    ) -> (Features, AnyForecasterState) {
        with_state!(self, s, |model, s| model.features(sha, inputs, s, tap))
    }

    fn step_features(&self, sha: &Shared, x: &Tensor, s: &AnyForecasterState) -> (Features, AnyForecasterState) {
        with_state!(self, s, |model, s| model.step_features(sha, x, s))
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        of_any!(self, model => model.readout())
    }
}

impl Forecaster for AnyForecaster {
    fn memory(&self) -> usize {
        of_any!(self, model => model.memory())
    }

    fn horizon(&self, index: usize) -> Self {
        match self {
            Self::Ngrc(model) => Self::Ngrc(model.horizon(index)),
            Self::Esn(model) => Self::Esn(model.horizon(index)),
        }
    }

    fn fit_scale(&self, x: &Tensor) -> Result<()> {
        of_any!(self, model => model.fit_scale(x))
    }
}
