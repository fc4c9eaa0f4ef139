//! [`Files`]: what a network names beside its own file: synapses, spikes and positions.

mod sparse;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bd_core::{Error, Result};
use bd_networks::{Connect, EdgeList, Network, Source};

use self::table::Table;

/// Times in ms and neurons.
type Train = Vec<(f64, u32)>;

/// Synapses of a file.
#[derive(Debug, Clone, PartialEq)]
struct Synapses {
    list: EdgeList,
    /// Sources and targets, of a matrix.
    shape: Option<[usize; 2]>,
}

/// Synapses and spikes that a network names, by the name of the file as it stands there.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    synapses: BTreeMap<String, Synapses>,
    trains: BTreeMap<String, Train>,
}

impl Files {
    /// Reads those of spikes once, but for trains that were [added](Self::add_train).
    pub(super) fn read_trains(&mut self, network: &Network) -> Result<()> {
        for population in &network.populations {
            let Source::Input { file: Some(file) } = &population.source else { continue };
            if !self.trains.contains_key(file) {
                let train = train(&self.path(file))?;
                self.trains.insert(file.clone(), train);
            }
        }
        Ok(())
    }

    /// Spikes of this name that no file has to be read for.
    pub(super) fn add_train(&mut self, name: String, train: Train) {
        self.trains.insert(name, train);
    }

    /// Reads those of synapses once. Names are relative to `folder`.
    pub(crate) fn of_synapses(network: &Network, folder: &Path) -> Result<Self> {
        let mut files = Self { folder: folder.to_path_buf(), synapses: BTreeMap::new(), trains: BTreeMap::new() };
        for projection in &network.projections {
            let Connect::FromFile { file } = &projection.connect else { continue };
            let path = files.path(file);
            if !files.synapses.contains_key(file) {
                files.synapses.insert(file.clone(), synapses(&path)?);
            }
            let shape = files.synapses[file].shape.filter(|shape| *shape != projection.sizes);
            if let Some([rows, columns]) = shape {
                let [from, to] = projection.sizes;
                let turned = if [columns, rows] == projection.sizes { "; save the transpose of it" } else { "" };
                let reason = format!(
                    "its shape is [{rows}, {columns}], and '{}' goes from {from} to {to} neurons; rows are sources{turned}",
                    projection.name
                );
                return Err(Error::bad_file(path, reason));
            }
        }
        Ok(files)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Synapses of a file.
    pub(crate) fn edges(&self, file: &str) -> Option<&EdgeList> {
        self.synapses.get(file).map(|synapses| &synapses.list)
    }

    /// Spikes of a file.
    pub(super) fn train(&self, file: &str) -> Option<&Train> {
        self.trains.get(file)
    }

    /// The file that a message is about: those of `bd-networks` begin with its name. Its path, and the rest of the message.
    pub(super) fn blamed<'a>(&self, message: &'a str) -> Option<(PathBuf, &'a str)> {
        let all = self.synapses.keys().chain(self.trains.keys());
        all.filter_map(|file| Some((self.path(file), message.strip_prefix(file.as_str())?.strip_prefix(": ")?))).next()
    }
}

/// Columns of a text with synapses.
const OF_SYNAPSES: [&str; 4] = ["source", "target", "weight", "delay_ms"];

fn synapses(path: &Path) -> Result<Synapses> {
    let table = Table::read(path)?;
    if let Some(synapses) = sparse::read(&table)? {
        return Ok(synapses);
    }
    let list = EdgeList {
        sources: table.numbers_of_neurons("source")?,
        targets: table.numbers_of_neurons("target")?,
        weights: table.optional("weight")?,
        delays_ms: table.optional("delay_ms")?,
    };
    table.only(&OF_SYNAPSES)?;
    let n = list.sources.len();
    table.same_length("source", n, "target", list.targets.len())?;
    for (name, column) in [("weight", &list.weights), ("delay_ms", &list.delays_ms)] {
        table.same_length("source", n, name, column.as_ref().map_or(n, Vec::len))?;
    }
    Ok(Synapses { list, shape: None })
}

/// Arrays are `times_ms` and `neurons`, columns of a text `time_ms` and `neuron`.
fn train(path: &Path) -> Result<Train> {
    let table = Table::read(path)?;
    let [times, neurons] = if table.is_text() { ["time_ms", "neuron"] } else { ["times_ms", "neurons"] };
    let (at, of) = (table.numbers(times)?, table.numbers_of_neurons(neurons)?);
    table.only(&[times, neurons])?;
    table.same_length(times, at.len(), neurons, of.len())?;
    Ok(at.into_iter().zip(of).collect())
}

/// Columns, or arrays `[neurons]`, of a file of positions.
const AXES: [&str; 3] = ["x", "y", "z"];

/// Columns `x`, `y` and `z` of a text, or arrays of these names, of which the last ones may be left out: the position of each neuron.
pub(super) fn positions(path: &Path) -> Result<Vec<Vec<f64>>> {
    let table = Table::read(path)?;
    let x = table.numbers(AXES[0])?;
    table.only(&AXES)?;
    let mut places: Vec<Vec<f64>> = x.into_iter().map(|x| vec![x]).collect();
    let given: Vec<Option<Vec<f64>>> = AXES[1..].iter().map(|axis| table.optional(axis)).collect::<Result<_>>()?;
    if let [None, Some(_)] = given[..] {
        return Err(table.bad("it has z and no y; two coordinates are x and y"));
    }
    for (axis, numbers) in AXES[1..].iter().zip(given) {
        let Some(numbers) = numbers else { continue };
        table.same_length(AXES[0], places.len(), axis, numbers.len())?;
        places.iter_mut().zip(numbers).for_each(|(place, number)| place.push(number));
    }
    Ok(places)
}

#[cfg(test)]
mod tests;
