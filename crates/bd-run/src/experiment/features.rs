//! Features of sequences with a readout in closed form: random convolutions, or a reservoir whose settings are chosen.

use std::collections::HashMap;
use std::path::Path;

use bd_core::npz::save_npz_with_text;
use bd_core::text::{plural, short};
use bd_core::{Error, Params, Result, catch_torch};
use bd_models::{RandomConvolutionsConfig, SequenceFeatures, SequenceReadout, SequenceReservoirConfig};
use bd_train::data::dataset::{Accept, Dataset, Shown, Subset, Targets};
use bd_train::{Baselines, ChosenPenalty, Control, Evaluation, HeldOut, RidgeFolds, RidgeSolution, RidgeSpectrum};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::network::metrics;
use super::objective::RunObjective;
use super::report::{NetworkReport, Pictured};
use super::reservoir_words::units_words;
use super::{Ended, Found, Report, Setting, Stage, Work, end, fit_memory, heed, search};
use crate::config::FeaturesConfig;
use crate::folder::RunFolder;
use crate::listener::Listener;
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::{Config, Run};

/// Fits a readout of features as a configuration says, on the examples of its file, which were read. Fails with [`Error::OutOfMemory`] if
/// that would take more than there is.
pub fn fit_features(
    config: FeaturesConfig,
    data: Dataset,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Ended> {
    setting.check_alone("a fit in closed form")?;
    introduce(&config, &data, listener)?;
    let memory = fit_memory::of_features(&config, &data)?;
    listener.say(&format!("memory    {}", memory.describe()));
    let whole = Config::Features(Box::new(config.clone()));
    let manifest = Manifest::now(&whole, setting.device, setting.program.clone());
    let mut folder = RunFolder::create(setting.out.as_deref(), &whole, manifest)?;
    let mut work = Work::new(setting, listener);
    work.seconds.lap("setup");
    let found = catch_torch(|| run(config, &data, &mut folder, &mut work));
    end(found, folder, work.seconds, Some(memory), listener)
}

fn introduce(config: &FeaturesConfig, data: &Dataset, listener: &dyn Listener) -> Result<()> {
    let file = config.data.file.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    listener.say(&format!(
        "data      {file}: {} for training, {} for testing, of {}, {}; {}",
        data.train.count(),
        data.test.count(),
        plural(config.data.steps.unwrap_or(0), "step"),
        plural(data.train.channels() as usize, "channel"),
        data.targets.describe()
    ));
    windows_words(config, data).iter().for_each(|words| listener.say(&format!("spikes    {words}")));
    listener.say(&format!("model     {}", model_words(config)));
    data.remarks()?.iter().for_each(|note| listener.say(&format!("note      {note}")));
    Ok(())
}

/// How spikes with times are counted, in words.
fn windows_words(config: &FeaturesConfig, data: &Dataset) -> Option<String> {
    let binning = config.binning()?;
    let lost = match data.train.late_events + data.test.late_events {
        0 => String::new(),
        late => format!("; {} after the last window are left out", plural(late, "spike")),
    };
    Some(format!("counted in {} of {} ms{lost}", plural(binning.steps, "window"), short(binning.dt_ms)))
}

/// Features and readout in words.
fn model_words(config: &FeaturesConfig) -> String {
    match &config.model {
        SequenceFeatures::Convolutions(RandomConvolutionsConfig { features }) => {
            format!("{} by random convolutions, a linear readout of them", plural(*features, "feature"))
        }
        SequenceFeatures::Reservoir(SequenceReservoirConfig { reservoir, .. }) => {
            let units = units_words(reservoir);
            format!(
                "a reservoir of {units}, a linear readout of its states; settings are the best of {}",
                config.search + 1
            )
        }
    }
}

fn run(
    mut config: FeaturesConfig,
    data: &Dataset,
    folder: &mut RunFolder,
    work: &mut Work<'_>,
) -> Result<Stage<Found>> {
    heed!(work);
    let mut metrics_file = Metrics::open(folder.path())?;
    let mut held_out = HeldOut::default();
    // Settings are chosen anew for each part, without what is held out.
    let draws = config.hold_out().members;
    for (i, part) in parts(&config, data).enumerate() {
        let (kept, held) = part?;
        // What is left of the time is shared with the searches that follow, the last one among them.
        let control = work.control.first_of(draws + 1 - i);
        let Stage::Done(Fitted { model, .. }) = best_of(&config, &kept, &control, false)? else {
            // A part for which there is no time is left out, unless it is the only one.
            if held_out.samples() > 0 && !control.is_stopped() {
                break;
            }
            return Ok(Stage::Stopped);
        };
        let found = evaluate(&model, &held)?;
        held_out.add(&found, held.identities().as_deref(), held.lengths.as_ref())?;
    }
    let Stage::Done(fitted) = best_of(&config, &data.train, work.control, true)? else {
        return Ok(Stage::Stopped);
    };
    let left_out = RunObjective { name: "left_out_mse", value: fitted.error() };
    let objective = RunObjective::of_held_out(&held_out).unwrap_or(left_out);
    let Fitted { model, chosen, features } = fitted;
    if config.search > 0 {
        (config.model, config.search) = (features, 0);
        work.listener.say(&format!("chosen    {}", settings_words(&config)));
        folder.write_config(&Config::Features(Box::new(config.clone())))?;
    }
    say_fit(&chosen, model.of_steps(), &held_out, work.listener);
    work.seconds.lap("train");
    folder.write_weights(&model.params)?;
    heed!(work);
    let evaluation = evaluate(&model, &data.test)?;
    let report = NetworkReport {
        validation: held_out,
        baselines: Baselines::of(&data.train, &data.test, data.targets)?,
        pictured: Shown::of(&data.test)?.map(|shown| Pictured { shown, dt: 1.0, time_label: "step".into() }),
        ..NetworkReport::of_closed_form(evaluation, config.data.classes.clone())
    };
    work.seconds.lap("evaluate");
    let mut found = metrics(&report);
    found.extend(report.validation.metrics());
    found.insert("alpha".into(), json!(chosen.alpha));
    let mut line = json!({"split": "test"});
    line.as_object_mut().expect("an object").extend(found.clone());
    line["confusion"] = json!(report.evaluation.confusion);
    metrics_file.report(&line)?;
    let names = config.data.classes.iter().map(|names| ("class_names", &names[..])).collect::<Vec<_>>();
    save_npz_with_text(&folder.file("predictions.npz")?, &arrays(&report.evaluation, &data.test), &names)?;
    work.seconds.lap("write");
    Ok(Stage::Done(Found { report: Report::Network(Box::new(report)), metrics: found, objective }))
}

/// The parts of the training part that models are fitted to and judged on.
fn parts(config: &FeaturesConfig, data: &Dataset) -> impl Iterator<Item = Result<(Subset, Subset)>> {
    let hold_out = config.hold_out();
    let part = move |i: usize| {
        let (kept, held) = data.hold_out(hold_out.fraction, hold_out.seed_of(i))?;
        Ok(held.map(|held| (kept, held)))
    };
    (0..hold_out.members).filter_map(move |i| part(i).transpose())
}

/// A model of the configuration, whose readout is zero.
pub(crate) fn model(config: &FeaturesConfig) -> Result<SequenceReadout> {
    let data = &config.data;
    let (Some(steps), Some(channels), Some(targets)) = (data.steps, data.channels, data.targets) else {
        return Err(Error::Config("data.steps, data.channels and data.targets must be set".into()));
    };
    let params = Params::new(config.seed, (Kind::Float, Device::Cpu));
    SequenceReadout::new(params, [steps, channels], targets.n_out(), !targets.are_labels(), &config.model)
}

/// A model that is fitted to sequences.
struct Fitted {
    model: SequenceReadout,
    chosen: ChosenPenalty,
    /// The settings of its features.
    features: SequenceFeatures,
}

impl Fitted {
    /// The mean square error at samples that are left out.
    fn error(&self) -> f64 {
        let own = self.chosen.errors.iter().find(|(alpha, _)| *alpha == self.chosen.alpha);
        own.map_or(f64::NAN, |(_, error)| *error)
    }
}

/// The best of the settings of a configuration and of those that are drawn beside them, of which as many are tried as there is time for, by
/// the error at samples that are left out. The last search ends with a model, whatever the time.
fn best_of(config: &FeaturesConfig, train: &Subset, control: &Control, is_last: bool) -> Result<Stage<Fitted>> {
    let (mut best, mut refusal): (Option<Fitted>, _) = (None, None);
    for features in candidates(config) {
        // What is chosen among is what there was time for.
        let must_fit = is_last && best.is_none();
        let go_on = || !control.is_stopped() && (must_fit || !control.is_over());
        let candidate = FeaturesConfig { model: features, ..config.clone() };
        let fitted = match fit(&candidate, train, &go_on) {
            Ok(Some(fitted)) => fitted,
            Ok(None) => break,
            // States that grow beyond all bounds are no reason to end the search.
            Err(error @ Error::NotFinite { .. }) => {
                refusal.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if best.as_ref().is_none_or(|best| fitted.error() < best.error()) {
            best = Some(fitted);
        }
    }
    match (best, refusal) {
        _ if control.is_stopped() => Ok(Stage::Stopped),
        (Some(best), _) => Ok(Stage::Done(best)),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Ok(Stage::Stopped),
    }
}

/// The settings of a configuration, and of a reservoir those that are drawn beside them.
fn candidates(config: &FeaturesConfig) -> Vec<SequenceFeatures> {
    match &config.model {
        SequenceFeatures::Reservoir(usual) => search::with_drawn(usual.reservoir, config.search, config.seed)
            .into_iter()
            .map(|reservoir| SequenceFeatures::Reservoir(SequenceReservoirConfig { reservoir, ..*usual }))
            .collect(),
        convolutions => vec![convolutions.clone()],
    }
}

/// The settings of a reservoir that were chosen.
fn settings_words(config: &FeaturesConfig) -> String {
    let SequenceFeatures::Reservoir(SequenceReservoirConfig { reservoir, .. }) = &config.model else {
        return String::new();
    };
    format!("{}: the least error at left-out samples", search::words_of(reservoir))
}

/// Fitted to sequences; `None` if it is not to go on.
fn fit(config: &FeaturesConfig, train: &Subset, go_on: &dyn Fn() -> bool) -> Result<Option<Fitted>> {
    let model = model(config)?;
    let features = model.fit_features(&numbers(train)?, train.lengths.as_ref(), go_on)?;
    let Some(features) = features else { return Ok(None) };
    let targets = match train.targets.kind() {
        Kind::Int64 => one_hot(&train.targets, config),
        _ => train.targets.shallow_clone(),
    };
    let targets = if model.of_steps() { train.valid_steps(&targets) } else { targets };
    let targets =
        if config.data.targets.is_some_and(Targets::are_labels) { targets } else { model.fit_targets(&targets)? };
    let (chosen, solution) = match model.of_steps() {
        true => by_folds(train, &features, &targets, &config.ridge.alpha)?,
        false => {
            let spectrum = RidgeSpectrum::new(&features, &targets)?;
            let chosen = spectrum.choose(&config.ridge.alpha, train.groups.as_deref())?;
            let solution = spectrum.solve(chosen.alpha)?;
            (chosen, solution)
        }
    };
    let bias = solution.bias.as_ref().expect("there is an intercept");
    model.set_readout(&solution.weight, bias)?;
    Ok(Some(Fitted { model, chosen, features: config.model.clone() }))
}

/// Folds of sequences, or of groups, each of which is left out once where there is a target for each step.
const FOLDS: usize = 5;

/// The penalty and the fit of rows that are the steps of sequences: steps of one sequence are alike, so that whole ones are left out.
fn by_folds(train: &Subset, x: &Tensor, y: &Tensor, alphas: &[f64]) -> Result<(ChosenPenalty, RidgeSolution)> {
    let (samples, time) = (train.count(), train.steps().unwrap_or(1) as i64);
    let lengths = match &train.lengths {
        Some(lengths) => Vec::<i64>::try_from(lengths)?,
        None => vec![time; samples],
    };
    let groups = train.groups.as_ref().map_or_else(|| (0..samples).collect(), |groups| numbered(groups));
    let mut folds = RidgeFolds::new(FOLDS, x.size()[1], y.size()[1])?;
    folds.add_sequences(x, y, &lengths, &groups)?;
    folds.choose(alphas)
}

/// Groups that are here, numbered anew from 0: those of the whole file may all fall into one fold.
fn numbered(groups: &[i64]) -> Vec<usize> {
    let mut numbers = HashMap::new();
    let number = |group: &i64| {
        let next = numbers.len();
        *numbers.entry(*group).or_insert(next)
    };
    groups.iter().map(number).collect()
}

/// 1 for the class and 0 for the others, float64 `[.., class]`.
fn one_hot(labels: &Tensor, config: &FeaturesConfig) -> Tensor {
    let classes = config.data.targets.map_or(0, |targets| targets.n_out());
    labels.one_hot(classes).to_kind(Kind::Double)
}

fn numbers(part: &Subset) -> Result<Tensor> {
    part.numbers().ok_or_else(|| Error::Config("features are of numbers in steps".into()))
}

/// The loss is the mean square error of the regression: of scores from 1 for the class and 0 for the others, or of standardised targets.
fn evaluate(model: &SequenceReadout, part: &Subset) -> Result<Evaluation> {
    let outputs = model.predict(&numbers(part)?, part.lengths.as_ref())?;
    let error = match part.targets.kind() {
        Kind::Int64 => &outputs - part.targets.one_hot(outputs.size()[outputs.dim() - 1]).to_kind(Kind::Double),
        _ => model.targets(&outputs)? - model.targets(&part.targets)?,
    };
    let error = if model.of_steps() { part.valid_steps(&error) } else { error };
    let loss = error.square().mean(Kind::Double).double_value(&[]);
    let lengths = part.lengths.as_ref().filter(|_| model.of_steps());
    Evaluation::new(loss, outputs, &part.targets, lengths)
}

fn say_fit(chosen: &ChosenPenalty, of_steps: bool, held_out: &HeldOut, listener: &dyn Listener) {
    let (count, alphas) = (chosen.errors.len(), chosen.errors.iter().map(|(alpha, _)| *alpha));
    let how = match count {
        1 => "",
        _ if of_steps => ", the best of those given in 5 folds of training sequences, or groups",
        _ => ", the best of those given at training samples, or groups, that are left out one by one",
    };
    let is_end = [f64::min, f64::max].into_iter().any(|end| alphas.clone().reduce(end) == Some(chosen.alpha));
    let end = if count > 2 && is_end { "; it is the last of the range, and one beyond may be better" } else { "" };
    listener.say(&format!("ridge     alpha {:e}{how}{end}", chosen.alpha));
    if held_out.samples() > 0 {
        let what = if held_out.are_labels() { "accuracy" } else { "error over variance" };
        listener.say(&format!(
            "held out  {what} {} (standard error {}) on {} samples that were held out of the training part; then all of it was fitted",
            short(held_out.mean()),
            short(held_out.standard_error()),
            held_out.samples()
        ));
    }
}

/// What `predictions.npz` has.
fn arrays(evaluation: &Evaluation, test: &Subset) -> Vec<(String, Tensor)> {
    let samples = test.samples.as_ref().map(|samples| {
        let numbers: Vec<i64> = samples.iter().map(|sample| *sample as i64).collect();
        ("sample".to_owned(), Tensor::from_slice(&numbers))
    });
    evaluation.arrays().into_iter().chain(samples).collect()
}

/// The fitted model of a run on the test part of its own data, or of another file: what is found, and numbers by name.
pub fn evaluate_features(
    run: &Run,
    config: &FeaturesConfig,
    device: Device,
    other: Option<&Path>,
    listener: &dyn Listener,
) -> Result<(NetworkReport, Map<String, Value>)> {
    config.check_device(device)?;
    let weights = run.weights()?;
    let other = match other {
        Some(file) if config.examples_file().has_divided(file)? => {
            listener.say("note      the run has learned from a part of this file; it is tested on the rest");
            None
        }
        other => other,
    };
    let report = catch_torch(|| {
        let model = model(config)?;
        model.params.load(&weights)?;
        let of =
            |part: &Subset| Ok(NetworkReport::of_closed_form(evaluate(&model, part)?, config.data.classes.clone()));
        match (other, config.learned()) {
            (Some(file), Some(learned)) => of(&Dataset::read_test(file, Accept::NumbersAndCounts, &learned)?),
            _ => {
                let data = config.dataset()?;
                let baselines = Baselines::of(&data.train, &data.test, data.targets)?;
                Ok(NetworkReport { baselines, ..of(&data.test)? })
            }
        }
    })?;
    let metrics = metrics(&report);
    Ok((report, metrics))
}
