//! [`Layout`], [`Profile`]: where neurons lie, and how a probability falls with their distance.

use serde::{Deserialize, Serialize};

/// How a probability falls with the distance `d`, as a part of that at no distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// `exp(-d^2 / (2 scale^2))`.
    Gaussian,
    /// `exp(-d / scale)`.
    Exponential,
    /// 1 up to `scale`, and 0 beyond.
    Box,
}

/// Where the neurons of a population lie: the first at the beginning, the others evenly in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// On a line of length 1.
    Line,
    /// On a circle of circumference 1: distances are at most 0.5.
    Ring,
    /// Row by row on a square of side 1, of as many rows as columns.
    Grid,
    /// The same on a square whose opposite sides meet.
    Torus,
    /// Where the `positions` of the populations say.
    Positions,
}

impl Profile {
    pub(crate) fn at(self, distance: f64, scale: f64) -> f64 {
        let d = distance / scale;
        match self {
            Self::Gaussian => bd_kernel::portable::exp(-0.5 * d * d),
            Self::Exponential => bd_kernel::portable::exp(-d),
            Self::Box => f64::from(u8::from(distance <= scale)),
        }
    }
}

/// Where a neuron lies: `x`, `y` and `z`.
pub type Place = [f64; 3];

/// Where the neurons of a population lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space<'a> {
    pub(crate) layout: Layout,
    pub(crate) n: usize,
    /// As the text says, of [`Layout::Positions`].
    pub(crate) places: Option<&'a [Place]>,
}

impl Space<'_> {
    pub(crate) fn place(self, neuron: usize) -> Place {
        let Self { layout, n, places } = self;
        match layout {
            Layout::Line | Layout::Ring => [neuron as f64 / n as f64, 0.0, 0.0],
            Layout::Grid | Layout::Torus => {
                let side = (n as f64).sqrt().ceil() as usize;
                let [x, y] = [neuron % side, neuron / side].map(|at| at as f64 / side as f64);
                [x, y, 0.0]
            }
            Layout::Positions => places.map_or_else(Place::default, |places| places[neuron]),
        }
    }
}

impl Layout {
    pub(crate) fn distance(self, a: Place, b: Place) -> f64 {
        let along = |axis: usize| {
            let d = (a[axis] - b[axis]).abs();
            if matches!(self, Self::Ring | Self::Torus) { d.min(1.0 - d) } else { d }
        };
        (along(0) * along(0) + along(1) * along(1) + along(2) * along(2)).sqrt()
    }
}
