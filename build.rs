//! Gives the binary and the examples an rpath to libtorch, so that they start with no variable set, and the git hash.

use std::path::Path;
use std::process::Command;

fn main() {
    bd_libtorch::link();
    println!("cargo::rustc-env=BD_GIT_HASH={}", git_hash().unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
}

/// The commit that is checked out, with `-dirty` if tracked files differ; `None` outside a git checkout.
fn git_hash() -> Option<String> {
    let git = |args: &[&str]| {
        // Without optional locks, or asking for the status would write the index.
        let out = Command::new("git").arg("--no-optional-locks").args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    // `logs/HEAD` changes with every commit and checkout; what could make the tree dirty and matters is below.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let sources = ["Cargo.toml", "Cargo.lock", "crates"];
    for path in sources.into_iter().chain(Path::new(&log).exists().then_some(log.as_str())) {
        println!("cargo::rerun-if-changed={path}");
    }
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if clean { hash } else { format!("{hash}-dirty") })
}
