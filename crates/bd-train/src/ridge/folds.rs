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
