//! Line plots in stacked panels, the same drawing as SVG and as PNG.

use bd_core::files::write_atomic;
use bd_core::{Error, Result};
use bd_train::RunDir;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// Stacked panels with a common horizontal axis.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) panels: Vec<Panel>,
    /// Height of a panel; the width is the same for all figures.
    pub(crate) panel_height: u32,
}

/// One panel.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) y_label: String,
    pub(crate) lines: Vec<Line>,
}

/// One line, named in the legend if it has a label.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) label: Option<String>,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Drawn at twice the size at which they are shown, for sharp bitmaps.
const SCALE: u32 = 2;
const WIDTH: u32 = 900 * SCALE;
const TITLE_HEIGHT: u32 = 34 * SCALE;
const X_AXIS_HEIGHT: u32 = 46 * SCALE;
/// Okabe and Ito's blue and vermillion, which colour-blind readers tell apart.
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
const FONT: &str = "sans-serif";

impl Figure {
    fn size(&self) -> (u32, u32) {
        let panels = self.panels.len() as u32 * self.panel_height * SCALE;
        (WIDTH, TITLE_HEIGHT + panels + X_AXIS_HEIGHT)
    }

    /// Writes `plots/<name>.svg` and `plots/<name>.png` into the run folder.
    pub(crate) fn save(&self, run: &RunDir, name: &str) -> Result<()> {
        write_atomic(&run.file(&format!("plots/{name}.svg"))?, self.svg()?.as_bytes())?;
        write_atomic(&run.file(&format!("plots/{name}.png"))?, &self.png()?)
    }

    fn svg(&self) -> Result<String> {
        let (width, height) = self.size();
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area())?;
        // Show it at the size it is meant for; the viewBox keeps the coordinates.
        let drawn = format!("<svg width=\"{width}\" height=\"{height}\"");
        let shown = format!("<svg width=\"{}\" height=\"{}\"", width / SCALE, height / SCALE);
        Ok(text.replacen(&drawn, &shown, 1))
    }

    fn png(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size();
        let mut pixels = vec![0; width as usize * height as usize * 3];
        self.draw(&BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area())?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        let written = encoder.write_header().and_then(|mut png| png.write_image_data(&pixels));
        written.map_err(|error| Error::Config(format!("a plot cannot be encoded: {error}")))?;
        Ok(file)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()> {
        // The same font everywhere, whatever the machine has. Registering it twice changes nothing.
        let font = include_bytes!("../assets/DejaVuSans-subset.ttf");
        register_font(FONT, FontStyle::Normal, font).map_err(|_| Error::Config("the font cannot be read".into()))?;
        self.try_draw(area).map_err(|error| Error::Config(format!("a plot cannot be drawn: {error}")))
    }

    fn try_draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> std::result::Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        area.fill(&WHITE)?;
        let title = (FONT, 17 * SCALE).into_font();
        let (title_area, below) = area.split_vertically(TITLE_HEIGHT);
        title_area.margin(8 * SCALE, 0, 0, 0).titled(&self.title, title)?;
        let x_range = range(self.panels.iter().flat_map(|panel| &panel.lines), |point| point.0, 0.0);
        let last = self.panels.len() - 1;
        for (i, panel) in self.panels.iter().enumerate() {
            let top = i as u32 * self.panel_height * SCALE;
            let height = self.panel_height * SCALE + if i == last { X_AXIS_HEIGHT } else { 0 };
            let place = below.clone().shrink((0, top), (WIDTH - 20 * SCALE, height));
            panel.draw(&place, x_range.clone(), (i == last).then_some(self.x_label.as_str()))?;
        }
        area.present()
    }
}

impl Panel {
    fn draw<B: DrawingBackend>(
        &self,
        place: &DrawingArea<B, Shift>,
        x_range: std::ops::Range<f64>,
        x_label: Option<&str>,
    ) -> std::result::Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let mut chart = ChartBuilder::on(place)
            .margin_left(6 * SCALE)
            .margin_top(4 * SCALE)
            .margin_bottom(4 * SCALE)
            .set_label_area_size(LabelAreaPosition::Left, 66 * SCALE)
            .set_label_area_size(LabelAreaPosition::Bottom, if x_label.is_some() { X_AXIS_HEIGHT } else { 0 })
            .build_cartesian_2d(x_range, range(&self.lines, |point| point.1, 0.06))?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(10)
            .y_labels(5)
            .x_label_formatter(&tick)
            .y_label_formatter(&tick)
            .y_desc(&self.y_label)
            .x_desc(x_label.unwrap_or_default())
            .label_style((FONT, 12 * SCALE))
            .axis_desc_style((FONT, 13 * SCALE))
            .draw()?;
        for (i, (line, colour)) in self.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
            // The first of several is drawn wider, so that it shows below those that agree with it.
            let style = colour.mix(0.85).stroke_width(if i == 0 && self.lines.len() > 1 { 2 * SCALE } else { SCALE });
            let series = chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
            if let Some(label) = &line.label {
                let sample =
                    |(x, y)| PathElement::new([(x, y), (x + 14 * SCALE as i32, y)], colour.stroke_width(SCALE));
                series.label(label.as_str()).legend(sample);
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

/// A number at a tick, without digits that say nothing.
fn tick(value: &f64) -> String {
    if *value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let fixed = format!("{value:.6}");
    let text = fixed.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Smallest to largest finite value, widened by `margin` of that, and never empty.
fn range<'a>(
    lines: impl IntoIterator<Item = &'a Line>,
    value: impl Fn(&(f64, f64)) -> f64,
    margin: f64,
) -> std::ops::Range<f64> {
    let values = lines.into_iter().flat_map(|line| &line.points).map(value).filter(|v| v.is_finite());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let pad = if high > low { (high - low) * margin } else { low.abs().max(1.0) * 0.5 };
    low - pad..high + pad
}

/// Thins a line along time to what a plot can show: the least and the greatest of each of 2,000 stretches.
pub(crate) fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    const STRETCHES: usize = 2000;
    if points.len() <= 5 * STRETCHES {
        return points;
    }
    let extremes = |stretch: &[(f64, f64)]| {
        let by_value = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let low = stretch.iter().enumerate().min_by(by_value).map_or(0, |(i, _)| i);
        let high = stretch.iter().enumerate().max_by(by_value).map_or(0, |(i, _)| i);
        [stretch[low.min(high)], stretch[low.max(high)]]
    };
    points.chunks(points.len().div_ceil(STRETCHES)).flat_map(extremes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64) -> Figure {
        let line = |label: &str| Line { label: Some(label.into()), points: vec![(0.0, 0.0), (1.0, value)] };
        let panel = Panel { y_label: "x".into(), lines: vec![line("truth"), line("prediction")] };
        Figure {
            title: "title here".into(),
            x_label: "time".into(),
            panels: vec![panel.clone(), panel],
            panel_height: 120,
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
        for colour in COLOURS {
            let near = |pixel: &[u8]| pixel.iter().zip([colour.0, colour.1, colour.2]).all(|(a, b)| a.abs_diff(b) < 60);
            assert!(pixels.chunks(3).any(near), "{colour:?} is not in the picture");
        }
    }

    #[test]
    fn values_that_cannot_be_drawn_do_not_stop_a_plot() {
        for value in [0.0, f64::NAN, f64::INFINITY, 1e300] {
            figure(value).svg().unwrap();
        }
    }

    #[test]
    fn thinning_keeps_the_extremes_and_the_order() {
        let mut points: Vec<_> = (0..100_000).map(|i| (i as f64, (i as f64 * 0.01).sin())).collect();
        points[54_321].1 = 9.0;
        let thinned = thin(points);
        assert!(thinned.len() <= 4000 && thinned.contains(&(54_321.0, 9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
