//! What a configuration of `bd train snn` cannot be, by itself and beside a file.

use bd_core::{Error, Result};
use bd_models::Encoder;
use bd_train::data::dataset::first_not_spike;
use bd_train::data::events::MOST_STEPS;
use bd_train::data::{Subset, Targets};
use bd_train::{Loss, OverTime};

use super::super::check_held_out;
use super::{SnnPlan, SpikesPlan};

/// More channels than this are a mistake in a file.
const MOST_CHANNELS: i64 = 1 << 24;

impl SnnPlan {
    /// Refuses inputs that are not what `encode` is for.
    pub(crate) fn check_inputs(&self, part: &Subset) -> Result<()> {
        let encode = self.data.encode;
        match (part.numbers(), encode) {
            (Some(x), Encoder::None) => {
                let other = first_not_spike(&x, part.lengths.as_ref())
                    .map_or_else(String::new, |other| format!("the first that is neither 0 nor 1 is {other}"));
                Err(Error::Config(format!(
                    "the inputs are numbers, not spikes ({other}): say with --encode how they drive the network: current, rate, \
                     latency or delta"
                )))
            }
            (None, encoder) if encoder != Encoder::None => Err(Error::Config(format!(
                "data.encode is {}, but the inputs are spikes already: leave --encode out",
                encoder.name()
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn check_outputs(&self, targets: Targets) -> Result<()> {
        let (encode, model) = (&self.data.encode, &self.model);
        if targets.of_steps() && encode.substeps() > 1 {
            return Err(Error::Config(format!(
                "data.encode.substeps is {}, but the file has a target for each step; only 1 leaves the steps as they are",
                encode.substeps()
            )));
        }
        let needed = (encode.channels(self.data.channels.unwrap_or(model.n_in)), targets.n_out());
        if (model.n_in, model.n_out) == needed {
            return Ok(());
        }
        let ((n_in, n_out), (found_in, found_out)) = (needed, (model.n_in, model.n_out));
        Err(Error::Config(format!(
            "the examples need {n_in} inputs and {n_out} outputs, but model.n_in is {found_in} and model.n_out {found_out}"
        )))
    }

    pub(super) fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        if !(self.dt_ms > 0.0 && self.dt_ms.is_finite()) {
            return config(format!("dt_ms is {}; it must be a number above 0", self.dt_ms));
        }
        let counts = [
            ("data.samples", self.data.samples.unwrap_or(1)),
            ("data.steps", self.data.steps.unwrap_or(1)),
            ("epochs", self.epochs),
            ("report_every", self.report_every as usize),
            ("batch", self.batch.unwrap_or(1)),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return config(format!("{name} is 0; it must be at least 1"));
        }
        if let Some(steps) = self.data.steps.filter(|steps| *steps > MOST_STEPS) {
            return config(format!("data.steps is {steps}; there are at most {MOST_STEPS}"));
        }
        if let Some(channels) = self.data.channels.filter(|channels| !(1..=MOST_CHANNELS).contains(channels)) {
            return config(format!("data.channels is {channels}; it is from 1 to {MOST_CHANNELS}"));
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return config(format!("clip is {clip}; it must be above 0"));
        }
        self.data.encode.check()?;
        self.loss.check_parameters()?;
        self.optim.check()?;
        if self.data.file.is_some() { self.check_for_file() } else { self.check_for_random() }
    }

    fn check_for_file(&self) -> Result<()> {
        let config = |message: &str| Err(Error::Config(message.into()));
        if self.data.samples.is_some() || self.data.rate_hz.is_some() {
            return config("data.samples and data.rate_hz are for random spikes, and there is a file");
        }
        check_held_out(self.data.validation, self.early_stopping, true)
    }

    fn check_for_random(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        let (Some(_), Some(_), Some(rate_hz)) = (self.data.samples, self.data.steps, self.data.rate_hz) else {
            return config("data.samples, data.steps and data.rate_hz must be set where there is no file".into());
        };
        let p = rate_hz * self.dt_ms / 1000.0;
        if !(0.0..=1.0).contains(&p) {
            return config(format!(
                "data.rate_hz is {rate_hz}: in a step of {} ms that is a spike with probability {p}, which must be from 0 to 1",
                self.dt_ms
            ));
        }
        let SpikesPlan { encode, channels, validation, targets, .. } = &self.data;
        if *encode != Encoder::None || channels.is_some() || *validation != 0.0 || targets.is_some() {
            return config(
                "data.encode, data.channels, data.validation and data.targets are for a file; name it with --data"
                    .into(),
            );
        }
        check_held_out(0.0, self.early_stopping, false)?;
        let Loss::CrossEntropy { over } = self.loss else {
            return config("loss must be cross_entropy: the targets are labels".into());
        };
        if over == OverTime::Every {
            return config("loss.over cannot be every: a sample has one label".into());
        }
        Ok(())
    }
}
