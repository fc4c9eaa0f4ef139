//! [`Observer`]: what looks on while a model is trained.

use std::path::Path;

use bd_core::Result;
use serde_json::Value;
use tch::Tensor;

/// An update, as observers see it after it was made.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its number, from 1.
    pub step: u64,
    /// The epoch that it is in, from 0.
    pub epoch: u64,
    /// Seconds since the training began, without those between a stop and going on.
    pub wall_s: f64,
    /// The newest update whose loss is known without waiting for a device: its number and its loss.
    pub known: Option<(u64, f64)>,
    /// What it found, at the updates that are reported.
    pub report: Option<&'a Report>,
}

/// What is known of an update that is reported.
#[derive(Debug)]
pub struct Report {
    /// Its number, from 1.
    pub step: u64,
    /// The loss before it, penalties included.
    pub loss: f64,
    /// The loss of the validation part after it, where there is one.
    pub validation: Option<f64>,
    /// The accuracy on the validation part after it, from 0 to 1, where targets are labels.
    pub validation_accuracy: Option<f64>,
    /// Its learning rate.
    pub lr: f64,
    /// Euclidean norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Sequences a second since the training began.
    pub samples_per_s: f64,
    /// Outputs of the model before the update, `[batch, time, n_out]`, of its last batch.
    pub outputs: Tensor,
}

/// Looks on while a model is trained. Every method may fail, which ends the training with that error.
///
/// What an observer must know to go on as if there had been no break it hands out in [`save`](Self::save): it goes into
/// every checkpoint and comes back in [`restore`](Self::restore).
pub trait Observer {
    /// After every update.
    fn on_update(&mut self, _seen: &Seen<'_>) -> Result<()> {
        Ok(())
    }

    /// After an epoch that was judged by the validation part: number of the last update, loss, whether it is the best so far.
    fn on_epoch(&mut self, _step: u64, _validation: f64, _is_best: bool) -> Result<()> {
        Ok(())
    }

    /// After a checkpoint was written to a folder.
    fn on_checkpoint(&mut self, _step: u64, _folder: &Path) -> Result<()> {
        Ok(())
    }

    /// What it needs to go on, as JSON; what it has written by now must be safe on the disk.
    fn save(&mut self) -> Result<Value> {
        Ok(Value::Null)
    }

    /// Goes on from what [`save`](Self::save) gave.
    fn restore(&mut self, _saved: &Value) -> Result<()> {
        Ok(())
    }
}
