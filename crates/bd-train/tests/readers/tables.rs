//! Arrays of one part of a random file of samples.

use crate::Draw;
use crate::numpy::{Form, Member};

/// Number types that hold zeros, ones and small whole numbers; the first three hold halves too.
const CODES: [&str; 12] = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"];

/// What inputs are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Content {
    Spikes,
    Whole,
    Halves,
}

/// What targets are, with their number of classes or outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Labels(usize),
    Column(usize),
    OfSteps(usize),
    Text(usize),
    TextOfSteps(usize),
    Numbers,
    Vectors(usize),
    Steps,
    Series(usize),
}

impl Kind {
    pub(crate) fn classes(self) -> Option<usize> {
        match self {
            Self::Labels(n) | Self::Column(n) | Self::OfSteps(n) | Self::Text(n) | Self::TextOfSteps(n) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::TextOfSteps(_))
    }

    pub(crate) fn of_steps(self) -> bool {
        matches!(self, Self::OfSteps(_) | Self::TextOfSteps(_) | Self::Steps | Self::Series(_))
    }
}

/// A part with what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) members: Vec<(String, Member)>,
    pub(crate) count: usize,
    /// Of all inputs that are no padding.
    pub(crate) sum: f64,
    /// The labels that are no padding, or what numbers sum to.
    pub(crate) labels: Vec<usize>,
    pub(crate) target_sum: f64,
}

/// What all parts of a file have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) steps: usize,
    pub(crate) channels: usize,
    pub(crate) content: Content,
    pub(crate) kind: Kind,
    pub(crate) is_padded: bool,
}

pub(crate) fn form(draw: &mut Draw, content: Content) -> Form {
    let codes = match content {
        Content::Spikes => &CODES[..],
        Content::Whole => &CODES[..11],
        Content::Halves => &CODES[..3],
    };
    Form { code: draw.one(codes), is_big_endian: draw.chance(0.2), is_fortran: draw.chance(0.2) }
}

/// What stands in padding: no number where there can be such a one.
fn junk(form: Form) -> f64 {
    match form.code {
        "f2" | "f4" | "f8" => f64::NAN,
        "b1" => 1.0,
        _ => 77.0,
    }
}

pub(crate) const NAMES: [&str; 6] = ["down", "left", "rest", "right", "up", "véla"];

impl Plan {
    /// A part of `count` samples, whose arrays are called `x<suffix>` and so on.
    pub(crate) fn part(&self, draw: &mut Draw, suffix: &str, count: usize) -> Part {
        let Self { steps, channels, content, .. } = *self;
        let lengths: Vec<usize> =
            (0..count).map(|_| if self.is_padded { draw.from(1, steps) } else { steps }).collect();
        let form = form(draw, content);
        let mut sum = 0.0;
        let mut values = Vec::with_capacity(count * steps * channels);
        for at in 0..count * steps * channels {
            let (sample, step) = (at / (steps * channels), at / channels % steps);
            let value = match content {
                Content::Spikes => f64::from(draw.chance(0.4)),
                // One at least that is no spike.
                _ if at == 0 => 2.0,
                Content::Whole => draw.below(9) as f64,
                Content::Halves => draw.below(40) as f64 * 0.5,
            };
            let is_padding = step >= lengths[sample];
            sum += if is_padding { 0.0 } else { value };
            values.push(if is_padding { junk(form) } else { value });
        }
        let mut members =
            vec![(format!("x{suffix}"), Member::Numbers { form, shape: vec![count, steps, channels], values })];
        if self.is_padded {
            let form = Form { code: draw.one(&CODES[3..11]), is_big_endian: draw.chance(0.2), is_fortran: false };
            let values = lengths.iter().map(|length| *length as f64).collect();
            members.push((format!("len{suffix}"), Member::Numbers { form, shape: vec![count], values }));
        }
        let (y, labels, target_sum) = self.targets(draw, &lengths);
        members.push((format!("y{suffix}"), y));
        Part { members, count, sum, labels, target_sum }
    }

    fn targets(&self, draw: &mut Draw, lengths: &[usize]) -> (Member, Vec<usize>, f64) {
        let (count, steps) = (lengths.len(), self.steps);
        let is_valid = |at: usize| !self.kind.of_steps() || at % steps < lengths[at / steps];
        if let Some(classes) = self.kind.classes() {
            let shape = match self.kind {
                Kind::Column(_) => vec![count, 1],
                Kind::OfSteps(_) | Kind::TextOfSteps(_) => vec![count, steps],
                _ => vec![count],
            };
            let all: Vec<usize> = (0..shape.iter().product()).map(|_| draw.below(classes)).collect();
            let labels = all.iter().enumerate().filter(|(at, _)| is_valid(*at)).map(|(_, label)| *label).collect();
            let member = if self.kind.is_text() {
                let item =
                    |(at, label): (usize, &usize)| if is_valid(at) { NAMES[*label].to_owned() } else { "-".into() };
                let items: Vec<String> = all.iter().enumerate().map(item).collect();
                let is_bytes = items.iter().all(|item| item.is_ascii()) && draw.chance(0.5);
                Member::Text { shape, items, is_bytes }
            } else {
                let codes = if classes <= 2 { &CODES[3..] } else { &CODES[3..11] };
                let form =
                    Form { code: draw.one(codes), is_big_endian: draw.chance(0.2), is_fortran: draw.chance(0.2) };
                let value = |(at, label): (usize, &usize)| if is_valid(at) { *label as f64 } else { junk(form) };
                Member::Numbers { form, shape, values: all.iter().enumerate().map(value).collect() }
            };
            return (member, labels, 0.0);
        }
        let (shape, outputs) = match self.kind {
            Kind::Vectors(n) => (vec![count, n], n),
            Kind::Steps => (vec![count, steps], 1),
            Kind::Series(n) => (vec![count, steps, n], n),
            _ => (vec![count], 1),
        };
        let form = form(draw, Content::Halves);
        let mut sum = 0.0;
        let value = |at: usize| {
            let value = draw.below(40) as f64 * 0.5;
            if !self.kind.of_steps() || is_valid(at / outputs) {
                sum += value;
                value
            } else {
                junk(form)
            }
        };
        let values = (0..shape.iter().product()).map(value).collect();
        (Member::Numbers { form, shape, values }, Vec::new(), sum)
    }
}
