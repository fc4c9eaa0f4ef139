//! What a configuration of a network cannot be, by itself and beside its data.

use bd_core::text::power_of_ten;
use bd_core::{Error, Result};
use bd_equations::Model as Neuron;
use bd_models::{Encoder, SnnConfig};
use bd_train::data::dataset::{ArrayNames, Dataset, Subset, first_not_spike};
use bd_train::data::events::MOST_STEPS;
use bd_train::{Loss, OverTime};

use super::{Dtype, Model, NetworkConfig};

/// More channels than this are a mistake in a file.
const MOST_CHANNELS: i64 = 1 << 24;

/// The recurrent weights of so many units with four gates take 2 GB in float64, and drawing them three times as much.
const MOST_RATE_UNITS: i64 = 1 << 13;

/// Weights between two layers of so many neurons take 68 GB in float32, which memory is checked for.
const MOST_NEURONS: i64 = 1 << 17;

/// More batches in one update are a mistake in writing, and are all drawn before it.
const MOST_ACCUMULATED: usize = 1 << 20;

/// More networks than this of one run are a mistake in writing.
const MOST_MEMBERS: usize = 100;

fn refused<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Config(message.into()))
}

impl NetworkConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.check_widths()?;
        if !(self.dt > 0.0 && self.dt.is_finite()) {
            return refused(format!("dt is {}; it must be a number above 0", self.dt));
        }
        if let Model::Populations(model) = &self.model
            && model.network.network().dt_ms != self.dt
        {
            let dt_ms = model.network.network().dt_ms;
            return refused(format!("dt is {}, but the network is written for steps of dt_ms = {dt_ms}", self.dt));
        }
        if self.time_unit != "ms" {
            return refused(format!(
                "time_unit is {:?}; time constants are in ms, so that dt must be, too",
                self.time_unit
            ));
        }
        let counts = [
            ("updates", self.updates.unwrap_or(1)),
            ("epochs", self.epochs.unwrap_or(1)),
            ("batch", self.batch.unwrap_or(1) as u64),
            ("accumulate", self.accumulate as u64),
            ("truncate", self.truncate.unwrap_or(1) as u64),
            ("report_every", self.report_every),
            ("data.test_samples", self.data.test_samples as u64),
            ("data.samples", self.data.samples.unwrap_or(1) as u64),
            ("data.steps", self.data.steps.unwrap_or(1) as u64),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return refused(format!("{name} is 0; it must be at least 1"));
        }
        if !(1..=MOST_MEMBERS).contains(&self.ensemble) {
            return Err(Error::setting("ensemble", self.ensemble, format!("from 1 to {MOST_MEMBERS}")));
        }
        if self.accumulate > MOST_ACCUMULATED {
            return Err(Error::setting("accumulate", self.accumulate, format!("from 1 to {MOST_ACCUMULATED}")));
        }
        if !(self.checkpoint_minutes > 0.0 && self.checkpoint_minutes <= MOST_MINUTES) {
            let minutes = self.checkpoint_minutes;
            return refused(format!("checkpoint_minutes is {minutes}; it is above 0 and at most {MOST_MINUTES}"));
        }
        if let Some(steps) = self.data.steps.filter(|steps| *steps > MOST_STEPS) {
            return refused(format!("data.steps is {steps}; there are at most {MOST_STEPS}"));
        }
        if let Some(channels) = self.data.channels.filter(|channels| !(1..=MOST_CHANNELS).contains(channels)) {
            return refused(format!("data.channels is {channels}; it is from 1 to {MOST_CHANNELS}"));
        }
        self.check_test()?;
        self.data.encode.check()?;
        self.loss.check_parameters()?;
        self.training(1).check()?;
        match (self.model.is_spiking(), self.data.file.is_some()) {
            (true, true) => self.check_spiking_on_file(),
            (true, false) => self.check_random(),
            (false, _) => self.check_rate(),
        }
    }

    fn check_widths(&self) -> Result<()> {
        let (most, what) = match self.model.is_spiking() {
            true => (MOST_NEURONS, "neurons"),
            false => (MOST_RATE_UNITS, "units"),
        };
        if let Some(width) = self.model.hidden().iter().find(|width| **width < 1) {
            return Err(Error::setting("model.hidden", width, "at least 1 in each layer"));
        }
        let ends = [self.model.n_in(), self.model.n_out()];
        // Channels of spikes may be many: their weights are rows, read where there is a spike.
        let ends = ends.into_iter().filter(|_| !self.model.is_spiking());
        if let Some(width) = self.model.hidden().iter().copied().chain(ends).find(|width| *width > most) {
            return refused(format!("a layer has {width} {what}; at most {most} are allowed"));
        }
        match [self.model.n_in(), self.model.n_out()].into_iter().find(|width| *width > MOST_CHANNELS) {
            Some(width) => {
                refused(format!("the network has {width} inputs or outputs; at most {MOST_CHANNELS} are allowed"))
            }
            None => Ok(()),
        }
    }

    fn check_rate(&self) -> Result<()> {
        if self.data.task.is_some() == self.data.file.is_some() {
            return refused("data.task or data.file must be set, and not both");
        }
        let data = &self.data;
        let of_spikes = data.encode != Encoder::None || data.steps.is_some() || data.channels.is_some();
        if of_spikes || data.samples.is_some() || data.rate_hz.is_some() {
            return refused(
                "data.encode, data.steps, data.channels, data.samples and data.rate_hz are for spiking networks",
            );
        }
        if self.data.task.is_some() && (self.updates.is_none() || self.epochs.is_some()) {
            return refused("a task is drawn anew for every update: set updates, and not epochs");
        }
        if self.data.task.is_some() && self.batch.is_none() {
            return refused("batch is null, which is all examples; a task has no end of them: set a number");
        }
        self.check_epochs()?;
        self.check_held_out()?;
        let Some(task) = &self.data.task else { return Ok(()) };
        task.check(self.dt)?;
        let (n_in, n_out) = (task.n_in(), task.n_out());
        if (self.model.n_in(), self.model.n_out()) == (n_in, n_out) {
            return Ok(());
        }
        refused(format!(
            "{} has {n_in} inputs and {n_out} outputs, but model.n_in is {} and model.n_out {}",
            task.name(),
            self.model.n_in(),
            self.model.n_out()
        ))
    }

    fn check_spiking_on_file(&self) -> Result<()> {
        if self.data.samples.is_some() || self.data.rate_hz.is_some() {
            return refused("data.samples and data.rate_hz are for random spikes, and there is a file");
        }
        self.check_no_task_or_scale()?;
        self.check_epochs()?;
        self.check_held_out()
    }

    fn check_random(&self) -> Result<()> {
        let (Some(_), Some(_), Some(rate_hz)) = (self.data.samples, self.data.steps, self.data.rate_hz) else {
            return refused("data.samples, data.steps and data.rate_hz must be set where there is no file");
        };
        // Of one class there is nothing to tell apart: the loss would be 0 from the beginning.
        bd_core::setting::check(
            "model.n_out",
            self.model.n_out(),
            self.model.n_out() >= 2,
            "at least 2 classes of random samples",
        )?;
        let p = rate_hz * self.dt / 1000.0;
        if !(0.0..=1.0).contains(&p) {
            return refused(format!(
                "data.rate_hz is {rate_hz}: in a step of {} ms that is a spike with probability {p}, which must be from 0 to 1",
                self.dt
            ));
        }
        let data = &self.data;
        if data.encode != Encoder::None || data.channels.is_some() || data.validation != 0.0 || data.targets.is_some() {
            return refused(
                "data.encode, data.channels, data.validation and data.targets are for a file; name it with --data",
            );
        }
        self.check_no_task_or_scale()?;
        if self.epochs.is_none() || self.updates.is_some() {
            return refused("random samples are seen in epochs: set epochs, and not updates");
        }
        self.check_held_out()?;
        let Loss::CrossEntropy { over } = self.loss else {
            return refused("loss must be cross_entropy: the targets are labels");
        };
        if over == OverTime::Every {
            return refused("loss.over cannot be every: a sample has one label");
        }
        Ok(())
    }

    fn check_no_task_or_scale(&self) -> Result<()> {
        match (&self.data.task, self.data.scale) {
            (Some(_), _) => refused("data.task is for networks of rates"),
            (None, true) => {
                refused("data.scale is for networks of rates; encoders of spiking networks scale by themselves")
            }
            (None, false) => Ok(()),
        }
    }

    fn check_epochs(&self) -> Result<()> {
        if self.data.file.is_some() && (self.epochs.is_none() || self.updates.is_some()) {
            return refused("a file is seen in epochs: set epochs, and not updates");
        }
        Ok(())
    }

    /// Refuses a test part that cannot be.
    fn check_test(&self) -> Result<()> {
        let data = &self.data;
        let says = data.test.is_some() || data.test_file.is_some() || data.group.is_some();
        if data.file.is_none() && (says || data.arrays != ArrayNames::default()) {
            return refused(
                "data.test, data.test_file, data.group and data.arrays are about a file of samples, data.file",
            );
        }
        self.examples_file().check()
    }

    /// Refuses a validation part, or a stop by it, that cannot be.
    fn check_held_out(&self) -> Result<()> {
        let validation = self.data.validation;
        if !(0.0..1.0).contains(&validation) {
            return refused(format!("data.validation is {validation}; it is a fraction from 0 to below 1"));
        }
        if self.early_stopping.is_none() || (self.data.file.is_some() && validation > 0.0) {
            return Ok(());
        }
        refused("early_stopping needs the validation part of a file; see data.validation")
    }

    /// Refuses inputs of a spiking network that are not what `encode` is for.
    pub(crate) fn check_inputs(&self, part: &Subset) -> Result<()> {
        let encode = self.data.encode;
        match (part.numbers(), encode) {
            (Some(x), Encoder::None) => {
                let other = first_not_spike(&x, part.lengths.as_ref())
                    .map_or_else(String::new, |number| format!("the first that is neither 0 nor 1 is {number}"));
                refused(format!(
                    "the inputs are numbers, not spikes ({other}): say with --encode how they drive the network: current, rate, \
                     latency or delta"
                ))
            }
            (None, encoder) if encoder != Encoder::None => refused(format!(
                "data.encode is {}, but the inputs are spikes already: leave --encode out",
                encoder.name()
            )),
            _ => Ok(()),
        }
    }

    /// Refuses neurons whose equations have no solution over a step, or whose gradients float32 does not hold.
    pub(super) fn check_neuron(&self) -> Result<()> {
        let Model::Spiking(SnnConfig { neuron, .. }) = &self.model else { return Ok(()) };
        let Some(model) = neuron.model()? else { return Ok(()) };
        let refuse = |error: bd_equations::Error| Error::Config(format!("neuron {}: {error}", neuron.name()));
        if self.dtype == Dtype::F64 {
            return model.constants(self.dt).map(drop).map_err(refuse);
        }
        let product = model.largest_product(self.dt).map_err(refuse)?;
        if product <= Neuron::LARGEST_IN_FLOAT32 {
            return Ok(());
        }
        refused(format!(
            "neuron {}: over steps of {} ms the derivative of {} by what it was before grows to {}, and float32 holds gradients up to \
             {}; let it spike nearer to where its upstroke begins, as adex does with its V_peak and adex_2005 does not, or set dtype \
             to f64",
            neuron.name(),
            self.dt,
            neuron.potential(),
            power_of_ten(product),
            power_of_ten(Neuron::LARGEST_IN_FLOAT32),
        ))
    }

    /// Refuses a network of other sizes than the examples of a file need.
    pub(super) fn check_sizes(&self, data: &Dataset) -> Result<()> {
        if let Some(classes) = self.data.classes.as_ref().filter(|names| names.len() as i64 != data.targets.n_out()) {
            let (found, needed) = (classes.len(), data.targets.describe());
            return refused(format!("data.classes has {found} names, but the file has {needed}"));
        }
        let encode = &self.data.encode;
        if data.targets.of_steps() && encode.substeps() > 1 {
            return refused(format!(
                "data.encode.substeps is {}, but the file has a target for each step; only 1 leaves the steps as they are",
                encode.substeps()
            ));
        }
        let channels = self.data.channels.unwrap_or(data.train.channels());
        let (n_in, n_out) = (encode.channels(channels), data.targets.n_out());
        if (self.model.n_in(), self.model.n_out()) == (n_in, n_out) {
            return Ok(());
        }
        let (found_in, found_out) = (self.model.n_in(), self.model.n_out());
        refused(format!(
            "the examples need {n_in} inputs and {n_out} outputs, but model.n_in is {found_in} and model.n_out {found_out}"
        ))
    }
}

/// A year.
const MOST_MINUTES: f64 = 525_600.0;
