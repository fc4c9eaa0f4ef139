//! [`SweepSpec`]: which configurations are tried, as a file says it, and the trials that it means.

use std::collections::HashSet;
use std::path::Path;

use bd_core::{Error, Result, Rng, join};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::config::{FeaturesConfig, ForecastConfig, Layers, NetworkConfig, absolute, read_file, typed, unknown_key};

/// Jobs that can be swept.
const JOBS: [&str; 5] = ["ngrc", "esn", "rnn", "snn", "conv"];
/// More trials than this are a mistake.
const MOST_TRIALS: usize = 100_000;
/// Files that a configuration names, which are found from elsewhere, too.
const FILES: [&str; 3] = ["data.file", "data.test_file", "model.network"];

/// Where a value is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Whether the logarithm is uniform, and not the value.
    #[serde(default)]
    pub log: bool,
    /// Whether it is a whole number.
    #[serde(default)]
    pub integer: bool,
}

/// Which configurations of a job are tried: every draw of `random` with every point of `grid` and every one of `seeds`, over `base`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// `ngrc`, `esn`, `rnn`, `snn` or `conv`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = JOBS)))]
    pub job: String,
    /// What all trials have: values by their dotted names.
    #[serde(default)]
    pub base: Map<String, Value>,
    /// For each name the values that are tried.
    #[serde(default)]
    pub grid: Map<String, Value>,
    /// For each name the [`Range`] that values are drawn from.
    #[serde(default)]
    pub random: Map<String, Value>,
    /// Number of draws.
    #[serde(default = "one")]
    pub trials: usize,
    /// Seed of the draws.
    #[serde(default)]
    pub seed: u64,
    /// Seeds of the trainings; without them that of `base` or the usual one.
    #[serde(default)]
    pub seeds: Vec<u64>,
}

fn one() -> usize {
    1
}

/// One configuration that is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepTrial {
    /// Its number, from 0.
    pub number: usize,
    /// The number of its setting, which the trials of its other seeds share.
    pub setting: usize,
    /// What it has of grid and draws.
    pub values: Map<String, Value>,
    /// Its seed, where there are several.
    pub seed: Option<u64>,
}

impl SweepTrial {
    /// The name of its run folder.
    pub fn name(&self) -> String {
        format!("trial-{:04}", self.number)
    }

    /// Its values in words.
    pub fn words(&self) -> String {
        let values = self.values.iter().map(|(name, value)| format!("{name}={}", shown(value)));
        values.chain(self.seed.map(|seed| format!("seed={seed}"))).collect::<Vec<_>>().join(" ")
    }
}

/// A value as `--set` takes it, without the quotes of a text.
pub fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl SweepSpec {
    /// Reads a specification, TOML or JSON by its extension, and [checks](Self::check) it.
    pub fn read(path: &Path) -> Result<Self> {
        let named = |error: Error| match error {
            Error::Config(_) | Error::Setting { .. } => Error::Config(format!("{}: {error}", path.display())),
            other => other,
        };
        let spec = Self::of_value(&read_file(path)?).map_err(named)?;
        spec.check().map_err(named)?;
        Ok(spec)
    }

    /// From a table, in which names with dots and tables in tables mean the same.
    pub fn of_value(value: &Value) -> Result<Self> {
        let known = json!({"job": 0, "base": 0, "grid": 0, "random": 0, "trials": 0, "seed": 0, "seeds": 0});
        let (Some(table), Some(known)) = (value.as_object(), known.as_object()) else {
            return Err(Error::Config("a specification is a table of names and values".into()));
        };
        if let Some(key) = table.keys().find(|key| !known.contains_key(*key)) {
            return Err(unknown_key(key, key, known));
        }
        if !table.contains_key("job") {
            return Err(Error::Config(format!("job is not set; it is one of {}", JOBS.join(", "))));
        }
        let is_range = |value: &Value| value.get("low").is_some() || value.get("high").is_some();
        let mut flat = value.clone();
        for (part, is_leaf) in
            [("base", &(|_: &Value| false) as &dyn Fn(&Value) -> bool), ("grid", &|_| false), ("random", &is_range)]
        {
            if let Some(below) = flat.get_mut(part) {
                let mut leaves = Map::new();
                flatten(below, "", is_leaf, &mut leaves);
                // TOML has no order of its own, and numbers of trials must not depend on how it is written.
                leaves.sort_keys();
                *below = Value::Object(leaves);
            }
        }
        let mut spec: Self = typed(flat, "")?;
        for name in FILES {
            if let Some(Value::String(file)) = spec.base.get_mut(name) {
                *file = absolute(Path::new(&*file)).to_string_lossy().into_owned();
            }
        }
        Ok(spec)
    }

    /// Refuses what cannot be: an unknown job or name, a range that is none, a value that the first trial with it refuses. Reads the data
    /// file, if there is one.
    pub fn check(&self) -> Result<()> {
        if !JOBS.contains(&self.job.as_str()) {
            return Err(Error::setting("job", &self.job, format!("one of {}", JOBS.join(", "))));
        }
        for (name, values) in &self.grid {
            if values.as_array().is_none_or(Vec::is_empty) {
                return Err(Error::Config(format!("grid.{name} is {values}; it must be a list of at least one value")));
            }
        }
        let ranges = self.ranges()?;
        ranges.iter().try_for_each(|(name, range)| range.check(name))?;
        self.check_names()?;
        if self.trials == 0 || (self.trials > 1 && ranges.is_empty()) {
            let allowed = if ranges.is_empty() { "1, for nothing is drawn without [random]" } else { "at least 1" };
            return Err(Error::setting("trials", self.trials, allowed));
        }
        if self.count().is_none_or(|count| count > MOST_TRIALS) {
            return Err(Error::Config(format!(
                "there are at most {MOST_TRIALS} trials; the grid, draws and seeds make more"
            )));
        }
        self.check_values()
    }

    /// A name is in one place.
    fn check_names(&self) -> Result<()> {
        let parts = [("base", &self.base), ("grid", &self.grid), ("random", &self.random)];
        for (i, (part, names)) in parts.iter().enumerate() {
            for (other, others) in &parts[..i] {
                if let Some(name) = names.keys().find(|name| others.contains_key(*name)) {
                    return Err(Error::Config(format!("{name} is in [{other}] and in [{part}]; name it once")));
                }
            }
            if names.contains_key("seed") && !self.seeds.is_empty() {
                return Err(Error::Config(format!("seed is in [{part}], and there are seeds; name them once")));
            }
        }
        let twice = (1..self.seeds.len()).find(|&i| self.seeds[..i].contains(&self.seeds[i]));
        twice.map_or(Ok(()), |i| Err(Error::Config(format!("seeds has {} twice", self.seeds[i]))))
    }

    /// Each value of the grid in the first trial that has it, and the first draw.
    fn check_values(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for trial in self.trials_of(0) {
            let is_new = trial.values.iter().filter(|(name, value)| seen.insert(format!("{name}={value}"))).count() > 0;
            if is_new || trial.number == 0 {
                self.resolve(&trial)?;
            }
        }
        Ok(())
    }

    /// The configuration of a trial, which is refused if it cannot be.
    fn resolve(&self, trial: &SweepTrial) -> Result<()> {
        let layers = Layers { set: self.assignments(trial), ..Layers::default() };
        match self.job.as_str() {
            "rnn" | "snn" => NetworkConfig::resolve(&self.job, &layers).map(drop),
            "conv" => FeaturesConfig::resolve(&self.job, &layers).map(drop),
            "esn" if FeaturesConfig::are_examples(&layers)? => FeaturesConfig::resolve(&self.job, &layers).map(drop),
            _ => ForecastConfig::resolve(&self.job, &layers).map(drop),
        }
    }

    fn ranges(&self) -> Result<Vec<(&str, Range)>> {
        if let Some((name, value)) = self.random.iter().find(|(_, value)| !value.is_object()) {
            let words = "it must be a table such as {low = 0.1, high = 1}";
            return Err(Error::Config(format!("random.{name} is {value}; {words}")));
        }
        let range = |(name, range): (&'_ String, &Value)| typed(range.clone(), &format!("random.{name}"));
        self.random.iter().map(|one| Ok((one.0.as_str(), range(one)?))).collect()
    }

    fn grid_points(&self) -> Option<usize> {
        self.grid.values().try_fold(1usize, |all, values| all.checked_mul(values.as_array().map_or(1, Vec::len)))
    }

    /// Number of trials; `None` if it is beyond all bounds.
    pub fn count(&self) -> Option<usize> {
        self.grid_points()?.checked_mul(self.trials)?.checked_mul(self.seeds.len().max(1))
    }

    /// All trials. Those of a draw follow each other, so that more draws change no number; names are in alphabetical order, and of a grid the
    /// last one changes first.
    pub fn all(&self) -> Vec<SweepTrial> {
        (0..self.trials).flat_map(|draw| self.trials_of(draw)).collect()
    }

    fn trials_of(&self, draw: usize) -> Vec<SweepTrial> {
        let (points, seeds) = (self.grid_points().unwrap_or(0), self.seeds.len().max(1));
        let drawn: Vec<_> = self
            .ranges()
            .unwrap_or_default()
            .into_iter()
            .map(|(name, range)| (name.to_owned(), range.draw(self.seed, name, draw)))
            .collect();
        let trial = |i: usize| {
            let (point, seed) = (i / seeds, i % seeds);
            let (number, setting) = (draw * points * seeds + i, draw * points + point);
            let values = self.at(point).into_iter().chain(drawn.iter().cloned()).collect();
            SweepTrial { number, setting, values, seed: self.seeds.get(seed).copied() }
        };
        (0..points * seeds).map(trial).collect()
    }

    /// The values of a point of the grid.
    fn at(&self, mut point: usize) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        for (name, all) in self.grid.iter().rev() {
            let all = all.as_array().map_or(&[][..], Vec::as_slice);
            values.push((name.clone(), all[point % all.len().max(1)].clone()));
            point /= all.len().max(1);
        }
        values.reverse();
        values
    }

    /// What makes a configuration that of a trial, as [`Layers::set`] takes it, but for the threads, which change no result.
    pub fn assignments(&self, trial: &SweepTrial) -> Vec<String> {
        let values = self.base.iter().chain(&trial.values).filter(|(name, _)| *name != "threads");
        let values = values.map(|(name, value)| format!("{name}={value}"));
        values.chain(trial.seed.map(|seed| format!("seed={seed}"))).collect()
    }
}

impl Range {
    fn check(&self, name: &str) -> Result<()> {
        let Self { low, high, log, integer } = *self;
        let refused = |words: &str| Err(Error::Config(format!("random.{name} goes from {low} to {high}; {words}")));
        match () {
            () if !(low.is_finite() && high.is_finite() && low < high) => refused("low must be below high"),
            () if log && low <= 0.0 => refused("with log both must be above 0"),
            () if integer
                && (low.fract() != 0.0 || high.fract() != 0.0 || low.abs().max(high.abs()) > 2f64.powi(53)) =>
            {
                refused("with integer both must be whole numbers")
            }
            () => Ok(()),
        }
    }

    /// The value of a draw: a function of seed, name and number. It has six digits, so that it can be written down.
    fn draw(&self, seed: u64, name: &str, number: usize) -> Value {
        let uniform = Rng::new(seed, &format!("sweep {name}")).numbered(number as u64).uniform();
        // Whole numbers up to and with the greatest.
        let end = if self.integer { self.high + 1.0 } else { self.high };
        let value = match self.log {
            true => (self.low.ln() + uniform * (end.ln() - self.low.ln())).exp(),
            false => self.low + uniform * (end - self.low),
        };
        if self.integer {
            return json!(value.floor().clamp(self.low, self.high) as i64);
        }
        let short: f64 = format!("{value:.5e}").parse().expect("it is a number");
        json!(short.clamp(self.low, self.high))
    }
}

/// Tables in tables become names with dots, down to where there is no table, or to what `is_leaf` says is a value.
fn flatten(value: &Value, path: &str, is_leaf: &dyn Fn(&Value) -> bool, leaves: &mut Map<String, Value>) {
    match value {
        Value::Object(table) if path.is_empty() || !(table.is_empty() || is_leaf(value)) => {
            table.iter().for_each(|(name, below)| flatten(below, &join(path, name), is_leaf, leaves));
        }
        _ => drop(leaves.insert(path.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> SweepSpec {
        SweepSpec::of_value(&toml::from_str(text).unwrap()).unwrap()
    }

    const WHOLE: &str = "job = \"rnn\"\nseeds = [3, 4]\ntrials = 2\n[base]\nupdates = 5\n[grid]\n\"model.cell\" = [\"rnn\", \"gru\"]\n\
                         model.hidden = [[4], [8], [4, 4]]\n[random]\noptim.lr = {low = 1e-4, high = 0.1, log = true}\n";

    /// 2 draws of 2 x 3 points with 2 seeds: 24 trials. The last name of the grid changes first, and seeds before it.
    #[test]
    fn every_draw_meets_every_point_and_seed() {
        let spec = spec(WHOLE);
        let all = spec.all();
        assert_eq!((spec.count(), all.len()), (Some(24), 24));
        assert!(all.iter().enumerate().all(|(i, trial)| trial.number == i && trial.setting == i / 2));
        let of = |i: usize| (all[i].values["model.cell"].clone(), all[i].values["model.hidden"].clone(), all[i].seed);
        assert_eq!(of(0), (json!("rnn"), json!([4]), Some(3)));
        assert_eq!(of(1), (json!("rnn"), json!([4]), Some(4)));
        assert_eq!(of(2), (json!("rnn"), json!([8]), Some(3)));
        assert_eq!(of(23), (json!("gru"), json!([4, 4]), Some(4)));
        let lr = |i: usize| all[i].values["optim.lr"].as_f64().unwrap();
        assert!(lr(0) == lr(11) && lr(12) == lr(23) && lr(0) != lr(12));
        let set = spec.assignments(&all[2]);
        assert_eq!(set[..3], ["updates=5", "model.cell=\"rnn\"", "model.hidden=[8]"]);
        assert_eq!(set[4], "seed=3");
        spec.check().unwrap();
    }

    /// More draws leave those that there are as they are; another name or seed draws others.
    #[test]
    fn draws_are_functions_of_seed_name_and_number() {
        let range = Range { low: 1e-4, high: 0.1, log: true, integer: false };
        let draws =
            |seed, name: &str| (0..500).map(|i| range.draw(seed, name, i).as_f64().unwrap()).collect::<Vec<_>>();
        let found = draws(0, "optim.lr");
        assert_eq!(found, draws(0, "optim.lr"));
        assert!(found != draws(1, "optim.lr") && found != draws(0, "clip"));
        assert!(found.iter().all(|value| (1e-4..=0.1).contains(value)));
        // A third of the logarithms lies in each decade: 167 of 500 with a standard deviation of 10.5.
        let decade = |low: f64| found.iter().filter(|value| (low..low * 10.0).contains(*value)).count() as f64;
        assert!([1e-4, 1e-3, 1e-2].iter().all(|low| (decade(*low) - 166.7).abs() < 42.0));
        let whole = Range { low: 2.0, high: 4.0, log: false, integer: true };
        let all: HashSet<i64> = (0..100).map(|i| whole.draw(0, "n", i).as_i64().unwrap()).collect();
        assert_eq!(all, HashSet::from([2, 3, 4]));
        let (few, more) = (spec(WHOLE), SweepSpec { trials: 5, ..spec(WHOLE) });
        assert_eq!(few.all(), more.all()[..24]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, words) in [
            ("seeds = [1]", "job is not set"),
            ("job = \"auto\"", "job is auto; it must be one of ngrc, esn, rnn, snn, conv"),
            ("job = \"rnn\"\ngird = 1", "unknown configuration key gird; did you mean grid?"),
            ("job = \"rnn\"\ngrid.optim.lr = []", "grid.optim.lr is []; it must be a list of at least one value"),
            ("job = \"rnn\"\ngrid.optim.lrr = [1]", "unknown configuration key optim.lrr; did you mean optim.lr?"),
            ("job = \"rnn\"\ngrid.optim.lr = [0.1, -1]", "lr is -1"),
            ("job = \"rnn\"\nbase.optim.lr = 1\ngrid.optim.lr = [1]", "optim.lr is in [base] and in [grid]"),
            ("job = \"rnn\"\nrandom.optim.lr = {low = 0, high = 1, log = true}", "with log both must be above 0"),
            ("job = \"rnn\"\nrandom.batch = {low = 1.5, high = 4, integer = true}", "must be whole numbers"),
            ("job = \"rnn\"\nrandom.optim.lr = {low = 2, high = 1}", "goes from 2 to 1; low must be below high"),
            ("job = \"rnn\"\nrandom.optim.lr = {low = 1, hihg = 2}", "random.optim.lr.hihg: unknown field"),
            ("job = \"rnn\"\nrandom.optim.lr = 3", "random.optim.lr is 3; it must be a table"),
            ("job = \"rnn\"\ntrials = 3", "trials is 3; it must be 1, for nothing is drawn"),
            ("job = \"rnn\"\nseeds = [1, 1]", "seeds has 1 twice"),
            ("job = \"rnn\"\nseeds = [1]\nbase.seed = 2", "seed is in [base]"),
            ("job = \"rnn\"\nseeds = \"a\"", "seeds: invalid type"),
        ] {
            let found = SweepSpec::of_value(&toml::from_str(text).unwrap()).and_then(|spec| spec.check());
            let error = found.unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
