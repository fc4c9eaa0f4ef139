//! Features of sequences with their readout.

use std::path::Path;

use bd_core::text::plural;
use bd_core::{Arrays, Error, Result, catch_torch, kind_name};
use bd_models::SequenceReadout;
use bd_train::data::dataset::{Accept, Sequences, Use, counted_events, sequences};
use tch::Tensor;

use super::{Input, Prediction, Prepared, PreparedData, refuse, seen};
use crate::Run;
use crate::config::FeaturesConfig;
use crate::experiment::features_model;

/// A fitted readout of features.
#[derive(Debug)]
pub(super) struct Featuring {
    config: FeaturesConfig,
    model: SequenceReadout,
}

/// Sequences in the units of the data.
#[derive(Debug)]
pub(super) struct NumbersInput {
    x: Tensor,
    lengths: Option<Tensor>,
    /// What the samples were for, where the run has learned from some of them.
    uses: Option<Vec<Use>>,
}

impl Featuring {
    pub(super) fn new(run: &Run, config: &FeaturesConfig) -> Result<Self> {
        let model = catch_torch(|| features_model(config))?;
        model.params.load(&run.weights()?)?;
        Ok(Self { config: config.clone(), model })
    }

    pub(super) fn read(&self, path: &Path, input: &Input) -> Result<Prepared> {
        let of_others = [
            ("--columns", input.columns.is_some()),
            ("--time", input.time.is_some()),
            ("--dt", input.dt.is_some()),
            ("--free-run", input.free_run > 0),
            ("--record", !input.record.is_empty()),
        ];
        refuse(&self.config.job, &of_others)?;
        let names = &self.config.data.arrays;
        // Who names an array means that of the file.
        let arrays = input.array.as_ref().map_or_else(|| names.read_other(path), |_| Arrays::read(path))?;
        let counted = match (self.config.binning(), &input.array) {
            (Some(binning), None) => catch_torch(|| counted_events(&arrays, binning))?,
            _ => None,
        };
        let (x, lengths, form) = match counted {
            Some((x, late)) => {
                let late =
                    if late > 0 { format!("; {late} after the last window are left out") } else { String::new() };
                (x, None, format!("counts of spikes{late}"))
            }
            None => {
                let read = || sequences(&arrays, input.array.as_deref(), self.model.channels());
                let Sequences { x, lengths, kind } = catch_torch(read)?;
                (x, lengths, kind_name(kind))
            }
        };
        let of_all = input.array.as_deref().is_none_or(|name| name == names.inputs());
        let uses = match of_all {
            true => catch_torch(|| self.config.examples_file().uses(path, Accept::NumbersAndCounts))?,
            false => None,
        };
        let mut prepared = self.prepared(x, lengths, &form);
        if let (PreparedData::Numbers(numbers), Some(uses)) = (&mut prepared.data, uses) {
            prepared.words.push(seen(&uses));
            numbers.uses = Some(uses);
        }
        Ok(prepared)
    }

    /// Sequences in memory.
    pub(super) fn prepare(&self, x: &Tensor) -> Result<Prepared> {
        let (size, channels) = (x.size(), self.model.channels());
        if size.len() != 3 || size[2] != channels || size.contains(&0) {
            let expected = format!("[batch, time, {channels}]");
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        Ok(self.prepared(x.shallow_clone(), None, &kind_name(x.kind())))
    }

    fn prepared(&self, x: Tensor, lengths: Option<Tensor>, form: &str) -> Prepared {
        let [samples, steps, channels] = [0, 1, 2].map(|dim| x.size()[dim] as usize);
        let shape = [plural(samples, "sample"), plural(steps, "step"), plural(channels, "channel")].join(", ");
        let numbers = NumbersInput { x, lengths, uses: None };
        Prepared { words: vec![format!("{shape}; {form}")], data: PreparedData::Numbers(numbers) }
    }

    pub(super) fn predict(&self, input: &NumbersInput) -> Result<Prediction> {
        let outputs = self.model.predict(&input.x, input.lengths.as_ref())?;
        let mut arrays = match self.config.data.targets {
            Some(targets) if targets.are_labels() => {
                vec![("class".to_owned(), outputs.f_argmax(-1, false)?), ("score".to_owned(), outputs)]
            }
            _ => vec![("prediction".to_owned(), outputs)],
        };
        if let Some(uses) = &input.uses {
            let uses: Vec<i64> = uses.iter().map(|used| *used as i64).collect();
            arrays.push(("use".into(), Tensor::from_slice(&uses)));
        }
        Ok(Prediction::of_sequences(arrays, self.config.data.classes.clone()))
    }
}
