//! [`EarlyStopping`]: when a validation loss has stopped falling.

use bd_core::{Result, setting};
use serde::{Deserialize, Serialize};

/// When to stop a training whose validation loss no longer falls.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `patience` | 10 | from 1 | stop at so many losses in a row that are not better |
/// | `min_delta` | 0 | from 0 | better is lower than the best by more than this |
///
/// ```
/// use bd_train::{EarlyStopping, Verdict};
///
/// let mut watch = EarlyStopping { patience: 2, min_delta: 0.0 }.watch();
/// let verdicts = [0.9, 0.5, 0.6, 0.7].map(|loss| watch.see(100, loss));
/// assert_eq!(verdicts, [Verdict::Better, Verdict::Better, Verdict::Worse, Verdict::Stop]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct EarlyStopping {
    pub patience: u64,
    pub min_delta: f64,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 10, min_delta: 0.0 }
    }
}

impl EarlyStopping {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::at_least("early_stopping.patience", self.patience, 1)?;
        setting::from_zero("early_stopping.min_delta", self.min_delta)
    }

    /// Before the first loss.
    pub fn watch(self) -> Watch {
        Watch { settings: self, best: None, worse: 0 }
    }
}

/// What a loss says about the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the best so far: keep the parameters.
    Better,
    /// It is not, and there is patience left.
    Worse,
    /// It is not, and there is none left.
    Stop,
}

/// The losses seen, as far as they matter. A plain value, which can be saved and goes on where it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    settings: EarlyStopping,
    best: Option<(u64, f64)>,
    worse: u64,
}

impl Watch {
    /// Takes in the loss after update `step`. One that is not a number is not better.
    pub fn see(&mut self, step: u64, loss: f64) -> Verdict {
        let better = match self.best {
            Some((_, best)) => loss < best - self.settings.min_delta,
            None => loss.is_finite(),
        };
        if better {
            (self.best, self.worse) = (Some((step, loss)), 0);
            return Verdict::Better;
        }
        self.worse += 1;
        if self.worse >= self.settings.patience { Verdict::Stop } else { Verdict::Worse }
    }

    /// Update and loss of the best so far.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_runs_out_after_losses_that_are_not_better() {
        let mut watch = EarlyStopping { patience: 2, min_delta: 0.1 }.watch();
        use Verdict::{Better, Stop, Worse};
        let losses = [(1, 1.0, Better), (2, 0.95, Worse), (3, 0.85, Better), (4, f64::NAN, Worse), (5, 0.76, Stop)];
        for (step, loss, verdict) in losses {
            // Saved and read back each time.
            watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
            assert_eq!(watch.see(step, loss), verdict, "at {step}");
        }
        assert_eq!(watch.best(), Some((3, 0.85)));
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        for (patience, min_delta, words) in
            [(0, 0.0, "patience is 0;"), (1, -1.0, "min_delta is -1;"), (1, f64::INFINITY, "min_delta is inf;")]
        {
            let error = EarlyStopping { patience, min_delta }.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(EarlyStopping::default().check().is_ok());
    }
}
