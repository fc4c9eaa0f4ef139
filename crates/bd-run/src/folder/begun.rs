//! [`is_begun`]: whether there is something to go on from.

use std::fs;
use std::path::Path;

use bd_core::{Error, Result};

use super::{LOCK, MANIFEST, WEIGHTS, has_checkpoint, lock};

/// What a run has made by its first checkpoint, beside temporary files; and the report that somebody makes of it by then.
const EARLY: [&str; 7] = [LOCK, MANIFEST, "config.json", "metrics.jsonl", "tensorboard", "checkpoints", "report.html"];

/// Whether a folder holds a run from which something is left: for what is started again by the same command. The remains of one that was
/// killed before its first checkpoint are removed, if there is nothing else in the folder.
///
/// Fails with [`Error::Locked`] while another process is at work in it, and with [`Error::BadFile`] if it holds anything that no run has
/// made; then it is left as it is.
pub fn is_begun(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let has_results = || path.join(WEIGHTS).exists() || has_checkpoint(path);
    if has_results() {
        return Ok(true);
    }
    check_early(path)?;
    let lock = lock(path)?;
    // What another process has made until it gave the lock back.
    if has_results() {
        return Ok(true);
    }
    fs::remove_dir_all(path).map_err(Error::storage("remove", path))?;
    drop(lock);
    Ok(false)
}

/// Fails if there is something in a folder that is not of the beginning of a run.
fn check_early(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(Error::storage("read", path))? {
        let name = entry.map_err(Error::storage("read", path))?.file_name();
        let name = name.to_string_lossy();
        let is_temporary = name.starts_with('.') && name.ends_with(".tmp");
        if !is_temporary && !EARLY.contains(&&*name) {
            let reason =
                format!("it is not the folder of a run that was begun, for there is {name} in it; name a new folder");
            return Err(Error::bad_file(path, reason));
        }
    }
    Ok(())
}
