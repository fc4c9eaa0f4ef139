//! The font of a PDF: the one that figures are drawn in, with what it takes to find words again.

use std::collections::BTreeMap;

use ab_glyph::{Font as _, FontRef, GlyphId};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Str};

use crate::{Error, Result};

pub(super) const FILE: &[u8] = crate::words::FONT_FILE;
/// Height of an x, in sizes of the font.
pub(super) const X_HEIGHT: f32 = 0.547;
/// The letters before the name say that it is a part of the font.
const NAME: Name<'static> = Name(b"BDBDBD+DejaVuSans");
/// Corners of the box that holds every glyph, in units of 2,048: the table `head` of DejaVu Sans.
const BOX: [f32; 4] = [-2090.0, -948.0, 3673.0, 2524.0];
/// Of capital letters and of their upright strokes, in thousandths of the size: DejaVu Sans.
const CAP_HEIGHT: f32 = 729.0;
const STEM: f32 = 92.0;

/// The font, and the glyphs that were used.
pub(super) struct Font {
    font: FontRef<'static>,
    used: BTreeMap<u16, char>,
}

impl Font {
    pub(super) fn new() -> Result<Self> {
        let font = FontRef::try_from_slice(FILE).map_err(|_| Error::Draw("its font cannot be read".into()))?;
        Ok(Self { font, used: BTreeMap::new() })
    }

    /// Numbers of glyphs, two bytes each, and the width of all, in sizes of the font.
    pub(super) fn glyphs(&mut self, text: &str) -> (Vec<u8>, f32) {
        let (mut bytes, mut width) = (Vec::new(), 0.0);
        for c in text.chars().filter(|c| !c.is_control()) {
            let glyph = self.font.glyph_id(c);
            // What the font does not have is drawn as a box, and is no letter to search for.
            if glyph.0 != 0 {
                self.used.entry(glyph.0).or_insert(c);
            }
            width += self.width(glyph);
            bytes.extend(glyph.0.to_be_bytes());
        }
        (bytes, width)
    }

    fn units(&self) -> f32 {
        self.font.units_per_em().unwrap_or(1000.0)
    }

    fn width(&self, glyph: GlyphId) -> f32 {
        self.font.h_advance_unscaled(glyph) / self.units()
    }

    /// Writes the font as objects, of which the first is what pages refer to; `file` is its file.
    pub(super) fn write(&self, pdf: &mut Pdf, file: Ref, [font, descendant, descriptor, unicode]: [Ref; 4]) {
        let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        pdf.type0_font(font)
            .base_font(NAME)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(descendant)
            .to_unicode(unicode);
        let mut cid = pdf.cid_font(descendant);
        cid.subtype(CidFontType::Type2).base_font(NAME).system_info(system).font_descriptor(descriptor);
        cid.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = cid.widths();
        for glyph in [0].iter().chain(self.used.keys()) {
            widths.consecutive(*glyph, [1000.0 * self.width(GlyphId(*glyph))]);
        }
        widths.finish();
        cid.finish();
        let thousandths = |units: f32| 1000.0 * units / self.units();
        let corners = BOX.map(thousandths);
        let (ascent, descent) = (self.font.ascent_unscaled(), self.font.descent_unscaled());
        pdf.font_descriptor(descriptor)
            .name(NAME)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(corners[0], corners[1], corners[2], corners[3]))
            .italic_angle(0.0)
            .ascent(thousandths(ascent))
            .descent(thousandths(descent))
            .cap_height(CAP_HEIGHT)
            .stem_v(STEM)
            .font_file2(file);
        let mut map = UnicodeCmap::new(Name(b"bd"), system);
        for (glyph, c) in &self.used {
            map.pair(*glyph, *c);
        }
        pdf.cmap(unicode, &map.finish());
    }
}
