//! [`TrainConfig`]: how a model is trained.

use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::source::Cut;
use crate::bptt::Penalty;
use crate::early_stopping::EarlyStopping;
use crate::optim::OptimConfig;

/// How a model is trained.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `seed` | 0 | | of the order of examples in each epoch |
/// | `optim` | Adam | | the optimiser, its learning rate and their schedule |
/// | `penalty` | none | from 0 | on the parameters, added to the loss |
/// | `clip` | none | above 0 | largest Euclidean norm of the gradient |
/// | `epochs` | 1 | from 1 | how often examples are seen; batches that are drawn have one epoch |
/// | `batch` | 32 | from 1 | sequences of a batch |
/// | `accumulate` | 1 | from 1 | batches of an update |
/// | `truncate` | none | from 1 | steps of a piece of a sequence, each of which makes an update |
/// | `early_stopping` | none | | when to stop by the validation part, which is then judged after each epoch |
/// | `report_every` | 100 | from 1 | updates between reports; on a device each of them waits |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct TrainConfig {
    pub seed: u64,
    pub optim: OptimConfig,
    pub penalty: Penalty,
    pub clip: Option<f64>,
    pub epochs: u64,
    pub batch: usize,
    pub accumulate: usize,
    pub truncate: Option<usize>,
    pub early_stopping: Option<EarlyStopping>,
    pub report_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            optim: OptimConfig::default(),
            penalty: Penalty::default(),
            clip: None,
            epochs: 1,
            batch: 32,
            accumulate: 1,
            truncate: None,
            early_stopping: None,
            report_every: 100,
        }
    }
}

impl TrainConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs),
            ("batch", self.batch as u64),
            ("accumulate", self.accumulate as u64),
            ("truncate", self.truncate.unwrap_or(1) as u64),
            ("report_every", self.report_every),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(Error::Config(format!("{name} is 0; it must be at least 1")));
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return Err(Error::Config(format!("clip is {clip}; it must be above 0")));
        }
        self.early_stopping.map_or(Ok(()), |stopping| stopping.check())?;
        self.penalty.check()?;
        self.optim.check()
    }

    pub(super) fn cut(&self) -> Cut {
        let Self { seed, batch, accumulate, .. } = *self;
        Cut { seed, batch, accumulate }
    }

    /// How `saved`, under which a training began, differs from this, under which it is to go on. How long it lasts and how often
    /// it reports may change.
    pub(super) fn differences(&self, saved: &Self) -> Vec<String> {
        let like = Self { epochs: self.epochs, report_every: self.report_every, ..saved.clone() };
        let [now, then] = [self, &like].map(|config| serde_json::to_value(config).expect("a configuration is JSON"));
        let both = now.as_object().into_iter().flatten().zip(then.as_object().into_iter().flatten());
        both.filter(|((_, now), (_, then))| now != then)
            .map(|((name, now), (_, then))| format!("{name} is {now}, the training began with {then}"))
            .collect()
    }
}
