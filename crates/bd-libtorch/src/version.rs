use std::fs;
use std::path::Path;

/// The libtorch that the tch release in use accepts.
#[allow(unreachable_pub)] // the build script has it as a private module
pub const VERSION: &str = "2.11.0";

/// The version of the libtorch in the folder `home`, with its build, as in `2.11.0+cu130`. From `build-version` (libtorch's
/// own archives) or `version.py` (Python's wheels).
#[allow(unreachable_pub)]
pub fn found_version(home: &Path) -> Option<String> {
    if let Ok(version) = fs::read_to_string(home.join("build-version")) {
        return Some(version.trim().to_owned());
    }
    let text = fs::read_to_string(home.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split('\'').nth(1).map(str::to_owned)
}
