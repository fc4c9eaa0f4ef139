//! [`runs`]: the runs of a folder, a row each.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use bd_core::text::short;
use bd_core::{Error, Result};
use serde_json::{Value, json};

use super::settings::flat;
use super::{MainMetric, Record, Several, SeveralKind, name_of};
use crate::sweep::shown;

/// What makes a folder look as if it were of a run.
const SIGNS: [&str; 6] = ["manifest.json", "config.json", "metrics.jsonl", "checkpoints", "sweep.json", "auto.json"];

/// A run in a list.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its folder.
    pub path: PathBuf,
    /// The name of that.
    pub name: String,
    /// Its job; of a sweep `sweep of` its job; empty if that is not known.
    pub job: String,
    /// Begin, UTC.
    pub started: Option<String>,
    /// How it stands, in a word: as of [`State`](super::State), `damaged`, or of several runs how many have ended.
    pub state: String,
    /// Updates that it has made where it has not come to its end.
    pub updates: Option<u64>,
    /// What says most of how good it is; of several that of the best.
    pub metric: Option<MainMetric>,
    /// Wall seconds, as of [`Record::seconds`].
    pub seconds: Option<f64>,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// All of its settings and results by name.
    values: Vec<(String, Value)>,
}

/// What a list of runs is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// The newest first.
    When,
    /// By the letters of their names.
    Name,
    /// By job, then the newest first.
    Job,
    /// By state, then the newest first.
    State,
    /// By the value of what says most of how good each is.
    Metric,
    /// The shortest first.
    Seconds,
    /// By a setting such as `optim.lr`, or a result such as `test_loss`; those without it last.
    Value(String),
}

impl SortKey {
    /// Of a word: one of `when`, `name`, `job`, `state`, `metric`, `seconds`, or else a setting or result.
    pub fn of(word: &str) -> Self {
        match word {
            "when" => Self::When,
            "name" => Self::Name,
            "job" => Self::Job,
            "state" => Self::State,
            "metric" => Self::Metric,
            "seconds" => Self::Seconds,
            other => Self::Value(other.to_owned()),
        }
    }
}

/// A condition on runs: that a setting, result, `name`, `job` or `state` has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    key: String,
    value: String,
}

impl Filter {
    /// Of `KEY=VALUE`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no `=`, or nothing before it.
    pub fn of(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(Error::Config(format!("the filter '{text}' is not KEY=VALUE, such as job=rnn or optim.lr=0.01"))),
        }
    }

    fn lets_through(&self, row: &RunRow) -> bool {
        row.value(&self.key).is_some_and(|value| {
            let numbers = (value.as_f64(), self.value.parse::<f64>().ok());
            shown(&value) == self.value || matches!(numbers, (Some(a), Some(b)) if a == b)
        })
    }
}

/// The runs in a folder, a row each, also those that are damaged; the folder itself if it is one. The runs of a sweep are those of its folder.
///
/// Of a setting or result no run has, [`Error::Config`] says which there are.
pub fn runs(folder: &Path, filters: &[Filter], sort: &SortKey) -> Result<Vec<RunRow>> {
    let mut rows: Vec<RunRow> = match folder.join("manifest.json").is_file() {
        true => vec![RunRow::of(folder)],
        false => run_folders(folder)?.iter().map(|path| RunRow::of(path)).collect(),
    };
    let named = filters.iter().map(|filter| &filter.key).chain(match sort {
        SortKey::Value(key) => Some(key),
        _ => None,
    });
    for key in named {
        if !rows.is_empty() && rows.iter().all(|row| row.value(key).is_none()) {
            return Err(Error::Config(unknown(key, &rows)));
        }
    }
    rows.retain(|row| filters.iter().all(|filter| filter.lets_through(row)));
    rows.sort_by(|a, b| compare(a, b, sort));
    Ok(rows)
}

/// What is said of a key that no run has.
fn unknown(key: &str, rows: &[RunRow]) -> String {
    let mut names: Vec<&str> = rows.iter().flat_map(|row| &row.values).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let alike = names.iter().copied().max_by(|a, b| strsim::jaro(key, a).total_cmp(&strsim::jaro(key, b)));
    let meant = alike.map_or(String::new(), |name| format!("; is it {name}?"));
    format!(
        "no run has '{key}'{meant} There are name, job, state, when, metric, seconds, and the settings and results of the runs"
    )
}

fn run_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::storage("read", folder))? {
        let path = entry.map_err(Error::storage("read", folder))?.path();
        if SIGNS.iter().any(|sign| path.join(sign).exists()) {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn compare(a: &RunRow, b: &RunRow, sort: &SortKey) -> Ordering {
    let newest = b.started.cmp(&a.started).then_with(|| a.name.cmp(&b.name));
    // What is not known comes last.
    let number = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let of = |row: &RunRow| row.metric.as_ref().map(|metric| metric.value);
    match sort {
        SortKey::When => newest,
        SortKey::Name => a.name.cmp(&b.name),
        SortKey::Job => a.job.cmp(&b.job).then(newest),
        SortKey::State => a.state.cmp(&b.state).then(newest),
        SortKey::Metric => number(of(a), of(b)).then(newest),
        SortKey::Seconds => number(a.seconds, b.seconds).then(newest),
        SortKey::Value(key) => {
            let (one, other) = (a.value(key), b.value(key));
            let words = || match (&one, &other) {
                (Some(a), Some(b)) => shown(a).cmp(&shown(b)),
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            let numbers = [&one, &other].map(|value| value.as_ref().and_then(Value::as_f64));
            let order = if numbers == [None, None] { words() } else { number(numbers[0], numbers[1]) };
            order.then(newest)
        }
    }
}

impl RunRow {
    /// Of a folder, whatever is wrong with it.
    pub fn of(path: &Path) -> Self {
        let found = match Several::read(path) {
            Ok(Some(several)) => Ok(Self::of_several(&several)),
            Ok(None) => Record::glance(path).map(|record| Self::of_record(&record)),
            Err(error) => Err(error),
        };
        found.unwrap_or_else(|error| Self {
            state: "damaged".into(),
            problem: Some(error.to_string()),
            ..Self::empty(path)
        })
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            name: name_of(path),
            job: String::new(),
            started: None,
            state: String::new(),
            updates: None,
            metric: None,
            seconds: None,
            problem: None,
            values: Vec::new(),
        }
    }

    fn of_record(record: &Record) -> Self {
        let metrics = record.metrics();
        let unfinished = !record.state().is_finished();
        Self {
            job: record.manifest().job.clone(),
            started: Some(record.manifest().started.clone()),
            state: record.state().word().to_owned(),
            updates: unfinished.then(|| record.updates()).filter(|updates| *updates > 0),
            metric: super::main_metric(&metrics),
            seconds: record.seconds(),
            problem: record.notes().first().cloned(),
            values: flat(record.config()).into_iter().chain(metrics).collect(),
            ..Self::empty(record.path())
        }
    }

    fn of_several(several: &Several) -> Self {
        let best = several.best().map(|row| several.path.join(&row.name));
        let best = best.and_then(|path| Record::glance(&path).ok());
        let objective = several.objective.as_ref().zip(several.best().and_then(|row| row.objective));
        let metric = objective.map(|(name, value)| MainMetric { name: name.clone(), value });
        let (ended, of) = (several.rows.len(), several.of);
        Self {
            job: match several.kind {
                SeveralKind::Sweep => format!("sweep of {}", several.job),
                SeveralKind::Auto => several.job.clone(),
            },
            started: best.as_ref().map(|best| best.manifest().started.clone()),
            state: if ended == of { "finished".into() } else { format!("{ended} of {of} ended") },
            metric: metric.or_else(|| best.as_ref().and_then(Record::main_metric)),
            seconds: several.seconds,
            ..Self::empty(&several.path)
        }
    }

    /// A column, a setting or a result.
    fn value(&self, key: &str) -> Option<Value> {
        match key {
            "name" => Some(json!(self.name)),
            "job" => Some(json!(self.job)),
            "state" => Some(json!(self.state)),
            "when" => self.started.as_ref().map(|started| json!(started)),
            "seconds" => self.seconds.map(|seconds| json!(seconds)),
            "metric" => self.metric.as_ref().map(|metric| json!(metric.value)),
            key => {
                // A choice of an alternative is also said by its name alone.
                let of_name = |name: &str| name.strip_suffix(".name") == Some(key);
                self.values.iter().find(|(name, _)| name == key || of_name(name)).map(|(_, value)| value.clone())
            }
        }
    }

    /// How it stands, with the updates where it has not come to its end: `stopped at update 12`.
    pub fn state_words(&self) -> String {
        match self.updates {
            Some(updates) => format!("{} at update {updates}", self.state),
            None => self.state.clone(),
        }
    }

    /// Its metric in words: `test_accuracy 0.9000`.
    pub fn metric_words(&self) -> String {
        self.metric.as_ref().map_or(String::new(), |metric| format!("{} {}", metric.name, short(metric.value)))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "run": self.path.to_string_lossy(), "name": self.name, "job": self.job, "state": self.state,
            "started": self.started, "updates": self.updates, "seconds": self.seconds, "problem": self.problem,
            "metric": self.metric.as_ref().map(|metric| json!({"name": metric.name, "value": metric.value})),
        })
    }
}
