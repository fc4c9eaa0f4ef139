//! What a layer of spiking neurons does over the first samples: voltages as in BrainPy's tutorial, and spikes.

use std::ops::Range;

use crate::{Error, Figure, Line, Mark, Panel, Result, thin_to};

/// The tutorial's grid is 3 x 5.
const COLUMNS: usize = 5;
/// Samples that are drawn.
pub const MOST_SAMPLES: usize = 15;
/// More lines than this in a small panel are a blot.
const MOST_NEURONS: usize = 20;
/// The tutorial draws a spike as a voltage of 5, well above any threshold.
const SPIKE_HEIGHT: f64 = 5.0;
/// Points in a figure, which are some 10 bytes each in an SVG file.
const MOST_POINTS: usize = 80_000;
/// Rows of the raster, less than a millimetre each.
const MOST_ROWS: usize = 200;
/// Dots of the raster, which are some 110 bytes each in an SVG file.
const MOST_DOTS: usize = 8_000;

/// States of one layer of neurons over a few samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    layer: String,
    dt_ms: f64,
    samples: usize,
    steps: usize,
    neurons: usize,
    v: Vec<f32>,
    spike: Vec<bool>,
}

impl Recording {
    /// A recording of `layer` in steps of `dt_ms`: voltages `v`, and `spike`, whether a neuron spikes.
    /// Both are of shape `[sample, time, neuron]`, the last index running fastest.
    ///
    /// # Errors
    /// [`Error::Shape`] where an array has not as many numbers as the shape says.
    pub fn new(layer: &str, dt_ms: f64, shape: [usize; 3], v: Vec<f32>, spike: Vec<bool>) -> Result<Self> {
        let expected = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        for (what, found) in [("recorded voltages", v.len()), ("recorded spikes", spike.len())] {
            if Some(found) != expected {
                return Err(Error::Shape { what, layer: layer.into(), shape, found });
            }
        }
        let [samples, steps, neurons] = shape;
        Ok(Self { layer: layer.into(), dt_ms, samples, steps, neurons, v, spike })
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.v.is_empty()
    }

    /// One neuron of one sample over time, of an array of the recording.
    fn course<'a, T: Copy>(
        &self,
        values: &'a [T],
        sample: usize,
        neuron: usize,
    ) -> impl Iterator<Item = T> + use<'a, T> {
        let first = sample * self.steps * self.neurons + neuron;
        values[first..].iter().step_by(self.neurons).take(self.steps).copied()
    }

    /// What the time axis shows: the same in every panel, whether anything is drawn in it or not.
    fn time(&self) -> Option<Range<f64>> {
        let end = self.steps as f64 * self.dt_ms;
        (end.is_finite() && end > 0.0).then_some(0.0..end)
    }

    /// The voltage over time, spikes drawn up to [`SPIKE_HEIGHT`].
    fn voltage(&self, sample: usize, neuron: usize) -> Vec<(f64, f64)> {
        let spikes = self.course(&self.spike, sample, neuron);
        let height = |(v, spike): (f32, bool)| if spike { SPIKE_HEIGHT } else { f64::from(v) };
        let heights = self.course(&self.v, sample, neuron).zip(spikes).map(height);
        heights.enumerate().map(|(i, height)| (i as f64 * self.dt_ms, height)).collect()
    }

    /// Neuron and step of each spike of a sample, for the first neurons.
    fn spikes(&self, sample: usize, neurons: usize) -> Vec<(usize, usize)> {
        let of_neuron = |neuron: usize| {
            let spiking = self.course(&self.spike, sample, neuron).enumerate().filter(|(_, spikes)| *spikes);
            spiking.map(move |(step, _)| (neuron, step)).collect::<Vec<_>>()
        };
        (0..neurons).flat_map(of_neuron).collect()
    }
}

/// A panel for each sample, counted from 0 as arrays are: the voltages of all neurons over time.
pub fn voltages(recording: &Recording) -> Figure {
    let Recording { samples, neurons, ref layer, .. } = *recording;
    let (shown, drawn) = (samples.min(MOST_SAMPLES), neurons.min(MOST_NEURONS));
    let columns = shown.clamp(1, COLUMNS);
    let stretches = (MOST_POINTS / 2 / (shown * drawn).max(1)).min(800 / columns);
    let mark = if columns > 3 { Mark::Hair } else { Mark::Line };
    let line =
        |sample, neuron| Line { label: None, points: thin_to(stretches, recording.voltage(sample, neuron)), mark };
    let panel = |sample: usize| Panel {
        title: (samples > 1).then(|| format!("sample {sample}")),
        y_label: "voltage".into(),
        lines: if recording.is_empty() { Vec::new() } else { (0..drawn).map(|neuron| line(sample, neuron)).collect() },
        ..Panel::default()
    };
    let note = note(&[(shown, samples, "samples"), (drawn, neurons, "neurons")]);
    Figure {
        title: format!("voltages of layer {layer}, spikes drawn up to {SPIKE_HEIGHT}{note}"),
        x_label: "time (ms)".into(),
        panels: (0..shown).map(panel).collect(),
        panel_height: if shown > COLUMNS { 150 } else { 240 },
        columns,
        x_range: recording.time(),
        ..Figure::default()
    }
}

/// A dot for each spike: neurons upwards, samples downwards.
pub fn raster(recording: &Recording) -> Figure {
    let Recording { samples, neurons, .. } = *recording;
    let rows = Rows::of(recording);
    let panel_height = (rows.count() as u32 * 6).clamp(220, 620);
    let radius = (panel_height / rows.count().max(1) as u32).saturating_sub(1).clamp(1, 3); // within its row
    let line = |(sample, spikes): (usize, &Vec<(usize, usize)>)| {
        let dot = |&(neuron, step): &(usize, usize)| (step as f64 * recording.dt_ms, rows.height(sample, neuron));
        Line { label: None, points: spikes.iter().step_by(rows.every).map(dot).collect(), mark: Mark::Dots(radius) }
    };
    let margin = 0.5 + 0.015 * rows.count() as f64; // so that dots stay off the axis
    let panel = Panel {
        y_label: match (rows.spikes.len(), rows.neurons) {
            (0 | 1, _) => "neuron".into(),
            (_, 1) => "sample".into(),
            (_, neurons) => format!("sample (neurons 0 to {})", neurons - 1),
        },
        lines: rows.spikes.iter().enumerate().map(line).collect(),
        y_range: Some(-margin..rows.count() as f64 - 1.0 + margin),
        y_ticks: Some(rows.ticks()),
        rules: (1..rows.spikes.len()).map(|sample| (sample * rows.neurons) as f64 - 0.5).collect(),
        ..Panel::default()
    };
    let mut note = note(&[(rows.spikes.len(), samples, "samples"), (rows.neurons, neurons, "neurons")]);
    if rows.every > 1 {
        note += &format!(", 1 in {} drawn", rows.every);
    }
    let spikes = match rows.spikes.iter().map(Vec::len).sum() {
        1 => "1 spike".to_owned(),
        count => format!("{count} spikes"),
    };
    Figure {
        title: format!("{spikes} of layer {}{note}", recording.layer),
        x_label: "time (ms)".into(),
        panels: vec![panel],
        panel_height,
        columns: 1,
        x_range: recording.time(),
        ..Figure::default()
    }
}

/// What is drawn of a raster.
struct Rows {
    /// Neuron and step of each spike, for the samples that are drawn.
    spikes: Vec<Vec<(usize, usize)>>,
    /// Neurons that are drawn of each sample.
    neurons: usize,
    /// One spike in this many is drawn.
    every: usize,
}

impl Rows {
    /// As many whole samples as fit into a file; of one sample that does not fit, one spike in `every`.
    fn of(recording: &Recording) -> Self {
        if recording.is_empty() {
            return Self { spikes: Vec::new(), neurons: 0, every: 1 };
        }
        let neurons = recording.neurons.min(MOST_ROWS);
        let samples = (MOST_ROWS / neurons).clamp(1, recording.samples.min(MOST_SAMPLES));
        let mut spikes: Vec<_> = (0..samples).map(|sample| recording.spikes(sample, neurons)).collect();
        let mut dots = 0;
        let fitting = spikes.iter().take_while(|of_sample| {
            dots += of_sample.len();
            dots <= MOST_DOTS
        });
        spikes.truncate(fitting.count().max(1));
        let every = spikes[0].len().div_ceil(MOST_DOTS).max(1);
        Self { spikes, neurons, every }
    }

    fn count(&self) -> usize {
        self.spikes.len() * self.neurons
    }

    /// The row of a neuron: the first sample is on top, the first neuron at its bottom.
    fn height(&self, sample: usize, neuron: usize) -> f64 {
        ((self.spikes.len() - 1 - sample) * self.neurons + neuron) as f64
    }

    /// Numbers of samples, or of the neurons of the only one.
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.spikes.len() < 2 {
            let step = [1, 2, 5, 10, 20].into_iter().find(|step| self.neurons <= 10 * step).unwrap_or(50);
            return (0..self.neurons).step_by(step).map(|neuron| (neuron as f64, neuron.to_string())).collect();
        }
        let middle = |sample| self.height(sample, 0) + (self.neurons - 1) as f64 / 2.0;
        (0..self.spikes.len()).map(|sample| (middle(sample), sample.to_string())).collect()
    }
}

/// Says in the title what is left out.
fn note(parts: &[(usize, usize, &str)]) -> String {
    let some = |&(shown, all, things): &(usize, usize, &str)| match shown {
        _ if shown == all => String::new(),
        0 => format!(", none of {all} {things}"),
        1 => format!(", first of {all} {things}"),
        _ => format!(", first {shown} of {all} {things}"),
    };
    parts.iter().map(some).collect()
}

#[cfg(test)]
mod tests;
