//! Plots in panels, the same drawing as SVG and as PNG.

mod draw;
mod pen;

use std::ops::Range;

use bd_core::files::write_atomic;
use bd_core::{Error, Result};
use bd_train::RunDir;
use plotters::prelude::*;

use self::pen::Pen;

/// Panels with a common horizontal axis, row by row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) panels: Vec<Panel>,
    /// Height of a panel; the width is the same for all figures.
    pub(crate) panel_height: u32,
    /// Panels in a row. Those of more than one column share their vertical axis, too. None is one.
    pub(crate) columns: usize,
    /// What the horizontal axis shows, if not just all points.
    pub(crate) x_range: Option<Range<f64>>,
}

/// One panel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panel {
    pub(crate) title: Option<String>,
    pub(crate) y_label: String,
    pub(crate) lines: Vec<Line>,
    /// What the vertical axis shows, if not just all points.
    pub(crate) y_range: Option<Range<f64>>,
    /// Ticks of the vertical axis with their words, if not round numbers.
    pub(crate) y_ticks: Option<Vec<(f64, String)>>,
    /// Heights of thin lines across the panel.
    pub(crate) rules: Vec<f64>,
}

/// One line, named in the legend if it has a label. Where a point is not finite, it has a gap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(crate) label: Option<String>,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) mark: Mark,
}

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Mark {
    #[default]
    Line,
    /// Shows below the lines that agree with it.
    Wide,
    /// For many lines in a small panel.
    Hair,
    /// Radius in half pixels.
    Dots(u32),
    LineAndDots,
}

/// Drawn at twice the size at which they are shown, for sharp bitmaps.
const SCALE: u32 = 2;
const WIDTH: u32 = 900 * SCALE;
const TITLE_HEIGHT: u32 = 34 * SCALE;
const X_AXIS_HEIGHT: u32 = 46 * SCALE;

impl Figure {
    fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns.max(1))
    }

    fn size(&self) -> (u32, u32) {
        let panels = self.rows() as u32 * self.panel_height * SCALE;
        (WIDTH, TITLE_HEIGHT + panels + X_AXIS_HEIGHT)
    }

    /// Writes `plots/<name>.svg` and `plots/<name>.png` into the run folder.
    pub(crate) fn save(&self, run: &RunDir, name: &str) -> Result<()> {
        write_atomic(&run.file(&format!("plots/{name}.svg"))?, self.svg()?.as_bytes())?;
        write_atomic(&run.file(&format!("plots/{name}.png"))?, &self.png()?)
    }

    pub(crate) fn svg(&self) -> Result<String> {
        let (width, height) = self.size();
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area())?;
        // Show it at the size it is meant for; the viewBox keeps the coordinates.
        let drawn = format!("<svg width=\"{width}\" height=\"{height}\"");
        let shown = format!("<svg width=\"{}\" height=\"{}\"", width / SCALE, height / SCALE);
        Ok(text.replacen(&drawn, &shown, 1))
    }

    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size();
        let mut pixels = vec![0; width as usize * height as usize * 3];
        self.draw(&Pen(BitMapBackend::with_buffer(&mut pixels, (width, height))).into_drawing_area())?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        let written = encoder.write_header().and_then(|mut png| png.write_image_data(&pixels));
        written.map_err(|error| Error::Config(format!("a plot cannot be encoded: {error}")))?;
        Ok(file)
    }
}

/// Thins a line along time to what a plot can show.
pub(crate) fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    const STRETCHES: usize = 2000;
    if points.len() <= 5 * STRETCHES { points } else { thin_to(STRETCHES, points) }
}

/// Thins a line along time to the least and the greatest of each of so many stretches, if that makes it shorter.
pub(crate) fn thin_to(stretches: usize, points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let stretches = stretches.max(1);
    if points.len() <= 2 * stretches {
        return points;
    }
    let extremes = |stretch: &[(f64, f64)]| {
        let finite = || stretch.iter().enumerate().filter(|(_, point)| point.1.is_finite());
        let by_value = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let low = finite().min_by(by_value).map_or(0, |(i, _)| i);
        let high = finite().max_by(by_value).map_or(0, |(i, _)| i);
        [stretch[low.min(high)], stretch[low.max(high)]]
    };
    points.chunks(points.len().div_ceil(stretches)).flat_map(extremes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64) -> Figure {
        let line = |label: &str, mark| Line { label: Some(label.into()), points: vec![(0.0, 0.0), (1.0, value)], mark };
        let lines = vec![line("truth", Mark::Wide), line("prediction", Mark::Line)];
        let panel = Panel { y_label: "x".into(), lines, ..Panel::default() };
        Figure {
            title: "title here".into(),
            x_label: "time".into(),
            panels: vec![panel.clone(), panel],
            panel_height: 120,
            ..Figure::default()
        }
    }

    #[test]
    fn everything_is_labelled_and_both_formats_have_one_size() {
        let svg = figure(2.0).svg().unwrap();
        for words in ["title here", "time", "truth", "prediction", "<svg width=\"900\""] {
            assert!(svg.contains(words), "{words}");
        }
        let png = figure(2.0).png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), figure(2.0).size());
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        for colour in &draw::COLOURS[..2] {
            let near = |pixel: &[u8]| pixel.iter().zip([colour.0, colour.1, colour.2]).all(|(a, b)| a.abs_diff(b) < 60);
            assert!(pixels.chunks(3).any(near), "{colour:?} is not in the picture");
        }
    }

    #[test]
    fn values_that_cannot_be_drawn_do_not_stop_a_plot() {
        for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX, 1e300] {
            let mut figure = figure(value);
            figure.panels[0].lines[0].points[0].1 = -value;
            figure.svg().unwrap();
            figure.png().unwrap();
        }
        Figure::default().svg().unwrap();
    }

    #[test]
    fn a_line_has_a_gap_where_it_is_not_finite() {
        let points = [0.0, 1.0, f64::NAN, 3.0, 4.0, f64::NAN, 6.0].map(|y| (y, y)).to_vec();
        let lines = vec![Line { points, ..Line::default() }];
        let panels = vec![Panel { lines, ..Panel::default() }];
        let svg = Figure { panels, panel_height: 100, ..Figure::default() }.svg().unwrap();
        assert_eq!(svg.matches("opacity=\"0.85\" stroke=\"#0072B2\"").count(), 2, "two stretches");
        assert_eq!(svg.matches("<circle").count(), 1, "and a point of its own");
    }

    #[test]
    fn a_grid_has_titles_and_one_axis_a_column_and_a_row() {
        let panel = |i: usize| Panel {
            title: Some(format!("panel {i}")),
            y_label: "height".into(),
            ..figure(2.0).panels[0].clone()
        };
        let panels = (0..5).map(panel).collect();
        let grid = Figure { x_label: "age".into(), panels, panel_height: 100, columns: 3, ..Figure::default() };
        let svg = grid.svg().unwrap();
        for (words, count) in [("\nage\n", 3), ("\nheight\n", 2), ("\npanel 4\n", 1)] {
            assert_eq!(svg.matches(words).count(), count, "{words}");
        }
        assert_eq!(grid.size().1, (34 + 2 * 100 + 46) * SCALE);
    }

    #[test]
    fn thinning_keeps_the_extremes_and_the_order() {
        let mut points: Vec<_> = (0..100_000).map(|i| (i as f64, (i as f64 * 0.01).sin())).collect();
        points[54_321].1 = 9.0;
        let thinned = thin(points);
        assert!(thinned.len() <= 4000 && thinned.contains(&(54_321.0, 9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let gappy = thinned.into_iter().map(|(x, y)| (x, if y < 0.0 { f64::NAN } else { y })).collect();
        let thinner = thin_to(100, gappy);
        assert!(thinner.len() <= 200 && thinner.contains(&(54_321.0, 9.0)));
    }
}
