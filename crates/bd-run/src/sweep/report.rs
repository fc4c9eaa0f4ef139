//! [`SweepReport`]: what came of all trials, which setting is the best, and the table of it.

use std::path::{Path, PathBuf};

use bd_core::Result;
use bd_core::text::{plural, short};
use serde_json::{Map, Value, json};

use super::spec::{SweepSpec, SweepTrial, shown};
use super::state::{SweepFolder, TrialRow};

/// What came of a sweep.
#[derive(Debug, Clone)]
pub struct SweepReport {
    /// The job.
    pub job: String,
    /// The folder.
    pub path: PathBuf,
    /// Trials in all.
    pub trials: usize,
    /// Those that have ended, by their numbers.
    pub rows: Vec<TrialRow>,
    /// The best setting, once all have ended; nothing if all have failed.
    pub best: Option<Best>,
    /// Seconds of the last call.
    pub seconds: f64,
}

/// The setting with the least objective, of several seeds their mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Its number.
    pub setting: usize,
    /// What it has of grid and draws.
    pub values: Map<String, Value>,
    /// Its trials, one for each seed.
    pub trials: Vec<usize>,
    /// The objective, the mean over its trials.
    pub objective: f64,
    /// What is found on the test part, the mean over its trials.
    pub test: Map<String, Value>,
}

impl SweepReport {
    pub(super) fn new(spec: &SweepSpec, path: &Path, rows: Vec<TrialRow>, seconds: f64) -> Self {
        let (job, path, trials) = (spec.job.clone(), path.to_path_buf(), spec.count().unwrap_or(0));
        Self { job, path, trials, rows, best: None, seconds }
    }

    /// Trials that failed.
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }

    /// What the trials are compared by: what the first of them has.
    pub fn objective_name(&self) -> Option<&str> {
        self.rows.iter().find_map(|row| row.objective_name.as_deref())
    }

    /// Chooses the best setting, and only then reads what it reaches on the test part.
    pub(super) fn choose(&mut self, folder: &SweepFolder) -> Result<()> {
        self.best = self.best_setting();
        let Some(best) = &mut self.best else { return Ok(()) };
        let mut all = Vec::new();
        for number in &best.trials {
            // Its name alone is needed.
            let trial = SweepTrial { number: *number, setting: 0, values: Map::new(), seed: None };
            all.extend(folder.outcome(&trial)?);
        }
        best.test = means_of_test(&all);
        Ok(())
    }

    /// Of settings of which every trial has the objective the one with the least mean; the first of equal ones. If none is whole, the one
    /// with the least mean of what there is.
    fn best_setting(&self) -> Option<Best> {
        let name = self.objective_name()?;
        let mut settings: Vec<(usize, Vec<&TrialRow>)> = Vec::new();
        for row in &self.rows {
            match settings.iter_mut().find(|(setting, _)| *setting == row.setting) {
                Some((_, rows)) => rows.push(row),
                None => settings.push((row.setting, vec![row])),
            }
        }
        let known = |row: &&&TrialRow| row.objective.is_some() && row.objective_name.as_deref() == Some(name);
        let judged = settings.iter().filter_map(|(setting, rows)| {
            let values: Vec<f64> = rows.iter().filter(known).filter_map(|row| row.objective).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (!values.is_empty()).then_some((values.len() < rows.len(), mean, *setting, rows))
        });
        let least = judged.min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
        let (_, objective, setting, rows) = least;
        Some(Best {
            setting,
            values: rows[0].values.clone(),
            trials: rows.iter().filter(known).map(|row| row.trial).collect(),
            objective,
            test: Map::new(),
        })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let best = self.best.as_ref().map(|best| {
            json!({
                "setting": best.setting, "values": best.values, "trials": best.trials,
                "runs": best.trials.iter().map(|trial| self.run(*trial)).collect::<Vec<_>>(),
                "objective": best.objective, "test": best.test,
            })
        });
        json!({
            "job": self.job, "objective": self.objective_name(), "trials": self.rows,
            "ended": self.rows.len(), "failed": self.failed(), "of": self.trials, "best": best,
        })
    }

    /// The run folder of a trial, as it is found from here.
    fn run(&self, trial: usize) -> String {
        let row = self.rows.iter().find(|row| row.trial == trial);
        row.map_or(String::new(), |row| self.path.join(&row.run).to_string_lossy().into_owned())
    }

    /// The table, the best first and those that failed last, as aligned Markdown; below it the best setting.
    pub fn text(&self) -> String {
        let mut rows: Vec<&TrialRow> = self.rows.iter().collect();
        rows.sort_by(|a, b| {
            let value = |row: &TrialRow| row.objective.unwrap_or(f64::INFINITY);
            a.error.is_some().cmp(&b.error.is_some()).then(value(a).total_cmp(&value(b)))
        });
        let names: Vec<&str> =
            self.rows.first().map_or(Vec::new(), |row| row.values.keys().map(String::as_str).collect());
        let has_seeds = self.rows.iter().any(|row| row.seed.is_some());
        let mut head = vec!["trial".to_owned()];
        head.extend(names.iter().map(|name| (*name).to_owned()));
        head.extend(has_seeds.then(|| "seed".to_owned()));
        head.extend([self.objective_name().unwrap_or("objective").to_owned(), "seconds".into(), String::new()]);
        let mut table = vec![head];
        for row in rows {
            let mut cells = vec![row.trial.to_string()];
            cells.extend(names.iter().map(|name| row.values.get(*name).map_or(String::new(), cell)));
            cells.extend(has_seeds.then(|| row.seed.map_or(String::new(), |seed| seed.to_string())));
            cells.push(row.objective.map_or("failed".into(), short));
            cells.push(row.seconds.map_or(String::new(), |seconds| format!("{seconds:.1}")));
            cells.push(self.remark(row));
            table.push(cells);
        }
        let mut text = aligned(&table);
        text += &format!("\n\n{}", self.summary());
        text
    }

    /// What stands behind a row.
    fn remark(&self, row: &TrialRow) -> String {
        let first = |text: &str| text.lines().next().unwrap_or_default().replace('|', "/");
        match &row.error {
            Some(error) => format!("code {}: {}", error.code, first(&error.message)),
            None if self.best.as_ref().is_some_and(|best| best.trials.contains(&row.trial)) => "best".into(),
            None => String::new(),
        }
    }

    fn summary(&self) -> String {
        let failed = self.failed();
        let failed = if failed > 0 { format!(", {failed} of them failed") } else { String::new() };
        let counted = format!("{} of {} ended{failed}.", self.rows.len(), plural(self.trials, "trial"));
        let Some(best) = &self.best else {
            return format!("{counted} None has an objective.");
        };
        let name = self.objective_name().unwrap_or_default();
        let other = self.rows.iter().any(|row| row.objective_name.as_deref().is_some_and(|other| other != name));
        let other =
            if other { format!(" Trials with another objective than {name} are not compared.") } else { String::new() };
        let of = match best.trials.len() {
            1 => String::new(),
            count => format!(", the mean of {count} seeds"),
        };
        let runs = best.trials.iter().map(|trial| self.run(*trial)).collect::<Vec<_>>().join(", ");
        let values = best.values.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>();
        let test =
            best.test.iter().map(|(name, value)| format!("{name} {}", short(value.as_f64().unwrap_or(f64::NAN))));
        let test = test.collect::<Vec<_>>().join(", ");
        format!(
            "{counted}{other}\nbest      {}\n          {name} {}{of}\ntest      {test}\nrun       {runs}",
            values.join(" "),
            short(best.objective)
        )
    }
}

/// A value in a cell: numbers with the digits that tell them apart.
fn cell(value: &Value) -> String {
    shown(value).replace('|', "/")
}

/// The means of numbers that are of the test part: all that begin with `test_`, and how long free runs are valid. Of channels and other
/// parts of a number, whose names have more than one dot, nothing.
fn means_of_test(all: &[Value]) -> Map<String, Value> {
    let is_of_test = |name: &str| (name.starts_with("test_") && name.matches('.').count() < 2) || name == "vpt";
    let Some(Value::Object(first)) = all.first().map(|one| &one["metrics"]) else { return Map::new() };
    let mean = |name: &String| {
        let values: Option<Vec<f64>> = all.iter().map(|one| one["metrics"][name].as_f64()).collect();
        values.map(|values| json!(values.iter().sum::<f64>() / values.len() as f64))
    };
    let named = first.keys().filter(|name| is_of_test(name));
    named.filter_map(|name| Some((name.clone(), mean(name)?))).collect()
}

/// Columns of equal width, numbers to the right, the last one to the left.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table[0].len();
    let width = |i: usize| table.iter().map(|row| row[i].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(i, text): (usize, &String)| {
            let width = widths[i];
            if i + 1 == columns { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        format!("| {} |", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
    };
    let rule =
        |i: usize| if i + 1 == columns { "-".repeat(widths[i]) } else { format!("{}:", "-".repeat(widths[i] - 1)) };
    let mut lines = vec![line(&table[0]), format!("| {} |", (0..columns).map(rule).collect::<Vec<_>>().join(" | "))];
    lines.extend(table[1..].iter().map(line));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::TrialFailure;

    fn row(trial: usize, setting: usize, objective: Option<f64>) -> TrialRow {
        TrialRow {
            trial,
            setting,
            values: Map::from_iter([("optim.lr".to_owned(), json!(setting))]),
            seed: Some(trial as u64 % 2),
            run: format!("trial-{trial:04}"),
            objective_name: objective.map(|_| "validation_loss".into()),
            objective,
            seconds: Some(1.0),
            error: objective.is_none().then(|| TrialFailure { code: 3, kind: "k".into(), message: "a | b".into() }),
        }
    }

    fn report(rows: Vec<TrialRow>) -> SweepReport {
        let trials = rows.len();
        SweepReport { job: "rnn".into(), path: "s".into(), trials, rows, best: None, seconds: 1.0 }
    }

    /// Setting 0 has the best single trial, 0.1, and the mean 0.5; setting 1 has 0.4; setting 2 has failed once.
    #[test]
    fn the_best_is_the_least_mean_over_seeds() {
        let found = [Some(0.1), Some(0.9), Some(0.4), Some(0.4), Some(0.05), None];
        let mut report = report(found.into_iter().enumerate().map(|(i, found)| row(i, i / 2, found)).collect());
        report.best = report.best_setting();
        let best = report.best.clone().unwrap();
        assert_eq!((best.setting, best.trials, best.objective), (1, vec![2, 3], 0.4));
        let text = report.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("| trial | optim.lr | seed | validation_loss |"), "{text}");
        assert!(lines[2].starts_with("|     4 |        2 |    0 |"), "{text}");
        assert!(lines[7].contains("failed") && lines[7].contains("code 3: a / b"), "{text}");
        assert_eq!(text.matches(" best ").count(), 2, "{text}");
        assert!(text.contains("6 of 6 trials ended, 1 of them failed."), "{text}");
    }

    #[test]
    fn if_all_have_failed_none_is_best() {
        let report = report(vec![row(0, 0, None)]);
        assert_eq!((report.best_setting(), report.failed()), (None, 1));
        assert!(report.text().ends_with("1 of 1 trial ended, 1 of them failed. None has an objective."));
    }

    #[test]
    fn of_the_test_part_the_means_are_shown() {
        let all = [
            json!({"metrics": {"test_loss": 1.0, "test_nrmse.1": 3, "test_nrmse.1.x": 3, "validation_loss": 1, "vpt": 2.0, "test_confusion": []}}),
            json!({"metrics": {"test_loss": 2.0, "test_nrmse.1": 5, "test_nrmse.1.x": 3, "vpt": 4.0}}),
        ];
        assert_eq!(json!(means_of_test(&all)), json!({"test_loss": 1.5, "test_nrmse.1": 4.0, "vpt": 3.0}));
    }
}
