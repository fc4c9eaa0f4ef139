//! What a training came to.

use tch::Tensor;

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All updates were made.
    Done,
    /// The validation loss had stopped falling.
    Patience,
    /// Its [time](super::Control::ending_at) was over.
    Time,
    /// It was [stopped](super::Control::stop).
    Stopped,
}

/// A report in short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReportPoint {
    /// Number of the update, from 1.
    pub step: u64,
    /// The loss before it, penalties included.
    pub loss: f64,
    /// The loss of the validation part after it, where there is one.
    pub validation: Option<f64>,
}

/// Parameters that were best on the validation part.
#[derive(Debug)]
pub struct Best {
    /// Updates before it was found.
    pub step: u64,
    /// The loss of the validation part.
    pub loss: f64,
    /// Copies of all parameters, by name.
    pub parameters: Vec<(String, Tensor)>,
}

impl Best {
    /// The same tensors.
    pub(super) fn handle(&self) -> Self {
        let same = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.shallow_clone());
        Self { parameters: self.parameters.iter().map(same).collect(), ..*self }
    }
}

/// What a training came to, from its first update on, whatever breaks there were.
#[derive(Debug)]
pub struct Trained {
    /// How it ended.
    pub end: End,
    /// The loss of every update.
    pub losses: Vec<f64>,
    /// Seconds of every update, without what it took to draw its batches.
    pub seconds: Vec<f64>,
    /// Seconds that the drawing of all batches took.
    pub drawing_s: f64,
    /// What was reported.
    pub reports: Vec<ReportPoint>,
    /// The best parameters of the validation part, with early stopping.
    pub best: Option<Best>,
}

impl Trained {
    /// The mean loss of the last `count` updates, or of all if there are fewer; not a number if there is none.
    pub fn mean_of_last(&self, count: usize) -> f64 {
        let last = &self.losses[self.losses.len().saturating_sub(count)..];
        last.iter().sum::<f64>() / last.len() as f64
    }

    /// The seconds of an update below which a fraction of all lies, from 0 (the least) to 1 (the most); `None` without updates.
    pub fn seconds_at(&self, fraction: f64) -> Option<f64> {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(((seconds.len() as f64 - 1.0) * fraction).round() as usize).copied()
    }
}
