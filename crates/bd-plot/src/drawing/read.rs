//! Reads the SVG that plotters writes for this crate, and nothing beyond it.

use super::Drawing;
use super::shape::{Colour, Ink, Paint, Place, Shape, Words};
use crate::{Error, Result};

/// Coordinates are within this: pictures are at most 40,000 half pixels high, and lines end at their frames.
const FARTHEST: f64 = 1e6;

pub(super) fn drawing(svg: &str) -> Result<Drawing> {
    let mut elements = Elements(svg.trim());
    let root =
        elements.next()?.filter(|root| root.name == "svg").ok_or_else(|| foreign("it does not begin with <svg"))?;
    root.only(&["width", "height", "viewBox", "xmlns"])?;
    let corners: Vec<i32> = root.text("viewBox")?.split(' ').map(whole).collect::<Result<_>>()?;
    let &[0, 0, width, height] = &corners[..] else { return Err(foreign("its viewBox does not begin at 0 0")) };
    let mut shapes = Vec::new();
    while let Some(element) = elements.next()? {
        shapes.push(element.shape()?);
    }
    let title = shapes.iter().find_map(Shape::words).unwrap_or_default().to_owned();
    Ok(Drawing { size: (width, height), title, shapes })
}

fn foreign(why: impl Into<String>) -> Error {
    Error::Foreign(why.into())
}

/// What is left of a document.
struct Elements<'a>(&'a str);

/// An element without others in it.
struct Element<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    /// Of an element `text` its words, as they are written.
    content: &'a str,
}

impl<'a> Elements<'a> {
    /// The next element; `None` at the end of the document.
    fn next(&mut self) -> Result<Option<Element<'a>>> {
        let unclosed = || foreign("an element does not end");
        self.0 = self.0.trim_start();
        if self.0.trim_end() == "</svg>" {
            return Ok(None);
        }
        let rest = self.0.strip_prefix('<').ok_or_else(|| foreign("there are words outside of its elements"))?;
        let (inside, mut rest) = rest.split_once('>').ok_or_else(unclosed)?;
        let mut content = "";
        let (name, attributes) = inside.split_once([' ', '\n']).unwrap_or((inside, ""));
        let attributes = match (name, attributes.strip_suffix('/')) {
            ("svg", None) => attributes,
            ("text", None) => {
                (content, rest) = rest.split_once("</text>").ok_or_else(unclosed)?;
                attributes
            }
            (_, Some(attributes)) => attributes,
            (_, None) => return Err(foreign(format!("there is <{name}>"))),
        };
        self.0 = rest;
        Ok(Some(Element { name, attributes: pairs(attributes)?, content }))
    }
}

/// Names and values of attributes.
fn pairs(mut text: &str) -> Result<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    while !text.trim().is_empty() {
        let broken = || foreign("an attribute is not NAME=\"VALUE\"");
        let (name, rest) = text.split_once("=\"").ok_or_else(broken)?;
        let (value, rest) = rest.split_once('"').ok_or_else(broken)?;
        found.push((name.trim(), value));
        text = rest;
    }
    Ok(found)
}

impl Element<'_> {
    fn shape(&self) -> Result<Shape> {
        match self.name {
            "polyline" => {
                self.only(&["fill", "opacity", "stroke", "stroke-width", "points"])?;
                Ok(Shape::Stroke { points: self.points()?, ink: self.ink()? })
            }
            "line" => {
                self.only(&["opacity", "stroke", "stroke-width", "x1", "y1", "x2", "y2"])?;
                Ok(Shape::Stroke { points: vec![self.place("x1", "y1")?, self.place("x2", "y2")?], ink: self.ink()? })
            }
            "polygon" => {
                self.only(&["opacity", "fill", "points", "stroke"])?;
                Ok(Shape::Area { points: self.points()?, paint: self.paint()? })
            }
            "rect" => {
                self.only(&["x", "y", "width", "height", "opacity", "fill", "stroke"])?;
                let (at, size) = (self.place("x", "y")?, self.place("width", "height")?);
                Ok(Shape::Rect { at, size, paint: self.paint()? })
            }
            "circle" => {
                self.only(&["cx", "cy", "r", "opacity", "fill", "stroke", "stroke-width"])?;
                Ok(Shape::Disc { at: self.place("cx", "cy")?, radius: self.whole("r")?, paint: self.paint()? })
            }
            "text" => self.words().map(Shape::Words),
            other => Err(foreign(format!("there is <{other}>"))),
        }
    }

    fn words(&self) -> Result<Words> {
        let names = ["x", "y", "dy", "text-anchor", "font-family", "font-size", "opacity", "fill", "transform"];
        self.only(&names)?;
        let anchor = self.text("text-anchor")?;
        let anchor = ["start", "middle", "end"].into_iter().find(|known| *known == anchor);
        let below = self.optional("dy").unwrap_or("0em");
        let is_length = ["em", "ex"].iter().any(|unit| below.strip_suffix(unit).is_some_and(|n| number(n).is_ok()));
        Ok(Words {
            text: plain(self.content.trim()),
            at: self.place("x", "y")?,
            below: is_length.then(|| below.to_owned()).ok_or_else(|| foreign("dy is no length"))?,
            anchor: anchor.ok_or_else(|| foreign("text-anchor is none of start, middle, end"))?,
            size: number(self.text("font-size")?)?,
            colour: colour(self.text("fill")?)?.ok_or_else(|| foreign("words have no colour"))?,
            turned: self.optional("transform").map(turned).transpose()?,
        })
    }

    /// Fails if there is another attribute.
    fn only(&self, allowed: &[&str]) -> Result<()> {
        match self.attributes.iter().find(|(name, _)| !allowed.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(foreign(format!("<{}> has {name}", self.name))),
        }
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Result<&str> {
        self.optional(name).ok_or_else(|| foreign(format!("<{}> has no {name}", self.name)))
    }

    fn whole(&self, name: &str) -> Result<i32> {
        whole(self.text(name)?)
    }

    fn place(&self, x: &str, y: &str) -> Result<Place> {
        Ok((self.whole(x)?, self.whole(y)?))
    }

    fn points(&self) -> Result<Vec<Place>> {
        let place = |pair: &str| {
            let (x, y) = pair.split_once(',').ok_or_else(|| foreign("a point is not X,Y"))?;
            Ok((whole(x)?, whole(y)?))
        };
        self.text("points")?.split_whitespace().map(place).collect()
    }

    fn opacity(&self) -> Result<f64> {
        number(self.text("opacity")?)
    }

    fn ink(&self) -> Result<Ink> {
        let colour = colour(self.text("stroke")?)?.ok_or_else(|| foreign("a line has no colour"))?;
        Ok(Ink { colour, width: self.whole("stroke-width")?, opacity: self.opacity()? })
    }

    fn paint(&self) -> Result<Paint> {
        let of = |name: &str| self.optional(name).map_or(Ok(None), colour);
        Ok(Paint { fill: of("fill")?, stroke: of("stroke")?, opacity: self.opacity()? })
    }
}

fn number(text: &str) -> Result<f64> {
    let found = text.parse::<f64>().ok().filter(|number| number.abs() <= FARTHEST);
    found.ok_or_else(|| foreign(format!("{} is no number of a picture", crate::shorten(text, 20))))
}

fn whole(text: &str) -> Result<i32> {
    number(text).map(|number| number.round() as i32)
}

/// `#RRGGBB` or `none`.
fn colour(text: &str) -> Result<Option<Colour>> {
    if text == "none" {
        return Ok(None);
    }
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let [_, r, g, b] = value.ok_or_else(|| foreign("a colour is not #RRGGBB"))?.to_be_bytes();
    Ok(Some([r, g, b]))
}

/// `rotate(270, 12, 328)`.
fn turned(text: &str) -> Result<(i32, Place)> {
    let inside = text.strip_prefix("rotate(").and_then(|rest| rest.strip_suffix(')'));
    let numbers = inside.unwrap_or_default().split(", ").map(whole).collect::<Result<Vec<_>>>()?;
    match numbers[..] {
        [degrees, x, y] => Ok((degrees, (x, y))),
        _ => Err(foreign("a transform is not rotate(DEGREES, X, Y)")),
    }
}

/// Words as they are read, of words as they are written.
fn plain(written: &str) -> String {
    // The last one, so that `&amp;lt;` is `&lt;`.
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(written.to_owned(), |text, (entity, c)| text.replace(entity, c))
}
