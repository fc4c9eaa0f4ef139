//! [`Failure`]: how a command fails: words on standard error, a code, and with `--json` one object on standard output.

use std::io::ErrorKind;

use bd_core::Error;
use serde_json::{Value, json};

use crate::check::ChecksFailed;
use crate::console;
use crate::hints;
use crate::processes::{self, Failed, LOST};
use crate::signals::Interrupted;
use crate::sweep::TrialFailed;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    kind: &'static str,
    message: String,
    /// The folder of the run, of one that was stopped and is kept.
    run: Option<String>,
    /// Whether its object stands on standard output already.
    printed: bool,
}

impl Failure {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let message = hints::told(error);
        if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
            let run = interrupted.kept().map(|path| path.to_string_lossy().into_owned());
            let printed = interrupted.has_printed();
            return Self { code: interrupted.exit_code(), kind: "stopped", message, run, printed };
        }
        if let Some(failed) = error.downcast_ref::<TrialFailed>() {
            return Self { code: failed.code, kind: "trial_failed", message, run: None, printed: true };
        }
        if let Some(failed) = error.downcast_ref::<Failed>() {
            // The first process has said it, if it could.
            let printed = failed.first_has_said();
            return Self { code: failed.exit_code(), kind: "process_failed", message, run: None, printed };
        }
        if error.is::<ChecksFailed>() {
            return Self { code: 9, kind: "check_failed", message, run: None, printed: true };
        }
        let (code, kind) = error.downcast_ref::<Error>().map_or((1, "bug"), of_error);
        Self { code, kind, message, run: None, printed: false }
    }

    pub(crate) fn bug(message: String) -> Self {
        Self { code: 1, kind: "bug", message, run: None, printed: false }
    }

    /// Says it, for people and, if asked for, for programs. Gives the exit code.
    pub(crate) fn say(self, as_json: bool) -> u8 {
        console::message(&format!("{}: {}", processes::who(), self.message));
        processes::tell_launcher(&self.message);
        if as_json && !self.printed {
            // Its code says what happened, whether or not anybody can read this.
            let _ = console::result(&self.json().to_string());
        }
        self.code
    }

    fn json(&self) -> Value {
        let mut error = json!({"code": self.code, "kind": self.kind, "message": self.message});
        if let Some(run) = &self.run {
            error["run"] = json!(run);
        }
        json!({ "error": error })
    }
}

/// The code that `--help` lists, and a word for it.
fn of_error(error: &Error) -> (u8, &'static str) {
    match error {
        Error::Config(_) | Error::Setting { .. } | Error::Shape { .. } | Error::DtypeOrDevice { .. } => {
            (2, "configuration")
        }
        Error::NotFinite { .. } => (3, "not_finite"),
        Error::OutOfMemory(_) => (4, "out_of_memory"),
        // What was named is not there, which is so wherever it is found.
        Error::Storage { action: "read", source, .. } if source.kind() == ErrorKind::NotFound => (7, "bad_file"),
        Error::Storage { .. } => (5, "storage"),
        Error::Locked { .. } => (6, "locked"),
        Error::BadFile { .. } | Error::Mismatch { .. } => (7, "bad_file"),
        Error::Cuda(_) | Error::Gpu(_) => (8, "device"),
        Error::ProcessGroup(_) => (LOST, "process_group"),
        _ => (1, "bug"),
    }
}

/// What is not understood, and what clap prints where help is asked for. Gives the exit code. Whether an object is
/// wanted nobody knows but from the words.
pub(crate) fn of_usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    let code = error.exit_code() as u8;
    if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure = Failure { code, kind: "usage", message, run: None, printed: false };
        let _ = console::result(&failure.json().to_string());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_object() {
        let error = Error::NotFinite { what: "the loss".into(), where_: "at update 3".into() };
        let found = Failure::of(&error.into()).json();
        let message = "the loss is not finite: at update 3";
        assert_eq!(found, json!({"error": {"code": 3, "kind": "not_finite", "message": message}}));
        assert_eq!(Failure::of(&anyhow::anyhow!("else")).json()["error"]["kind"], "bug");
    }
}
