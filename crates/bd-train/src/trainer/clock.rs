//! [`Clock`]: seconds of updates, and of the drawing of their batches.

use std::time::Instant;

/// Seconds of every update. Those on a device are known once it was waited for, and are then the same for all since the
/// time before.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    /// Before this process.
    earlier_s: f64,
    /// Of each update, without the drawing of its batches.
    seconds: Vec<f64>,
    last: Instant,
    /// Updates whose seconds are not known yet.
    running: usize,
    /// Seconds of drawing since the device was last waited for, and before that.
    drawing_s: f64,
    drawn_s: f64,
}

impl Clock {
    /// Goes on from the seconds of the updates so far, of their drawing, and of everything.
    pub(super) fn start(seconds: Vec<f64>, drawn_s: f64, earlier_s: f64) -> Self {
        let now = Instant::now();
        Self { began: now, earlier_s, seconds, last: now, running: 0, drawing_s: 0.0, drawn_s }
    }

    /// Seconds since the training began.
    pub(super) fn wall_s(&self) -> f64 {
        self.earlier_s + self.began.elapsed().as_secs_f64()
    }

    /// Runs `draw`, and counts its seconds as those of drawing.
    pub(super) fn draw<T>(&mut self, draw: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let drawn = draw();
        self.drawing_s += began.elapsed().as_secs_f64();
        drawn
    }

    /// An update was made; `all_known` says that no device is at work on it or on those before it.
    pub(super) fn update(&mut self, all_known: bool) {
        self.running += 1;
        if all_known {
            self.settle();
        }
    }

    /// All updates so far are done: shares the time since the last call out among them.
    pub(super) fn settle(&mut self) {
        let drawing = std::mem::take(&mut self.drawing_s);
        let each = (self.last.elapsed().as_secs_f64() - drawing) / self.running.max(1) as f64;
        self.seconds.extend(std::iter::repeat_n(each, self.running));
        (self.running, self.drawn_s) = (0, self.drawn_s + drawing);
    }

    /// What follows belongs to the next update.
    pub(super) fn restart(&mut self) {
        self.last = Instant::now();
    }

    /// Of each update that is known to be done.
    pub(super) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    pub(super) fn drawn_s(&self) -> f64 {
        self.drawn_s
    }
}
