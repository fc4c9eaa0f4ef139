//! [`RidgeFolds`]: ridge regression on parts of the rows, each of which is left out once.

use bd_core::{Error, Result, catch_torch};
use tch::{Device, Kind, Tensor};

use super::{ChosenPenalty, RidgeSolution};

/// Ridge regression on rows that are divided into folds, for penalties that are to be compared on rows like which nothing was fitted:
/// steps of one sequence are alike, so that leaving out a single one says little. The intercept is not penalised.
///
/// All that is kept of the rows are sums of each fold: `n`, `X'1`, `Y'1`, `X'X`, `X'Y`, `Y'Y`. Those of all other folds give the fit without
/// a fold, by one eigendecomposition for every penalty, and those of the fold its error:
///
/// ```text
/// |Y - X W - 1 b'|^2 = Y'Y - 2 W'X'Y + W'X'X W - ...        of each target, with means taken out
/// ```
///
/// Products have the square of the condition number, so features should be standardised, and penalties below round-off are refused.
#[derive(Debug)]
pub struct RidgeFolds {
    folds: Vec<Sums>,
}

/// Sums over rows, of `[1 | X | Y]' [1 | X | Y]`, float64.
#[derive(Debug)]
struct Sums {
    products: Tensor,
    features: i64,
}

impl Sums {
    fn zeros(features: i64, targets: i64) -> Self {
        let size = 1 + features + targets;
        Self { products: Tensor::zeros([size, size], (Kind::Double, Device::Cpu)), features }
    }

    fn rows(&self) -> f64 {
        self.products.double_value(&[0, 0])
    }

    fn targets(&self) -> i64 {
        self.products.size()[0] - 1 - self.features
    }

    /// Means of features and targets, `[feature + target]`.
    fn means(&self) -> Tensor {
        self.products.get(0).narrow(0, 1, self.features + self.targets()) / self.rows()
    }

    /// Products of features and targets less `means`.
    fn centred(&self, means: &Tensor) -> Tensor {
        let all = self.features + self.targets();
        let sums = self.products.get(0).narrow(0, 1, all);
        let products = self.products.narrow(0, 1, all).narrow(1, 1, all);
        products - sums.outer(means) - means.outer(&sums) + means.outer(means) * self.rows()
    }

    /// The fits for penalties, each weight with its intercept.
    fn fits(&self, alphas: &[f64]) -> Result<Vec<RidgeSolution>> {
        let (features, targets, means) = (self.features, self.targets(), self.means());
        let centred = self.centred(&means);
        let of_features = centred.narrow(0, 0, features);
        let (eigenvalues, vectors) = of_features.narrow(1, 0, features).f_linalg_eigh("L")?;
        let eigenvalues = eigenvalues.clamp_min(0.0);
        let round_off = eigenvalues.max().double_value(&[]) * features.max(1) as f64 * f64::EPSILON;
        let projected = vectors.transpose(0, 1).matmul(&of_features.narrow(1, features, targets));
        let (x_mean, y_mean) = (means.narrow(0, 0, features), means.narrow(0, features, targets));
        let fit = |&alpha: &f64| {
            if !(alpha.is_finite() && alpha > round_off && alpha > 0.0) {
                let allowed = format!("a number above {round_off:e}, which is the round-off of the squared features");
                return Err(Error::setting("ridge.alpha", format!("{alpha:e}"), allowed));
            }
            let weight = vectors.matmul(&(&projected / (&eigenvalues + alpha).unsqueeze(1)));
            let bias = &y_mean - x_mean.unsqueeze(0).matmul(&weight).squeeze_dim(0);
            Ok(RidgeSolution { weight, bias: Some(bias), rank: features as usize + 1 })
        };
        alphas.iter().map(fit).collect()
    }

    /// The sum over rows and targets of the squared error of a fit.
    fn squared_error(&self, fit: &RidgeSolution) -> f64 {
        let bias = fit.bias.as_ref().expect("there is an intercept").unsqueeze(0);
        let identity = Tensor::eye(self.targets(), (Kind::Double, Device::Cpu));
        // Rows [1 | X | Y] times this are the errors.
        let errors = Tensor::cat(&[-bias, -&fit.weight, identity], 0);
        (self.products.matmul(&errors) * &errors).sum(Kind::Double).double_value(&[]).max(0.0)
    }
}

impl RidgeFolds {
    /// Of `folds` folds without rows, two at least, for `features` features and `targets` targets.
    pub fn new(folds: usize, features: i64, targets: i64) -> Result<Self> {
        bd_core::setting::at_least("folds", folds, 2)?;
        Ok(Self { folds: (0..folds).map(|_| Sums::zeros(features, targets)).collect() })
    }

    /// Takes whole sequences into the folds, which have so many rows each, one after the other in `x` and `y`: those of one group into one
    /// fold, `groups` numbered from 0.
    pub fn add_sequences(&mut self, x: &Tensor, y: &Tensor, lengths: &[i64], groups: &[usize]) -> Result<()> {
        let (mut first, count) = (0, self.folds.len());
        for (length, group) in lengths.iter().zip(groups) {
            self.add(group % count, &x.narrow(0, first, *length), &y.narrow(0, first, *length))?;
            first += length;
        }
        Ok(())
    }

    /// Takes rows into a fold: features `[row, feature]` and targets `[row, target]`.
    pub fn add(&mut self, fold: usize, x: &Tensor, y: &Tensor) -> Result<()> {
        let count = self.folds.len();
        let Some(sums) = self.folds.get_mut(fold) else {
            return Err(Error::setting("fold", fold, format!("below {count}")));
        };
        for (what, tensor, width) in [("features", x, sums.features), ("targets", y, sums.targets())] {
            if tensor.dim() != 2 || tensor.size()[1] != width || tensor.size()[0] != x.size()[0] {
                let expected = format!("[rows, {width}], with as many rows as features");
                return Err(Error::Shape { what: what.into(), expected, found: tensor.size() });
            }
        }
        bd_core::check_finite("a feature", x)?;
        bd_core::check_finite("a target", y)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let ones = Tensor::ones([x.size()[0], 1], (Kind::Double, Device::Cpu));
            let rows = Tensor::cat(&[ones, x.to_kind(Kind::Double), y.to_kind(Kind::Double)], 1);
            sums.products += rows.transpose(0, 1).matmul(&rows);
            Ok(())
        })
    }

    /// The sums of all folds but one, or of all.
    fn without(&self, left_out: Option<usize>) -> Sums {
        let kept = self.folds.iter().enumerate().filter(|(i, _)| Some(*i) != left_out);
        let products: Vec<&Tensor> = kept.map(|(_, sums)| &sums.products).collect();
        let products = Tensor::stack(&products, 0).sum_dim_intlist(0, false, Kind::Double);
        Sums { products, features: self.folds[0].features }
    }

    /// The penalty with the least mean square error on folds that are left out, of equal ones the greater, and the fit to all rows with it.
    /// A fold without rows is none. Fails if no penalty is given, or if fewer than two folds have rows.
    pub fn choose(&self, alphas: &[f64]) -> Result<(ChosenPenalty, RidgeSolution)> {
        if alphas.is_empty() {
            return Err(Error::setting("ridge.alpha", "empty", "one penalty or more"));
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let filled: Vec<usize> = (0..self.folds.len()).filter(|fold| self.folds[*fold].rows() > 0.0).collect();
            if filled.len() < 2 {
                return Err(Error::Config(format!(
                    "{} of the folds have rows; two at least are compared",
                    filled.len()
                )));
            }
            let mut sums = vec![0.0; alphas.len()];
            for &fold in &filled {
                let fits = self.without(Some(fold)).fits(alphas)?;
                sums.iter_mut().zip(&fits).for_each(|(sum, fit)| *sum += self.folds[fold].squared_error(fit));
            }
            let whole = self.without(None);
            let numbers = whole.rows() * whole.targets() as f64;
            let errors = alphas.iter().copied().zip(sums.into_iter().map(|sum| sum / numbers)).collect();
            let chosen = ChosenPenalty::least(errors)?;
            let fit = whole.fits(&[chosen.alpha])?.pop().expect("one for each penalty");
            Ok((chosen, fit))
        })
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;

    use super::*;
    use crate::ridge::{Ridge, RidgeFactor};

    fn drawn(size: [i64; 2], name: &str) -> Tensor {
        Rng::new(0, name).tensor(&size, (Kind::Double, Device::Cpu), Rng::normal)
    }

    /// Another way to the same weights: a QR factorisation of the rows.
    fn by_factor(x: &Tensor, y: &Tensor, alpha: f64) -> RidgeSolution {
        let mut factor = RidgeFactor::new(x.size()[1], y.size()[1], true, Device::Cpu);
        factor.update(x, y).unwrap();
        factor.solve(&Ridge { alpha, penalise_intercept: false, ..Ridge::default() }).unwrap()
    }

    /// Rows `i` of fold `(i / 3) % 4`, taken in by threes.
    fn folded(x: &Tensor, y: &Tensor) -> RidgeFolds {
        let mut folds = RidgeFolds::new(4, x.size()[1], y.size()[1]).unwrap();
        for first in (0..x.size()[0]).step_by(3) {
            folds.add((first / 3 % 4) as usize, &x.narrow(0, first, 3), &y.narrow(0, first, 3)).unwrap();
        }
        folds
    }

    fn rows(of: &Tensor, is: impl Fn(i64) -> bool) -> Tensor {
        let rows: Vec<i64> = (0..of.size()[0]).filter(|row| is(row / 3 % 4)).collect();
        of.index_select(0, &Tensor::from_slice(&rows))
    }

    /// Each fold is left out in truth. The first set has more rows than features, the second fewer.
    #[test]
    fn errors_are_those_of_the_fit_to_all_other_folds() {
        for (size, offset) in [([60, 7], 4.0), ([24, 30], 0.5)] {
            let (x, y) = (drawn(size, "x") + offset, drawn([size[0], 2], "y") - 3.0);
            let alphas = [0.1, 10.0];
            let (chosen, fit) = folded(&x, &y).choose(&alphas).unwrap();
            for (alpha, found) in &chosen.errors {
                let of_fold = |fold: i64| {
                    let kept = by_factor(&rows(&x, |f| f != fold), &rows(&y, |f| f != fold), *alpha);
                    let said = rows(&x, |f| f == fold).matmul(&kept.weight) + kept.bias.unwrap();
                    (said - rows(&y, |f| f == fold)).square().sum(Kind::Double).double_value(&[])
                };
                let known = (0..4).map(of_fold).sum::<f64>() / (size[0] * 2) as f64;
                assert!((found - known).abs() < 1e-9 * known, "{size:?} {alpha}: {found} and not {known}");
            }
            let known = by_factor(&x, &y, chosen.alpha);
            let apart = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
            assert!(apart(&fit.weight, &known.weight) < 1e-9);
            assert!(apart(&fit.bias.unwrap(), &known.bias.unwrap()) < 1e-8);
        }
    }

    /// Of pure noise nothing is learned by the greatest penalty; of a line without noise the least is best.
    #[test]
    fn the_penalty_follows_the_noise() {
        let x = drawn([60, 5], "x");
        let line = x.matmul(&drawn([5, 1], "w"));
        let chosen = |y: &Tensor| folded(&x, y).choose(&[1e-3, 1e-1, 1e1, 1e3, 1e5]).unwrap().0.alpha;
        assert_eq!(chosen(&line), 1e-3);
        assert!(chosen(&drawn([60, 1], "noise")) >= 1e3);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let (x, y) = (drawn([6, 2], "x"), drawn([6, 1], "y"));
        assert!(matches!(RidgeFolds::new(1, 2, 1), Err(Error::Setting { .. })));
        let mut folds = RidgeFolds::new(3, 2, 1).unwrap();
        assert!(matches!(folds.add(3, &x, &y), Err(Error::Setting { .. })));
        assert!(matches!(folds.add(0, &y, &x), Err(Error::Shape { .. })));
        assert!(matches!(folds.add(0, &(&x / 0.0), &y), Err(Error::NotFinite { .. })));
        folds.add(0, &x, &y).unwrap();
        assert!(folds.choose(&[1.0]).unwrap_err().to_string().contains("1 of the folds have rows"));
        folds.add(2, &x, &y).unwrap();
        assert!(folds.choose(&[1.0]).is_ok());
        assert!(folds.choose(&[]).is_err() && folds.choose(&[0.0]).is_err() && folds.choose(&[f64::NAN]).is_err());
    }
}
