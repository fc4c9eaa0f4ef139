//! [`RidgeSpectrum`]: ridge regression decomposed once for every penalty and for leaving out.

use std::collections::BTreeMap;

use bd_core::{Error, Result, catch_torch};
use tch::{Kind, Tensor};

use super::RidgeSolution;

/// Ridge regression for any penalty, on rows that are all in memory and decomposed once. The intercept is not penalised.
///
/// With rows `X` `[row, feature]` and targets `Y` `[row, target]`, both less their means, and `X X' = U diag(l) U'`:
///
/// ```text
/// B       U sqrt(diag(l))                                        [row, direction]
/// F       B diag(1 / (l + alpha)) B' Y                           what the fit says of its own rows
/// h_i     1 / rows + sum over j of B_ij^2 / (l_j + alpha)        how much a row has a part in what is said of it
/// e_i     (Y_i - F_i) / (1 - h_i)                                the error at row i of the fit to all others
/// ```
///
/// For given features the last line is exact (Hastie, Tibshirani, Friedman: "The Elements of Statistical Learning", 2nd edition, 7.64),
/// and rows of a group that are left out together solve `(1 - H_gg) E_g = (Y - F)_g`. With more features than rows the numbers come
/// from the matrix of the rows' products, with more rows from that of the features'. Such a matrix has the square of the condition
/// number, which is why [`RidgeFactor`](super::RidgeFactor) does without; penalties below its round-off are refused.
#[derive(Debug)]
pub struct RidgeSpectrum {
    /// `[row, feature]`, less their means.
    x: Tensor,
    /// `[row, target]`, less their means.
    y: Tensor,
    x_mean: Tensor,
    y_mean: Tensor,
    /// `B`, `[row, direction]`.
    basis: Tensor,
    /// `l`, `[direction]`.
    eigenvalues: Tensor,
    /// What is no eigenvalue but round-off.
    round_off: f64,
    side: Side,
}

/// Which of the two matrices was decomposed, and its eigenvectors.
#[derive(Debug)]
enum Side {
    /// `X X'`: `[row, direction]`.
    Rows(Tensor),
    /// `X' X`: `[feature, direction]`.
    Features(Tensor),
}

/// A penalty that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenPenalty {
    /// The penalty.
    pub alpha: f64,
    /// Of each penalty that was tried, the mean square error at rows that were left out.
    pub errors: Vec<(f64, f64)>,
}

impl ChosenPenalty {
    /// The penalty with the least error, of equal ones the greater. Fails if none was tried.
    pub(super) fn least(errors: Vec<(f64, f64)>) -> Result<Self> {
        let better = |a: &(f64, f64), b: &(f64, f64)| a.1.total_cmp(&b.1).then(b.0.total_cmp(&a.0));
        match errors.iter().copied().min_by(better) {
            Some((alpha, _)) => Ok(Self { alpha, errors }),
            None => Err(Error::setting("ridge.alpha", "empty", "one penalty or more")),
        }
    }
}

impl RidgeSpectrum {
    /// Of features `[row, feature]` and targets `[row, target]`, in float64, at least two rows of which are there.
    ///
    /// Fails with [`Error::Shape`] if they are not such, and with [`Error::NotFinite`] if a number is not finite.
    pub fn new(x: &Tensor, y: &Tensor) -> Result<Self> {
        let (of_x, of_y) = (x.size(), y.size());
        if of_x.len() != 2 || of_y.len() != 2 || of_x[0] != of_y[0] || of_x[0] < 2 || of_x[1] < 1 {
            let expected = format!("[row, feature] with the rows of the targets {of_y:?}, two at least");
            return Err(Error::Shape { what: "features".into(), expected, found: of_x });
        }
        bd_core::check_finite("a feature", x)?;
        bd_core::check_finite("a target", y)?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let [(x, x_mean), (y, y_mean)] = [x, y].map(|t| {
                let t = t.to_kind(Kind::Double);
                let mean = t.mean_dim(0, true, Kind::Double);
                (t - &mean, mean)
            });
            let few_rows = of_x[0] <= of_x[1];
            let transposed = x.transpose(0, 1);
            let products = if few_rows { x.matmul(&transposed) } else { transposed.matmul(&x) };
            let (eigenvalues, vectors) = products.linalg_eigh("L");
            // The mean was taken out, so that a direction at least has nothing: what round-off leaves of it is dropped.
            let round_off = eigenvalues.max().double_value(&[]) * of_x[0].max(of_x[1]) as f64 * f64::EPSILON;
            let kept = eigenvalues.gt(round_off).nonzero().squeeze_dim(1);
            let (eigenvalues, vectors) = (eigenvalues.index_select(0, &kept), vectors.index_select(1, &kept));
            let (basis, side) = match few_rows {
                true => (&vectors * eigenvalues.sqrt(), Side::Rows(vectors)),
                false => (x.matmul(&vectors), Side::Features(vectors)),
            };
            Ok(Self { x, y, x_mean, y_mean, basis, eigenvalues, round_off, side })
        })
    }

    /// What the fit says of its own rows, less the mean, `[row, target]`.
    fn fitted(&self, alpha: f64) -> Tensor {
        let projected = self.basis.transpose(0, 1).matmul(&self.y);
        self.basis.matmul(&(projected / (&self.eigenvalues + alpha).unsqueeze(1)))
    }

    /// What is predicted for each row by the fit to all others, `[row, target]`; with `groups` by the fit to the rows of all other
    /// groups. Fails if there is not a group for each row, or only one group.
    pub fn left_out(&self, alpha: f64, groups: Option<&[i64]>) -> Result<Tensor> {
        self.check(alpha)?;
        let rows = self.y.size()[0];
        if let Some(groups) =
            groups.filter(|groups| groups.len() as i64 != rows || groups.iter().all(|g| *g == groups[0]))
        {
            let expected = format!("[{rows}], of two groups at least");
            return Err(Error::Shape { what: "groups of rows".into(), expected, found: vec![groups.len() as i64] });
        }
        catch_torch(|| {
            let gains = (&self.eigenvalues + alpha).reciprocal();
            let residual = &self.y - self.fitted(alpha);
            let error = match groups {
                None => residual / (1.0 - (self.basis.square().matmul(&gains.unsqueeze(1)) + 1.0 / rows as f64)),
                Some(groups) => self.errors_of_groups(&gains, &residual, groups)?,
            };
            Ok(&self.y + &self.y_mean - error)
        })
    }

    fn errors_of_groups(&self, gains: &Tensor, residual: &Tensor, groups: &[i64]) -> Result<Tensor> {
        let errors = residual.zeros_like();
        let mut rows_of: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        groups.iter().zip(0..).for_each(|(group, row)| rows_of.entry(*group).or_default().push(row));
        for rows in rows_of.into_values().map(|rows| Tensor::from_slice(&rows)) {
            let basis = self.basis.index_select(0, &rows);
            let hat = (&basis * gains).matmul(&basis.transpose(0, 1)) + 1.0 / groups.len() as f64;
            let rest = Tensor::eye(rows.size()[0], (Kind::Double, hat.device())) - hat;
            let solved = Tensor::f_linalg_solve(&rest, &residual.index_select(0, &rows), true)?;
            let _ = errors.shallow_clone().f_index_copy_(0, &rows, &solved)?;
        }
        Ok(errors)
    }

    /// Refuses a penalty that is no more than round-off.
    fn check(&self, alpha: f64) -> Result<()> {
        if alpha.is_finite() && alpha > self.round_off && alpha > 0.0 {
            return Ok(());
        }
        let allowed = format!("a number above {:e}, which is the round-off of the squared features", self.round_off);
        Err(Error::setting("ridge.alpha", format!("{alpha:e}"), allowed))
    }

    /// The weights for a penalty.
    pub fn solve(&self, alpha: f64) -> Result<RidgeSolution> {
        self.check(alpha)?;
        catch_torch(|| {
            let gains = (&self.eigenvalues + alpha).unsqueeze(1);
            let weight = match &self.side {
                Side::Rows(u) => self.x.transpose(0, 1).matmul(&u.matmul(&(u.transpose(0, 1).matmul(&self.y) / gains))),
                Side::Features(v) => v.matmul(&(self.basis.transpose(0, 1).matmul(&self.y) / gains)),
            };
            let bias = (&self.y_mean - self.x_mean.matmul(&weight)).squeeze_dim(0);
            Ok(RidgeSolution { weight, bias: Some(bias), rank: self.eigenvalues.size()[0] as usize + 1 })
        })
    }

    /// The penalty with the least mean square error at rows, or groups of them, that are left out; of equal ones the greater. Fails if
    /// none is given.
    pub fn choose(&self, alphas: &[f64], groups: Option<&[i64]>) -> Result<ChosenPenalty> {
        let error = |&alpha: &f64| {
            let apart = self.left_out(alpha, groups)? - (&self.y + &self.y_mean);
            Ok((alpha, apart.square().mean(Kind::Double).double_value(&[])))
        };
        let errors = alphas.iter().map(error).collect::<Result<Vec<_>>>()?;
        ChosenPenalty::least(errors)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::ridge::{Ridge, RidgeFactor};

    fn drawn(size: [i64; 2], name: &str) -> Tensor {
        let mut rng = bd_core::Rng::new(0, name);
        rng.tensor(&size, (Kind::Double, Device::Cpu), bd_core::Rng::normal)
    }

    fn by_factor(x: &Tensor, y: &Tensor, alpha: f64) -> RidgeSolution {
        let mut factor = RidgeFactor::new(x.size()[1], y.size()[1], true, Device::Cpu);
        factor.update(x, y).unwrap();
        factor.solve(&Ridge { alpha, penalise_intercept: false, ..Ridge::default() }).unwrap()
    }

    fn apart(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    /// More rows than features, and fewer.
    const SIZES: [[i64; 2]; 3] = [[40, 7], [12, 30], [9, 9]];

    #[test]
    fn weights_are_those_of_the_factorisation() {
        for size in SIZES {
            let (x, y) = (drawn(size, "x") * 3.0 + 5.0, drawn([size[0], 2], "y") + 1.0);
            let spectrum = RidgeSpectrum::new(&x, &y).unwrap();
            for alpha in [1e-3, 1.0, 1e3] {
                let (found, known) = (spectrum.solve(alpha).unwrap(), by_factor(&x, &y, alpha));
                assert!(apart(&found.weight, &known.weight) < 1e-10, "{size:?} {alpha}");
                assert!(apart(&found.bias.unwrap(), &known.bias.unwrap()) < 1e-9, "{size:?} {alpha}");
            }
        }
    }

    /// Each row is left out in truth, and the rest fitted by another way.
    #[test]
    fn rows_that_are_left_out_are_predicted_by_the_fit_to_all_others() {
        for size in SIZES {
            let (x, y) = (drawn(size, "x") + 2.0, drawn([size[0], 3], "y") - 4.0);
            let spectrum = RidgeSpectrum::new(&x, &y).unwrap();
            for alpha in [0.03, 10.0] {
                let found = spectrum.left_out(alpha, None).unwrap();
                for row in 0..size[0] {
                    let others: Vec<i64> = (0..size[0]).filter(|other| *other != row).collect();
                    let others = Tensor::from_slice(&others);
                    let fit = by_factor(&x.index_select(0, &others), &y.index_select(0, &others), alpha);
                    let known = x.narrow(0, row, 1).matmul(&fit.weight) + fit.bias.unwrap();
                    assert!(apart(&found.narrow(0, row, 1), &known) < 1e-9, "{size:?} {alpha} {row}");
                }
            }
        }
    }

    /// The same of groups of rows.
    #[test]
    fn groups_that_are_left_out_are_predicted_by_the_fit_to_all_others() {
        for size in SIZES {
            let (x, y) = (drawn(size, "x") + 2.0, drawn([size[0], 3], "y") - 4.0);
            let groups: Vec<i64> = (0..size[0]).map(|row| (row * row) % 4).collect();
            let found = RidgeSpectrum::new(&x, &y).unwrap().left_out(0.5, Some(&groups)).unwrap();
            for group in [0, 1] {
                let rows = |is: bool| -> Tensor {
                    let rows: Vec<i64> = (0..size[0]).filter(|row| (groups[*row as usize] == group) == is).collect();
                    Tensor::from_slice(&rows)
                };
                let (own, others) = (rows(true), rows(false));
                let fit = by_factor(&x.index_select(0, &others), &y.index_select(0, &others), 0.5);
                let known = x.index_select(0, &own).matmul(&fit.weight) + fit.bias.unwrap();
                assert!(apart(&found.index_select(0, &own), &known) < 1e-9, "{size:?} {group}");
            }
        }
    }

    /// Of pure noise nothing is learned by the greatest penalty; of a line without noise the least is best.
    #[test]
    fn the_penalty_follows_the_noise() {
        let x = drawn([60, 5], "x");
        let line = x.matmul(&drawn([5, 1], "w"));
        let alphas = [1e-3, 1e-1, 1e1, 1e3, 1e5];
        let chosen = |y: &Tensor| RidgeSpectrum::new(&x, y).unwrap().choose(&alphas, None).unwrap();
        assert_eq!(chosen(&line).alpha, 1e-3);
        assert!(chosen(&drawn([60, 1], "noise")).alpha >= 1e3);
        let found = chosen(&line);
        assert!(found.errors.len() == 5 && found.errors[0].1 < 1e-6, "{found:?}");
    }

    /// A feature twice, and one that is constant: their weight is shared, and nothing.
    #[test]
    fn dependent_features_share_their_weight() {
        let x = drawn([30, 1], "x");
        let all = Tensor::cat(&[&x, &x, &x.ones_like()], 1);
        let found = RidgeSpectrum::new(&all, &(&x * 4.0)).unwrap().solve(1e-6).unwrap();
        let expected = Tensor::from_slice(&[2.0, 2.0, 0.0]).unsqueeze(1);
        assert!(apart(&found.weight, &expected) < 1e-6, "{}", found.weight);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let (x, y) = (drawn([4, 2], "x"), drawn([4, 1], "y"));
        assert!(matches!(RidgeSpectrum::new(&x, &drawn([3, 1], "y")), Err(Error::Shape { .. })));
        assert!(matches!(RidgeSpectrum::new(&(&x / 0.0), &y), Err(Error::NotFinite { .. })));
        let spectrum = RidgeSpectrum::new(&x, &y).unwrap();
        for alpha in [0.0, 1e-300, f64::NAN] {
            assert!(matches!(spectrum.solve(alpha), Err(Error::Setting { .. })), "{alpha}");
        }
        assert!(spectrum.left_out(1.0, Some(&[3, 3, 3, 3])).is_err() && spectrum.left_out(1.0, Some(&[3, 4])).is_err());
        assert!(spectrum.choose(&[], None).is_err());
    }
}
