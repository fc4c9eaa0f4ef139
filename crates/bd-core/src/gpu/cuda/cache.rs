//! Compiled texts on disk, by their content: compiling takes some tenths of a second, each time a program starts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::files::{sha256_hex, write_atomic};

/// `$BD_CACHE`, else `bd` in the user's folder for caches. Nothing if there is neither: then nothing is kept.
pub(super) fn folder() -> Option<PathBuf> {
    let named = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = named("BD_CACHE");
    let shared = || named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache"))).map(|all| all.join("bd"));
    own.or_else(shared).map(|folder| folder.join("cuda"))
}

/// What all binaries together may take. A text is of a few tens of kilobytes, and every time constant that is tried makes another.
const MOST_BYTES: u64 = 256 << 20;

/// The binary of a text for a `target`: an architecture, and who compiles how. A folder that cannot be written, as in a container whose root is read-only, costs time and is no error.
pub(super) fn get_or_make(
    folder: &Path,
    text: &str,
    target: &str,
    make: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let file = folder.join(name(text, target) + ".cubin");
    if let Ok(found) = fs::read(&file)
        && let Some(cubin) = unsealed(&found)
    {
        return Ok(cubin.to_vec());
    }
    let cubin = make()?;
    if fs::create_dir_all(folder).is_ok() {
        let _ = write_atomic(&file, &sealed(&cubin));
        remove_oldest(folder, MOST_BYTES);
    }
    Ok(cubin)
}

/// Removes what was made first until the rest is no more than so many bytes. Whoever has opened such a file can read it all the same.
fn remove_oldest(folder: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let cubins = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "cubin"));
    let mut all: Vec<_> = cubins
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            Some((about.modified().ok()?, about.len(), entry.path()))
        })
        .collect();
    all.sort();
    let mut bytes: u64 = all.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in all {
        if bytes <= most {
            break;
        }
        let _ = fs::remove_file(path);
        bytes -= len;
    }
}

/// Of the text and all else that its binary depends on.
fn name(text: &str, target: &str) -> String {
    sha256_hex(format!("{target}\n{text}").as_bytes())
}

/// A binary behind its own hash: a file that was damaged is made again, and never given to the driver.
fn sealed(cubin: &[u8]) -> Vec<u8> {
    [sha256_hex(cubin).as_bytes(), cubin].concat()
}

fn unsealed(found: &[u8]) -> Option<&[u8]> {
    let (hash, cubin) = found.split_at_checked(64)?;
    (hash == sha256_hex(cubin).as_bytes()).then_some(cubin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compiled_once_and_again_if_its_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let get = |text: &str, arch: &str, fresh: &[u8]| {
            get_or_make(folder.path(), text, arch, || Ok(fresh.to_vec())).unwrap()
        };
        assert_eq!(get("a", "sm_80", b"1"), b"1");
        assert_eq!(get("a", "sm_80", b"2"), b"1");
        assert_eq!(get("a", "sm_90", b"3"), b"3");
        assert_eq!(get("b", "sm_80", b"4"), b"4");
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        assert_eq!(get("a", "sm_80", b"5"), b"5");
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age_s) in [("a.cubin", 30), ("b.cubin", 10), ("c.cubin", 20), ("other", 99)] {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let made = std::time::SystemTime::now() - std::time::Duration::from_secs(age_s);
            fs::File::options().append(true).open(&path).unwrap().set_modified(made).unwrap();
        }
        let left = |most: u64| {
            remove_oldest(folder.path(), most);
            ["a.cubin", "b.cubin", "c.cubin", "other"].map(|name| folder.path().join(name).exists())
        };
        assert_eq!(left(300), [true, true, true, true]);
        assert_eq!(left(250), [false, true, true, true]);
        assert_eq!(left(100), [false, true, false, true]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cubin = get_or_make(&file.path().join("below"), "a", "sm_80", || Ok(vec![1])).unwrap();
        assert_eq!(cubin, [1]);
    }
}
