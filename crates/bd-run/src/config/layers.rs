//! [`Layers`]: what somebody asks of a configuration, and which data that is about.

use std::path::{Path, PathBuf};

use bd_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::overlay::{Alternatives, overlay, put, put_assignment, read, typed};
use super::{cores, cores_of_each};

/// What somebody asks of a configuration: a file, options, assignments. Each is stronger than the one before, and all are
/// stronger than the defaults.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// A configuration file, TOML or JSON by its extension.
    pub config: Option<PathBuf>,
    /// Values by their dotted paths, such as `("optim.lr", json!(0.01))`.
    pub options: Vec<(&'static str, Value)>,
    /// Assignments as text, such as `optim.lr=0.01`. A value is read as JSON if it is that, `1,2` as a list, else as text.
    pub set: Vec<String>,
}

impl Layers {
    /// Where the configuration file is of a machine with more threads, and nobody says otherwise, takes those that there are, which give
    /// the same bytes: what is to be said of that.
    pub fn fit_threads(&mut self) -> Result<Option<String>> {
        let tables = self.tables()?;
        let said_here = tables[usize::from(self.config.is_some())..].iter().any(|table| table.get("threads").is_some());
        let (most, of_file) = (cores() as u64, tables[0]["threads"].as_u64().unwrap_or(0));
        if said_here || of_file <= most {
            return Ok(None);
        }
        self.options.push(("threads", json!(most)));
        Ok(Some(format!("the configuration is of {of_file} threads, and this machine has {most}, which are used")))
    }

    /// Where nobody says how many threads, takes those cores that each of so many processes on this machine has.
    pub fn share_cores(&mut self, processes: usize) -> Result<()> {
        if processes > 1 && !self.tables()?.iter().any(|table| table.get("threads").is_some()) {
            self.options.push(("threads", json!(cores_of_each(processes))));
        }
        Ok(())
    }

    /// The layers as tables, weakest first.
    pub(super) fn tables(&self) -> Result<Vec<Value>> {
        let mut tables = Vec::new();
        if let Some(path) = &self.config {
            tables.push(read(path)?);
        }
        let mut options = json!({});
        for (path, value) in &self.options {
            put(&mut options, path, value.clone())?;
        }
        let mut set = json!({});
        for assignment in &self.set {
            put_assignment(&mut set, assignment)?;
        }
        tables.extend([options, set]);
        Ok(tables)
    }
}

/// The configuration that the layers make of the defaults.
pub(super) fn laid<T: Serialize + DeserializeOwned>(
    defaults: &T,
    layers: &[Value],
    alternatives: &Alternatives<'_>,
) -> Result<T> {
    typed(laid_value(defaults, layers, alternatives)?, "")
}

/// The same before its types are checked.
pub(super) fn laid_value<T: Serialize>(
    defaults: &T,
    layers: &[Value],
    alternatives: &Alternatives<'_>,
) -> Result<Value> {
    let mut value = serde_json::to_value(defaults)
        .map_err(|error| Error::Config(format!("the configuration cannot be written as JSON: {error}")))?;
    let job = value["job"].as_str().unwrap_or_default().to_owned();
    for layer in layers {
        if let Some(other) = layer["job"].as_str().filter(|other| *other != job) {
            return Err(Error::Config(format!("this is the configuration of a job '{other}', not of '{job}'")));
        }
        overlay(&mut value, layer, "", alternatives)?;
    }
    Ok(value)
}

/// Whether a layer sets the value at a JSON pointer.
pub(super) fn is_set(layers: &[Value], pointer: &str) -> bool {
    layers.iter().any(|layer| layer.pointer(pointer).is_some())
}

/// The data that a configuration is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    /// A file, by its absolute path.
    File(PathBuf),
    /// Something that is generated, by its name: a system or a task.
    Generated(String),
}

impl Meant {
    fn file(path: &str) -> Self {
        Self::File(absolute(Path::new(path)))
    }

    /// The same data, however a path is written.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => {
                a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
            }
            (a, b) => a == b,
        }
    }
}

/// So that a run can be repeated from anywhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Finds the data that the layers are about: what the strongest of them says that says anything, else what `usual` generates.
/// `generator` is the key in `data` that names what is generated.
///
/// What a layer says of data that a stronger one replaces is void: the values of `own`, dotted paths, belong to its data. A layer
/// that names no data speaks of whatever they are.
pub(super) fn data_meant(layers: &mut [Value], generator: &str, usual: &str, own: &[&str]) -> Result<Meant> {
    let mut meant = Meant::Generated(usual.to_owned());
    let mut named = Vec::new();
    for layer in layers.iter() {
        let here = named_by(layer, generator, usual, &meant)?;
        meant = here.clone().unwrap_or(meant);
        named.push(here);
    }
    for (layer, named) in layers.iter_mut().zip(named) {
        if named.is_some_and(|named| !named.is(&meant)) {
            own.iter().for_each(|path| forget(layer, path));
        }
    }
    Ok(meant)
}

/// The data that a layer names, if it does; `weaker` are those of the layers below it.
fn named_by(layer: &Value, generator: &str, usual: &str, weaker: &Meant) -> Result<Option<Meant>> {
    let data = &layer["data"];
    let file = data.get("file");
    match (file.and_then(Value::as_str), data.get(generator).filter(|value| !value.is_null())) {
        (Some(_), Some(_)) => {
            Err(Error::Config(format!("data.file and data.{generator} exclude each other; set one of them")))
        }
        (Some(file), None) => Ok(Some(Meant::file(file))),
        (None, Some(generated)) => {
            let name = generated.as_str().or_else(|| generated["name"].as_str());
            Ok(Some(match (name, weaker) {
                (Some(name), _) => Meant::Generated(name.to_owned()),
                // Parameters of what is generated anyway.
                (None, Meant::Generated(_)) => weaker.clone(),
                // No file, said in so many words.
                (None, Meant::File(_)) if file.is_some() => Meant::Generated(usual.to_owned()),
                (None, Meant::File(file)) => {
                    return Err(Error::Config(format!(
                        "data.{generator} is set, but data.file names {}; set data.file to null to do without the file",
                        file.display()
                    )));
                }
            }))
        }
        // No file, said in so many words.
        (None, None) if file.is_some() => Ok(Some(match weaker {
            Meant::Generated(_) => weaker.clone(),
            Meant::File(_) => Meant::Generated(usual.to_owned()),
        })),
        (None, None) => Ok(None),
    }
}

fn forget(layer: &mut Value, path: &str) {
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (layer.pointer_mut(&format!("/{}", table.replace('.', "/"))), key),
        None => (Some(layer), path),
    };
    if let Some(Value::Object(table)) = table {
        table.shift_remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 3] = ["dt", "data", "model.n_in"];

    fn meant(layers: &mut [Value]) -> Meant {
        data_meant(layers, "task", "integration", &OWN).unwrap()
    }

    #[test]
    fn the_strongest_layer_that_names_data_says_which() {
        let file = |path: &str| Meant::file(path);
        let task = |name: &str| Meant::Generated(name.into());
        for (layers, expected) in [
            (vec![], task("integration")),
            (vec![json!({"data": {"file": "a.npz"}}), json!({"seed": 1})], file("a.npz")),
            (vec![json!({"data": {"file": "a.npz"}}), json!({"data": {"file": "b.npz"}})], file("b.npz")),
            (
                vec![json!({"data": {"file": "a.npz"}}), json!({"data": {"task": {"name": "decision"}}})],
                task("decision"),
            ),
            (vec![json!({"data": {"task": "decision"}}), json!({"data": {"task": {"pulse": 2}}})], task("decision")),
            (vec![json!({"data": {"file": "a.npz"}}), json!({"data": {"file": null}})], task("integration")),
            (vec![json!({"data": {"task": "decision"}}), json!({"data": {"file": null}})], task("decision")),
        ] {
            assert_eq!(meant(&mut layers.clone()), expected, "{layers:?}");
        }
    }

    #[test]
    fn what_is_said_of_other_data_is_void() {
        let weak = json!({"dt": 2.0, "seed": 3, "data": {"file": "a.npz", "validation": 0.5}, "model": {"n_in": 4, "hidden": [5]}});
        let mut layers = [weak.clone(), json!({"data": {"file": "b.npz"}})];
        meant(&mut layers);
        assert_eq!(layers[0], json!({"seed": 3, "model": {"hidden": [5]}}));
        // The same file, written otherwise, keeps what was said of it; so does a layer that names no data.
        let mut layers = [weak.clone(), json!({"dt": 7.0}), json!({"data": {"file": absolute(Path::new("a.npz"))}})];
        meant(&mut layers);
        assert_eq!((&layers[0], &layers[1]), (&weak, &json!({"dt": 7.0})));
    }

    #[test]
    fn a_file_and_something_generated_exclude_each_other() {
        let mut layers = [json!({"data": {"file": "a.npz", "task": "decision"}})];
        let error = data_meant(&mut layers, "task", "integration", &OWN).unwrap_err().to_string();
        assert_eq!(error, "data.file and data.task exclude each other; set one of them");
        let mut layers = [json!({"data": {"file": "a.npz"}}), json!({"data": {"task": {"pulse": 2}}})];
        let error = data_meant(&mut layers, "task", "integration", &OWN).unwrap_err().to_string();
        assert!(error.starts_with("data.task is set, but data.file names") && error.contains("a.npz"), "{error}");
    }

    #[test]
    fn threads_of_another_machine_are_those_of_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("c.json");
        std::fs::write(&config, r#"{"threads": 100000}"#).unwrap();
        let of_file = Layers { config: Some(config), ..Layers::default() };
        let mut layers = of_file.clone();
        let said = layers.fit_threads().unwrap().unwrap();
        assert_eq!(layers.options, [("threads", json!(cores()))]);
        assert!(said.starts_with("the configuration is of 100000 threads"), "{said}");
        // What somebody says here is refused elsewhere if it cannot be.
        let mut layers = Layers { set: vec!["threads=100000".into()], ..of_file };
        assert!(layers.fit_threads().unwrap().is_none() && layers.options.is_empty());
    }

    #[test]
    fn layers_are_laid_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("c.toml");
        std::fs::write(&config, "seed = 1\nbatch = 2\nlr = 3").unwrap();
        let layers = Layers {
            config: Some(config),
            options: vec![("batch", json!(20)), ("lr", json!(30))],
            set: vec!["lr=300".into()],
        };
        let found: Value = laid(
            &json!({"job": "x", "seed": 0, "batch": 0, "lr": 0, "rest": 0}),
            &layers.tables().unwrap(),
            &|_, _| unreachable!("no table has a name"),
        )
        .unwrap();
        assert_eq!(found, json!({"job": "x", "seed": 1, "batch": 20, "lr": 300, "rest": 0}));
        let other = laid(&json!({"job": "x"}), &[json!({"job": "y"})], &|_, _| unreachable!()).unwrap_err().to_string();
        assert_eq!(other, "this is the configuration of a job 'y', not of 'x'");
    }
}
