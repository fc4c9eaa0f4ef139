//! The C++ compiler of this machine, if it has one.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Commands that are tried after `$CXX`.
const COMMANDS: [&str; 3] = ["c++", "g++", "clang++"];

/// How loops are compiled, beside the instructions that they may use. No two operations become one unless the text says so. That operations
/// set no flags and no `errno` lets both sides of a choice be worked out at once; it changes no number.
const FLAGS: [&str; 8] =
    ["-x", "c++", "-std=c++17", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", "-w"];

/// How a shared library is made, without what C++ programs need beside.
const LINK: [&str; 3] = ["-shared", "-fPIC", "-nostdlib"];

/// A command that compiles C++.
#[derive(Debug, Clone)]
pub(super) struct Compiler {
    words: Vec<String>,
    /// The first line of its `--version`.
    pub(super) version: String,
}

impl Compiler {
    /// That of this process: `$CXX`, else the first of `c++`, `g++`, `clang++` on the path that knows its version.
    pub(super) fn of_this_machine() -> Result<&'static Self, &'static str> {
        static FOUND: OnceLock<Result<Compiler, String>> = OnceLock::new();
        let own = || env::var("CXX").ok().filter(|command| !command.trim().is_empty());
        let commands = || own().into_iter().chain(COMMANDS.map(str::to_owned));
        FOUND.get_or_init(|| Self::first_of(commands())).as_ref().map_err(String::as_str)
    }

    pub(super) fn first_of(commands: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut tried = Vec::new();
        for command in commands {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let version = output(&words, ["--version"]).ok();
            if let Some(line) = version.as_deref().and_then(|text| text.lines().next()) {
                return Ok(Self { words, version: line.to_owned() });
            }
            tried.push(command);
        }
        Err(format!("there is no C++ compiler (tried {})", tried.join(", ")))
    }

    /// What a library depends on beside its text.
    pub(super) fn identity(&self, flags: &[&str]) -> String {
        format!("{:?} {} {FLAGS:?} {LINK:?} {flags:?}", self.words, self.version)
    }

    /// Makes a shared library of a text, in a folder that has room for it.
    pub(super) fn compile(&self, text: &Path, flags: &[&str], library: &Path) -> Result<(), String> {
        let options = FLAGS.iter().chain(&LINK).chain(flags).map(OsStr::new);
        let files = [OsStr::new("-o"), library.as_os_str(), text.as_os_str()];
        output(&self.words, options.chain(files))
            .map(|_| ())
            .map_err(|error| format!("{}: {error}", self.words.join(" ")))
    }
}

/// What a command prints, or the first line of what it complains of.
fn output<S: AsRef<OsStr>>(words: &[String], arguments: impl IntoIterator<Item = S>) -> Result<String, String> {
    let (command, first) = words.split_first().ok_or("an empty command")?;
    let mut command = Command::new(command);
    command.args(first).args(arguments).stdin(Stdio::null());
    let done = command.output().map_err(|error| error.to_string())?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => {
            let complaint = String::from_utf8_lossy(&done.stderr);
            let line = complaint.lines().find(|line| line.contains("error")).or(complaint.lines().next());
            Err(line.map_or_else(|| done.status.to_string(), str::to_owned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_compiler_is_named() {
        let error = Compiler::first_of(["/no/such/c++".to_owned(), String::new()]).unwrap_err();
        assert_eq!(error, "there is no C++ compiler (tried /no/such/c++, )");
    }

    #[test]
    fn a_text_that_is_no_program_is_a_reason() {
        let Ok(compiler) = Compiler::of_this_machine() else { return };
        let folder = tempfile::tempdir().unwrap();
        let [text, library] = ["a.cpp", "a.so"].map(|name| folder.path().join(name));
        std::fs::write(&text, "no program").unwrap();
        let error = compiler.compile(&text, &[], &library).unwrap_err();
        assert!(error.contains("a.cpp:1") && error.contains("error") && !library.exists(), "{error}");
    }
}
