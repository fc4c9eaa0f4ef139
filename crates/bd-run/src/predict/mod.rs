//! [`Predictor`]: a trained model run over data of one's own.

mod features;
mod forecast;
mod network;

use std::path::{Path, PathBuf};

use bd_core::files::write_new;
use bd_core::npz::npz_to_bytes;
use bd_core::{DataTransform as _, Ensemble, Error, Result};
use bd_models::Pipeline;
use bd_train::data::dataset::Use;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use self::features::Featuring;
use self::forecast::Forecasting;
pub use self::forecast::other_series;
use self::network::Running;
use crate::{Config, Run};

/// Which data of a file are meant, and what is to be made of them.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// ngrc: columns of the file that are the channels, in the order of the training; `None` are those of the run.
    pub columns: Option<Vec<String>>,
    /// ngrc: column of the file that is the time; `None` is that of the run.
    pub time: Option<String>,
    /// ngrc: time between two points of a file without such a column, which must be that of the training.
    pub dt: Option<f64>,
    /// ngrc: steps that the model goes on after the input, on its own outputs.
    pub free_run: usize,
    /// rnn, snn: which array of the file; `None` is the only one, or `x`, or `x_test`.
    pub array: Option<String>,
    /// rnn, snn: states to record, such as `r.h`.
    pub record: Vec<String>,
}

/// Data that were read, as the model of a [`Predictor`] takes them.
#[derive(Debug)]
pub struct Prepared {
    /// What they are, for people.
    pub words: Vec<String>,
    data: PreparedData,
}

impl Prepared {
    /// Steps and channels of the spikes of a sample, by step. Fails if inputs are no spikes.
    pub(crate) fn spikes(&self, file: &Path, sample: usize) -> Result<Vec<(u32, u32)>> {
        match &self.data {
            PreparedData::Sequences(sequences) => sequences.spikes(file, sample),
            _ => Err(Error::bad_file(file, "its data are no sequences of spikes")),
        }
    }
}

#[derive(Debug)]
enum PreparedData {
    Series(Box<forecast::SeriesInput>),
    Sequences(network::SequencesInput),
    Numbers(features::NumbersInput),
}

/// What a model says of data.
#[derive(Debug)]
pub struct Prediction {
    /// Arrays by name, as they are written.
    pub arrays: Vec<(String, Tensor)>,
    /// What they are, for people.
    pub words: Vec<String>,
    /// The names of the classes by their numbers, if they have some: `class_names` of the file.
    pub class_names: Option<Vec<String>>,
    /// The same as a table, where it is one.
    csv: Option<String>,
}

impl Prediction {
    /// Of sequences, in words by names and shapes.
    fn of_sequences(arrays: Vec<(String, Tensor)>, class_names: Option<Vec<String>>) -> Self {
        let shapes: Vec<String> = arrays.iter().map(|(name, array)| format!("{name} {:?}", array.size())).collect();
        let names = class_names.as_ref().map(|names| format!("; class_names [{}] of text", names.len()));
        Self { arrays, class_names, words: vec![shapes.join(", ") + &names.unwrap_or_default()], csv: None }
    }

    /// Writes a `.npz` file or, of a forecast, also a `.csv` table. A file that is there is not touched.
    pub fn save(&self, path: &Path) -> Result<()> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let endings: &[&str] = if self.csv.is_some() { &["npz", "csv"] } else { &["npz"] };
        let Some(ending) = ending.filter(|ending| endings.contains(&ending.as_str())) else {
            let endings = endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" or ");
            return Err(Error::Config(format!("{}: an output file ends in {endings}", path.display())));
        };
        match (&self.csv, ending.as_str()) {
            (Some(csv), "csv") => write_new(path, csv.as_bytes()),
            _ => {
                let names = self.class_names.iter().map(|names| ("class_names", &names[..])).collect::<Vec<_>>();
                write_new(path, &npz_to_bytes(&self.arrays, &names)?)
            }
        }
    }

    /// The shapes of the arrays, by name.
    pub fn shapes(&self) -> Map<String, Value> {
        self.arrays.iter().map(|(name, array)| (name.clone(), json!(array.size()))).collect()
    }

    /// An array by its name.
    pub fn array(&self, name: &str) -> Option<&Tensor> {
        self.arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array)
    }
}

/// The trained model of a run, of whatever job, on a device.
#[derive(Debug)]
pub struct Predictor {
    path: PathBuf,
    model: Trained,
}

#[derive(Debug)]
enum Trained {
    Forecast(Box<Forecasting>),
    Network(Box<Running>),
    Features(Box<Featuring>),
}

impl Predictor {
    pub(crate) fn new(run: &Run, device: Device) -> Result<Self> {
        let model = match run.config() {
            Config::Forecast(config) => Trained::Forecast(Box::new(Forecasting::new(run, config, device)?)),
            Config::Network(config) => Trained::Network(Box::new(Running::new(run, config, device)?)),
            Config::Features(config) => {
                config.check_device(device)?;
                Trained::Features(Box::new(Featuring::new(run, config)?))
            }
        };
        Ok(Self { path: run.path().to_path_buf(), model })
    }

    /// Reads data of one's own: of ngrc a series, of rnn and snn sequences `[batch, time, channel]` or `[time, channel]` from an
    /// `.npz`, `.npy` or `.safetensors` file, of snn also spikes with times. Fails if they are not what the model takes, or if
    /// `input` says something that is not for a run of this job.
    pub fn read(&self, path: &Path, input: &Input) -> Result<Prepared> {
        match &self.model {
            Trained::Forecast(model) => model.read(path, input),
            Trained::Network(model) => model.read(path, input),
            Trained::Features(model) => model.read(path, input),
        }
    }

    /// The model over sequences in memory, `[batch, time, channel]` in the units of the data, from the initial state. Of ngrc the
    /// batch is one series.
    pub fn predict(&self, x: &Tensor) -> Result<Prediction> {
        let prepared = match &self.model {
            Trained::Forecast(model) => model.prepare(x)?,
            Trained::Network(model) => model.prepare(x)?,
            Trained::Features(model) => model.prepare(x)?,
        };
        self.predict_prepared(&prepared)
    }

    /// The model over data that [`read`](Self::read) has read.
    pub fn predict_prepared(&self, prepared: &Prepared) -> Result<Prediction> {
        match (&self.model, &prepared.data) {
            (Trained::Forecast(model), PreparedData::Series(series)) => model.predict(series),
            (Trained::Network(model), PreparedData::Sequences(sequences)) => model.predict(sequences),
            (Trained::Features(model), PreparedData::Numbers(numbers)) => model.predict(numbers),
            _ => {
                Err(Error::Config(format!("the data were read for another model than that of {}", self.path.display())))
            }
        }
    }

    /// The network of rnn and snn, with what stands before and behind it: to embed it where samples come one by one.
    pub fn pipeline(&self) -> Option<&Pipeline<Ensemble>> {
        match &self.model {
            Trained::Forecast(_) | Trained::Features(_) => None,
            Trained::Network(model) => Some(model.pipeline()),
        }
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        match &self.model {
            Trained::Forecast(model) => model.device(),
            Trained::Network(model) => model.pipeline().on().1,
            Trained::Features(_) => Device::Cpu,
        }
    }
}

/// Refuses an option that is not for a run of this job.
fn refuse(job: &str, options: &[(&'static str, bool)]) -> Result<()> {
    match options.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::Config(format!("{name} is not for a run of {job}, which this is"))),
        None => Ok(()),
    }
}

/// How many samples a model has seen before.
fn seen(uses: &[Use]) -> String {
    let count = |wanted| uses.iter().filter(|used| **used == wanted).count();
    format!(
        "the run has learned from this file: {} of {} samples were for training (use is 0), {} for validation (1), {} for testing (2)",
        count(Use::Training),
        uses.len(),
        count(Use::Validation),
        count(Use::Test)
    )
}
