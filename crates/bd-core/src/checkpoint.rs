//! [`Checkpoint`]: everything that training needs to go on, in one folder that is there whole or not at all.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::Tensor;

use crate::error::{Error, Result};
use crate::files::{beside, parent, sha256_hex, sync_folder, tensors_from_bytes, tensors_to_bytes, write_synced};

const TENSORS: [&str; 3] = ["model.safetensors", "optim.safetensors", "state.safetensors"];
const META: &str = "state.json";
const SUMS: &str = "SHA256SUMS";

/// A point in training: parameters, the optimiser's tensors, the model's state, and what is not a tensor.
///
/// On disk a folder of `model`, `optim` and `state.safetensors`, `state.json`, and `SHA256SUMS` over all of them in
/// `sha256sum`'s format.
#[derive(Debug)]
pub struct Checkpoint {
    /// Trainable parameters, by name.
    pub model: Vec<(String, Tensor)>,
    /// The optimiser's tensors, by name.
    pub optim: Vec<(String, Tensor)>,
    /// The model's state, by name.
    pub state: Vec<(String, Tensor)>,
    /// Counters, generators, anything else.
    pub meta: Value,
}

impl Checkpoint {
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
        let mut sums = String::new();
        let mut write = |name: &str, content: &[u8]| {
            sums += &format!("{}  {name}\n", sha256_hex(content));
            write_synced(&folder.join(name), content)
        };
        for (name, tensors) in TENSORS.iter().zip([&self.model, &self.optim, &self.state]) {
            write(name, &tensors_to_bytes(tensors)?)?;
        }
        let meta = serde_json::to_vec_pretty(&self.meta).map_err(|error| Error::Config(error.to_string()))?;
        write(META, &meta)?;
        write_synced(&folder.join(SUMS), sums.as_bytes())?;
        sync_folder(folder)
    }

    /// Reads the folder `path` and checks every file against its hash before anything is used.
    pub fn load(path: &Path) -> Result<Self> {
        let sums_path = path.join(SUMS);
        let sums = fs::read_to_string(&sums_path).map_err(Error::storage("read", &sums_path))?;
        let verified = |name: &str| -> Result<Vec<u8>> {
            let file = path.join(name);
            let content = fs::read(&file).map_err(Error::storage("read", &file))?;
            let line = format!("{}  {name}", sha256_hex(&content));
            if !sums.lines().any(|known| known == line) {
                return Err(Error::bad_file(
                    file,
                    format!("its SHA-256 is not the one in {SUMS}; the file was changed"),
                ));
            }
            Ok(content)
        };
        let tensors = |name: &str| tensors_from_bytes(&path.join(name), &verified(name)?);
        let meta = serde_json::from_slice(&verified(META)?)
            .map_err(|error| Error::bad_file(path.join(META), error.to_string()))?;
        let [model, optim, state] = TENSORS;
        Ok(Self { model: tensors(model)?, optim: tensors(optim)?, state: tensors(state)?, meta })
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
        for (saved, loaded) in [(&saved.model, &back.model), (&saved.optim, &back.optim), (&saved.state, &back.state)] {
            assert_eq!(saved[0].0, loaded[0].0);
            assert!(saved[0].1.equal(&loaded[0].1));
        }
        assert_eq!(back.meta, saved.meta);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn every_file_is_guarded_by_its_hash() {
        for name in [TENSORS[0], TENSORS[1], TENSORS[2], META] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("step-00000001");
            checkpoint().save(&path).unwrap();
            let mut content = fs::read(path.join(name)).unwrap();
            let last = content.len() - 1;
            content[last] ^= 1;
            fs::write(path.join(name), content).unwrap();
            let error = Checkpoint::load(&path).unwrap_err();
            assert!(matches!(error, Error::BadFile { .. }) && error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn an_existing_checkpoint_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000001");
        checkpoint().save(&path).unwrap();
        assert!(matches!(checkpoint().save(&path), Err(Error::Storage { .. })));
    }
}
