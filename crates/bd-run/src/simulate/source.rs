//! [`NetworkFile`]: the file of a network, with the files that it names.

use std::fs;
use std::path::{Path, PathBuf};

use bd_core::files::data_bytes;
use bd_core::{Error, Result};
use bd_networks::{Network, NetworkText, located};
use bd_train::memory::shown;

use super::files::{Files, positions};

/// Files of networks are small; larger ones are refused before they are read.
const MOST_BYTES: u64 = 16 << 20;

/// A network that was read and checked.
#[derive(Debug)]
pub(crate) struct NetworkFile {
    pub(crate) path: PathBuf,
    /// As it was read.
    pub(crate) toml: String,
    /// The same with the positions of files.
    pub(crate) text: NetworkText,
    pub(crate) network: Network,
    pub(crate) files: Files,
}

impl NetworkFile {
    /// Reads the file and those of positions and synapses that it names, beside it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if data_bytes(path)? > MOST_BYTES {
            return Err(Error::bad_file(path, format!("a network has at most {}", shown(MOST_BYTES))));
        }
        let toml =
            fs::read_to_string(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
        let wrong = |error| Error::Config(words(path, &located(&toml, error)));
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut text = NetworkText::parse(&toml).map_err(wrong)?;
        for (population, file) in text.position_files() {
            let (file, n) = (folder.join(file), text.size(&population));
            let places = positions(&file)?;
            if let Some(n) = n.filter(|n| *n != places.len()) {
                let part = bd_networks::Error::of(format!("population.{population}.positions"), "");
                let at = located(&toml, part).position.map_or_else(String::new, |at| format!(", line {}", at.line));
                let found = places.len();
                let reason = format!(
                    "it has positions of {found} neurons, and '{population}' has {n} neurons ({}{at})",
                    path.display()
                );
                return Err(Error::bad_file(file, reason));
            }
            text.place(&population, &places);
        }
        let network = text.build().map_err(wrong)?;
        let files = Files::of_synapses(&network, folder)?;
        Ok(Self { path: path.to_path_buf(), toml, text, network, files })
    }

    /// What is found wrong when the network is built, in the file that is to blame.
    pub(crate) fn wrong(&self, error: bd_networks::Error) -> Error {
        let error = located(&self.toml, error);
        match self.files.blamed(&error.message) {
            Some((file, message)) => {
                let at = error.position.map_or_else(String::new, |at| format!(", line {}", at.line));
                Error::bad_file(file, format!("{message} ({}{at})", self.path.display()))
            }
            None => Error::Config(words(&self.path, &error)),
        }
    }
}

/// `net.toml, line 14, column 9: population.E.threshold: message`.
fn words(path: &Path, error: &bd_networks::Error) -> String {
    let at = error.position.map_or_else(String::new, |at| format!(", line {}, column {}", at.line, at.column));
    let part = if error.part == "file" { String::new() } else { format!("{}: ", error.part) };
    format!("{}{at}: {part}{}", path.display(), error.message)
}
