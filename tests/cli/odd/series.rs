//! Files that are no series, for `bd train ngrc`.

use bd_core::files::tensors_to_bytes;
use bd_core::npz::save_npz;
use tch::{Device, Kind, Tensor};

use super::{Content, FILE, Odd};

fn train(more: &[&'static str]) -> Vec<&'static str> {
    [&["train", "ngrc", "--data", FILE], more].concat()
}

/// Tables that end in `.csv`, `.txt` and the like, and what is no table by its name.
pub(super) fn texts() -> Vec<Odd> {
    let short: String = (0..12).map(|i| format!("{i}.5\n")).collect();
    let wide = format!("{}\n", vec!["1"; 30_000].join(",")).repeat(9);
    let utf16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zip = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0".to_vec();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    let page = "<!DOCTYPE html>\n<html>\n<head><title>Not found</title></head>\n</html>\n";
    let times = |rows: [&str; 3]| format!("t,v\n{},1\n{},2\n{},3\n", rows[0], rows[1], rows[2]);
    let (gap, even) = ("t,v\n0,1\n1,2\n2,3\n4,4\n5,5\n", times(["0", "1", "2"]));
    let dated = "day,v\n2020-01-01,1\n2020-01-02,2\n";
    let cases: Vec<(&str, Content, &[&str], i32, &str)> = vec![
        // Nothing to read.
        ("empty.csv", "".into(), &[], 7, "it is empty"),
        ("header.csv", "a,b\n".into(), &[], 7, "it has a header and no line of numbers"),
        ("absent.csv", Content::Absent, &[], 7, "cannot be read: No such file"),
        ("folder.csv", Content::Folder, &[], 7, "it is a folder, and not a file"),
        ("-", Content::Absent, &[], 7, "it is standard input, a pipe or a device"),
        // No table.
        (
            "series.xls",
            "a,b\n".into(),
            &[],
            7,
            "ends in .csv, .tsv, .txt, .dat, .npy, .npz, .safetensors, .h5, .hdf5, .nwb or .mat",
        ),
        ("workbook.csv", zip.into(), &[], 7, "line 1 has a zero byte: it is no text, or UTF-16 without a mark"),
        ("utf16.csv", utf16.into(), &[], 7, "line 1 has a zero byte"),
        ("pointer.csv", pointer.into(), &[], 7, "column version: line 3 is \"size\", which is no number"),
        ("page.csv", page.into(), &[], 7, "line 2 has 1 field, but line 1 has 2"),
        // Lines that are not like the others.
        ("ragged.csv", "a,b\n1,2\n3\n".into(), &[], 7, "line 3 has 1 field, but line 1 has 2"),
        ("names.csv", "a,b,c,d\n1,2\n3,4\n".into(), &[], 7, "line 2 has 2 fields, but line 1 has 4"),
        ("footer.csv", "a,b\n1,2\n3,4\nend of file\n".into(), &[], 7, "line 4 has 1 field, but line 1 has 2"),
        ("total.csv", "a,b\n1,2\nTotal,2\n".into(), &[], 7, "column a: line 3 is \"Total\", which is no number"),
        ("gap.line.csv", "a,b\n1,2\n\n3,4\n".into(), &[], 7, "column a: line 3 is empty"),
        ("gap.remark.csv", "a,b\n1,2\n\n# moved\n3,4\n".into(), &[], 7, "column a: line 3 is empty"),
        (
            "quote.csv",
            "a,b\n1,2\n\"3,4\n5,6\n".into(),
            &[],
            7,
            "line 3 has a double quote that opens a field and is never closed",
        ),
        (
            "note.csv",
            "a,note\n1,\"x\n2,y\n3,\"z\"\n4,w\n".into(),
            &["--columns", "a"],
            7,
            "line 2 has a double quote that opens a field which goes on to line 4",
        ),
        ("single.csv", "mV\n-64,16\n1.5\n".into(), &[], 7, "line 2 has 2 fields, but line 1 has 1"),
        // Fields that are no numbers.
        (
            "text.csv",
            "a,b\n1,2\n3,oops\n5,6\n".into(),
            &[],
            7,
            "column b: line 3 is \"oops\", which is no number; to leave it out",
        ),
        ("named.csv", "a,b\n1,2\n3,oops\n".into(), &["--columns", "b"], 7, "column b: line 3 is \"oops\""),
        ("nan.csv", "a,b\n1,2\n3,nan\n5,6\n".into(), &[], 7, "column b: line 3 is nan"),
        ("qnan.csv", "a,b\n1,2\n3,1.#QNAN\n".into(), &[], 7, "column b: line 3 is \"1.#QNAN\", which is no number"),
        (
            "infinity.csv",
            "a,b\n1,-Infinity\n3,4\n".into(),
            &[],
            7,
            "column b: line 2 is \"-Infinity\", which float64 holds as -inf",
        ),
        ("units.csv", "a,b\n1 mV,2\n3 mV,4\n".into(), &[], 7, "column a: line 2 is \"1 mV\""),
        ("flags.csv", "a,b\n1,True\n3,False\n".into(), &[], 7, "column b: line 2 is \"True\""),
        ("pipes.csv", "a|b\n1|2\n3|4\n".into(), &[], 7, "column a|b: line 2 is \"1|2\""),
        (
            "grouped.csv",
            "a,b\n\"22,549\",2\n\"1,000\",4\n".into(),
            &[],
            7,
            "line 2 is \"22,549\", which is no number (numbers need",
        ),
        ("points.csv", "a;b\n1.234,5;2\n1.234;4\n".into(), &[], 7, "line 3 is \"1.234\", which is no number (others"),
        // Columns.
        ("twice.csv", "v,v\n1,2\n3,4\n".into(), &[], 7, "two channels would be called 'v'; give them different names"),
        ("which.csv", "v,v\n1,2\n3,4\n".into(), &["--columns", "v"], 7, "2 columns are called 'v'"),
        ("unknown.csv", dated.into(), &["--columns", "w"], 7, "no column is called 'w'; there are: day, v"),
        (
            "dated.csv",
            dated.into(),
            &[],
            7,
            "name the columns that are channels: --columns v; to take its times, say --time day",
        ),
        // Times.
        ("time.csv", gap.into(), &["--time", "s"], 7, "no column is called 's'"),
        (
            "gap.csv",
            gap.into(),
            &["--time", "t", "--delay", "1"],
            7,
            "point 3 (counted from 0) is at 4, 2 after the one before",
        ),
        (
            "even.csv",
            (&*even).into(),
            &["--time", "t", "--dt", "2"],
            7,
            "points are 1 apart by the time in t, but should be 2 apart",
        ),
        (
            "back.csv",
            (&*times(["0", "2", "1"])).into(),
            &["--time", "t"],
            7,
            "it does not rise: point 2 (counted from 0) is at 1, after 2",
        ),
        (
            "midnight.csv",
            (&*times(["23:59", "00:00", "00:01"])).into(),
            &["--time", "t"],
            7,
            "point 1 (counted from 0) is at -86340, after 0",
        ),
        (
            "american.csv",
            (&*times(["1/31/2020", "2/1/2020", "2/2/2020"])).into(),
            &["--time", "t"],
            7,
            "line 2 is \"1/31/2020\", which is no number; times are numbers, or dates",
        ),
        (
            "clocks.csv",
            (&*times(["2021-02-28", "12:00:00", "12:00:01"])).into(),
            &["--time", "t"],
            7,
            "line 3 is \"12:00:00\", which is no date",
        ),
        // Too few points, too many columns, too large.
        (
            "short.csv",
            (&*short).into(),
            &["--delay", "4", "--stride", "5"],
            2,
            "too few: the lags of delay 4 and stride 5 reach 15 points",
        ),
        ("few.csv", (&*short).into(), &["--delay", "4", "--stride", "3", "--alpha", "1"], 2, "too few to"),
        (
            "zero.csv",
            (&*short).into(),
            &["--delay", "5,0"],
            2,
            "nvar.delay is [5, 0]; each number of points is at least 1",
        ),
        (
            "tiny.csv",
            "1\n3\n2\n".into(),
            &[],
            2,
            "the validation part has 0 points, too few to choose by a forecast 1 steps ahead",
        ),
        (
            "row.csv",
            "1,2,3\n".into(),
            &["--delay", "1", "--alpha", "1"],
            2,
            "the series has 1 points (3 channels; a row is a point: transpose the array if its rows are channels), too few",
        ),
        ("wide.csv", (&*wide).into(), &["--delay", "1", "--alpha", "1"], 2, "features, allowed are"),
        (
            "large.csv",
            Content::Hole((4 << 30) + 1),
            &[],
            7,
            "it has 4294967297 bytes; at most 4294967296 (4 GiB) are read",
        ),
    ];
    cases
        .into_iter()
        .map(|(name, content, more, code, words)| Odd::new(name, content, train(more), code, words))
        .collect()
}

/// An `.npy` file with this header and these data.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn npz(arrays: &[(String, Tensor)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    save_npz(&path, arrays).unwrap();
    std::fs::read(path).unwrap()
}

/// A zip without a member: its end alone.
fn no_member() -> Vec<u8> {
    [&b"PK\x05\x06"[..], &[0; 18]].concat()
}

/// Files that end in `.npy`, `.npz` and `.safetensors`.
pub(super) fn arrays() -> Vec<Odd> {
    let series = Tensor::arange(400, (Kind::Double, Device::Cpu)).sin().reshape([200, 2]);
    let hole = series.copy();
    let _ = hole.get(17).get(1).fill_(f64::NAN);
    let named = [
        ("series", series.shallow_clone()),
        ("hole", hole),
        ("short", series.narrow(0, 0, 50)),
        ("cube", series.reshape([10, 10, 4])),
        ("flags", series.gt(0.0)),
        ("rate", Tensor::from(100.0)),
        ("none", series.narrow(0, 0, 0)),
    ];
    let named = named.map(|(name, tensor)| (name.to_owned(), tensor));
    let (zip, safe) = (npz(&named), tensors_to_bytes(&named).unwrap());
    let damaged = {
        let mut zip = npz(&named[..1]);
        zip[300] ^= 1;
        zip
    };
    let bytes = |count: usize| vec![0u8; count];
    let header = r#"{"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    let f8 = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0x38; 4]].concat();
    let cases: Vec<(&str, Content, &[&str], i32, &str)> = vec![
        ("all.npz", zip.clone().into(), &[], 7, "name its columns with --columns; there are: "),
        ("hole.npz", zip.clone().into(), &["--columns", "hole"], 7, "column hole.1: point 17 (counted from 0) is NaN"),
        (
            "lengths.npz",
            zip.clone().into(),
            &["--columns", "series,short"],
            7,
            "series.0 has 200 points, but short.0 has 50",
        ),
        (
            "cube.npz",
            zip.clone().into(),
            &["--columns", "cube"],
            7,
            "column cube: it is [10, 10, 4]; a series is [time] or [time, channel]",
        ),
        ("flags.npz", zip.clone().into(), &["--columns", "flags"], 7, "column flags: it is bool"),
        ("none.npz", zip.clone().into(), &["--columns", "none"], 7, "column none: it is [0, 2], with no point in it"),
        (
            "far.npz",
            zip.clone().into(),
            &["--columns", "series", "--horizon", "100"],
            2,
            "the validation part has 20 points, too few to choose by a forecast 100 steps ahead; lower --horizon",
        ),
        (
            "farther.npz",
            zip.clone().into(),
            &["--columns", "series", "--horizon", "100", "--delay", "1", "--alpha", "1"],
            2,
            "too few to test a forecast 100 steps ahead",
        ),
        ("cut.npz", zip[..300].to_vec().into(), &[], 7, "not an npz file"),
        ("empty.npz", "".into(), &[], 7, "not an npz file"),
        ("damaged.npz", damaged.into(), &[], 7, "member \"series.npy\""),
        ("pointer.npz", "version https://git-lfs.github.com/spec/v1\n".into(), &[], 7, "not an npz file"),
        ("no.npz", no_member().into(), &[], 7, "it is empty"),
        ("cut.safetensors", safe[..100].to_vec().into(), &[], 7, "not a safetensors file"),
        ("f8.safetensors", f8.into(), &[], 7, "tensor x is F8_E4M3; floats of 16 to 64 bits"),
        ("absent.npy", Content::Absent, &[], 7, "cannot be read: No such file"),
        ("empty.npy", "".into(), &[], 7, "its start ends after 0 of 8 bytes"),
        (
            "pickle.npy",
            b"\x80\x04\x95\x10\0\0\0\0\0\0\0".to_vec().into(),
            &[],
            7,
            "not an npy file: it does not begin as numpy writes it",
        ),
        (
            "later.npy",
            b"\x93NUMPY\x04\0\0\0".to_vec().into(),
            &[],
            7,
            "it is npy version 4.0; 1.0, 2.0 and 3.0 can be read",
        ),
        ("cut.npy", npy("'<f8'", "(3,)", &bytes(20)).into(), &[], 7, "its data ends after 20 of 24 bytes"),
        (
            "claims.npy",
            npy("'<f8'", "(1000000000000, 3)", &[]).into(),
            &[],
            7,
            "its data ends after 0 of 24000000000000 bytes",
        ),
        ("objects.npy", npy("'|O'", "(3,)", &bytes(24)).into(), &[], 7, "it holds Python objects"),
        (
            "records.npy",
            npy("[('t', '<f8'), ('v', '<f8')]", "(3,)", &bytes(48)).into(),
            &[],
            7,
            "save each field as an array of its own",
        ),
        ("complex.npy", npy("'<c16'", "(3,)", &bytes(48)).into(), &[], 7, "its dtype is \"<c16\""),
        ("dates.npy", npy("'<M8[ms]'", "(3,)", &bytes(24)).into(), &[], 7, "it holds dates; save seconds as floats"),
        ("words.npy", npy("'<U2'", "(3,)", &bytes(24)).into(), &[], 7, "x is text [3], and no numbers"),
        (
            "scalar.npy",
            npy("'<f8'", "()", &bytes(8)).into(),
            &[],
            7,
            "column x: it is []; a series is [time] or [time, channel]",
        ),
        (
            "endless.npy",
            npy("'<f8'", "(2,)", &[1.0, f64::INFINITY].map(f64::to_le_bytes).concat()).into(),
            &[],
            7,
            "column x: point 1 (counted from 0) is inf",
        ),
        (
            "large.npy",
            Content::Hole((4 << 30) + 1),
            &[],
            7,
            "it has 4294967297 bytes; at most 4294967296 (4 GiB) are read",
        ),
    ];
    cases
        .into_iter()
        .map(|(name, content, more, code, words)| Odd::new(name, content, train(more), code, words))
        .collect()
}
