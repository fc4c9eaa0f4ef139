//! Messages to standard error, results to standard output.

use std::borrow::Cow;
use std::io::{ErrorKind, Write, stderr, stdout};

use bd_core::{Error, Result};

/// A message. Whether anybody reads it must not matter to a run.
pub(crate) fn message(text: &str) {
    let _ = writeln!(stderr(), "{}", printable(text));
}

/// With what is in no name and would move the cursor or colour the terminal written out: names come from files of strangers.
fn printable(text: &str) -> Cow<'_, str> {
    let is_wild = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_wild) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_wild(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A result. A reader that has left, as in `bd info | head -n 1`, is no error; a full disk is.
pub(crate) fn result(text: &str) -> Result<()> {
    match writeln!(stdout(), "{}", printable(text)).and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::storage("write", "standard output")(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_does_not_colour_the_terminal() {
        assert_eq!(printable("a\tb\n"), "a\tb\n");
        assert_eq!(printable("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
    }
}
