//! A figure as a value, and its two formats.

use std::ops::Range;

use plotters::prelude::*;

use crate::cells::Cell;
use crate::pen::Pen;
use crate::squares::Squares;
use crate::words;
use crate::{Error, Result};

/// Panels row by row, with a common horizontal axis or as squares with two axes each.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Above all panels.
    pub title: String,
    /// Below the lowest panel of each column, or below each square.
    pub x_label: String,
    /// Row by row.
    pub panels: Vec<Panel>,
    /// Height of a panel in pixels as shown; the width of a figure is always 900. 260 by default.
    pub panel_height: u32,
    /// Panels in a row. Those of more than one column share their vertical axis, too. None is one.
    pub columns: usize,
    /// What the horizontal axis shows, if not just all points.
    pub x_range: Option<Range<f64>>,
    /// Names of the lines of every panel in the order of their colours, below the title.
    pub key: Vec<String>,
    /// Whether each panel is a square, `panel_height` wide and high, with axes of its own, as far as the columns leave the
    /// width for it.
    pub squares: bool,
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
    /// How numbers become heights.
    pub y_scale: Scale,
    /// What the vertical axis shows, if not just all points.
    pub y_range: Option<Range<f64>>,
    /// Ticks of the vertical axis with their words, if not round numbers.
    pub y_ticks: Option<Vec<(f64, String)>>,
    /// Heights of thin lines across the panel.
    pub rules: Vec<f64>,
    /// Whether a thin line shows where both coordinates are equal.
    pub diagonal: bool,
    /// What the horizontal axis of a square shows, if not just all points.
    pub x_range: Option<Range<f64>>,
    /// Ticks of the horizontal axis of a square with their words, if not round numbers.
    pub x_ticks: Option<Vec<(f64, String)>>,
    /// Fields of a table, below the lines.
    pub cells: Vec<Cell>,
    /// Where something happens on the horizontal axis, and what: thin lines upwards with words beside them.
    pub events: Vec<(f64, String)>,
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

/// How numbers become places on an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally long.
    #[default]
    Linear,
    /// Equal ratios are equally long. Numbers that are not above 0 have no place: lines have gaps there.
    Log,
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
    /// Dashes as wide as [`Mark::Wide`], between which a line shows that it agrees with.
    Dashed,
    /// For many lines in a small panel.
    Hair,
    /// Discs, the radius in half pixels as shown.
    Dots(u32),
    /// A line, and a disc at each point.
    LineAndDots,
}

/// Pixels of a bitmap for each pixel as shown: sharp on fine screens.
pub(crate) const PIXELS: u32 = 2;
pub(crate) const WIDTH: u32 = 900 * PIXELS;
const TITLE_HEIGHT: u32 = 34 * PIXELS;
const KEY_HEIGHT: u32 = 18 * PIXELS;
pub(crate) const X_AXIS_HEIGHT: u32 = 46 * PIXELS;
/// Of one panel: its margins, and a line of text.
const MIN_PANEL_HEIGHT: u32 = 40;
/// Of all panels together, in pixels as shown: as a bitmap they are 216 MB.
const MOST_HEIGHT: u32 = 20_000;
/// Columns: more have no space for a number each.
const MOST_COLUMNS: usize = 12;

impl Default for Figure {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            panels: Vec::new(),
            panel_height: 260,
            columns: 1,
            x_range: None,
            key: Vec::new(),
            squares: false,
        }
    }
}

impl Figure {
    /// Panels in a row, as many as have space for their numbers.
    pub(crate) fn columns(&self) -> usize {
        self.columns.clamp(1, MOST_COLUMNS)
    }

    /// Height of a panel, in pixels as shown.
    pub(crate) fn panel_height(&self) -> u32 {
        self.panel_height.clamp(MIN_PANEL_HEIGHT, MOST_HEIGHT)
    }

    /// Height of what is above the panels, in pixels of the bitmap.
    pub(crate) fn head(&self) -> u32 {
        TITLE_HEIGHT + if self.key.is_empty() { 0 } else { KEY_HEIGHT }
    }

    /// Width and height, in pixels of the bitmap.
    fn size(&self) -> Result<(u32, u32)> {
        let rows = self.panels.len().div_ceil(self.columns());
        let (row, below) = match self.squares {
            true => (Squares::of(self).tile().1, 0),
            false => (self.panel_height() * PIXELS, X_AXIS_HEIGHT),
        };
        let panels = rows.saturating_mul(row as usize);
        match panels <= (MOST_HEIGHT * PIXELS) as usize {
            true => Ok((WIDTH, self.head() + panels as u32 + below)),
            false => Err(Error::Size { rows, height: row / PIXELS, most: MOST_HEIGHT }),
        }
    }

    /// The figure as an SVG document, 900 pixels wide.
    ///
    /// # Errors
    /// [`Error::Size`] where the panels together are higher than 20,000 pixels.
    pub fn to_svg(&self) -> Result<String> {
        words::register()?;
        let (width, height) = self.size()?;
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area())?;
        // Show it at the size it is meant for; the viewBox keeps the coordinates.
        let drawn = format!("<svg width=\"{width}\" height=\"{height}\"");
        let shown = format!("<svg width=\"{}\" height=\"{}\"", width / PIXELS, height / PIXELS);
        Ok(text.replacen(&drawn, &shown, 1))
    }

    /// The figure as a PNG file, at twice the size at which it is meant to be shown.
    ///
    /// # Errors
    /// [`Error::Size`] where the panels together are higher than 20,000 pixels.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        words::register()?;
        let (width, height) = self.size()?;
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
        assert_eq!((reader.info().width, reader.info().height), figure(2.0).size().unwrap());
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
    fn figures_of_any_size_are_drawn_or_refused() {
        for (panels, columns, panel_height) in [(1, usize::MAX, 0), (40, 40, 1), (3, 0, 100), (2, 1, u32::MAX)] {
            let panels = vec![figure(1.0).panels[0].clone(); panels];
            let figure = Figure { panels, columns, panel_height, ..Figure::default() };
            match figure.to_svg() {
                Ok(svg) => assert!(svg.contains("<polyline")),
                Err(error) => assert_eq!(
                    error.to_string(),
                    "2 rows of panels, 20000 pixels high each: a figure has at most 20000"
                ),
            }
        }
    }

    #[test]
    fn ranges_and_ticks_of_any_kind_are_drawn() {
        let odd = [f64::NAN, f64::INFINITY, -1e308, 1e308, 0.0, 1e-320, 1.7e9, 1.7e9 + 2.4e-7];
        for start in odd {
            for end in odd {
                for y_scale in [Scale::Linear, Scale::Log] {
                    let points = vec![(start, start), (end, end), (0.5, 0.5)];
                    let marks = [Mark::Line, Mark::Hair, Mark::Dots(3), Mark::LineAndDots];
                    let lines = marks.map(|mark| Line { points: points.clone(), mark, label: None }).to_vec();
                    let own = Panel { y_scale, lines: lines.clone(), y_range: Some(start..end), ..Panel::default() };
                    let panels = vec![Panel { rules: vec![start, end], ..own.clone() }, Panel { y_range: None, ..own }];
                    let figure = Figure { panels, x_range: Some(start..end), ..Figure::default() };
                    figure.to_svg().unwrap();
                    Figure { x_range: None, ..figure }.to_svg().unwrap();
                }
            }
        }
    }

    /// The first path of a colour, in pixels of the bitmap.
    fn path(svg: &str, colour: RGBColor) -> Vec<(i32, i32)> {
        let stroke = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        let line = svg.lines().find(|line| line.contains("<polyline") && line.contains(&stroke)).unwrap();
        let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let point = |text: &str| {
            let (x, y) = text.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        points.split_whitespace().map(point).collect()
    }

    #[test]
    fn the_ends_of_the_ranges_lie_in_the_corners_of_the_frame() {
        let points = vec![(0.0, 10.0), (5.0, 20.0), (10.0, 30.0)];
        let lines = vec![Line { points, ..Line::default() }];
        let panel = Panel { lines, y_range: Some(10.0..30.0), ..Panel::default() };
        let svg = Figure { panels: vec![panel], ..Figure::default() }.to_svg().unwrap();
        // Left: 6 + 66 pixels of margin and axis; right: 20; top: 34 of the title and 4; bottom: 260 below that, less 4.
        let (left, right) = (72 * 2, (900 - 20) * 2 - 1);
        let (top, bottom) = ((34 + 4) * 2, (34 + 260 - 4) * 2 - 1);
        assert_eq!(
            path(&svg, COLOURS[0]),
            [(left, bottom), ((left + right) / 2, (top + bottom + 1) / 2), (right, top)]
        );
    }

    #[test]
    fn between_dashes_the_line_below_shows() {
        let line = |label: &str, mark| Line { label: Some(label.into()), points: vec![(0.0, 0.5), (1.0, 0.5)], mark };
        let lines = vec![line("truth", Mark::Wide), line("prediction", Mark::Dashed)];
        let svg = Figure { panels: vec![Panel { lines, ..Panel::default() }], ..Figure::default() }.to_svg().unwrap();
        let dashed =
            svg.lines().filter(|line| line.contains("opacity=\"1\" stroke=\"#D55E00\"") && line.contains("polyline"));
        // 808 pixels of dashes of 6 and gaps of 5, and two dashes in the legend.
        assert_eq!(dashed.count(), 74 + 2);
        let first = path(&svg, COLOURS[1]);
        assert!((11..=12).contains(&(first[1].0 - first[0].0)), "6 pixels as shown, rounded down: {first:?}");
    }

    #[test]
    fn a_line_that_leaves_the_range_ends_at_the_frame() {
        let points = vec![(0.0, 0.0), (1.0, 0.0), (2.0, 1e275)];
        let lines = vec![Line { points, ..Line::default() }];
        let panel = Panel { lines, y_range: Some(0.0..1.0), ..Panel::default() };
        let svg = Figure { panels: vec![panel], ..Figure::default() }.to_svg().unwrap();
        let path = path(&svg, COLOURS[0]);
        assert_eq!(path.last().unwrap().1, (34 + 4) * 2, "the upper edge");
        assert_eq!(path[1].0, path[2].0, "straight upwards");
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
        assert_eq!(grid.size().unwrap().1, (34 + 2 * 100 + 46) * PIXELS);
    }
}
