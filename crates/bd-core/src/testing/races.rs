//! A second opinion on races between the threads of a kernel: its text is compiled as C++, each of its threads is one of the machine,
//! and ThreadSanitizer sees which numbers two of them touch, one at least writing, with no waiting in between.
//!
//! [`emulated`](super::emulated) kernels are checked for the same by code of ours. ThreadSanitizer is the work of others, but it sees only what
//! the scheduler let happen: that it finds nothing is no proof, and that it finds something is luck.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use super::emulated::run_compiler;
use crate::error::{Error, Result};

const BEFORE: [&str; 2] = [include_str!("cuda_as_cpp.cpp"), include_str!("races.cpp")];

/// What ThreadSanitizer says of a text, empty if there is nothing to say; `None` if the C++ compiler has none.
///
/// `text` defines `real` in its first line, as [`definitions`](crate::kernel::gpu::definitions) does. `main` is the body of a
/// C++ function that starts a kernel: `races::run(blocks, threads, shared_bytes, [=] { kernel(..); })` with numbers from
/// `races::numbers(count)`, all 0.25.
pub fn races(text: &str, main: &str) -> Result<Option<String>> {
    let folder = tempfile::tempdir().map_err(Error::storage("create", env::temp_dir()))?;
    let build = |name: &str, source: &[&str]| -> Result<Option<String>> {
        let (file, program) = (folder.path().join(format!("{name}.cpp")), folder.path().join(name));
        fs::write(&file, source.concat()).map_err(Error::storage("write", &file))?;
        let options = ["-std=c++17", "-O1", "-w", "-fsanitize=thread", "-pthread", "-o"];
        run_compiler(|compiler| compiler.args(options).arg(&program).arg(&file))?;
        let environment = [("TSAN_OPTIONS", "report_bugs=1 halt_on_error=1 exitcode=66")];
        let ran = Command::new(&program).envs(environment).stdin(Stdio::null()).output();
        let ran = ran.map_err(Error::storage("run", &program))?;
        match ran.status.code() {
            Some(0) => Ok(Some(String::new())),
            Some(66) => Ok(Some(String::from_utf8_lossy(&ran.stderr).into_owned())),
            // Of a machine whose addresses it does not know, for example.
            _ => Ok(None),
        }
    };
    if !matches!(build("nothing", &["int main() {}"]), Ok(Some(_))) {
        return Ok(None);
    }
    // The dtype comes first, for `races::numbers` are of it.
    let (real, rest) = text.split_once('\n').unwrap_or((text, ""));
    let program = [BEFORE[0], real, "\n", BEFORE[1], rest, "\nint main() {\n", main, "\n  return 0;\n}\n"];
    match build("kernel", &program)? {
        Some(said) => Ok(Some(said)),
        None => Err(Error::Gpu("a kernel under ThreadSanitizer ended in no known way".into())),
    }
}
