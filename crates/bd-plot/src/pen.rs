//! Lines and discs on a bitmap.
//!
//! plotters' own drop pixels where segments are short, and join wide segments by mitres that cross the whole picture where
//! a line turns back, as it does at every spike. Here a pixel is inked by its distance to the line: joints are round,
//! edges smooth.

use plotters::prelude::*;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingErrorKind};

type Result<B> = std::result::Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A bitmap whose paths and filled circles are drawn here, everything else by plotters.
pub(crate) struct Pen<'a>(pub(crate) BitMapBackend<'a>);

impl Pen<'_> {
    /// Inks all that is nearer to a path than `radius`.
    fn ink(&mut self, path: &[BackendCoord], radius: f64, colour: BackendColor) -> Result<Self> {
        // All of the path before any of it is blended: where it crosses itself it is no darker.
        let mut mask = Mask::around(path, radius, self.0.get_size());
        if let [point] = path {
            mask.segment(*point, *point, radius);
        }
        for pair in path.windows(2) {
            mask.segment(pair[0], pair[1], radius);
        }
        for (i, &coverage) in mask.coverage.iter().enumerate().filter(|(_, coverage)| **coverage > 0.0) {
            let (x, y) = (i as i64 % mask.width, i as i64 / mask.width);
            self.0.draw_pixel(((mask.left + x) as i32, (mask.top + y) as i32), colour.mix(f64::from(coverage)))?;
        }
        Ok(())
    }
}

/// How much of each pixel of a rectangle is inked.
struct Mask {
    left: i64,
    top: i64,
    width: i64,
    height: i64,
    coverage: Vec<f32>,
}

impl Mask {
    /// The rectangle around a path, as far as it is in the picture.
    fn around(path: &[BackendCoord], radius: f64, size: (u32, u32)) -> Self {
        let extent = |values: &mut dyn Iterator<Item = i32>, size: u32| {
            let (low, high) = values.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v.into()), h.max(v.into())));
            let margin = radius.ceil() as i64 + 1;
            let low = low.saturating_sub(margin).clamp(0, size.into());
            (low, (high.saturating_add(margin + 1).clamp(0, size.into()) - low).max(0))
        };
        let (left, width) = extent(&mut path.iter().map(|point| point.0), size.0);
        let (top, height) = extent(&mut path.iter().map(|point| point.1), size.1);
        Self { left, top, width, height, coverage: vec![0.0; (width * height) as usize] }
    }

    fn segment(&mut self, from: BackendCoord, to: BackendCoord, radius: f64) {
        let local = |point: BackendCoord| (f64::from(point.0) - self.left as f64, f64::from(point.1) - self.top as f64);
        let (a, b) = (local(from), local(to));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = (dx * dx + dy * dy).max(1e-9);
        // Along the axis in which it is longer; across, no farther than the ink reaches.
        let steep = dy.abs() > dx.abs();
        let (start, end, steps, across) =
            if steep { (a.1, b.1, self.height, self.width) } else { (a.0, b.0, self.width, self.height) };
        let reach = radius + 1.0;
        let clip = |from: f64, to: f64, limit: i64| {
            (from.floor().clamp(0.0, limit as f64) as i64)..((to.ceil() + 1.0).clamp(0.0, limit as f64) as i64)
        };
        for u in clip(start.min(end) - reach, start.max(end) + reach, steps) {
            let t = if start == end { 0.0 } else { ((u as f64 - start) / (end - start)).clamp(0.0, 1.0) };
            let middle = if steep { a.0 + t * dx } else { a.1 + t * dy };
            for v in clip(middle - 1.5 * reach, middle + 1.5 * reach, across) {
                let (x, y) = if steep { (v, u) } else { (u, v) };
                let (px, py) = (x as f64 - a.0, y as f64 - a.1);
                let along = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let coverage = (radius + 0.5 - distance).clamp(0.0, 1.0) as f32;
                let pixel = &mut self.coverage[(y * self.width + x) as usize];
                *pixel = pixel.max(coverage);
            }
        }
    }
}

impl<'a> DrawingBackend for Pen<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<Self> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Result<Self> {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Result<Self> {
        self.0.draw_pixel(point, colour)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Result<Self> {
        self.0.draw_rect(a, b, style, fill)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Result<Self> {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Result<Self> {
        let path: Vec<_> = path.into_iter().collect();
        if path.len() < 2 || style.color().alpha == 0.0 {
            return Ok(());
        }
        self.ink(&path, f64::from(style.stroke_width()) / 2.0, style.color())
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Result<Self> {
        if !fill {
            return self.0.draw_circle(at, radius, style, fill);
        }
        self.ink(&[at], f64::from(radius), style.color())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 60;

    /// A path in black on white: the darkness of each pixel.
    fn drawn(path: &[BackendCoord], width: u32) -> Vec<u8> {
        let mut pixels = vec![255; (SIZE * SIZE * 3) as usize];
        let mut pen = Pen(BitMapBackend::with_buffer(&mut pixels, (SIZE, SIZE)));
        pen.draw_path(path.iter().copied(), &Color::stroke_width(&BLACK, width)).unwrap();
        drop(pen);
        pixels.chunks(3).map(|pixel| 255 - pixel[0]).collect()
    }

    fn at(drawn: &[u8], x: i32, y: i32) -> u8 {
        drawn[(y * SIZE as i32 + x) as usize]
    }

    #[test]
    fn short_segments_have_no_gaps() {
        let path: Vec<_> = (5..50).map(|i| (i, 55 - i)).collect();
        for width in 1..5 {
            let drawn = drawn(&path, width);
            assert!(path.iter().all(|&(x, y)| at(&drawn, x, y) == 255), "width {width}");
        }
    }

    #[test]
    fn a_spike_stays_where_it_is() {
        for width in 1..5 {
            let drawn = drawn(&[(5, 40), (30, 40), (31, 20), (32, 40), (55, 40)], width);
            assert_eq!((at(&drawn, 31, 20), at(&drawn, 10, 40)), (255, 255), "width {width}");
            let rows = (0..SIZE as i32).filter(|&y| (0..SIZE as i32).any(|x| at(&drawn, x, y) > 0));
            assert!(rows.clone().min() >= Some(17) && rows.max() <= Some(43), "width {width}");
        }
    }

    #[test]
    fn a_line_is_as_wide_as_it_should_be() {
        for width in 1..5 {
            let (flat, upright) = (drawn(&[(5, 30), (55, 30)], width), drawn(&[(30, 5), (30, 55)], width));
            let ink = |across: &dyn Fn(i32) -> u8| (25..36).map(|i| f64::from(across(i))).sum::<f64>() / 255.0;
            for ink in [ink(&|y| at(&flat, 30, y)), ink(&|x| at(&upright, x, 30))] {
                assert!((ink - f64::from(width)).abs() < 0.02, "width {width}: {ink}");
            }
        }
    }

    #[test]
    fn what_is_outside_the_picture_is_left_out() {
        for far in [i32::MIN, -100, 160, i32::MAX] {
            assert!(drawn(&[(far, far), (far, 10)], 4).iter().all(|&ink| ink == 0));
            assert!(drawn(&[(far, 30), (30, 30)], 4).contains(&255));
        }
    }
}
