//! Blocks of Python that make files: they run where Python has numpy, and the files that the repository holds are what they make.

use std::path::Path;
use std::process::Command;

use bd_core::Arrays;

use crate::page::{pages, root};

/// Info string of a code block that is a Python program to be run.
const RUN: &str = "python run";

/// The interpreter of `BD_PYTHON`, or else `python3`, if it has numpy.
pub(crate) fn with_numpy() -> Option<String> {
    let python = std::env::var("BD_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(&python).args(["-c", "import numpy"]).output().ok()?;
    output.status.success().then_some(python)
}

fn same_arrays(made: &Path, kept: &Path) {
    let (made, kept) = (Arrays::read(made).unwrap(), Arrays::read(kept).unwrap());
    assert_eq!(made.names().collect::<Vec<_>>(), kept.names().collect::<Vec<_>>());
    for name in made.names() {
        match made.text(name) {
            Some(text) => assert_eq!(Some(text), kept.text(name), "{name}"),
            None => assert_eq!(made.get(name).unwrap(), kept.get(name).unwrap(), "{name}"),
        }
    }
}

#[test]
fn python_blocks_make_files_that_are_read() {
    let Some(python) = with_numpy() else {
        eprintln!("not run: no Python with numpy; BD_PYTHON may name one");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pages = pages();
    for block in pages.iter().flat_map(|page| &page.blocks).filter(|block| block.info == RUN) {
        let output = Command::new(&python).args(["-c", &block.text]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}\n{}", block.text, String::from_utf8_lossy(&output.stderr));
    }
    let mut made = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let kept = root().join("tests/data").join(path.file_name().unwrap());
        match kept.exists() {
            true => same_arrays(&path, &kept),
            false => assert!(Arrays::read(&path).unwrap().all().all(|(_, array)| array.is_ok()), "{}", path.display()),
        }
        made += 1;
    }
    assert!(made >= 2, "{made} files");
}
