//! A line in dashes.

use crate::clip::Point;

/// Dashes of a line: more would swell an SVG file, in which each is a path of its own.
const MOST: f64 = 400.0;

/// Cuts a line into dashes of `on` pixels, `off` pixels apart, where a unit is `pixels` wide and high. Of a line that would have more
/// than 400 dashes all are longer.
pub(crate) fn dash(line: &[Point], pixels: (f64, f64), (on, off): (f64, f64)) -> Vec<Vec<Point>> {
    let length = |from: Point, to: Point| ((to.0 - from.0) * pixels.0).hypot((to.1 - from.1) * pixels.1);
    let whole: f64 = line.windows(2).map(|pair| length(pair[0], pair[1])).sum();
    let stretch = (whole / (on + off) / MOST).max(1.0);
    if !stretch.is_finite() {
        return vec![line.to_vec()];
    }
    let (on, off) = (on * stretch, off * stretch);

    let mut dashes = Vec::new();
    let mut path: Vec<Point> = line.first().copied().into_iter().collect();
    let (mut inked, mut left) = (true, on);
    for pair in line.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let all = length(from, to);
        let mut done = 0.0;
        while all - done > left {
            done += left;
            let t = done / all;
            let at = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            if inked {
                path.push(at);
                dashes.push(std::mem::take(&mut path));
            } else {
                path = vec![at];
            }
            inked = !inked;
            left = if inked { on } else { off };
        }
        left -= all - done;
        if inked {
            path.push(to);
        }
    }
    dashes.extend((inked && path.len() > 1).then_some(path));
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_gaps_have_their_lengths() {
        let found = dash(&[(0.0, 0.0), (10.0, 0.0)], (1.0, 1.0), (3.0, 2.0));
        assert_eq!(found, [[(0.0, 0.0), (3.0, 0.0)], [(5.0, 0.0), (8.0, 0.0)]]);
    }

    #[test]
    fn a_dash_goes_around_a_corner_and_is_measured_in_pixels() {
        // 2 pixels to the right at 2 a unit, then 3 upwards at 1 a unit.
        let found = dash(&[(0.0, 0.0), (1.0, 0.0), (1.0, 3.0)], (2.0, 1.0), (4.0, 1.0));
        assert_eq!(found, [vec![(0.0, 0.0), (1.0, 0.0), (1.0, 2.0)]]);
    }

    #[test]
    fn a_long_line_has_longer_dashes() {
        let zigzag: Vec<Point> = (0..100_000).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let found = dash(&zigzag, (1.0, 100.0), (3.0, 2.0));
        assert!((300..=401).contains(&found.len()), "{}", found.len());
        let points: usize = found.iter().map(Vec::len).sum();
        assert!((55_000..65_000).contains(&points), "three fifths of all: {points}");
    }

    #[test]
    fn lines_without_length_are_no_loop_without_end() {
        assert!(dash(&[], (1.0, 1.0), (3.0, 2.0)).is_empty());
        assert_eq!(dash(&[(1.0, 1.0); 3], (1.0, 1.0), (3.0, 2.0)).len(), 1);
        assert_eq!(dash(&[(0.0, 0.0), (1.0, 1.0)], (f64::INFINITY, 1.0), (3.0, 2.0)).len(), 1);
    }
}
