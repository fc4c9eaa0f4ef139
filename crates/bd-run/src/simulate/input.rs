//! What comes in at the population of kind `input`.

use std::path::Path;

use bd_core::files::sha256_of;
use bd_core::text::plural;
use bd_core::{Error, Result};
use bd_networks::Source;
use tch::Device;

use super::{Origin, SimulateConfig};
use crate::config::absolute;
use crate::listener::Listener;
use crate::predict::Input;

impl Origin {
    /// Reads the spikes that come in: those of a file, those of a sample of data, or what the text of the network names.
    pub(super) fn choose_input(&mut self, config: &mut SimulateConfig, listener: &dyn Listener) -> Result<()> {
        match (config.spikes.clone(), config.data.clone()) {
            (Some(_), Some(_)) => {
                return Err(Error::Config("both spikes and data are named for the input; name one of them".into()));
            }
            (None, None) if self.run.is_some() => {
                return Err(Error::Config(
                    "the input of a network that was trained is not in its run: name a file of spikes (--spikes), or data like those that it \
                     has learned from and one of their samples (--data FILE --sample N)"
                        .into(),
                ));
            }
            (None, None) => {}
            (Some(file), None) => {
                config.input_sha256 = Some(hash(&file)?);
                self.set_file(&absolute(&file).to_string_lossy())?;
            }
            (None, Some(file)) => {
                config.input_sha256 = Some(hash(&file)?);
                let sample = *config.sample.get_or_insert(0);
                self.set_sample(&file, sample, listener)?;
            }
        }
        if let Some(sample) = config.sample.filter(|_| config.data.is_none()) {
            return Err(Error::setting("sample", sample, "left out where no data are named"));
        }
        self.source.files.read_trains(&self.source.network)
    }

    /// Names the file of the population of kind `input`.
    fn set_file(&mut self, name: &str) -> Result<()> {
        let populations = &mut self.source.network.populations;
        let mut inputs = populations.iter_mut().filter_map(|population| match &mut population.source {
            Source::Input { file } => Some(file),
            _ => None,
        });
        match (inputs.next(), inputs.next()) {
            (Some(file), None) => *file = Some(name.to_owned()),
            (first, _) => {
                let count = if first.is_none() { "no population" } else { "several populations" };
                let advice = if first.is_none() { "" } else { "; name their files in it" };
                let path = self.source.path.display();
                return Err(Error::Config(format!(
                    "{path}: spikes come in at the one population of kind 'input', and it has {count} of it{advice}"
                )));
            }
        }
        Ok(())
    }

    /// Takes the spikes of a sample as the run has read its data.
    fn set_sample(&mut self, file: &Path, sample: usize, listener: &dyn Listener) -> Result<()> {
        let Some(run) = &self.run else {
            return Err(Error::Config(
                "data are for a network of a run, which says how they are read; a file of a network takes spikes (--spikes)".into(),
            ));
        };
        let prepared = run.predictor_on(Device::Cpu)?.read(file, &Input::default())?;
        prepared.words.iter().for_each(|words| listener.say(&format!("input     {}: {words}", file.display())));
        let spikes = prepared.spikes(file, sample)?;
        let steps = spikes.iter().map(|(step, _)| step + 1).max().unwrap_or(0);
        let dt_ms = self.source.network.dt_ms;
        listener.say(&format!(
            "input     sample {sample}: {}, the last in step {steps}, {} ms",
            plural(spikes.len(), "spike"),
            f64::from(steps) * dt_ms
        ));
        let train = spikes.into_iter().map(|(step, neuron)| (f64::from(step) * dt_ms, neuron)).collect();
        let name = format!("sample {sample} of {}", file.display());
        self.set_file(&name)?;
        self.source.files.add_train(name, train);
        Ok(())
    }
}

fn hash(file: &Path) -> Result<String> {
    sha256_of(file).map_err(|error| Error::bad_file(file, format!("cannot be read: {error}")))
}
