//! [`Table`]: columns of a text or arrays of a file, by name.

use std::path::{Path, PathBuf};

use bd_core::{Arrays, Error, Result, Text, check_finite};
use bd_equations::nearest;
use bd_train::data::{Column, Columns, read_columns};
use tch::{Kind, Tensor};

/// Columns of a text or arrays of a file, by name.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Columns),
    Arrays(Arrays),
}

impl Table {
    /// By how its name ends.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let content = match ending.as_deref() {
            Some("csv" | "tsv" | "txt" | "dat") => Content::Text(read_columns(path, &[])?),
            Some("npz") => Content::Arrays(Arrays::read(path)?),
            _ => {
                return Err(Error::bad_file(
                    path,
                    "synapses, spikes and positions are read from a file that ends in .npz or .csv",
                ));
            }
        };
        Ok(Self { path: path.to_path_buf(), content })
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.content, Content::Text(_))
    }

    /// The error of this file.
    pub(super) fn bad(&self, reason: impl Into<String>) -> Error {
        Error::bad_file(&self.path, reason)
    }

    /// Refuses columns of a text with other names. Arrays of other names are passed over.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        let Content::Text(columns) = &self.content else { return Ok(()) };
        match columns.all.iter().find(|column| !known.contains(&&column.name[..])) {
            None => Ok(()),
            Some(Column { name, .. }) => {
                let meant = nearest(name, known.iter().copied());
                Err(self
                    .bad(format!("its column '{name}' is none of {}.{meant} Take it out otherwise", known.join(", "))))
            }
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match &self.content {
            Content::Text(columns) => columns.all.iter().any(|column| column.name == name),
            Content::Arrays(arrays) => arrays.has(name),
        }
    }

    /// Words of an array of text.
    pub(super) fn text(&self, name: &str) -> Option<&Text> {
        match &self.content {
            Content::Text(_) => None,
            Content::Arrays(arrays) => arrays.text(name),
        }
    }

    /// Finite numbers of a column, or of an array of one dimension.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        match &self.content {
            Content::Text(columns) => {
                let Some(column) = columns.all.iter().find(|column| column.name == name) else {
                    let names: Vec<&str> = columns.all.iter().map(|column| &column.name[..]).collect();
                    let reason = format!("its first line names no column '{name}'; there are: {}", names.join(", "));
                    return Err(self.bad(reason));
                };
                column.numbers.clone().map_err(|reason| self.bad(format!("column {name}: {reason}")))
            }
            Content::Arrays(arrays) => match arrays.get(name)? {
                Some(array) => self.numbers_of(name, array),
                None => Err(self.bad(format!("it has no array '{name}'; there are: {}", arrays.describe()))),
            },
        }
    }

    fn numbers_of(&self, name: &str, array: &Tensor) -> Result<Vec<f64>> {
        if array.dim() != 1 {
            return Err(self.bad(format!("array {name} is {:?}, and must have one dimension", array.size())));
        }
        check_finite(&format!("array {name}"), array).map_err(|error| self.bad(error.to_string()))?;
        Ok(Vec::try_from(array.f_to_kind(Kind::Double)?.f_contiguous()?)?)
    }

    pub(super) fn optional(&self, name: &str) -> Result<Option<Vec<f64>>> {
        if self.has(name) { self.numbers(name).map(Some) } else { Ok(None) }
    }

    /// Whole numbers from 0 on.
    pub(super) fn numbers_of_neurons(&self, name: &str) -> Result<Vec<u32>> {
        self.whole(name, &self.numbers(name)?)
    }

    pub(super) fn whole(&self, name: &str, values: &[f64]) -> Result<Vec<u32>> {
        let wrong = |value: &f64| value.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(value);
        match values.iter().position(wrong) {
            None => Ok(values.iter().map(|value| *value as u32).collect()),
            Some(at) => Err(self.bad(format!(
                "{name} number {} is {}; they are whole numbers, and begin with 0",
                at + 1,
                values[at]
            ))),
        }
    }

    pub(super) fn same_length(&self, one: &str, n: usize, other: &str, m: usize) -> Result<()> {
        match n == m {
            true => Ok(()),
            false => Err(self.bad(format!("{one} has {n} numbers and {other} {m}; they belong together"))),
        }
    }
}
