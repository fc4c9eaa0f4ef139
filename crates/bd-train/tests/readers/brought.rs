//! Tables and arrays as other programs write them. Each is written here by hand or by a formula, which is also where the expected numbers
//! come from.

use std::fs;
use std::path::Path;

use bd_core::Result;
use bd_core::npz::save_npz;
use bd_train::data::dataset::{Accept, Dataset, Reading, Targets};
use bd_train::data::{Series, SeriesConfig};
use tch::{Device, Kind, Tensor};

use crate::numpy::{npy, zipped};

/// A table of these bytes; `columns` as on the command line.
fn series(content: &[u8], columns: &[&str], time: Option<&str>) -> Result<Series> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, content).unwrap();
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Series::read(&path, &SeriesConfig { columns, time: time.map(str::to_owned), dt: None })
}

fn numbers(series: &Series) -> Vec<f64> {
    Vec::try_from(series.values.flatten(0, -1)).unwrap()
}

/// What is read of a table without a word on its columns: names, numbers by rows, and what was guessed.
fn whole(content: impl AsRef<[u8]>) -> (Vec<String>, Vec<f64>, String) {
    let series = series(content.as_ref(), &[], None).unwrap();
    let numbers = numbers(&series);
    (series.channels, numbers, series.guess.unwrap_or_default())
}

/// Excel in France, Switzerland and Germany, and Word's thin space: 1234.5 and -1,234,567.25 each time.
#[test]
fn thousands_may_be_set_apart_by_spaces_apostrophes_and_points() {
    for (content, said) in [
        ("a;b\n1\u{202f}234,5;-1\u{202f}234\u{202f}567,25\n", "as in 1\u{202f}234,5"),
        ("a;b\n1\u{a0}234,5;-1\u{a0}234\u{a0}567,25\n", "as in 1\u{a0}234,5"),
        ("a;b\n1 234,5;-1 234 567,25\n", "as in 1 234,5"),
        ("a;b\n1\u{2009}234.5;\u{2212}1\u{2009}234\u{2009}567.25\n", "as in 1\u{2009}234.5"),
        ("a,b\n1'234.5,-1'234'567.25\n", "as in 1'234.5"),
        ("a\tb\n1\u{2019}234.5\t-1\u{2019}234\u{2019}567.25\n", "as in 1\u{2019}234.5"),
        ("a;b\n1.234,5;-1.234.567,25\n", "as in 1.234,5"),
        ("a b\n1\u{a0}234,5 -1\u{a0}234\u{a0}567,25\n", "as in 1\u{a0}234,5"),
    ] {
        let (names, numbers, guess) = whole(content);
        assert_eq!((names, numbers), (vec!["a".to_owned(), "b".into()], vec![1234.5, -1_234_567.25]), "{content:?}");
        assert!(guess.ends_with(said), "{guess}");
    }
    // What may be 1.234 or 1234 beside a decimal comma is no number.
    let error = series(b"a;b\n1.234,5;1.234\n", &["b"], None).unwrap_err().to_string();
    let words = "line 2 is \"1.234\", which is no number (others of this file have a decimal comma)";
    assert!(error.contains(words), "{error}");
}

/// Loggers write the time of day, and pandas a TimedeltaIndex.
#[test]
fn times_of_day_are_times() {
    for (times, dt) in [
        (["23:59:58", "23:59:59", "24:00:00"], 1.0),
        (["0:00:00.25", "0:00:00.5", "0:00:00.75"], 0.25),
        (["08:30", "08:31", "08:32"], 60.0),
        (["0 days 00:00:00", "0 days 00:00:00.010000", "0 days 00:00:00.020000"], 0.01),
        (["0 days 18:00:00", "1 days 00:00:00", "1 days 06:00:00"], 21_600.0),
    ] {
        let rows: String = (0..3).map(|i| format!("{},{i}.5\n", times[i])).collect();
        let found = series(format!("t,v\n{rows}").as_bytes(), &[], Some("t")).unwrap();
        assert_eq!((found.dt, numbers(&found)), (dt, vec![0.5, 1.5, 2.5]), "{times:?}");
        assert_eq!(found.guess, Some(format!("times are seconds since {}", times[0])));
    }
    let midnight = series(b"t,v\n23:59:59,1\n00:00:00,2\n00:00:01,3\n", &[], Some("t")).unwrap_err().to_string();
    assert!(midnight.contains("it does not rise: point 1 (counted from 0) is at -86399, after 0"), "{midnight}");
    let mixed = series(b"t,v\n00:00:00,1\n2020-01-01,2\n", &[], Some("t")).unwrap_err().to_string();
    assert!(mixed.contains("column t: line 3 is \"2020-01-01\", which is no date, as there are above it"), "{mixed}");
}

/// By the calendar: a day has 86,400 s, and of the year 2019 the months up to May have 31, 28, 31 and 30 days.
#[test]
fn dates_may_have_slashes_after_the_year_points_or_no_day() {
    let days = series(b"t,v\n2020/02/28 06:00,1\n2020/02/29 06:00,2\n2020/03/01 06:00,3\n", &[], Some("t")).unwrap();
    assert_eq!(days.dt, 86_400.0);
    let months = series(b"t,v\n2019-01,1\n2019-02,2\n2019-03,3\n2019-04,4\n2019-05,5\n", &[], Some("t")).unwrap();
    assert_eq!(months.dt, (31.0 + 28.0 + 31.0 + 30.0) / 4.0 * 86_400.0);
    // Points of dates are no decimal points.
    let german = series(b"t;v\n31.01.2020 12:00;1,5\n01.02.2020 12:00;-2\n", &[], Some("t")).unwrap();
    assert_eq!((german.dt, numbers(&german)), (86_400.0, vec![1.5, -2.0]));
    // Where the day or the month is first cannot be known.
    let error = series(b"t,v\n01/02/2020,1\n01/03/2020,2\n", &[], Some("t")).unwrap_err().to_string();
    assert!(error.contains("times are numbers, or dates such as 2020-01-31T12:30:00"), "{error}");
}

/// `Temp °C` as Excel and LabVIEW write it on Windows, and its thousands.
#[test]
fn latin_1_is_read_and_said() {
    let (names, numbers, guess) = whole(b"Temp \xb0C;Kraft \xb5N\n1,5;1\xa0250,25\n-3;4\n");
    assert_eq!(names, ["Temp °C", "Kraft µN"]);
    assert_eq!(numbers, [1.5, 1250.25, -3.0, 4.0]);
    assert!(guess.contains("the text is not UTF-8, and is read as Latin-1"), "{guess}");
    // UTF-16 without its mark, and a file that lost power.
    for content in [&b"a\0,\0b\0\n\0"[..], b"a,b\n1,2\n\0\0\0\0\0\0"] {
        let error = series(content, &[], None).unwrap_err().to_string();
        assert!(error.contains("has a zero byte: it is no text, or UTF-16 without a mark"), "{error}");
    }
}

/// Alt and Enter in a cell of a spreadsheet.
#[test]
fn names_of_two_lines_are_one_name() {
    let content = b"\"time\n(s)\",\"force\r\n(N)\"\n0,1.5\n0.5,2.5\n1,x\n";
    let found = series(&content[..content.len() - 4], &["force (N)"], Some("time (s)")).unwrap();
    assert_eq!((found.dt, numbers(&found)), (0.5, vec![1.5, 2.5]));
    // Lines are counted as an editor does.
    let error = series(content, &["force (N)"], None).unwrap_err().to_string();
    assert!(error.contains("column force (N): line 6 is \"x\""), "{error}");
}

/// A separator at the end of the lines of numbers, or of the header alone, moves no name to another column.
#[test]
fn a_separator_at_the_end_moves_no_name() {
    let expected = (vec!["a".to_owned(), "b".into()], vec![1.5, 2.0, -3.0, 4.0], String::new());
    for content in [
        "a,b\n1.5,2,\n-3,4,\n",
        "a\tb\t\n1.5\t2\n-3\t4\n",
        "a;b\n1.5;2;\n-3;4;\n",
        "a,b,\n1.5,2,\n-3,4,\n",
        "\"a\",\"b\"\r\n1.5,2,\r\n-3,4,\r\n",
    ] {
        assert_eq!(whole(content), expected, "{content:?}");
    }
    // R's names of rows stand first, even where a number is missing in the first row.
    let rows = series(b"a,b\n1,1.5,\n2,-3,4\n", &["a"], None).unwrap();
    assert_eq!(numbers(&rows), [1.5, -3.0]);
    // A name too many is no separator.
    let error = series(b"a,b,c\n1.5,2\n", &[], None).unwrap_err().to_string();
    assert!(error.contains("line 2 has 2 fields, but line 1 has 3"), "{error}");
}

/// Settings of a device above its table, with and without an empty line, names of rows of words, and units.
#[test]
fn what_an_instrument_writes_above_its_table_is_passed_over() {
    let table = "Time,Voltage\n0,1.5\n0.5,2.5\n";
    for (above, lines) in [
        ("Device: scope 9\nRate,100\n\n", 3),
        ("Device: scope 9\nRate,100\n", 2),
        ("Device,4711\n\n", 2),
        ("\"Lab, left\",2024-01-31,x\nOperator\n", 2),
        ("# exported\nSamples\n\n\n", 4),
        ("\u{feff}Channels\n", 1),
    ] {
        for units in ["", "s,mV\n"] {
            let content = format!("{above}{}", table.replace("0,1.5", &format!("{units}0,1.5")));
            let (names, numbers, guess) = whole(&content);
            assert_eq!((&names[..], &numbers[..]), (&["Time".into(), "Voltage".into()][..], &[0.0, 1.5, 0.5, 2.5][..]));
            assert!(guess.starts_with(&format!("lines 1 to {lines} are no table, and are passed over")), "{guess}");
            assert_eq!(guess.contains("read as units"), !units.is_empty(), "{guess}");
        }
    }
    // Semicolons and decimal commas; lines are counted from the beginning of the file.
    let european = "Messung vom 31.01.2024\nKanal;1;2;3\n\nZeit;Kraft\n0,0;1,5\n0,5;x\n";
    let error = series(european.as_bytes(), &["Kraft"], None).unwrap_err().to_string();
    assert!(error.contains("column Kraft: line 6 is \"x\""), "{error}");
    // Words between names and numbers are no preamble, and a title without names is none either.
    for (content, words) in [
        ("a,b\nx,1\ny,2\n3,4\n", "line 2 is \"x\", which is no number"),
        ("Title\n1,2,3\n", "line 2 has 3 fields, but line 1 has 1"),
        ("a,b,c\n1,2\n3,4\n", "line 2 has 2 fields, but line 1 has 3"),
    ] {
        let error = series(content.as_bytes(), &[], None).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
}

/// As MATLAB and Octave write remarks.
#[test]
fn lines_with_a_percent_sign_are_remarks() {
    for content in ["% time force\n0 1.5\n% pause\n0.5 2.5\n", "%% measured\n% time, force\n0,1.5\n0.5,2.5\n"] {
        let (names, numbers, guess) = whole(content);
        assert_eq!(
            (names, numbers),
            (vec!["time".to_owned(), "force".into()], vec![0.0, 1.5, 0.5, 2.5]),
            "{content:?}"
        );
        assert!(guess.contains("names of columns are those of the remark above: time, force"), "{guess}");
    }
}

/// Python's csv module on Windows without `newline=""`.
#[test]
fn a_second_carriage_return_is_no_empty_line() {
    let (names, numbers, _) = whole("a,b\r\r\n1.5,2\r\r\n-3,4\r\r\n");
    assert_eq!((names, numbers), (vec!["a".to_owned(), "b".into()], vec![1.5, 2.0, -3.0, 4.0]));
    let error = series(b"a,b\r\r\n1,2\r\r\nx,4\r\r\n", &[], None).unwrap_err().to_string();
    assert!(error.contains("column a: line 3 is \"x\""), "{error}");
}

fn read(folder: &Path, x: &Tensor, y: &Tensor) -> Result<Dataset> {
    let path = folder.join("samples.npz");
    save_npz(&path, &[("x".to_owned(), x.shallow_clone()), ("y".to_owned(), y.shallow_clone())]).unwrap();
    Dataset::read(&path, &Reading::new(Accept::Numbers))
}

/// Time before samples, NaN for padding, a list of arrays, and one-hot targets: what to save instead is said, and that is read.
#[test]
fn arrays_in_another_order_get_the_line_that_repairs_them() {
    let folder = tempfile::tempdir().unwrap();
    let x = Tensor::arange(20 * 6 * 2, (Kind::Double, Device::Cpu)).sin().reshape([20, 6, 2]);
    let y = Tensor::arange(20, (Kind::Int64, Device::Cpu)).remainder(2);
    let error = read(folder.path(), &x.transpose(0, 1).contiguous(), &y).unwrap_err().to_string();
    assert!(error.contains("x is [6, 20, 2], but y is [20]") && error.contains("save x.swapaxes(0, 1)"), "{error}");

    let padded = x.copy();
    let _ = padded.get(3).narrow(0, 4, 2).fill_(f64::NAN);
    let error = read(folder.path(), &padded, &y).unwrap_err().to_string();
    assert!(error.contains("x is NaN at sample 3, step 4, channel 0 (counted from 0); if that is padding"), "{error}");
    let _ = padded.get(3).get(5).fill_(0.0);
    let error = read(folder.path(), &padded, &y).unwrap_err().to_string();
    assert!(error.ends_with("channel 0 (counted from 0)"), "a gap is no padding: {error}");

    let path = folder.path().join("list.npz");
    let labels = (0..20).flat_map(|_| 0i64.to_le_bytes()).collect::<Vec<u8>>();
    let members = [("x", npy("|O", false, &[20], b"\x80\x04]")), ("y", npy("<i8", false, &[20], &labels))];
    fs::write(&path, zipped(members, zip::CompressionMethod::Stored)).unwrap();
    let error = Dataset::read(&path, &Reading::new(Accept::Numbers)).unwrap_err().to_string();
    assert!(error.contains("member \"x.npy\": it holds Python objects"), "{error}");
    assert!(error.contains("sequences of several lengths padded to one"), "{error}");

    let one_hot = y.one_hot(2).to_kind(Kind::Double);
    let error = read(folder.path(), &x, &y.one_hot(2)).unwrap_err().to_string();
    assert!(error.contains("labels are numbers of classes, y.argmax(axis=1)"), "{error}");
    assert_eq!(read(folder.path(), &x, &one_hot).unwrap().targets, Targets::Vectors { n_out: 2 });
    assert_eq!(read(folder.path(), &x, &one_hot.argmax(1, false)).unwrap().targets, Targets::Labels { classes: 2 });
}
