//! A figure as a value, and its two formats.

use std::ops::Range;

use plotters::prelude::*;

use crate::Result;
use crate::pen::Pen;

/// Panels with a common horizontal axis, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Above all panels.
    pub title: String,
    /// Below the lowest panel of each column.
    pub x_label: String,
    /// Row by row.
    pub panels: Vec<Panel>,
    /// Height of a panel in pixels as shown; the width of a figure is always 900. 260 by default.
    pub panel_height: u32,
    /// Panels in a row. Those of more than one column share their vertical axis, too. None is one.
    pub columns: usize,
    /// What the horizontal axis shows, if not just all points.
    pub x_range: Option<Range<f64>>,
}

/// One panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Panel {
    /// Above the panel.
    pub title: Option<String>,
    /// Beside the vertical axis.
    pub y_label: String,
    /// From the lowest to the topmost, each in a colour of its own.
    pub lines: Vec<Line>,
    /// What the vertical axis shows, if not just all points.
    pub y_range: Option<Range<f64>>,
    /// Ticks of the vertical axis with their words, if not round numbers.
    pub y_ticks: Option<Vec<(f64, String)>>,
    /// Heights of thin lines across the panel.
    pub rules: Vec<f64>,
}

/// One line, named in the legend if it has a label. Where a point is not finite, it has a gap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub label: Option<String>,
    /// Horizontal and vertical coordinates.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub mark: Mark,
}

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// A line through all points.
    #[default]
    Line,
    /// Shows below the lines that agree with it.
    Wide,
    /// For many lines in a small panel.
    Hair,
    /// Discs, the radius in half pixels as shown.
    Dots(u32),
    /// A line, and a disc at each point.
    LineAndDots,
}

/// Drawn at twice the size at which they are shown, for sharp bitmaps.
pub(crate) const SCALE: u32 = 2;
pub(crate) const WIDTH: u32 = 900 * SCALE;
pub(crate) const TITLE_HEIGHT: u32 = 34 * SCALE;
pub(crate) const X_AXIS_HEIGHT: u32 = 46 * SCALE;

impl Default for Figure {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            panels: Vec::new(),
            panel_height: 260,
            columns: 1,
            x_range: None,
        }
    }
}

impl Figure {
    fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns.max(1))
    }

    fn size(&self) -> (u32, u32) {
        let panels = self.rows() as u32 * self.panel_height * SCALE;
        (WIDTH, TITLE_HEIGHT + panels + X_AXIS_HEIGHT)
    }

    /// The figure as an SVG document, 900 pixels wide.
    pub fn to_svg(&self) -> Result<String> {
        let (width, height) = self.size();
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area())?;
        // Show it at the size it is meant for; the viewBox keeps the coordinates.
        let drawn = format!("<svg width=\"{width}\" height=\"{height}\"");
        let shown = format!("<svg width=\"{}\" height=\"{}\"", width / SCALE, height / SCALE);
        Ok(text.replacen(&drawn, &shown, 1))
    }

    /// The figure as a PNG file, at twice the size at which it is meant to be shown.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size();
        let mut pixels = vec![0; width as usize * height as usize * 3];
        self.draw(&Pen(BitMapBackend::with_buffer(&mut pixels, (width, height))).into_drawing_area())?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::COLOURS;

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
        let svg = figure(2.0).to_svg().unwrap();
        for words in ["title here", "time", "truth", "prediction", "<svg width=\"900\""] {
            assert!(svg.contains(words), "{words}");
        }
        let png = figure(2.0).to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), figure(2.0).size());
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        for colour in &COLOURS[..2] {
            let near = |pixel: &[u8]| pixel.iter().zip([colour.0, colour.1, colour.2]).all(|(a, b)| a.abs_diff(b) < 60);
            assert!(pixels.chunks(3).any(near), "{colour:?} is not in the picture");
        }
    }

    #[test]
    fn values_that_cannot_be_drawn_do_not_stop_a_plot() {
        for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX, 1e300] {
            let mut figure = figure(value);
            figure.panels[0].lines[0].points[0].1 = -value;
            figure.to_svg().unwrap();
            figure.to_png().unwrap();
        }
        Figure::default().to_svg().unwrap();
    }

    #[test]
    fn a_line_has_a_gap_where_it_is_not_finite() {
        let points = [0.0, 1.0, f64::NAN, 3.0, 4.0, f64::NAN, 6.0].map(|y| (y, y)).to_vec();
        let lines = vec![Line { points, ..Line::default() }];
        let panels = vec![Panel { lines, ..Panel::default() }];
        let svg = Figure { panels, panel_height: 100, ..Figure::default() }.to_svg().unwrap();
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
        let svg = grid.to_svg().unwrap();
        for (words, count) in [("\nage\n", 3), ("\nheight\n", 2), ("\npanel 4\n", 1)] {
            assert_eq!(svg.matches(words).count(), count, "{words}");
        }
        assert_eq!(grid.size().1, (34 + 2 * 100 + 46) * SCALE);
    }
}
