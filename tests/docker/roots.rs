//! The images' roots, made here and used.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::dockerfile::checkout;
use crate::room::{ENV, NO_ROOM, Room, skipped};

#[test]
fn bd_trains_in_the_root_for_cpus() {
    let room = Room::of_image("cpu");
    holds_what_it_should(&room, "cpu");
    trains(&room);
}

/// The download is 2.4 GB and the root 3 GB, so this is for those who have them.
#[test]
#[ignore = "needs scripts/libtorch --cuda"]
fn bd_trains_in_the_root_for_gpus() {
    let room = Room::of_image("cuda");
    holds_what_it_should(&room, "cuda");
    trains(&room);
}

/// Nothing to program with, and of libraries what README tells.
fn holds_what_it_should(room: &Room, flavour: &str) {
    for file in room.files("") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let unwanted = ["python", "gcc", "g++", "cc1", "ld.bfd", "pip"];
        assert!(!unwanted.iter().any(|begin| name.starts_with(begin)), "{} is there", file.display());
        for end in [".h", ".hpp", ".cuh", ".py", ".pyc", ".a", ".rs"] {
            assert!(!name.ends_with(end), "{} is there", file.display());
        }
    }
    assert_eq!(fs::metadata(room.root().join("runs")).unwrap().mode() & 0o777, 0o777);
    let told = fs::read_to_string(checkout().join("docker/README.md")).unwrap();
    for (megabytes, name, reason) in room.kept() {
        assert!(!reason.is_empty(), "{name} is there for no reason");
        // bd itself is larger here than in an image: it is built for tests.
        if megabytes > 20.0 && name != "bd" {
            let row = format!("| `{name}` | {megabytes:.0} |");
            assert!(told.contains(&row), "docker/README.md does not tell, of {flavour}: {row}");
        }
    }
}

/// As another user, on a root that cannot be written, with no variable set.
fn trains(room: &Room) {
    let info = room.start(&["info", "--json"]);
    if info.status.code() == Some(NO_ROOM) {
        let words = String::from_utf8_lossy(&info.stderr);
        return skipped(&format!("bd was not started in a root: no mounts, no user namespaces here. {words}"));
    }
    let variables = room.enter(&[ENV]);
    assert!(variables.status.success() && variables.stdout.is_empty(), "{variables:?}");
    let info: Value = serde_json::from_slice(&info.stdout).unwrap_or_else(|_| panic!("{info:?}"));
    assert_eq!(info["versions"]["libtorch_file"], "/opt/bd/lib/libtorch_cpu.so");
    assert!(info["versions"]["libtorch"].as_str().unwrap().starts_with("2.11.0"), "{info}");
    for library in room.files("opt/bd/lib") {
        resolves(room, &format!("/{}", library.strip_prefix(room.root()).unwrap().display()));
    }
    for job in [&["train", "ngrc"][..], &["train", "rnn", "--updates", "20"], &["train", "snn", "--epochs", "2"]] {
        let ended = room.start(&[job, &["--device", "cpu", "--json", "--quiet"]].concat());
        let words = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{job:?}: {words}");
        assert_eq!(words, "", "{job:?} says");
        let result: Value = serde_json::from_slice(&ended.stdout).unwrap();
        // The default place, runs/ of the folder `/`, is the volume.
        let run = result["run"].as_str().unwrap_or_else(|| panic!("{result}")).strip_prefix("runs/");
        let run = room.runs().join(run.unwrap_or_else(|| panic!("{result}")));
        assert!(run.join("manifest.json").is_file() && run.join("model.safetensors").is_file());
        let plots: Vec<_> = fs::read_dir(run.join("plots")).unwrap().collect();
        assert!(plots.len() >= 2, "{job:?}: {plots:?}");
        assert_ne!(fs::metadata(&run).unwrap().uid(), 0, "{job:?} ran as root");
    }
    let refused = room.start(&["train", "ngrc", "--out", "/elsewhere"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"), "{refused:?}");
}

/// Everything that a library needs is in the root, but for the driver.
fn resolves(room: &Room, library: &str) {
    let found = room.enter(&["/lib64/ld-linux-x86-64.so.2", "--list", library]);
    let words = [found.stdout, found.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let missing = words.lines().filter(|line| line.contains("not found") || line.contains("cannot open"));
    let missing: Vec<_> = missing.filter(|line| !line.contains("libcuda.so.1")).collect();
    assert!(missing.is_empty() && !words.is_empty(), "{library}: {missing:?}");
}
