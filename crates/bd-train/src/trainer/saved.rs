//! [`Saved`]: what a checkpoint holds of a training; [`Standing`]: how far it had come.

use bd_core::{Checkpoint, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use super::TrainConfig;
use super::checkpoints::Newest;
use super::trained::{Best, End, ReportPoint};
use crate::early_stopping::Watch;

/// Where a training is: so many batches into an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) epoch: u64,
    pub(super) batches: usize,
}

/// What a checkpoint holds of a training beside parameters and optimiser.
pub(super) struct Saved {
    pub(super) config: TrainConfig,
    pub(super) observers: Vec<Value>,
    pub(super) place: Place,
    pub(super) end: Option<End>,
    pub(super) watch: Option<Watch>,
    pub(super) best: Option<Best>,
    pub(super) losses: Vec<f64>,
    pub(super) seconds: Vec<f64>,
    pub(super) reports: Vec<ReportPoint>,
    pub(super) wall_s: f64,
    pub(super) drawing_s: f64,
}

/// The part of it that is JSON.
#[derive(Serialize, Deserialize)]
struct SavedMeta {
    config: TrainConfig,
    observers: Vec<Value>,
    place: Place,
    end: Option<End>,
    watch: Option<Watch>,
    best: Option<(u64, f64)>,
    wall_s: f64,
    drawing_s: f64,
}

impl SavedMeta {
    fn read(checkpoint: &Checkpoint) -> Result<Self> {
        serde_json::from_value(checkpoint.meta["training"].clone())
            .map_err(|error| Error::Config(format!("the checkpoint is of no training that can go on: {error}")))
    }
}

/// How far a training had come when a checkpoint was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Updates that were made.
    pub step: u64,
    /// The epoch that it was in, counted from 0; after the last one the number of epochs.
    pub epoch: u64,
    /// How it had ended, if it had.
    pub end: Option<End>,
    /// What each observer [saved](super::Observer::save), in their order.
    pub observers: Vec<Value>,
}

impl Newest {
    /// How far the training had come. Fails with [`Error::BadFile`] if it is no checkpoint of a [`Trainer`](super::Trainer).
    pub fn standing(&self) -> Result<Standing> {
        let meta = SavedMeta::read(&self.checkpoint).map_err(|error| Error::bad_file(&self.path, error.to_string()))?;
        let SavedMeta { place, end, observers, .. } = meta;
        Ok(Standing { step: self.step()?, epoch: place.epoch, end, observers })
    }
}

impl Saved {
    /// Takes the tensors that are not those of [`Bptt`](crate::bptt::Bptt) out of a checkpoint.
    pub(super) fn read(checkpoint: &mut Checkpoint) -> Result<Self> {
        let meta = SavedMeta::read(checkpoint)?;
        let history = |name: &str| -> Result<Vec<f64>> {
            let found = checkpoint.history.iter().find(|(known, _)| known == name);
            found.map_or(Ok(Vec::new()), |(_, tensor)| Ok(Vec::try_from(tensor.f_flatten(0, -1)?)?))
        };
        let reports = history("reports")?
            .chunks_exact(3)
            .map(|row| {
                let validation = Some(row[2]).filter(|loss| !loss.is_nan());
                ReportPoint { step: row[0] as u64, loss: row[1], validation }
            })
            .collect();
        let (losses, seconds) = (history("losses")?, history("seconds")?);
        let parameters = std::mem::take(&mut checkpoint.best);
        let best = meta.best.map(|(step, loss)| Best { step, loss, parameters });
        let SavedMeta { config, observers, place, end, watch, wall_s, drawing_s, .. } = meta;
        Ok(Self { config, observers, place, end, watch, best, losses, seconds, reports, wall_s, drawing_s })
    }

    /// Puts it into a checkpoint, for [`read`](Self::read).
    pub(super) fn write(self, checkpoint: &mut Checkpoint) -> Result<()> {
        let Self { config, observers, place, end, watch, best, losses, seconds, reports, wall_s, drawing_s } = self;
        let named = best.as_ref().map(|best| (best.step, best.loss));
        let meta = SavedMeta { config, observers, place, end, watch, best: named, wall_s, drawing_s };
        checkpoint.meta["training"] = serde_json::to_value(meta).map_err(|error| Error::Config(error.to_string()))?;
        checkpoint.best = best.map_or_else(Vec::new, |best| best.parameters);
        let row = |at: &ReportPoint| [at.step as f64, at.loss, at.validation.unwrap_or(f64::NAN)];
        let reports: Vec<f64> = reports.iter().flat_map(row).collect();
        let all = [("losses", &losses), ("seconds", &seconds), ("reports", &reports)];
        checkpoint.history = all.map(|(name, values)| (name.to_owned(), Tensor::from_slice(values))).into();
        Ok(())
    }
}
