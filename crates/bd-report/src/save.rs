//! Where a report is written.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use bd_core::files::write_atomic;
use bd_core::{Error, Result};

/// By this a report is known, within its first bytes.
const MARK: &str = "<meta name=\"generator\" content=\"bd report\">";
const MARKED_BYTES: u64 = 1024;

/// Where the report of these folders is written if nobody says otherwise: in the folder of a single run, and for several `report.html` in the present
/// folder.
pub fn usual_file(folders: &[PathBuf]) -> PathBuf {
    match folders {
        [folder] => folder.join("report.html"),
        _ => PathBuf::from("report.html"),
    }
}

pub(crate) fn save(html: &str, file: &Path) -> Result<()> {
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() || !is_report(file)? => {
            let words = "it exists and is no report of bd; name a new file or remove it";
            Err(Error::storage("write", file)(std::io::Error::new(ErrorKind::AlreadyExists, words)))
        }
        _ => write_atomic(file, html.as_bytes()),
    }
}

fn is_report(file: &Path) -> Result<bool> {
    let mut begin = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MARKED_BYTES).read_to_end(&mut begin));
    read.map_err(Error::storage("read", file))?;
    Ok(String::from_utf8_lossy(&begin).contains(MARK))
}
