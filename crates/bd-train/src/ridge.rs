//! [`Ridge`]: fits the linear readout of any model in closed form.
//!
//! With `A = [1 | X]` of all features, targets `Y` (less what the model adds to its readout, see [`Features`](bd_core::Features))
//! and penalty `alpha`, the weights minimise `|A W - Y|^2 + alpha |W|^2`. `alpha` is not scaled with the number of samples. The intercept is penalised like
//! every weight (BrainPy 2.2.4, `brainpy/algorithms/offline.py`) unless [`Ridge::penalise_intercept`] is off.
//!
//! The features enter through an R factor that is updated chunk by chunk, `R <- QR([R; A | Y])`; alpha enters once, at
//! the solve. A Gram matrix would square the condition number, 5e12 on the features of the Lorenz tutorial. From 200 columns on the
//! factor is updated by substitution and a product of matrices, which is as accurate: see `wide.rs`.
//!
//! It is done where the data are, in float64; [`RidgeCost`] says whether a GPU is worth it.

mod algebra;
mod folds;
mod memory;
mod of_processes;
mod place;
mod solution;
mod spectrum;
mod wide;

use std::ops::ControlFlow;

use bd_core::checked::adopt_state;
use bd_core::{Error, Inputs, Readout, Result, Shared, Tap, catch_torch, check_finite, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::algebra::{gram_pinv, qr, r_factor, svd};
pub use self::folds::RidgeFolds;
pub use self::memory::{factor_bytes, folds_bytes, online_bytes, spectrum_bytes};
pub use self::place::RidgeCost;
pub use self::solution::RidgeSolution;
pub use self::spectrum::{ChosenPenalty, RidgeSpectrum};
use self::wide::{WIDE, extended};
use crate::layout::{check_as_inputs, check_pair, time_first};

/// How the weights are computed from the factor. "Dependent" means: as far as float64 can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// QR of `[R; sqrt(alpha) I]`: as accurate as the problem allows, whatever the scale of each feature. Fails on
    /// dependent features unless alpha is large enough to choose among their solutions.
    #[default]
    Qr,
    /// SVD of `R`. Directions below round-off of the largest are dropped, so that dependent features give the smallest
    /// solution, and features whose scales differ by many orders lose accuracy.
    Svd,
    /// What BrainPy does: pseudo-inverse of the Gram matrix `A'A + alpha I`, singular values below
    /// `10 n eps` of the largest dropped (JAX's default). Loses half of the digits; for comparison.
    GramPinv,
}

/// Ridge regression as a trainer.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `alpha` | 1e-6 | penalty, from 0 |
/// | `solver` | `qr` | see [`Solver`] |
/// | `penalise_intercept` | `true` | whether the intercept is penalised like a weight |
/// | `chunk_rows` | 16,384 | samples whose features are in memory at once |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Ridge {
    /// Penalty.
    pub alpha: f64,
    /// How to solve.
    pub solver: Solver,
    /// Whether the intercept is penalised.
    pub penalise_intercept: bool,
    /// Samples a chunk.
    pub chunk_rows: usize,
}

impl Default for Ridge {
    fn default() -> Self {
        Self { alpha: 1e-6, solver: Solver::default(), penalise_intercept: true, chunk_rows: 16_384 }
    }
}

/// Sees the factor and the model's state after a chunk of samples, and says whether there shall be another.
pub(crate) type AfterChunk<'a, S> = dyn FnMut(&RidgeFactor, &S) -> Result<ControlFlow<()>> + 'a;

/// What a fit found out about the problem.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RidgeReport {
    /// Samples: `batch * time`.
    pub rows: usize,
    /// Features, without the intercept.
    pub features: usize,
    /// Largest over smallest singular value of the design matrix, the intercept's column included.
    pub condition_number: f64,
    /// The same of what is solved, `[A; sqrt(alpha) I]`.
    pub regularised_condition_number: f64,
    /// Directions that the solver kept, of `features` and the intercept.
    pub rank: usize,
}

impl Ridge {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::from_zero("ridge.alpha", self.alpha)?;
        setting::at_least("ridge.chunk_rows", self.chunk_rows, 1)
    }

    /// Runs `model` over inputs `x` `[batch, time, n_in]` from `state`, fits its readout to targets `y`
    /// `[batch, time, n_out]`, and returns what was found and the state after the last step.
    pub fn fit<M: Readout>(
        &self,
        model: &M,
        sha: &Shared,
        x: &Tensor,
        y: &Tensor,
        state: M::State,
    ) -> Result<(RidgeReport, M::State)> {
        let (factor, state) = self.factor(model, sha, x, y, state)?;
        let solution = factor.solve(self)?;
        solution.write_to(model)?;
        Ok((factor.report(self, &solution)?, state))
    }

    /// The part of [`fit`](Self::fit) that alpha has no part in: one pass over the data, however many alphas follow.
    pub fn factor<M: Readout>(
        &self,
        model: &M,
        sha: &Shared,
        x: &Tensor,
        y: &Tensor,
        state: M::State,
    ) -> Result<(RidgeFactor, M::State)> {
        let (weight, bias) = model.readout();
        let mut factor = RidgeFactor::new(weight.size()[0], model.n_out(), bias.is_some(), x.device());
        let state = self.extend(&mut factor, model, sha, x, y, state)?;
        Ok((factor, state))
    }

    /// Takes more data into a factor of the same model: inputs and targets as for [`fit`](Self::fit), which go on where the data
    /// before them ended, from the state that was returned then.
    pub fn extend<M: Readout>(
        &self,
        factor: &mut RidgeFactor,
        model: &M,
        sha: &Shared,
        x: &Tensor,
        y: &Tensor,
        state: M::State,
    ) -> Result<M::State> {
        let go_on = &mut |_: &RidgeFactor, _: &M::State| Ok(ControlFlow::Continue(()));
        Ok(self.extend_while(factor, model, sha, [x, y], state, go_on)?.0)
    }

    /// [`extend`](Self::extend) by inputs and targets until `after_chunk` says that it is enough; and whether it has.
    pub(crate) fn extend_while<M: Readout>(
        &self,
        factor: &mut RidgeFactor,
        model: &M,
        sha: &Shared,
        [x, y]: [&Tensor; 2],
        state: M::State,
        after_chunk: &mut AfterChunk<'_, M::State>,
    ) -> Result<(M::State, ControlFlow<()>)> {
        self.check()?;
        sha.check()?;
        check_pair(x, model.n_in(), y, model.n_out())?;
        check_as_inputs("targets", y, x)?;
        check_as_inputs("the readout's weight", model.readout().0, x)?;
        check_finite("an input", x)?;
        let state = adopt_state(model, &state, x.size()[0], (x.kind(), x.device()))?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let chunk = (self.chunk_rows / x.size()[0] as usize).max(1);
            let parts = |t: &Tensor| time_first(t).split(i64::try_from(chunk).unwrap_or(i64::MAX), 0);
            let (xs, ys) = (parts(x), parts(y));
            let mut state = state;
            for (i, (xs, ys)) in xs.iter().zip(&ys).enumerate() {
                let sha = sha.ahead(i * chunk).in_phase(bd_core::Phase::Fit);
                let (features, next) = model.features(&sha, &Inputs::of_steps(xs), state, &mut Tap::none());
                let left = features.added.map(|added| ys - added);
                factor.update(&features.values.flatten(0, 1), &left.as_ref().unwrap_or(ys).flatten(0, 1))?;
                state = next;
                if after_chunk(factor, &state)?.is_break() {
                    return Ok((state, ControlFlow::Break(())));
                }
            }
            Ok((state, ControlFlow::Continue(())))
        })
    }
}

/// The R factor of `[A | Y]`, in float64: all that ridge regression needs to know of the data.
#[derive(Debug)]
pub struct RidgeFactor {
    /// Upper triangular; the columns are the intercept (if any), features, targets.
    r: Tensor,
    n_features: i64,
    intercept: bool,
    rows: usize,
}

impl RidgeFactor {
    /// The factor of no data.
    pub fn new(n_features: i64, n_targets: i64, intercept: bool, device: Device) -> Self {
        let r = Tensor::zeros([0, i64::from(intercept) + n_features + n_targets], (Kind::Double, device));
        Self { r, n_features, intercept, rows: 0 }
    }

    /// Samples that it has taken in.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The factor itself, upper triangular: at most as many rows as columns, which are the intercept (if any), features, targets.
    pub fn r(&self) -> &Tensor {
        &self.r
    }

    /// The factor of `rows` samples whose [`r`](Self::r) was `r`, for the same features and targets as this one.
    pub fn restored(self, r: &Tensor, rows: usize) -> Result<Self> {
        let width = self.r.size()[1];
        // Fewer samples than columns leave fewer rows.
        let expected = [width.min(i64::try_from(rows).unwrap_or(i64::MAX)), width];
        if r.size() != expected {
            return Err(Error::Shape {
                what: "the R factor".into(),
                expected: format!("{expected:?}"),
                found: r.size(),
            });
        }
        if r.kind() != Kind::Double {
            return Err(Error::Config(format!("the R factor is of {}, not float64", bd_core::kind_name(r.kind()))));
        }
        check_finite("the R factor", r)?;
        // Columns side by side, as the factorisation gives it: products round by the order in which they find their numbers.
        let r = r.to_device(self.r.device()).transpose(0, 1).contiguous().transpose(0, 1);
        Ok(Self { r, rows, ..self })
    }

    /// Takes in more samples: features `[rows, n_features]` and targets `[rows, n_targets]`. Values that are not finite
    /// are refused, and the factor is as before.
    pub fn update(&mut self, features: &Tensor, targets: &Tensor) -> Result<()> {
        let n_targets = self.r.size()[1] - self.n_columns();
        for (what, tensor, width) in [("features", features, self.n_features), ("targets", targets, n_targets)] {
            if tensor.dim() != 2 || tensor.size()[1] != width || tensor.size()[0] != features.size()[0] {
                let expected = format!("[rows, {width}], with as many rows as features");
                return Err(Error::Shape { what: what.into(), expected, found: tensor.size() });
            }
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let rows = features.size()[0];
            let ones = Tensor::ones([rows, i64::from(self.intercept)], (Kind::Double, features.device()));
            let (x, y) = (features.to_kind(Kind::Double), targets.to_kind(Kind::Double));
            let r = if self.r.size()[1] >= WIDE {
                extended(&self.r, self.rows, &[ones, x.shallow_clone(), y.shallow_clone()])
            } else {
                // Rows are samples, but LAPACK wants columns side by side: this concatenates along those.
                let chunk = Tensor::cat(&[ones.transpose(0, 1), x.transpose(0, 1), y.transpose(0, 1)], 0);
                let chunk = chunk.transpose(0, 1);
                r_factor(&if self.rows == 0 { chunk } else { Tensor::cat(&[&self.r, &chunk], 0) })
            };
            if r.isfinite().all().int64_value(&[]) == 0 {
                not_finite("a feature", &x, self.rows)?;
                not_finite("a target", &y, self.rows)?;
                let where_ = "values too large to be squared".into();
                return Err(Error::NotFinite { what: "the factorisation".into(), where_ });
            }
            self.r = r;
            self.rows += rows as usize;
            Ok(())
        })
    }

    /// Columns of the design matrix: the intercept and the features.
    fn n_columns(&self) -> i64 {
        i64::from(self.intercept) + self.n_features
    }

    /// Singular values of the design matrix, largest first.
    pub fn singular_values(&self) -> Result<Vec<f64>> {
        catch_torch(|| {
            let (_, s, _) = self.r.narrow(1, 0, self.n_columns()).svd(true, false);
            let mut values = Vec::<f64>::try_from(&s)?;
            values.resize(self.n_columns() as usize, 0.0); // fewer samples than columns
            Ok(values)
        })
    }

    /// The weights for one alpha. May be called for as many as are wanted.
    pub fn solve(&self, ridge: &Ridge) -> Result<RidgeSolution> {
        ridge.check()?;
        if self.rows == 0 {
            return Err(Error::Config("ridge regression needs at least one sample".into()));
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let free_intercept = self.intercept && !ridge.penalise_intercept;
            // The first row of R is the only one in which the intercept stands, so that whatever the weights are, a
            // free intercept makes that row exact: the weights are a matter of the other rows alone.
            let skip = i64::from(free_intercept);
            let below = self.r.narrow(0, skip, self.r.size()[0] - skip);
            let design = below.narrow(1, skip, self.n_columns() - skip);
            let targets = below.narrow(1, self.n_columns(), self.r.size()[1] - self.n_columns());
            let (w, rank) = match ridge.solver {
                // One sample and a free intercept: nothing is left to explain.
                _ if design.size()[0] == 0 => {
                    (Tensor::zeros([self.n_features, targets.size()[1]], (Kind::Double, self.r.device())), 0)
                }
                Solver::Qr => qr(&design, &targets, ridge.alpha)?,
                Solver::Svd => svd(&design, &targets, ridge.alpha),
                Solver::GramPinv => gram_pinv(&design, &targets, ridge.alpha),
            };
            let rank = rank + skip as usize;
            let (weight, bias) = if free_intercept {
                let first = self.r.get(0);
                let rest = first.narrow(0, self.n_columns(), targets.size()[1])
                    - first.narrow(0, 1, self.n_features).unsqueeze(0).matmul(&w).squeeze_dim(0);
                (w, Some(rest / first.get(0)))
            } else if self.intercept {
                (w.narrow(0, 1, self.n_features), Some(w.get(0)))
            } else {
                (w, None)
            };
            Ok(RidgeSolution { weight, bias, rank })
        })
    }

    /// Solves for each of some penalties, puts the weights into `model` and asks `score` how good it then is; the greatest score
    /// wins, of equal ones the greater penalty. Leaves the weights of the best in `model`. A penalty that the solver refuses, or
    /// whose score compares with nothing, cannot win.
    ///
    /// Returns the best penalty, and for each in order the score or the refusal.
    pub fn choose<M: Readout, S: PartialOrd>(
        &self,
        ridge: &Ridge,
        alphas: &[f64],
        model: &M,
        mut score: impl FnMut(&M) -> Result<S>,
    ) -> Result<(f64, Vec<Result<S>>)> {
        let mut scores = Vec::new();
        for &alpha in alphas {
            scores.push(match self.solve(&Ridge { alpha, ..ridge.clone() }) {
                Ok(solution) => {
                    solution.write_to(model)?;
                    Ok(score(model)?)
                }
                Err(refusal @ (Error::Config(_) | Error::Setting { .. })) => Err(refusal),
                Err(error) => return Err(error),
            });
        }
        let mut best: Option<(f64, &S)> = None;
        for (&alpha, score) in alphas.iter().zip(&scores) {
            let Ok(score) = score else { continue };
            let wins = match best {
                None => score.partial_cmp(score).is_some(),
                Some((other, least)) => score > least || (score == least && alpha > other),
            };
            if wins {
                best = Some((alpha, score));
            }
        }
        let Some((alpha, _)) = best else {
            let refusal = scores.into_iter().find_map(Result::err);
            return Err(refusal.unwrap_or_else(|| {
                Error::Config(format!("none of the penalties {alphas:?} gives a model whose error is a number"))
            }));
        };
        self.solve(&Ridge { alpha, ..ridge.clone() })?.write_to(model)?;
        Ok((alpha, scores))
    }

    /// What is known of the problem that `solution` solves.
    pub fn report(&self, ridge: &Ridge, solution: &RidgeSolution) -> Result<RidgeReport> {
        let s = self.singular_values()?;
        let (largest, smallest) = (s[0], s[s.len() - 1]);
        let with_alpha = |s: f64| s.hypot(ridge.alpha.sqrt());
        Ok(RidgeReport {
            rows: self.rows,
            features: self.n_features as usize,
            condition_number: largest / smallest,
            regularised_condition_number: with_alpha(largest) / with_alpha(smallest),
            rank: solution.rank,
        })
    }
}

/// Names the first row with a value that is not finite.
fn not_finite(what: &str, rows: &Tensor, rows_before: usize) -> Result<()> {
    let bad = rows.isfinite().logical_not().nonzero();
    if bad.size()[0] == 0 {
        return Ok(());
    }
    let (row, column) = (bad.int64_value(&[0, 0]) as usize + rows_before, bad.int64_value(&[0, 1]));
    Err(Error::NotFinite {
        what: what.into(),
        where_: format!("sample {row}, column {column}; if the inputs are finite, scale them down"),
    })
}
