//! What may depend on what. See ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What needs libtorch.
const ON_LIBTORCH: [&str; 4] = ["tch", "torch-sys", "bd-libtorch", "bd-core"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn toml(path: &str) -> toml::Value {
    fs::read_to_string(root().join(path)).unwrap().parse::<toml::Table>().unwrap().into()
}

/// For each package of Cargo.lock what it depends on, for whatever purpose and platform.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let lock = toml("Cargo.lock");
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let names = package.get("dependencies").and_then(|list| list.as_array()).into_iter().flatten();
        // "name", or "name version" where there are several.
        let names = names.map(|name| name.as_str().unwrap().split(' ').next().unwrap().to_owned());
        all.entry(package["name"].as_str().unwrap().to_owned()).or_default().extend(names);
    }
    all
}

/// A package and everything that it depends on, directly or not.
fn tree(package: &str) -> BTreeSet<String> {
    let all = dependencies();
    let (mut found, mut open) = (BTreeSet::new(), vec![package.to_owned()]);
    while let Some(name) = open.pop() {
        open.extend(all[&name].iter().cloned());
        found.insert(name);
        open.retain(|name| !found.contains(name));
    }
    found
}

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(path)),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

#[test]
fn kernels_equations_networks_and_runner_build_without_libtorch() {
    let lower = ["bd-kernel", "bd-equations", "bd-networks", "bd-runner"].map(|name| (name, tree(name)));
    for (name, tree) in &lower {
        assert!(tree.contains("serde"), "the tree of {name} was not found");
    }
    for name in ON_LIBTORCH {
        for (package, tree) in &lower {
            assert!(!tree.contains(name), "{package} depends on {name}");
        }
        assert!(tree("bd-models").contains(name), "the tree of bd-models lacks {name}, so that this test sees nothing");
    }
}

#[test]
fn what_trains_knows_no_reports() {
    for name in ["bd-run", "bd-train", "bd-plot", "bd-runner"] {
        assert!(!tree(name).contains("bd-report"), "{name} depends on bd-report");
    }
    assert!(tree("bd-report").contains("bd-run") && !tree("bd-run").contains("askama"));
    let own = toml("crates/bd-report/Cargo.toml");
    assert!(own["dependencies"].get("tch").is_none(), "a report has no tensors");
}

#[test]
fn the_command_line_knows_no_tensor() {
    for name in ["tch", "torch-sys"] {
        assert!(toml("Cargo.toml")["dependencies"].get(name).is_none(), "the command line depends on {name}");
    }
    let words = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "tch");
    let naming: Vec<_> = sources(root().join("crates/bd-cli/src"))
        .into_iter()
        // Tests make tensors for the tables that they look at.
        .filter(|path| !path.ends_with("tests.rs") && words(&fs::read_to_string(path).unwrap()))
        .collect();
    assert!(naming.is_empty(), "these sources of the command line name tch: {naming:#?}");
}
