//! [`Position`]: how far truncated back-propagation has come within the sequences of an update's batches.

use bd_core::{Result, StateTree};
use tch::Tensor;

/// Where the next piece of the present batches begins, and the state that each of them hands on to it.
#[derive(Debug)]
pub(super) enum Position<State> {
    /// No batch is begun.
    Beginning,
    /// The next piece begins at step `from`, with these states; `None` for a batch whose sequences have all ended.
    Within { from: usize, states: Vec<Option<State>> },
    /// The same as read from a checkpoint, by names: `<number of the batch>.<name in its state>`.
    Saved { from: usize, tensors: Vec<(String, Tensor)> },
}

impl<State: StateTree> Position<State> {
    pub(super) fn is_within(&self) -> bool {
        !matches!(self, Self::Beginning)
    }

    /// Step and copies of the states, for a checkpoint.
    pub(super) fn saved(&self) -> (usize, Vec<(String, Tensor)>) {
        match self {
            Self::Beginning => (0, Vec::new()),
            Self::Saved { from, tensors } => {
                (*from, tensors.iter().map(|(name, tensor)| (name.clone(), tensor.copy())).collect())
            }
            Self::Within { from, states } => {
                let mut all = Vec::new();
                for (which, state) in states.iter().enumerate() {
                    if let Some(state) = state {
                        state.visit(&which.to_string(), &mut |name, tensor| {
                            all.push((name.to_owned(), tensor.detach().copy()));
                        });
                    }
                }
                (*from, all)
            }
        }
    }

    pub(super) fn from_saved(from: usize, tensors: &[(String, Tensor)]) -> Self {
        if from == 0 {
            return Self::Beginning;
        }
        let tensors = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
        Self::Saved { from, tensors }
    }

    /// Step `from` of batches with these states.
    pub(super) fn at(from: usize, states: &[Option<State>]) -> Self {
        if from == 0 {
            return Self::Beginning;
        }
        Self::Within { from, states: states.iter().map(|state| state.as_ref().map(StateTree::share)).collect() }
    }

    /// Where to begin with `count` batches, and with which states; `start` makes the initial state of a batch. A position that
    /// was not read from a checkpoint belongs to batches of the past and counts for nothing.
    pub(super) fn states(self, count: usize, start: impl Fn(usize) -> State) -> Result<(usize, Vec<Option<State>>)> {
        let Self::Saved { from, tensors } = self else {
            return Ok((0, (0..count).map(|_| None).collect()));
        };
        let state_of = |which: usize| {
            let prefix = format!("{which}.");
            let own: Vec<(String, Tensor)> = tensors
                .iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor.shallow_clone())))
                .collect();
            if own.is_empty() { Ok(None) } else { start(which).load(&own).map(|state| Some(state.detach())) }
        };
        Ok((from, (0..count).map(state_of).collect::<Result<_>>()?))
    }
}
