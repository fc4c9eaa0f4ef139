//! Drawing on either backend.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::axis::{Axis, contains, extent};
use crate::cells;
use crate::figure::{Figure, PIXELS, Panel, Scale, WIDTH, X_AXIS_HEIGHT};
use crate::key;
use crate::legend;
use crate::squares::{Squares, TICK, TICK_SIZE, y_axis_width};
use crate::words::{FONT, fitting};
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
const TITLE_SIZE: u32 = 17 * PIXELS;
/// Left of the panels: the words and numbers of the vertical axis, unless they are wider.
const Y_AXIS_WIDTH: u32 = 66 * PIXELS;
const LEFT_MARGIN: u32 = 6 * PIXELS;
const RIGHT_MARGIN: u32 = 20 * PIXELS;
/// Between columns: space for the halves of two numbers.
const GAP: u32 = 24 * PIXELS;
/// Opacity of the lines around each panel of a grid.
const BORDER: f64 = 0.5;
const PANEL_TITLE_HEIGHT: u32 = 16 * PIXELS;
/// Beyond the points, as a fraction of what an axis shows.
const MARGIN: f64 = 0.06;
/// Ticks of a vertical axis.
const MOST_Y_TICKS: usize = 5;

pub(crate) type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
pub(crate) type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<Axis, Axis>>;

/// What a panel has to know of its figure.
struct Frame<'a> {
    x: Axis,
    y: Axis,
    /// The horizontal axis: in a column below its last panel alone.
    x_label: Option<&'a str>,
    /// Its height, 0 for none.
    bottom: u32,
    /// Whether the words at its ticks stand upright.
    upright: bool,
    /// Width of the vertical axis with its words, 0 for none.
    left: u32,
    margins: Margins,
    /// Whether it is one of several columns.
    grid: bool,
}

/// Around a panel with its axes.
struct Margins {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Figure {
    /// Needs a font that is registered.
    pub(crate) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()> {
        self.try_draw(area).map_err(|error| Error::Draw(error.to_string()))
    }

    fn try_draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        area.fill(&WHITE)?;
        let title = (FONT, fitting(&self.title, TITLE_SIZE, WIDTH - 2 * RIGHT_MARGIN)).into_font();
        let (head, below) = area.split_vertically(self.head());
        head.margin(8 * PIXELS, 0, 0, 0).titled(&self.title, title)?;
        key::draw(&self.key, &head)?;
        match self.squares {
            true => self.draw_squares(&below)?,
            false => self.draw_rows(&below)?,
        }
        area.present()
    }

    /// Panels that share their horizontal axis, and in a row their vertical one.
    fn draw_rows<B: DrawingBackend>(&self, below: &DrawingArea<B, Shift>) -> Drawn<B> {
        let columns = self.columns();
        let y_axis = y_axis_width(&self.panels).max(Y_AXIS_WIDTH);
        let left = LEFT_MARGIN + y_axis;
        let gaps = (columns as u32 - 1) * GAP;
        let width = (WIDTH - left - RIGHT_MARGIN - gaps) / columns as u32;
        let height = self.panel_height() * PIXELS;
        let x = self.x_axis((width / (80 * PIXELS)).clamp(3, 10) as usize);
        let title_height = if self.panels.iter().any(|panel| panel.title.is_some()) { PANEL_TITLE_HEIGHT } else { 0 };
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = ((i / columns) as u32, (i % columns) as u32);
            let last = i + columns >= self.panels.len();
            let at_left = |size| if column == 0 { size } else { 0 };
            let bottom = if last { X_AXIS_HEIGHT } else { 0 };
            let frame = Frame {
                x: x.clone(),
                y: panel.y_axis(if columns > 1 { &self.panels } else { std::slice::from_ref(panel) }),
                x_label: last.then_some(&self.x_label),
                bottom,
                upright: false,
                left: at_left(y_axis),
                margins: Margins {
                    left: at_left(LEFT_MARGIN),
                    top: 4 * PIXELS + title_height,
                    right: 0,
                    bottom: 4 * PIXELS,
                },
                grid: columns > 1,
            };
            let start = if column == 0 { 0 } else { left + column * (width + GAP) };
            panel
                .draw(&below.clone().shrink((start, row * height), (width + at_left(left), height + bottom)), &frame)?;
        }
        Ok(())
    }

    /// Squares with two axes each.
    fn draw_squares<B: DrawingBackend>(&self, below: &DrawingArea<B, Shift>) -> Drawn<B> {
        let squares = Squares::of(self);
        for (i, panel) in self.panels.iter().enumerate() {
            let frame = Frame {
                x: panel.x_axis(MOST_Y_TICKS),
                y: panel.y_axis(std::slice::from_ref(panel)),
                x_label: Some(&self.x_label),
                bottom: squares.bottom,
                upright: squares.upright,
                left: squares.left,
                margins: Margins { left: 0, top: squares.top, right: squares.right(), bottom: 0 },
                grid: true,
            };
            panel.draw(&below.clone().shrink(squares.place(i), squares.tile()), &frame)?;
        }
        Ok(())
    }

    fn x_axis(&self, most: usize) -> Axis {
        let xs = self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.0);
        let range = self.x_range.as_ref().and_then(|range| Scale::Linear.places(range));
        Axis::new(Scale::Linear, range.unwrap_or_else(|| extent(xs, 0.0)), most)
    }
}

impl Panel {
    /// The horizontal axis of a square.
    fn x_axis(&self, most: usize) -> Axis {
        let xs = self.lines.iter().flat_map(|line| &line.points).map(|point| point.0);
        let range = self.x_range.as_ref().and_then(|range| Scale::Linear.places(range));
        let range = range.unwrap_or_else(|| extent(xs, MARGIN));
        match &self.x_ticks {
            Some(ticks) => Axis::with_ticks(Scale::Linear, range, ticks),
            None => Axis::new(Scale::Linear, range, most),
        }
    }

    /// The vertical axis, which shows the lines of all panels `beside` where it has no range of its own.
    pub(crate) fn y_axis(&self, beside: &[Self]) -> Axis {
        let ys = beside.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let places = ys.map(|point| self.y_scale.place(point.1));
        let range = self.y_range.as_ref().and_then(|range| self.y_scale.places(range));
        let range = range.unwrap_or_else(|| extent(places, MARGIN));
        match &self.y_ticks {
            Some(ticks) => Axis::with_ticks(self.y_scale, range, ticks),
            None => Axis::new(self.y_scale, range, MOST_Y_TICKS),
        }
    }

    fn draw<B: DrawingBackend>(&self, place: &DrawingArea<B, Shift>, frame: &Frame<'_>) -> Drawn<B> {
        let mut chart = ChartBuilder::on(place)
            .margin_left(frame.margins.left)
            .margin_top(frame.margins.top)
            .margin_right(frame.margins.right)
            .margin_bottom(frame.margins.bottom)
            .set_label_area_size(LabelAreaPosition::Left, frame.left)
            .set_label_area_size(LabelAreaPosition::Bottom, frame.bottom)
            .build_cartesian_2d(frame.x.clone(), frame.y.clone())?;
        if let Some(title) = &self.title {
            let (xs, ys) = chart.plotting_area().get_pixel_range();
            let (x0, y0) = place.get_base_pixel();
            let size = fitting(title, TICK_SIZE, (xs.end - xs.start).unsigned_abs() + GAP);
            let style = (FONT, size).into_text_style(place).pos(Pos::new(HPos::Center, VPos::Bottom));
            let middle = (xs.start + xs.end) / 2 - x0;
            place.draw_text(title, &style, (middle, ys.start - y0 - 2 * PIXELS as i32))?;
        }
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(if self.cells.is_empty() { 0.12 } else { 0.0 }))
            .axis_style(BLACK.mix(if frame.grid { BORDER } else { 1.0 }))
            .x_label_formatter(&|tick| if frame.upright { String::new() } else { frame.x.words(*tick) })
            .y_label_formatter(&|tick| frame.y.words(*tick))
            .y_desc(&self.y_label)
            .x_desc(frame.x_label.unwrap_or_default())
            .label_style((FONT, TICK_SIZE))
            .axis_desc_style((FONT, 13 * PIXELS))
            .draw()?;
        if frame.upright {
            self.draw_upright(&chart, place, frame)?;
        }
        self.draw_cells(&mut chart, frame)?;
        self.draw_rules(&mut chart, frame)?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            line.draw(&mut chart, self.y_scale, *colour)?;
        }
        self.draw_events(&mut chart)?;
        legend::draw(self, &mut chart)
    }

    /// The words at the horizontal ticks from below up to the axis.
    fn draw_upright<B: DrawingBackend>(
        &self,
        chart: &Chart<'_, B>,
        place: &DrawingArea<B, Shift>,
        frame: &Frame<'_>,
    ) -> Drawn<B> {
        let font = (FONT, TICK_SIZE).into_font().transform(FontTransform::Rotate270);
        let style = TextStyle::from(font).pos(Pos::new(HPos::Right, VPos::Center));
        let (x0, y0) = place.get_base_pixel();
        for (tick, words) in frame.x.ticks() {
            let (x, y) = chart.plotting_area().map_coordinate(&(*tick, frame.y.range().start));
            place.draw_text(words, &style, (x - x0, y - y0 + TICK as i32))?;
        }
        Ok(())
    }

    fn draw_cells<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>, frame: &Frame<'_>) -> Drawn<B> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let Range { start, end } = frame.x.range();
        let (wide, _) = chart.plotting_area().dim_in_pixel();
        cells::draw(&self.cells, chart, (f64::from(wide) / (end - start)) as u32)
    }

    /// Thin lines upwards. Their words stand at the lower edge, on the side where there is more space.
    fn draw_events<B: DrawingBackend>(&self, chart: &mut Chart<'_, B>) -> Drawn<B> {
        let area = chart.plotting_area();
        let (xs, ys) = (area.get_x_range(), area.get_y_range());
        for (at, words) in self.events.iter().filter(|(at, _)| contains(&xs, *at)) {
            area.draw(&PathElement::new([(*at, ys.start), (*at, ys.end)], BLACK.mix(0.35).stroke_width(PIXELS)))?;
            let (side, away) = if *at < (xs.start + xs.end) / 2.0 { (HPos::Left, 1) } else { (HPos::Right, -1) };
            let style = TextStyle::from((FONT, 12 * PIXELS).into_font()).pos(Pos::new(side, VPos::Bottom));
            let (x, y) = (away * 5 * PIXELS as i32, -3 * PIXELS as i32);
            area.draw(&(EmptyElement::at((*at, ys.start)) + Text::new(words.clone(), (x, y), style)))?;
        }
        Ok(())
    }

    /// Thin lines across the panel, along its diagonal, and around it in a grid.
    fn draw_rules<B: DrawingBackend>(&self, chart: &mut Chart<'_, B>, frame: &Frame<'_>) -> Drawn<B> {
        let (Range { start: x0, end: x1 }, Range { start: y0, end: y1 }) = (frame.x.range(), frame.y.range());
        let heights = self.rules.iter().map(|&value| self.y_scale.place(value)).filter(|y| contains(&(y0..y1), *y));
        let across = |y: f64| PathElement::new([(x0, y), (x1, y)], BLACK.mix(0.35).stroke_width(1));
        chart.draw_series(heights.map(across))?;
        if self.diagonal {
            let (start, end) = (x0.max(y0), x1.min(y1));
            let ends = (start < end).then_some([(start, start), (end, end)]);
            let style = BLACK.mix(0.5).stroke_width(PIXELS);
            chart.draw_series(ends.map(|ends| PathElement::new(ends, style)))?;
        }
        if frame.grid {
            let border = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
            chart.draw_series([PathElement::new(border, BLACK.mix(BORDER).stroke_width(1))])?;
        }
        Ok(())
    }
}
