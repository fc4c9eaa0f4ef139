//! The parts of a line that lie in its panel.

use std::ops::Range;

use crate::axis::{contains, drawable};

pub(crate) type Point = (f64, f64);

/// The stretches of a line within a rectangle. It has gaps where a point cannot be drawn, and ends at the edges where it leaves.
pub(crate) fn clip(points: &[Point], x: &Range<f64>, y: &Range<f64>) -> Vec<Vec<Point>> {
    let inside = |&(px, py): &Point| contains(x, px) && contains(y, py);
    let stretches = points.split(|&(px, py)| !drawable(px) || !drawable(py)).filter(|stretch| !stretch.is_empty());
    let mut pieces = Vec::new();
    for stretch in stretches {
        if stretch.iter().all(inside) {
            pieces.push(stretch.to_vec());
            continue;
        }
        let mut piece: Vec<Point> = Vec::new();
        for pair in stretch.windows(2) {
            let Some((enters, leaves)) = segment(pair[0], pair[1], x, y) else { continue };
            if piece.last() != Some(&enters) {
                pieces.extend((piece.len() > 1).then(|| std::mem::take(&mut piece)));
                piece = vec![enters];
            }
            piece.push(leaves);
        }
        pieces.extend((piece.len() > 1).then_some(piece));
    }
    pieces
}

/// The part of a segment within a rectangle, after Liang and Barsky, "A New Concept and Method for Line Clipping", ACM Transactions on
/// Graphics 3 (1984).
fn segment(from: Point, to: Point, x: &Range<f64>, y: &Range<f64>) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    let edges = [(-dx, from.0 - x.start), (dx, x.end - from.0), (-dy, from.1 - y.start), (dy, y.end - from.1)];
    for (outwards, distance) in edges {
        if outwards == 0.0 {
            if distance < 0.0 {
                return None; // along an edge, outside
            }
        } else if outwards < 0.0 {
            start = start.max(distance / outwards);
        } else {
            end = end.min(distance / outwards);
        }
    }
    let at = |t: f64| match t {
        0.0 => from,
        1.0 => to,
        // Round-off must not carry it over the edge again.
        _ => ((from.0 + t * dx).clamp(x.start, x.end), (from.1 + t * dy).clamp(y.start, y.end)),
    };
    (start < end).then(|| (at(start), at(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(points: &[Point]) -> Vec<Vec<Point>> {
        clip(points, &(0.0..10.0), &(0.0..1.0))
    }

    #[test]
    fn a_line_inside_stays_as_it_is() {
        let points = [(0.0, 0.0), (5.0, 1.0), (10.0, 0.5)];
        assert_eq!(clipped(&points), [points.to_vec()]);
        assert_eq!(clipped(&[(5.0, 0.5)]), [vec![(5.0, 0.5)]]);
    }

    #[test]
    fn a_line_ends_at_the_edge_where_it_leaves_and_begins_where_it_returns() {
        let points = [(0.0, 0.5), (2.0, 1.5), (4.0, 0.5), (6.0, -0.5)];
        let expected = [vec![(0.0, 0.5), (1.0, 1.0)], vec![(3.0, 1.0), (4.0, 0.5), (5.0, 0.0)]];
        assert_eq!(clipped(&points), expected);
        assert_eq!(clipped(&[(-1.0, -0.1), (11.0, 1.1)]).len(), 1, "across the whole panel");
    }

    #[test]
    fn a_line_that_explodes_ends_above_its_last_point() {
        let [piece] = <[_; 1]>::try_from(clipped(&[(1.0, 0.5), (2.0, 1e275), (3.0, f64::INFINITY)])).unwrap();
        assert_eq!(piece, [(1.0, 0.5), (1.0, 1.0)]);
    }

    #[test]
    fn what_is_outside_is_left_out() {
        for points in [[(1.0, 2.0), (9.0, 3.0)], [(-1.0, 0.5), (-2.0, 0.5)], [(-1.0, 0.5), (0.5, 2.5)]] {
            assert!(clipped(&points).is_empty(), "{points:?}");
        }
        assert!(clipped(&[(5.0, 2.0)]).is_empty());
    }

    #[test]
    fn points_that_cannot_be_drawn_are_gaps() {
        let points = [0.0, 0.1, f64::NAN, 0.3, 0.4, f64::INFINITY, 0.6].map(|y| (y, y));
        assert_eq!(clipped(&points).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(clipped(&[(f64::NAN, 0.0)]).is_empty());
    }
}
