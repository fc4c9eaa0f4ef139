//! A scratch root: what an image holds, with the base's libraries taken from this machine.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::dockerfile::{Stage, checkout, stages};

/// How `docker/enter` ends where no root can be entered.
pub(crate) const NO_ROOM: i32 = 125;

/// Prints the environment.
pub(crate) const ENV: &str = "/usr/bin/env";

pub(crate) struct Room {
    folder: tempfile::TempDir,
    /// The last stage of the image.
    pub(crate) last: Stage,
}

impl Room {
    /// Carries out an image's steps, up to the last stage. The libtorch is that of the tests, the program that under test.
    pub(crate) fn of_image(flavour: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut stages = stages(flavour);
        let last = stages.pop().unwrap();
        let room = Self { folder, last };
        for run in stages.iter().flat_map(|stage| stage.all("RUN")) {
            room.carry_out(run);
        }
        for copy in room.last.copies() {
            for source in copy.sources {
                let (source, target) = (room.inside(&source), room.root().join(copy.target.trim_start_matches('/')));
                fs::create_dir_all(&target).unwrap();
                // A folder is copied without itself, as in COPY.
                succeeds(Command::new("cp").arg("-a").arg(source.join(".")).arg(target));
            }
        }
        room.add_base();
        fs::create_dir(room.runs()).unwrap();
        fs::set_permissions(room.runs(), fs::Permissions::from_mode(0o777)).unwrap();
        room
    }

    fn carry_out(&self, run: &str) {
        let mut words = run.split(' ');
        let script = words.next().unwrap();
        let mut command = Command::new(checkout().join(script));
        match script {
            // With LIBTORCH set it fetches nothing and checks what is there. What is built is what cargo has built for this test.
            "scripts/libtorch" => drop(succeeds(&mut command)),
            "docker/compile" => {}
            "docker/root" => {
                let words = words.map(|word| if word.starts_with('/') { self.inside(word) } else { word.into() });
                succeeds(command.args(words).arg(env!("CARGO_BIN_EXE_bd")));
            }
            _ => panic!("cannot be carried out here: RUN {run}"),
        }
    }

    /// The loader and the libraries that `docker/libraries.txt` leaves to the base image, a program that tells the environment, and the
    /// folder of the kernel's files.
    fn add_base(&self) {
        for file in needed_of_this_machine().into_iter().chain([ENV.into()]) {
            let target = self.root().join(file.strip_prefix("/").unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, target).unwrap();
        }
        fs::create_dir(self.root().join("proc")).unwrap();
    }

    /// Where a path of a stage before the last lies.
    fn inside(&self, path: &str) -> PathBuf {
        self.folder.path().join("build").join(path.trim_start_matches('/'))
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What is seen as `/runs`.
    pub(crate) fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// Starts the entry point as a container does.
    pub(crate) fn start(&self, args: &[&str]) -> Output {
        let entry = self.last.words("ENTRYPOINT");
        self.enter(&entry.iter().map(String::as_str).chain(args.iter().copied()).collect::<Vec<_>>())
    }

    pub(crate) fn enter(&self, command: &[&str]) -> Output {
        let mut enter = Command::new(checkout().join("docker/enter"));
        enter.arg(self.root()).arg(self.runs()).args(command).output().unwrap()
    }

    /// All files of a folder of the root.
    pub(crate) fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut all = Vec::new();
        walk(&self.root().join(below), &mut all);
        all
    }

    /// The rows of the table that `docker/root` has left: megabytes, name and reason of what is kept.
    pub(crate) fn kept(&self) -> Vec<(f64, String, String)> {
        kept_in(&fs::read_to_string(self.root().join("opt/bd/libraries.txt")).unwrap())
    }
}

/// Of the table that `docker/root` prints, the first part.
pub(crate) fn kept_in(table: &str) -> Vec<(f64, String, String)> {
    let rows = table.lines().skip(1).take_while(|line| !line.is_empty());
    let row = |line: &str| {
        let (megabytes, rest) = line.trim().split_once("  ").unwrap();
        let (name, reason) = rest.trim().split_once("  ").unwrap();
        (megabytes.parse().unwrap(), name.to_owned(), reason.trim().to_owned())
    };
    rows.map(row).filter(|(_, name, _)| name != "in all").collect()
}

/// Straight to the stream: what `eprintln` writes in a test that passes is not shown.
pub(crate) fn skipped(what: &str) {
    std::io::stderr().write_all(format!("\nSKIPPED, {what}\n").as_bytes()).unwrap();
}

#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the loader finds for `bd` on this machine, apart from libtorch and its like.
fn needed_of_this_machine() -> Vec<PathBuf> {
    let table = fs::read_to_string(checkout().join("docker/libraries.txt")).unwrap();
    let base = table.lines().filter_map(|line| line.strip_prefix("base")?.split_whitespace().nth(1));
    let base: Vec<_> = base.collect();
    let list = succeeds(Command::new("ldd").arg(env!("CARGO_BIN_EXE_bd")));
    let paths = list.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    paths.filter(|path| path.file_name().is_some_and(|name| base.contains(&&*name.to_string_lossy()))).collect()
}

fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, all) } else { all.push(path) }
    }
}
