//! How long a model that runs on its own outputs stays with the truth, from many starts at once.

use std::ops::Range;

use bd_core::{Error, Result, Shared, System, catch_torch, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::data::Solution;
use crate::predict::{free_run, predict_series};

/// Settings of [`free_runs`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `starts` | 50 | runs, from starts spread evenly over the part; fewer where it has not as many |
/// | `steps` | half of the part, at most 10,000 | length of a run. Where the truth ends earlier, only whether it stays bounded is asked from there on |
/// | `threshold` | 0.4 | a run is valid until its error is greater, in standard deviations |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct FreeRunConfig {
    pub starts: usize,
    pub steps: Option<usize>,
    pub threshold: f64,
}

impl Default for FreeRunConfig {
    fn default() -> Self {
        Self { starts: 50, steps: None, threshold: 0.4 }
    }
}

impl FreeRunConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::at_least("free_run.starts", self.starts, 1)?;
        setting::above_zero("free_run.threshold", self.threshold)
    }

    /// Length of a run in a part of so many points.
    pub fn steps_in(&self, points: usize) -> usize {
        self.steps.unwrap_or_else(|| (points / 2).min(USUAL_STEPS))
    }
}

/// Steps of a run where nobody has said how many: of a recording of millions of points half of a part would take hours, and tell no more.
const USUAL_STEPS: usize = 10_000;

/// A run is bounded if it never is further than this from the mean, in standard deviations.
const BOUND: f64 = 10.0;

/// Mean and standard deviation (of the population) of each channel, by which errors are measured.
#[derive(Debug)]
pub struct Units {
    /// `[channel]`.
    pub mean: Tensor,
    /// `[channel]`; 1 where a channel is constant.
    pub std: Tensor,
}

impl Units {
    /// Of points `[time, channel]`.
    pub fn of(points: &Tensor) -> Result<Self> {
        catch_torch(|| {
            let points = points.to_kind(Kind::Double);
            let std = points.std_dim(0, false, false);
            let constant = points.amax(0, false).eq_tensor(&points.amin(0, false));
            Ok(Self { mean: points.mean_dim(0, false, Kind::Double), std: std.masked_fill(&constant, 1.0) })
        })
    }
}

/// What [`free_runs`] finds.
#[derive(Debug)]
pub struct FreeRuns {
    /// The last point of the series that each run has seen. Its first forecast is about the next one.
    pub starts: Vec<usize>,
    /// Length of the runs.
    pub steps: usize,
    /// `[start, step, channel]`, float64, on the host: as many steps as there is truth for, of every run.
    pub prediction: Tensor,
    /// For each run the number of steps before its error, the root over the channels of the mean square in standard
    /// deviations, exceeds the threshold. At most the steps that are compared.
    pub valid_steps: Vec<usize>,
    /// For each run whether it stays within ten standard deviations of the mean over all its steps.
    pub bounded: Vec<bool>,
    /// Root mean square error over all that is compared, in standard deviations.
    pub error: f64,
    /// For each run, where the system is known, the steps for which the truth is one: a second solver of the system stays within the
    /// threshold of the series. See [`judge`](Self::judge).
    pub truth_steps: Option<Vec<usize>>,
}

impl FreeRuns {
    /// Sets [`truth_steps`](Self::truth_steps) for `series`, `[time, channel]`, which is this solution, with points `dt` apart. `units`
    /// and `threshold` are those of the runs. A run that is valid for longer has followed the series and not the
    /// system.
    pub fn judge(
        &mut self,
        solution: &Solution,
        (series, dt): (&Tensor, f64),
        units: &Units,
        threshold: f64,
    ) -> Result<()> {
        let compared = self.compared();
        let starts = Tensor::from_slice(&self.starts.iter().map(|&at| at as i64).collect::<Vec<_>>());
        let starts = catch_torch(|| Ok(series.index_select(0, &starts)))?;
        let Some(second) = solution.beside(&starts, dt, compared)? else { return Ok(()) };
        self.truth_steps = Some(catch_torch(|| {
            let truth: Vec<_> =
                self.starts.iter().map(|&at| series.narrow(0, at as i64 + 1, compared as i64)).collect();
            valid_steps(&((second - Tensor::stack(&truth, 0)) / &units.std), threshold)
        })?);
        Ok(())
    }

    /// Steps for which there is truth to compare with.
    pub fn compared(&self) -> usize {
        self.prediction.size()[1] as usize
    }

    /// The median of the valid steps.
    pub fn median_valid_steps(&self) -> f64 {
        median(&self.valid_steps)
    }

    /// Runs that stay bounded.
    pub fn bounded(&self) -> usize {
        self.bounded.iter().filter(|&&bounded| bounded).count()
    }
}

fn median(steps: &[usize]) -> f64 {
    let mut sorted = steps.to_vec();
    sorted.sort_unstable();
    let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
    (sorted[low] + sorted[high]) as f64 / 2.0
}

/// For each run of differences `[run, step, channel]` the steps before the root of their mean square over the channels exceeds the
/// threshold, or is not a number.
fn valid_steps(differences: &Tensor, threshold: f64) -> Result<Vec<usize>> {
    let square = differences.square().mean_dim(2, false, Kind::Double);
    let wrong = square.le(threshold * threshold).logical_not();
    let valid = wrong.cumsum(1, Kind::Int64).eq(0).sum_dim_intlist(1, false, Kind::Int64);
    Ok(Vec::<i64>::try_from(valid)?.into_iter().map(|steps| steps as usize).collect())
}

/// [`FreeRuns`] in a few numbers, without the runs themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeRunSummary {
    /// Number of runs.
    pub runs: usize,
    /// Length of the runs.
    pub steps: usize,
    /// Steps for which there is truth to compare with.
    pub compared: usize,
    /// The median of the valid steps.
    pub median_valid_steps: f64,
    /// Runs that are valid for all steps that are compared.
    pub valid_throughout: usize,
    /// Runs that stay bounded.
    pub bounded: usize,
    /// The mean of the valid steps.
    pub mean_valid_steps: f64,
    /// See [`FreeRuns::error`].
    pub error: f64,
    /// The median of the steps for which the truth is one, where that is known.
    pub median_truth_steps: Option<f64>,
    /// Runs that are valid for longer than that: void beyond it.
    pub void: usize,
}

impl FreeRunSummary {
    /// Of two models the better one has the greater score: more runs that stay bounded; then more valid steps, in the mean, for the
    /// median often is the same; then a smaller error.
    pub fn score(&self) -> [f64; 3] {
        let error = if self.error.is_finite() { -self.error } else { f64::NEG_INFINITY };
        [self.bounded as f64 / self.runs as f64, self.mean_valid_steps, error]
    }
}

impl From<&FreeRuns> for FreeRunSummary {
    fn from(free: &FreeRuns) -> Self {
        let compared = free.compared();
        Self {
            runs: free.starts.len(),
            steps: free.steps,
            compared,
            median_valid_steps: free.median_valid_steps(),
            valid_throughout: free.valid_steps.iter().filter(|&&steps| steps == compared).count(),
            bounded: free.bounded(),
            mean_valid_steps: free.valid_steps.iter().sum::<usize>() as f64 / free.starts.len() as f64,
            error: free.error,
            median_truth_steps: free.truth_steps.as_deref().map(median),
            void: free
                .truth_steps
                .iter()
                .flatten()
                .zip(&free.valid_steps)
                .filter(|(truth, valid)| valid > truth)
                .count(),
        }
    }
}

/// Lets `model`, of dtype and device `on`, run on its own outputs from starts in the part `part` of a series `[time, channel]` in
/// float64, and compares. Each run first sees up to `memory` points before its start, from the initial state.
///
/// Gives none where the part is too short for a single step to be compared.
#[allow(clippy::too_many_arguments)] // a model, a series, and how the two meet
pub fn free_runs<S: System>(
    model: &S,
    sha: &Shared,
    on: (Kind, Device),
    series: &Tensor,
    part: Range<usize>,
    memory: usize,
    units: &Units,
    config: &FreeRunConfig,
) -> Result<Option<FreeRuns>> {
    config.check()?;
    sha.check()?;
    let (size, n_in) = (series.size(), model.n_in());
    if size.len() != 2 || size[1] != n_in || (size[0] as usize) < part.end {
        let expected = format!("[time, {n_in}], the model's inputs, with at least the {} points of the part", part.end);
        return Err(Error::Shape { what: "the series".into(), expected, found: size });
    }
    let Some((first, compared)) = runs_in(&part, memory, config) else { return Ok(None) };
    let steps = config.steps_in(part.len());
    let starts = spread(first, part.end - 1 - compared, config.starts);
    catch_torch(|| {
        let stretches = |from: &dyn Fn(usize) -> usize, length: usize| {
            let all: Vec<_> = starts.iter().map(|&at| series.narrow(0, from(at) as i64, length as i64)).collect();
            Tensor::stack(&all, 0).to_device(on.1)
        };
        let inputs = |from: &dyn Fn(usize) -> usize, length: usize| stretches(from, length).to_kind(on.0);
        let mut state = model.init_state(starts.len() as i64, on);
        if memory > 0 {
            state = predict_series(model, sha, &inputs(&|at| at - memory, memory), state)?.1;
        }
        let now = inputs(&|at| at, 1).squeeze_dim(1);
        let run = free_run(model, &sha.ahead(memory), &now, state, steps)?.0.to_kind(Kind::Double);
        let std = units.std.to_device(run.device());
        let away = ((&run - units.mean.to_device(run.device())) / &std).abs();
        // Not a number is not bounded either.
        let bounded = away.le(BOUND).all_dims(&[1i64, 2][..], false);
        let run = run.narrow(1, 0, compared as i64);
        let truth = stretches(&|at| at + 1, compared);
        let differences = (&run - truth) / std;
        Ok(Some(FreeRuns {
            steps,
            valid_steps: valid_steps(&differences, config.threshold)?,
            bounded: Vec::<i64>::try_from(bounded.to_kind(Kind::Int64))?.into_iter().map(|yes| yes == 1).collect(),
            error: differences.square().mean(Kind::Double).sqrt().double_value(&[]),
            prediction: run.to_device(Device::Cpu),
            starts,
            truth_steps: None,
        }))
    })
}

/// The first start of runs in `part` and the steps of a run that can be compared; `None` where the part is too short for one.
pub(crate) fn runs_in(part: &Range<usize>, memory: usize, config: &FreeRunConfig) -> Option<(usize, usize)> {
    let (first, compared) = (part.start.max(memory), config.steps_in(part.len()).min(part.len() / 2));
    (compared > 0 && first + compared < part.end).then_some((first, compared))
}

/// Up to `count` numbers from `first` to `last`, both included, as evenly as whole numbers can be.
fn spread(first: usize, last: usize, count: usize) -> Vec<usize> {
    let room = last - first;
    let count = count.min(room + 1);
    (0..count).map(|i| if count == 1 { first } else { first + i * room / (count - 1) }).collect()
}

#[cfg(test)]
mod tests {
    use bd_core::state;

    use super::*;
    use crate::data::{Flow, Method};

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn runs_are_of_half_of_a_part_unless_it_is_long() {
        let usual = FreeRunConfig::default();
        assert_eq!([0, 7, 20_001, 1 << 40].map(|points| usual.steps_in(points)), [0, 3, 10_000, 10_000]);
        assert_eq!(FreeRunConfig { steps: Some(30_000), ..usual }.steps_in(7), 30_000);
    }

    state! {
        /// The input before the present one.
        struct Before { x: Tensor }
    }

    /// A forecast of a straight line from two points that goes wrong by a factor.
    #[derive(Debug)]
    struct Line(f64);

    impl System for Line {
        type State = Before;

        fn n_in(&self) -> i64 {
            1
        }

        fn n_out(&self) -> i64 {
            1
        }

        fn init_state(&self, batch: i64, on: (Kind, Device)) -> Before {
            Before { x: Tensor::zeros([batch, 1], on) }
        }

        fn step(&self, _: &Shared, x: &Tensor, s: &Before) -> (Tensor, Before) {
            (x + (x - &s.x) * self.0, Before { x: x.shallow_clone() })
        }
    }

    fn runs(model: &Line, points: usize, config: FreeRunConfig) -> Option<FreeRuns> {
        let series = Tensor::arange(points as i64, ON).unsqueeze(1);
        let units = Units { mean: Tensor::zeros([1], ON), std: Tensor::ones([1], ON) };
        free_runs(model, &Shared::default(), ON, &series, 0..points, 1, &units, &config).unwrap()
    }

    /// A line is forecast for ever; with steps that grow by a tenth each the error after k steps is `sum_j (1.1^j - 1)`: 0.1,
    /// 0.31, 0.641.
    #[test]
    fn runs_are_valid_as_long_as_their_error_is_small() {
        let config = FreeRunConfig { starts: 3, steps: Some(4), ..FreeRunConfig::default() };
        let exact = runs(&Line(1.0), 10, config.clone()).unwrap();
        assert_eq!((exact.starts, exact.valid_steps), (vec![1, 3, 5], vec![4, 4, 4]));
        assert!(exact.error < 1e-14);
        let growing = runs(&Line(1.1), 10, config).unwrap();
        assert_eq!((growing.median_valid_steps(), growing.prediction.size()), (2.0, vec![3, 4, 1]));
        assert!((growing.prediction.double_value(&[0, 0, 0]) - 2.1).abs() < 1e-14);
    }

    /// Lines leave every bound, and a run whose truth has ended is still watched.
    #[test]
    fn bounded_is_asked_of_all_steps() {
        let run = |steps| {
            let config = FreeRunConfig { starts: 1, steps: Some(steps), ..FreeRunConfig::default() };
            let runs = runs(&Line(1.0), 6, config).unwrap();
            (runs.bounded(), runs.compared(), runs.steps)
        };
        assert_eq!((run(9), run(10)), ((1, 3, 9), (0, 3, 10))); // from 1: up to 10, up to 11
    }

    #[test]
    fn what_is_not_a_number_is_neither_valid_nor_bounded() {
        let runs = runs(&Line(f64::NAN), 10, FreeRunConfig::default()).unwrap();
        assert_eq!((runs.bounded(), runs.median_valid_steps()), (0, 0.0));
        assert_eq!(FreeRunSummary::from(&runs).score(), [0.0, 0.0, f64::NEG_INFINITY]);
    }

    /// Where the series of Lorenz by steps of 0.02 leaves the system, its difference has grown from 1e-6, the error of a step, to 0.4
    /// at the rate 0.9 or so: after some 14 units of time. A run along the series is void from there on.
    #[test]
    fn the_truth_ends_where_a_second_solver_leaves_the_series() {
        let lorenz = Flow::named("lorenz").unwrap();
        let (params, dt) = (lorenz.usual_params(), 0.02);
        let series = lorenz.series(&params, &[8.0, 1.0, 1.0], dt, 4000).unwrap();
        let units = Units::of(&series).unwrap();
        let starts = vec![500, 900, 1300];
        let mut free = FreeRuns {
            steps: 2000,
            prediction: Tensor::zeros([3, 2000, 3], ON),
            valid_steps: vec![2000, 10, 2000],
            bounded: vec![true; 3],
            error: 0.0,
            truth_steps: None,
            starts,
        };
        let solution = Solution { flow: lorenz, params, method: None };
        free.judge(&solution, (&series, dt), &units, 0.4).unwrap();
        let summary = FreeRunSummary::from(&free);
        let time = summary.median_truth_steps.unwrap() * dt;
        assert!((8.0..22.0).contains(&time) && summary.void == 2, "{summary:?}");
        // The most exact solver is judged by one of a tenfold tolerance, 1e-12, not by itself: after 29 units of time or so.
        let solution = Solution { method: Some(Method::REFERENCE), ..solution };
        let exact = lorenz.series_by(solution.method, &solution.params, &[8.0, 1.0, 1.0], dt, 4000).unwrap();
        free.judge(&solution, (&exact, dt), &units, 0.4).unwrap();
        let time = FreeRunSummary::from(&free).median_truth_steps.unwrap() * dt;
        assert!((20.0..36.0).contains(&time), "{time}");
    }

    #[test]
    fn short_parts_have_fewer_runs_or_none() {
        assert_eq!(runs(&Line(1.0), 4, FreeRunConfig::default()).unwrap().starts, [1]);
        assert!(runs(&Line(1.0), 2, FreeRunConfig::default()).is_none());
        assert_eq!(spread(10, 20, 3), [10, 15, 20]);
        assert_eq!(spread(4, 6, 50), [4, 5, 6]);
    }
}
