//! A response in characters.

use bd_core::text::{plural, short};
use bd_equations::{Dimension, Model, Response};
use bd_plot::braille;

use super::with_unit;

/// Characters of the curve.
const WIDTH: usize = 60;
const HEIGHT: usize = 8;

/// Columns left of it.
const MARGIN: usize = 13;

/// What is drawn, a line of spikes, the curve of the first state with its range, and the axis of time.
pub(super) fn of(model: &Model, response: &Response) -> Vec<String> {
    let Response { dt_ms, level, onset, trajectory } = response;
    let (state, steps) = (&model.states()[0], trajectory.states.len());
    let ms = |step: usize| step as f64 * dt_ms;
    let inputs =
        model.ports().iter().map(|port| format!("{} of {}", port.name, with_unit(level * port.scale, port.dimension)));
    let inputs = inputs.collect::<Vec<_>>().join(" and ");
    let spikes = match model.surrogate() {
        Some(_) => format!(", {}", plural(trajectory.spikes.len(), "spike")),
        None => String::new(),
    };
    let mut lines = vec![format!(
        "{}, where {inputs} (an input of {level}) sets in at {} ms; steps of {dt_ms} ms{spikes}",
        state.name,
        ms(*onset)
    )];
    if model.surrogate().is_some() {
        let mut marks = [' '; WIDTH];
        trajectory.spikes.iter().for_each(|step| marks[step * WIDTH / steps] = '|');
        lines.push(format!("{:>MARGIN$} {}", "spikes", marks.iter().collect::<String>()));
    }
    let values: Vec<f64> = trajectory.states.iter().map(|state| state[0]).collect();
    let [least, greatest] = values.iter().fold([f64::INFINITY, -f64::INFINITY], |[a, b], x| [x.min(a), x.max(b)]);
    let labelled = |value: f64| match state.dimension {
        Dimension::ONE => short(value),
        dimension => format!("{} {}", short(value), dimension.unit()),
    };
    let label = |row: usize| match row {
        0 => labelled(greatest),
        row if row + 1 == HEIGHT => labelled(least),
        _ => String::new(),
    };
    let curve = braille(&values, WIDTH, HEIGHT);
    lines.extend(curve.iter().enumerate().map(|(row, curve)| format!("{:>MARGIN$} {curve}", label(row))));
    let end = format!("{} ms", ms(steps));
    lines.push(format!("{:>MARGIN$} 0{end:>width$}", "", width = WIDTH - 1));
    lines
}
