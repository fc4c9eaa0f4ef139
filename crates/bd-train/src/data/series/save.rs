//! A series as a file.

use std::borrow::Cow;
use std::path::Path;

use bd_core::files::{refuse_existing, write_new};
use bd_core::npz::npz_to_bytes;
use bd_core::{Error, Result};
use tch::Tensor;

use super::Series;

impl Series {
    /// Refuses a path that [`save`](Self::save) would refuse: of another ending, or where something is.
    pub fn check_path(path: &Path) -> Result<()> {
        is_table(path)?;
        refuse_existing(path)
    }

    /// Writes a new file in one step. `.csv`: a table with a column `time` and one for each channel, in as many digits as give the same
    /// numbers again. `.npz`: `time`, `[time]`, and `series`, `[time, channel]`, in float64, and the names `channels`.
    pub fn save(&self, path: &Path) -> Result<()> {
        Self::check_path(path)?;
        if is_table(path)? {
            return write_new(path, self.table()?.as_bytes());
        }
        let times: Vec<f64> = (0..self.points()).map(|point| self.time(point)).collect();
        let arrays = [("time", Tensor::from_slice(&times)), ("series", self.values.shallow_clone())];
        let arrays = arrays.map(|(name, array)| (name.to_owned(), array));
        write_new(path, &npz_to_bytes(&arrays, &[("channels", &self.channels)])?)
    }

    fn table(&self) -> Result<String> {
        let mut text = String::from("time");
        self.channels.iter().for_each(|name| text.extend([",", &in_table(name)]));
        text.push('\n');
        let numbers = Vec::<f64>::try_from(self.values.flatten(0, -1))?;
        for (point, row) in numbers.chunks(self.channels.len()).enumerate() {
            text += &self.time_text(point);
            row.iter().for_each(|value| text.extend([",", &value.to_string()]));
            text.push('\n');
        }
        Ok(text)
    }
}

/// Whether a path ends in `.csv`; fails if it ends in `.npz` neither.
fn is_table(path: &Path) -> Result<bool> {
    match path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).as_deref() {
        Some("csv") => Ok(true),
        Some("npz") => Ok(false),
        _ => Err(Error::Config(format!("{}: a file of a series ends in .csv or .npz", path.display()))),
    }
}

/// A name as the head of a column: in double quotes where it needs them.
pub fn in_table(name: &str) -> Cow<'_, str> {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")).into(),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SeriesConfig;

    /// What is written is what is read, to the last bit.
    #[test]
    fn files_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let values = Tensor::from_slice(&[0.1f64, 1.0 / 3.0, -1e-300, 2.0, 5e-9, 7.0]).reshape([3, 2]);
        let channels = vec!["a".to_owned(), "b, c".to_owned()];
        let series = Series { channels, values, start: 0.3, dt: 0.1, times: None, in_seconds: false, guess: None };
        for (name, columns) in [("s.csv", vec![]), ("s.npz", vec!["series".to_owned()])] {
            let path = folder.path().join(name);
            series.save(&path).unwrap();
            let found = Series::read(&path, &SeriesConfig { columns, time: Some("time".into()), dt: None }).unwrap();
            assert_eq!(found.values, series.values, "{name}");
            assert!((found.start - 0.3).abs() < 1e-15 && (found.dt - 0.1).abs() < 1e-15, "{name}");
            if name == "s.csv" {
                assert_eq!(found.channels, series.channels);
            }
            assert!(series.save(&path).unwrap_err().to_string().contains("it exists"));
        }
        let text = std::fs::read_to_string(folder.path().join("s.csv")).unwrap();
        assert!(text.starts_with("time,a,\"b, c\"\n0.3,0.1,0.3333333333333333\n0.4,"), "{text}");
        let error = series.save(&folder.path().join("s.txt")).unwrap_err().to_string();
        assert!(error.ends_with("s.txt: a file of a series ends in .csv or .npz"), "{error}");
    }
}
