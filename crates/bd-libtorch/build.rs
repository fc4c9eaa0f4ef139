//! Stops the build, in two lines, when the libtorch at hand is not the one this workspace is written for.
//!
//! torch-sys checks only libtorchs that have a `build-version` file; Python's wheels have none, and a wrong one
//! ends in pages of C++ errors. This crate has no dependencies, so it is built, and complains, first.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/version.rs"]
mod version;
use version::VERSION;

fn main() {
    for name in ["LIBTORCH", "LIBTORCH_USE_PYTORCH", "LIBTORCH_BYPASS_VERSION_CHECK"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let theirs = |name| env::var_os(name).is_some();
    // With these, torch-sys looks elsewhere and checks for itself, or was told not to.
    if theirs("LIBTORCH_USE_PYTORCH") || theirs("LIBTORCH_BYPASS_VERSION_CHECK") || theirs("DOCS_RS") {
        return;
    }
    let Some(libtorch) = env::var_os("LIBTORCH").map(PathBuf::from) else {
        return; // torch-sys tries /usr/lib and says what to do
    };
    // Installing libtorch changes this file, and only then is there a reason to look again.
    println!("cargo::rerun-if-changed={}", libtorch.join("version.py").display());
    let remedy =
        format!("run scripts/libtorch, which fetches {VERSION}, or set LIBTORCH to a libtorch {VERSION} of your own");
    let found = match found_version(&libtorch) {
        Some(found) if found == VERSION => return,
        Some(found) => format!("found libtorch {found} in {}, needed {VERSION}", libtorch.display()),
        None if libtorch.join("lib").is_dir() => {
            format!("{} does not say which libtorch it is, needed {VERSION}", libtorch.display())
        }
        None => format!("no libtorch in {}", libtorch.display()),
    };
    println!("cargo::error={found}");
    println!("cargo::error={remedy}");
}

/// From `build-version` (libtorch's own archives) or `version.py` (Python's wheels), without a `+cpu` or `+cu130`.
fn found_version(libtorch: &Path) -> Option<String> {
    let archive = fs::read_to_string(libtorch.join("build-version")).ok();
    let wheel = || {
        let text = fs::read_to_string(libtorch.join("version.py")).ok()?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        line.split('\'').nth(1).map(str::to_owned)
    };
    let full = archive.or_else(wheel)?;
    full.trim().split('+').next().map(str::to_owned)
}
