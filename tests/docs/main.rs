//! The documentation: its commands run, its links lead somewhere, the book has every page.

mod page;
mod python;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use page::{Page, normal, pages, root};

/// Info string of a code block that is a shell script to be run.
const RUN: &str = "sh run";

/// Info string of a Python program that is run where the scripts before it were, if there is a Python with numpy.
const HERE: &str = "python here";

/// Runs the marked blocks of a page in order, in a scratch folder where `scripts/bd` is the binary, and `tests` and `examples` those of
/// the checkout, with no variable set but PATH. Returns how many there were, or what failed.
fn run_blocks(page: &Page) -> Result<usize, String> {
    let python = page.blocks.iter().any(|block| block.info == HERE).then(python::with_numpy).flatten();
    let runs = |info: &str| info == RUN || info == HERE && python.is_some();
    let blocks: Vec<_> = page.blocks.iter().filter(|block| runs(&block.info)).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("scripts")).unwrap();
    symlink(env!("CARGO_BIN_EXE_bd"), folder.path().join("scripts/bd")).unwrap();
    for of_checkout in ["tests", "examples"] {
        symlink(root().join(of_checkout), folder.path().join(of_checkout)).unwrap();
    }
    for block in &blocks {
        let (program, options) = match &python {
            Some(python) if block.info == HERE => (&python[..], "-c"),
            _ => ("/bin/sh", "-euc"),
        };
        let mut shell = Command::new(program);
        let shell = shell.args([options, &block.text]).env_clear().env("PATH", "/usr/bin:/bin");
        let output = shell.current_dir(folder.path()).output().unwrap();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}\n{}{stderr}", page.path.display(), output.status, block.text));
        }
    }
    Ok(blocks.len())
}

#[test]
fn documented_commands_run() {
    let pages = pages();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = pages.iter().map(|page| scope.spawn(move || (page, run_blocks(page)))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failed: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err()).cloned().collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let readme = outcomes.iter().find(|(page, _)| page.path == root().join("README.md")).unwrap();
    assert_eq!(readme.1, Ok(2), "README.md has two blocks that are marked {RUN:?}");
}

/// What is wrong with a link, if anything is.
fn fault(link: &str, from: &Page, anchors: &HashMap<&Path, &[String]>) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { from.path.clone() } else { normal(&from.path.parent().unwrap().join(file)) };
    if !target.exists() {
        return Some("no such file".into());
    }
    let anchor = anchor?;
    match anchors.get(target.as_path()) {
        None => Some("an anchor in a file that is no page".into()),
        Some(known) if known.iter().any(|known| known == anchor) => None,
        Some(known) => Some(format!("no such anchor; there are: {}", known.join(", "))),
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let anchors = pages.iter().map(|page| (page.path.as_path(), page.anchors.as_slice())).collect();
    let mut faults = Vec::new();
    for page in &pages {
        let relative = page.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
        faults.extend(relative.filter_map(|link| {
            fault(link, page, &anchors).map(|fault| format!("{}: {link}: {fault}", page.path.display()))
        }));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The version of this checkout stands in the changelog with a date.
#[test]
fn the_changelog_dates_the_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let heading = concat!("## ", env!("CARGO_PKG_VERSION"), " - ");
    let date = changelog.lines().find_map(|line| line.strip_prefix(heading)).expect("a heading of the version");
    let parts: Vec<_> = date.split('-').map(|part| (part.len(), part.parse::<u32>().is_ok())).collect();
    assert_eq!(parts, [(4, true), (2, true), (2, true)], "{date}");
}

#[test]
fn the_book_has_every_page() {
    let docs = root().join("docs");
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == docs.join("SUMMARY.md")).unwrap();
    let listed: Vec<PathBuf> = summary.links.iter().map(|link| normal(&docs.join(link))).collect();
    let missing: Vec<_> = pages
        .iter()
        .map(|page| &page.path)
        .filter(|path| path.starts_with(&docs) && **path != summary.path && !path.starts_with(docs.join("images")))
        .filter(|path| !listed.contains(path))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}
