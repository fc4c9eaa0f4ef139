//! Tables by hand, as programs and people write them.

mod doubtful;
mod gaps;

use super::*;
use crate::data::columns::{Column, Dates};

/// Names as pandas writes them over numbers, and numbers that begin so; what was guessed is said.
#[test]
fn a_first_line_that_counts_is_a_guess_and_is_told() {
    for (text, points, words) in [
        ("0,1\n0.5,1.5\n0.7,2\n", 2, "0, 1, which is read as names of columns"),
        ("0\n0.25\n0.5\n1e-3\n", 3, "0, which is read as names of columns"),
        ("0,1,2\n1,2,3\n2,3,4\n", 3, "0, 1, 2, which is read as a point"),
    ] {
        let Columns { all, guess } = table(text.as_bytes()).unwrap();
        assert_eq!(all[0].numbers.as_ref().unwrap().len(), points, "{text}");
        assert!(guess.as_ref().is_some_and(|guess| guess.contains(words)), "{guess:?}");
    }
    assert!(table(b"a,b\n1,2\n").unwrap().guess.is_none() && table(b"1,2\n0,1\n").unwrap().guess.is_none());
}

#[test]
fn other_spellings_of_tables_and_numbers_are_read() {
    let utf16 = |order: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        [&mark[..], &"a,b\n1.5,2\n-3,4\n".encode_utf16().flat_map(order).collect::<Vec<u8>>()].concat()
    };
    for content in [
        b"a;b\n1,5;2\n-3;4,0\n".to_vec(),
        "a,b\n1.5,2\n\u{2212}3,4\n".as_bytes().to_vec(),
        b"a b\n0.15D+01 2\n-3d0 4D0\n".to_vec(),
        b"sep=;\r\na;b\r\n1.5;2\r\n-3;4\r\n".to_vec(),
        utf16(u16::to_le_bytes, [0xff, 0xfe]),
        utf16(u16::to_be_bytes, [0xfe, 0xff]),
    ] {
        let all = columns(&content).unwrap();
        let shown = String::from_utf8_lossy(&content);
        assert_eq!(all.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "b"], "{shown:?}");
        assert_eq!((&all[0].numbers, &all[1].numbers), (&Ok(vec![1.5, -3.0]), &Ok(vec![2.0, 4.0])), "{shown:?}");
    }
    let guess = table(b"a;b\n1,5;2\n-3;4,0\n").unwrap().guess.unwrap();
    assert!(guess.contains("comma in place of the decimal point"), "{guess}");
    // One point is enough to say that commas are none.
    assert!(columns(b"1.5;2\n3,5;4\n").unwrap()[0].numbers.is_err());
    // R's write.table: names of rows, which have none of their own.
    let all = columns(b"\"a\" \"b\"\n\"1\" 1.5 2\n\"2\" -3 4\n").unwrap();
    assert_eq!(all.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["x.0", "a", "b"]);
    assert_eq!(all[2].numbers, Ok(vec![2.0, 4.0]));
}

#[test]
fn an_empty_line_between_numbers_is_a_missing_point() {
    for text in ["a,b\n1,2\n\n3,4\n", "1,2\n2,3\n \n3,4\n", "1;2\n\n3;4\n"] {
        for column in columns(text.as_bytes()).unwrap() {
            let error = column.numbers.unwrap_err();
            assert!(error.ends_with("is empty") && error.starts_with("line "), "{text:?}: {error}");
        }
    }
    for text in ["\n\na,b\n\n1,2\n3,4\n\n\n", "1,2\n3,4\n\n", "1,2\n# a remark\n3,4\n"] {
        assert_eq!(columns(text.as_bytes()).unwrap()[0].numbers, Ok(vec![1.0, 3.0]), "{text:?}");
    }
}

fn columns(content: &[u8]) -> Result<Vec<Column>> {
    Ok(table(content)?.all)
}

fn table(content: &[u8]) -> Result<Columns> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, content).unwrap();
    crate::data::columns::read_columns(&path, &[])
}

fn names(content: &str) -> Vec<String> {
    columns(content.as_bytes()).unwrap().into_iter().map(|column| column.name).collect()
}

/// Columns and points.
fn size(content: &str) -> (usize, usize) {
    let all = columns(content.as_bytes()).unwrap();
    (all.len(), all.iter().find_map(|column| column.numbers.as_ref().ok()).map_or(0, Vec::len))
}

#[test]
fn a_header_is_told_from_numbers() {
    for (text, expected) in [
        ("\"YEAR\",\"N\"\n1700,5\n", vec!["YEAR", "N"]),
        ("t,1,2\n0.1,5,6\n", vec!["t", "1", "2"]), // channels with numbers for names
        ("1,2\n3,4\n", vec!["x.0", "x.1"]),
        ("2020-01-01,5\n2020-01-02,6\n", vec!["x.0", "x.1"]), // a date is not a header over dates
        (",v\n0,1.5\n1,2.5\n", vec!["x.0", "v"]),             // as pandas writes its index
        (",0,1\n0,1.5,2\n1,2.5,3\n", vec!["x.0", "0", "1"]),  // and a table without names
        ("0,1,2\n1.5,2,3\n", vec!["0", "1", "2"]),
        ("0,1\n1.5,2\n", vec!["0", "1"]),
        ("0,1\n3,2\n", vec!["x.0", "x.1"]), // which may be numbers
        ("NaN,1\n2,3\n", vec!["x.0", "x.1"]),
        ("5\n6\n", vec!["x"]),
        ("v\n", vec![]),
    ] {
        match expected.is_empty() {
            true => assert!(columns(text.as_bytes()).unwrap_err().to_string().contains("no line of numbers")),
            false => assert_eq!(names(text), expected, "{text:?}"),
        }
    }
}

#[test]
fn separators_comments_and_line_ends() {
    for text in [
        "a,b\n1,2\n3,4\n",
        "a;b\r\n1;2\r\n3;4\r\n",
        "\u{feff}a\tb\n1\t2\n3\t4",
        "# made by numpy\n1.0e+00 2\n3 4\n\n",
        "\n\"a, or so\", b\n1, 2\n 3 ,4\n",
        "\"a\", \"b\"\n\"1\", \"2\"\n3, \"4\"\n",
    ] {
        assert_eq!(size(text), (2, 2), "{text:?}");
    }
    for text in [
        "  a   b\n  1   2\n 30   4  \n",
        "a,b,\n1,2,\n3,4,\n",
        "a,b\n1,2\n3,4\n   \n\n",
        "a,b\r1,2\r3,4\r",
        "# made by hand\ra,b\r1,2\r3,4\r",
    ] {
        assert_eq!(size(text), (2, 2), "{text:?}");
    }
    assert_eq!(names("\u{feff}a,b\n1,2\n"), ["a", "b"]);
    for text in ["1\n2\n3\n", "v\r\n1\r\n2\r\n3\r\n", "v\r1\r2\r3\r", "v\n1\n2\n3"] {
        assert_eq!(size(text), (1, 3), "{text:?}");
    }
}

#[test]
fn what_is_no_number_is_told_by_its_line() {
    for (text, reason) in [
        ("a\n1\n\"\"\n", "line 3 is empty"),
        ("a\n1\nNA\n", "line 3 is NA"),
        ("a\n1\nnan\n", "line 3 is nan"),
        ("a\n1\n# a remark\nx\n", "line 4 is \"x\", which is no number"),
        (
            "a;b\n1,5;2\n2.5;3\n",
            "line 2 is \"1,5\", which is no number (numbers need a decimal point, and no comma, of decimals or of thousands)",
        ),
        (
            "1,234;1\n1,345;2.5\n",
            "line 1 is \"1,234\", which is no number (numbers need a decimal point, and no comma, of decimals or of thousands)",
        ),
        ("a\n1\n\n3\n", "line 3 is empty"),
        ("a\r\n1\r\n\r\n3\r\n", "line 3 is empty"),
        ("a\r1\r\r3\r", "line 3 is empty"),
        ("a\tb\n1\t2\n\t\n3\t4\n", "line 3 is empty"),
        ("a,b\r1,2\rx,3\r", "line 3 is \"x\", which is no number"),
        ("a\n1e999\n", "line 2 is \"1e999\", which float64 holds as inf"),
    ] {
        assert_eq!(columns(text.as_bytes()).unwrap()[0].numbers, Err(reason.into()), "{text:?}");
    }
}

#[test]
fn what_is_no_table_is_refused() {
    for (content, words) in [
        (&b""[..], "it is empty"),
        (b"\n\n# nothing\n", "it is empty"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 field, but line 1 has 2"),
        (b"1,2\n3,4,5\n", "line 2 has 3 fields, but line 1 has 2"),
        (b"a\n1\n\xff\x00\n", "line 3 has a zero byte: it is no text"),
    ] {
        let error = columns(content).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
}

#[test]
fn names_may_stand_in_a_remark_and_units_below_names() {
    for (text, words) in [
        ("# a,b\n1,2\n3,4\n", "names of columns are those of the remark above: a, b"),
        ("# by numpy\n# a b\n1 2\n3 4\n", "the remark above: a, b"),
        ("a,b\nmV,pA\n1,2\n3,4\n", "line 2 is mV, pA, which is read as units of the columns, and not as a point"),
        ("a\tb\n(s)\t\n1\t2\n3\t4\n", "line 2 is (s), , which is read as units"),
    ] {
        let Columns { all, guess } = table(text.as_bytes()).unwrap();
        let found: Vec<_> = all.iter().map(|column| (column.name.as_str(), column.numbers.clone().unwrap())).collect();
        assert_eq!(found, [("a", vec![1.0, 3.0]), ("b", vec![2.0, 4.0])], "{text:?}");
        assert!(guess.as_ref().is_some_and(|guess| guess.contains(words)), "{words:?} not in {guess:?}");
    }
    // A remark is one where it has other fields than the columns, and a second line of words where no numbers follow.
    for text in ["# made by numpy\n1 2\n", "# 5,6\n1,2\n"] {
        assert_eq!(names(text), ["x.0", "x.1"], "{text:?}");
    }
    assert_eq!(columns(b"a,b\nu,v\nw,x\n").unwrap()[0].numbers, Err("line 2 is \"u\", which is no number".into()));
    assert_eq!(columns(b"a,b\nu,v\n").unwrap()[0].numbers, Err("line 2 is \"u\", which is no number".into()));
}

#[test]
fn columns_that_are_empty_everywhere_are_none() {
    for text in ["a\t\tb\n1\t\t2\n3\t\t4\n", "1,,2\n3,,4\n", "a,b,,\n1,2,,\n3,4,,\n"] {
        let all = columns(text.as_bytes()).unwrap();
        let numbers: Vec<_> = all.into_iter().map(|column| column.numbers.unwrap()).collect();
        assert_eq!(numbers, [vec![1.0, 3.0], vec![2.0, 4.0]], "{text:?}");
    }
    // One that has a name or a number is a column with gaps.
    for text in ["a,b,c\n1,,2\n3,,4\n", "1,,2\n3,5,4\n"] {
        assert_eq!(columns(text.as_bytes()).unwrap().len(), 3, "{text:?}");
    }
}

#[test]
fn commas_of_thousands_are_read_where_they_can_be_nothing_else() {
    let numbers = |text: &str| columns(text.as_bytes()).unwrap()[0].numbers.clone();
    assert_eq!(
        numbers("a,b\n\"22,549.559\",1\n\"-1,022,549\",2\n999.5,3\n"),
        Ok(vec![22_549.559, -1_022_549.0, 999.5])
    );
    let guess = table(b"a\tb\n1,022.5\t2\n").unwrap().guess.unwrap();
    assert_eq!(guess, "thousands are set apart, as in 1,022.5");
    assert!(columns(b"a\tb\n1,022.5\t2\n1,500\t3\n").unwrap()[0].numbers.is_err(), "1500 or 1.5");
    for other in ["22,549", "2254,549.5", "22,54.5", "1,,000.5"] {
        let error = numbers(&format!("a,b\n\"{other}\",1\n")).unwrap_err();
        assert!(error.contains("which is no number"), "{error}");
    }
}

#[test]
fn dates_are_seconds_since_the_first() {
    let all = columns(b"day,v\n2020-01-01,1\n2020-01-02,2\n2020-01-03T12:00,3\n").unwrap();
    let seconds = vec![0.0, 86_400.0, 216_000.0];
    assert_eq!(all[0].dates, Some(Dates { first: "2020-01-01".into(), seconds }));
    assert!(all[0].numbers.is_err() && all[1].dates.is_none());
    let gap = columns(b"day,v\n2020-01-01,1\n,2\n").unwrap();
    assert_eq!((&gap[0].dates, &gap[0].numbers), (&None, &Err("line 3 is empty".into())));
    let later = columns(b"day,v\n2020-02-29,1\n2020-02-30,2\n").unwrap();
    let reason = "line 3 is \"2020-02-30\", which is no date, as there are above it";
    assert_eq!((&later[0].dates, &later[0].numbers), (&None, &Err(reason.into())));
}
