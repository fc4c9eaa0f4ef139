//! The elastic net: weights some of which are exactly zero.
//!
//! With penalty `a` and share `s` ([`Ridge::l1_ratio`](super::Ridge::l1_ratio)) each target has weights of its own, which minimise
//!
//! ```text
//! |R w - q|^2 / 2 + a (1 - s) |w|^2 / 2 + a s sum |w_j|
//! ```
//!
//! `R w - q` has the length of `A w - y` but for what no weights explain, so that no sample is read again, whatever the penalties.
//!
//! At given signs of the weights that are not zero this is a problem of least squares, whose solution is reached, or approached until
//! weights change their signs, which then are dropped. Weights enter where the slope is steepest, by their best values while all others
//! rest, which is a step of coordinate descent (Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms", 2007, who let them enter
//! one by one). Every step lowers what is minimised, and the duality gap says how far it is from its least. Coordinate descent alone
//! (Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010) takes many
//! thousands of turns where features are nearly dependent, as the states of a reservoir are.
//!
//! Penalties are worked through from the greatest, each from the weights of the one before.

use bd_core::{Error, Result, threads};
use tch::{Device, Kind, Tensor};

use super::algebra::{Triangle, qr};
use super::penalties::Weights;

/// Of what is minimised, the share that it may lie above its least value, and at penalties on the way.
const TOLERANCE: f64 = 1e-9;
const TOLERANCE_BETWEEN: f64 = 1e-2;

/// Ratio of penalties that follow on each other.
const BETWEEN: f64 = 2.0;

/// One column enters at once, and one more for so many that are there.
const ENTER: usize = 10;

/// Solutions before a penalty is refused.
const MOST_SOLVED: usize = 1000;

/// What rounding makes of sums of a thousand terms, in units of the last place.
const ROUNDING: f64 = 4.0;

/// Weights for each penalty, in the order of `alphas`. Nothing is dropped as round-off: the rank is that of all columns.
pub(super) fn of_each(design: &Tensor, targets: &Tensor, alphas: &[f64], l1_ratio: f64) -> Vec<Weights> {
    let [rows, columns] = [design.size()[0], design.size()[1]];
    // Plain numbers go from thread to thread.
    let numbers =
        Numbers { rows, columns, design: host(design), targets: targets.split(1, 1).iter().map(host).collect() };
    let path = |target: usize| Ok::<_, Error>(numbers.path(target, alphas, l1_ratio));
    let paths = threads::each_alone(numbers.targets.len(), threads::kernel_threads(), path, |_| {});
    let mut paths: Vec<_> = paths.expect("a path has its errors within").into_iter().map(Vec::into_iter).collect();
    let device = design.device();
    let mut next = |_: &f64| {
        let found: Vec<_> = paths.iter_mut().map(|path| path.next().expect("one for each penalty")).collect();
        let weights = found.into_iter().map(|found| Ok(Tensor::from_slice(&found?))).collect::<Result<Vec<_>>>()?;
        Ok((Tensor::stack(&weights, 1).to_device(device), columns as usize))
    };
    alphas.iter().map(&mut next).collect()
}

/// Row by row.
fn host(matrix: &Tensor) -> Vec<f64> {
    let flat = matrix.to_device(Device::Cpu).contiguous().flatten(0, 1);
    Vec::try_from(flat).expect("it is of float64")
}

/// The problem of all targets.
struct Numbers {
    rows: i64,
    columns: i64,
    design: Vec<f64>,
    targets: Vec<Vec<f64>>,
}

impl Numbers {
    /// Weights of one target for each penalty, in the order of `alphas`.
    fn path(&self, target: usize, alphas: &[f64], l1_ratio: f64) -> Vec<Result<Vec<f64>>> {
        let _guard = tch::no_grad_guard();
        let design = Tensor::from_slice(&self.design).view([self.rows, self.columns]);
        let target = Tensor::from_slice(&self.targets[target]).unsqueeze(1);
        let mut order: Vec<usize> = (0..alphas.len()).collect();
        order.sort_by(|&a, &b| alphas[b].total_cmp(&alphas[a]));
        let mut found: Vec<Option<Result<Vec<f64>>>> = alphas.iter().map(|_| None).collect();
        let (mut descent, mut refused) = (Descent::new(&design, &target), None::<f64>);
        for i in order {
            let alpha = alphas[i];
            let net = Net { l1: alpha * l1_ratio, l2: alpha * (1.0 - l1_ratio) };
            found[i] = Some(match refused {
                _ if alpha == 0.0 => qr(&design, &target, 0.0).map(|(weights, _)| host(&weights)),
                Some(above) => Err(Error::Config(format!(
                    "ridge.alpha = {alpha:e} is not tried, for the elastic net has not settled for {above:e}, which is easier"
                ))),
                None => match descent.settle(net) {
                    Ok(()) => Ok(descent.weights.clone()),
                    Err(refusal) => {
                        refused = Some(alpha);
                        Err(refusal)
                    }
                },
            });
        }
        found.into_iter().map(|one| one.expect("each has had its turn")).collect()
    }
}

/// The columns of an upper triangular matrix, each down to its diagonal.
fn columns(design: &Tensor) -> Vec<Vec<f64>> {
    let (rows, count) = (design.size()[0], design.size()[1]);
    let column = |j: i64| {
        let upper = design.select(1, j).narrow(0, 0, rows.min(j + 1)).contiguous();
        Vec::try_from(&upper).expect("it is of float64")
    };
    (0..count).map(column).collect()
}

/// What the penalty adds: `l1 sum |w_j| + l2 |w|^2 / 2`.
#[derive(Debug, Clone, Copy)]
struct Net {
    l1: f64,
    l2: f64,
}

/// How weights are to change, and how many times that they may at most.
struct Way {
    steps: Vec<f64>,
    length: f64,
}

/// The weights for one target on their way.
struct Descent<'a> {
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

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl<'a> Descent<'a> {
    fn new(design: &'a Tensor, target: &'a Tensor) -> Self {
        let columns = columns(design);
        let squares = columns.iter().map(|column| dot(column, column)).collect();
        let weights = vec![0.0; columns.len()];
        Self { design, target, columns, squares, weights, residual: host(target), last: f64::INFINITY }
    }

    /// From where it stands, at the weights for a greater penalty, to the least value: by penalties between them, for of two that are close
    /// few weights differ.
    fn settle(&mut self, net: Net) -> Result<()> {
        let steepest = self.columns.iter().map(|column| dot(column, &self.residual).abs()).fold(0.0, f64::max);
        let mut above = self.last.min(steepest) / (net.l1 * BETWEEN);
        while above > BETWEEN {
            self.descend(Net { l1: net.l1 * above, l2: net.l2 * above }, TOLERANCE_BETWEEN);
            above /= BETWEEN;
        }
        self.last = net.l1;
        if self.descend(net, TOLERANCE) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "the elastic net has not settled for ridge.alpha = {:e}, for its features are nearly dependent; use a larger alpha or a smaller \
             ridge.l1_ratio",
            net.l1 + net.l2
        )))
    }

    /// Gives weights to columns and solves for all that have one until what is minimised is least, up to `tolerance`; whether it is.
    fn descend(&mut self, net: Net, tolerance: f64) -> bool {
        let mut solved = 0;
        while solved < MOST_SOLVED {
            solved += self.solve(net);
            let (gap, value) = self.gap(net);
            if gap <= tolerance * value {
                return true;
            }
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

    /// Changes the weights of the columns `used` by a share of `steps`, drops those at the places `dropped` of `used`, and works out the residual.
    fn step(&mut self, used: &[usize], steps: &[f64], share: f64, dropped: &[usize]) {
        used.iter().zip(steps).for_each(|(&j, step)| self.weights[j] += share * step);
        dropped.iter().for_each(|&i| self.weights[used[i]] = 0.0);
        let weights = Tensor::from_slice(&self.weights).unsqueeze(1);
        let residual = (self.target - self.design.matmul(&weights)).flatten(0, 1);
        self.residual = Vec::try_from(residual).expect("it is a vector of float64");
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
        Way { steps: Vec::try_from(steps.flatten(0, 1)).expect("it is a vector of float64"), length }
    }

    /// How far what is minimised may be above its least value, and what it is. The bound is the duality gap, as a sum of terms none of
    /// which is negative: with `c = R'(q - R w) - l2 w` and `t = min(1, l1 / max |c_j|)` it is
    /// `(1 - t)^2 (|q - R w|^2 + l2 |w|^2) / 2 + sum (l1 |w_j| - t w_j c_j)`. What rounding makes of a slope `c_j` is no distance.
    fn gap(&self, net: Net) -> (f64, f64) {
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
        ((1.0 - within).powi(2) * smooth + slack, value)
    }
}

/// -1, 0 or 1.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{ON, drawn, ill_conditioned};
    use super::super::{Ridge, RidgeFactor, RidgeSolution};
    use super::*;

    fn factor(x: &Tensor, y: &Tensor, intercept: bool) -> RidgeFactor {
        let mut factor = RidgeFactor::new(x.size()[1], y.size()[1], intercept, Device::Cpu);
        factor.update(x, y).unwrap();
        factor
    }

    fn solved(factor: &RidgeFactor, alpha: f64, l1_ratio: f64) -> RidgeSolution {
        factor.solve(&Ridge { alpha, l1_ratio, penalise_intercept: false, ..Ridge::default() }).unwrap()
    }

    /// scikit-learn 1.9.1, `ElasticNet(alpha / 14, l1_ratio, fit_intercept, tol=1e-15, max_iter=10**7)`.
    #[test]
    fn weights_are_those_of_scikit_learn() {
        let at = |i: i64, j: i64| ((7 * i * i + 3 * i * j + 11 * j) % 17 - 8) as f64 / 4.0;
        let x: Vec<f64> = (0..14).flat_map(|i| (0..5).map(move |j| at(i, j))).collect();
        let y: Vec<f64> =
            (0..14).map(|i| ((5 * i * i * i + i) % 13 - 6) as f64 / 3.0 + at(i, 1) - 0.5 * at(i, 3)).collect();
        let (x, y) = (Tensor::from_slice(&x).view([14, 5]), Tensor::from_slice(&y).view([14, 1]));
        type Known = (f64, f64, [f64; 5], Option<f64>);
        let known: [Known; 5] = [
            (
                1.0,
                0.1,
                [0.29171849064517363, 0.6802326588995, -0.2850201544880659, -0.3744769565269663, -0.5031335994422758],
                None,
            ),
            (
                1.0,
                3.0,
                [
                    0.19260256608996784,
                    0.7007790429868911,
                    -0.19653773761127621,
                    -0.14088618938282282,
                    -0.3814365425204652,
                ],
                Some(-0.32385224380084154),
            ),
            (1.0, 20.0, [0.0, 0.016526824307144763, 0.0, 0.0, 0.0], Some(-0.21812229849987297)),
            (
                0.5,
                3.0,
                [0.2583951683641842, 0.6214045222639394, -0.23103104123792859, -0.309381644695537, -0.4049793739371785],
                None,
            ),
            (
                0.5,
                20.0,
                [0.018316684142458774, 0.34851892335735746, -0.03956373478842012, 0.0, -0.05148251660658308],
                Some(-0.3048141397599592),
            ),
        ];
        for (l1_ratio, alpha, weights, bias) in known {
            let found = solved(&factor(&x, &y, bias.is_some()), alpha, l1_ratio);
            let found_weights = Vec::<f64>::try_from(found.weight.flatten(0, 1)).unwrap();
            for (found, known) in found_weights.iter().zip(weights) {
                assert!((found - known).abs() < 1e-8, "{l1_ratio}, {alpha}: {found_weights:?}");
                assert_eq!(*found == 0.0, known == 0.0, "{l1_ratio}, {alpha}: {found_weights:?}");
            }
            if let (Some(found), Some(known)) = (&found.bias, bias) {
                assert!((found.double_value(&[0]) - known).abs() < 1e-8);
            }
        }
    }

    /// At the least value the slope `x'(y - X w) - l2 w` is `l1 sign(w)` where there is a weight, and within `l1` where there is none.
    #[track_caller]
    fn assert_least(x: &Tensor, y: &Tensor, weight: &Tensor, net: Net) {
        let slopes = x.tr().matmul(&(y - x.matmul(weight))) - weight * net.l2;
        let pairs = |t: &Tensor| Vec::<f64>::try_from(t.contiguous().flatten(0, -1)).unwrap();
        for (slope, w) in pairs(&slopes).into_iter().zip(pairs(weight)) {
            let off = if w == 0.0 { (slope.abs() - net.l1).max(0.0) } else { (slope - net.l1 * sign(w)).abs() };
            assert!(off < 1e-4 * net.l1, "weight {w:e}, slope {slope:e}, l1 {:e}", net.l1);
        }
    }

    /// Of a matrix whose Gram matrix would have a condition number of 1e18, of more columns than rows, and of several targets.
    #[test]
    fn slopes_are_those_of_a_least_value() {
        for (rows, columns, decades) in [(300, 40, 9.0), (30, 60, 3.0)] {
            let x = ill_conditioned([rows, columns], decades);
            let y = x.narrow(1, 0, 2) * 0.3 - x.narrow(1, 5, 2) + drawn(&[rows, 2], "noise") * 0.1;
            let factor = factor(&x, &y, false);
            let mut zeros = Vec::new();
            for (l1_ratio, alpha) in [(1.0, 100.0), (1.0, 1.0), (1.0, 1e-3), (0.5, 10.0), (0.01, 1e-2)] {
                let found = solved(&factor, alpha, l1_ratio).weight;
                assert_least(&x, &y, &found, Net { l1: alpha * l1_ratio, l2: alpha * (1.0 - l1_ratio) });
                zeros.push(found.eq(0.0).sum(Kind::Int64).int64_value(&[]));
            }
            assert!(zeros[0] > zeros[1] && zeros[1] > zeros[2], "{zeros:?} weights are zero");
        }
    }

    /// Penalties in any order find what each finds from nothing; without a penalty they are those of least squares.
    #[test]
    fn a_path_is_its_penalties_one_by_one() {
        let (x, y) = (ill_conditioned([200, 30], 2.0), drawn(&[200, 2], "targets"));
        let alphas = [1.0, 1e3, 0.0, 1e-2, 30.0];
        let found =
            of_each(&factor(&x, &y, false).r.narrow(1, 0, 30), &factor(&x, &y, false).r.narrow(1, 30, 2), &alphas, 0.9);
        for (&alpha, found) in alphas.iter().zip(found) {
            let (found, rank) = found.unwrap();
            let known = solved(&factor(&x, &y, false), alpha, 0.9).weight;
            assert_eq!(rank, 30);
            let apart = (found - &known).norm() / (known.norm() + 1e-300);
            assert!(apart.double_value(&[]) < 1e-5, "{alpha}: {apart:?}");
        }
    }

    /// A column that is there twice has the weight of one, and a column of zeros has none.
    #[test]
    fn dependent_columns_share_a_weight() {
        let one = drawn(&[50, 3], "x");
        let y = one.sum_dim_intlist(1, true, Kind::Double);
        let twice = Tensor::cat(&[&one, &one.narrow(1, 0, 1), &Tensor::zeros([50, 1], ON)], 1);
        let known = solved(&factor(&one, &y, false), 0.5, 1.0).weight;
        let found = solved(&factor(&twice, &y, false), 0.5, 1.0).weight;
        let shared = (found.get(0) + found.get(3) - known.get(0)).abs().double_value(&[0]);
        assert!(shared < 1e-6, "{shared:e} apart");
        assert_eq!(found.double_value(&[4, 0]), 0.0);
    }
}
