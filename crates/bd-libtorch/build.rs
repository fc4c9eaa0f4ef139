//! Stops the build, in two lines, when the libtorch at hand is not the one this workspace is written for.
//!
//! torch-sys checks only libtorchs that have a `build-version` file; Python's wheels have none, and a wrong one
//! ends in pages of C++ errors. Cargo may run torch-sys first; in this checkout `scripts/rustc` is earlier than both.

use std::env;
use std::path::PathBuf;

#[path = "src/version.rs"]
mod version;
use version::{VERSION, found_version};

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
        Some(found) if found.split('+').next() == Some(VERSION) => return,
        Some(found) => format!("found libtorch {found} in {}, needed {VERSION}", libtorch.display()),
        None if libtorch.join("lib").is_dir() => {
            format!("{} does not say which libtorch it is, needed {VERSION}", libtorch.display())
        }
        None => format!("no libtorch in {}", libtorch.display()),
    };
    println!("cargo::error={found}");
    println!("cargo::error={remedy}");
}
