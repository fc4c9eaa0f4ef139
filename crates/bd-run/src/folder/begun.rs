//! [`is_begun`]: whether there is something to go on from.

use std::fs;
use std::path::Path;

use bd_core::{Error, Result};

use super::{MANIFEST, WEIGHTS, lock};

/// Whether a folder holds a run from which something is left: for what is started again by the same command. The remains of one that was
/// killed before its first checkpoint are removed, if nothing else is in the folder.
///
/// Fails with [`Error::Locked`] while another process is at work in it.
pub fn is_begun(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let lock = lock(path)?;
    if ["checkpoints", WEIGHTS].iter().any(|name| path.join(name).exists()) {
        return Ok(true);
    }
    let own =
        |name: &str| name.starts_with('.') || ["config.json", MANIFEST, "metrics.jsonl", "tensorboard"].contains(&name);
    for entry in fs::read_dir(path).map_err(Error::storage("read", path))? {
        let name = entry.map_err(Error::storage("read", path))?.file_name();
        if !own(&name.to_string_lossy()) {
            let reason = format!("it is no run that was begun, for there is {} in it", name.to_string_lossy());
            return Err(Error::bad_file(path, reason));
        }
    }
    fs::remove_dir_all(path).map_err(Error::storage("remove", path))?;
    drop(lock);
    Ok(false)
}
