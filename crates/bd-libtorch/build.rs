//! Finds libtorch, and stops the build in two lines where it is not or is not the one this workspace is written for.
//!
//! torch-sys checks only libtorchs that have a `build-version` file; Python's wheels have none, and a wrong one
//! ends in pages of C++ errors. This script depends on nothing, so that Cargo runs it before that of torch-sys, which waits for a dozen
//! crates; in this checkout `scripts/rustc` is earlier still.

use std::env;
use std::path::Path;

#[path = "src/place.rs"]
mod place;
#[path = "src/version.rs"]
mod version;
use place::{Place, VARIABLES};
use version::VERSION;

fn main() {
    for name in VARIABLES.iter().chain(&["DOCS_RS"]) {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    // Documentation needs no libtorch.
    if env::var_os("DOCS_RS").is_some() || env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() {
        return;
    }
    match Place::find(|name| env::var_os(name), Path::new("/usr")) {
        Ok(place) => {
            // Installing libtorch changes this file, and only then is there a reason to look again.
            println!("cargo::rerun-if-changed={}", place.home.join("version.py").display());
            println!("cargo::rustc-env=BD_LIBTORCH_LIB={}", place.lib.display());
            println!("cargo::rustc-env=BD_LIBTORCH_INCLUDE={}", place.include.display());
        }
        Err(problem) => {
            println!("cargo::error={problem}");
            println!(
                "cargo::error=run `scripts/libtorch --app FOLDER` of a checkout of bd, which fetches {VERSION} and tells Cargo in FOLDER \
                 where it is, or set LIBTORCH to a libtorch {VERSION} of your own; see docs/embedding.md"
            );
        }
    }
}
