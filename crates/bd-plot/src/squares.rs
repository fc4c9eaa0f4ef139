//! Squares: where the panels of a figure are that have two axes each.

use crate::axis::Axis;
use crate::figure::{Figure, PIXELS, Panel, WIDTH, X_AXIS_HEIGHT};
use crate::ticks::Tick;
use crate::words::width;

/// Size of the words at ticks.
pub(crate) const TICK_SIZE: u32 = 12 * PIXELS;
/// A line of words beside an axis.
const LABEL: u32 = 26 * PIXELS;
/// Between an axis and the words at its ticks, with the tick itself.
pub(crate) const TICK: u32 = 8 * PIXELS;
const TOP: u32 = 10 * PIXELS;
const TITLE: u32 = 18 * PIXELS;
const RIGHT: u32 = 14 * PIXELS;
/// The smallest side, whatever is beside it.
const LEAST_SIDE: u32 = 40 * PIXELS;

/// Sizes in pixels of the bitmap, the same for all squares of a figure, so that they are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Squares {
    columns: u32,
    pub(crate) side: u32,
    /// The vertical axis with its words.
    pub(crate) left: u32,
    pub(crate) top: u32,
    /// The horizontal axis with its words.
    pub(crate) bottom: u32,
    /// Whether the words at the horizontal ticks stand upright, for they are wider than the ticks are apart.
    pub(crate) upright: bool,
}

impl Squares {
    /// Needs a font that is registered.
    pub(crate) fn of(figure: &Figure) -> Self {
        let columns = figure.columns().min(figure.panels.len().max(1)) as u32;
        let left = y_axis_width(&figure.panels);
        let space = (WIDTH / columns).saturating_sub(left + RIGHT);
        let side = space.min(figure.panel_height() * PIXELS).max(LEAST_SIDE);
        let own = || figure.panels.iter().filter_map(|panel| panel.x_ticks.as_ref());
        let apart = side / own().map(Vec::len).max().unwrap_or(1).max(1) as u32;
        let upright = widest(own().flatten()).filter(|widest| widest + TICK > apart);
        let bottom = upright.map_or(X_AXIS_HEIGHT, |widest| TICK + widest + LABEL);
        let titled = figure.panels.iter().any(|panel| panel.title.is_some());
        let top = TOP + if titled { TITLE } else { 0 };
        Self { columns, side, left, top, bottom, upright: upright.is_some() }
    }

    /// Width and height of a square with all that is around it.
    pub(crate) fn tile(&self) -> (u32, u32) {
        (self.left + self.side + RIGHT, self.top + self.side + self.bottom)
    }

    /// Where the tile of panel `i` begins: all columns together are in the middle.
    pub(crate) fn place(&self, i: usize) -> (u32, u32) {
        let (i, (width, height)) = (i as u32, self.tile());
        let start = WIDTH.saturating_sub(self.columns * width) / 2;
        (start + i % self.columns * width, i / self.columns * height)
    }

    /// What is right of the square.
    pub(crate) fn right(&self) -> u32 {
        RIGHT
    }
}

/// Width of the words and numbers of the widest vertical axis. Needs a font that is registered.
pub(crate) fn y_axis_width(panels: &[Panel]) -> u32 {
    let axes: Vec<_> = panels.iter().map(|panel| panel.y_axis(std::slice::from_ref(panel))).collect();
    LABEL + TICK + widest(axes.iter().flat_map(Axis::ticks)).unwrap_or(0)
}

fn widest<'a>(ticks: impl Iterator<Item = &'a Tick>) -> Option<u32> {
    ticks.map(|(_, words)| width(words, TICK_SIZE)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::register;

    fn squares(names: &[&str], panels: usize, columns: usize) -> Squares {
        register().unwrap();
        let ticks: Vec<(f64, String)> = names.iter().enumerate().map(|(i, name)| (i as f64, (*name).into())).collect();
        let panel = Panel { x_ticks: Some(ticks.clone()), y_ticks: Some(ticks), ..Panel::default() };
        Squares::of(&Figure { panels: vec![panel; panels], columns, panel_height: 300, ..Figure::default() })
    }

    #[test]
    fn words_stand_upright_where_they_are_wider_than_a_column() {
        assert!(!squares(&["running", "walking"], 1, 1).upright);
        let many = squares(&["badminton"; 9], 1, 1);
        assert!(many.upright);
        assert_eq!(many.bottom, TICK + LABEL + width("badminton", TICK_SIZE));
    }

    #[test]
    fn squares_are_in_the_middle_and_do_not_overlap() {
        let one = squares(&["a"], 1, 1);
        assert_eq!((one.side, one.place(0)), (300 * PIXELS, ((WIDTH - one.tile().0) / 2, 0)));
        let four = squares(&["badminton"], 4, 2);
        let (width, height) = four.tile();
        let (x, y) = four.place(0);
        assert_eq!([1, 2, 3].map(|i| four.place(i)), [(x + width, y), (x, y + height), (x + width, y + height)]);
        assert!(x + 2 * width <= WIDTH);
    }

    #[test]
    fn squares_are_smaller_where_several_share_the_width() {
        let three = squares(&["badminton"], 3, 3);
        assert!(three.side < 300 * PIXELS && 3 * three.tile().0 <= WIDTH, "{three:?}");
    }
}
