//! Compiled loops on disk, by their content: compiling takes tenths of a second to seconds.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// `$BD_CACHE`, else `bd` in the user's folder for caches. Nothing if there is neither: then nothing is kept.
pub(super) fn folder() -> Option<PathBuf> {
    let named = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = named("BD_CACHE");
    let shared = || named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache"))).map(|all| all.join("bd"));
    own.or_else(shared).map(|folder| folder.join("loops"))
}

/// What all libraries together may take. Each is of some tens of kilobytes, and every constant that is tried makes another.
const MOST_BYTES: u64 = 256 << 20;

const EXTENSION: &str = "so";

/// The name of what a text becomes by `identity`: who compiles how.
pub(super) fn name(text: &str, identity: &str) -> String {
    sha256_hex(format!("{identity}\n{text}").as_bytes())
}

/// The library of this name, if it is there and whole.
pub(super) fn found(folder: &Path, name: &str) -> Option<PathBuf> {
    let file = folder.join(name).with_extension(EXTENSION);
    let bytes = fs::read(&file).ok()?;
    let (library, hash) = bytes.split_at_checked(bytes.len().checked_sub(64)?)?;
    (hash == sha256_hex(library).as_bytes()).then_some(file)
}

/// Keeps a library, with its own hash behind it: one that was damaged is never loaded. Loaders read no further than its last section. Nothing if
/// the folder cannot be written.
pub(super) fn keep(folder: &Path, name: &str, library: &Path) -> Option<PathBuf> {
    let file = folder.join(name).with_extension(EXTENSION);
    let mut bytes = fs::read(library).ok()?;
    bytes.extend(sha256_hex(&bytes).into_bytes());
    fs::create_dir_all(folder).ok()?;
    // In the same folder, so that it appears whole: whoever makes the same at the same time makes the same bytes.
    let temporary = tempfile::NamedTempFile::new_in(folder).ok()?;
    fs::write(temporary.path(), bytes).ok()?;
    temporary.persist(&file).ok()?;
    remove_oldest(folder, MOST_BYTES);
    Some(file)
}

/// Removes what was made first until the rest is no more than so many bytes. Whoever has loaded such a file has it all the same.
fn remove_oldest(folder: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let libraries = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == EXTENSION));
    let mut all: Vec<_> = libraries
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

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_until_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        fs::write(&made, b"library").unwrap();
        let [a, b] = ["g++ 12", "g++ 13"].map(|identity| name("text", identity));
        assert!(a != b && found(folder.path(), &a).is_none());
        let below = folder.path().join("below");
        let kept = keep(&below, &a, &made).unwrap();
        assert_eq!((found(&below, &a), found(&below, &b)), (Some(kept.clone()), None));
        let mut bytes = fs::read(&kept).unwrap();
        assert!(bytes.starts_with(b"library"));
        bytes[0] ^= 1;
        fs::write(&kept, bytes).unwrap();
        assert_eq!(found(&below, &a), None);
        // A folder that cannot be made is no error.
        assert_eq!(keep(&made.join("below"), &a, &made), None);
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age_s) in [("a.so", 30), ("b.so", 10), ("c.so", 20), ("other", 99)] {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let made = std::time::SystemTime::now() - std::time::Duration::from_secs(age_s);
            fs::File::options().append(true).open(&path).unwrap().set_modified(made).unwrap();
        }
        let left = |most: u64| {
            remove_oldest(folder.path(), most);
            ["a.so", "b.so", "c.so", "other"].map(|name| folder.path().join(name).exists())
        };
        assert_eq!(left(300), [true; 4]);
        assert_eq!(left(250), [false, true, true, true]);
        assert_eq!(left(100), [false, true, false, true]);
    }
}
