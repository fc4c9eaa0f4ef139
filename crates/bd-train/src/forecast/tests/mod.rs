//! A linear map whose forecasts are known, on series that are known.

mod choice;
mod online;

use bd_core::testing::assert_close;
use bd_core::{Features, Forecaster, Inputs, ParamPath, Params, Readout, Result, Shared, System, Tap};
use bd_models::{Ngrc, NgrcConfig, NvarConfig};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::data::{Series, Split};
use crate::free_runs::{FreeRunConfig, FreeRunSummary, Units};
use crate::ridge::Ridge;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// `y = x W + b`, of which the outputs are forecasts: it remembers nothing.
#[derive(Debug)]
struct Map {
    weight: Tensor,
    bias: Tensor,
}

impl Map {
    fn new(path: &mut ParamPath<'_>, channels: i64, horizons: i64) -> Self {
        let size = [channels, channels * horizons];
        let zeros = |size: &[i64]| Tensor::zeros(size, ON);
        let weight = path.param("weight", |_| zeros(&size)).unwrap();
        Self { weight, bias: path.param("bias", |_| zeros(&size[1..])).unwrap() }
    }

    /// With these numbers.
    fn set(&self, weight: &[f64], bias: f64) {
        tch::no_grad(|| {
            self.weight.shallow_clone().copy_(&Tensor::from_slice(weight).reshape(self.weight.size()));
            let _ = self.bias.shallow_clone().fill_(bias);
        });
    }
}

impl System for Map {
    type State = ();

    fn n_in(&self) -> i64 {
        self.weight.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.weight.size()[1]
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        (x.matmul(&self.weight) + &self.bias, ())
    }
}

impl Readout for Map {
    fn features(&self, _sha: &Shared, inputs: &Inputs, _s: (), _tap: &mut Tap) -> (Features, ()) {
        (inputs.time_first().into(), ())
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        (&self.weight, Some(&self.bias))
    }
}

impl Forecaster for Map {
    fn memory(&self) -> usize {
        0
    }

    fn horizon(&self, index: usize) -> Self {
        let (first, channels) = (index as i64 * self.n_in(), self.n_in());
        Self { weight: self.weight.narrow(1, first, channels), bias: self.bias.narrow(0, first, channels) }
    }
}

/// Points `[time, channel]` that are 1 apart.
fn series(values: Tensor) -> Series {
    let channels = (0..values.size()[1]).map(|c| format!("c{c}")).collect();
    Series { channels, values, start: 0.0, dt: 1.0, times: None, in_seconds: false, guess: None }
}

/// A point that turns by `angle` at each step: its future is a linear map of the present.
fn circle(points: i64, angle: f64) -> Series {
    let t = Tensor::arange(points, ON) * angle;
    series(Tensor::stack(&[t.cos(), t.sin()], 1))
}

fn split(warmup: usize, train: usize, validation: usize, test: usize) -> Split {
    let (a, b, c) = (warmup, warmup + train, warmup + train + validation);
    Split { warmup: 0..a, train: a..b, validation: b..c, test: c..c + test }
}

fn config(horizons: &[usize], alphas: &[f64]) -> ForecastConfig {
    let ridge = Ridge { penalise_intercept: false, ..Ridge::default() };
    ForecastConfig { horizons: horizons.to_vec(), alphas: alphas.to_vec(), ridge, ..ForecastConfig::default() }
}

fn units(series: &Series) -> Units {
    Units::of(&series.values).unwrap()
}

/// `x(t + h) = x(t) R(h angle)` with the rotation `R`, so that the weights are its entries.
#[test]
fn a_linear_map_is_found_at_every_horizon() {
    let (series, mut params) = (circle(60, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 2);
    let found = fit(&map, &series, &split(5, 40, 0, 15), &config(&[1, 4], &[1e-12]), &mut |_| ()).unwrap();
    let rotation = |angle: f64| [[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()]];
    let (one, four) = (rotation(0.3), rotation(1.2));
    let expected = [one[0], four[0], one[1], four[1]].concat();
    assert_close("weight", &map.weight.detach(), &Tensor::from_slice(&expected).reshape([2, 4]), 1e-9);
    assert!(map.bias.abs().max().double_value(&[]) < 1e-9);
    // A part ends with its last target: 40 - 4 samples.
    assert_eq!((found.alpha, found.report.rows, found.report.features), (1e-12, 36, 2));
    assert!(found.candidates.is_empty() && found.validation.is_empty());
}

/// As in BrainPy's tutorial, targets may lie in the part behind: then every point of the part is a sample.
#[test]
fn targets_may_lie_beyond_their_part() {
    let (series, mut params) = (circle(60, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    let config = ForecastConfig { targets_beyond: true, ..config(&[4], &[1e-9]) };
    assert_eq!(fit(&map, &series, &split(5, 40, 0, 15), &config, &mut |_| ()).unwrap().report.rows, 40);
    let error = fit(&map, &series, &split(5, 55, 0, 0), &config, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("4 steps ahead would end at point 64, but the series has 60 points"), "{error}");
}

/// A fit is the ridge regression that its parts are, written out.
#[test]
fn a_fit_is_ridge_regression_after_a_warm_up() {
    let series = circle(50, 0.7);
    let nvar = NvarConfig { delay: 2, stride: 3, order: vec![2], constant: false };
    let settings = NgrcConfig { nvar, scale: true, ..NgrcConfig::default() };
    let made = || {
        let mut params = Params::new(0, ON);
        let model = Ngrc::new(&mut params, 2, 1, &settings).unwrap();
        (params, model)
    };
    let (found, model) = made();
    fit(&model, &series, &split(6, 30, 0, 14), &config(&[2], &[0.1]), &mut |_| ()).unwrap();
    let (expected, model) = made();
    model.fit_scale(&series.stretch(6..36)).unwrap();
    let sha = Shared::new(1.0);
    let warm =
        crate::predict(&model, &sha, &series.stretch(0..6), model.init_state(1, ON), &mut Tap::none()).unwrap().1;
    let ridge = Ridge { alpha: 0.1, penalise_intercept: false, ..Ridge::default() };
    ridge.fit(&model, &sha.ahead(6), &series.stretch(6..34), &series.stretch(8..36), warm).unwrap();
    for ((name, found), (_, expected)) in found.named().iter().zip(expected.named()) {
        assert_close(name, &found.detach(), &expected.detach(), 1e-13);
    }
}

/// A validation part that nothing is chosen by has its errors, and events come in the order of the work.
#[test]
fn events_come_in_order() {
    let (series, mut params) = (circle(80, 0.3), Params::new(0, ON));
    let nvar = NvarConfig { delay: 3, stride: 2, order: vec![1], constant: false };
    let model = Ngrc::new(&mut params, 2, 1, &NgrcConfig { nvar, ..NgrcConfig::default() }).unwrap();
    let mut seen = Vec::new();
    let mut observe = |event: &FitEvent<'_>| {
        seen.push(match event {
            FitEvent::ShortWarmUp { memory, points } => format!("short {memory} {points}"),
            FitEvent::WarmedUp { points } => format!("warm {points}"),
            FitEvent::Started { rows, columns } => format!("started {rows} {columns}"),
            FitEvent::Taken { samples } => format!("taken {samples}"),
            FitEvent::Chosen(candidates) => format!("chosen of {}", candidates.len()),
            FitEvent::Solved { alpha, .. } => format!("solved {alpha}"),
            FitEvent::Learned { samples, .. } => format!("learned {samples}"),
            FitEvent::Validated(forecasts) => format!("validated {}", forecasts.len()),
        });
    };
    let found = fit(&model, &series, &split(2, 40, 20, 18), &config(&[1], &[0.5]), &mut observe).unwrap();
    // Lags 0, 2 and 4 of two channels, and the intercept.
    assert_eq!(seen, ["short 4 2", "warm 2", "started 39 7", "taken 39", "solved 0.5", "validated 1"]);
    assert_eq!((found.validation.len(), found.validation[0].first), (1, 43));
}

/// `y = 2 x + 1` on 1, 2, 4, 8, 16: every forecast is 1 too much. Targets 4, 8, 16 have mean 28/3 and variance 224/9; persistence is wrong
/// by 2, 4, 8.
#[test]
fn errors_of_a_known_map_are_by_hand() {
    let (series, mut params) =
        (series(Tensor::from_slice(&[1.0, 2.0, 4.0, 8.0, 16.0]).reshape([5, 1])), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 1, 1);
    map.set(&[2.0], 1.0);
    let measure = Measure::new(&map, &series, &[1], units(&series)).unwrap();
    let found = measure.forecasts(1..5).unwrap().remove(0);
    assert_eq!((found.horizon, found.first), (1, 2));
    assert_close("prediction", &found.prediction, &Tensor::from_slice(&[5.0, 9.0, 17.0]).reshape([3, 1]), 1e-15);
    assert_close("target", &found.target, &Tensor::from_slice(&[4.0, 8.0, 16.0]).reshape([3, 1]), 0.0);
    assert_eq!((found.error.mse, found.persistence.mse), (1.0, (4.0 + 16.0 + 64.0) / 3.0));
    assert!((found.error.nrmse - (9.0f64 / 224.0).sqrt()).abs() < 1e-15);
    // The mean of the series, 6.2, is wrong by 2.2, -1.8 and -9.8.
    assert!((found.mean.mse - (2.2f64.powi(2) + 1.8f64.powi(2) + 9.8f64.powi(2)) / 3.0).abs() < 1e-12);
}

/// Persistence of a straight line is wrong by the horizon.
#[test]
fn horizons_are_measured_side_by_side() {
    let (series, mut params) = (series(Tensor::arange(20, ON).reshape([20, 1])), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 1, 2);
    map.set(&[1.0, 1.0], 0.0);
    let measure = Measure::new(&map, &series, &[3, 5], units(&series)).unwrap();
    let found = measure.forecasts(4..20).unwrap();
    assert_eq!(found.iter().map(|one| (one.horizon, one.first)).collect::<Vec<_>>(), [(3, 7), (5, 9)]);
    assert_eq!(found.iter().map(|one| one.prediction.size()[0]).collect::<Vec<_>>(), [13, 11]);
    // With a weight of one the model is persistence.
    assert_eq!(
        found.iter().map(|one| (one.error.mse, one.persistence.mse)).collect::<Vec<_>>(),
        [(9.0, 9.0), (25.0, 25.0)]
    );
    // One step ahead is not among the horizons.
    assert!(measure.free_runs(4..20, &FreeRunConfig::default()).unwrap().is_none());
    for part in [4..9, 10..21] {
        assert!(
            measure
                .forecasts(part)
                .unwrap_err()
                .to_string()
                .contains("of a series of 20 points have no forecast 5 ahead")
        );
    }
}

/// What a model remembers at the beginning of a part are the points before it: the forecasts are those of a run over the whole series.
#[test]
fn a_part_begins_with_the_points_before_it_in_memory() {
    let (series, mut params) = (circle(40, 0.5), Params::new(3, ON));
    let nvar = NvarConfig { delay: 2, stride: 4, order: vec![2], constant: true };
    let model = Ngrc::new(&mut params, 2, 1, &NgrcConfig { nvar, ..NgrcConfig::default() }).unwrap();
    let measure = Measure::new(&model, &series, &[1], units(&series)).unwrap();
    let found = measure.forecasts(20..40).unwrap().remove(0).prediction;
    let whole =
        crate::predict(&model, &Shared::new(1.0), &series.stretch(0..40), model.init_state(1, ON), &mut Tap::none());
    assert_close("forecasts", &found, &whole.unwrap().0.squeeze_dim(0).narrow(0, 20, 19).detach(), 1e-13);
}

/// A rotation that is known runs freely with the circle for as long as anybody looks.
#[test]
fn a_known_map_runs_freely() {
    let (series, mut params) = (circle(100, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    let (sin, cos) = 0.3f64.sin_cos();
    map.set(&[cos, sin, -sin, cos], 0.0);
    let measure = Measure::new(&map, &series, &[1], units(&series)).unwrap();
    let config = FreeRunConfig { starts: 5, steps: Some(20), threshold: 1e-9 };
    let found = measure.evaluate(20..100, &config).unwrap();
    let free = FreeRunSummary::from(&found.free.unwrap());
    let expected = FreeRunSummary {
        runs: 5,
        steps: 20,
        compared: 20,
        median_valid_steps: 20.0,
        valid_throughout: 5,
        bounded: 5,
        mean_valid_steps: 20.0,
        error: free.error,
        median_truth_steps: None,
        void: 0,
    };
    assert!(free == expected && free.error < 1e-9, "{free:?}");
    assert!(found.forecasts[0].error.nrmse < 1e-13);
}

const FOUR_RUNS: FreeRunSummary = FreeRunSummary {
    runs: 4,
    steps: 80,
    compared: 40,
    median_valid_steps: 30.0,
    valid_throughout: 1,
    bounded: 3,
    mean_valid_steps: 28.0,
    error: 0.5,
    median_truth_steps: None,
    void: 0,
};

/// 30 steps of 0.1 with an exponent of 0.9 are 2.7 Lyapunov times.
#[test]
fn valid_times_are_in_lyapunov_times_where_the_exponent_is_known() {
    let free = FOUR_RUNS;
    let known = ValidTime::of(free, 0.1, "s", Some(0.9));
    assert!((known.value - 2.7).abs() < 1e-12 && known.unit == "Lyapunov times");
    let words = "valid for 2.700 Lyapunov times, the median of 4 starts (1 for all 40 steps that could be compared); 3 of them \
                 bounded over 80 steps";
    assert_eq!(known.sentence(), words);
    for (unit, words) in [("", "units of time"), ("days", "days")] {
        let unknown = ValidTime::of(FreeRunSummary { valid_throughout: 0, ..free }, 0.1, unit, None);
        assert_eq!(
            unknown.sentence(),
            format!("valid for 3.000 {words}, the median of 4 starts; 3 of them bounded over 80 steps")
        );
        assert!(unknown.limit().is_none() && unknown.limit_sentence().is_none());
    }
}

#[test]
fn what_is_valid_beyond_the_truth_is_void() {
    let free = FreeRunSummary { median_truth_steps: Some(20.0), void: 3, ..FOUR_RUNS };
    let time = ValidTime::of(free, 0.1, "s", Some(0.9));
    assert!((time.limit().unwrap() - 1.8).abs() < 1e-12);
    let words = "by a second solver the series is a solution for 1.800 Lyapunov times in the median; 3 of 4 runs are valid for \
                 longer, which is void";
    assert_eq!(time.limit_sentence().unwrap(), words);
}

#[test]
fn metrics_have_names_of_horizons_and_channels() {
    let (series, mut params) = (circle(40, 0.5), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    let measure = Measure::new(&map, &series, &[1], units(&series)).unwrap();
    let found = measure.evaluate(10..40, &FreeRunConfig { starts: 2, ..FreeRunConfig::default() }).unwrap();
    let time = ValidTime::of(found.free.as_ref().unwrap(), 1.0, "", None);
    let metrics = found.metrics("test", &series.channels, Some(&time));
    for name in
        ["test_mse.1", "test_nmse.1", "test_nrmse.1.c1", "baseline_persistence_mse.1", "baseline_mean_nrmse.1", "vpt"]
    {
        assert!(metrics.contains_key(name), "no {name} in {metrics:?}");
    }
    assert!(!found.metrics("test", &series.channels, None).contains_key("vpt_unit"));
    let line = found.forecasts[0].line("validation", &series.channels);
    assert_eq!((&line["split"], &line["horizon"]), (&"validation".into(), &1.into()));
    assert_eq!(line["nrmse_per_channel"]["c0"], found.forecasts[0].error.nrmse_per_channel[0]);
}

#[test]
fn a_constant_channel_is_named() {
    let mut values = circle(30, 0.5).values;
    let _ = values.narrow(1, 1, 1).fill_(2.0);
    values = values.copy();
    let (series, mut params) = (series(values), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    let measure = Measure::new(&map, &series, &[1], units(&series)).unwrap();
    let found = measure.forecasts(0..30).unwrap();
    assert_eq!(found[0].constant_channels().collect::<Vec<_>>(), [1]);
}

/// With horizons 1 and 5 a training part of 5 points has no target within it, and one of 6 has one.
#[test]
fn parts_that_are_too_short_are_named() {
    let one = config(&[1, 5], &[1.0]);
    let short =
        |config: &ForecastConfig, train, validation, test| config.short_part(&split(3, train, validation, test), 0);
    assert_eq!(short(&one, 5, 0, 9), Some(ShortPart::Training { points: 5, farthest: 5 }));
    assert_eq!((short(&one, 6, 0, 6), short(&one, 6, 0, 5)), (None, Some(ShortPart::Test { points: 5, farthest: 5 })));
    assert_eq!(short(&ForecastConfig { targets_beyond: true, ..one }, 1, 0, 6), None);
    let several = config(&[1, 5], &[1.0, 2.0]);
    assert_eq!(short(&several, 9, 5, 9), Some(ShortPart::Choice { points: 5, farthest: 5 }));
    assert_eq!(short(&several, 9, 6, 9), None);
    // A run of half of a part needs a point to begin with and its steps behind: 6 points have 3 and 3, which is one too few for a
    // memory of 12 points, of which the part has none before point 12.
    let free = ForecastConfig { select: Select::FreeRun, ..several };
    assert_eq!(free.short_part(&split(3, 9, 6, 9), 16), Some(ShortPart::FreeRuns { points: 6 }));
    let (series, mut params) = (circle(60, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 2);
    let error = fit(&map, &series, &split(0, 5, 0, 40), &config(&[1, 5], &[1.0]), &mut |_| ()).unwrap_err().to_string();
    assert_eq!(error, "the training part has 5 points, too few to learn a forecast 5 steps ahead");
}

#[test]
fn settings_and_models_that_do_not_fit_are_refused() {
    let (series, mut params) = (circle(60, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    for (config, words) in [
        (config(&[], &[1.0]), "there is one at least"),
        (config(&[0], &[1.0]), "each at least 1"),
        (config(&[1], &[]), "there is no penalty"),
        (config(&[1], &[-1.0]), "ridge.alpha is -1"),
        (ForecastConfig { select: Select::FreeRun, ..config(&[2], &[1.0, 2.0]) }, "horizons must have 1"),
        (
            config(&[1, 2], &[1.0]),
            "the model forecasts 2 channels at 1 horizons; the series has 2 channels, and 2 horizons",
        ),
    ] {
        let error = fit(&map, &series, &split(5, 30, 15, 10), &config, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let wide = super::tests::series(Tensor::zeros([9, 3], ON));
    assert!(Measure::new(&map, &wide, &[1], units(&wide)).is_err());
}

/// The model of a horizon alone gives that part of the outputs.
#[test]
fn one_horizon_of_a_model_is_its_part_of_the_outputs() -> Result<()> {
    let mut params = Params::new(5, ON);
    let model = Ngrc::new(&mut params, 2, 3, &NgrcConfig::default())?;
    let xs = Inputs::of_steps(circle(12, 0.4).values.unsqueeze(1));
    let run = |model: &Ngrc| model.scan(&Shared::new(1.0), &xs, model.init_state(1, ON), &mut Tap::none()).0.detach();
    assert_close("the second horizon", &run(&model.horizon(1)), &run(&model).narrow(2, 2, 2), 1e-15);
    assert_eq!((model.horizons(), model.channels(), model.horizon(1).horizons()), (3, 2, 1));
    Ok(())
}
