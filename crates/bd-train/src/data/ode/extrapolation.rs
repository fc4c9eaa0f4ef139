//! The extrapolated midpoint rule of Gragg, Bulirsch and Stoer.

use super::Slope;

/// Most columns of the table; the last entry is of twice this order.
const COLUMNS: usize = 8;

/// A step that is accepted with fewer columns than these is too short.
const USUAL_COLUMNS: usize = 7;

/// A solver with the step that it has found to be good.
#[derive(Debug)]
pub(crate) struct Extrapolation {
    tolerance: f64,
    h: f64,
    /// Row `j` is extrapolated in place from the solutions of `2, 4, .., 2 (j + 1)` substeps.
    table: [Vec<f64>; COLUMNS],
    scratch: [Vec<f64>; 3],
    first_slope: Vec<f64>,
    start: Vec<f64>,
}

impl Extrapolation {
    /// A solver for `n` variables that tries a step of `h` first. `tolerance` is the greatest error of a step, relative to the
    /// greatest component.
    pub(crate) fn new(n: usize, tolerance: f64, h: f64) -> Self {
        let zeros = || vec![0.0; n];
        Self {
            tolerance,
            h,
            table: std::array::from_fn(|_| zeros()),
            scratch: [zeros(), zeros(), zeros()],
            first_slope: zeros(),
            start: zeros(),
        }
    }

    /// From `u` to the solution after `duration`, in as many steps as it takes; false, with `u` somewhere before, where no step is
    /// short enough.
    pub(crate) fn advance(&mut self, slope: &Slope<'_>, u: &mut [f64], duration: f64) -> bool {
        let mut left = duration;
        let shortest = duration * 1e-10;
        while left > 0.0 {
            let h = self.h.min(left);
            match self.step(slope, u, h) {
                Some(columns) => {
                    // A last short piece says nothing of the step.
                    if columns < USUAL_COLUMNS && h == self.h {
                        self.h *= 1.5;
                    }
                    left = if h == left { 0.0 } else { left - h };
                }
                None if h < shortest => return false,
                None => self.h = h / 2.0,
            }
        }
        true
    }

    /// One step of `h` in place: the number of columns that it took. `None`, with `u` unchanged, where all of them are too few.
    fn step(&mut self, slope: &Slope<'_>, u: &mut [f64], h: f64) -> Option<usize> {
        self.begin(slope, u);
        for row in 0..COLUMNS {
            self.midpoint_rule(slope, h, row);
            let (error, size) = self.extrapolate(row);
            if row > 0 && error <= self.tolerance * size {
                u.copy_from_slice(&self.table[0]);
                return Some(row + 1);
            }
        }
        None
    }

    fn begin(&mut self, slope: &Slope<'_>, u: &[f64]) {
        self.start.copy_from_slice(u);
        slope(u, &mut self.first_slope);
    }

    /// Row `row` of the table: the solution after `2 (row + 1)` substeps.
    fn midpoint_rule(&mut self, slope: &Slope<'_>, h: f64, row: usize) {
        let substeps = 2 * (row + 1);
        let part = h / substeps as f64;
        let [before, now, slopes] = &mut self.scratch;
        before.copy_from_slice(&self.start);
        for ((now, start), first) in now.iter_mut().zip(&self.start).zip(&self.first_slope) {
            *now = start + part * first;
        }
        for _ in 1..substeps {
            slope(now, slopes);
            for ((before, now), slope) in before.iter_mut().zip(now.iter_mut()).zip(&*slopes) {
                let after = *before + 2.0 * part * slope;
                (*before, *now) = (*now, after);
            }
        }
        self.table[row].copy_from_slice(now);
    }

    /// Neville's scheme in `h^2`: afterwards row 0 holds the best value. Its greatest change by the last column, and its size.
    fn extrapolate(&mut self, row: usize) -> (f64, f64) {
        let mut change = 0f64;
        for upper in (0..row).rev() {
            let ratio = (row + 1) as f64 / (upper + 1) as f64;
            let below = 1.0 / (ratio * ratio - 1.0);
            let (uppers, lowers) = self.table.split_at_mut(upper + 1);
            change = 0.0;
            for (above, better) in uppers[upper].iter_mut().zip(&lowers[0]) {
                let step = (better - *above) * below;
                *above = better + step;
                change = change.max(step.abs());
                // The greatest of several forgets what is not a number.
                if step.is_nan() {
                    return (f64::NAN, 0.0);
                }
            }
        }
        (change, self.table[0].iter().fold(0.0, |most, value| value.abs().max(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `k` columns a step has an error of order `2 k + 1`: twice the step has one that is `2^(2 k + 1)` times as great.
    #[test]
    fn each_column_adds_two_orders() {
        let circle = |u: &[f64], du: &mut [f64]| (du[0], du[1]) = (-u[1], u[0]);
        for columns in 2..=5 {
            let error = |h: f64| {
                let mut solver = Extrapolation::new(2, 0.0, h);
                solver.begin(&circle, &[1.0, 0.0]);
                for row in 0..columns {
                    solver.midpoint_rule(&circle, h, row);
                    solver.extrapolate(row);
                }
                (solver.table[0][0] - h.cos()).hypot(solver.table[0][1] - h.sin())
            };
            let found = (error(1.0) / error(0.5)).log2();
            assert!((found - (2 * columns + 1) as f64).abs() < 0.2, "{columns} columns: order {found}");
        }
    }
}
