//! Text of a figure: its font, how wide it is, and what becomes of it where that is too wide.

use ab_glyph::{Font as _, FontRef};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::{Error, Result};

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const FONT_FILE: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");

/// Makes the font known: the same one everywhere, whatever the machine has. Registering it twice changes nothing.
pub(crate) fn register() -> Result<()> {
    register_font(FONT, FontStyle::Normal, FONT_FILE).map_err(|_| Error::Draw("its font cannot be read".into()))
}

/// The first sign of a text that the font of figures does not have, and that would be a box: it has Latin and Greek letters and what stands
/// with them.
pub fn missing_sign(text: &str) -> Option<char> {
    let font = FontRef::try_from_slice(FONT_FILE).ok()?;
    text.chars().find(|&c| font.glyph_id(c).0 == 0)
}

/// Width of a text in pixels of the bitmap, in a [registered](register) font of `size` pixels.
pub(crate) fn width(text: &str, size: u32) -> u32 {
    (FONT, size).into_font().box_size(text).map_or(0, |(width, _)| width)
}

/// The largest size up to `size` at which a text is no wider than `most`, and at least 1.
pub(crate) fn fitting(text: &str, size: u32, most: u32) -> u32 {
    let mut size = size.max(1);
    while size > 1 && width(text, size) > most {
        size -= 1;
    }
    size
}

/// A name in at most `most` characters; of a longer one the beginning and the end, for names often differ in a number at the end.
pub fn shorten(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most {
        return name.to_owned();
    }
    let (start, end) = (most / 2, most.saturating_sub(most / 2 + 1));
    name.chars().take(start).chain(['…']).chain(name.chars().skip(count - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_both_ends_stay() {
        assert_eq!(shorten("gesture 12", 10), "gesture 12");
        assert_eq!(shorten("a gesture 12", 10), "a ges…e 12");
        assert_eq!(shorten("Gänsemärsche", 5), "Gä…he");
        assert_eq!([0, 1, 2].map(|most| shorten("walking", most)), ["…", "…", "w…"]);
    }

    #[test]
    fn signs_that_would_be_boxes_are_found() {
        assert_eq!(missing_sign("Spannung (µV²), Größe, Δτ"), None);
        assert_eq!(missing_sign("rate (s⁻¹)"), Some('⁻'));
    }

    #[test]
    fn a_text_is_as_large_as_fits() {
        register().unwrap();
        let text = "confusion of forty classes";
        assert_eq!(fitting(text, 24, 10_000), 24);
        let size = fitting(text, 24, 150);
        assert!(width(text, size) <= 150 && width(text, size + 1) > 150, "{size}");
        assert_eq!(fitting(text, 24, 0), 1);
    }
}
