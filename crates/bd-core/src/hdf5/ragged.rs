//! Spikes as the Heidelberg data sets have them: `spikes/times` and `spikes/units`, a row of each sample, `labels`, and `extra`.

use std::cell::OnceCell;
use std::rc::Rc;

use hdf5_reader::{Dataset, Datatype, VarLenKind};
use tch::Tensor;

use super::file::{Entry, Hdf5, guarded};
use super::found::Found;
use super::read::{self, length_of, stored, take};
use crate::stored::{Member, Stored};

const TIMES: &str = "spikes/times";
const UNITS: &str = "spikes/units";

/// What the arrays of such a file are called here, and where they are: empty where it is none.
pub(super) fn digits(file: &Hdf5) -> Vec<Found> {
    let row = |path: &str| file.dataset(path).and_then(element).is_some();
    if !row(TIMES) || !row(UNITS) {
        return Vec::new();
    }
    let [times, units] = [TIMES, UNITS].map(|path| Rows { file: file.clone(), path, lengths: OnceCell::new() });
    let (times, units) = (Rc::new(times), Rc::new(units));
    let offsets = Rc::clone(&times);
    let both = [Rc::clone(&times), Rc::clone(&units)];
    let mut found = vec![
        Found::new("times", None, move || times.values().map(Member::Numbers)),
        Found::new("units", None, move || units.values().map(Member::Numbers)),
        Found::new("offsets", None, move || {
            same_lengths(&both)?;
            offsets.offsets().map(Member::Numbers)
        }),
    ];
    for (path, name) in [("labels", "y"), ("extra/keys", "class_names")] {
        let entry = file.datasets().iter().find(|entry: &&Entry| entry.path == path);
        found.extend(entry.map(|entry| Found { name: name.into(), ..Found::dataset(file, entry) }));
    }
    found
}

/// The number type of the rows of a dataset `[sample]`.
fn element(dataset: &Dataset) -> Option<Stored> {
    match dataset.dtype() {
        Datatype::VarLen { base, kind: VarLenKind::Sequence, .. } => stored(base).ok(),
        _ => None,
    }
}

/// Rows of several lengths, one after the other.
struct Rows {
    file: Hdf5,
    path: &'static str,
    lengths: OnceCell<Result<Vec<u32>, String>>,
}

impl Rows {
    fn dataset(&self) -> Result<(&Dataset, Stored), String> {
        let dataset = self.file.dataset(self.path).ok_or_else(|| format!("{} is not there", self.path))?;
        Ok((dataset, element(dataset).ok_or_else(|| format!("{} has no rows of numbers", self.path))?))
    }

    /// Where each row is.
    fn references(&self) -> Result<Vec<u8>, String> {
        let (dataset, _) = self.dataset()?;
        if dataset.shape().len() != 1 {
            return Err(format!("{} is {:?}; it is [sample]", self.path, dataset.shape()));
        }
        let width = dataset.vlen_reference_size();
        let count = take(&self.file, dataset, width as u64)?;
        let references = guarded(|| dataset.read_raw_bytes())?;
        match references.len() as u64 == count * width as u64 {
            true => Ok(references),
            false => Err(format!("{} holds {} bytes of references", self.path, references.len())),
        }
    }

    fn lengths(&self) -> Result<&[u32], String> {
        let read = || {
            let width = self.dataset()?.0.vlen_reference_size();
            Ok(self.references()?.chunks_exact(width).map(length_of).collect())
        };
        self.lengths.get_or_init(read).as_deref().map_err(Clone::clone)
    }

    /// All of them, in the file's order.
    fn values(&self) -> Result<Tensor, String> {
        let (dataset, stored) = self.dataset()?;
        let (width, references) = (dataset.vlen_reference_size(), self.references()?);
        let count: u64 = references.chunks_exact(width).map(|reference| u64::from(length_of(reference))).sum();
        // Once as bytes, and once as the numbers they are read as.
        self.file.take(count.saturating_mul(2 * stored.size() as u64))?;
        let mut data = Vec::new();
        for (sample, reference) in references.chunks_exact(width).enumerate() {
            let row = guarded(|| dataset.resolve_vlen_reference_bytes(reference, stored.size()))
                .map_err(|reason| format!("{}, sample {sample}: {reason}", self.path))?;
            if row.len() != length_of(reference) as usize * stored.size() {
                return Err(format!("{}, sample {sample}: it is cut off", self.path));
            }
            data.extend(row);
        }
        read::native(dataset.dtype(), &mut data);
        stored.tensor(&data, &[count as i64])
    }

    /// Where rows begin, and at last how many numbers there are.
    fn offsets(&self) -> Result<Tensor, String> {
        let mut offsets = vec![0];
        for length in self.lengths()? {
            offsets.push(offsets[offsets.len() - 1] + i64::from(*length));
        }
        Ok(Tensor::from_slice(&offsets))
    }
}

fn same_lengths([times, units]: &[Rc<Rows>; 2]) -> Result<(), String> {
    let (times, units) = (times.lengths()?, units.lengths()?);
    if times.len() != units.len() {
        return Err(format!("{TIMES} has {} samples, but {UNITS} has {}", times.len(), units.len()));
    }
    match (0..times.len()).find(|&sample| times[sample] != units[sample]) {
        Some(sample) => {
            Err(format!("{TIMES} of sample {sample} has {} spikes, but {UNITS} has {}", times[sample], units[sample]))
        }
        None => Ok(()),
    }
}
