//! A line as ink: its mark, its gaps, its sample in the legend.

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use crate::axis::contains;
use crate::clip::{Point, clip};
use crate::dash::dash;
use crate::draw::{Chart, Drawn};
use crate::figure::{Line, Mark, PIXELS, Scale};

/// Lengths of dashes and of the gaps between them.
const DASHES: (f64, f64) = (6.0 * PIXELS as f64, 5.0 * PIXELS as f64);
/// Of the sample of a line in the legend.
const SAMPLE_LENGTH: i32 = 14 * PIXELS as i32;

/// How a mark is drawn, in pixels of the bitmap.
struct Ink {
    /// 0 for no line.
    width: u32,
    /// Radius of the disc at each point, 0 for none.
    dot: u32,
    dashed: bool,
    opacity: f64,
}

impl Mark {
    fn ink(self) -> Ink {
        let solid = |width, dot| Ink { width, dot, dashed: false, opacity: 0.85 };
        match self {
            Self::Line => solid(PIXELS, 0),
            Self::Wide => solid(2 * PIXELS, 0),
            // Opaque: what shows through would mix to a colour that is in no legend.
            Self::Dashed => Ink { dashed: true, opacity: 1.0, ..solid(2 * PIXELS, 0) },
            Self::Hair => solid(1, 0),
            Self::Dots(radius) => solid(0, radius),
            Self::LineAndDots => solid(PIXELS, 2 * PIXELS),
        }
    }
}

impl Line {
    pub(crate) fn draw<'a, B: DrawingBackend + 'a>(
        &self,
        chart: &mut Chart<'a, B>,
        scale: Scale,
        colour: RGBColor,
    ) -> Drawn<B> {
        let ink = self.mark.ink();
        let (stroke, fill) = (colour.mix(ink.opacity).stroke_width(ink.width), colour.mix(ink.opacity).filled());
        let (xs, ys) = (chart.as_coord_spec().x_spec().range(), chart.as_coord_spec().y_spec().range());
        let points: Vec<Point> = self.points.iter().map(|&(x, y)| (x, scale.place(y))).collect();
        if ink.width > 0 {
            let (lines, single): (Vec<_>, Vec<_>) =
                clip(&points, &xs, &ys).into_iter().partition(|stretch| stretch.len() > 1);
            let (wide, high) = chart.plotting_area().dim_in_pixel();
            let per_unit = (f64::from(wide) / (xs.end - xs.start), f64::from(high) / (ys.end - ys.start));
            let paths = lines.into_iter().flat_map(|stretch| match ink.dashed {
                true => dash(&stretch, per_unit, DASHES),
                false => vec![stretch],
            });
            chart.draw_series(paths.map(|path| PathElement::new(path, stroke)))?;
            if ink.dot == 0 {
                // A line through one point has no length: a dot shows that it is there.
                chart.draw_series(single.into_iter().flatten().map(|at| Circle::new(at, PIXELS, fill)))?;
            }
        }
        if ink.dot > 0 {
            let inside = points.iter().filter(|at| contains(&xs, at.0) && contains(&ys, at.1));
            chart.draw_series(inside.map(|&at| Circle::new(at, ink.dot, fill)))?;
        }
        match &self.label {
            Some(label) => ink.describe(chart, label, colour),
            None => Ok(()),
        }
    }
}

impl Ink {
    /// Puts a sample with its label into the legend.
    fn describe<'a, B: DrawingBackend + 'a>(
        &self,
        chart: &mut Chart<'a, B>,
        label: &str,
        colour: RGBColor,
    ) -> Drawn<B> {
        let nothing = std::iter::empty::<PathElement<Point>>();
        let entry = chart.draw_series(nothing)?.label(label);
        if self.dashed {
            let stroke = colour.stroke_width(self.width);
            let part = move |from: i32| PathElement::new([(from, 0), (from + SAMPLE_LENGTH * 2 / 5, 0)], stroke);
            entry.legend(move |at| EmptyElement::at(at) + part(0) + part(SAMPLE_LENGTH * 3 / 5));
        } else {
            let stroke = colour.stroke_width(PIXELS);
            entry.legend(move |(x, y)| PathElement::new([(x, y), (x + SAMPLE_LENGTH, y)], stroke));
        }
        Ok(())
    }
}
