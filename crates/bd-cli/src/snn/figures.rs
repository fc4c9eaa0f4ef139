//! Plots of a spiking network: voltages of the first samples as in BrainPy's tutorial, spikes, the course of training.

use std::ops::Range;

use bd_core::{Error, Result};
use tch::{Device, Kind, Tensor};

use crate::plot::{Figure, Line, Mark, Panel, thin, thin_to};
use crate::text::{plural, short};

/// The tutorial's grid is 3 x 5.
const COLUMNS: usize = 5;
const MOST_SAMPLES: usize = 15;
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

/// What was seen at one report.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// Updates made so far.
    pub(super) step: u64,
    pub(super) loss: f64,
    /// Fraction of the samples; not a number where there is none.
    pub(super) accuracy: f64,
}

/// States of one layer of neurons for the first samples, on the host in float64: `[sample, time, neuron]`.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) layer: String,
    pub(super) dt_ms: f64,
    pub(super) v: Tensor,
    /// 1 where a neuron spikes, 0 elsewhere.
    pub(super) spike: Tensor,
}

/// Every figure of a training that has accuracies, with the name of its file.
pub(super) fn figures(losses: &[f64], reports: &[Report], recorded: &Recorded) -> Result<Vec<(String, Figure)>> {
    let mut figures = of_states(recorded)?;
    figures.push(("training".to_owned(), training(losses, reports)));
    Ok(figures)
}

/// Figures of what the network does, if it does anything.
pub(super) fn of_states(recorded: &Recorded) -> Result<Vec<(String, Figure)>> {
    let (v, spike) = (recorded.v.size(), recorded.spike.size());
    if v.len() != 3 || v != spike {
        let found = if v.len() == 3 { spike } else { v };
        let expected = "[sample, time, neuron], the same for both".into();
        return Err(Error::Shape {
            what: format!("recorded voltages and spikes of {}", recorded.layer),
            expected,
            found,
        });
    }
    let mut figures = Vec::new();
    if !v.contains(&0) {
        figures.push(("voltages".to_owned(), voltages(recorded)?));
        figures.push(("raster".to_owned(), raster(recorded)?));
    }
    Ok(figures)
}

/// A panel for each sample: the voltages of all neurons over time.
fn voltages(recorded: &Recorded) -> Result<Figure> {
    let [samples, steps, neurons] = recorded.sizes();
    let (shown, drawn) = (samples.min(MOST_SAMPLES), neurons.min(MOST_NEURONS));
    let columns = shown.min(COLUMNS);
    let stretches = (MOST_POINTS / 2 / (shown * drawn)).min(800 / columns);
    let v = recorded.series(&recorded.v, shown, drawn)?;
    let spike = recorded.series(&recorded.spike, shown, drawn)?;
    let line = |(v, spike): (&[f64], &[f64])| {
        let height = |i: usize| if spike[i] > 0.0 { SPIKE_HEIGHT } else { v[i] };
        let points = (0..steps).map(|i| (i as f64 * recorded.dt_ms, height(i))).collect();
        let mark = if columns > 3 { Mark::Hair } else { Mark::Line };
        Line { label: None, points: thin_to(stretches, points), mark }
    };
    let lines: Vec<Line> = v.chunks(steps).zip(spike.chunks(steps)).map(line).collect();
    let panel = |(i, lines): (usize, &[Line])| Panel {
        title: (samples > 1).then(|| format!("sample {}", i + 1)),
        y_label: "voltage".into(),
        lines: lines.to_vec(),
        ..Panel::default()
    };
    let note = note(&[(shown, samples, "sample"), (drawn, neurons, "neuron")]);
    Ok(Figure {
        title: format!("voltages of layer {}, spikes drawn up to {SPIKE_HEIGHT}{note}", recorded.layer),
        x_label: "time (ms)".into(),
        panels: lines.chunks(drawn).enumerate().map(panel).collect(),
        panel_height: if shown > COLUMNS { 150 } else { 240 },
        columns,
        x_range: recorded.time(),
    })
}

/// A dot for each spike: neurons upwards, samples downwards.
fn raster(recorded: &Recorded) -> Result<Figure> {
    let [samples, steps, neurons] = recorded.sizes();
    let drawn = neurons.min(MOST_ROWS);
    let rows_allow = (MOST_ROWS / drawn).clamp(1, samples.min(MOST_SAMPLES));
    let spike = recorded.series(&recorded.spike, rows_allow, drawn)?;
    let spikes: Vec<Vec<(usize, usize)>> = spike.chunks(drawn * steps).map(|sample| places(sample, steps)).collect();

    // As many whole samples as the file has room for; of one that is too many, each so-and-so-many-th spike.
    let mut dots = 0;
    let fitting = spikes.iter().take_while(|of_sample| {
        dots += of_sample.len();
        dots <= MOST_DOTS
    });
    let shown = fitting.count().max(1);
    let every = spikes[0].len().div_ceil(MOST_DOTS).max(1);

    let rows = shown * drawn;
    let panel_height = (rows as u32 * 6).clamp(220, 620);
    let radius = (panel_height / rows as u32).saturating_sub(1).clamp(1, 3); // within its row
    let base = |sample: usize| ((shown - 1 - sample) * drawn) as f64;
    let line = |(sample, places): (usize, &Vec<(usize, usize)>)| {
        let place = |&(neuron, step): &(usize, usize)| (step as f64 * recorded.dt_ms, base(sample) + neuron as f64);
        Line { label: None, points: places.iter().step_by(every).map(place).collect(), mark: Mark::Dots(radius) }
    };
    let room = 0.5 + 0.015 * rows as f64; // so that dots stay off the axis
    let panel = Panel {
        y_label: match (shown, drawn) {
            (1, _) => "neuron".into(),
            (_, 1) => "sample".into(),
            _ => format!("sample (neurons 0 to {})", drawn - 1),
        },
        lines: spikes[..shown].iter().enumerate().map(line).collect(),
        y_range: Some(-room..rows as f64 - 1.0 + room),
        y_ticks: Some(ticks(shown, drawn)),
        rules: (1..shown).map(|sample| (sample * drawn) as f64 - 0.5).collect(),
        ..Panel::default()
    };
    let mut note = note(&[(shown, samples, "sample"), (drawn, neurons, "neuron")]);
    if every > 1 {
        note += &format!(", 1 in {every} drawn");
    }
    let count: usize = spikes[..shown].iter().map(Vec::len).sum();
    Ok(Figure {
        title: format!("{} of layer {}{note}", plural(count, "spike"), recorded.layer),
        x_label: "time (ms)".into(),
        panels: vec![panel],
        panel_height,
        columns: 1,
        x_range: recorded.time(),
    })
}

/// Where a `[neuron, time]` series of spikes is not zero.
fn places(spike: &[f64], steps: usize) -> Vec<(usize, usize)> {
    let spiking = spike.iter().enumerate().filter(|(_, value)| **value > 0.0);
    spiking.map(|(i, _)| (i / steps, i % steps)).collect()
}

/// Numbers of samples, or of the neurons of the only one.
fn ticks(samples: usize, neurons: usize) -> Vec<(f64, String)> {
    if samples == 1 {
        let step = [1, 2, 5, 10, 20].into_iter().find(|step| neurons <= 10 * step).unwrap_or(50);
        return (0..neurons).step_by(step).map(|i| (i as f64, i.to_string())).collect();
    }
    let middle = |sample: usize| ((samples - 1 - sample) * neurons) as f64 + (neurons - 1) as f64 / 2.0;
    (0..samples).map(|sample| (middle(sample), (sample + 1).to_string())).collect()
}

/// The loss of every update, and below it the accuracy of every report, if there is any.
fn training(losses: &[f64], reports: &[Report]) -> Figure {
    let points = losses.iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
    let loss = Line { label: None, points: thin(points), mark: Mark::Line };
    let mut panels = vec![Panel { y_label: "loss".into(), lines: vec![loss], ..Panel::default() }];
    let known = |report: &Report| (0.0..=1.0).contains(&report.accuracy);
    if reports.iter().any(known) {
        let value = |report: &Report| if known(report) { report.accuracy } else { f64::NAN };
        let points = reports.iter().map(|report| (report.step as f64, value(report))).collect();
        let lines = vec![Line { label: None, points: thin(points), mark: Mark::LineAndDots }];
        let y_range = Some(-0.05..1.05);
        panels.push(Panel { y_label: "accuracy".into(), lines, y_range, ..Panel::default() });
    }
    let last = reports.last().map_or(String::new(), |report| {
        let accuracy = known(report).then(|| format!(", accuracy {}", short(report.accuracy)));
        format!("; at the last report loss {}{}", short(report.loss), accuracy.unwrap_or_default())
    });
    Figure {
        title: format!("training, {}{last}", plural(losses.len(), "update")),
        x_label: "update".into(),
        panels,
        panel_height: 200,
        ..Figure::default()
    }
}

impl Recorded {
    fn sizes(&self) -> [usize; 3] {
        let size = self.v.size();
        [size[0] as usize, size[1] as usize, size[2] as usize]
    }

    /// The first samples and neurons as `[sample, neuron, time]`, flattened.
    fn series(&self, values: &Tensor, samples: usize, neurons: usize) -> Result<Vec<f64>> {
        let first = values.f_narrow(0, 0, samples as i64)?.f_narrow(2, 0, neurons as i64)?;
        let host = first.f_transpose(1, 2)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
        Ok(Vec::try_from(host.f_flatten(0, -1)?)?)
    }

    /// What the time axis shows: the same in every panel, whether anything is drawn in it or not.
    fn time(&self) -> Option<Range<f64>> {
        let end = self.sizes()[1] as f64 * self.dt_ms;
        (end.is_finite() && end > 0.0).then_some(0.0..end)
    }
}

/// Says in the title what is left out.
fn note(parts: &[(usize, usize, &str)]) -> String {
    let some = |&(shown, all, thing): &(usize, usize, &str)| match shown {
        _ if shown == all => String::new(),
        1 => format!(", first of {}", plural(all, thing)),
        _ => format!(", first {shown} of {}", plural(all, thing)),
    };
    parts.iter().map(some).collect()
}

#[cfg(test)]
mod tests;
