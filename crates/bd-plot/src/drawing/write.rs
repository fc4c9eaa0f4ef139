//! Writes a drawing into a page.

use std::fmt::Write as _;

use super::Drawing;
use super::shape::{Colour, Ink, Paint, Place, Shape, Words};

pub(super) fn inline(drawing: &Drawing, label: &str, tolerance: f64) -> String {
    let (width, height) = drawing.size;
    let root = format!("<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\">", escaped(label));
    root + &elements(drawing, tolerance) + "</svg>"
}

/// A file by itself. Lines are as fine as they were drawn.
pub(super) fn document(drawing: &Drawing, width_mm: f64) -> String {
    let (width, height) = drawing.size;
    let height_mm = width_mm * f64::from(height) / f64::from(width.max(1));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width_mm}mm\" height=\"{height_mm:.3}mm\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans, sans-serif\"><title>{}</title>{}</svg>\n",
        escaped(drawing.title()),
        elements(drawing, 0.0)
    )
}

fn elements(drawing: &Drawing, tolerance: f64) -> String {
    let mut text = String::new();
    let mut path = Path::default();
    for shape in &drawing.shapes {
        match (shape, stroked(shape)) {
            (Shape::Stroke { points, .. }, Some(style)) => {
                path.add(style, &mut text).line(&simplified(points, tolerance))
            }
            (Shape::Disc { at, .. }, Some(style)) => path.add(style, &mut text).dot(*at),
            (other, _) => {
                path.end(&mut text);
                element(other, &mut text);
            }
        }
    }
    path.end(&mut text);
    text
}

/// How a path looks.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Style {
    ink: Ink,
    /// Whether it is made of discs.
    round: bool,
}

/// The style of what can be part of a path.
fn stroked(shape: &Shape) -> Option<Style> {
    match shape {
        Shape::Stroke { ink, .. } => Some(Style { ink: *ink, round: false }),
        // A line without length that ends round is a disc.
        Shape::Disc { radius, paint: Paint { fill: Some(colour), stroke: None, opacity }, .. } => {
            let ink = Ink { colour: *colour, width: 2 * radius, opacity: *opacity };
            Some(Style { ink, round: true })
        }
        _ => None,
    }
}

/// A path that is being written, of everything in a row that has one style.
#[derive(Default)]
struct Path {
    style: Option<Style>,
    data: String,
    /// The last place, and the last command where it need not be written again.
    at: Place,
    command: char,
}

impl Path {
    fn add(&mut self, style: Style, text: &mut String) -> &mut Self {
        if self.style != Some(style) {
            self.end(text);
            self.style = Some(style);
        }
        self
    }

    fn line(&mut self, points: &[Place]) {
        let Some((first, rest)) = points.split_first() else { return };
        self.go('m', *first);
        rest.iter().for_each(|point| self.go('l', *point));
    }

    fn dot(&mut self, at: Place) {
        self.go('m', at);
        self.data.push_str("h0");
        self.command = 'h';
    }

    /// Moves or draws to a place, in as few characters as it takes.
    fn go(&mut self, command: char, to: Place) {
        let (dx, dy) = (to.0 - self.at.0, to.1 - self.at.1);
        let (command, numbers): (char, &[i32]) = match command {
            'l' if dy == 0 => ('h', &[dx]),
            'l' if dx == 0 => ('v', &[dy]),
            other => (other, &[dx, dy]),
        };
        if command != self.command || command == 'm' {
            self.data.push(command);
            self.command = command;
        }
        for number in numbers {
            let follows_digit = self.data.ends_with(|c: char| c.is_ascii_digit());
            if follows_digit && *number >= 0 {
                self.data.push(' ');
            }
            let _ = write!(self.data, "{number}");
        }
        self.at = to;
    }

    fn end(&mut self, text: &mut String) {
        let Self { style, data, .. } = std::mem::take(self);
        let Some(Style { ink, round }) = style else { return };
        let cap = if round { " stroke-linecap=\"round\"" } else { "" };
        let (colour, width, opacity) = (hex(ink.colour), ink.width, faded(ink.opacity));
        let _ = write!(
            text,
            "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{cap}{opacity} d=\"{data}\"/>"
        );
    }
}

fn element(shape: &Shape, text: &mut String) {
    let _ = match shape {
        Shape::Words(words) => return write_words(words, text),
        Shape::Rect { at: (x, y), size: (w, h), paint } => {
            write!(text, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{}/>", painted(paint))
        }
        Shape::Disc { at: (x, y), radius, paint } => {
            write!(text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{}/>", painted(paint))
        }
        Shape::Area { points, paint } => {
            let points: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
            write!(text, "<polygon points=\"{}\"{}/>", points.join(" "), painted(paint))
        }
        Shape::Stroke { .. } => Ok(()),
    };
}

fn write_words(words: &Words, text: &mut String) {
    let Words { at: (x, y), below, anchor, size, colour, turned, .. } = words;
    let turned = turned.map_or(String::new(), |(degrees, (x, y))| format!(" transform=\"rotate({degrees} {x} {y})\""));
    let (colour, said) = (hex(*colour), escaped(&words.text));
    let _ = write!(
        text,
        "<text x=\"{x}\" y=\"{y}\" dy=\"{below}\" text-anchor=\"{anchor}\" font-size=\"{size:.1}\" fill=\"{colour}\"{turned}>{said}</text>"
    );
}

fn painted(paint: &Paint) -> String {
    let of = |name: &str, colour: Option<Colour>| match colour {
        Some(colour) => format!(" {name}=\"{}\"", hex(colour)),
        None if name == "fill" => " fill=\"none\"".to_owned(),
        None => String::new(),
    };
    of("fill", paint.fill) + &of("stroke", paint.stroke) + &faded(paint.opacity)
}

fn faded(opacity: f64) -> String {
    if opacity == 1.0 { String::new() } else { format!(" opacity=\"{opacity}\"") }
}

fn hex([r, g, b]: Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Words as they are written in HTML, between tags or quotes.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            // None of them is a character of HTML.
            c if c.is_control() => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

/// Points that are needed for a line to stay within `tolerance` of where it was (Ramer, Douglas and Peucker).
fn simplified(points: &[Place], tolerance: f64) -> Vec<Place> {
    let Some(last) = points.len().checked_sub(1).filter(|last| *last > 1) else { return points.to_vec() };
    let mut kept = vec![false; points.len()];
    (kept[0], kept[last]) = (true, true);
    let mut open = vec![(0, last)];
    while let Some((from, to)) = open.pop() {
        let distances = (from + 1..to).map(|i| (i, distance(points[i], points[from], points[to])));
        let Some((farthest, far)) = distances.max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        if far > tolerance {
            kept[farthest] = true;
            open.extend([(from, farthest), (farthest, to)]);
        }
    }
    points.iter().zip(kept).filter_map(|(point, kept)| kept.then_some(*point)).collect()
}

/// From a point to the piece of line between two others.
fn distance(point: Place, from: Place, to: Place) -> f64 {
    let along = |a: Place, b: Place| (f64::from(b.0) - f64::from(a.0), f64::from(b.1) - f64::from(a.1));
    let ((dx, dy), (px, py)) = (along(from, to), along(from, point));
    let square = dx * dx + dy * dy;
    let share = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
    (px - share * dx).hypot(py - share * dy)
}
