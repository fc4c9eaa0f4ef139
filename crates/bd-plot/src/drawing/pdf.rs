//! Writes a drawing as a PDF of one page, as large as the drawing: lines stay lines, and words can be searched.

mod font;

use std::collections::BTreeMap;

use pdf_writer::types::LineCapStyle;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use self::font::Font;
use super::Drawing;
use super::shape::{Colour, Ink, Paint, Place, Shape, Words};
use crate::Result;

/// Of a PDF, an inch.
const POINTS_PER_MM: f32 = 72.0 / 25.4;
/// Far from the centre of a circle by its radius: where the handles of four curves lie that are nearly one.
const HANDLE: f32 = 0.552_285;
/// The longest mitre for the width of a line, as in SVG.
const MITRE: f32 = 4.0;
const FONT: Name<'static> = Name(b"F");
/// Compression: beyond this it takes longer and saves little.
const LEVEL: u8 = 6;

pub(super) fn pdf(drawing: &Drawing, width_mm: f64) -> Result<Vec<u8>> {
    let mut font = Font::new()?;
    let (width, height) = (drawing.size.0.max(1) as f32, drawing.size.1.max(1) as f32);
    let scale = width_mm as f32 * POINTS_PER_MM / width;
    let mut page = Page { content: Content::new(), opacities: BTreeMap::new(), opacity: 1.0, font: &mut font };
    // From the upper left corner downwards, in half pixels as shown.
    page.content.transform([scale, 0.0, 0.0, -scale, 0.0, height * scale]).set_miter_limit(MITRE);
    drawing.shapes.iter().for_each(|shape| page.shape(shape));
    let Page { content, opacities, .. } = page;

    let mut next = (1..).map(Ref::new);
    let mut new = || next.next().expect("there are many");
    let (catalog, pages, page, contents, info) = (new(), new(), new(), new(), new());
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut entry = pdf.page(page);
    entry.media_box(Rect::new(0.0, 0.0, width * scale, height * scale)).parent(pages).contents(contents);
    let (font_file, fonts) = (new(), [new(), new(), new(), new()]);
    let mut resources = entry.resources();
    resources.fonts().pair(FONT, fonts[0]);
    let mut states = resources.ext_g_states();
    for (thousandths, name) in &opacities {
        let opacity = *thousandths as f32 / 1000.0;
        let mut state = states.insert(Name(name.as_bytes())).start::<pdf_writer::writers::ExtGraphicsState<'_>>();
        state.stroking_alpha(opacity).non_stroking_alpha(opacity);
    }
    states.finish();
    resources.finish();
    entry.finish();
    deflated(&mut pdf, contents, &content.finish(), None);
    deflated(&mut pdf, font_file, font::FILE, Some(font::FILE.len() as i32));
    font.write(&mut pdf, font_file, fonts);
    pdf.document_info(info).title(TextStr(drawing.title())).creator(TextStr("bd"));
    Ok(pdf.finish())
}

/// With its length before it was made smaller, where readers are to know it, as of fonts.
fn deflated(pdf: &mut Pdf, id: Ref, data: &[u8], length: Option<i32>) {
    let small = miniz_oxide::deflate::compress_to_vec_zlib(data, LEVEL);
    let mut stream = pdf.stream(id, &small);
    stream.filter(pdf_writer::Filter::FlateDecode);
    if let Some(length) = length {
        stream.pair(Name(b"Length1"), length);
    }
}

/// What is drawn on a page.
struct Page<'a> {
    content: Content,
    /// By thousandths, with their names.
    opacities: BTreeMap<u32, String>,
    /// The present one.
    opacity: f64,
    font: &'a mut Font,
}

impl Page<'_> {
    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Stroke { points, ink } => self.stroke(points, *ink),
            Shape::Area { points, paint } => self.painted(paint, |content| path(content, points, true)),
            Shape::Rect { at, size, paint } => self.painted(paint, |content| {
                content.rect(at.0 as f32, at.1 as f32, size.0 as f32, size.1 as f32);
            }),
            Shape::Disc { at, radius, paint } => match paint {
                // A line without length that ends round.
                Paint { fill: Some(colour), stroke: None, opacity } => {
                    let ink = Ink { colour: *colour, width: 2 * radius, opacity: *opacity };
                    self.content.set_line_cap(LineCapStyle::RoundCap);
                    self.stroke(&[*at, *at], ink);
                    self.content.set_line_cap(LineCapStyle::ButtCap);
                }
                paint => self.painted(paint, |content| circle(content, *at, *radius)),
            },
            Shape::Words(words) => self.words(words),
        }
    }

    fn stroke(&mut self, points: &[Place], ink: Ink) {
        self.fade(ink.opacity);
        let [r, g, b] = part(ink.colour);
        self.content.set_stroke_rgb(r, g, b).set_line_width(ink.width as f32);
        path(&mut self.content, points, false);
        self.content.stroke();
    }

    fn painted(&mut self, paint: &Paint, path: impl Fn(&mut Content)) {
        self.fade(paint.opacity);
        if let Some([r, g, b]) = paint.fill.map(part) {
            self.content.set_fill_rgb(r, g, b);
            path(&mut self.content);
            self.content.fill_nonzero();
        }
        if let Some([r, g, b]) = paint.stroke.map(part) {
            self.content.set_stroke_rgb(r, g, b).set_line_width(1.0);
            path(&mut self.content);
            self.content.stroke();
        }
    }

    /// Sets the opacity of what follows.
    fn fade(&mut self, opacity: f64) {
        if opacity == self.opacity {
            return;
        }
        self.opacity = opacity;
        let thousandths = (opacity.clamp(0.0, 1.0) * 1000.0).round() as u32;
        let name = self.opacities.entry(thousandths).or_insert_with(|| format!("O{thousandths}"));
        self.content.set_parameters(Name(name.as_bytes()));
    }

    fn words(&mut self, words: &Words) {
        let Words { text, at, anchor, colour, turned, .. } = words;
        let size = words.size as f32;
        let (glyphs, width) = self.font.glyphs(text);
        let left = match *anchor {
            "middle" => width / 2.0,
            "end" => width,
            _ => 0.0,
        };
        let (x, y) = (at.0 as f32 - left * size, at.1 as f32 + below(&words.below) * size);
        self.fade(1.0);
        let [r, g, b] = part(*colour);
        let content = &mut self.content;
        content.save_state().set_fill_rgb(r, g, b);
        if let Some((degrees, (x, y))) = *turned {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            // A quarter is one, without the last digits of pi.
            let [sin, cos] = [sin, cos].map(|part| ((part * 1e6).round() / 1e6) as f32);
            let (x, y) = (x as f32, y as f32);
            content.transform([cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y]);
        }
        // Letters stand upwards.
        content.begin_text().set_font(FONT, size).set_text_matrix([1.0, 0.0, 0.0, -1.0, x, y]);
        content.show(Str(&glyphs)).end_text().restore_state();
    }
}

fn path(content: &mut Content, points: &[Place], is_closed: bool) {
    let Some(((x, y), rest)) = points.split_first() else { return };
    content.move_to(*x as f32, *y as f32);
    for (x, y) in rest {
        content.line_to(*x as f32, *y as f32);
    }
    if is_closed {
        content.close_path();
    }
}

fn circle(content: &mut Content, at: Place, radius: i32) {
    let (x, y, r) = (at.0 as f32, at.1 as f32, radius as f32);
    let h = HANDLE * r;
    content.move_to(x + r, y);
    content.cubic_to(x + r, y + h, x + h, y + r, x, y + r);
    content.cubic_to(x - h, y + r, x - r, y + h, x - r, y);
    content.cubic_to(x - r, y - h, x - h, y - r, x, y - r);
    content.cubic_to(x + h, y - r, x + r, y - h, x + r, y).close_path();
}

fn part(colour: Colour) -> [f32; 3] {
    colour.map(|part| f32::from(part) / 255.0)
}

/// How far words stand below their place, in sizes of their font; `ex` is the height of an x.
fn below(length: &str) -> f32 {
    let of = |unit: &str| length.strip_suffix(unit)?.parse::<f32>().ok();
    of("em").or_else(|| of("ex").map(|heights| heights * font::X_HEIGHT)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(shapes: Vec<Shape>) -> (String, Vec<u32>) {
        let mut font = Font::new().unwrap();
        let mut page = Page { content: Content::new(), opacities: BTreeMap::new(), opacity: 1.0, font: &mut font };
        shapes.iter().for_each(|shape| page.shape(shape));
        let opacities = page.opacities.keys().copied().collect();
        (String::from_utf8_lossy(&page.content.finish()).into_owned(), opacities)
    }

    /// Operators of ISO 32000-1, 8.5 and 9.4.
    #[test]
    fn shapes_are_operators() {
        let paint = Paint { fill: Some([255, 0, 0]), stroke: None, opacity: 0.5 };
        let ink = Ink { colour: [0, 0, 255], width: 3, opacity: 0.5 };
        let points = vec![(1, 2), (3, 4), (5, 2)];
        let (content, opacities) = drawn(vec![
            Shape::Stroke { points: points.clone(), ink },
            Shape::Area { points, paint },
            Shape::Rect { at: (10, 20), size: (30, 40), paint: Paint { opacity: 1.0, ..paint } },
            Shape::Disc { at: (7, 8), radius: 2, paint },
        ]);
        let expected = "/O500 gs\n0 0 1 RG\n3 w\n1 2 m\n3 4 l\n5 2 l\nS\n1 0 0 rg\n1 2 m\n3 4 l\n5 2 l\nh\nf\n\
                        /O1000 gs\n1 0 0 rg\n10 20 30 40 re\nf\n1 J\n/O500 gs\n1 0 0 RG\n4 w\n7 8 m\n7 8 l\nS\n0 J";
        assert_eq!(content.trim_end(), expected);
        assert_eq!(opacities, [500, 1000]);
    }

    /// Words in the middle of a place begin half of their width before it, and those of a vertical axis are turned around theirs.
    #[test]
    fn words_stand_where_they_are_anchored() {
        let words = Words {
            text: "HH".into(),
            at: (100, 50),
            below: "0.5em".into(),
            anchor: "middle",
            size: 20.0,
            colour: [0, 0, 0],
            turned: Some((270, (100, 50))),
        };
        let (content, _) = drawn(vec![Shape::Words(words)]);
        let width = 2.0 * 1540.0 / 2048.0 * 20.0; // of DejaVu Sans, 1,540 of 2,048 units each
        let numbers = |operator: &str| -> Vec<f32> {
            let line = content.lines().find(|line| line.ends_with(operator)).unwrap();
            line.split(' ').filter_map(|number| number.parse().ok()).collect()
        };
        let at = numbers(" Tm");
        assert_eq!((&at[..4], at[5]), (&[1.0, 0.0, 0.0, -1.0][..], 60.0));
        assert!((at[4] - (100.0 - width / 2.0)).abs() < 1e-3, "{at:?}");
        // x' = y + 50, y' = 150 - x: around 100, 50 by a quarter to the left.
        assert_eq!(numbers(" cm"), [0.0, -1.0, 1.0, 0.0, 50.0, 150.0]);
    }
}
