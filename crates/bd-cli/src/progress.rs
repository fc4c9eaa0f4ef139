//! [`Progress`]: messages on standard error, and a bar below them where it is a terminal.

use std::cell::RefCell;

use bd_core::text::short;
use bd_run::Listener;
use bd_train::{Report, Seen};
use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// Synapses that take more than a moment to draw.
const MANY: f64 = 1e7;

/// Messages, and a bar below them while a network is trained.
pub(crate) struct Progress {
    quiet: bool,
    bar: RefCell<ProgressBar>,
    /// Of the last update its number, seconds and, where it is known, its loss, unless a line has said it.
    unsaid: RefCell<Option<(u64, f64, f64)>>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, bar: RefCell::new(ProgressBar::hidden()), unsaid: RefCell::default() }
    }

    /// Shows a bar of so many updates, samples or settings.
    fn show(&self, length: u64, template: &str) {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(length) };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
        *self.bar.borrow_mut() = bar;
    }

    /// The line that BrainPy's users know; `held_out` follows it.
    fn say_update(&self, step: u64, wall_s: f64, loss: f64, held_out: &str) {
        self.say(&format!("Train {step} steps, use {wall_s:.4} s, train loss {}{held_out}", short(loss)));
    }
}

/// Loss and accuracy of the validation part, as far as there are any.
fn held_out(report: &Report) -> String {
    let named = [(report.validation, "validation loss"), (report.validation_accuracy, "accuracy")];
    named.iter().filter_map(|(value, name)| value.map(|value| format!(", {name} {}", short(value)))).collect()
}

impl Listener for Progress {
    fn say(&self, message: &str) {
        if !self.quiet {
            self.bar.borrow().suspend(|| console::message(message));
        }
    }

    fn on_training(&self, updates: u64, done: u64) {
        self.show(updates, "{bar:40} {pos}/{len} updates, loss {msg}, {eta} to go");
        let bar = self.bar.borrow();
        bar.set_position(done);
        bar.reset_eta();
    }

    fn on_fit(&self, samples: usize) {
        self.show(samples as u64, "{bar:40} {pos}/{len} samples, {eta} to go");
    }

    fn on_samples(&self, done: usize) {
        self.bar.borrow().set_position(done as u64);
    }

    fn on_search(&self, settings: usize) {
        self.show(settings as u64, "{bar:40} {pos}/{len} settings, {eta} to go");
    }

    fn on_tried(&self, done: usize) {
        self.bar.borrow().set_position(done as u64);
    }

    fn on_drawing(&self, synapses: f64) {
        if synapses >= MANY {
            self.say(&format!("network   about {} synapses, or fewer, are drawn", short(synapses)));
        }
        self.show(100, "{bar:40} {pos} % of synapses drawn, {eta} to go");
    }

    fn on_drawn(&self, part: f64) {
        self.bar.borrow().set_position((100.0 * part) as u64);
    }

    fn on_simulation(&self, ms: f64) {
        self.show(ms as u64, "{bar:40} {pos}/{len} ms, {eta} to go");
    }

    fn on_simulated(&self, ms: f64) {
        self.bar.borrow().set_position(ms as u64);
    }

    fn on_update(&self, seen: &Seen<'_>) {
        let bar = self.bar.borrow();
        bar.set_position(seen.step);
        if let Some((_, loss)) = seen.known.filter(|_| seen.step.is_multiple_of(10)) {
            bar.set_message(short(loss));
        }
        drop(bar);
        match seen.report {
            Some(report) => {
                self.say_update(report.step, seen.wall_s, report.loss, &held_out(report));
                self.unsaid.take();
            }
            None => {
                if let Some((step, loss)) = seen.known {
                    self.unsaid.replace(Some((step, seen.wall_s, loss)));
                }
            }
        }
    }

    fn on_trained(&self) {
        self.bar.borrow().finish_and_clear();
        if let Some((step, wall_s, loss)) = self.unsaid.take() {
            self.say_update(step, wall_s, loss, "");
        }
    }
}
