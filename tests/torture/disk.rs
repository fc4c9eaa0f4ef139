//! A made-up disk: what a program does to the files of a folder is written down by `disk.cpp`, and done again here on a disk that
//! may lose power at any moment.
//!
//! The disk promises as little as POSIX does. The content of a file is safe once the file was synced, a name once its folder was;
//! of what came after that any part may survive, in any order. (Pillai et al., "All file systems are not created equal", OSDI
//! 2014, found in this way what programs rely on that file systems do not promise.)

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bd_core::Rng;

/// What a program did, in its order. Paths are relative to the folder that is watched; `""` is that folder.
#[derive(Debug)]
pub(crate) enum Act {
    Open { fd: i32, is_new: bool, is_cut: bool, path: String },
    Close { fd: i32 },
    Write { fd: i32, at: usize, data: Vec<u8> },
    Cut { fd: i32, len: usize },
    Sync { fd: i32 },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    Remove { path: String },
    Folder { path: String },
}

impl Act {
    /// Whether it is one of the changes that `disk.cpp` counts, and can let fail.
    pub(crate) fn is_change(&self) -> bool {
        !matches!(self, Self::Close { .. } | Self::Open { is_new: false, is_cut: false, .. })
    }
}

/// The library that watches, made once in a run of the tests.
fn library() -> &'static Path {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/disk.cpp");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let flags = ["-shared", "-fPIC", "-O1", "-std=c++17", "-o"];
        let made = Command::new(compiler).args(flags).arg(&path).arg(source).arg("-ldl").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (folder, path)
    });
    path
}

/// The changes that fail, counted from 0, with the number of an error of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) error: i32,
    /// Whether a write that fails has written half of its bytes.
    pub(crate) is_short: bool,
}

/// Lets `command` be watched: what it does to the files below `root` goes into the file `log`, and some of it fails.
pub(crate) fn watch<'c>(
    command: &'c mut Command,
    root: &Path,
    log: &Path,
    failing: Option<Failing>,
) -> &'c mut Command {
    command.env("LD_PRELOAD", library()).env("BD_DISK_ROOT", root).env("BD_DISK_LOG", log);
    if let Some(Failing { from, to, error, is_short }) = failing {
        command.env("BD_DISK_FAIL", format!("{from} {to} {error} {}", u8::from(is_short)));
    }
    command
}

/// What `disk.cpp` has written.
pub(crate) fn read_log(log: &Path, root: &Path) -> Vec<Act> {
    let content = fs::read(log).unwrap();
    let mut rest = &content[..];
    let mut acts = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        rest = &rest[end + 1..];
        let words: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| words[i].parse::<usize>().unwrap();
        let fd = || words[1].parse::<i32>().unwrap();
        let path = |i: usize| relative(words[i], root);
        acts.push(match words[0] {
            "open" => Act::Open { fd: fd(), is_new: words[2] == "1", is_cut: words[3] == "1", path: path(4) },
            "close" => Act::Close { fd: fd() },
            "write" => {
                let (data, after) = rest.split_at(number(3));
                rest = after;
                Act::Write { fd: fd(), at: number(2), data: data.to_vec() }
            }
            "cut" => Act::Cut { fd: fd(), len: number(2) },
            "sync" => Act::Sync { fd: fd() },
            "rename" => Act::Rename { from: path(1), to: path(2) },
            "link" => Act::Link { from: path(1), to: path(2) },
            "remove" => Act::Remove { path: path(1) },
            "folder" => Act::Folder { path: path(1) },
            other => panic!("{other}"),
        });
    }
    acts
}

fn relative(path: &str, root: &Path) -> String {
    Path::new(path).strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// A file or folder.
type Node = usize;

#[derive(Debug, Default)]
struct File {
    now: Vec<u8>,
    /// As of the last sync.
    safe: Vec<u8>,
}

/// A change of the names in one folder: these are gone, this one leads to something else.
#[derive(Debug, Clone)]
struct Change {
    gone: Option<String>,
    added: Option<(String, Node)>,
}

#[derive(Debug, Default)]
struct Folder {
    now: BTreeMap<String, Node>,
    safe: BTreeMap<String, Node>,
    since: Vec<Change>,
}

#[derive(Debug)]
enum Kind {
    File(File),
    Folder(Folder),
}

/// What survives of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Survives {
    Nothing,
    Everything,
    /// Names, and of the contents nothing: files that are empty.
    Names,
    /// Contents, but no name.
    Contents,
    /// Some names, and of each content a beginning or zeros in its place; drawn by this number.
    Some(u64),
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    nodes: Vec<Kind>,
    open: HashMap<i32, Node>,
}

const ROOT: Node = 0;

impl Disk {
    /// With an empty folder, which is safe.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Kind::Folder(Folder::default())], open: HashMap::new() }
    }

    pub(crate) fn apply(&mut self, act: &Act) {
        match act {
            Act::Open { fd, is_new, is_cut, path } => {
                if *is_new {
                    self.nodes.push(Kind::File(File::default()));
                    self.change(path, Some(self.nodes.len() - 1));
                }
                let node = self.find(path).unwrap_or_else(|| self.was_there(path));
                if *is_cut {
                    self.file(node).now.clear();
                }
                self.open.insert(*fd, node);
            }
            Act::Close { fd } => drop(self.open.remove(fd)),
            Act::Write { fd, at, data } => {
                let content = &mut self.of_open(*fd).now;
                content.resize(content.len().max(at + data.len()), 0);
                content[*at..at + data.len()].copy_from_slice(data);
            }
            Act::Cut { fd, len } => self.of_open(*fd).now.resize(*len, 0),
            Act::Sync { fd } => match &mut self.nodes[self.open[fd]] {
                Kind::File(file) => file.safe.clone_from(&file.now),
                Kind::Folder(folder) => {
                    folder.safe.clone_from(&folder.now);
                    folder.since.clear();
                }
            },
            Act::Rename { from, to } => self.rename(from, to),
            Act::Link { from, to } => {
                let node = self.find(from);
                self.change(to, node);
            }
            Act::Remove { path } => self.change(path, None),
            Act::Folder { path } => {
                self.nodes.push(Kind::Folder(Folder::default()));
                self.change(path, Some(self.nodes.len() - 1));
            }
        }
    }

    /// A file that was read and not made: it was there before, and is of no interest.
    fn was_there(&mut self, path: &str) -> Node {
        let node = self.nodes.len();
        self.nodes.push(Kind::File(File::default()));
        let (folder, name) = self.place(path);
        let Kind::Folder(folder) = &mut self.nodes[folder] else { panic!("a file") };
        folder.now.insert(name.clone(), node);
        folder.safe.insert(name, node);
        node
    }

    /// Within a folder a rename is one change.
    fn rename(&mut self, from: &str, to: &str) {
        let node = self.find(from);
        let ((folder, old), (target, new)) = (self.place(from), self.place(to));
        assert_eq!(folder, target, "nothing is moved from folder to folder");
        self.change_names(folder, Change { gone: Some(old), added: node.map(|node| (new, node)) });
    }

    fn change(&mut self, path: &str, node: Option<Node>) {
        let (folder, name) = self.place(path);
        let gone = node.is_none().then(|| name.clone());
        self.change_names(folder, Change { gone, added: node.map(|node| (name, node)) });
    }

    fn change_names(&mut self, folder: Node, change: Change) {
        let Kind::Folder(folder) = &mut self.nodes[folder] else { panic!("a file") };
        change.apply(&mut folder.now);
        folder.since.push(change);
    }

    fn of_open(&mut self, fd: i32) -> &mut File {
        self.file(self.open[&fd])
    }

    fn file(&mut self, node: Node) -> &mut File {
        let Kind::File(file) = &mut self.nodes[node] else { panic!("a folder") };
        file
    }

    fn find(&self, path: &str) -> Option<Node> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |node, name| match &self.nodes[node] {
            Kind::Folder(folder) => folder.now.get(name).copied(),
            Kind::File(_) => None,
        })
    }

    /// The folder of a path, and the name in it.
    fn place(&self, path: &str) -> (Node, String) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(folder).unwrap(), name.to_owned())
    }

    /// Whether the name of something is safe, and those of the folders above it.
    pub(crate) fn is_safe(&self, path: &str) -> bool {
        let safe = path.split('/').try_fold(ROOT, |node, name| match &self.nodes[node] {
            Kind::Folder(folder) => folder.safe.get(name).copied(),
            Kind::File(_) => None,
        });
        safe.is_some() && safe == self.find(path)
    }

    /// Writes into `folder` what is found when the power is back.
    pub(crate) fn write_survivors(&self, survives: Survives, folder: &Path) {
        let seed = if let Survives::Some(seed) = survives { seed } else { 0 };
        self.write(ROOT, survives, &mut Rng::new(seed, "power"), folder);
    }

    fn write(&self, node: Node, survives: Survives, rng: &mut Rng, path: &Path) {
        match &self.nodes[node] {
            Kind::File(file) => fs::write(path, file.survivor(survives, rng)).unwrap(),
            Kind::Folder(folder) => {
                fs::create_dir_all(path).unwrap();
                for (name, node) in folder.survivors(survives, rng) {
                    self.write(node, survives, rng, &path.join(name));
                }
            }
        }
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, node)) = &self.added {
            names.insert(name.clone(), *node);
        }
    }
}

impl Folder {
    fn survivors(&self, survives: Survives, rng: &mut Rng) -> BTreeMap<String, Node> {
        let mut names = self.safe.clone();
        for change in &self.since {
            let stays = match survives {
                Survives::Nothing | Survives::Contents => false,
                Survives::Everything | Survives::Names => true,
                Survives::Some(_) => rng.uniform() < 0.5,
            };
            if stays {
                change.apply(&mut names);
            }
        }
        names
    }
}

impl File {
    fn survivor(&self, survives: Survives, rng: &mut Rng) -> Vec<u8> {
        match survives {
            Survives::Nothing | Survives::Names => self.safe.clone(),
            Survives::Everything | Survives::Contents => self.now.clone(),
            Survives::Some(_) if self.now == self.safe => self.now.clone(),
            Survives::Some(_) => {
                // What was written since begins where the two differ.
                let same = self.now.iter().zip(&self.safe).take_while(|(now, safe)| now == safe).count();
                let written = same + ((self.now.len() - same) as f64 * rng.uniform()) as usize;
                let mut content = self.now[..written].to_vec();
                if rng.uniform() < 0.5 {
                    content.resize(self.now.len(), 0);
                }
                content
            }
        }
    }
}
