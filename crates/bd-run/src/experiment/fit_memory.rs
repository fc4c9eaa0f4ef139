//! What a fit in closed form takes of memory, before it is made.

use bd_core::{DeviceSpec, Result, System as _};
use bd_models::{Nvar, RandomConvolutionsConfig, ReadStates, SequenceFeatures};
use bd_train::data::Split;
use bd_train::data::dataset::Dataset;
use bd_train::forecast::Select;
use bd_train::ridge::{factor_bytes, folds_bytes, online_bytes, sparse_bytes, spectrum_bytes};
use bd_train::{MemoryNeeds, MemoryReport, OnlineRule};

use crate::config::{FeaturesConfig, ForecastConfig};

/// Numbers that are in memory for each one of the free runs: the runs, what they are compared with, and their differences.
const OF_FREE_RUNS: usize = 6;

/// Of so many bytes that trials side by side take, as many as one lie unused between what they have. Measured, of 200 to 2,000 units.
const UNUSED: u64 = 6;

/// What a forecast takes of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForecastMemory {
    pub(super) report: MemoryReport,
    /// How many settings are tried at once, where there are several: as many as there are threads, or memory for.
    pub(super) at_once: usize,
}

/// What the fit of a forecast takes, for a series of so many channels, of several delays that with the longest. Refused if there is less.
pub(super) fn of_forecast(config: &ForecastConfig, split: &Split, channels: usize) -> Result<ForecastMemory> {
    let longest = config.nvar.delay.iter().copied().max().unwrap_or(0);
    let lagged = Nvar::new(channels, &config.nvar.with(longest))?.n_out() as usize;
    let (states, weights) = config.reservoir.map_or((0, 0), |reservoir| {
        let units = reservoir.units as usize;
        (reservoir.n_states() as usize, units.saturating_mul(units).saturating_mul(reservoir.layers as usize))
    });
    let targets = channels * config.horizon.len();
    let columns = 1 + lagged + states + targets;
    let of_net = if config.ridge.l1_ratio > 0.0 { sparse_bytes(columns, targets.min(config.threads)) } else { 0 };
    let rows = if config.chooses() { split.train.len() + split.validation.len() } else { split.train.len() };
    // Without forecasts one step ahead there are none.
    let free_runs = |points: usize| {
        let steps = if config.horizon.contains(&1) { config.free_run.steps_in(points) } else { 0 };
        let numbers = config.free_run.starts.min(points).saturating_mul(steps).saturating_mul(channels);
        bytes_of(numbers.saturating_mul(OF_FREE_RUNS))
    };
    let of_factor = |rows: usize| match config.rule() {
        None => factor_bytes(rows, config.ridge.chunk_rows, columns).saturating_add(of_net),
        Some(rule) => online_bytes(rows, columns, matches!(rule, OnlineRule::Rls(_))),
    };
    let of_fit = of_factor(rows).saturating_add(bytes_of(weights)).saturating_add(free_runs(split.test.len()));
    let judged = if config.select == Select::FreeRun { free_runs(split.validation.len()) } else { 0 };
    let of_trial = of_factor(split.train.len()).saturating_add(bytes_of(weights)).saturating_add(judged);
    let advice =
        "take fewer units or lags, a smaller --set ridge.chunk_rows, or fewer --set free_run.starts or free_run.steps";
    let with = |at_once: u64| {
        let beside = if at_once > 1 { of_trial.saturating_mul(at_once) / UNUSED } else { 0 };
        let of_trials = of_trial.saturating_mul(at_once).saturating_add(beside);
        MemoryNeeds::of_fit(of_fit.max(of_trials), advice)
    };
    let at_once = (2..=most_at_once(config)).rev().find(|&count| with(count as u64).check(0).is_ok()).unwrap_or(1);
    let needs = with(at_once as u64);
    needs.check(0)?;
    Ok(ForecastMemory { report: needs.beside(), at_once })
}

/// How many settings there may be to try at once.
fn most_at_once(config: &ForecastConfig) -> usize {
    let delays = if config.nvar.is_open() { config.nvar.delay.len() } else { 1 };
    let drawn = config.reservoir.and(config.search).map_or(1, |drawn| drawn + 1);
    match config.device {
        DeviceSpec::Cuda(_) => 1,
        _ => config.threads.min(delays.max(drawn)),
    }
}

fn bytes_of(numbers: usize) -> u64 {
    (numbers as u64).saturating_mul(size_of::<f64>() as u64)
}

/// So many bytes of a fit with what the machine has, if it has them.
fn checked(bytes: u64, advice: &'static str) -> Result<MemoryReport> {
    let needs = MemoryNeeds::of_fit(bytes, advice);
    needs.check(0)?;
    Ok(needs.beside())
}

/// Copies in float64 of the inputs of both parts that are in memory at once beside the inputs: scaled ones, and those of the comparison with
/// a linear regression on the inputs. Measured.
const OF_INPUTS: f64 = 3.5;

/// What the fit of features of sequences takes. Refused if there is less.
pub(super) fn of_features(config: &FeaturesConfig, data: &Dataset) -> Result<MemoryReport> {
    let (steps, channels) = (data.train.steps().unwrap_or(0), data.train.channels() as usize);
    let samples = data.train.count();
    let inputs = (samples + data.test.count()).saturating_mul(steps).saturating_mul(channels);
    let (features, is_each) = match &config.model {
        SequenceFeatures::Convolutions(RandomConvolutionsConfig { features }) => (*features, false),
        SequenceFeatures::Reservoir(config) => (config.n_features(channels), config.reads == ReadStates::Each),
    };
    let of_fit = match is_each {
        true => folds_bytes(samples.saturating_mul(steps), features),
        false => spectrum_bytes(samples, features),
    };
    let beside = (inputs as f64 * OF_INPUTS * size_of::<f64>() as f64) as u64;
    checked(of_fit.saturating_add(beside), "take fewer samples, windows (--steps), features or units")
}
