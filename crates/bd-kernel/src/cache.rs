//! [`Cache`]: what compilers have made, on disk, by its content.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// What all files of a cache together may take. Each is of some tens of kilobytes, and every constant that is tried makes another.
const MOST_BYTES: u64 = 256 << 20;

/// Bytes of a hash as text.
const HASH: usize = 64;

/// A folder of what was compiled, since that takes tenths of a second to seconds. A file has its own hash behind it: one that was damaged is made again, and
/// never run. When there are more than 256 MB, the oldest go.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Nothing is kept if there is none.
    folder: Option<PathBuf>,
    extension: &'static str,
}

impl Cache {
    /// `kind` within `$BD_CACHE`, else within `bd` in the user's folder for caches. If there is neither, nothing is kept.
    pub fn of_user(kind: &str, extension: &'static str) -> Self {
        let named = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let own = named("BD_CACHE");
        let shared =
            || named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache"))).map(|all| all.join("bd"));
        Self { folder: own.or_else(shared).map(|folder| folder.join(kind)), extension }
    }

    /// A folder, which is made when something is kept.
    pub fn in_folder(folder: &Path, extension: &'static str) -> Self {
        Self { folder: Some(folder.to_owned()), extension }
    }

    /// The name of what a text becomes by `identity`: for what, and who compiles how.
    pub fn name(text: &str, identity: &str) -> String {
        sha256_hex(format!("{identity}\n{text}").as_bytes())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name).with_extension(self.extension))
    }

    /// The file of this name and its content without the hash, if it is there and whole.
    pub fn found(&self, name: &str) -> Option<(PathBuf, Vec<u8>)> {
        let file = self.file(name)?;
        let mut bytes = fs::read(&file).ok()?;
        let hash = bytes.split_off(bytes.len().checked_sub(HASH)?);
        (hash == sha256_hex(&bytes).as_bytes()).then_some((file, bytes))
    }

    /// Keeps a content. Nothing if the folder cannot be written, as in a container whose root is read-only: that costs time and is no error.
    pub fn keep(&self, name: &str, content: &[u8]) -> Option<PathBuf> {
        let file = self.file(name)?;
        let folder = self.folder.as_ref()?;
        fs::create_dir_all(folder).ok()?;
        // In the same folder, so that it appears whole: whoever makes the same at the same time makes the same bytes.
        let temporary = tempfile::NamedTempFile::new_in(folder).ok()?;
        fs::write(temporary.path(), [content, sha256_hex(content).as_bytes()].concat()).ok()?;
        temporary.persist(&file).ok()?;
        self.remove_oldest(MOST_BYTES);
        Some(file)
    }

    /// Removes what was made first until the rest is no more than so many bytes. Whoever has opened such a file has it all the same.
    fn remove_oldest(&self, most: u64) {
        let Some(Ok(entries)) = self.folder.as_ref().map(fs::read_dir) else { return };
        let own = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == self.extension));
        let mut all: Vec<_> = own
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
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_found_until_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(&folder.path().join("below"), "so");
        let [a, b] = ["g++ 12", "g++ 13"].map(|identity| Cache::name("text", identity));
        assert!(a != b && cache.found(&a).is_none());
        let kept = cache.keep(&a, b"library").unwrap();
        assert_eq!((cache.found(&a), cache.found(&b)), (Some((kept.clone(), b"library".to_vec())), None));
        let whole = fs::read(&kept).unwrap();
        assert!(whole.starts_with(b"library"));
        for at in [0, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&kept, damaged).unwrap();
            assert_eq!(cache.found(&a), None);
        }
        fs::write(&kept, b"short").unwrap();
        assert_eq!(cache.found(&a), None);
        // A folder that cannot be made is no error.
        assert_eq!(Cache::in_folder(&kept.join("below"), "so").keep(&a, b"library"), None);
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
            Cache::in_folder(folder.path(), "so").remove_oldest(most);
            ["a.so", "b.so", "c.so", "other"].map(|name| folder.path().join(name).exists())
        };
        assert_eq!(left(300), [true; 4]);
        assert_eq!(left(250), [false, true, true, true]);
        assert_eq!(left(100), [false, true, false, true]);
    }
}
