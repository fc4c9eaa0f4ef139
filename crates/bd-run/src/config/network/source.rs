//! [`Lessons`]: what a network learns, and what follows from it for the configuration.

use std::path::PathBuf;

use bd_core::text::short;
use bd_core::{Error, Result};
use bd_models::Encoder;
use bd_train::Task;
use bd_train::data::dataset::{Accept, Dataset, Subset, Targets};
use serde_json::Value;

use super::{Model, NetworkConfig, OWN};
use crate::config::examples::{ExamplesFile, forget_other_tests, read, reading, said};
use crate::config::layers::{Meant, data_meant};
use crate::config::overlay::{alternative, typed};

/// Time constants of the readout in steps, of which one is chosen where there is a number to tell at each step.
const READOUT_STEPS: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 100.0];

/// What a network learns.
#[derive(Debug)]
pub enum Lessons {
    /// A task, drawn anew for every update.
    Task(Task),
    /// Random spikes with random labels.
    Random,
    /// The examples of a file, which was read.
    File(PathBuf, Box<Dataset>),
}

/// Which inputs the networks of a job take: where numbers are to be encoded, zeros and ones are numbers too.
fn accepted(spiking: bool, encodes: bool) -> Accept {
    match (spiking, encodes) {
        (false, _) => Accept::Numbers,
        (true, false) => Accept::SpikesAndNumbers,
        (true, true) => Accept::NumbersToEncode,
    }
}

/// Whether the strongest layer that speaks of an encoding names one.
fn encodes(layers: &[Value]) -> bool {
    let name = said(layers, "/data/encode").map(|encode| encode.get("name").unwrap_or(encode));
    name.and_then(Value::as_str).is_some_and(|name| name != Encoder::None.name())
}

impl Lessons {
    /// Those that the layers are about, with a task's default parameters.
    pub(super) fn meant(job: &str, layers: &mut [Value]) -> Result<Self> {
        let usual = if job == "snn" { "random spikes" } else { "integration" };
        match data_meant(layers, "task", usual, &OWN)? {
            Meant::File(file) => {
                forget_other_tests(layers);
                let accept = accepted(job == "snn", encodes(layers));
                let data = read(&file, &reading(accept, layers)?)?;
                Ok(Self::File(file, Box::new(data)))
            }
            Meant::Generated(_) if job == "snn" => Ok(Self::Random),
            Meant::Generated(name) => {
                Ok(Self::Task(typed(alternative(&Task::all(), "data.task", &name)?, "data.task")?))
            }
        }
    }

    /// Those of a run's configuration, read again.
    pub(crate) fn again(config: &NetworkConfig) -> Result<Self> {
        match (&config.data.task, &config.data.file) {
            (Some(task), _) => Ok(Self::Task(task.clone())),
            (None, None) => Ok(Self::Random),
            (None, Some(file)) => {
                let data = Dataset::read(file, &config.examples_file().reading(config.accepted()))?;
                config.examples_file().check_hashes(file, &data)?;
                Ok(Self::File(file.clone(), Box::new(data.in_steps(file, config.binning())?)))
            }
        }
    }
}

impl NetworkConfig {
    /// Which inputs it takes.
    pub(crate) fn accepted(&self) -> Accept {
        accepted(self.model.is_spiking(), self.data.encode != Encoder::None)
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
            // Of several members each part of the file is learned by some.
            held_out: if self.ensemble > 1 { 0.0 } else { data.validation },
            seed: self.seed,
        }
    }

    /// Sets what nobody has set and follows from what is learned, and refuses what does not fit it.
    pub(super) fn complete(&mut self, lessons: Lessons, set: impl Fn(&str) -> bool) -> Result<Lessons> {
        if let Some(task) = &self.data.task {
            // Those of the defaults are of the task as it is by default.
            let (n_in, n_out) = (task.n_in(), task.n_out());
            if !set("/model/n_in") {
                self.model.set_n_in(n_in);
            }
            if !set("/model/n_out") {
                self.model.set_n_out(n_out);
            }
        }
        if self.data.validation == 0.0 && !set("/early_stopping") {
            self.early_stopping = None;
        }
        if let Lessons::File(_, data) = &lessons {
            self.read_pieces(&set);
            self.lengthen(data.train.count(), &set);
        }
        self.check()?;
        match lessons {
            Lessons::Task(_) => Ok(Lessons::Task(self.data.task.clone().expect("it was checked"))),
            Lessons::Random => Ok(Lessons::Random),
            Lessons::File(file, mut data) => {
                self.examples_file().check_hashes(&file, &data)?;
                self.data.sha256 = Some(data.sha256.clone());
                self.data.test_sha256 = data.test_file.as_ref().map(|(_, sha256)| sha256.clone());
                self.data.classes = data.classes.clone().or_else(|| self.data.classes.take());
                self.data.test = data.division.map(|division| division.fraction);
                if self.model.is_spiking() {
                    let note = self.usual_step(&data.train, &set);
                    data.notes.extend(note);
                    self.fit_to(&data.train, set)?;
                    self.check_inputs(&data.train)?;
                }
                self.check_sizes(&data)?;
                let data = data.in_steps(&file, self.binning())?;
                Ok(Lessons::File(file, Box::new(data)))
            }
        }
    }

    /// Sets the length of a step, where nobody has set it and the targets say how many there are, and says so.
    fn usual_step(&mut self, train: &Subset, set: &impl Fn(&str) -> bool) -> Option<String> {
        let (events, steps) = (train.events()?, train.steps_of_targets()?);
        if set("/dt") || matches!(self.model, Model::Populations(_)) {
            return None;
        }
        self.dt = events.window_ms(steps);
        Some(format!(
            "{steps} steps, one for each target, of {} ms, within which the last spike of the training part is, at {} s; --dt sets another \
             length",
            short(self.dt),
            short(events.last_s())
        ))
    }

    /// The steps of spikes with times that have a target for each step: those of the targets.
    fn steps_of_targets(&self, steps: usize) -> Result<usize> {
        if let Some(set) = self.data.steps.filter(|set| *set != steps) {
            return Err(Error::setting("data.steps", set, format!("{steps}, for each of which the file has a target")));
        }
        Ok(steps)
    }

    /// Takes steps, channels and time constants of a spiking network from a training part.
    fn fit_to(&mut self, train: &Subset, set: impl Fn(&str) -> bool) -> Result<()> {
        let needed = match train.events() {
            Some(events) => match train.steps_of_targets() {
                Some(steps) => self.steps_of_targets(steps)?,
                None => events.steps(self.dt)?,
            },
            None => train.steps().unwrap_or(1),
        };
        let there = [
            ("steps", self.data.steps.map(|n| n as i64), needed as i64),
            ("channels", self.data.channels, train.channels()),
        ];
        let in_steps = train.steps().is_some();
        if let Some((name, Some(set), found)) =
            there.iter().find(|(_, set, found)| in_steps && set.is_some_and(|set| set != *found))
        {
            return Err(Error::Config(format!(
                "data.{name} is {set}, but the file has {found} {name}; it is for spikes with times, which can be put in any"
            )));
        }
        self.data.steps.get_or_insert(needed);
        let channels = *self.data.channels.get_or_insert(train.channels());
        let encode = self.data.encode;
        let model = match &mut self.model {
            Model::Spiking(model) => model,
            other => return fits(other, encode.channels(channels)),
        };
        if !set("/model/n_in") {
            model.n_in = encode.channels(channels);
        }
        // Where the training of neurons' time constants begins: short, for sequences of one's own may have a few dozen steps.
        let tau_ms = 3.0 * self.dt * encode.substeps() as f64;
        let (synapse, lif) = (&mut model.synapse.tau_ms, &mut model.lif.tau_ms);
        for (pointer, value) in [("/model/synapse/tau_ms", synapse), ("/model/lif/tau_ms", lif)] {
            if !set(pointer) {
                *value = tau_ms;
            }
        }
        if matches!(self.data.targets, Some(Targets::Series { .. })) && !set("/model/readout/tau_ms") {
            self.readout_search = READOUT_STEPS.map(|steps| steps * self.dt * encode.substeps() as f64).to_vec();
        }
        Ok(())
    }
}

/// Refuses a network as text whose input is not what the data are.
fn fits(model: &Model, channels: i64) -> Result<()> {
    match model.n_in() == channels {
        true => Ok(()),
        false => Err(Error::Config(format!(
            "the input of the network has {} neurons, and the data have {channels} channels; set n of its population of kind 'input'",
            model.n_in()
        ))),
    }
}
