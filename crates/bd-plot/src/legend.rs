//! The legend of a panel: in the corner where it hides least of the lines.

use std::ops::Range;

use plotters::prelude::*;

use crate::draw::{Chart, Drawn};
use crate::figure::{PIXELS, Panel};
use crate::words::{FONT, width};

const SIZE: u32 = 12 * PIXELS;
/// The piece of line beside each name.
const SAMPLE: u32 = 18 * PIXELS;
/// Around all, and between the lines of words, as plotters does it.
const MARGIN: u32 = 10;
/// Height of a line of words.
const ROW: u32 = SIZE + SIZE / 2;
/// Places of a stretch between two points that are looked at, at most: enough to hit a legend that it crosses.
const MOST_PLACES: i32 = 64;

/// Corners by the order in which they are taken where they are equally free: whether at the left, whether below.
const CORNERS: [(SeriesLabelPosition, bool, bool); 4] = [
    (SeriesLabelPosition::UpperRight, false, false),
    (SeriesLabelPosition::UpperLeft, true, false),
    (SeriesLabelPosition::LowerRight, false, true),
    (SeriesLabelPosition::LowerLeft, true, true),
];

/// Draws samples of the lines that have labels.
pub(crate) fn draw<'a, B: DrawingBackend + 'a>(panel: &Panel, chart: &mut Chart<'a, B>) -> Drawn<B> {
    let names: Vec<&str> = panel.lines.iter().filter_map(|line| line.label.as_deref()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let hidden = hidden(panel, chart, size(&names));
    let (_, (corner, ..)) = hidden.iter().zip(CORNERS).min_by_key(|(hidden, _)| **hidden).expect("there are corners");
    chart
        .configure_series_labels()
        .position(corner)
        .legend_area_size(SAMPLE)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font((FONT, SIZE))
        .draw()
}

/// Width and height of a legend, with its distance from the frame.
fn size(names: &[&str]) -> (i32, i32) {
    let widest = names.iter().map(|name| width(name, SIZE)).max().unwrap_or(0);
    ((SAMPLE + widest + 3 * MARGIN) as i32, (names.len() as u32 * ROW + 2 * MARGIN) as i32)
}

/// How many places of lines lie where a legend would be, of each corner.
fn hidden<B: DrawingBackend>(panel: &Panel, chart: &Chart<'_, B>, (width, height): (i32, i32)) -> [usize; 4] {
    let area = chart.plotting_area();
    let (xs, ys) = area.get_pixel_range();
    let (across, upwards) = (area.get_x_range(), area.get_y_range());
    // What lies outside is drawn at the frame, if at all.
    let within = |value: f64, range: &Range<f64>| value.max(range.start.min(range.end)).min(range.start.max(range.end));
    let mut counts = [0; 4];
    let mut see = |(x, y): (i32, i32)| {
        for (count, (_, left, below)) in counts.iter_mut().zip(CORNERS) {
            let beside = if left { x - xs.start } else { xs.end - x };
            let above = if below { ys.end - y } else { y - ys.start };
            *count += usize::from((0..width).contains(&beside) && (0..height).contains(&above));
        }
    };
    for line in &panel.lines {
        let mut last = None;
        for &(x, y) in &line.points {
            let y = panel.y_scale.place(y);
            let here = (x.is_finite() && y.is_finite())
                .then(|| area.map_coordinate(&(within(x, &across), within(y, &upwards))));
            if let Some(here) = here {
                between(last.unwrap_or(here), here).for_each(&mut see);
            }
            last = here;
        }
    }
    // Words of events stand at the lower edge.
    if !panel.events.is_empty() {
        counts[2..].iter_mut().for_each(|count| *count += 1);
    }
    counts
}

/// Places from one point to another, the first left out unless it is the other.
fn between(from: (i32, i32), to: (i32, i32)) -> impl Iterator<Item = (i32, i32)> {
    let distance = (to.0.abs_diff(from.0)).max(to.1.abs_diff(from.1));
    let count = i32::try_from(distance / ROW).unwrap_or(MOST_PLACES).clamp(1, MOST_PLACES);
    let part = move |from: i32, to: i32, i: i32| {
        from + ((i64::from(to) - i64::from(from)) * i64::from(i) / i64::from(count)) as i32
    };
    (1..=count).map(move |i| (part(from.0, to.0, i), part(from.1, to.1, i)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Figure, Line};

    /// Where the legend's frame lies in a panel of 900 pixels: whether at the left, whether below.
    fn corner(points: Vec<(f64, f64)>) -> (bool, bool) {
        let line = Line { label: Some("a line".into()), points, ..Line::default() };
        let panel = Panel { lines: vec![line], y_range: Some(0.0..1.0), ..Panel::default() };
        let figure = Figure { panels: vec![panel], x_range: Some(0.0..1.0), ..Figure::default() };
        let svg = figure.to_svg().unwrap();
        let frame = svg.lines().find(|line| line.contains("<rect") && line.contains("opacity=\"0.85\"")).unwrap();
        let number = |name: &str| {
            let (_, rest) = frame.split_once(&format!(" {name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse::<i32>().unwrap()
        };
        (number("x") < 900, number("y") > 2 * 150)
    }

    #[test]
    fn a_legend_stands_where_no_line_is() {
        assert_eq!(corner(vec![(0.0, 0.5), (1.0, 0.5)]), (false, false), "all are free");
        assert_eq!(corner(vec![(0.0, 0.0), (1.0, 1.0)]), (true, false), "two points, and a line to the upper right");
        assert_eq!(corner(vec![(0.0, 1.0), (1.0, 1.0)]), (false, true), "along the upper edge");
        assert_eq!(corner(vec![(0.0, 1.0), (1.0, 1.0), (1.0, 0.0)]), (true, true), "and down the right one");
        let outside = vec![(f64::NAN, 1.0), (0.9, f64::INFINITY), (1e300, 1e300)];
        assert_eq!(corner(outside), (true, false), "what leaves by the upper right corner");
    }
}
