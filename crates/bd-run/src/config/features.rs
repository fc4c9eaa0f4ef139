//! [`FeaturesConfig`]: features of sequences with a readout in closed form, on the examples of a file: random convolutions (`conv`), or
//! states of a reservoir (`esn`).

use std::path::PathBuf;

use bd_core::device::{Device, device_name};
use bd_core::{Arrays, DeviceSpec, Error, Result};
use bd_models::{
    RandomConvolutionsConfig, ReadStates, RecurrentMatrix, ReservoirKind, SequenceFeatures, SequenceReservoirConfig,
};
use bd_train::data::Events;
use bd_train::data::dataset::{Accept, ArrayNames, Binning, Dataset, HoldOut, InSteps, Learned, Targets, TargetsOf};
use bd_train::data::events::MOST_STEPS;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use super::choice::{USUAL_SEARCH, check_search, penalties};
use super::examples::{ExamplesFile, array_names, forget_other_tests, read, reading};
use super::layers::{Layers, Meant, absolute, data_meant, laid};
use super::network::{USUAL_VALIDATION, usual_members};
use super::overlay::alternative;
use super::{Dtype, ESN, check_threads, check_whole, cores};

/// Beyond so many training sequences there are fewer features, for the regression takes the cube of the fewer of both.
const MANY_SEQUENCES: usize = 3000;
const FEATURES_OF_MANY: usize = 3024;

/// The examples of a file. What does not apply is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeaturesData {
    /// The file.
    pub file: Option<PathBuf>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub sha256: Option<String>,
    /// A file with the test part. Null: that of the file, or of a file of `x` and `y` only a fraction.
    pub test_file: Option<PathBuf>,
    /// SHA-256 of that file.
    pub test_sha256: Option<String>,
    /// Fraction of a file of `x` and `y` only that is for testing. Null of a file with a test part.
    pub test: Option<f64>,
    /// Array `[sample]` of the file, such as `subject`, whose groups of samples are for one purpose each.
    pub group: Option<String>,
    /// What the arrays of the file are called, where not `x` and `y`.
    #[serde(default)]
    pub arrays: ArrayNames,
    /// What targets `[sample, n]` are of that are numbers, where a sequence has `n` steps, too: `steps` or `sequences`. Null: of steps.
    pub targets_of: Option<TargetsOf>,
    /// What the targets are.
    pub targets: Option<Targets>,
    /// The names of the classes by their labels. Null: they are numbers.
    pub classes: Option<Vec<String>>,
    /// Length of the windows in which spikes with times are counted, in milliseconds. Null of numbers; of spikes where nobody sets it
    /// what divides the time of the last training spike into as many windows as a sequence has targets, or into 100.
    pub window_ms: Option<f64>,
    /// Steps of the longest training sequence, which the longest dilation follows from; of spikes with times the windows.
    pub steps: Option<usize>,
    /// Channels; of spikes with times at least as many as there are units.
    pub channels: Option<usize>,
    /// Fraction of the training part that is held out to say how good the model is, before it is fitted to all of it; 0 is none.
    pub validation: f64,
    /// How many such parts are drawn.
    pub validation_draws: usize,
}

/// Penalties of the readout, of which the one with the least error at left-out samples is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeaturesRidge {
    /// One or more, above 0.
    pub alpha: Vec<f64>,
}

/// Features of sequences, what is learned by them and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// `conv` or `esn`.
    pub job: String,
    /// Where to compute: the CPU.
    pub device: DeviceSpec,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of our own loops.
    pub threads: usize,
    /// What is learned.
    pub data: FeaturesData,
    /// The features.
    pub model: SequenceFeatures,
    /// Settings of a reservoir that are drawn and tried beside those of `model`, of which the ones with the least error at training
    /// samples that are left out are taken. What a run has chosen is in its `model`, and this is 0 then.
    pub search: usize,
    /// The readout.
    pub ridge: FeaturesRidge,
}

/// What belongs to the data of a configuration.
const OWN: [&str; 2] = ["data", "model.features"];

impl FeaturesConfig {
    fn defaults(job: &str, data: &Dataset) -> Self {
        let sequences = data.train.count();
        let reads = if data.targets.of_steps() { ReadStates::Each } else { ReadStates::default() };
        let usual = RandomConvolutionsConfig::default().features;
        let features = if sequences > MANY_SEQUENCES { FEATURES_OF_MANY } else { usual };
        let (model, search) = match job {
            ESN => {
                let config = SequenceReservoirConfig { reads, ..SequenceReservoirConfig::default() };
                (SequenceFeatures::Reservoir(config), USUAL_SEARCH)
            }
            _ => (SequenceFeatures::Convolutions(RandomConvolutionsConfig { features }), 0),
        };
        Self {
            job: job.into(),
            device: DeviceSpec::Cpu,
            seed: 0,
            threads: cores(),
            data: FeaturesData {
                file: None,
                sha256: None,
                test_file: None,
                test_sha256: None,
                test: None,
                group: None,
                arrays: ArrayNames::default(),
                targets_of: None,
                targets: None,
                classes: None,
                window_ms: None,
                steps: None,
                channels: None,
                validation: USUAL_VALIDATION,
                validation_draws: usual_members(sequences),
            },
            model,
            search,
            ridge: FeaturesRidge { alpha: penalties("1e-3..1e6").expect("it is a range of powers of ten") },
        }
    }

    /// The configuration that the layers make of the defaults, and the examples of the file that they name, which is read.
    /// `job` is `conv` or `esn`.
    pub fn resolve(job: &str, layers: &Layers) -> Result<(Self, Dataset)> {
        let mut layers = layers.tables()?;
        let Meant::File(file) = data_meant(&mut layers, "task", "", &OWN)? else {
            return Err(Error::Config(format!("{job} learns from a file of sequences: name it by --data FILE")));
        };
        forget_other_tests(&mut layers);
        let data = read(&file, &reading(Accept::NumbersAndCounts, &layers)?)?;
        let mut config: Self = laid(&Self::defaults(job, &data), &layers, &alternatives)?;
        for path in [&mut config.data.file, &mut config.data.test_file] {
            *path = path.take().map(|path| absolute(&path));
        }
        check_threads(config.threads)?;
        config.examples_file().check_hashes(&file, &data)?;
        config.complete(&data)?;
        config.check()?;
        let data = data.in_steps(&file, config.binning())?;
        Ok((config, data))
    }

    /// Whether the file that the layers name has examples with targets, and not a series. Where they name none, or one that cannot be
    /// read, it has not.
    pub fn are_examples(layers: &Layers) -> Result<bool> {
        let mut layers = layers.tables()?;
        let Meant::File(file) = data_meant(&mut layers, "system", "", &[])? else { return Ok(false) };
        let names = array_names(&layers)?;
        Ok(names.y.is_some() || Arrays::read(&file).is_ok_and(|arrays| arrays.has("y") || arrays.has("y_train")))
    }

    /// That of a run, perhaps of another machine.
    pub(super) fn of_run(config: Value) -> Result<Self> {
        let plan: Self = super::overlay::typed(config.clone(), "")?;
        plan.check()?;
        check_whole(&plan, &config)?;
        Ok(plan)
    }

    /// The examples of the run's file, read again.
    pub(crate) fn dataset(&self) -> Result<Dataset> {
        let Some(file) = &self.data.file else { return Err(Error::Config("data.file must be set".into())) };
        let data = read(file, &self.examples_file().reading(Accept::NumbersAndCounts))?;
        self.examples_file().check_hashes(file, &data)?;
        data.in_steps(file, self.binning())
    }

    fn complete(&mut self, data: &Dataset) -> Result<()> {
        if self.device == DeviceSpec::Auto {
            self.device = DeviceSpec::Cpu;
        }
        let own = &mut self.data;
        own.sha256 = Some(data.sha256.clone());
        own.test_sha256 = data.test_file.as_ref().map(|(_, sha256)| sha256.clone());
        own.test = data.division.map(|division| division.fraction);
        own.targets = Some(data.targets);
        own.classes = data.classes.clone().or_else(|| own.classes.take());
        let longest = |lengths: &Tensor| lengths.max().int64_value(&[]) as usize;
        let channels = usize::try_from(data.train.channels()).ok();
        if let Some(events) = data.train.events() {
            own.channels = own.channels.or(channels);
            return own.set_windows(events, data.train.steps_of_targets());
        }
        if let Some(window_ms) = own.window_ms {
            return Err(Error::setting("data.window_ms", window_ms, "null, for the file has no spikes with times"));
        }
        own.steps = data.train.lengths.as_ref().map(longest).or_else(|| data.train.steps());
        own.channels = channels;
        Ok(())
    }

    /// How spikes with times are counted; `None` of numbers.
    pub(crate) fn binning(&self) -> Option<Binning> {
        let FeaturesData { window_ms, steps, channels, .. } = self.data;
        Some(Binning { as_: InSteps::Counts, dt_ms: window_ms?, steps: steps?, channels: channels? })
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        if self.device != DeviceSpec::Cpu {
            return config(format!("device is {}; features of sequences are computed on the CPU", self.device));
        }
        let data = &self.data;
        if !(0.0..1.0).contains(&data.validation) {
            return config(format!("data.validation is {}; it is a fraction from 0 to below 1", data.validation));
        }
        if !(1..=MOST_DRAWS).contains(&data.validation_draws) {
            return Err(Error::setting("data.validation_draws", data.validation_draws, format!("1 to {MOST_DRAWS}")));
        }
        if data.steps.is_none_or(|steps| steps == 0) || data.channels.is_none_or(|channels| channels == 0) {
            return config("data.steps and data.channels must be set, and at least 1".into());
        }
        match data.targets {
            None => return config("data.targets must be set".into()),
            Some(targets) if targets.of_steps() && self.job != ESN => {
                return config(format!(
                    "the targets are {targets}; {} gives one output for a sequence. bd train esn and rnn learn targets of steps",
                    self.job
                ));
            }
            Some(targets) => {
                if let Some(names) = data.classes.as_ref().filter(|names| names.len() as i64 != targets.n_out()) {
                    let (found, needed) = (names.len(), targets.describe());
                    return config(format!("data.classes has {found} names, but the file has {needed}"));
                }
            }
        }
        if self.ridge.alpha.is_empty() || self.ridge.alpha.iter().any(|alpha| !(*alpha > 0.0 && alpha.is_finite())) {
            return config(format!("ridge.alpha is {:?}; it is one or more numbers above 0", self.ridge.alpha));
        }
        check_search(self.search)?;
        match (&self.model, self.job == ESN) {
            (SequenceFeatures::Reservoir(model), true) => model_reads(model.reads, data.targets)?,
            (SequenceFeatures::Convolutions(_), false) => {}
            _ => return config(format!("model.name is not that of a run of {}", self.job)),
        }
        self.examples_file().check()?;
        self.model.check()
    }

    /// Refuses any other device than the CPU.
    pub(crate) fn check_device(&self, device: Device) -> Result<()> {
        if device == Device::Cpu {
            return Ok(());
        }
        let (job, device) = (&self.job, device_name(device));
        Err(Error::Config(format!(
            "device is {device}, but a run of {job} on sequences is computed on the CPU: set it to cpu"
        )))
    }

    /// What it says of its file.
    pub(crate) fn examples_file(&self) -> ExamplesFile<'_> {
        let data = &self.data;
        ExamplesFile {
            sha256: data.sha256.as_ref(),
            test_file: data.test_file.as_ref(),
            test_sha256: data.test_sha256.as_ref(),
            test: data.test,
            group: data.group.as_ref(),
            arrays: &data.arrays,
            targets_of: data.targets_of,
            // In the end it is fitted to all of the training part.
            held_out: 0.0,
            seed: self.seed,
        }
    }

    /// How the training part is divided to say how good the model is.
    pub(crate) fn hold_out(&self) -> HoldOut {
        HoldOut { fraction: self.data.validation, seed: self.seed, members: self.data.validation_draws }
    }

    /// What it has learned, for the reading of other data.
    pub(crate) fn learned(&self) -> Option<Learned<'_>> {
        let channels = i64::try_from(self.data.channels?).ok()?;
        let classes = self.data.classes.as_deref();
        self.data.targets.map(|targets| Learned {
            channels,
            targets,
            classes,
            binning: self.binning(),
            arrays: Some(&self.data.arrays),
        })
    }

    /// Features are computed in float32, the readout in float64.
    pub(crate) fn dtype() -> Dtype {
        Dtype::F64
    }
}

const MOST_DRAWS: usize = 100;

/// Windows of spikes with times, where there is no target for each.
const USUAL_WINDOWS: usize = 100;

impl FeaturesData {
    /// Sets what nobody has set of the windows in which spikes are counted, for `targets` of each sequence, where there is one for each
    /// window.
    fn set_windows(&mut self, events: &Events, targets: Option<usize>) -> Result<()> {
        if let (Some(windows), Some(targets)) = (self.steps, targets)
            && windows != targets
        {
            return Err(Error::setting(
                "data.steps",
                windows,
                format!("{targets}, for each of which the file has a target"),
            ));
        }
        if let Some(window_ms) = self.window_ms.filter(|window_ms| !(*window_ms > 0.0 && window_ms.is_finite())) {
            return Err(Error::setting("data.window_ms", window_ms, "a number above 0"));
        }
        let windows = match (self.window_ms, self.steps.or(targets)) {
            (_, Some(windows)) => windows,
            (Some(window_ms), None) => events.steps(window_ms)?,
            (None, None) => USUAL_WINDOWS,
        };
        if !(1..=MOST_STEPS).contains(&windows) {
            return Err(Error::setting("data.steps", windows, format!("1 to {MOST_STEPS}")));
        }
        self.window_ms.get_or_insert_with(|| events.window_ms(windows));
        self.steps = Some(windows);
        Ok(())
    }
}

/// Refuses states that do not give an output where the targets are.
fn model_reads(reads: ReadStates, targets: Option<Targets>) -> Result<()> {
    let of_steps = targets.is_some_and(Targets::of_steps);
    if of_steps == (reads == ReadStates::Each) {
        return Ok(());
    }
    let (allowed, targets) = if of_steps { ("each", "steps") } else { ("mean, last or mean_and_last", "sequences") };
    Err(Error::Config(format!("model.reads must be {allowed}, for the targets are of {targets}")))
}

/// What can be chosen by name.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "model.reservoir.matrix" => alternative(&RecurrentMatrix::all(), path, name),
        "model.reservoir.kind" => alternative(&ReservoirKind::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}
