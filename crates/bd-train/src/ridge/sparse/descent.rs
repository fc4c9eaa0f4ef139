//! [`Descent`]: weights for one target on their way to the elastic net's.
//!
//! At given signs of the weights that are not zero the problem is one of least squares, whose solution is reached, or approached until
//! weights change their signs, which then are dropped. Weights enter where the slope is steepest, by their best values while all others
//! rest, which is a step of coordinate descent (Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms", 2007, who let them enter
//! one by one). No step raises what is minimised, and the duality gap says how far it is from its least. Coordinate descent alone
//! (Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010) takes many
//! turns where features are nearly dependent, as the states of a reservoir are.

use tch::{Device, Kind, Tensor};

use super::super::algebra::Triangle;
use super::host;

/// Of what is minimised, the share that it may lie above its least value, and at penalties on the way.
const TOLERANCE: f64 = 1e-9;
const TOLERANCE_BETWEEN: f64 = 1e-2;

/// Ratio of penalties that follow on each other.
const BETWEEN: f64 = 2.0;

/// One column enters at once, and one more for so many that are there.
const ENTER: usize = 10;

/// Solutions on the way to a penalty before it is given up.
const MOST_SOLVED: usize = 1000;

/// What rounding makes of sums of a thousand terms, in units of the last place.
const ROUNDING: f64 = 4.0;

/// The share of `l1` that rounding of a slope may be: from there on it decides which weights are zero.
const MOST_ROUNDING: f64 = 0.1;

/// What the penalty adds: `l1 sum |w_j| + l2 |w|^2 / 2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Net {
    pub(super) l1: f64,
    pub(super) l2: f64,
}

/// How weights are to change, and how many times that they may at most.
struct Way {
    steps: Vec<f64>,
    length: f64,
}

/// Where the weights stand.
struct Gap {
    /// How far what is minimised may be above its least value.
    gap: f64,
    /// What it is.
    value: f64,
    /// The greatest rounding of a slope.
    rounding: f64,
}

/// The weights for one target on their way.
pub(super) struct Descent<'a> {
    design: &'a Tensor,
    /// `[row, 1]`.
    target: &'a Tensor,
    columns: Vec<Vec<f64>>,
    /// Squared length of each column.
    squares: Vec<f64>,
    weights: Vec<f64>,
    /// `q - R w`.
    residual: Vec<f64>,
    /// `l1` of the penalty that they are for.
    last: f64,
}

/// The columns of an upper triangular matrix, each down to its diagonal.
fn columns(design: &Tensor) -> Vec<Vec<f64>> {
    let (rows, count) = (design.size()[0], design.size()[1]);
    let column = |j: i64| host(&design.narrow(1, j, 1).narrow(0, 0, rows.min(j + 1)));
    (0..count).map(column).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// -1, 0 or 1.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

impl<'a> Descent<'a> {
    /// From weights that all are zero, of an upper triangular matrix `design` and a target `[row, 1]`, on the host.
    pub(super) fn new(design: &'a Tensor, target: &'a Tensor) -> Self {
        let columns = columns(design);
        let squares = columns.iter().map(|column| dot(column, column)).collect();
        let weights = vec![0.0; columns.len()];
        Self { design, target, columns, squares, weights, residual: host(target), last: f64::INFINITY }
    }

    /// One for each column.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// From where it stands, at the weights for a greater penalty, to the least value: by penalties between them, for of two that are close
    /// few weights differ. Whether it has come there.
    pub(super) fn settle(&mut self, net: Net) -> bool {
        let steepest = self.columns.iter().map(|column| dot(column, &self.residual).abs()).fold(0.0, f64::max);
        let mut above = self.last.min(steepest) / net.l1;
        let can_be = net.l1.is_normal() && above.is_finite() && self.squares.iter().all(|square| square.is_finite());
        if !can_be {
            return false;
        }
        let mut left = MOST_SOLVED;
        while above > BETWEEN {
            above /= BETWEEN;
            let between = Net { l1: net.l1 * above, l2: net.l2 * above };
            if above > 1.0 && !self.descend(between, TOLERANCE_BETWEEN, &mut left) {
                return false;
            }
        }
        self.last = net.l1;
        self.descend(net, TOLERANCE, &mut left)
    }

    /// Gives weights to columns and solves for all that have one until what is minimised is least, up to `tolerance`. Whether that has come
    /// about with the solutions that are `left`, before rounding is too great and before nothing is lowered any more.
    fn descend(&mut self, net: Net, tolerance: f64, left: &mut usize) -> bool {
        let mut least = f64::INFINITY;
        while *left > 0 {
            *left = left.saturating_sub(self.solve(net).max(1));
            let Gap { gap, value, rounding } = self.gap(net);
            if rounding > MOST_ROUNDING * net.l1 {
                return false;
            }
            if gap <= tolerance * value {
                return true;
            }
            if value.is_nan() || value >= least {
                return false;
            }
            least = value;
            self.enter(net);
        }
        false
    }

    /// Gives those columns without a weight that are pulled the most their best weights, one after the other while all others rest.
    fn enter(&mut self, net: Net) {
        let used = self.weights.iter().filter(|w| **w != 0.0).count();
        let pull = |j: usize| dot(&self.columns[j], &self.residual).abs();
        let without = (0..self.weights.len()).filter(|&j| self.weights[j] == 0.0);
        let mut pulled: Vec<(f64, usize)> = without.map(|j| (pull(j), j)).filter(|(pull, _)| *pull > net.l1).collect();
        pulled.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, j) in pulled.into_iter().take(1 + used / ENTER) {
            let column = &self.columns[j];
            let pull = dot(column, &self.residual);
            if pull.abs() > net.l1 {
                let weight = (pull.abs() - net.l1).copysign(pull) / (self.squares[j] + net.l2);
                self.weights[j] = weight;
                self.residual.iter_mut().zip(column).for_each(|(left, x)| *left -= weight * x);
            }
        }
    }

    /// Solves for the weights that are not zero, as far as their signs hold, dropping those that become zero: all whose signs would change,
    /// where that lowers what is minimised, or else the first one on the way. How many solutions that took.
    fn solve(&mut self, net: Net) -> usize {
        for solved in 0.. {
            let used: Vec<usize> = (0..self.weights.len()).filter(|&j| self.weights[j] != 0.0).collect();
            if used.is_empty() {
                return solved;
            }
            let way = self.way(&used, net);
            let now = |i: usize| self.weights[used[i]];
            // How far a weight is from zero, in parts of the way.
            let crossing = |i: usize| (way.steps[i] * now(i) < 0.0).then(|| -now(i) / way.steps[i]);
            let crossings: Vec<(f64, usize)> = (0..used.len()).filter_map(|i| Some((crossing(i)?, i))).collect();
            let on_it = || crossings.iter().filter(|(share, _)| *share <= way.length);
            let Some(&(share, first)) = on_it().min_by(|a, b| a.0.total_cmp(&b.0)) else {
                if way.length.is_finite() {
                    self.step(&used, &way.steps, way.length, &[]);
                }
                return solved + 1;
            };
            if way.length.is_finite() {
                let (before, value) = (self.weights.clone(), self.value(net));
                let all: Vec<usize> = on_it().map(|(_, i)| *i).collect();
                self.step(&used, &way.steps, way.length, &all);
                if self.value(net) < value {
                    continue;
                }
                self.weights = before;
            }
            self.step(&used, &way.steps, share, &[first]);
        }
        unreachable!("each solution but the last drops a weight")
    }

    /// Changes the weights of the columns `used` by a share of `steps`, drops those at the places `dropped` of `used`, and works out the
    /// residual.
    fn step(&mut self, used: &[usize], steps: &[f64], share: f64, dropped: &[usize]) {
        used.iter().zip(steps).for_each(|(&j, step)| self.weights[j] += share * step);
        dropped.iter().for_each(|&i| self.weights[used[i]] = 0.0);
        let weights = Tensor::from_slice(&self.weights).unsqueeze(1);
        self.residual = host(&(self.target - self.design.matmul(&weights)));
    }

    /// What is minimised.
    fn value(&self, net: Net) -> f64 {
        let smooth = dot(&self.residual, &self.residual) + net.l2 * dot(&self.weights, &self.weights);
        smooth / 2.0 + net.l1 * self.weights.iter().map(|w| w.abs()).sum::<f64>()
    }

    /// The way to the best weights of the columns `used` at the signs that they have, `(R'R + l2 I) w = R'q - l1 sign`. Where a column
    /// depends on others, one along which only the sum of absolute values changes, and does not grow.
    fn way(&self, used: &[usize], net: Net) -> Way {
        let places: Vec<i64> = used.iter().map(|&j| j as i64).collect();
        let columns = self.design.index_select(1, &Tensor::from_slice(&places));
        let least = Triangle::of(&columns, self.target, net.l2);
        let of_used =
            |values: &dyn Fn(f64) -> f64| -> Vec<f64> { used.iter().map(|&j| values(self.weights[j])).collect() };
        let signs = Tensor::from_slice(&of_used(&sign)).unsqueeze(1);
        let dependent = least.depends().nonzero();
        let (steps, length) = if dependent.size()[0] == 0 {
            let pull = least.factor.tr().linalg_solve_triangular(&(&signs * net.l1), false, true, false);
            (least.weights(&(&least.rhs - pull)) - Tensor::from_slice(&of_used(&|w| w)).unsqueeze(1), 1.0)
        } else {
            let (first, all) = (dependent.int64_value(&[0, 0]), used.len() as i64);
            let before = least.factor.narrow(0, 0, first);
            let others =
                before.narrow(1, 0, first).linalg_solve_triangular(&before.narrow(1, first, 1), true, true, false);
            let column = Tensor::cat(&[others.neg(), Tensor::ones([1, 1], (Kind::Double, Device::Cpu))], 0);
            let steps = column.constant_pad_nd([0, 0, 0, all - first - 1]);
            let grows = (&signs * &steps).sum(Kind::Double).double_value(&[]) > 0.0;
            (if grows { steps.neg() } else { steps }, f64::INFINITY)
        };
        Way { steps: host(&steps), length }
    }

    /// Where it stands. The bound is the duality gap, as a sum of terms none of which is negative: with `c = R'(q - R w) - l2 w` and
    /// `t = min(1, l1 / max |c_j|)` it is
    /// `(1 - t)^2 (|q - R w|^2 + l2 |w|^2) / 2 + sum (l1 |w_j| - t w_j c_j)`. What rounding makes of a slope `c_j` is no distance.
    fn gap(&self, net: Net) -> Gap {
        let squared_residual = dot(&self.residual, &self.residual);
        let smooth = (squared_residual + net.l2 * dot(&self.weights, &self.weights)) / 2.0;
        let value = self.value(net);
        // The residual is the difference of the target and all that the weights explain, and is exact to the rounding of these.
        let explained: f64 = self.squares.iter().zip(&self.weights).map(|(square, w)| square.sqrt() * w.abs()).sum();
        let rounding = ROUNDING * f64::EPSILON * (explained + squared_residual.sqrt());
        let slopes = self.columns.iter().zip(&self.weights).zip(&self.squares);
        // Each slope with its rounding.
        let slopes =
            slopes.map(|((column, w), square)| (dot(column, &self.residual) - net.l2 * w, rounding * square.sqrt()));
        let slopes: Vec<(f64, f64)> = slopes.collect();
        let beyond = slopes.iter().fold(0.0f64, |most, (slope, off)| most.max(slope.abs() - off - net.l1));
        let within = net.l1 / (net.l1 + beyond);
        let slack = |(w, (slope, off)): (&f64, &(f64, f64))| ((net.l1 - off) * w.abs() - within * w * slope).max(0.0);
        let slack: f64 = self.weights.iter().zip(&slopes).map(slack).sum();
        let rounding = slopes.iter().fold(0.0f64, |most, (_, off)| most.max(*off));
        Gap { gap: (1.0 - within).powi(2) * smooth + slack, value, rounding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ridge::drawn::{ON, drawn};

    /// A column that is there twice, with weights on both: of one sign the sum of absolute values stays, of opposite signs it falls, and
    /// one of both weights goes.
    #[test]
    fn of_dependent_columns_one_is_dropped() {
        let rows = Tensor::linalg_qr(&drawn(&[30, 3], "x"), "r").1;
        let design = Tensor::cat(&[&rows, &rows.narrow(1, 0, 1)], 1);
        let target = drawn(&[3, 1], "y");
        for second in [0.5, -0.5] {
            let net = Net { l1: 1e-3, l2: 0.0 };
            let mut descent = Descent::new(&design, &target);
            descent.step(&[0, 1, 2, 3], &[1.0, 1.0, -1.0, second], 1.0, &[]);
            let before = descent.value(net);
            assert!(descent.way(&[0, 1, 2, 3], net).length.is_infinite());
            descent.solve(net);
            assert!(descent.value(net) <= before);
            let weights = descent.weights();
            assert!((weights[0] == 0.0) != (weights[3] == 0.0), "{weights:?}");
        }
    }

    /// What would never end is given up: penalties beyond the range of numbers, and columns whose squares are.
    #[test]
    fn what_has_no_end_is_given_up() {
        let design = Tensor::eye(2, ON);
        let target = Tensor::ones([2, 1], ON);
        for net in [Net { l1: 0.0, l2: 1.0 }, Net { l1: 5e-324, l2: 0.0 }, Net { l1: 1e-300, l2: 0.0 }] {
            assert!(!Descent::new(&design, &target).settle(net), "{net:?}");
        }
        let huge = &design * 1e200;
        assert!(!Descent::new(&huge, &target).settle(Net { l1: 1.0, l2: 0.0 }));
    }
}
