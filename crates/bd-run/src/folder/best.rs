//! [`of_best`]: which run a folder of several stands for.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bd_core::{Error, Result};

use super::AUTO;

/// The folder of a run: that of the best one where `path` is of a choice among jobs, by [`auto`](crate::auto).
///
/// # Errors
/// [`Error::Storage`] and [`Error::BadFile`] if the file that names the best one cannot be read.
pub fn of_best(path: &Path) -> Result<PathBuf> {
    let file = path.join(AUTO);
    let text = match fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path.to_path_buf()),
        text => text.map_err(Error::storage("read", &file))?,
    };
    let best: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| Error::bad_file(&file, error.to_string()))?;
    match best["best"].as_str().filter(|best| !best.contains(['/', '\\']) && *best != "..") {
        Some(best) => Ok(path.join(best)),
        None => Err(Error::bad_file(&file, "it does not say which run is the best")),
    }
}
