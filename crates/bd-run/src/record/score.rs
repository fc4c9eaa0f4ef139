//! What a run has reached, as numbers by name.

use serde_json::{Map, Value, json};

use super::Record;

/// Which of two numbers is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The greater one, as of an accuracy.
    Greater,
    /// The smaller one, as of an error.
    Smaller,
    /// Neither, as of a rate.
    Neither,
}

impl Better {
    /// Of a metric, by its name.
    pub fn of(name: &str) -> Self {
        let has = |part: &str| name.contains(part);
        match () {
            () if name.starts_with("baseline_") || has("standard_error") || has("updates") => Self::Neither,
            () if has("accuracy") || has("valid_steps") => Self::Greater,
            () if has("loss") || has("mse") || has("error") => Self::Smaller,
            () => Self::Neither,
        }
    }

    /// The place of the best of some numbers, if one can be called the best.
    pub fn best(self, values: &[Option<f64>]) -> Option<usize> {
        let known = || values.iter().enumerate().filter_map(|(i, value)| Some((i, value.filter(|v| v.is_finite())?)));
        let by_value = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        match self {
            Self::Greater => known().rev().max_by(by_value),
            Self::Smaller => known().min_by(by_value),
            Self::Neither => None,
        }
        .filter(|_| known().count() > 1)
        .map(|(i, _)| i)
    }
}

/// The one number that says most of how good a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct MainMetric {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// Names of metrics that are looked for, the first one first; one that ends with a dot is the first of those that begin so.
const MAIN: [&str; 11] = [
    "test_accuracy",
    "test_nrmse.",
    "test_nmse",
    "test_mse",
    "test_mse.",
    "test_loss",
    "validation_accuracy",
    "validation_loss",
    "train_accuracy",
    "train_loss",
    "rate_hz.",
];

/// The most telling of some metrics.
pub fn main_metric(metrics: &Map<String, Value>) -> Option<MainMetric> {
    let is = |name: &str, wanted: &str| if wanted.ends_with('.') { name.starts_with(wanted) } else { name == wanted };
    let find = |wanted: &&str| metrics.iter().find(|(name, value)| is(name, wanted) && value.is_number());
    let (name, value) = MAIN.iter().find_map(find)?;
    Some(MainMetric { name: name.clone(), value: value.as_f64()? })
}

impl Record {
    /// What the run has reached, by the names that its results have elsewhere: of the test part and what stands beside it; of one that was
    /// not tested, or not yet, what it has reported last; of a simulation rates.
    pub fn metrics(&self) -> Map<String, Value> {
        if let Some(activity) = self.activity() {
            return of_activity(activity);
        }
        let mut found = Map::new();
        for line in self.lines().iter().filter(|line| line["split"] == "test") {
            found.extend(of_test(line));
        }
        if found.is_empty() { self.of_training() } else { found }
    }

    /// The most telling of its [metrics](Self::metrics).
    pub fn main_metric(&self) -> Option<MainMetric> {
        main_metric(&self.metrics())
    }

    /// The means of the last reports of all members.
    fn of_training(&self) -> Map<String, Value> {
        let members = self.members();
        let last: Vec<&Value> = members.iter().filter_map(|i| self.reports_of(*i).last().copied()).collect();
        let names = [
            ("accuracy", "train_accuracy"),
            ("loss", "train_loss"),
            ("validation_loss", "validation_loss"),
            ("validation_accuracy", "validation_accuracy"),
        ];
        let mean = |key: &str| {
            let values: Vec<f64> = last.iter().filter_map(|line| line[key].as_f64()).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let mut found: Map<String, Value> =
            names.into_iter().filter_map(|(key, name)| Some((name.to_owned(), json!(mean(key)?)))).collect();
        for (name, value) in last.first().and_then(|line| line.as_object()).into_iter().flatten() {
            if name.starts_with("spike_rate.") {
                found.insert(name.clone(), value.clone());
            }
        }
        found
    }
}

/// Of a line of the test part, one of a horizon or of free runs of a forecast, or the one of everything else.
fn of_test(line: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut put = |name: String, value: &Value| {
        if value.is_number() {
            found.insert(name, value.clone());
        }
    };
    if let Some(horizon) = line["horizon"].as_u64() {
        put(format!("test_nrmse.{horizon}"), &line["nrmse"]);
        put(format!("test_mse.{horizon}"), &line["mse"]);
        for baseline in ["persistence", "mean"] {
            put(format!("baseline_{baseline}_nrmse.{horizon}"), &line[format!("baseline_{baseline}")]["nrmse"]);
        }
    } else if let Some(steps) = line["valid_steps"].as_array() {
        let mut steps: Vec<f64> = steps.iter().filter_map(Value::as_f64).collect();
        steps.sort_by(f64::total_cmp);
        put("valid_steps".into(), &json!(median(&steps)));
    } else {
        for (name, value) in line.as_object().into_iter().flatten() {
            put(name.clone(), value);
        }
    }
    found
}

/// Of sorted numbers.
fn median(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    (n > 0).then(|| (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0)
}

fn of_activity(activity: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, population) in activity["populations"].as_object().into_iter().flatten() {
        for key in ["rate_hz", "cv", "synchrony", "spikes"] {
            if population[key].is_number() {
                found.insert(format!("{key}.{name}"), population[key].clone());
            }
        }
    }
    found
}
