//! [`Several`]: what the folder of a sweep says, and that of the choice among jobs.

use std::fs;
use std::path::{Path, PathBuf};

use bd_core::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Record;
use crate::folder::AUTO;
use crate::sweep::{RECORD, TrialRow};

/// What made several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeveralKind {
    /// A sweep: one job with many configurations.
    Sweep,
    /// Every job that can learn a file.
    Auto,
}

/// What the folder of several runs says.
#[derive(Debug, Clone)]
pub struct Several {
    /// What made them.
    pub kind: SeveralKind,
    /// The folder.
    pub path: PathBuf,
    /// The job of a sweep, or `auto`.
    pub job: String,
    /// What they are compared by, the smaller the better, if any has it.
    pub objective: Option<String>,
    /// Those that have ended, in their order.
    pub rows: Vec<SeveralRow>,
    /// How many there are to be.
    pub of: usize,
    /// Seconds of all, where they are known.
    pub seconds: Option<f64>,
}

/// One of several runs.
#[derive(Debug, Clone)]
pub struct SeveralRow {
    /// The name of its folder.
    pub name: String,
    /// What it has that the others do not.
    pub values: Map<String, Value>,
    /// What it is compared by.
    pub objective: Option<f64>,
    /// Seconds that it took.
    pub seconds: Option<f64>,
    /// Why there is no result.
    pub failure: Option<String>,
    /// Whether it is the best, or one of the seeds of the best.
    pub is_best: bool,
}

impl Several {
    /// Reads the folder of several runs; `None` if it is none.
    ///
    /// # Errors
    /// [`Error::BadFile`] if what it says of them is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        let json = |name: &str| {
            let file = path.join(name);
            let Ok(text) = fs::read(&file) else { return Ok(None) };
            let found = serde_json::from_slice::<Value>(&text);
            found.map(Some).map_err(|error| Error::bad_file(&file, error.to_string()))
        };
        if let Some(record) = json(RECORD)? {
            return of_sweep(path, &record).map(Some);
        }
        Ok(json(AUTO)?.map(|record| of_auto(path, &record)))
    }

    /// The folders of the runs, those of which something is there.
    pub fn runs(&self) -> Vec<PathBuf> {
        self.rows
            .iter()
            .map(|row| self.path.join(&row.name))
            .filter(|path| path.join("manifest.json").is_file())
            .collect()
    }

    /// The best run, or the first of its seeds.
    pub fn best(&self) -> Option<&SeveralRow> {
        self.rows.iter().find(|row| row.is_best)
    }

    /// The record of the best run, where there is one.
    pub fn best_record(&self) -> Option<Record> {
        Record::read(self.path.join(&self.best()?.name)).ok()
    }
}

fn of_sweep(path: &Path, record: &Value) -> Result<Several> {
    let bad = |error: serde_json::Error| Error::bad_file(path.join(RECORD), error.to_string());
    let trials = Vec::<TrialRow>::deserialize(&record["trials"]).map_err(bad)?;
    let best: Vec<u64> = record["best"]["trials"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let row = |trial: TrialRow| {
        let mut values = trial.values;
        values.extend(trial.seed.map(|seed| ("seed".to_owned(), seed.into())));
        SeveralRow {
            is_best: best.contains(&(trial.trial as u64)),
            name: Path::new(&trial.run).file_name().unwrap_or_default().to_string_lossy().into_owned(),
            values,
            objective: trial.objective,
            seconds: trial.seconds,
            failure: trial.error.map(|error| format!("code {}: {}", error.code, first_line(&error.message))),
        }
    };
    let rows: Vec<SeveralRow> = trials.into_iter().map(row).collect();
    let seconds = rows.iter().filter_map(|row| row.seconds).reduce(|a, b| a + b);
    Ok(Several {
        kind: SeveralKind::Sweep,
        path: path.to_path_buf(),
        job: record["spec"]["job"].as_str().unwrap_or_default().to_owned(),
        objective: record["objective"].as_str().map(str::to_owned),
        of: record["of"].as_u64().map_or(rows.len(), |of| of as usize).max(rows.len()),
        rows,
        seconds,
    })
}

fn of_auto(path: &Path, record: &Value) -> Several {
    let best = record["best"].as_str();
    let row = |tried: &Value| {
        let job = tried["job"].as_str()?.to_owned();
        // What becomes a path is the name of a job, and nothing else.
        let is_name = job.chars().all(|c| c.is_ascii_alphanumeric());
        is_name.then(|| SeveralRow {
            is_best: best == Some(&job),
            values: Map::from_iter([("job".to_owned(), tried["job"].clone())]),
            name: job,
            objective: tried["metrics"]["objective"].as_f64(),
            seconds: tried["seconds"].as_f64(),
            failure: tried["left_out"].as_str().map(|why| first_line(why).to_owned()),
        })
    };
    let rows: Vec<SeveralRow> = record["tried"].as_array().into_iter().flatten().filter_map(row).collect();
    Several {
        kind: SeveralKind::Auto,
        path: path.to_path_buf(),
        job: "auto".into(),
        objective: None,
        of: rows.len(),
        rows,
        seconds: record["seconds"]["total"].as_f64(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
