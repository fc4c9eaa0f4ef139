//! Empty lines, remarks and quotes between numbers: no point is lost without a word.

use super::*;

fn reasons(content: &str) -> Vec<Result<Vec<f64>, String>> {
    columns(content.as_bytes()).unwrap().into_iter().map(|column| column.numbers).collect()
}

/// An empty line is a missing point, whatever stands beside it; a remark alone is none.
#[test]
fn a_remark_hides_no_empty_line() {
    for (content, line) in [
        ("v,w\n1,2\n\n# electrode moved\n3,4\n", 3),
        ("v,w\n1,2\n# electrode moved\n\n3,4\n", 4),
        ("v,w\r\n1,2\r\n# electrode moved\r\n \r\n\r\n3,4\r\n", 4),
        ("v,w\n1,#2\n\n3,#4\n", 3),
    ] {
        let found = reasons(content);
        assert_eq!(found[0], Err(format!("line {line} is empty")), "{content:?}");
    }
    for content in ["v,w\n1,2\n# electrode moved\n# twice\n3,4\n", "\n# made\n\nv,w\n# mV\n1,2\n3,4\n\n# end\n\n"] {
        assert_eq!(reasons(content), [Ok(vec![1.0, 3.0]), Ok(vec![2.0, 4.0])], "{content:?}");
    }
    let events = reasons("v,event\n1,none\n\n2,#stim\n");
    assert_eq!(events[0], Err("line 3 is empty".into()));
}

/// Lines of spaces in a file of one column: one at the end is nothing, one between numbers a missing point.
#[test]
fn a_line_of_spaces_is_an_empty_line() {
    for content in ["v\n1\n2\n   \n", "v\n1\n2\n\n  \n\t\n", "1\n2\n \n"] {
        assert_eq!(reasons(content), [Ok(vec![1.0, 2.0])], "{content:?}");
    }
    assert_eq!(reasons("v\n1\n   \n2\n"), [Err("line 3 is empty".into())]);
    // A pair of quotes is an entry without a number.
    assert_eq!(reasons("v\n1\n\"\"\n"), [Err("line 3 is empty".into())]);
}

#[test]
fn a_quoted_note_may_have_lines_of_its_own() {
    let found = reasons("v,note\n1,\"two\n\n# lines\"\n3,x\n");
    assert_eq!(found[0], Ok(vec![1.0, 3.0]));
    // Lines are counted on as an editor does.
    let later = reasons("v,note\n1,\"two\nlines\"\n3,x\n\n5,y\n");
    assert_eq!(later[0], Err("line 5 is empty".into()));
    let place = reasons("v,note\n1,\"two\nlines\"\nx,x\n");
    assert_eq!(place[0], Err("line 4 is \"x\", which is no number".into()));
}

/// A quote that is not closed takes the lines below it into its field.
#[test]
fn a_quote_that_takes_in_lines_is_refused() {
    let rows = |note: &str, later: &str| format!("v,note\n1,x\n2,{note}\n3,x\n4,{later}\n5,x\n");
    let refused = |content: &str| table(content.as_bytes()).unwrap_err().to_string();
    for note in ["\"electrode #3 noisy", "\"", "\"a \"\"b\"\" c"] {
        let error = refused(&rows(note, "x"));
        let words =
            "line 3 has a double quote that opens a field and is never closed, so that the field goes on to line 6";
        assert!(error.contains(words), "{error}");
    }
    // The next quote closes the field, and another note follows it.
    let error = refused(&rows("\"electrode #3 noisy", "\"fine\""));
    let words =
        "line 3 has a double quote that opens a field which goes on to line 5 and has text behind its closing quote";
    assert!(error.contains(words), "{error}");
    // Quotes within a field are text, as inches are, and a last line needs no end.
    for note in ["3\"", "a \"b\" c", "\"a \"\"b\"\" c\"", "\"a\" b"] {
        assert_eq!(reasons(&rows(note, "x"))[0], Ok(vec![1.0, 2.0, 3.0, 4.0, 5.0]), "{note}");
    }
    assert_eq!(reasons("v,note\n1,\"x\"")[0], Ok(vec![1.0]));
}

/// Each line is looked at once: a table with an empty line behind every point has as many places as lines.
#[test]
fn places_are_those_of_an_editor_in_a_long_table() {
    let rows: String = (0..40_000).map(|i| format!("{i},x\n\n")).collect();
    let found = reasons(&format!("v,w\n{rows}"));
    // Line 1 has the names, line 2 the first point.
    assert_eq!(found[0], Err("line 3 is empty".into()));
    let last = reasons(&format!("v,w\n{}z,1\n", rows.replace("\n\n", "\n\n# a remark\n").replace("\n\n", "\n")));
    // 40,000 points with a remark each after the names.
    assert_eq!(last[0], Err("line 80002 is \"z\", which is no number".into()));
}
