//! What the colours of all panels stand for, in a row below the title.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::draw::{COLOURS, Drawn};
use crate::figure::{PIXELS, WIDTH};
use crate::words::{FONT, width};

const SIZE: u32 = 12 * PIXELS;
/// A piece of line before each name, with the space behind it.
const SAMPLE: u32 = 14 * PIXELS;
const SPACE: u32 = 5 * PIXELS;
/// Between a name and the next piece of line.
const GAP: u32 = 16 * PIXELS;
/// Of the middle of the row above the panels.
const ABOVE_PANELS: i32 = 8 * PIXELS as i32;

/// Draws names at the lower edge of the head of a figure.
pub(crate) fn draw<B: DrawingBackend>(names: &[String], head: &DrawingArea<B, Shift>) -> Drawn<B> {
    let y = head.dim_in_pixel().1 as i32 - ABOVE_PANELS;
    let style = TextStyle::from((FONT, SIZE).into_font()).pos(Pos::new(HPos::Left, VPos::Center));
    for ((name, x), colour) in names.iter().zip(places(names)).zip(COLOURS.iter().cycle()) {
        let (x, end) = (x as i32, (x + SAMPLE) as i32);
        head.draw(&PathElement::new([(x, y), (end, y)], colour.stroke_width(2 * PIXELS)))?;
        head.draw_text(name, &style, (end + SPACE as i32, y))?;
    }
    Ok(())
}

/// Where each entry begins: all together are in the middle.
fn places(names: &[String]) -> Vec<u32> {
    let widths: Vec<u32> = names.iter().map(|name| SAMPLE + SPACE + width(name, SIZE)).collect();
    let all = widths.iter().sum::<u32>() + GAP * (names.len() as u32).saturating_sub(1);
    let first = WIDTH.saturating_sub(all) / 2;
    let next = |x: &mut u32, width: &u32| {
        let here = *x;
        *x += width + GAP;
        Some(here)
    };
    widths.iter().scan(first, next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::register;

    #[test]
    fn entries_are_in_the_middle_and_do_not_overlap() {
        register().unwrap();
        let names = ["channel 0", "a longer name"].map(str::to_owned);
        let places = places(&names);
        let entry = |i: usize| SAMPLE + SPACE + width(&names[i], SIZE);
        assert_eq!(places[1] - places[0], entry(0) + GAP);
        assert!(places[0].abs_diff(WIDTH - (places[1] + entry(1))) <= 1, "as much space left as right");
    }
}
