//! The elastic net: weights some of which are exactly zero.
//!
//! With penalty `a` and share `s` ([`Ridge::l1_ratio`](super::Ridge::l1_ratio)) each target has weights of its own, which minimise
//!
//! ```text
//! |R w - q|^2 / 2 + a (1 - s) |w|^2 / 2 + a s u sum |w_j|        u: the root mean square of the target
//! ```
//!
//! so that which weights are zero does not depend on the unit of the target; where the intercept is free, `u` is its standard deviation.
//! `R w - q`, with all rows of the factor, is as long as `A w - y`, so that no sample is read again, whatever the penalties.
//!
//! Penalties are worked through from the greatest, each from the weights of the one before; see [`Descent`].

mod descent;

use bd_core::{Error, Result, threads};
use tch::{Device, Tensor};

use self::descent::{Descent, Net};
use super::algebra::qr;
use super::penalties::Weights;

/// Weights for each penalty, in the order of `alphas`, of the factor of so many samples. Nothing is dropped as round-off: the rank is that of
/// all columns.
pub(super) fn of_each([design, targets]: [&Tensor; 2], samples: usize, alphas: &[f64], l1_ratio: f64) -> Vec<Weights> {
    let [rows, columns] = [design.size()[0], design.size()[1]];
    // Plain numbers go from thread to thread.
    let targets = targets.split(1, 1).iter().map(host).collect();
    let numbers = Numbers { rows, columns, samples, design: host(design), targets };
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
    /// Rows behind those.
    samples: usize,
    design: Vec<f64>,
    targets: Vec<Vec<f64>>,
}

impl Numbers {
    /// Weights of one target for each penalty, in the order of `alphas`.
    fn path(&self, target: usize, alphas: &[f64], l1_ratio: f64) -> Vec<Result<Vec<f64>>> {
        let _guard = tch::no_grad_guard();
        let design = Tensor::from_slice(&self.design).view([self.rows, self.columns]);
        let target = Tensor::from_slice(&self.targets[target]).unsqueeze(1);
        let unit = target.norm().double_value(&[]) / (self.samples as f64).sqrt();
        if unit == 0.0 {
            return alphas.iter().map(|_| Ok(vec![0.0; self.columns as usize])).collect();
        }
        let mut order: Vec<usize> = (0..alphas.len()).collect();
        order.sort_by(|&a, &b| alphas[b].total_cmp(&alphas[a]));
        let mut found: Vec<Option<Result<Vec<f64>>>> = alphas.iter().map(|_| None).collect();
        let (mut descent, mut refused) = (Descent::new(&design, &target), None::<f64>);
        for i in order {
            let alpha = alphas[i];
            let net = Net { l1: alpha * l1_ratio * unit, l2: alpha * (1.0 - l1_ratio) };
            found[i] = Some(if alpha == 0.0 {
                qr(&design, &target, 0.0).map(|(weights, _)| host(&weights))
            } else if let Some(above) = refused {
                Err(Error::Config(format!(
                    "ridge.alpha = {alpha:e} is not tried, for the elastic net has not settled at {above:e}, which is easier"
                )))
            } else if descent.settle(net) {
                Ok(descent.weights().to_vec())
            } else {
                refused = Some(alpha);
                Err(Error::Config(format!(
                    "the elastic net does not settle for ridge.alpha = {alpha:e}: the features are nearly dependent, and rounding hides \
                     which of them are best; use a larger alpha or a smaller ridge.l1_ratio"
                )))
            });
        }
        found.into_iter().map(|one| one.expect("each has had its turn")).collect()
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

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

    /// The root mean square of a target or, where the intercept is free, its standard deviation.
    fn unit(y: &Tensor, intercept: bool) -> f64 {
        let y = if intercept { y - y.mean(Kind::Double) } else { y.shallow_clone() };
        y.square().mean(Kind::Double).sqrt().double_value(&[])
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
            // There the unit of the target is part of the penalty.
            let l1 = alpha * l1_ratio / unit(&y, bias.is_some());
            let all = l1 + alpha * (1.0 - l1_ratio);
            let found = solved(&factor(&x, &y, bias.is_some()), all, l1 / all);
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
    fn assert_least(x: &Tensor, y: &Tensor, weight: &Tensor, alpha: f64, l1_ratio: f64) {
        let slopes = x.tr().matmul(&(y - x.matmul(weight))) - weight * (alpha * (1.0 - l1_ratio));
        for target in 0..y.size()[1] {
            let l1 = alpha * l1_ratio * unit(&y.select(1, target), false);
            let of_target = |t: &Tensor| host(&t.narrow(1, target, 1));
            for (slope, w) in of_target(&slopes).into_iter().zip(of_target(weight)) {
                let off = if w == 0.0 { (slope.abs() - l1).max(0.0) } else { (slope - l1 * w.signum()).abs() };
                assert!(off < 1e-4 * l1, "weight {w:e}, slope {slope:e}, l1 {l1:e}");
            }
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
                assert_least(&x, &y, &found, alpha, l1_ratio);
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
        let factor = factor(&x, &y, false);
        let parts = [&factor.r.narrow(1, 0, 30), &factor.r.narrow(1, 30, 2)];
        let found = of_each(parts, factor.rows, &alphas, 0.9);
        for (&alpha, found) in alphas.iter().zip(found) {
            let (found, rank) = found.unwrap();
            let known = solved(&factor, alpha, 0.9).weight;
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

    /// Units of the targets change no zero, and weights as they change the targets.
    #[test]
    fn units_of_targets_make_no_difference() {
        let (x, y) = (ill_conditioned([200, 20], 1.0), drawn(&[200, 1], "targets") + 3.0);
        let weights = |y: &Tensor| solved(&factor(&x, y, true), 30.0, 0.7).weight;
        let (one, other) = (weights(&y), weights(&(&y * 1e6 - 5e7)) * 1e-6);
        assert!((0..20).any(|j| one.double_value(&[j, 0]) == 0.0) && one.norm().double_value(&[]) > 0.0);
        assert!(((one - &other).norm() / other.norm()).double_value(&[]) < 1e-6);
        // And a constant has no weights, but an intercept.
        let found = solved(&factor(&x, &(y.ones_like() * 4.0), true), 30.0, 0.7);
        assert!(found.weight.norm().double_value(&[]) < 1e-12);
        assert!((found.bias.unwrap().double_value(&[0]) - 4.0).abs() < 1e-12);
    }

    /// Where rounding decides which weights are zero, a penalty is refused, and so are smaller ones.
    #[test]
    fn penalties_below_rounding_are_refused() {
        let x = ill_conditioned([300, 40], 9.0);
        let y = x.narrow(1, 0, 1) * 0.3 - x.narrow(1, 5, 1) + drawn(&[300, 1], "noise") * 0.1;
        let factor = factor(&x, &y, false);
        let parts = [&factor.r.narrow(1, 0, 40), &factor.r.narrow(1, 40, 1)];
        let found = of_each(parts, factor.rows, &[1e-10, 1.0, 1e-11], 1.0);
        assert!(found[1].is_ok());
        let refusal = |i: usize| found[i].as_ref().unwrap_err().to_string();
        assert!(refusal(0).contains("does not settle for ridge.alpha = 1e-10"), "{}", refusal(0));
        assert!(refusal(2).contains("ridge.alpha = 1e-11 is not tried"), "{}", refusal(2));
    }
}
