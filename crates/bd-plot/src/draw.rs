//! Drawing on either backend.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::figure::{Figure, Line, Mark, Panel, SCALE, TITLE_HEIGHT, WIDTH, X_AXIS_HEIGHT};
use crate::{Error, Result};

/// Okabe and Ito's colours without black and yellow: colour-blind readers tell them apart.
pub(crate) const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
const FONT: &str = "sans-serif";
/// Left of the panels: the words and numbers of the vertical axis.
const Y_AXIS_WIDTH: u32 = 66 * SCALE;
const LEFT_MARGIN: u32 = 6 * SCALE;
const RIGHT_MARGIN: u32 = 20 * SCALE;
/// Between columns: room for the halves of two numbers.
const GAP: u32 = 24 * SCALE;
/// Opacity of the lines around each panel of a grid.
const BORDER: f64 = 0.5;
const PANEL_TITLE_HEIGHT: u32 = 16 * SCALE;

type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// What a panel has to know of its figure.
struct Frame<'a> {
    x_range: Range<f64>,
    y_range: Range<f64>,
    /// The horizontal axis, below the last panel of a column.
    x_label: Option<&'a str>,
    /// Whether the vertical axis is at its left.
    y_axis: bool,
    /// Whether it is one of several columns.
    grid: bool,
    title_height: u32,
    width: u32,
}

impl Figure {
    pub(crate) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()> {
        // The same font everywhere, whatever the machine has. Registering it twice changes nothing.
        let font = include_bytes!("../assets/DejaVuSans-subset.ttf");
        register_font(FONT, FontStyle::Normal, font).map_err(|_| Error::Draw("its font cannot be read".into()))?;
        self.try_draw(area).map_err(|error| Error::Draw(error.to_string()))
    }

    fn try_draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        area.fill(&WHITE)?;
        let title = (FONT, 17 * SCALE).into_font();
        let (title_area, below) = area.split_vertically(TITLE_HEIGHT);
        title_area.margin(8 * SCALE, 0, 0, 0).titled(&self.title, title)?;

        let columns = self.columns.max(1);
        let all = || self.panels.iter().flat_map(|panel| &panel.lines);
        let x_range = self.x_range.clone().unwrap_or_else(|| range(all(), |point| point.0, 0.0));
        let left = LEFT_MARGIN + Y_AXIS_WIDTH;
        let gaps = (columns as u32 - 1) * GAP;
        let width = (WIDTH - left - RIGHT_MARGIN - gaps) / columns as u32;
        let height = self.panel_height * SCALE;
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = ((i / columns) as u32, (i % columns) as u32);
            let last = i + columns >= self.panels.len();
            let frame = Frame {
                x_range: x_range.clone(),
                y_range: match &panel.y_range {
                    Some(range) => range.clone(),
                    None if columns > 1 => range(all(), |point| point.1, 0.06),
                    None => range(&panel.lines, |point| point.1, 0.06),
                },
                x_label: last.then_some(&self.x_label),
                y_axis: column == 0,
                grid: columns > 1,
                title_height: if self.panels.iter().any(|p| p.title.is_some()) { PANEL_TITLE_HEIGHT } else { 0 },
                width,
            };
            let start = if column == 0 { 0 } else { left + column * (width + GAP) };
            let size = (width + if column == 0 { left } else { 0 }, height + if last { X_AXIS_HEIGHT } else { 0 });
            panel.draw(&below.clone().shrink((start, row * height), size), &frame)?;
        }
        area.present()
    }
}

impl Panel {
    fn draw<B: DrawingBackend>(&self, place: &DrawingArea<B, Shift>, frame: &Frame) -> Drawn<B> {
        let left = |size| if frame.y_axis { size } else { 0 };
        let ticks = self.y_ticks.as_deref();
        let y_axis = YAxis { range: frame.y_range.clone().into(), ticks };
        let mut chart = ChartBuilder::on(place)
            .margin_left(left(LEFT_MARGIN))
            .margin_top(4 * SCALE + frame.title_height)
            .margin_bottom(4 * SCALE)
            .set_label_area_size(LabelAreaPosition::Left, left(Y_AXIS_WIDTH))
            .set_label_area_size(LabelAreaPosition::Bottom, if frame.x_label.is_some() { X_AXIS_HEIGHT } else { 0 })
            .build_cartesian_2d(frame.x_range.clone(), y_axis)?;
        if let Some(title) = &self.title {
            let (xs, ys) = chart.plotting_area().get_pixel_range();
            let (x0, y0) = place.get_base_pixel();
            let style = (FONT, 12 * SCALE).into_text_style(place).pos(Pos::new(HPos::Center, VPos::Bottom));
            let middle = (xs.start + xs.end) / 2 - x0;
            place.draw_text(title, &style, (middle, ys.start - y0 - 2 * SCALE as i32))?;
        }
        let y_words = |value: &f64| match ticks.and_then(|ticks| ticks.iter().find(|(at, _)| at == value)) {
            Some((_, words)) => words.clone(),
            None => tick(*value, &frame.y_range),
        };
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(if frame.grid { BORDER } else { 1.0 }))
            .x_labels((frame.width / (80 * SCALE)).clamp(3, 10) as usize)
            .y_labels(5)
            .x_label_formatter(&|value| tick(*value, &frame.x_range))
            .y_label_formatter(&y_words)
            .y_desc(&self.y_label)
            .x_desc(frame.x_label.unwrap_or_default())
            .label_style((FONT, 12 * SCALE))
            .axis_desc_style((FONT, 13 * SCALE))
            .draw()?;
        let ((x0, x1), (y0, y1)) = (ends(&frame.x_range), ends(&frame.y_range));
        let across = |y: f64| PathElement::new([(x0, y), (x1, y)], BLACK.mix(0.35).stroke_width(1));
        chart.draw_series(self.rules.iter().map(|&y| across(y)))?;
        if frame.grid {
            let border = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
            chart.draw_series([PathElement::new(border, BLACK.mix(BORDER).stroke_width(1))])?;
        }
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let (width, dot) = match line.mark {
                Mark::Line => (SCALE, 0),
                Mark::Wide => (2 * SCALE, 0),
                Mark::Hair => (1, 0),
                Mark::Dots(radius) => (0, radius),
                Mark::LineAndDots => (SCALE, 2 * SCALE),
            };
            let (stroke, fill) = (colour.mix(0.85).stroke_width(width), colour.mix(0.85).filled());
            for stretch in line.points.split(|&(x, y)| !drawable(x) || !drawable(y)) {
                // A line through one point has no length: a dot shows that it is there.
                let dot = if stretch.len() == 1 { dot.max(SCALE) } else { dot };
                if width > 0 && stretch.len() > 1 {
                    chart.draw_series(LineSeries::new(stretch.iter().copied(), stroke))?;
                }
                if dot > 0 {
                    chart.draw_series(stretch.iter().map(|&at| Circle::new(at, dot, fill)))?;
                }
            }
            if let Some(label) = &line.label {
                let sample =
                    |(x, y)| PathElement::new([(x, y), (x + 14 * SCALE as i32, y)], colour.stroke_width(SCALE));
                let nothing = std::iter::empty::<PathElement<(f64, f64)>>();
                chart.draw_series(nothing)?.label(label.as_str()).legend(sample);
            }
        }
        if self.lines.iter().any(|line| line.label.is_some()) {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .legend_area_size(18 * SCALE)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.2))
                .label_font((FONT, 12 * SCALE))
                .draw()?;
        }
        Ok(())
    }
}

/// A linear axis with ticks at round numbers or at given ones.
struct YAxis<'a> {
    range: RangedCoordf64,
    ticks: Option<&'a [(f64, String)]>,
}

impl Ranged for YAxis<'_> {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        match self.ticks {
            Some(ticks) => ticks.iter().map(|(at, _)| *at).collect(),
            None => self.range.key_points(hint),
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

fn ends(range: &Range<f64>) -> (f64, f64) {
    (range.start, range.end)
}

/// A number at a tick of such a range, without digits that say nothing.
fn tick(value: f64, range: &Range<f64>) -> String {
    if value.abs() < 1e-9 * (range.end - range.start) {
        return "0".into(); // plotters' ticks are off by round-off
    }
    if !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let fixed = format!("{value:.6}");
    fixed.trim_end_matches('0').trim_end_matches('.').into()
}

/// Whether a number can be on an axis: differences of larger ones are infinite.
fn drawable(value: f64) -> bool {
    value.abs() <= 1e300
}

/// Smallest to largest drawable value, widened by `margin` of that, and never empty.
fn range<'a>(lines: impl IntoIterator<Item = &'a Line>, value: impl Fn(&(f64, f64)) -> f64, margin: f64) -> Range<f64> {
    let values = lines.into_iter().flat_map(|line| &line.points).map(value).filter(|v| drawable(*v));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let pad = if high > low { (high - low) * margin } else { low.abs().max(1.0) * 0.5 };
    low - pad..high + pad
}
