//! Runs the real binary in a folder of its own, with an empty environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bd_core::Rng;
use bd_core::npz::{load_npz, save_npz};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// A folder that `bd` runs in, removed at the end.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

/// How a run of `bd` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `bd` with signals as they are by default: a shell starts what runs in its background with SIGINT ignored, which is inherited.
pub(crate) fn bd_that_hears_signals() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP,USR1").arg(env!("CARGO_BIN_EXE_bd"));
    command
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// No variable is set: not where libtorch is, not HOME, nothing.
    pub(crate) fn bd(&self, args: &[&str]) -> Ended {
        self.bd_in(&[], args)
    }

    /// The same where some variables are set.
    pub(crate) fn bd_in(&self, env: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
        let command = command.args(args).env_clear().envs(env.iter().copied()).current_dir(self.folder.path());
        ended(command.output().unwrap())
    }

    /// The same with `--json`: the object it prints.
    pub(crate) fn bd_json(&self, args: &[&str]) -> Value {
        let ended = self.bd(&[args, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap()
    }

    /// Names of all files, relative, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut all = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut all);
        all.sort();
        all
    }
}

/// A metric of what `--json` has printed.
pub(crate) fn metric(result: &Value, name: &str) -> f64 {
    result["metrics"][name].as_f64().unwrap_or_else(|| panic!("no metric {name} in {result}"))
}

/// Runs `bd` and checks code and words; the folder must be as before.
#[track_caller]
pub(crate) fn refused_by(desk: &Desk, args: &[&str], code: i32, words: &str) {
    refused_in(desk, &[], args, code, words);
}

/// The same where some variables are set; what was said.
#[track_caller]
pub(crate) fn refused_in(desk: &Desk, env: &[(&str, &str)], args: &[&str], code: i32, words: &str) -> String {
    refusal(desk, env, args, code, words).unwrap_or_else(|fault| panic!("{fault}"))
}

/// What was said by a run of `bd` that ended with `code`, said `words` once and left nothing behind; or what was otherwise.
pub(crate) fn refusal(
    desk: &Desk,
    env: &[(&str, &str)],
    args: &[&str],
    code: i32,
    words: &str,
) -> Result<String, String> {
    let before = desk.files();
    let Ended { code: found, stdout, stderr } = desk.bd_in(env, args);
    let fault = match stderr.matches(words).count() {
        0 => format!("{words:?} is not said"),
        2.. => format!("{words:?} is said more than once"),
        _ if found != code => format!("the code is not {code}"),
        _ if stderr.contains("panicked") || stderr.contains("frame #") => "it panicked".into(),
        _ if !stdout.is_empty() => format!("it printed {stdout:?}"),
        _ if desk.files() != before => "it left something behind".into(),
        _ => return Ok(stderr),
    };
    Err(format!("{fault}; {args:?} ended with {found}:\n{stderr}"))
}

pub(crate) fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn walk(root: &Path, folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.push(path.strip_prefix(root).unwrap().display().to_string());
        if path.is_dir() {
            walk(root, &path, all);
        }
    }
}

/// A file of tests/data.
pub(crate) fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name).display().to_string()
}

/// Writes arrays as an `.npz` file.
pub(crate) fn save(desk: &Desk, name: &str, arrays: &[(&str, &Tensor)]) {
    let arrays: Vec<_> = arrays.iter().map(|(name, array)| ((*name).to_owned(), array.shallow_clone())).collect();
    save_npz(&desk.path(name), &arrays).unwrap();
}

/// Of an `.npz` file.
pub(crate) fn array(desk: &Desk, file: &str, name: &str) -> Tensor {
    let arrays = load_npz(&desk.path(file)).unwrap();
    let found = arrays.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no array {name} in {file}")).1.shallow_clone()
}

pub(crate) fn json_of(desk: &Desk, name: &str) -> Value {
    serde_json::from_slice(&fs::read(desk.path(name)).unwrap()).unwrap()
}

/// The lines of metrics.jsonl.
pub(crate) fn reports(desk: &Desk, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(desk.path(run).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn same_bytes(desk: &Desk, file: &str, one: &str, two: &str) -> bool {
    let read = |run: &str| fs::read(desk.path(run).join(file)).unwrap();
    read(one) == read(two)
}

/// Normal, in float64, a function of the name.
pub(crate) fn noise(name: &str, shape: &[i64]) -> Tensor {
    Rng::new(0, name).tensor(shape, (Kind::Double, Device::Cpu), Rng::normal)
}

/// `examples/ei_digits.toml` with 24 and 6 neurons, and 50 channels.
pub(crate) fn small_network() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ei_digits.toml");
    let text = fs::read_to_string(path).unwrap();
    let small = [
        ("n = 700", "n = 50"),
        ("n = 320", "n = 24"),
        ("n = 80", "n = 6"),
        ("p = 0.2", "p = 0.5"),
        ("dt_ms = 1", "dt_ms = 4"),
        ("0.12*rand()", "1.2*rand()"),
        ("delay = \"2*ms\"", "delay = \"8*ms\""),
        ("delay = \"1*ms\"", "delay = \"4*ms\""),
    ];
    small.into_iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}
