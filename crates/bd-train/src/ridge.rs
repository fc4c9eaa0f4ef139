//! [`Ridge`]: fits the linear readout of any model in closed form.
//!
//! With `A = [1 | X]` of all features, targets `Y` (less what the model adds to its readout, see [`Features`](bd_core::Features))
//! and penalty `alpha`, the weights minimise `|A W - Y|^2 + alpha |W|^2`. `alpha` is not scaled with the number of samples. The intercept is penalised like
//! every weight (BrainPy 2.2.4, `brainpy/algorithms/offline.py`) unless [`Ridge::penalise_intercept`] is off.
//!
//! The features enter through an R factor that is updated chunk by chunk, `R <- QR([R; A | Y])`; alpha enters once, at
//! the solve. A Gram matrix would square the condition number, 5e12 on the features of the Lorenz tutorial. From 101 columns on the
//! factor is updated by substitution and a product of matrices, which is as accurate: see `wide.rs`.
//!
//! A share of the penalty can be of absolute values, which makes weights of some features zero: see `sparse.rs`.
//!
//! All else is done where the data are, in float64; [`RidgeCost`] says whether a GPU is worth it.

mod algebra;
#[cfg(test)]
mod drawn;
mod folds;
mod memory;
mod of_processes;
mod penalties;
mod place;
mod solution;
mod solve;
mod sparse;
mod spectrum;
mod wide;

use std::ops::ControlFlow;

use bd_core::checked::adopt_state;
use bd_core::{Error, Inputs, Readout, Result, Shared, StateTree, Tap, catch_torch, check_finite, setting, threads};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::algebra::r_factor;
pub use self::folds::RidgeFolds;
pub use self::memory::{factor_bytes, folds_bytes, online_bytes, sparse_bytes, spectrum_bytes};
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
/// With `l1_ratio` above 0 it is the elastic net, which minimises `|A w - y|^2 + alpha ((1 - l1_ratio) |w|^2 + 2 l1_ratio u sum |w_i|)`
/// for each column `y` of `Y` by itself, with `u` its root mean square, or its standard deviation where the intercept is not penalised:
/// weights of some features are exactly zero, in whatever unit the targets are. For `u = 1` scikit-learn's `alpha` is this one over the
/// number of samples. Only [`Solver::Qr`] can be set beside it. It is worked out on the CPU. A penalty so small that rounding decides which
/// weights are zero is refused.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `alpha` | 1e-6 | penalty, from 0 |
/// | `solver` | `qr` | see [`Solver`] |
/// | `l1_ratio` | 0 | share of the penalty that is of absolute values, from 0 (ridge) to 1 (lasso) |
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
    /// Share of the penalty that is of absolute values.
    pub l1_ratio: f64,
    /// Whether the intercept is penalised.
    pub penalise_intercept: bool,
    /// Samples a chunk.
    pub chunk_rows: usize,
}

impl Default for Ridge {
    fn default() -> Self {
        Self { alpha: 1e-6, solver: Solver::default(), l1_ratio: 0.0, penalise_intercept: true, chunk_rows: 16_384 }
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
    /// Features that have a weight which is not zero.
    pub used: usize,
}

impl Ridge {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::from_zero("ridge.alpha", self.alpha)?;
        setting::check("ridge.l1_ratio", self.l1_ratio, (0.0..=1.0).contains(&self.l1_ratio), "from 0 to 1")?;
        if self.l1_ratio > 0.0 && self.solver != Solver::Qr {
            return Err(Error::setting("ridge.l1_ratio", self.l1_ratio, "0, unless ridge.solver is \"qr\""));
        }
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
            let of_chunk = |i: usize, state: M::State| {
                let sha = sha.ahead(i * chunk).in_phase(bd_core::Phase::Fit);
                let (features, state) = model.features(&sha, &Inputs::of_steps(&xs[i]), state, &mut Tap::none());
                let targets = features.added.map_or_else(|| ys[i].shallow_clone(), |added| &ys[i] - added);
                Chunk { features: features.values.flatten(0, 1), targets: targets.flatten(0, 1), state }
            };
            if xs.is_empty() {
                return Ok((state, ControlFlow::Continue(())));
            }
            let (mut made, mut next) = (of_chunk(0, state), 1);
            loop {
                let Chunk { features, targets, state } = made;
                let ahead = (next < xs.len()).then(|| {
                    let (of_chunk, state) = (&of_chunk, state.share());
                    move || of_chunk(next, state)
                });
                let of_thread = &mut *factor;
                let update = move || of_thread.update(&features, &targets);
                let (taken, ahead) = beside(update, ahead, x.device());
                taken?;
                match (after_chunk(factor, &state)?, ahead) {
                    (ControlFlow::Continue(()), Some(ahead)) => (made, next) = (ahead, next + 1),
                    (flow, _) => return Ok((state, flow)),
                }
            }
        })
    }
}

/// Samples that are not yet in the factor.
struct Chunk<S> {
    features: Tensor,
    targets: Tensor,
    /// That of the model after them.
    state: S,
}

/// What `update` and `ahead` give: the factor takes a chunk in while the features of the next one are made, for states of one series are
/// the work of one thread. With one thread, or on a GPU, one after the other.
fn beside<A: Send, B>(
    update: impl FnOnce() -> A + Send,
    ahead: Option<impl FnOnce() -> B>,
    device: Device,
) -> (A, Option<B>) {
    let Some(ahead) = ahead else { return (update(), None) };
    if threads::kernel_threads() == 1 || device != Device::Cpu {
        return (update(), Some(ahead()));
    }
    std::thread::scope(|scope| {
        let update = scope.spawn(move || {
            threads::set_libtorch(1);
            let _guard = tch::no_grad_guard();
            update()
        });
        let ahead = ahead();
        (update.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)), Some(ahead))
    })
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

    /// What is known of the problem that `solution` solves.
    pub fn report(&self, ridge: &Ridge, solution: &RidgeSolution) -> Result<RidgeReport> {
        let s = self.singular_values()?;
        let (largest, smallest) = (s[0], s[s.len() - 1]);
        let with_alpha = |s: f64| s.hypot((ridge.alpha * (1.0 - ridge.l1_ratio)).sqrt());
        Ok(RidgeReport {
            rows: self.rows,
            features: self.n_features as usize,
            condition_number: largest / smallest,
            regularised_condition_number: with_alpha(largest) / with_alpha(smallest),
            rank: solution.rank,
            used: solution.used()?,
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
