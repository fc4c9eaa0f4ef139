//! [`Series`]: measurements over time, from a file.

mod save;
mod table;

use std::ops::Range;
use std::path::Path;

use bd_core::{Result, setting};
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use self::save::in_table;
use self::table::Table;
use super::columns::{Column, Columns, Dates, read_columns};

/// Which columns of a file are a series, and of what time.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `columns` | all | the channels in this order: columns, or arrays of several columns. Of a file of several arrays they must be named |
/// | `time` | none | the column with the time of each point, evenly spaced and rising; it is no channel |
/// | `dt` | none | time between two points. Without a column of the time, none is 1; with one, it must say the same, to 1 % |
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct SeriesConfig {
    pub columns: Vec<String>,
    pub time: Option<String>,
    pub dt: Option<f64>,
}

/// A series in time with the names of its channels.
#[derive(Debug)]
pub struct Series {
    /// Names of the channels.
    pub channels: Vec<String>,
    /// `[time, channel]`, float64, on the host, finite.
    pub values: Tensor,
    /// Time of the first point.
    pub start: f64,
    /// Time between two points.
    pub dt: f64,
    /// The times of the points as the file has them, if it has.
    pub times: Option<Vec<f64>>,
    /// Whether times are in seconds, as recordings say.
    pub in_seconds: bool,
    /// What was guessed when it was read, in a sentence.
    pub guess: Option<String>,
}

/// Names separated by commas; those with a comma in them in double quotes, as in a line of a CSV file.
pub fn split_names(text: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(text.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    first.map(|record| record.iter().map(str::to_owned).collect()).unwrap_or_default()
}

impl Series {
    /// Reads a file, see [`read_columns`].
    pub fn read(path: &Path, config: &SeriesConfig) -> Result<Self> {
        config.dt.map_or(Ok(()), |dt| setting::above_zero("data.dt", dt))?;
        let named = config.columns.iter().chain(config.time.iter().filter(|_| !config.columns.is_empty()));
        let Columns { all: columns, mut guess } = read_columns(path, &named.map(String::as_str).collect::<Vec<_>>())?;
        let table = Table { path, columns };
        let time = config.time.as_deref().map(|name| table.single(name)).transpose()?;
        let chosen = table.choose(&config.columns, time)?;
        let times = time.map(|at| table.times(at)).transpose()?;
        if let Some(Dates { first, .. }) = time.and_then(|at| table.columns[at].dates.as_ref()) {
            let words = format!("times are seconds since {first}");
            guess = Some(guess.map_or(words.clone(), |guess| format!("{guess}; {words}")));
        }
        let length = |column: &Column| match (&column.numbers, &column.dates) {
            (Ok(numbers), _) => numbers.len(),
            (Err(_), dates) => dates.as_ref().map_or(0, |dates| dates.seconds.len()),
        };
        let first = &table.columns[chosen[0]];
        let mut all = chosen.iter().chain(&time).map(|&at| &table.columns[at]);
        if let Some(other) = all.find(|column| length(column) != length(first)) {
            return Err(table.bad(format!(
                "{} has {} points, but {} has {}",
                first.name,
                length(first),
                other.name,
                length(other)
            )));
        }
        let numbers: Vec<Tensor> =
            chosen.iter().map(|&at| Ok(Tensor::from_slice(table.numbers(at)?))).collect::<Result<_>>()?;
        let (start, dt) = match times {
            Some(times) => evenly(times).map_err(|reason| {
                table.bad(format!("the time in {}: {reason}", config.time.as_deref().unwrap_or_default()))
            })?,
            None => match table.clock(&chosen, config.dt)? {
                Some(clock) => clock,
                None => (0.0, config.dt.unwrap_or(1.0)),
            },
        };
        let are_dates = time.is_some_and(|at| table.columns[at].dates.is_some());
        let in_seconds = are_dates || time.is_none() && table.has_clock(&chosen);
        if let Some(expected) = config.dt.filter(|expected| (dt / expected - 1.0).abs() > 0.01) {
            let name = config.time.as_deref().unwrap_or(&first.name);
            return Err(
                table.bad(format!("points are {dt} apart by the time in {name}, but should be {expected} apart"))
            );
        }
        Ok(Self {
            channels: chosen.into_iter().map(|at| table.columns[at].name.clone()).collect(),
            values: Tensor::f_stack(&numbers, 1)?,
            start,
            dt,
            times: times.map(<[f64]>::to_vec),
            in_seconds,
            guess,
        })
    }

    /// The same numbers, for another thread.
    pub fn share(&self) -> Self {
        let Self { channels, values, times, guess, .. } = self;
        Self {
            channels: channels.clone(),
            values: values.shallow_clone(),
            times: times.clone(),
            guess: guess.clone(),
            ..*self
        }
    }

    /// Number of points.
    pub fn points(&self) -> usize {
        self.values.size()[0] as usize
    }

    /// Time of a point, as the file has it where it has. Beyond the end of the series times go on evenly.
    pub fn time(&self, point: usize) -> f64 {
        match &self.times {
            Some(times) if point < times.len() => times[point],
            Some(times) => times[times.len() - 1] + (point + 1 - times.len()) as f64 * self.dt,
            None => self.start + point as f64 * self.dt,
        }
    }

    /// [`time`](Self::time) in a table: as many digits as the step has, and a few more, as in 1.636 and not 1.6360000000000001.
    pub fn time_text(&self, point: usize) -> String {
        let digits = (4 - self.dt.log10().floor() as i32).clamp(0, 15) as usize;
        let text = format!("{:.digits$}", self.time(point));
        if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    }

    /// Points `range` as `[1, time, channel]`.
    pub fn stretch(&self, range: Range<usize>) -> Tensor {
        self.values.narrow(0, range.start as i64, range.len() as i64).unsqueeze(0)
    }

    /// Channels that never fall and stay close to a straight line, as an index or a time does and no measurement, however many digits
    /// it is written with.
    pub fn counters(&self) -> Vec<&str> {
        let counts = |c: &usize| {
            let values = self.values.select(1, *c as i64);
            let falls = values.diff::<Tensor>(1, -1, None, None).lt(0.0).any().int64_value(&[]) == 1;
            let (first, last) = (values.double_value(&[0]), values.double_value(&[-1]));
            if self.points() < 3 || falls || last <= first {
                return false;
            }
            let line = Tensor::linspace(first, last, values.size()[0], (tch::Kind::Double, tch::Device::Cpu));
            (values - line).abs().max().double_value(&[]) < 0.05 * (last - first)
        };
        (0..self.channels.len()).filter(counts).map(|c| self.channels[c].as_str()).collect()
    }
}

/// Start and step of times that rise evenly. Times are often written with few digits, so that each may be off by nearly half a
/// step; but a point that is missing, or a clock that drifts, is further off somewhere.
pub(super) fn evenly(times: &[f64]) -> Result<(f64, f64), String> {
    if times.len() < 2 {
        return Err("two points at least must tell how far they are apart".into());
    }
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (start, dt) = (times[0], (times[times.len() - 1] - times[0]) / steps.len() as f64);
    if let Some(back) = steps.iter().position(|step| *step < 0.0) {
        let (before, after) = (times[back], times[back + 1]);
        return Err(format!("it does not rise: point {} (counted from 0) is at {after}, after {before}", back + 1));
    }
    if dt <= 0.0 {
        return Err("it does not rise".into());
    }
    let off = |i: usize| ((times[i] - start) / dt - i as f64).abs();
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[sorted.len() / 2];
    let widest = (0..steps.len()).max_by(|&a, &b| steps[a].total_cmp(&steps[b])).unwrap_or(0);
    // In a short series a point that is missing moves the others by little.
    if steps[widest] < 1.75 * usual && (0..times.len()).all(|i| off(i) <= 0.45) {
        return Ok((start, dt));
    }
    Err(format!(
        "points are not evenly spaced: usually {usual} apart, but point {} (counted from 0) is at {}, {} after the one before; \
         fill gaps or resample, or leave the column out and say how far points are apart with `dt`",
        widest + 1,
        times[widest + 1],
        steps[widest]
    ))
}

#[cfg(test)]
mod tests {
    use bd_core::npz::save_npz;
    use tch::{Device, Kind};

    use super::*;

    fn read(name: &str, content: &str, columns: &[&str], time: Option<&str>) -> Result<Series> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        Series::read(&path, &SeriesConfig { columns, time: time.map(str::to_owned), dt: None })
    }

    #[test]
    fn columns_are_chosen_by_name_and_in_that_order() {
        let text = "t,a,b\n5,1,2\n5.5,3,4\n6,5,6\n";
        let series = read("s.csv", text, &["b", "a"], Some("t")).unwrap();
        assert_eq!(series.channels, ["b", "a"]);
        assert_eq!(Vec::<f64>::try_from(series.values.flatten(0, -1)).unwrap(), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
        assert_eq!((series.start, series.dt, series.time(2), series.time(4)), (5.0, 0.5, 6.0, 7.0));
        let with = |dt| SeriesConfig { columns: vec!["a".into()], time: Some("t".into()), dt: Some(dt) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        std::fs::write(&path, text).unwrap();
        assert_eq!(Series::read(&path, &with(0.5)).unwrap().dt, 0.5);
        let error = Series::read(&path, &with(0.6)).unwrap_err().to_string();
        assert!(error.contains("points are 0.5 apart by the time in t, but should be 0.6 apart"), "{error}");
        assert_eq!(read("s.csv", text, &[], Some("t")).unwrap().channels, ["a", "b"]);
        let all = read("s.csv", text, &[], None).unwrap();
        assert_eq!((all.channels.len(), all.dt, all.counters()), (3, 1.0, vec!["t", "a", "b"]));
        assert_eq!(read("s.csv", "1,2\n3,4\n", &["x.1"], None).unwrap().channels, ["x.1"]);
        assert_eq!(read("s.csv", "1,2\n3,4\n", &["x"], None).unwrap().channels, ["x.0", "x.1"]);
    }

    /// By the calendar: three days are 259,200 s, and points half a second apart over midnight.
    #[test]
    fn dates_are_times_in_seconds() {
        let days = read("d.csv", "day,v\n2020-02-28,1\n2020-02-29,2\n2020-03-01,3\n", &[], Some("day")).unwrap();
        assert_eq!((days.start, days.dt, days.channels.len(), days.time(3)), (0.0, 86_400.0, 1, 259_200.0));
        assert_eq!(days.guess.as_deref(), Some("times are seconds since 2020-02-28"));
        let text = "t,v\n2020-01-01T23:59:59.5Z,1\n2020-01-02T00:00:00Z,2\n2020-01-02 00:00:00.5Z,3\n";
        assert_eq!(read("d.csv", text, &["v"], Some("t")).unwrap().dt, 0.5);
        let gap = "day,v\n2020-01-01,1\n2020-01-02,2\n2020-01-04,3\n2020-01-05,4\n";
        let error = read("d.csv", gap, &["v"], Some("day")).unwrap_err().to_string();
        assert!(
            error.contains("the time in day: points are not evenly spaced: usually 86400 apart, but point 2"),
            "{error}"
        );
        let error = read("d.csv", "day,v\n01/02/2020,1\n02/02/2020,2\n", &["v"], Some("day")).unwrap_err().to_string();
        assert!(
            error.contains(
                "\"01/02/2020\", which is no number; times are numbers, or dates such as 2020-01-31T12:30:00"
            ),
            "{error}"
        );
    }

    #[test]
    fn arrays_have_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let table = Tensor::arange(6, (Kind::Float, Device::Cpu)).reshape([3, 2]);
        let row = Tensor::arange(3, (Kind::Int64, Device::Cpu));
        let cube = Tensor::zeros([3, 1, 1], (Kind::Float, Device::Cpu));
        let named = [("u", table), ("v", row), ("w", cube)].map(|(name, tensor)| (name.to_owned(), tensor));
        save_npz(&path, &named).unwrap();
        let read = |columns: &[&str]| {
            let columns = columns.iter().map(|&name| name.to_owned()).collect();
            Series::read(&path, &SeriesConfig { columns, ..SeriesConfig::default() })
        };
        assert_eq!(read(&["v", "u"]).unwrap().channels, ["v", "u.0", "u.1"]);
        assert_eq!(Vec::<f64>::try_from(read(&["u.1"]).unwrap().values.flatten(0, -1)).unwrap(), [1.0, 3.0, 5.0]);
        for (columns, words) in [
            (&[][..], "name its columns with `columns`; there are: u.0, u.1, v, w"),
            (&["w"], "column w: it is [3, 1, 1]; a series is [time] or [time, channel]"),
            (&["u", "u.1"], "two channels would be called 'u.1'"),
            (&["z"], "no column is called 'z'; there are: u.0, u.1, v, w"),
        ] {
            let error = read(columns).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_a_way_out() {
        let dated = "day,v,w\n2020-01-01,1,2\n2020-01-02,3,4\n2020-01-03,5,\n";
        for (columns, time, words) in [
            (
                &[][..],
                None,
                "column day: line 2 is \"2020-01-01\", which is no number; to leave it out, name the columns that are channels: `columns` v",
            ),
            (&["w"], None, "column w: line 4 is empty"),
            (&["v", "v"], None, "two channels would be called 'v'"),
            (&["v"], Some("v"), "v cannot be a channel and the time"),
            (
                &["v"],
                Some("w"),
                "column w: line 4 is empty; fill the gap first, or cut the file before it; times are numbers, or dates",
            ),
        ] {
            let error = read("d.csv", dated, columns, time).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
        let error = read("d.csv", "v,v\n1,2\n", &["v"], None).unwrap_err().to_string();
        assert!(error.contains("2 columns are called 'v'"), "{error}");
    }

    /// Sampling at 30 or 256 Hz written with few digits is even; a point that was lost is not, wherever it was, nor a clock that drifts.
    #[test]
    fn time_must_be_even() {
        let written =
            |hz: f64, digits: f64| (0..400).map(|i| (f64::from(i) / hz * digits).round() / digits).collect::<Vec<_>>();
        for (hz, digits) in [(30.0, 1e2), (256.0, 1e3), (100.0, 1e2)] {
            let (_, dt) = evenly(&written(hz, digits)).unwrap();
            assert!((dt * hz - 1.0).abs() < 1e-2, "{hz}: {dt}");
        }
        for lost in [1, 17, 199, 200, 398] {
            let mut times: Vec<f64> = (0..400).map(f64::from).collect();
            times.remove(lost);
            let error = evenly(&times).unwrap_err();
            let words = format!("point {lost} (counted from 0) is at {}, 2 after the one before", lost + 1);
            assert!(error.contains(&words), "{words:?} not in: {error}");
        }
        let drift: Vec<f64> = (0..400).map(|i| f64::from(i) + 1e-4 * f64::from(i * i)).collect();
        for (times, words) in [
            (&drift[..], "points are not evenly spaced"),
            (&[0.0, 1.0, 2.0, 4.0, 5.0], "point 3 (counted from 0) is at 4, 2 after the one before"),
            (&[2.0, 1.0, 0.0], "it does not rise: point 1 (counted from 0) is at 1, after 2"),
            (&[1.0, 1.0, 1.0], "does not rise"),
            (&[1.0], "two points at least"),
        ] {
            let error = evenly(times).unwrap_err();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }

    #[test]
    fn an_index_is_told_from_a_measurement() {
        let text = |f: &dyn Fn(f64) -> f64| (0..60).map(|i| format!("{}\n", f(f64::from(i)))).collect::<String>();
        for (f, counts) in [
            (&(|i| i + 3.0) as &dyn Fn(f64) -> f64, true),
            (&|i| (i * 1000.0 / 256.0).round(), true), // milliseconds at 256 Hz
            (&|i| if i < 30.0 { i } else { i + 4.0 }, true), // with a gap
            (&|i| (i * 0.025 * 100.0).round() / 100.0, true), // two digits
            (&|i| i * i, false),
            (&|i| i + (i * 2.0).sin() * 3.0, false),
        ] {
            let series = read("s.csv", &text(f), &[], None).unwrap();
            assert_eq!(series.counters().len() == 1, counts, "{}", &text(f)[..40]);
        }
    }

    #[test]
    fn names_are_a_line_of_a_csv_file() {
        assert_eq!(split_names("v, w"), ["v", "w"]);
        assert_eq!(split_names("\"EEG Fz, left\",b"), ["EEG Fz, left", "b"]);
        assert!(split_names("").is_empty());
    }
}
