//! [`Hdf5`]: an open file, what is in it, and how much of it may be read.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::{Attribute, Dataset, FileStorage, Hdf5File, OpenOptions};

use crate::error::panic_message;

/// Groups within groups.
const MOST_DEPTH: usize = 32;
/// Datasets and groups that are listed.
const MOST_MEMBERS: usize = 1 << 16;
/// What the arrays of one file may expand to together: 8 GiB, or the file's own length where that is more.
const MOST_BYTES: u64 = 8 << 30;
/// No filter that is read makes more of a byte: deflate's limit.
const MOST_EXPANSION: u64 = 1032;
/// What may be read of a small file, which may be empty where nobody has written.
const LEAST_BYTES: u64 = 16 << 20;

/// A dataset, or why it cannot be opened, by its path without the first slash.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) dataset: Result<Dataset, String>,
}

struct Inner {
    file: Hdf5File,
    entries: Vec<Entry>,
    /// Paths of all groups but the root.
    groups: Vec<String>,
    left: Cell<u64>,
}

/// A file that is open for reading.
#[derive(Clone)]
pub(super) struct Hdf5(Rc<Inner>);

/// What the crate answers, in words; a panic of it is an answer too.
pub(super) fn guarded<T>(call: impl FnOnce() -> hdf5_reader::error::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(words(&error)),
        Err(panic) => Err(format!("it cannot be read: {}", panic_message(panic.as_ref()))),
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::Context { source, .. } => words(source),
        Error::UnsupportedFilter(filter) => {
            format!(
                "it is compressed by a filter that is not read ({filter}); rewrite the file: h5repack -f GZIP=4 OLD NEW"
            )
        }
        Error::UnexpectedEof { .. } | Error::OffsetOutOfBounds(_) => {
            format!("the file ends before it, and is cut off or damaged ({error})")
        }
        other => format!("it cannot be read: {other}"),
    }
}

/// Beginnings of files that are called like those that are read, and are others.
pub(super) fn refuse_others(content: &File, is_mat: bool) -> Result<(), String> {
    let mut start = [0; 16];
    let length = content.read_at(&mut start, 0).map_err(|error| format!("cannot be read: {error}"))?;
    let start = &start[..length];
    let convert = "scipy.io.loadmat and numpy.savez in Python, numpy.savez('new.npz', **{k: v for k, v in scipy.io.loadmat('old.mat').items() \
                   if k[0] != '_'}), or save('new.mat', '-v7.3') in MATLAB";
    if start.starts_with(b"MATLAB 5.0") {
        return Err(format!("it is a MATLAB file of version 5 to 7, and 7.3 is read; convert it: {convert}"));
    }
    if start.starts_with(b"\x0e\x03\x13\x01") {
        return Err("it is HDF4, and HDF5 is read; convert it: h4toh5convert OLD NEW".into());
    }
    if start.starts_with(b"CDF") {
        return Err("it is netCDF 3, and HDF5 is read; convert it: nccopy -k nc4 OLD NEW".into());
    }
    if start.starts_with(b"PK") {
        return Err("it is a zip archive, and not HDF5; a file of numpy.savez is called .npz".into());
    }
    if is_mat && !start.starts_with(b"MATLAB 7.3") && !start.starts_with(b"\x89HDF") {
        return Err(format!("it is no MATLAB file of version 7.3; if it is of version 4, convert it: {convert}"));
    }
    if start.is_empty() {
        return Err("it is empty".into());
    }
    Ok(())
}

impl Hdf5 {
    pub(super) fn open(content: File) -> Result<Self, String> {
        let storage = guarded(|| FileStorage::from_file(content))?;
        let length = hdf5_reader::Storage::len(&storage);
        let cap = MOST_BYTES.max(length).min(LEAST_BYTES.max(length.saturating_mul(MOST_EXPANSION)));
        let options = OpenOptions::default()
            .with_max_read_bytes(cap as usize)
            .with_max_chunk_bytes(cap.min(256 << 20) as usize)
            .with_max_object_header_bytes(cap.min(16 << 20) as usize)
            .with_chunk_cache_bytes(0);
        let file = match guarded(|| Hdf5File::from_storage_with_options(Arc::new(storage), options)) {
            Ok(file) => file,
            Err(reason) => return Err(format!("it is no HDF5 file, or damaged: {reason}")),
        };
        // What is missing may be a group, which would be gone without a word.
        let end = file.superblock().eof_address;
        if length < end {
            return Err(format!("it is cut off: it has {length} of {end} bytes"));
        }
        let mut walk = Walk { entries: Vec::new(), groups: Vec::new() };
        let root = guarded(|| file.root_group())?;
        walk.group(&root, "", &mut vec![root.address()])?;
        let Walk { entries, groups } = walk;
        Ok(Self(Rc::new(Inner { entries, groups, left: Cell::new(cap), file })))
    }

    /// All datasets.
    pub(super) fn datasets(&self) -> &[Entry] {
        &self.0.entries
    }

    /// Paths of all groups.
    pub(super) fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// The dataset of a path, if there is one that can be opened.
    pub(super) fn dataset(&self, path: &str) -> Option<&Dataset> {
        self.0.entries.iter().find(|entry| entry.path == path).and_then(|entry| entry.dataset.as_ref().ok())
    }

    /// The datasets right in a group, by their names there.
    pub(super) fn within<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let of_group = move |entry: &'a Entry| {
            let name = entry.path.strip_prefix(group)?.strip_prefix('/')?;
            (!name.contains('/')).then_some((name, entry))
        };
        self.0.entries.iter().filter_map(of_group)
    }

    /// Takes what is about to be read from what may be.
    pub(super) fn take(&self, bytes: u64) -> Result<(), String> {
        match self.0.left.get().checked_sub(bytes) {
            Some(left) => {
                self.0.left.set(left);
                Ok(())
            }
            None => Err(format!(
                "its {bytes} bytes are more than the {} that are left of what may be read of one file",
                self.0.left.get()
            )),
        }
    }

    pub(super) fn is_nwb(&self) -> bool {
        guarded(|| self.0.file.root_group()?.attribute("nwb_version")).is_ok()
    }

    /// Whether a dataset at the top says that MATLAB has written it.
    pub(super) fn is_matlab(&self) -> bool {
        let top = self.0.entries.iter().filter(|entry| !entry.path.contains('/'));
        top.filter_map(|entry| entry.dataset.as_ref().ok()).any(|dataset| attribute(dataset, "MATLAB_class").is_some())
    }

    /// The path of the dataset at an address that a reference holds.
    pub(super) fn at_address(&self, address: u64) -> Option<&Dataset> {
        self.0.entries.iter().filter_map(|entry| entry.dataset.as_ref().ok()).find(|known| known.address() == address)
    }
}

/// An attribute of a dataset, if there is one.
pub(super) fn attribute(dataset: &Dataset, name: &str) -> Option<Attribute> {
    guarded(|| dataset.attribute(name)).ok()
}

/// An attribute that is a number, if there is one.
pub(super) fn number(dataset: &Dataset, name: &str) -> Option<f64> {
    attribute(dataset, name).and_then(|found| guarded(|| found.read_as_f64()).ok())
}

/// Listing of what is in a file.
struct Walk {
    entries: Vec<Entry>,
    groups: Vec<String>,
}

impl Walk {
    /// `above` are the addresses of the groups on the way, so that one that holds itself is listed once.
    fn group(&mut self, group: &hdf5_reader::group::Group, path: &str, above: &mut Vec<u64>) -> Result<(), String> {
        let (groups, datasets) = match guarded(|| group.member_names()) {
            Ok(names) => names,
            // What is below cannot be asked for, unless it is the whole file.
            Err(reason) if path.is_empty() => return Err(format!("its top group: {reason}")),
            Err(reason) => {
                self.entries.push(Entry { path: path.to_owned(), dataset: Err(format!("{path}: {reason}")) });
                return Ok(());
            }
        };
        let joined = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for name in datasets {
            self.check()?;
            let path = joined(&name);
            let dataset = guarded(|| group.dataset(&name)).map_err(|reason| format!("{path}: {reason}"));
            self.entries.push(Entry { path, dataset });
        }
        for name in groups {
            self.check()?;
            let Ok(below) = guarded(|| group.group(&name)) else { continue };
            if above.len() >= MOST_DEPTH || above.contains(&below.address()) {
                continue;
            }
            let path = joined(&name);
            above.push(below.address());
            self.groups.push(path.clone());
            self.group(&below, &path, above)?;
            above.pop();
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        match self.entries.len() + self.groups.len() >= MOST_MEMBERS {
            true => {
                Err(format!("it has more than {MOST_MEMBERS} datasets and groups; save those that are data in a file"))
            }
            false => Ok(()),
        }
    }
}
