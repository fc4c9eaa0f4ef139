//! Messages to standard error, results to standard output.

use std::io::{ErrorKind, Write, stderr, stdout};

use bd_core::{Error, Result};

/// A message. Whether anybody reads it must not matter to a run.
pub(crate) fn message(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// A result. A reader that has left, as in `bd info | head -n 1`, is no error; a full disk is.
pub(crate) fn result(text: &str) -> Result<()> {
    match writeln!(stdout(), "{text}").and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::storage("write", "standard output")(error)),
        _ => Ok(()),
    }
}
