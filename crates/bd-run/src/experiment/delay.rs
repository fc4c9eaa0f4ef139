//! The choice of a delay on the validation part, before the fit.
//!
//! All delays have the warm-up of the longest, so that they are fitted to the same samples and compared on the same ones.

use bd_core::text::short;
use bd_core::{Error, Result, System};
use bd_models::Nvar;
use bd_train::Control;
use bd_train::data::Split;
use bd_train::forecast::{Candidate, Fitter, RidgeDevice, Score, Select};
use bd_train::metrics::NRMSE;
use serde_json::{Value, json};
use tch::Device;

use super::Stage;
use super::fit_words::score_line;
use super::forecast::{model, ridge_device};
use super::series::SeriesSource;
use crate::config::ForecastConfig;

/// Samples of the training part for each weight of an output, below which a delay is not tried: with fewer the validation part of a
/// short series often favours a model of many weights by luck.
const SAMPLES_PER_WEIGHT: usize = 5;

/// Leaves of several delays, in rising order, those for which a series of `points` points is long enough, and sets the warm-up that they
/// share, unless it is set. The shortest one always stays. Returns those that are left out.
pub(super) fn leave_out(config: &mut ForecastConfig, points: usize, channels: usize) -> Vec<usize> {
    if !config.nvar.is_open() {
        return Vec::new();
    }
    config.nvar.delay.sort_unstable();
    let is_tried = |delay: &usize| is_long_enough(&config.with_delay(*delay), points, channels);
    let last = config.nvar.delay.iter().rposition(is_tried).unwrap_or(0);
    let left_out = config.nvar.delay.split_off(last + 1);
    let longest = config.with_delay(config.nvar.delay[last]).nvar();
    config.split.warmup.get_or_insert(longest.reach().unwrap_or(0) as f64);
    left_out
}

/// Whether a delay, the only one of `config`, has its whole history in the warm-up, parts that are long enough, and enough samples for
/// its weights.
fn is_long_enough(config: &ForecastConfig, points: usize, channels: usize) -> bool {
    let nvar = config.nvar();
    let (Some(reach), Ok(features)) = (nvar.reach(), Nvar::new(channels, &nvar)) else { return false };
    let mut config = config.clone();
    config.split.warmup.get_or_insert(reach as f64);
    let (Ok(split), fit) = (config.divide(points), config.fit()) else { return false };
    let is_short = fit.short_part(&split, reach).or_else(|| fit.short_for_choice(&split, reach)).is_some();
    let weights = features.n_out() as usize + 1;
    reach <= split.warmup.end && !is_short && split.train.len() >= SAMPLES_PER_WEIGHT.saturating_mul(weights)
}

/// A delay that was tried.
#[derive(Debug)]
pub(super) struct TriedDelay {
    pub(super) delay: usize,
    /// The best penalty and its score, or why every penalty was refused.
    best: std::result::Result<(f64, Score), String>,
    pub(super) chosen: bool,
}

/// Fits each delay of `config` to the training part and takes the one whose best penalty is the best on the validation part, of equal
/// ones the shortest.
///
/// Fails if every delay is refused.
pub(super) fn choose(
    config: &ForecastConfig,
    data: &SeriesSource,
    split: &Split,
    device: Device,
    control: &Control,
) -> Result<Stage<Vec<TriedDelay>>> {
    let (mut tried, mut refusal) = (Vec::new(), None);
    let mut best: Option<(usize, [f64; 3])> = None;
    for &delay in &config.nvar.delay {
        let found = match candidates(&config.with_delay(delay), data, split, device, control) {
            Ok(None) => return Ok(Stage::Stopped),
            Ok(Some(candidates)) => Ok(chosen(candidates)),
            Err(error @ (Error::Config(_) | Error::Setting { .. })) => Err(error),
            Err(error) => return Err(error),
        };
        if let Ok((_, score)) = &found
            && best.is_none_or(|(_, rank)| score.rank() > rank)
        {
            best = Some((tried.len(), score.rank()));
        }
        let best = found.map_err(|error| {
            let words = error.to_string();
            refusal.get_or_insert(error);
            words
        });
        tried.push(TriedDelay { delay, best, chosen: false });
    }
    let Some((place, _)) = best else {
        return Err(refusal.unwrap_or_else(|| Error::Config("nvar.delay is empty".into())));
    };
    tried[place].chosen = true;
    Ok(Stage::Done(tried))
}

/// The penalties of one delay with their scores; `None` if the fit was stopped.
fn candidates(
    config: &ForecastConfig,
    data: &SeriesSource,
    split: &Split,
    device: Device,
    control: &Control,
) -> Result<Option<Vec<Candidate>>> {
    let channels = data.series.channels.len();
    let place = ridge_device(config, channels, split.train.len(), device)?;
    let (_params, model) = model(config, channels, place.as_ref().map_or(device, RidgeDevice::device))?;
    Fitter::new(&model, &data.series, split, &config.fit()).control(control.clone()).validate()
}

fn chosen(candidates: Vec<Candidate>) -> (f64, Score) {
    let best = candidates.into_iter().find(|candidate| candidate.chosen).expect("one penalty is the best");
    (best.alpha, best.score.expect("the best one is no refusal"))
}

impl TriedDelay {
    /// As a line of `metrics.jsonl`.
    pub(super) fn line(&self) -> Value {
        let mut line = match &self.best {
            Ok((alpha, score)) => {
                let mut line = score_line(score);
                if let Score::OneStep { mean_error, .. } = score {
                    line["mean_error"] = json!(mean_error);
                }
                line["alpha"] = json!(alpha);
                line
            }
            Err(refusal) => json!({"refused": refusal}),
        };
        line["split"] = json!("validation");
        line["delay"] = json!(self.delay);
        line["chosen"] = json!(self.chosen);
        line
    }

    /// Whether a line of `metrics.jsonl` is one of these.
    pub(super) fn is_of(line: &Value) -> bool {
        line.get("delay").is_some()
    }
}

/// Why some delays are not tried.
pub(super) fn words_of_left_out(delays: &[usize]) -> String {
    format!(
        "note      not tried: delay {}, which leaves a part too short, or fewer than {SAMPLES_PER_WEIGHT} training samples for each weight",
        listed(delays)
    )
}

/// Numbers in a row.
pub(super) fn listed(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What was tried, in one line.
pub(super) fn words(tried: &[TriedDelay], config: &ForecastConfig, data: &SeriesSource) -> String {
    let measure = match (config.select, config.horizon.len()) {
        (Select::OneStep, 1) => NRMSE,
        (Select::OneStep, _) => "mean NRMSE/std of the horizons",
        (Select::FreeRun, _) => "median valid time",
    };
    let found = tried.iter().map(|TriedDelay { delay, best, .. }| match best {
        Ok((_, Score::OneStep { mean_error, .. })) => format!("{delay} {}", short(*mean_error)),
        Ok((_, Score::FreeRun(free))) => format!("{delay} {}", short(data.valid_time(*free).value)),
        Err(_) => format!("{delay} refused"),
    });
    let found = found.collect::<Vec<_>>().join(", ");
    let best = tried.iter().find(|one| one.chosen).map_or(0, |one| one.delay);
    format!("delay     {best} is chosen by the validation part; delays and their {measure}: {found}")
}
