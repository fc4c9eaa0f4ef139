//! [`Arrays`]: the arrays of a file, by name.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use tch::Tensor;

use crate::error::{Error, Result};
use crate::files::{data_bytes, sha256_hex, tensors_of_bytes};
use crate::npz;
use crate::stored::{Member, Read, Text};

/// The arrays of a file by name, on the host. One that cannot be read is an error where it is wanted, and nowhere else: people keep
/// names of classes, rates and notes beside their data.
///
/// | file | arrays |
/// |---|---|
/// | `.npz` | its members; what is no array, such as a folder or a text, is passed over |
/// | `.npy` | one, called `x` |
/// | `.safetensors` | its tensors |
#[derive(Debug)]
pub struct Arrays {
    path: PathBuf,
    all: Vec<(String, Read)>,
    sha256: String,
}

impl Arrays {
    /// Reads a file, once: arrays and hash are of the same bytes, also if somebody replaces it meanwhile.
    ///
    /// Fails with [`Error::BadFile`] if it is of none of these kinds, or no arrays can be found in it.
    pub fn read(path: &Path) -> Result<Self> {
        data_bytes(path)?;
        let kind = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !["npz", "npy", "safetensors"].contains(&kind.as_str()) {
            return Err(Error::bad_file(path, "a file of arrays ends in .npz, .npy or .safetensors"));
        }
        let content = fs::read(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
        let all = match kind.as_str() {
            "npz" => npz::members(path, Cursor::new(&content), npz::MAX_BYTES.max(content.len() as u64))?,
            "npy" => vec![("x".to_owned(), Ok(npz::npy_of_bytes(path, &content)?))],
            _ => {
                let all = tensors_of_bytes(path, &content)?.into_iter();
                all.map(|(name, tensor)| (name, tensor.map(Member::Numbers))).collect()
            }
        };
        Ok(Self { path: path.to_path_buf(), all, sha256: sha256_hex(&content) })
    }

    /// Arrays that are there already; `path` is what messages call them.
    pub fn new(path: &Path, arrays: Vec<(String, Tensor)>) -> Self {
        let all = arrays.into_iter().map(|(name, array)| (name, Ok(Member::Numbers(array)))).collect();
        Self { path: path.to_path_buf(), all, sha256: String::new() }
    }

    /// With an array of text more.
    pub fn with_text(mut self, name: &str, text: Text) -> Self {
        self.all.push((name.to_owned(), Ok(Member::Text(text))));
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The names of all arrays, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The array of numbers of a name, if there is one. Fails if it cannot be read, or is text.
    pub fn get(&self, name: &str) -> Result<Option<&Tensor>> {
        match self.find(name) {
            None => Ok(None),
            Some(array) => numbers(name, array).map(Some).map_err(|reason| Error::bad_file(&self.path, reason)),
        }
    }

    /// The array of text of a name, if there is one that can be read.
    pub fn text(&self, name: &str) -> Option<&Text> {
        match self.find(name) {
            Some(Ok(Member::Text(text))) => Some(text),
            _ => None,
        }
    }

    fn find(&self, name: &str) -> Option<&Read> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, array)| array)
    }

    /// All of them, those that are no numbers with the reason.
    pub fn all(&self) -> impl Iterator<Item = (&str, std::result::Result<&Tensor, String>)> {
        self.all.iter().map(|(name, array)| (name.as_str(), numbers(name, array)))
    }

    /// Names and shapes, for messages.
    pub fn describe(&self) -> String {
        let one = |(name, array): &(String, Read)| match array {
            Ok(Member::Numbers(array)) => format!("{name} {:?}", array.size()),
            Ok(Member::Text(text)) => format!("{name} {:?} of text", text.shape),
            Err(_) => format!("{name} (which cannot be read)"),
        };
        self.all.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn numbers<'a>(name: &str, array: &'a Read) -> std::result::Result<&'a Tensor, String> {
    match array {
        Ok(Member::Numbers(array)) => Ok(array),
        Ok(Member::Text(text)) => Err(format!("{name} is text {:?}, and no numbers", text.shape)),
        Err(reason) => Err(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npz::save_npz;

    /// A zip of stored members, as `numpy.savez` writes it, with whatever else people put in.
    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn npy(descr: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn what_nobody_asks_for_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.NPZ");
        let (x, names) = (npy("<f8", &2.5f64.to_le_bytes()), npy(">U2", &[0, 0, 0, 0xe9, 0, 0, 0, 0]));
        let dates = npy("<M8[ns]", &[0; 8]);
        let members: [(&str, &[u8]); 6] = [
            ("x.npy", &x),
            ("names.npy", &names),
            ("dates.npy", &dates),
            ("README.txt", b"hello"),
            ("data/", b""),
            ("__MACOSX/._x.npy", b"x"),
        ];
        fs::write(&path, zipped(&members)).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.names().collect::<Vec<_>>(), ["x", "names", "dates"]);
        assert_eq!(arrays.get("x").unwrap().unwrap().double_value(&[0]), 2.5);
        assert!(arrays.get("y").unwrap().is_none());
        let error = arrays.get("dates").unwrap_err().to_string();
        assert!(error.contains("member \"dates.npy\": it holds dates"), "{error}");
        assert_eq!(arrays.describe(), "x [1], names [1] of text, dates (which cannot be read)");
        // Text is text, without the zeros that fill it up, and no numbers.
        assert_eq!(arrays.text("names"), Some(&Text { shape: vec![1], items: vec!["é".into()] }));
        assert!(arrays.text("x").is_none() && arrays.text("dates").is_none());
        let error = arrays.get("names").unwrap_err().to_string();
        assert!(error.contains("names is text [1], and no numbers"), "{error}");
        assert_eq!(arrays.sha256(), sha256_hex(&fs::read(&path).unwrap()));
    }

    #[test]
    fn text_that_is_written_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let names = ["rest", "", "gauche é"].map(str::to_owned);
        npz::save_npz_with_text(&path, &[("x".to_owned(), Tensor::from(1i64))], &[("classes", &names)]).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.text("classes"), Some(&Text { shape: vec![3], items: names.to_vec() }));
        assert_eq!(npz::load_npz(&path).unwrap().len(), 1, "numbers only");
        let bytes = [npy("|S3", b"ab\0"), npy("|S2", b"\xff\xfe")];
        fs::write(&path, zipped(&[("b.npy", &bytes[0]), ("c.npy", &bytes[1])])).unwrap();
        let arrays = Arrays::read(&path).unwrap();
        assert_eq!(arrays.text("b").unwrap().items, ["ab"]);
        let error = arrays.get("c").unwrap_err().to_string();
        assert!(error.contains("its text 0 (counted from 0) is neither Unicode nor UTF-8"), "{error}");
    }

    #[test]
    fn one_array_is_called_x_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.npy"), npy(">u2", &[1, 2])).unwrap();
        let arrays = Arrays::read(&at("a.npy")).unwrap();
        assert_eq!(arrays.get("x").unwrap().unwrap().int64_value(&[0]), 258); // 1 * 256 + 2
        save_npz(&at("b.npz"), &[("y".to_owned(), Tensor::from(3i64))]).unwrap();
        assert!(Arrays::read(&at("b.npz")).unwrap().has("y"));
        fs::write(at("a.csv"), "").unwrap();
        for (name, words) in [
            ("a.csv", "ends in .npz, .npy or .safetensors"),
            ("none.npz", "cannot be read"),
            ("-", "it is standard input"),
        ] {
            let error = Arrays::read(&at(name)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
