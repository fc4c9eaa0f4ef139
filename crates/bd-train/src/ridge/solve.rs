//! From the factor to the weights: for one penalty, and for the best of several.

use bd_core::{Error, Readout, Result, catch_torch};
use tch::{Kind, Tensor};

use super::algebra::{gram_pinv, qr, svd};
use super::penalties::{self, Weights};
use super::{Ridge, RidgeFactor, RidgeSolution, Solver, sparse};

/// Columns from which on penalties share factorisations. Those of fewer cost next to nothing.
const SHARED_FROM: i64 = 64;

/// The least squares problem that the weights solve.
struct Problem {
    design: Tensor,
    targets: Tensor,
    /// An intercept that has no penalty is no part of it: it follows from the weights.
    free_intercept: bool,
}

/// The solution for a penalty, and whether it has a factorisation of its own; or why it is refused.
type Solved = Result<(RidgeSolution, bool)>;

impl RidgeFactor {
    /// The weights for one alpha. May be called for as many as are wanted.
    pub fn solve(&self, ridge: &Ridge) -> Result<RidgeSolution> {
        ridge.check()?;
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let problem = self.problem(ridge)?;
            let Problem { design, targets, .. } = &problem;
            let weights = match ridge.solver {
                // One sample and a free intercept: nothing is left to explain.
                _ if design.size()[0] == 0 => {
                    (Tensor::zeros([self.n_features, targets.size()[1]], (Kind::Double, self.r.device())), 0)
                }
                _ if ridge.l1_ratio > 0.0 => {
                    sparse::of_each([design, targets], self.rows, &[ridge.alpha], ridge.l1_ratio)
                        .pop()
                        .expect("one for each")?
                }
                Solver::Qr => qr(design, targets, ridge.alpha)?,
                Solver::Svd => svd(design, targets, ridge.alpha),
                Solver::GramPinv => gram_pinv(design, targets, ridge.alpha),
            };
            Ok(self.solution(&problem, weights))
        })
    }

    fn problem(&self, ridge: &Ridge) -> Result<Problem> {
        if self.rows == 0 {
            return Err(Error::Config("ridge regression needs at least one sample".into()));
        }
        let free_intercept = self.intercept && !ridge.penalise_intercept;
        // The first row of R is the only one in which the intercept stands, so that whatever the weights are, a
        // free intercept makes that row exact: the weights are a matter of the other rows alone.
        let skip = i64::from(free_intercept);
        let below = self.r.narrow(0, skip, self.r.size()[0] - skip);
        let design = below.narrow(1, skip, self.n_columns() - skip);
        let targets = below.narrow(1, self.n_columns(), self.r.size()[1] - self.n_columns());
        Ok(Problem { design, targets, free_intercept })
    }

    fn solution(&self, problem: &Problem, (w, rank): (Tensor, usize)) -> RidgeSolution {
        let (weight, bias) = if problem.free_intercept {
            let first = self.r.get(0);
            let rest = first.narrow(0, self.n_columns(), problem.targets.size()[1])
                - first.narrow(0, 1, self.n_features).unsqueeze(0).matmul(&w).squeeze_dim(0);
            (w, Some(rest / first.get(0)))
        } else if self.intercept {
            (w.narrow(0, 1, self.n_features), Some(w.get(0)))
        } else {
            (w, None)
        };
        RidgeSolution { weight, bias, rank: rank + usize::from(problem.free_intercept) }
    }

    /// Of each alpha in this order. Fails as a whole only where no alpha is to blame.
    fn solve_each(&self, ridge: &Ridge, alphas: &[f64]) -> Result<Vec<Solved>> {
        let with = |alpha: f64| Ridge { alpha, ..ridge.clone() };
        let is_sparse = ridge.l1_ratio > 0.0;
        let shares = ridge.solver == Solver::Qr && alphas.len() > 1 && (is_sparse || self.n_columns() >= SHARED_FROM);
        let can_share = shares && self.r.size()[0] > 1 && alphas.iter().all(|&alpha| with(alpha).check().is_ok());
        if !can_share {
            return Ok(alphas.iter().map(|&alpha| Ok((self.solve(&with(alpha))?, true))).collect());
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let problem = self.problem(ridge)?;
            let Problem { design, targets, .. } = &problem;
            let found = if is_sparse {
                sparse::of_each([design, targets], self.rows, alphas, ridge.l1_ratio)
                    .into_iter()
                    .map(|weights| (weights, true))
                    .collect()
            } else {
                penalties::of_each(design, targets, alphas)
            };
            let solved = |(weights, own): (Weights, bool)| Ok((self.solution(&problem, weights?), own));
            Ok(found.into_iter().map(solved).collect())
        })
    }

    /// Solves for each of some penalties, puts the weights into `model` and asks `score` how good it then is; the greatest score
    /// wins, of equal ones the greater penalty. Leaves the weights of the best in `model`. A penalty that the solver refuses, or
    /// whose score compares with nothing, cannot win.
    ///
    /// By [`Solver::Qr`] penalties of many columns share factorisations, which costs the weights that are compared some of their last
    /// digits, but not those that are left in `model`.
    ///
    /// Returns the best penalty, and for each in order the score or the refusal.
    pub fn choose<M: Readout, S: PartialOrd>(
        &self,
        ridge: &Ridge,
        alphas: &[f64],
        model: &M,
        mut score: impl FnMut(&M) -> Result<S>,
    ) -> Result<(f64, Vec<Result<S>>)> {
        let (mut scores, mut best) = (Vec::new(), None::<(usize, RidgeSolution, bool)>);
        for (i, solved) in self.solve_each(ridge, alphas)?.into_iter().enumerate() {
            let (solution, own) = match solved {
                Ok(found) => found,
                Err(refusal @ (Error::Config(_) | Error::Setting { .. })) => {
                    scores.push(Err(refusal));
                    continue;
                }
                Err(error) => return Err(error),
            };
            solution.write_to(model)?;
            let score = score(model)?;
            let wins = match &best {
                None => score.partial_cmp(&score).is_some(),
                Some((other, ..)) => {
                    let least = scores[*other].as_ref().expect("what has won is no refusal");
                    score > *least || (score == *least && alphas[i] > alphas[*other])
                }
            };
            if wins {
                best = Some((i, solution, own));
            }
            scores.push(Ok(score));
        }
        let Some((best, solution, own)) = best else {
            let refusal = scores.into_iter().find_map(Result::err);
            return Err(refusal.unwrap_or_else(|| {
                Error::Config(format!("none of the penalties {alphas:?} gives a model whose error is a number"))
            }));
        };
        let alpha = alphas[best];
        let solution = if own { solution } else { self.solve(&Ridge { alpha, ..ridge.clone() })? };
        solution.write_to(model)?;
        Ok((alpha, scores))
    }
}
