//! [`Arrays`]: the arrays of a file, by name.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use tch::Tensor;

use crate::error::{Error, Result};
use crate::files::{data_bytes, sha256_hex, sha256_of_file, tensors_of_bytes};
use crate::hdf5::{self, Clock, Found, Later};
use crate::npz;
use crate::stored::{Member, Read, Text};

/// The arrays of a file by name, on the host. One that cannot be read is an error where it is wanted, and nowhere else: people keep
/// names of classes, rates and notes beside their data.
///
/// | file | arrays |
/// |---|---|
/// | `.npz` | its members; what is no array, such as a folder or a text, is passed over |
/// | `.npy` | one, called `x` |
/// | `.safetensors` | its tensors |
/// | `.h5`, `.hdf5` | its datasets by their paths without the first `/`, each read when it is asked for |
/// | the same with `spikes/times`, `spikes/units` | also `times`, `units`, `offsets`; `labels` as `y`, `extra/keys` as `class_names` |
/// | `.nwb` | also each `TimeSeries` by its path, in its unit and with its [`clock`](Self::clock); `times`, `units`, `offsets` of its units in each trial, and the columns of the table of trials by their names |
/// | `.mat` | variables of a file of version 7.3; dimensions as MATLAB counts them, `[1, n]` and `[n, 1]` as lists; fields of a struct as `s/field` |
#[derive(Debug)]
pub struct Arrays {
    path: PathBuf,
    all: Vec<Array>,
    sha256: String,
    advice: Option<String>,
    /// How many of the first are listed in messages.
    listed: usize,
    drops_ones: bool,
}

#[derive(Debug)]
struct Array {
    name: String,
    read: OnceCell<Read>,
    /// Where it is read only when it is asked for.
    later: Option<Later>,
}

impl Array {
    fn here((name, read): (String, Read)) -> Self {
        Self { name, read: OnceCell::from(read), later: None }
    }

    fn later(Found { name, later }: Found) -> Self {
        Self { name, read: OnceCell::new(), later: Some(later) }
    }

    fn read(&self) -> &Read {
        let later =
            || self.later.as_ref().map_or_else(|| Err(format!("{} is not there", self.name)), |later| (later.read)());
        self.read.get_or_init(later)
    }

    /// Its dimensions, if they are known without reading it, or it was read.
    fn shape(&self) -> Option<Vec<i64>> {
        match self.read.get() {
            Some(Ok(Member::Numbers(array))) => Some(array.size()),
            Some(Ok(Member::Text(text))) => Some(text.shape.clone()),
            Some(Err(_)) => None,
            None => self.later.as_ref().and_then(|later| later.shape.clone()),
        }
    }

    fn describe(&self) -> String {
        let Self { name, .. } = self;
        match (self.read.get(), self.shape()) {
            (Some(Err(_)), _) => format!("{name} (which cannot be read)"),
            (Some(Ok(Member::Text(_))), Some(shape)) => format!("{name} {shape:?} of text"),
            (None, Some(shape)) if self.later.as_ref().is_some_and(|later| later.is_text) => {
                format!("{name} {shape:?} of text")
            }
            (_, Some(shape)) => format!("{name} {shape:?}"),
            (_, None) => name.clone(),
        }
    }
}

/// So many arrays are listed in messages, and of those that have a meaning up to so many.
const LISTED: usize = 16;
const MOST_LISTED: usize = 40;

impl Arrays {
    /// Reads a file, once: arrays and hash are of the same bytes, also if somebody replaces it meanwhile. Arrays of HDF5 are read when they
    /// are asked for.
    ///
    /// Fails with [`Error::BadFile`] if it is of none of these kinds, or no arrays can be found in it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_trials(path, None)
    }

    /// [`read`](Self::read) where `trials` names the table of intervals of an NWB file whose rows are samples; `None` is `trials`.
    pub fn read_trials(path: &Path, trials: Option<&str>) -> Result<Self> {
        data_bytes(path)?;
        let kind = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if hdf5::ENDINGS.contains(&kind.as_str()) {
            return Self::of_hdf5(path, trials);
        }
        if !["npz", "npy", "safetensors"].contains(&kind.as_str()) {
            return Err(Error::bad_file(
                path,
                "a file of arrays ends in .npz, .npy, .safetensors, .h5, .hdf5, .nwb or .mat",
            ));
        }
        if let Some(table) = trials {
            return Err(Error::bad_file(path, format!("it is no NWB file, and has no table of trials ({table})")));
        }
        let content = fs::read(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
        let all = match kind.as_str() {
            "npz" => npz::members(path, Cursor::new(&content), npz::MAX_BYTES.max(content.len() as u64))?,
            "npy" => vec![("x".to_owned(), Ok(npz::npy_of_bytes(path, &content)?))],
            _ => {
                let all = tensors_of_bytes(path, &content)?.into_iter();
                all.map(|(name, tensor)| (name, tensor.map(Member::Numbers))).collect()
            }
        };
        Ok(Self::of_all(path, all.into_iter().map(Array::here).collect(), sha256_hex(&content)))
    }

    fn of_hdf5(path: &Path, trials: Option<&str>) -> Result<Self> {
        let bad = |error: std::io::Error| Error::bad_file(path, format!("cannot be read: {error}"));
        let file = File::open(path).map_err(bad)?;
        let opened = hdf5::open(path, file.try_clone().map_err(bad)?, trials)?;
        let sha256 = sha256_of_file(file).map_err(bad)?;
        let all = opened.arrays.into_iter().map(Array::later).collect();
        let listed = opened.meant.clamp(LISTED, MOST_LISTED);
        Ok(Self { advice: opened.advice, listed, drops_ones: opened.of_matlab, ..Self::of_all(path, all, sha256) })
    }

    fn of_all(path: &Path, all: Vec<Array>, sha256: String) -> Self {
        Self { path: path.to_path_buf(), all, sha256, advice: None, listed: LISTED, drops_ones: false }
    }

    /// Arrays that are there already; `path` is what messages call them.
    pub fn new(path: &Path, arrays: Vec<(String, Tensor)>) -> Self {
        let all = arrays.into_iter().map(|(name, array)| Array::here((name, Ok(Member::Numbers(array)))));
        Self::of_all(path, all.collect(), String::new())
    }

    /// With an array of text more.
    pub fn with_text(mut self, name: &str, text: Text) -> Self {
        self.all.push(Array::here((name.to_owned(), Ok(Member::Text(text)))));
        self
    }

    /// With an array called otherwise: what was called so is hidden. Fails if there is no array `name`.
    pub fn with_name(mut self, name: &str, called: &str) -> Result<Self> {
        let Some(at) = self.position(name) else {
            let advice = self.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
            let there = self.describe();
            return Err(Error::bad_file(
                &self.path,
                format!("no array is called '{name}'{advice}; there are: {there}"),
            ));
        };
        if name != called {
            self.all.retain(|array| array.name != called);
            let at = self.position(name).unwrap_or(at);
            self.all[at].name = called.to_owned();
        }
        Ok(self)
    }

    /// Without the array of a name.
    pub fn without(mut self, name: &str) -> Self {
        self.all.retain(|array| array.name != name);
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The names of all arrays, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|array| array.name.as_str())
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The array of numbers of a name, if there is one. Fails if it cannot be read, or is text.
    pub fn get(&self, name: &str) -> Result<Option<&Tensor>> {
        match self.find(name) {
            None => Ok(None),
            Some(array) => numbers(array).map(Some).map_err(|reason| Error::bad_file(&self.path, reason)),
        }
    }

    /// The array of text of a name, if there is one that can be read.
    pub fn text(&self, name: &str) -> Option<&Text> {
        let array = self.find(name)?;
        // What is known to be numbers is not read to find out.
        if array.later.as_ref().is_some_and(|later| !later.is_text) {
            return None;
        }
        match array.read() {
            Ok(Member::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The dimensions of an array, where they are known without reading it.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.find(name)?.shape()
    }

    /// The times of the points of an array that is a series, where the file has them. Fails if they cannot be read.
    pub fn clock(&self, name: &str) -> Option<Result<Clock>> {
        let clock = self.find(name)?.later.as_ref()?.clock.as_ref()?;
        Some(clock().map_err(|reason| Error::bad_file(&self.path, format!("the times of {name}: {reason}"))))
    }

    /// Whether an array is a series with times of its own.
    pub fn has_clock(&self, name: &str) -> bool {
        self.find(name).and_then(|array| array.later.as_ref()).is_some_and(|later| later.clock.is_some())
    }

    /// Whether an array of one channel has lost its last dimension, as in MATLAB, where trailing dimensions of length 1 are dropped.
    pub fn drops_trailing_ones(&self) -> bool {
        self.drops_ones
    }

    /// Whether arrays are read when they are asked for.
    pub fn read_later(&self) -> bool {
        self.all.iter().any(|array| array.later.is_some())
    }

    /// What to do where an array is missing, if the file says more than its names.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|array| array.name == name)
    }

    fn find(&self, name: &str) -> Option<&Array> {
        self.position(name).map(|at| &self.all[at])
    }

    /// All of them, those that are no numbers with the reason. Reads what was not read yet.
    pub fn all(&self) -> impl Iterator<Item = (&str, std::result::Result<&Tensor, String>)> {
        self.all.iter().map(|array| (array.name.as_str(), numbers(array)))
    }

    /// Names and shapes, for messages.
    pub fn describe(&self) -> String {
        let listed = self.all.iter().take(self.listed).map(Array::describe).collect::<Vec<_>>().join(", ");
        match self.all.len() > self.listed {
            true => format!("{listed}, ... ({} in all)", self.all.len()),
            false => listed,
        }
    }
}

fn numbers(array: &Array) -> std::result::Result<&Tensor, String> {
    match array.read() {
        Ok(Member::Numbers(tensor)) => Ok(tensor),
        Ok(Member::Text(text)) => Err(format!("{} is text {:?}, and no numbers", array.name, text.shape)),
        Err(reason) => Err(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npz::save_npz;

    /// A zip of stored members, as `numpy.savez` writes it, with whatever else people put in.
    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn npy(descr: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn what_nobody_asks_for_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.NPZ");
        let (x, names) = (npy("<f8", &2.5f64.to_le_bytes()), npy(">U2", &[0, 0, 0, 0xe9, 0, 0, 0, 0]));
        let dates = npy("<M8[ns]", &[0; 8]);
        let members: [(&str, &[u8]); 6] = [
            ("x.npy", &x),
            ("names.npy", &names),
            ("dates.npy", &dates),
            ("README.txt", b"hello"),
            ("data/", b""),
            ("__MACOSX/._x.npy", b"x"),
        ];
        fs::write(&path, zipped(&members)).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.names().collect::<Vec<_>>(), ["x", "names", "dates"]);
        assert_eq!(arrays.get("x").unwrap().unwrap().double_value(&[0]), 2.5);
        assert!(arrays.get("y").unwrap().is_none());
        let error = arrays.get("dates").unwrap_err().to_string();
        assert!(error.contains("member \"dates.npy\": it holds dates"), "{error}");
        assert_eq!(arrays.describe(), "x [1], names [1] of text, dates (which cannot be read)");
        // Text is text, without the zeros that fill it up, and no numbers.
        assert_eq!(arrays.text("names"), Some(&Text { shape: vec![1], items: vec!["é".into()] }));
        assert!(arrays.text("x").is_none() && arrays.text("dates").is_none());
        let error = arrays.get("names").unwrap_err().to_string();
        assert!(error.contains("names is text [1], and no numbers"), "{error}");
        assert_eq!(arrays.sha256(), sha256_hex(&fs::read(&path).unwrap()));
    }

    #[test]
    fn text_that_is_written_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let names = ["rest", "", "gauche é"].map(str::to_owned);
        npz::save_npz_with_text(&path, &[("x".to_owned(), Tensor::from(1i64))], &[("classes", &names)]).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.text("classes"), Some(&Text { shape: vec![3], items: names.to_vec() }));
        assert_eq!(npz::load_npz(&path).unwrap().len(), 1, "numbers only");
        let bytes = [npy("|S3", b"ab\0"), npy("|S2", b"\xff\xfe")];
        fs::write(&path, zipped(&[("b.npy", &bytes[0]), ("c.npy", &bytes[1])])).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.text("b").unwrap().items, ["ab"]);
        let error = arrays.get("c").unwrap_err().to_string();
        assert!(error.contains("its text 0 (counted from 0) is neither Unicode nor UTF-8"), "{error}");
    }

    #[test]
    fn one_array_is_called_x_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.npy"), npy(">u2", &[1, 2])).unwrap();
        let arrays = Arrays::read(&at("a.npy")).unwrap();
        assert_eq!(arrays.get("x").unwrap().unwrap().int64_value(&[0]), 258); // 1 * 256 + 2
        save_npz(&at("b.npz"), &[("y".to_owned(), Tensor::from(3i64))]).unwrap();
        assert!(Arrays::read(&at("b.npz")).unwrap().has("y"));
        fs::write(at("a.csv"), "").unwrap();
        for (name, words) in [
            ("a.csv", "ends in .npz, .npy, .safetensors, .h5, .hdf5, .nwb or .mat"),
            ("none.npz", "cannot be read"),
            ("-", "it is standard input"),
        ] {
            let error = Arrays::read(&at(name)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
