//! The columns of a table in a file, whatever kind of file it is.

mod arrays;
mod text;

use std::path::Path;

use bd_core::files::data_bytes;
use bd_core::{Clock, Error, Result};

/// Larger files are refused, 4 GiB.
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// Files with more numbers than this are refused: 2 GiB in float64.
pub const MAX_NUMBERS: usize = 1 << 28;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name: that of the header, or else `<array>.<i>`, with `i` from 0.
    pub name: String,
    /// The array that it is of. Of a text without a header, and of an `.npy` file, that is `x`.
    pub array: Option<String>,
    /// Its numbers, all finite, in float64; or why they are none, for example `line 7 is "abc", which is no number`.
    pub numbers: Result<Vec<f64>, String>,
    /// Of a column of dates or times of day the seconds since the first one.
    pub dates: Option<Dates>,
    /// Its times, where the file has them beside it.
    pub clock: Option<Clock>,
}

/// Dates or times of day as times.
#[derive(Debug, Clone, PartialEq)]
pub struct Dates {
    /// The first one, as the file has it.
    pub first: String,
    /// Seconds since it, one for each point.
    pub seconds: Vec<f64>,
}

/// The columns of a file.
#[derive(Debug)]
pub struct Columns {
    /// All of them, in order.
    pub all: Vec<Column>,
    /// What was guessed, in a sentence, where a text can be read in two ways.
    pub guess: Option<String>,
}

/// Reads the columns of a file: text (`.csv`, `.tsv`, `.txt`, `.dat`), `.npy`, `.npz`, `.safetensors`, or HDF5
/// (`.h5`, `.hdf5`, `.nwb`, `.mat`, see [`Arrays`](bd_core::Arrays)). If there are `names`, arrays of
/// other names are neither counted nor read, and each is a column without numbers.
///
/// Text is UTF-8, UTF-16 with its mark, or Latin-1, one point a line, separated by tabs, semicolons, commas or spaces: by the first of these
/// that the first line has, but by spaces where commas are those of decimals. Fields may be in double quotes; one that is not closed is
/// refused. Lines that begin with `#` or `%` are passed over, and so is what stands above the names with another number of fields. A line
/// that is empty is passed over unless there are numbers before and after it: there it is a point that is missing, also beside a remark.
/// A column has decimal commas if one of its numbers can be read in no other way and none has a point.
///
/// The first line is a header if none of its fields is a number, if it has a word over a number, or if it has nothing over the first number
/// and a word beside it. One that counts its columns, as pandas does, is a header beside an empty first field, and from 0 over numbers
/// that are not whole; a name less than there are columns is that of the last ones, as R writes tables. These are
/// [guesses](Columns::guess). So are names in the last remark before the first line, as `numpy.savetxt` writes them, and a second line of
/// words over columns of numbers, which are their units. Columns that are empty everywhere are passed over. Arrays are `[time]` or
/// `[time, channel]`.
///
/// A column that is not of finite numbers is no error here, for nobody may want it. What makes the whole file unusable is
/// [`Error::BadFile`], also that there is none.
pub fn read_columns(path: &Path, names: &[&str]) -> Result<Columns> {
    let bad = |reason: String| Err(Error::bad_file(path, reason));
    let bytes = data_bytes(path)?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    // Of HDF5 only what is asked for is read.
    if matches!(extension.as_deref(), Some("h5" | "hdf5" | "nwb" | "mat")) {
        return arrays::read(path, names);
    }
    if bytes > MAX_FILE_BYTES {
        return bad(format!("it has {bytes} bytes; at most {MAX_FILE_BYTES} (4 GiB) are read"));
    }
    let columns = match extension.as_deref() {
        Some("csv" | "tsv" | "txt" | "dat") => text::read(path)?,
        Some("npy" | "npz" | "safetensors") => arrays::read(path, names)?,
        _ => {
            return bad(
                "a series is read from a file that ends in .csv, .tsv, .txt, .dat, .npy, .npz, .safetensors, .h5, .hdf5, .nwb or .mat"
                    .into(),
            );
        }
    };
    if columns.all.is_empty() {
        return bad("it is empty".into());
    }
    Ok(columns)
}

/// Names of columns that belong to one array: `name` alone if there is only one.
fn numbered(array: &str, width: usize) -> Vec<String> {
    (0..width).map(|i| if width == 1 { array.to_owned() } else { format!("{array}.{i}") }).collect()
}
