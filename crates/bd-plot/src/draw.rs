//! Drawing on either backend.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::axis::{Axis, contains, extent};
use crate::figure::{Figure, PIXELS, Panel, Scale, TITLE_HEIGHT, WIDTH, X_AXIS_HEIGHT};
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
const Y_AXIS_WIDTH: u32 = 66 * PIXELS;
const LEFT_MARGIN: u32 = 6 * PIXELS;
const RIGHT_MARGIN: u32 = 20 * PIXELS;
/// Between columns: space for the halves of two numbers.
const GAP: u32 = 24 * PIXELS;
/// Opacity of the lines around each panel of a grid.
const BORDER: f64 = 0.5;
const PANEL_TITLE_HEIGHT: u32 = 16 * PIXELS;
/// Ticks of a vertical axis.
const MOST_Y_TICKS: usize = 5;

pub(crate) type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
pub(crate) type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<Axis, Axis>>;

/// What a panel has to know of its figure.
struct Frame<'a> {
    x: Axis,
    y: Axis,
    /// The horizontal axis, below the last panel of a column.
    x_label: Option<&'a str>,
    /// Whether the vertical axis is at its left.
    y_axis: bool,
    /// Whether it is one of several columns.
    grid: bool,
    title_height: u32,
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
        let title = (FONT, 17 * PIXELS).into_font();
        let (title_area, below) = area.split_vertically(TITLE_HEIGHT);
        title_area.margin(8 * PIXELS, 0, 0, 0).titled(&self.title, title)?;

        let columns = self.columns();
        let left = LEFT_MARGIN + Y_AXIS_WIDTH;
        let gaps = (columns as u32 - 1) * GAP;
        let width = (WIDTH - left - RIGHT_MARGIN - gaps) / columns as u32;
        let height = self.panel_height() * PIXELS;
        let x = self.x_axis((width / (80 * PIXELS)).clamp(3, 10) as usize);
        let titled = self.panels.iter().any(|panel| panel.title.is_some());
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = ((i / columns) as u32, (i % columns) as u32);
            let last = i + columns >= self.panels.len();
            let frame = Frame {
                x: x.clone(),
                y: panel.y_axis(if columns > 1 { &self.panels } else { std::slice::from_ref(panel) }),
                x_label: last.then_some(&self.x_label),
                y_axis: column == 0,
                grid: columns > 1,
                title_height: if titled { PANEL_TITLE_HEIGHT } else { 0 },
            };
            let start = if column == 0 { 0 } else { left + column * (width + GAP) };
            let size = (width + if column == 0 { left } else { 0 }, height + if last { X_AXIS_HEIGHT } else { 0 });
            panel.draw(&below.clone().shrink((start, row * height), size), &frame)?;
        }
        area.present()
    }

    fn x_axis(&self, most: usize) -> Axis {
        let xs = self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.0);
        let range = self.x_range.as_ref().and_then(|range| Scale::Linear.places(range));
        Axis::new(Scale::Linear, range.unwrap_or_else(|| extent(xs, 0.0)), most)
    }
}

impl Panel {
    /// The vertical axis, which shows the lines of all panels `beside` where it has no range of its own.
    fn y_axis(&self, beside: &[Self]) -> Axis {
        let ys = beside.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let places = ys.map(|point| self.y_scale.place(point.1));
        let range = self.y_range.as_ref().and_then(|range| self.y_scale.places(range));
        let range = range.unwrap_or_else(|| extent(places, 0.06));
        match &self.y_ticks {
            Some(ticks) => Axis::with_ticks(self.y_scale, range, ticks),
            None => Axis::new(self.y_scale, range, MOST_Y_TICKS),
        }
    }

    fn draw<B: DrawingBackend>(&self, place: &DrawingArea<B, Shift>, frame: &Frame<'_>) -> Drawn<B> {
        let left = |size| if frame.y_axis { size } else { 0 };
        let mut chart = ChartBuilder::on(place)
            .margin_left(left(LEFT_MARGIN))
            .margin_top(4 * PIXELS + frame.title_height)
            .margin_bottom(4 * PIXELS)
            .set_label_area_size(LabelAreaPosition::Left, left(Y_AXIS_WIDTH))
            .set_label_area_size(LabelAreaPosition::Bottom, if frame.x_label.is_some() { X_AXIS_HEIGHT } else { 0 })
            .build_cartesian_2d(frame.x.clone(), frame.y.clone())?;
        if let Some(title) = &self.title {
            let (xs, ys) = chart.plotting_area().get_pixel_range();
            let (x0, y0) = place.get_base_pixel();
            let style = (FONT, 12 * PIXELS).into_text_style(place).pos(Pos::new(HPos::Center, VPos::Bottom));
            let middle = (xs.start + xs.end) / 2 - x0;
            place.draw_text(title, &style, (middle, ys.start - y0 - 2 * PIXELS as i32))?;
        }
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(if frame.grid { BORDER } else { 1.0 }))
            .x_label_formatter(&|tick| frame.x.words(*tick))
            .y_label_formatter(&|tick| frame.y.words(*tick))
            .y_desc(&self.y_label)
            .x_desc(frame.x_label.unwrap_or_default())
            .label_style((FONT, 12 * PIXELS))
            .axis_desc_style((FONT, 13 * PIXELS))
            .draw()?;
        self.draw_rules(&mut chart, frame)?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            line.draw(&mut chart, self.y_scale, *colour)?;
        }
        self.draw_events(&mut chart)?;
        self.draw_legend(&mut chart)
    }

    /// Samples of the lines that have labels, in the upper right corner.
    fn draw_legend<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>) -> Drawn<B> {
        if self.lines.iter().any(|line| line.label.is_some()) {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .legend_area_size(18 * PIXELS)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.2))
                .label_font((FONT, 12 * PIXELS))
                .draw()?;
        }
        Ok(())
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

    /// Thin lines across the panel, and around it in a grid.
    fn draw_rules<B: DrawingBackend>(&self, chart: &mut Chart<'_, B>, frame: &Frame<'_>) -> Drawn<B> {
        let (Range { start: x0, end: x1 }, Range { start: y0, end: y1 }) = (frame.x.range(), frame.y.range());
        let heights = self.rules.iter().map(|&value| self.y_scale.place(value)).filter(|y| contains(&(y0..y1), *y));
        let across = |y: f64| PathElement::new([(x0, y), (x1, y)], BLACK.mix(0.35).stroke_width(1));
        chart.draw_series(heights.map(across))?;
        if frame.grid {
            let border = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
            chart.draw_series([PathElement::new(border, BLACK.mix(BORDER).stroke_width(1))])?;
        }
        Ok(())
    }
}
