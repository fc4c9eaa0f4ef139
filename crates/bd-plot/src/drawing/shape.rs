//! What a drawing is made of.

/// A place, in half pixels as shown.
pub(super) type Place = (i32, i32);

/// Red, green and blue.
pub(super) type Colour = [u8; 3];

/// One element of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A line through all points.
    Stroke {
        points: Vec<Place>,
        ink: Ink,
    },
    /// A field within all points.
    Area {
        points: Vec<Place>,
        paint: Paint,
    },
    Rect {
        at: Place,
        size: Place,
        paint: Paint,
    },
    Disc {
        at: Place,
        radius: i32,
        paint: Paint,
    },
    Words(Words),
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    pub(super) colour: Colour,
    pub(super) width: i32,
    pub(super) opacity: f64,
}

/// How a field is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Paint {
    pub(super) fill: Option<Colour>,
    pub(super) stroke: Option<Colour>,
    pub(super) opacity: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) at: Place,
    /// How far they stand below their place, a number and `em` or `ex`.
    pub(super) below: String,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    pub(super) size: f64,
    pub(super) colour: Colour,
    /// Degrees, around a point.
    pub(super) turned: Option<(i32, Place)>,
}

impl Shape {
    pub(super) fn words(&self) -> Option<&str> {
        match self {
            Self::Words(words) => Some(&words.text),
            _ => None,
        }
    }

    /// Of words alone.
    pub(super) fn set_words(&mut self, text: &str) {
        if let Self::Words(words) = self {
            words.text = text.into();
        }
    }
}
