//! Fields of a table in a panel: shaded squares with words in them.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::draw::{COLOURS, Chart, Drawn};
use crate::figure::PIXELS;
use crate::words::{FONT, fitting};

/// Of the words, where they fit at this size.
const WORDS_SIZE: u32 = 13 * PIXELS;
/// A shade from which on words are white.
const DARK: f64 = 0.65;

/// A field of a table, one unit wide and high.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its centre.
    pub at: (f64, f64),
    /// From 0, white, to 1, the first colour of lines.
    pub shade: f64,
    /// In its middle, smaller where it is narrow.
    pub words: String,
}

impl Cell {
    /// Its colour, and that of its words.
    fn colours(&self) -> (RGBColor, RGBColor) {
        let shade = if self.shade.is_finite() { self.shade.clamp(0.0, 1.0) } else { 0.0 };
        let part = |full: u8| (255.0 - shade * (255.0 - f64::from(full))).round() as u8;
        let RGBColor(red, green, blue) = COLOURS[0];
        (RGBColor(part(red), part(green), part(blue)), if shade < DARK { BLACK } else { WHITE })
    }
}

/// Draws cells `pixels` wide and high, all words in the size of the widest.
pub(crate) fn draw<'a, B: DrawingBackend + 'a>(cells: &[Cell], chart: &mut Chart<'a, B>, pixels: u32) -> Drawn<B> {
    let fits = |cell: &Cell| fitting(&cell.words, WORDS_SIZE.min(pixels * 3 / 5), pixels * 17 / 20);
    let size = cells.iter().map(fits).min().unwrap_or(WORDS_SIZE);
    let field = |cell: &Cell, style| {
        let (x, y) = cell.at;
        Rectangle::new([(x - 0.5, y - 0.5), (x + 0.5, y + 0.5)], style)
    };
    chart.draw_series(cells.iter().map(|cell| field(cell, cell.colours().0.filled())))?;
    chart.draw_series(cells.iter().map(|cell| field(cell, BLACK.mix(0.15).stroke_width(1))))?;
    let words = cells.iter().filter(|cell| !cell.words.is_empty()).map(|cell| {
        let font = (FONT, size).into_font().color(&cell.colours().1);
        Text::new(cell.words.clone(), cell.at, font.pos(Pos::new(HPos::Center, VPos::Center)))
    });
    chart.draw_series(words)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(shade: f64) -> (RGBColor, RGBColor) {
        Cell { at: (0.0, 0.0), shade, words: String::new() }.colours()
    }

    /// Okabe and Ito's blue is (0, 114, 178): half of it on white (128, 185, 217), rounded from 127.5, 184.5 and 216.5.
    #[test]
    fn a_shade_is_a_mixture_with_white() {
        assert_eq!(colours(0.0), (WHITE, BLACK));
        assert_eq!(colours(0.5), (RGBColor(128, 185, 217), BLACK));
        assert_eq!(colours(1.0), (COLOURS[0], WHITE));
        assert_eq!((colours(7.0), colours(f64::NAN)), (colours(1.0), colours(0.0)));
    }
}
