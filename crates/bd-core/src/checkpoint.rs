//! [`Checkpoint`]: everything that training needs to go on, in one folder that is there whole or not at all.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use crate::error::{Error, Result};
use crate::files::{beside, parent, sha256_hex, sync_folder, tensors_from_bytes, tensors_to_bytes, write_synced};

/// The files of tensors. The first two are always there, the others where they hold something.
const SETS: [&str; 5] =
    ["model.safetensors", "optim.safetensors", "state.safetensors", "best.safetensors", "history.safetensors"];
const ALWAYS: usize = 2;
const META: &str = "state.json";
const SUMS: &str = "SHA256SUMS";

/// A point in training: parameters, the optimiser's tensors, the model's state, and what is not a tensor.
///
/// On disk a folder:
///
/// | file | content |
/// |---|---|
/// | `model.safetensors`, `optim.safetensors` | [`model`](Self::model), [`optim`](Self::optim) |
/// | `state.safetensors`, `best.safetensors`, `history.safetensors` | the fields of these names, where they are not empty |
/// | `state.json` | [`meta`](Self::meta), and of each file above its length in bytes and SHA-256 |
/// | `SHA256SUMS` | the hashes of all files, `state.json` included, in the format of `sha256sum -c` |
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Parameters, trainable and fixed, by name.
    pub model: Vec<(String, Tensor)>,
    /// The optimiser's tensors, by name.
    pub optim: Vec<(String, Tensor)>,
    /// The model's state, by name.
    pub state: Vec<(String, Tensor)>,
    /// The parameters that were best so far, by name.
    pub best: Vec<(String, Tensor)>,
    /// What was measured so far, such as the loss of every update, by name.
    pub history: Vec<(String, Tensor)>,
    /// Counters, generators, anything else.
    pub meta: Value,
}

/// What `state.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    files: Vec<FileEntry>,
    meta: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct FileEntry {
    name: String,
    bytes: u64,
    sha256: String,
}

impl FileEntry {
    fn of(name: &str, content: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: content.len() as u64, sha256: sha256_hex(content) }
    }

    fn check(&self, path: &Path, content: &[u8], known_from: &str) -> Result<()> {
        if content.len() as u64 != self.bytes {
            let (found, expected) = (content.len(), self.bytes);
            return Err(Error::bad_file(
                path,
                format!("it has {found} bytes and not {expected}; the file was cut or changed"),
            ));
        }
        check_hash(path, content, &self.sha256, known_from)
    }
}

fn check_hash(path: &Path, content: &[u8], sha256: &str, known_from: &str) -> Result<()> {
    if sha256_hex(content) == sha256 {
        return Ok(());
    }
    Err(Error::bad_file(path, format!("its SHA-256 is not the one in {known_from}; the file was changed")))
}

impl Checkpoint {
    /// Every set of tensors, in the order of [`SETS`].
    fn sets(&self) -> [&Vec<(String, Tensor)>; 5] {
        [&self.model, &self.optim, &self.state, &self.best, &self.history]
    }

    /// Writes the folder `path`, which must not exist, in one step: a temporary folder beside it, every file synced,
    /// renamed at the end.
    pub fn save(&self, path: &Path) -> Result<()> {
        if path.exists() {
            let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(Error::storage("create", path)(there));
        }
        let staging = beside(path, "partial");
        let saved = self.write_into(&staging).and_then(|()| {
            fs::rename(&staging, path).map_err(Error::storage("create", path))?;
            sync_folder(parent(path))
        });
        if saved.is_err() {
            let _ = fs::remove_dir_all(&staging);
        }
        saved
    }

    fn write_into(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(Error::storage("create", folder))?;
        let mut files = Vec::new();
        for (i, (name, tensors)) in SETS.into_iter().zip(self.sets()).enumerate() {
            if i < ALWAYS || !tensors.is_empty() {
                let content = tensors_to_bytes(tensors)?;
                write_synced(&folder.join(name), &content)?;
                files.push(FileEntry::of(name, &content));
            }
        }
        let meta = Meta { files, meta: self.meta.clone() };
        let content = serde_json::to_vec_pretty(&meta).map_err(|error| Error::Config(error.to_string()))?;
        write_synced(&folder.join(META), &content)?;
        let all = meta.files.iter().map(|file| (file.sha256.clone(), file.name.as_str()));
        let sums: String =
            all.chain([(sha256_hex(&content), META)]).map(|(sum, name)| format!("{sum}  {name}\n")).collect();
        write_synced(&folder.join(SUMS), sums.as_bytes())?;
        sync_folder(folder)
    }

    /// Reads the folder `path` and checks the length and the hash of every file before anything of it is used.
    pub fn load(path: &Path) -> Result<Self> {
        let read = |name: &str| {
            let file = path.join(name);
            fs::read(&file).map_err(Error::storage("read", &file)).map(|content| (file, content))
        };
        let (_, sums) = read(SUMS)?;
        let sums = String::from_utf8_lossy(&sums);
        let (meta_path, content) = read(META)?;
        let known = sums.lines().find_map(|line| line.strip_suffix(META)).map_or("", str::trim_end);
        check_hash(&meta_path, &content, known, SUMS)?;
        let meta: Meta =
            serde_json::from_slice(&content).map_err(|error| Error::bad_file(&meta_path, error.to_string()))?;
        let set = |i: usize| {
            let Some(entry) = meta.files.iter().find(|file| file.name == SETS[i]) else {
                let missing = || Error::bad_file(&meta_path, format!("it does not list {}", SETS[i]));
                return if i < ALWAYS { Err(missing()) } else { Ok(Vec::new()) };
            };
            let (file, content) = read(SETS[i])?;
            entry.check(&file, &content, META)?;
            tensors_from_bytes(&file, &content)
        };
        let (model, optim, state, best, history) = (set(0)?, set(1)?, set(2)?, set(3)?, set(4)?);
        Ok(Self { model, optim, state, best, history, meta: meta.meta })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checkpoint() -> Checkpoint {
        let named = |name: &str, value: f64| vec![(name.to_owned(), Tensor::from_slice(&[value, 1.0 / 3.0]))];
        Checkpoint {
            model: named("o.weight", 1.0),
            optim: named("o.weight.m", 2.0),
            state: named("r.v", 3.0),
            best: named("o.weight", 4.0),
            history: named("loss", 5.0),
            meta: json!({"step": 500, "lr": 0.1 + 0.2}),
        }
    }

    #[test]
    fn what_is_saved_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000500");
        checkpoint().save(&path).unwrap();
        let back = Checkpoint::load(&path).unwrap();
        let saved = checkpoint();
        assert_eq!(back.meta, saved.meta);
        for ((name, saved), loaded) in SETS.into_iter().zip(saved.sets()).zip(back.sets()) {
            assert_eq!(saved[0].0, loaded[0].0, "{name}");
            assert!(saved[0].1.equal(&loaded[0].1), "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    /// Each file of a saved checkpoint.
    fn files(folder: &Path) -> Vec<std::path::PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_changed_or_shortened_file_is_refused_by_name() {
        type Damage = fn(&mut Vec<u8>);
        let damages: [Damage; 2] =
            [|content| *content.last_mut().unwrap() ^= 1, |content| content.truncate(content.len() / 2)];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000001");
        checkpoint().save(&path).unwrap();
        assert_eq!(files(&path).len(), 7);
        for file in files(&path).iter().filter(|file| !file.ends_with(SUMS)) {
            let whole = fs::read(file).unwrap();
            for damage in damages {
                let mut content = whole.clone();
                damage(&mut content);
                fs::write(file, content).unwrap();
                let error = Checkpoint::load(&path).unwrap_err();
                let name = file.file_name().unwrap().to_str().unwrap();
                assert!(matches!(error, Error::BadFile { .. }) && error.to_string().contains(name), "{error}");
            }
            fs::write(file, whole).unwrap();
        }
        Checkpoint::load(&path).unwrap();
    }

    #[test]
    fn sets_without_tensors_have_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000001");
        Checkpoint { best: Vec::new(), state: Vec::new(), ..checkpoint() }.save(&path).unwrap();
        assert!(!path.join("best.safetensors").exists() && !path.join("state.safetensors").exists());
        assert!(Checkpoint::load(&path).unwrap().best.is_empty());
    }

    #[test]
    fn an_existing_checkpoint_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000001");
        checkpoint().save(&path).unwrap();
        assert!(matches!(checkpoint().save(&path), Err(Error::Storage { .. })));
    }
}
