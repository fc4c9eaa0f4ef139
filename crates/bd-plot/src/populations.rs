//! What populations of neurons do over time: their spikes, their rates, and states of single neurons.

use crate::{Figure, Line, Mark, Panel, thin_to};

/// Rows of the raster: a millimetre and more for each dot.
const MOST_ROWS: usize = 400;
/// Neurons that are drawn of one population.
const MOST_NEURONS: usize = 200;
/// Dots of the raster, which are some 110 bytes each in an SVG file.
const MOST_DOTS: usize = 16_000;
/// Panels below each other.
const MOST_PANELS: usize = 12;
/// Lines in a panel: as many as there are colours.
pub const MOST_LINES: usize = 6;
/// Stretches of a line along time, about one a pixel.
const STRETCHES: usize = 900;
/// Bins of a rate, about one for two pixels.
const MOST_BINS: f64 = 450.0;

/// Spikes of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Spikes<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its neurons.
    pub n: usize,
    /// Time in ms and neuron of each spike, by time.
    pub spikes: Vec<(f64, u32)>,
}

/// A state of some neurons over time.
#[derive(Debug, Clone, PartialEq)]
pub struct States<'a> {
    /// Such as `E.v (mV)`.
    pub label: String,
    /// The neurons.
    pub neurons: &'a [usize],
    /// Time of each step, in ms.
    pub times_ms: &'a [f64],
    /// `[neuron][step]`; of more neurons than [`MOST_LINES`] the first ones suffice.
    pub values: Vec<Vec<f64>>,
}

/// A dot for each spike, in a band for each population with its name and a colour of its own: the first population is on top, the first
/// neuron at the bottom of its band. Of large populations neurons are drawn that are evenly chosen.
pub fn raster(title: &str, duration_ms: f64, populations: &[Spikes<'_>]) -> Figure {
    let shown = &populations[..populations.len().min(MOST_ROWS)];
    let most = (MOST_ROWS / shown.len().max(1)).clamp(1, MOST_NEURONS);
    let rows: Vec<usize> = shown.iter().map(|population| population.n.min(most)).collect();
    let all: usize = rows.iter().sum();
    let mut below = all;
    let mut bands = Vec::new();
    for (population, rows) in shown.iter().zip(&rows) {
        below -= rows;
        bands.push(Band { below, rows: *rows, population });
    }
    let dots: usize = bands.iter().map(|band| band.dots().count()).sum();
    let every = dots.div_ceil(MOST_DOTS).max(1);
    let line =
        |band: &Band<'_>| Line { label: None, points: band.dots().step_by(every).collect(), mark: Mark::Dots(2) };
    let margin = 0.5 + 0.015 * all as f64;
    let panel = Panel {
        lines: bands.iter().map(line).collect(),
        y_range: Some(-margin..all as f64 - 1.0 + margin),
        y_ticks: Some(bands.iter().map(|band| (band.middle(), band.population.name.to_owned())).collect()),
        rules: bands.iter().skip(1).map(|band| (band.below + band.rows) as f64 - 0.5).collect(),
        ..Panel::default()
    };
    let mut note = String::new();
    if rows.iter().zip(shown).any(|(rows, population)| *rows < population.n) {
        note += &format!("; at most {most} neurons of each");
    }
    if shown.len() < populations.len() {
        note += &format!("; the first {} of {} populations", shown.len(), populations.len());
    }
    if every > 1 {
        note += &format!("; 1 spike in {every}");
    }
    Figure {
        title: format!("{title}{note}"),
        x_label: "time (ms)".into(),
        panels: vec![panel],
        panel_height: (all as u32 * 2).clamp(220, 620),
        x_range: range(duration_ms),
        ..Figure::default()
    }
}

/// The rows of a population in a raster.
struct Band<'a> {
    /// Rows below it.
    below: usize,
    rows: usize,
    population: &'a Spikes<'a>,
}

impl Band<'_> {
    fn middle(&self) -> f64 {
        self.below as f64 + (self.rows as f64 - 1.0) / 2.0
    }

    /// Time and height of the spikes of the neurons that are drawn: those whose number is the first of its row.
    fn dots(&self) -> impl Iterator<Item = (f64, f64)> {
        let (n, rows) = (self.population.n, self.rows);
        self.population.spikes.iter().filter_map(move |(time, neuron)| {
            let row = *neuron as usize * rows / n;
            ((row * n).div_ceil(rows) == *neuron as usize).then_some((*time, (self.below + row) as f64))
        })
    }
}

/// Spikes of a neuron in a second, on average over each population and bin of time, a panel for each population.
pub fn rates(title: &str, duration_ms: f64, populations: &[Spikes<'_>]) -> Figure {
    let bin_ms = bin(duration_ms);
    let panel = |population: &Spikes<'_>| Panel {
        title: Some(population.name.to_owned()),
        y_label: "rate (Hz)".into(),
        lines: vec![Line { points: rate(population, duration_ms, bin_ms), ..Line::default() }],
        ..Panel::default()
    };
    let shown = &populations[..populations.len().min(MOST_PANELS)];
    Figure {
        title: format!("{title}, in bins of {bin_ms} ms{}", first(shown.len(), populations.len(), "populations")),
        x_label: "time (ms)".into(),
        panels: shown.iter().map(panel).collect(),
        panel_height: if shown.len() > 3 { 120 } else { 180 },
        x_range: range(duration_ms),
        ..Figure::default()
    }
}

/// The shortest of 1, 2, 5, 10, ... ms of which there are not too many.
fn bin(duration_ms: f64) -> f64 {
    let mut decade = 1.0;
    loop {
        if let Some(bin) =
            [1.0, 2.0, 5.0].map(|bin| bin * decade).into_iter().find(|bin| duration_ms / bin <= MOST_BINS)
        {
            return bin;
        }
        decade *= 10.0;
    }
}

/// The middle of each whole bin, and the rate in it.
fn rate(population: &Spikes<'_>, duration_ms: f64, bin_ms: f64) -> Vec<(f64, f64)> {
    let mut counts = vec![0.0; (duration_ms / bin_ms + 1e-9) as usize];
    for (time, _) in &population.spikes {
        // A spike at the edge belongs to the bin that begins there, whatever rounding its time had.
        if let Some(count) = counts.get_mut((time / bin_ms + 1e-9) as usize) {
            *count += 1.0;
        }
    }
    let hertz = 1e3 / (bin_ms * population.n.max(1) as f64);
    counts.iter().enumerate().map(|(at, count)| ((at as f64 + 0.5) * bin_ms, count * hertz)).collect()
}

/// States of single neurons, a panel for each state.
pub fn states(title: &str, duration_ms: f64, states: &[States<'_>]) -> Figure {
    let shown = &states[..states.len().min(MOST_PANELS)];
    let panel = |state: &States<'_>| {
        let line = |(neuron, values): (&usize, &Vec<f64>)| {
            let points = state.times_ms.iter().copied().zip(values.iter().copied()).collect();
            let label = (state.neurons.len() > 1).then(|| format!("neuron {neuron}"));
            Line { label, points: thin_to(STRETCHES, points), mark: Mark::Line }
        };
        let lines = state.neurons.iter().zip(&state.values).take(MOST_LINES);
        let note = first(lines.len(), state.neurons.len(), "neurons");
        Panel {
            title: (!note.is_empty()).then(|| note.trim_start_matches(", ").to_owned()),
            y_label: state.label.clone(),
            lines: lines.map(line).collect(),
            ..Panel::default()
        }
    };
    Figure {
        title: format!("{title}{}", first(shown.len(), states.len(), "states")),
        x_label: "time (ms)".into(),
        panels: shown.iter().map(panel).collect(),
        panel_height: 200,
        x_range: range(duration_ms),
        ..Figure::default()
    }
}

/// Says what is left out.
fn first(shown: usize, all: usize, things: &str) -> String {
    if shown == all { String::new() } else { format!(", first {shown} of {all} {things}") }
}

fn range(duration_ms: f64) -> Option<std::ops::Range<f64>> {
    (duration_ms.is_finite() && duration_ms > 0.0).then_some(0.0..duration_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(name: &str, n: usize, times: &[f64]) -> Spikes<'static> {
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let spikes = times.iter().flat_map(|time| (0..n as u32).map(move |neuron| (*time, neuron))).collect();
        Spikes { name, n, spikes }
    }

    /// 1,000 neurons and 40: 200 of the first, each fifth, above all 40 of the second.
    #[test]
    fn a_band_has_evenly_chosen_neurons() {
        let figure = raster("spikes", 100.0, &[regular("E", 1000, &[10.0]), regular("I", 40, &[20.0])]);
        let [e, i] = &figure.panels[0].lines[..] else { panic!("a line for each population") };
        let heights: Vec<f64> = (40..240).map(f64::from).collect();
        assert_eq!(e.points, heights.iter().map(|height| (10.0, *height)).collect::<Vec<_>>());
        assert_eq!(i.points, (0..40).map(|height| (20.0, f64::from(height))).collect::<Vec<_>>());
        assert_eq!(figure.panels[0].rules, [39.5]);
        assert_eq!(figure.panels[0].y_ticks, Some(vec![(139.5, "E".into()), (19.5, "I".into())]));
        assert_eq!(figure.title, "spikes; at most 200 neurons of each");
    }

    #[test]
    fn too_many_spikes_are_thinned() {
        let times: Vec<f64> = (0..1000).map(f64::from).collect();
        let figure = raster("spikes", 1000.0, &[regular("E", 50, &times)]);
        assert_eq!(figure.panels[0].lines[0].points.len(), 12_500);
        assert_eq!(figure.title, "spikes; 1 spike in 4");
    }

    /// 2 spikes of 4 neurons in bins of 1 ms: 500 Hz; the bin that is not whole is left out.
    #[test]
    fn rates_are_counts_over_time_and_neurons() {
        let spikes = Spikes { name: "E", n: 4, spikes: vec![(0.1 + 0.2, 0), (0.9, 3), (2.0, 1), (3.2, 1)] };
        let figure = rates("rates", 3.5, &[spikes]);
        assert_eq!(figure.panels[0].lines[0].points, [(0.5, 500.0), (1.5, 0.0), (2.5, 250.0)]);
        assert_eq!([1.0, 450.0, 451.0, 1e3, 1e4].map(bin), [1.0, 1.0, 2.0, 5.0, 50.0]);
    }

    #[test]
    fn states_are_lines_of_few_neurons() {
        let (neurons, times): (Vec<usize>, Vec<f64>) = ((0..9).collect(), vec![0.1, 0.2]);
        let values = neurons.iter().map(|neuron| vec![*neuron as f64, 1.0]).collect();
        let states = [States { label: "E.v (mV)".into(), neurons: &neurons, times_ms: &times, values }];
        let figure = super::states("states", 0.2, &states);
        assert_eq!(figure.panels[0].lines.len(), 6);
        assert_eq!(figure.panels[0].lines[5].points, [(0.1, 5.0), (0.2, 1.0)]);
        assert_eq!(figure.panels[0].title.as_deref(), Some("first 6 of 9 neurons"));
        assert!(figure.to_svg().unwrap().contains("neuron 5"));
    }

    #[test]
    fn nothing_is_an_empty_frame() {
        for figure in [raster("a", 0.0, &[]), rates("a", 0.0, &[]), states("a", 0.0, &[])] {
            figure.to_svg().unwrap();
        }
        raster("a", 10.0, &[Spikes { name: "E", n: 0, spikes: Vec::new() }]).to_svg().unwrap();
    }
}
