//! Files that are there whole or not at all, and tensors in safetensors files.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::named::kind_name;
use crate::stored::Stored;

/// Writes a file in one step: a reader sees the old content or the new, also after a crash. Temporary file beside it,
/// fsync, rename, fsync of the folder.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    written_by(path, content, |temporary| fs::rename(temporary, path).map_err(Error::storage("write", path)))
}

/// The same for a file that must not be there yet. Of several processes that write one name, one succeeds, and the
/// others fail as [`refuse_existing`] does.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    refuse_existing(path)?;
    written_by(path, content, |temporary| match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary).map_err(Error::storage("remove", temporary)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_existing(path),
        // A file system without hard links, such as FAT: there is no better way than to look first.
        Err(_) => {
            refuse_existing(path)?;
            fs::rename(temporary, path).map_err(Error::storage("write", path))
        }
    })
}

/// Writes a temporary file and gives it its name by `place`.
fn written_by(path: &Path, content: &[u8], place: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = beside(path, "tmp");
    let written = write_synced(&temporary, content).and_then(|()| place(&temporary));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(parent(path))
}

/// Refuses a path where something is: files that somebody names to be made are never replaced.
pub fn refuse_existing(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let there = std::io::Error::new(ErrorKind::AlreadyExists, "it exists; name a new file or remove it");
    Err(Error::storage("create", path)(there))
}

/// A hidden name in the same folder, so that a rename stays on one file system: `.NAME.<16 hexadecimal digits>.SUFFIX`.
///
/// The digits are drawn by the system. The number of the process would not do, since it is 1 in every container, and nobody who may write
/// to the folder can lay something under a name that he does not know.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let drawn = format!(".{:016x}.{suffix}", drawn());
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::from(".");
    // A name that is as long as names may be leaves no room for more.
    match name.len() + drawn.len() < MOST_BYTES_OF_A_NAME {
        true => hidden.push(name),
        false => hidden.push("long-name"),
    }
    hidden.push(drawn);
    parent(path).join(hidden)
}

/// `NAME_MAX` of Linux, in bytes.
const MOST_BYTES_OF_A_NAME: usize = 255;

/// A number that the system draws, to tell names apart; no result depends on it.
pub fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Writes a file that is not there yet, and follows no link to do so.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::storage("create", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(Error::storage("write", path))
}

/// Waits until the name of a file or folder that was made is on the disk.
pub fn sync_entry(path: &Path) -> Result<()> {
    sync_folder(parent(path))
}

pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::storage("write", folder))
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes of a file of data.
///
/// Fails with [`Error::BadFile`] if there is none, or it is no file: data are read again by whoever repeats a run, so that standard input, a
/// pipe or a device cannot hold them.
pub fn data_bytes(path: &Path) -> Result<u64> {
    let bad = |reason: String| Error::bad_file(path, reason);
    let again = "it is standard input, a pipe or a device, and a run reads its data again to be tested and repeated; save the data \
                 as a file, and name that";
    match path.metadata() {
        Ok(meta) if meta.is_file() => Ok(meta.len()),
        Ok(meta) if meta.is_dir() => Err(bad("it is a folder, and not a file".into())),
        Ok(_) => Err(bad(again.into())),
        Err(_) if path.file_name().is_some_and(|name| name == "-") => Err(bad(again.into())),
        Err(error) => Err(bad(format!("cannot be read: {error}"))),
    }
}

/// SHA-256 in hexadecimal, as `sha256sum` prints it.
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// [`sha256_hex`] of a file of any size.
pub fn sha256_of(path: &Path) -> std::io::Result<String> {
    sha256_of_file(File::open(path)?)
}

/// The same of a file that is open, from where it stands.
pub(crate) fn sha256_of_file(mut file: File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash))?;
    Ok(hex(&hash.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, content: &[u8]) -> std::io::Result<usize> {
        self.0.update(content);
        Ok(content.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The dtypes that files of ours hold.
const DTYPES: [(Dtype, Stored); 13] = [
    (Dtype::F32, Stored::As(Kind::Float)),
    (Dtype::F64, Stored::As(Kind::Double)),
    (Dtype::I64, Stored::As(Kind::Int64)),
    (Dtype::I32, Stored::As(Kind::Int)),
    (Dtype::U8, Stored::As(Kind::Uint8)),
    (Dtype::BOOL, Stored::As(Kind::Bool)),
    (Dtype::I8, Stored::As(Kind::Int8)),
    (Dtype::I16, Stored::As(Kind::Int16)),
    (Dtype::F16, Stored::F16),
    (Dtype::BF16, Stored::BF16),
    (Dtype::U16, Stored::U16),
    (Dtype::U32, Stored::U32),
    (Dtype::U64, Stored::U64),
];

/// A tensor's bytes on the host, as safetensors wants them.
struct HostTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl HostTensor {
    fn of(name: &str, tensor: &Tensor) -> Result<Self> {
        let kind = tensor.kind();
        let Some((dtype, _)) = DTYPES.iter().find(|(_, known)| *known == Stored::As(kind)) else {
            return Err(Error::Config(format!("{name}: {} cannot be written to a safetensors file", kind_name(kind))));
        };
        let shape = tensor.size().iter().map(|&n| n as usize).collect();
        Ok(Self { dtype: *dtype, shape, bytes: host_bytes(tensor)? })
    }
}

/// A tensor's values in row-major order, as bytes on the host.
pub(crate) fn host_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let host = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; host.numel() * host.kind().elt_size_in_bytes()];
    host.f_copy_data_u8(&mut bytes, host.numel())?;
    Ok(bytes)
}

impl View for &HostTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The content of a safetensors file with these tensors. The same tensors give the same bytes.
pub fn tensors_to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let host = tensors.iter().map(|(name, t)| Ok((name, HostTensor::of(name, t)?))).collect::<Result<Vec<_>>>()?;
    safetensors::serialize(host.iter().map(|(name, tensor)| (name.as_str(), tensor)), None)
        .map_err(|error| Error::Config(format!("tensors cannot be written: {error}")))
}

/// The tensors in the content of a safetensors file, on the host, sorted by name. `path` is for messages.
pub fn tensors_from_bytes(path: &Path, content: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let all = tensors_of_bytes(path, content)?.into_iter();
    all.map(|(name, tensor)| Ok((name, tensor.map_err(|reason| Error::bad_file(path, reason))?))).collect()
}

/// A tensor by its name, or why it cannot be read.
pub(crate) type NamedRead = (String, std::result::Result<Tensor, String>);

/// The same, with the reason where one cannot be read.
pub(crate) fn tensors_of_bytes(path: &Path, content: &[u8]) -> Result<Vec<NamedRead>> {
    if let Some(name) = name_of_two(content) {
        return Err(Error::bad_file(path, format!("two tensors of it have the name {name}")));
    }
    let file = SafeTensors::deserialize(content)
        .map_err(|error| Error::bad_file(path, format!("not a safetensors file: {error}")))?;
    let tensor = |name: &str, view: safetensors::tensor::TensorView<'_>| {
        let Some((_, stored)) = DTYPES.iter().find(|(known, _)| *known == view.dtype()) else {
            let dtype = view.dtype();
            return Err(format!(
                "tensor {name} is {dtype:?}; floats of 16 to 64 bits, whole numbers and bool can be read"
            ));
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        stored.tensor(view.data(), &shape).map_err(|reason| format!("tensor {name}: {reason}"))
    };
    let mut tensors: Vec<_> = file.iter().map(|(name, view)| (name.to_owned(), tensor(name, view))).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tensors)
}

/// A name that the header of a safetensors file has twice; of two tensors with one name the library keeps the last, and says nothing.
fn name_of_two(content: &[u8]) -> Option<String> {
    let (length, rest) = content.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Names(mut names) = serde_json::from_slice(header).ok()?;
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
}

/// The keys of a JSON object as they come.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_map(Names(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, words: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        words.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> std::result::Result<Self, M::Error> {
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            self.0.push(name);
        }
        Ok(self)
    }
}

/// Writes a safetensors file in one step and returns its SHA-256.
pub fn save_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<String> {
    let content = tensors_to_bytes(tensors)?;
    write_atomic(path, &content)?;
    Ok(sha256_hex(&content))
}

/// Reads a safetensors file: its tensors, on the host, sorted by name. One that is not there is a bad file too.
pub fn load_tensors(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let content = fs::read(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
    tensors_from_bytes(path, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.safetensors");
        let awkward = Tensor::from_slice(&[0.1f64, -0.0, f64::MIN_POSITIVE / 4.0, 1e308, f64::INFINITY, 3.0]);
        let tensors = vec![
            ("a.w".to_owned(), awkward.reshape([2, 3]).transpose(0, 1)), // not contiguous
            ("b".to_owned(), Tensor::from_slice(&[1.5f32, 2.5])),
            ("c".to_owned(), Tensor::from_slice(&[i64::MIN, i64::MAX])),
            ("d".to_owned(), Tensor::from_slice(&[true, false])),
            ("empty".to_owned(), Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))),
        ];
        let hash = save_tensors(&path, &tensors).unwrap();
        assert_eq!(hash, sha256_hex(&fs::read(&path).unwrap()));
        assert_eq!(hash, sha256_of(&path).unwrap());
        let back = load_tensors(&path).unwrap();
        assert_eq!(back.len(), tensors.len());
        for ((name, saved), (found, loaded)) in tensors.iter().zip(&back) {
            assert_eq!((name, saved.size(), saved.kind()), (found, loaded.size(), loaded.kind()));
            assert!(saved.equal(loaded), "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.safetensors");
        let content = tensors_to_bytes(&[("w".to_owned(), Tensor::from_slice(&[1.0f32, 2.0]))]).unwrap();
        fs::write(&path, &content[..content.len() - 1]).unwrap();
        let error = load_tensors(&path).unwrap_err();
        assert!(matches!(error, Error::BadFile { .. }) && error.to_string().contains("cut.safetensors"), "{error}");
    }

    #[test]
    fn two_tensors_of_one_name_are_refused() {
        let one = r#""w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let header = format!("{{{one},{}}}", one.replace("[0,4]", "[4,8]"));
        let content = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
        let error = tensors_from_bytes(Path::new("a.safetensors"), &content).unwrap_err();
        assert_eq!(error.to_string(), "a.safetensors: two tensors of it have the name w");
    }

    /// One of several writers succeeds, with its own content.
    #[test]
    fn a_new_file_is_that_of_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = folder.path().join(format!("{round}.csv"));
            let write = |i: usize| write_new(&path, format!("{i}\n").repeat(1000).as_bytes());
            let ended = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..4).map(|i| scope.spawn(move || write(i))).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
            });
            let winners: Vec<_> = (0..4).filter(|&i| ended[i].is_ok()).collect();
            assert_eq!(winners.len(), 1, "{ended:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", winners[0]).repeat(1000));
            let words = ended.iter().filter_map(|ended| ended.as_ref().err()).map(Error::to_string);
            assert!(words.into_iter().all(|words| words.contains("it exists; name a new file")));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 20, "no temporary file is left");
    }

    /// 255 bytes are the longest name that Linux takes; the temporary one is not longer.
    #[test]
    fn the_longest_name_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n".repeat(255));
        write_new(&path, b"1").unwrap();
        write_atomic(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
    }

    #[test]
    fn temporary_names_differ_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_ne!(beside(&path, "tmp"), beside(&path, "tmp"));
        let (mine, link) = (folder.path().join("mine"), folder.path().join("link"));
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        assert!(write_synced(&link, b"1").is_err() && write_new(&link, b"1").is_err() && !mine.exists());
        write_atomic(&link, b"1").unwrap(); // replaces the link, and writes nothing through it
        assert!(!mine.exists() && !link.is_symlink());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_atomic(Path::new("/nowhere/at/all.json"), b"{}").unwrap_err();
        assert!(matches!(error, Error::Storage { .. }) && error.to_string().contains("/nowhere/at"), "{error}");
    }
}
