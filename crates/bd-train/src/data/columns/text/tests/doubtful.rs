//! Tables that can be read in two ways: what is taken is said, or they are refused.

use super::*;

fn read(content: impl AsRef<[u8]>) -> (Vec<(String, Vec<f64>)>, String) {
    let Columns { all, guess } = table(content.as_ref()).unwrap();
    let column = |column: Column| (column.name, column.numbers.unwrap());
    (all.into_iter().map(column).collect(), guess.unwrap_or_default())
}

fn refused(content: &str, words: &str) {
    let error = table(content.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(words), "{content:?}: {error}");
}

fn of(columns: &[(&str, &[f64])]) -> Vec<(String, Vec<f64>)> {
    columns.iter().map(|(name, numbers)| ((*name).to_owned(), numbers.to_vec())).collect()
}

/// R's `write.table` gives rows names and their column none; `quote = FALSE` leaves the quotes out.
#[test]
fn names_of_rows_are_a_guess() {
    let said = "line 1 has 2 names for 3 columns, which are read as those of the last: a, b; the first, x.0, has none";
    for content in ["\"a\",\"b\"\n1,1.5,2\n2,-3,4\n", "a b\n1 1.5 2\n2 -3 4\n"] {
        let (columns, guess) = read(content);
        assert_eq!(columns, of(&[("x.0", &[1.0, 2.0]), ("a", &[1.5, -3.0]), ("b", &[2.0, 4.0])]), "{content:?}");
        assert!(guess.contains(said), "{guess}");
    }
    refused("a,b\n1,1.5,2,\n2,-3,4\n", "line 2 has 4 fields, but line 1 has 2");
    refused("a,b\n1,1.5,2\n2,-3\n", "line 2 has 3 fields, but line 1 has 2");
    // A single name is one of rows only where it is in quotes, as R writes it.
    assert_eq!(read("\"a\"\n\"1\",1.5\n\"2\",-3\n").0, of(&[("x.0", &[1.0, 2.0]), ("a", &[1.5, -3.0])]));
    refused("a\n1,1.5\n2,-3\n", "line 2 has 2 fields, but line 1 has 1");
    refused("a\n1.5,\n2.5,3\n", "line 2 has 2 fields, but line 1 has 1");
    // A separator at the end of every line is none of names, and nothing to be guessed.
    assert_eq!(read("a\n1.5,\n2.5,\n"), (of(&[("a", &[1.5, 2.5])]), String::new()));
}

/// One column of a spreadsheet in Germany, saved as CSV.
#[test]
fn one_column_of_decimal_commas_is_one_column() {
    let said = "numbers are read with a comma in place of the decimal point";
    for content in ["mV\n-64,16\n-60,97\n12\n", "# made by hand\nmV\r\n-64,16\r\n-60,97\r\n12,0\r\n"] {
        assert_eq!(read(content), (of(&[("mV", &[-64.16, -60.97, 12.0])]), said.to_owned()), "{content:?}");
    }
    let gap = columns(b"mV\n-64,16\nNA\n1,5\n").unwrap();
    assert_eq!(gap[0].numbers, Err("line 3 is NA".into()));
    refused("mV\n-64,16\n1.5\n", "line 2 has 2 fields, but line 1 has 1");
}

/// Columns of spaces with decimal commas, without a header that would tell.
#[test]
fn spaces_separate_decimal_commas() {
    let expected = of(&[("x.0", &[-64.16, -60.97]), ("x.1", &[4.0, 1.5])]);
    for content in ["-64,16 4\n-60,97 1,5\n", "  -64,16    4,0 \n  -60,97    1,5 \n"] {
        let (columns, guess) = read(content);
        assert_eq!(columns, expected, "{content:?}");
        assert!(guess.contains("comma in place of the decimal point"), "{guess}");
    }
    // Spaces behind commas, and between thousands.
    assert_eq!(read("1, 2\n3, 4\n").0, of(&[("x.0", &[1.0, 3.0]), ("x.1", &[2.0, 4.0])]));
    let (columns, guess) = read("1 234,1 567\n2 000,3\n");
    assert_eq!(columns, of(&[("x.0", &[1234.0, 2000.0]), ("x.1", &[1567.0, 3.0])]));
    assert!(guess.contains("thousands are set apart, as in 1 234"), "{guess}");
}

/// An empty corner is one of a header where a name beside it is a word or the names count up.
#[test]
fn an_empty_corner_makes_no_header_of_numbers() {
    let all = columns(b",1.5\n0.00,1.00\n0.01,2.00\n").unwrap();
    assert_eq!(all[1].numbers, Ok(vec![1.5, 1.0, 2.0]));
    assert_eq!(all[0].numbers, Err("line 1 is empty".into()));
    let (columns, guess) = read(",0,1\n0,5,6\n1,7,8\n");
    assert_eq!(columns, of(&[("x.0", &[0.0, 1.0]), ("0", &[5.0, 7.0]), ("1", &[6.0, 8.0])]));
    assert!(guess.contains("the first line is , 0, 1, which is read as names of columns"), "{guess}");
    assert_eq!(read(",v\n0,1.5\n1,2.5\n"), (of(&[("x.0", &[0.0, 1.0]), ("v", &[1.5, 2.5])]), String::new()));
}

#[test]
fn names_that_count_from_one_over_fractions_are_a_point_that_is_told() {
    let (columns, guess) = read("1,2\n-64.16,4.5\n-60.97,5.5\n");
    assert_eq!(columns, of(&[("x.0", &[1.0, -64.16, -60.97]), ("x.1", &[2.0, 4.5, 5.5])]));
    assert_eq!(guess, "the first line is 1, 2, which is read as a point, and not as names of columns");
}

/// A column has decimal commas, whatever points stand in remarks, dates, notes and other columns.
#[test]
fn decimal_commas_are_those_of_a_column() {
    let said = "numbers are read with a comma in place of the decimal point";
    for content in [
        "# sampled at 2.5 kHz\nt;v\n0;-64,16\n1;-60,97\n",
        "t;v\n0;-64,16\n# gain 2.5\n1;-60,97\n",
        "t;v;note\n0;-64,16;gain 2.5 of 10\n1;-60,97;12.5 degrees\n",
        "t;v;day\n0;-64,16;01.01.2020\n1;-60,97;02.01.2020\n",
    ] {
        let Columns { all, guess } = table(content.as_bytes()).unwrap();
        assert_eq!(all[1].numbers, Ok(vec![-64.16, -60.97]), "{content:?}");
        assert_eq!(guess.as_deref(), Some(said), "{content:?}");
    }
    // Another column may have points; those of one column are of one kind.
    let (columns, guess) = read("v;version\n-64,16;2.5\n-60,97;2.5\n");
    assert_eq!(columns, of(&[("v", &[-64.16, -60.97]), ("version", &[2.5, 2.5])]));
    assert_eq!(guess, "numbers of v are read with a comma in place of the decimal point");
    // 1.234 beside decimal commas may be 1234, and 1,234 beside decimal points too.
    let both = [("a;b\n1,5;1.234\n", 1), ("a;b\n1.5;1,234\n", 1), ("a;b\n1,5;2\n1.234;3\n", 0)];
    for (content, column) in both {
        assert!(table(content.as_bytes()).unwrap().all[column].numbers.is_err(), "{content:?}");
    }
}

/// Excel marks UTF-8 with the bytes EF BB BF.
#[test]
fn the_mark_of_utf_8_is_no_part_of_the_text() {
    let numbers = of(&[("v", &[1.5, -3.0]), ("w", &[2.0, 4.0])]);
    for content in [
        "sep=;\r\nv;w\r\n1,5;2\r\n-3;4\r\n",
        "# made, by hand\nv w\n1.5 2\n-3 4\n",
        "# v,w\n1.5,2\n-3,4\n",
        "% v w\n1.5 2\n-3 4\n",
    ] {
        assert_eq!(read(format!("\u{feff}{content}")).0, numbers, "{content:?}");
    }
}
