//! [`Decisions`]: what a network decides in trials: how often it is right, and its psychometric functions.

use bd_core::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use super::trial::{FIXATE, Trial};

/// How often a network chose class 1 at one strength of the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Level {
    /// How strongly the evidence speaks for class 1.
    pub evidence: f64,
    /// Trials.
    pub trials: usize,
    /// Trials in which something was chosen.
    pub decided: usize,
    /// Trials in which class 1 was.
    pub first: usize,
    /// Trials in which what is right was.
    pub right: usize,
}

impl Level {
    /// The share of class 1 among the choices, not a number where there is none.
    pub fn share(&self) -> f64 {
        self.first as f64 / self.decided as f64
    }

    /// Its interval with 95 % confidence.
    pub fn interval(&self) -> [f64; 2] {
        binomial_interval(self.first, self.decided)
    }
}

/// Choices by the strength of one kind of evidence: a psychometric function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Psychometric {
    /// What the evidence is, with its unit.
    pub evidence: String,
    /// From the strongest evidence for class 2 to the strongest for class 1.
    pub levels: Vec<Level>,
}

/// What a network decided in trials. A choice is the first class other than 0 that has the greatest score in a step of the decision, as NeuroGym takes
/// actions; a trial without one is undecided, and not right.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// The choice of each trial, 0 where there is none.
    pub choices: Vec<i64>,
    /// The share of trials that are decided right.
    pub right: f64,
    /// The same of those whose first kind of evidence is not 0; none without such trials.
    pub right_with_evidence: Option<f64>,
    /// The share of trials without a choice.
    pub undecided: f64,
    /// How often class (row) was decided for class (column), where column 0 has the undecided trials.
    pub confusion: Vec<Vec<i64>>,
    /// For each kind of evidence.
    pub psychometric: Vec<Psychometric>,
}

impl Decisions {
    /// Of scores `[trial, time, class]`, with the names of the kinds of evidence. Fails if there are not as many scores as trials, or none.
    pub fn new(scores: &Tensor, trials: &[Trial], evidence: &[&str]) -> Result<Self> {
        let size = scores.size();
        let [time, classes] = match size[..] {
            [count, time, classes] if count == trials.len() as i64 && count > 0 && time > 0 && classes > 2 => {
                [time, classes]
            }
            _ => {
                let expected = format!("[{}, time, classes], of one trial and three classes at least", trials.len());
                return Err(Error::Shape { what: "scores of trials".into(), expected, found: size });
            }
        };
        let taken = Vec::<i64>::try_from(scores.f_to_device(Device::Cpu)?.f_argmax(-1, false)?.f_flatten(0, -1)?)?;
        let choice = |(trial, steps): (&Trial, &[i64])| {
            let decision = steps.get(trial.decision.clone()).unwrap_or_default();
            decision.iter().copied().find(|class| *class != FIXATE).unwrap_or(FIXATE)
        };
        let choices: Vec<i64> = trials.iter().zip(taken.chunks(time as usize)).map(choice).collect();
        let share = |of: &dyn Fn(&Trial, i64) -> bool, among: &dyn Fn(&Trial) -> bool| {
            let all = || trials.iter().zip(&choices).filter(|(trial, _)| among(trial));
            let count = all().count();
            (count > 0).then(|| all().filter(|(trial, choice)| of(trial, **choice)).count() as f64 / count as f64)
        };
        let is_right = |trial: &Trial, choice: i64| choice == trial.right;
        let mut confusion = vec![vec![0; classes as usize]; classes as usize];
        for (trial, choice) in trials.iter().zip(&choices) {
            let row = usize::try_from(trial.right).ok().and_then(|right| confusion.get_mut(right));
            let cell = row.and_then(|row| row.get_mut(*choice as usize));
            cell.into_iter().for_each(|count| *count += 1);
        }
        Ok(Self {
            right: share(&is_right, &|_| true).unwrap_or(0.0),
            right_with_evidence: share(&is_right, &|trial| trial.evidence.first().is_some_and(|found| *found != 0.0)),
            undecided: share(&|_, choice| choice == FIXATE, &|_| true).unwrap_or(0.0),
            confusion,
            psychometric: evidence
                .iter()
                .enumerate()
                .map(|(i, name)| psychometric(name, i, trials, &choices))
                .collect(),
            choices,
        })
    }

    /// By names that begin with `split`: `test_right_with_evidence`, `test_undecided` and `test_psychometric`.
    pub fn metrics(&self, split: &str) -> Map<String, Value> {
        let curve = |curve: &Psychometric| {
            let level = |level: &Level| {
                let mut value = json!(level);
                value["interval"] = json!(level.interval());
                value
            };
            json!({"evidence": curve.evidence, "levels": curve.levels.iter().map(level).collect::<Vec<_>>()})
        };
        let mut metrics = Map::new();
        let mut put = |name: &str, value: Value| drop(metrics.insert(format!("{split}_{name}"), value));
        if let Some(right) = self.right_with_evidence {
            put("right_with_evidence", json!(right));
        }
        put("undecided", json!(self.undecided));
        put("psychometric", self.psychometric.iter().map(curve).collect());
        metrics
    }

    /// `choice` and `right` `[trial]`, `evidence` `[trial, kind]`.
    pub fn arrays(&self, trials: &[Trial]) -> Vec<(String, Tensor)> {
        let right: Vec<i64> = trials.iter().map(|trial| trial.right).collect();
        let kinds = trials.iter().map(|trial| trial.evidence.len()).min().unwrap_or(0);
        let evidence: Vec<f64> = trials.iter().flat_map(|trial| trial.evidence[..kinds].iter().copied()).collect();
        let evidence = Tensor::from_slice(&evidence).reshape([trials.len() as i64, kinds as i64]);
        vec![
            ("choice".into(), Tensor::from_slice(&self.choices)),
            ("right".into(), Tensor::from_slice(&right)),
            ("evidence".into(), evidence),
        ]
    }
}

fn psychometric(name: &str, kind: usize, trials: &[Trial], choices: &[i64]) -> Psychometric {
    // -0 and 0 are one strength.
    let of = |trial: &Trial| trial.evidence.get(kind).map(|evidence| evidence + 0.0);
    let mut found: Vec<f64> = trials.iter().filter_map(of).collect();
    found.sort_by(f64::total_cmp);
    found.dedup();
    let level = |evidence: f64| {
        let of_level: Vec<(&Trial, i64)> =
            trials.iter().zip(choices.iter().copied()).filter(|(trial, _)| of(trial) == Some(evidence)).collect();
        let count = |which: &dyn Fn(&Trial, i64) -> bool| {
            of_level.iter().filter(|(trial, choice)| which(trial, *choice)).count()
        };
        Level {
            evidence,
            trials: of_level.len(),
            decided: count(&|_, choice| choice != FIXATE),
            first: count(&|_, choice| choice == 1),
            right: count(&|trial, choice| choice == trial.right),
        }
    };
    Psychometric { evidence: name.to_owned(), levels: found.into_iter().map(level).collect() }
}

/// The interval of a share of `successes` in `trials` with 95 % confidence by Wilson's formula (1927); everything where there are no trials.
pub fn binomial_interval(successes: usize, trials: usize) -> [f64; 2] {
    /// The quantile .975 of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return [0.0, 1.0];
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Ends at 0 and 1 that rounding would miss.
    let least = if successes == 0 { 0.0 } else { (middle - half) / scale };
    let most = if successes == trials { 1.0 } else { (middle + half) / scale };
    [least, most]
}
