//! [`Drawing`]: an SVG of this crate read again, for pages that have pictures in their text.

mod pdf;
mod read;
mod shape;
mod write;

use std::ops::RangeInclusive;

use self::shape::Shape;
use crate::{Error, Figure, Result};

/// A picture that [`Figure::to_svg`] has drawn, read again. Nothing else is: a file that has anything in it that is never drawn there, such as a
/// script or a link, is refused, so that what is in a drawing can stand in a page of one's own.
///
/// ```
/// use bd_plot::{Drawing, Figure, Line, Panel};
///
/// let panel = Panel { lines: vec![Line { points: vec![(0.0, 0.0), (1.0, 1.0)], ..Line::default() }], ..Panel::default() };
/// let drawing = Drawing::of(&Figure { title: "a < b".into(), panels: vec![panel], ..Figure::default() })?;
/// assert_eq!(drawing.title(), "a < b");
/// assert!(drawing.inline("a rising line", 1.0).starts_with("<svg role=\"img\" aria-label=\"a rising line\""));
/// assert!(Drawing::read("<svg><script>alert(1)</script></svg>").is_err());
/// # Ok::<(), bd_plot::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Of the picture, in its own units: half pixels as shown.
    size: (i32, i32),
    /// The words above all panels.
    title: String,
    shapes: Vec<Shape>,
}

impl Drawing {
    /// A figure, drawn.
    ///
    /// # Errors
    /// Those of [`Figure::to_svg`].
    pub fn of(figure: &Figure) -> Result<Self> {
        Self::read(&figure.to_svg()?)
    }

    /// Reads what [`Figure::to_svg`] has written.
    ///
    /// # Errors
    /// [`Error::Foreign`](crate::Error::Foreign) if there is anything else in it.
    pub fn read(svg: &str) -> Result<Self> {
        read::drawing(svg)
    }

    /// The words above all panels; empty without.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// All words, the title first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.shapes.iter().filter_map(Shape::words)
    }

    /// Puts other words where some stand as a whole, and nothing where the others are empty: pairs of words and what replaces them. Returns
    /// for each pair in how many places. Nothing else moves, the frame of a legend included. Numbers stay.
    pub fn rename(&mut self, pairs: &[[&str; 2]]) -> Vec<usize> {
        let mut counts = vec![0; pairs.len()];
        let place = |words: &str| match words.parse::<f64>() {
            Ok(_) => None,
            Err(_) => pairs.iter().position(|[from, _]| *from == words),
        };
        if let Some(pair) = place(&self.title) {
            self.title = pairs[pair][1].into();
        }
        for shape in &mut self.shapes {
            if let Some(pair) = shape.words().and_then(place) {
                shape.set_words(pairs[pair][1]);
                counts[pair] += 1;
            }
        }
        self.shapes.retain(|shape| shape.words() != Some(""));
        counts
    }

    /// As a PDF of one page that is as large as the drawing, `width_mm` wide: lines are lines, and words are words, in a font that is in the
    /// file.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) if the width is not from 10 to 2,000 mm.
    pub fn to_pdf(&self, width_mm: f64) -> Result<Vec<u8>> {
        check_width(width_mm)?;
        pdf::pdf(self, width_mm)
    }

    /// As an SVG document, `width_mm` wide, whose words are set in DejaVu Sans where the viewer has it.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) if the width is not from 10 to 2,000 mm.
    pub fn to_svg(&self, width_mm: f64) -> Result<String> {
        check_width(width_mm)?;
        Ok(write::document(self, width_mm))
    }

    /// As an element `<svg>` that can stand in HTML, shorter than the file: strokes and discs of one colour are one path, and points nearer than
    /// `tolerance` half pixels to the line without them are left out. `label` is what a reader hears who does not see it.
    pub fn inline(&self, label: &str, tolerance: f64) -> String {
        write::inline(self, label, tolerance)
    }
}

/// Widths of pictures on paper, in millimetres.
const WIDTHS_MM: RangeInclusive<f64> = 10.0..=2000.0;

fn check_width(width_mm: f64) -> Result<()> {
    match WIDTHS_MM.contains(&width_mm) {
        true => Ok(()),
        false => Err(Error::Width { width_mm, least: *WIDTHS_MM.start(), most: *WIDTHS_MM.end() }),
    }
}

#[cfg(test)]
mod tests;
