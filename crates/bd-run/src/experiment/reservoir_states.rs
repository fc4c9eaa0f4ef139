//! [`ReservoirStates`]: what some units of a reservoir do, for a picture.

use std::ops::Range;

use bd_core::{Forecaster, Inputs, Phase, Readout, Result, Shared, System, Tap, catch_torch};
use bd_models::AnyForecaster;
use bd_train::data::Series;
use tch::{Device, Kind, Tensor};

/// Units and points that are shown: more would hide what they do.
const SHOWN: (i64, usize) = (6, 500);

/// States of the first units of a reservoir at the first points of a part.
#[derive(Debug)]
pub struct ReservoirStates {
    /// The first point.
    pub first: usize,
    /// `[time, unit]`, float64, on the host.
    pub values: Tensor,
    /// Units that the reservoir has.
    pub units: usize,
}

impl ReservoirStates {
    /// Of `model` on a part of a series, if it has a reservoir. What it remembers at the beginning are the points before.
    pub(super) fn of(model: &AnyForecaster, series: &Series, part: Range<usize>) -> Option<Result<Self>> {
        let AnyForecaster::Esn(esn) = model else { return None };
        Some(catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let seen = part.start.min(esn.memory());
            let end = part.end.min(part.start + SHOWN.1);
            let on = (esn.readout().0.kind(), esn.readout().0.device());
            let points = series.stretch(part.start - seen..end).to_kind(on.0).to_device(on.1).transpose(0, 1);
            let sha = Shared::new(series.dt).ahead(part.start - seen).in_phase(Phase::Predict);
            let state = esn.init_state(1, on);
            let (features, _) = esn.features(&sha, &Inputs::of_steps(&points), state, &mut Tap::none());
            let (lags, units) = (esn.i.n_out(), esn.r.n_out());
            let values = features.values.squeeze_dim(1).narrow(0, seen as i64, (end - part.start) as i64);
            let values = values.narrow(1, lags, units.min(SHOWN.0)).to_kind(Kind::Double).to_device(Device::Cpu);
            Ok(Self { first: part.start, values, units: units as usize })
        }))
    }
}
