//! Fewer points for the same picture.

/// Points above which [`thin`] thins, and stretches to which it does: about one a pixel of a bitmap.
const STRETCHES: usize = 2000;

/// Thins a line along time to what a figure of full width can show.
pub fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= 5 * STRETCHES { points } else { thin_to(STRETCHES, points) }
}

/// Thins a line along time to the least and the greatest value of each of `stretches` stretches, if that makes it shorter. The order
/// of the points stays; values that are not finite are kept only where a stretch has no others.
pub fn thin_to(stretches: usize, points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let stretches = stretches.max(1);
    if points.len() <= stretches.saturating_mul(2) {
        return points;
    }
    points.chunks(points.len().div_ceil(stretches)).flat_map(extremes).collect()
}

/// The least and the greatest value of a stretch, the earlier one first.
fn extremes(stretch: &[(f64, f64)]) -> [(f64, f64); 2] {
    let finite = || stretch.iter().enumerate().filter(|(_, point)| point.1.is_finite());
    let by_value = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
    let low = finite().min_by(by_value).map_or(0, |(i, _)| i);
    let high = finite().max_by(by_value).map_or(0, |(i, _)| i);
    [stretch[low.min(high)], stretch[low.max(high)]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes_and_the_order() {
        let mut points: Vec<_> = (0..100_000).map(|i| (i as f64, (i as f64 * 0.01).sin())).collect();
        points[54_321].1 = 9.0;
        points[54_322].1 = -9.0;
        let thinned = thin(points);
        assert!(thinned.len() <= 4000 && thinned.contains(&(54_321.0, 9.0)) && thinned.contains(&(54_322.0, -9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let gappy = thinned.into_iter().map(|(x, y)| (x, if y < 0.0 { f64::NAN } else { y })).collect();
        let thinner = thin_to(100, gappy);
        assert!(thinner.len() <= 200 && thinner.contains(&(54_321.0, 9.0)));
    }

    #[test]
    fn a_stretch_gives_its_least_and_greatest_value_by_hand() {
        let points = [3.0, 1.0, 2.0, 5.0, 4.0, f64::NAN].iter().enumerate().map(|(i, &y)| (i as f64, y)).collect();
        assert_eq!(thin_to(2, points), [(0.0, 3.0), (1.0, 1.0), (3.0, 5.0), (4.0, 4.0)]);
    }

    #[test]
    fn short_lines_stay_as_they_are() {
        let points: Vec<_> = (0..10_000).map(|i| (i as f64, 0.0)).collect();
        assert_eq!(thin(points.clone()).len(), 10_000);
        assert_eq!(thin_to(usize::MAX, points.clone()).len(), 10_000);
        assert_eq!(thin_to(0, points).len(), 2, "no stretch is one");
        assert!(thin_to(3, Vec::new()).is_empty());
        assert_eq!(thin_to(1, vec![(0.0, f64::NAN); 5]).len(), 2, "a gap stays a gap");
    }
}
