//! [`Listener`]: who hears what a run says while it is at work.

use bd_train::Seen;

/// Hears what a run says while it is at work. The unit type `()` is a listener that says nothing.
pub trait Listener {
    /// A message for people, such as `model     rnn 1-100-1, 10402 weights`: a word of at most nine letters, then what it is about.
    fn say(&self, _message: &str) {}

    /// A training by updates begins or goes on: so many of them at most, of which `done` have been made.
    fn on_training(&self, _updates: u64, _done: u64) {}

    /// An update was made.
    fn on_update(&self, _seen: &Seen<'_>) {}

    /// A regression begins or goes on: so many samples in all.
    fn on_fit(&self, _samples: usize) {}

    /// So many samples are in the regression.
    fn on_samples(&self, _done: usize) {}

    /// So many settings are about to be tried.
    fn on_search(&self, _settings: usize) {}

    /// So many of them have been tried.
    fn on_tried(&self, _done: usize) {}

    /// Synapses are about to be drawn: so many, about.
    fn on_drawing(&self, _synapses: f64) {}

    /// Such a part of them is drawn, from 0 to 1.
    fn on_drawn(&self, _part: f64) {}

    /// A simulation of so many ms begins.
    fn on_simulation(&self, _ms: f64) {}

    /// So many ms of it are done.
    fn on_simulated(&self, _ms: f64) {}

    /// The training, the regression, the search or the simulation has ended, at its end or before.
    fn on_trained(&self) {}
}

impl Listener for () {}
