//! `scripts/gpu-check`: goes on after what fails, says so in the end, and needs neither Cargo nor a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common::{Desk, Ended, ended, json_of};

/// A `bd` whose check fails and whose spiking networks do not come back.
const BD: &str = r#"#!/bin/sh
case "$1 $2" in
  "info ") echo "libraries in $LD_LIBRARY_PATH" ;;
  "check --device")
    echo '{"failed": ["gru (cpu f32)"], "models": [{"model": "gru", "checks": {"cpu_f32": {"why": "gradient of input is zero"}}}]}'
    exit 9 ;;
  "train snn") exec sleep 60 ;;
  "train "*) echo '{"seconds": {"total": 1.5, "update": {"median": 0.0025}}, "metrics": {"test_nmse": 0.125, "vpt": 1.39}}' ;;
esac
"#;

/// The script in the folder of the desk, on a machine whose folders of libraries are `libraries`.
fn gpu_check(desk: &Desk, libraries: &str, args: &[&str]) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/gpu-check");
    let mut command = Command::new("python3");
    command.arg(script).args(args).current_dir(desk.path(""));
    ended(command.env_remove("OUT").env("PYTHONPATH", "python").env("LD_LIBRARY_PATH", libraries).output().unwrap())
}

/// The folder of the desk, as its programs see it.
fn here(desk: &Desk) -> String {
    fs::canonicalize(desk.path("")).unwrap().display().to_string()
}

pub(crate) fn no_python() -> bool {
    let missing = Command::new("python3").arg("--version").output().is_err();
    if missing {
        eprintln!("left out: there is no python3");
    }
    missing
}

/// A file that can be executed.
fn program(desk: &Desk, name: &str, text: &str) {
    file(desk, name, text);
    fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn file(desk: &Desk, name: &str, text: &str) {
    let file = desk.path(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
}

/// The torch of a `python3` that runs in the folder of the desk.
fn torch(desk: &Desk, version: &str) {
    file(desk, "python/torch/__init__.py", "raise ImportError('nothing has to import it')");
    file(desk, "python/torch/version.py", &format!("__version__ = '{version}'\n"));
}

#[test]
fn what_fails_is_told_and_the_rest_is_done() {
    if no_python() {
        return;
    }
    let desk = Desk::new();
    for (name, text) in
        [("bd", BD), ("tests/kernels", "#!/bin/sh\nexit 1\n"), ("benches/cuda", "#!/bin/sh\necho 7 ms\n")]
    {
        program(&desk, &format!("packed/{name}"), text);
    }
    file(&desk, "libtorch/lib/libtorch_cpu.so", "");
    let ended = gpu_check(&desk, "driver:libtorch/lib", &["--binaries", "packed", "--limit", "10"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    for words in [
        &format!("libraries in {0}/driver:{0}/libtorch/lib\n", here(&desk)),
        "gru (cpu_f32): gradient of input is zero",
        "FAIL (exit code 9)",
        "FAIL (longer than 10 s)",
        "test_nmse 0.125",
        "bench cuda",
        "7 ms",
        "4 of 10 failed: bd check, test kernels, snn on cpu, snn on cuda",
    ] {
        assert!(ended.stdout.contains(words), "{words:?} not in\n{}{}", ended.stdout, ended.stderr);
    }
    let ours = desk.files().into_iter().filter(|file| file.starts_with("gpu-check")).collect::<Vec<_>>();
    assert_eq!(ours, ["gpu-check", "gpu-check/log.txt", "gpu-check/results.json"]);
    assert_eq!(json_of(&desk, "gpu-check/results.json")["steps"].as_array().unwrap().len(), 10);
}

#[test]
fn without_binaries_it_says_where_they_come_from() {
    if no_python() {
        return;
    }
    let ended = gpu_check(&Desk::new(), "", &["--binaries", "nowhere"]);
    assert!(ended.code == 1 && ended.stderr.contains("build it (cargo build --release)"), "{}", ended.stderr);
}

/// Machines with a GPU often name the driver's folders in `LD_LIBRARY_PATH`: libtorch is looked for in python's torch all the same, and
/// stands before them.
#[test]
fn folders_without_libtorch_stand_behind_that_of_torch() {
    if no_python() {
        return;
    }
    let desk = Desk::new();
    program(&desk, "packed/bd", "#!/bin/sh\necho \"libraries in $LD_LIBRARY_PATH\"\n");
    file(&desk, "driver/libcuda.so.1", "");
    torch(&desk, "2.11.0+cu130");
    let torch_first = format!("libraries in {0}/python/torch/lib:{0}/driver", here(&desk));
    let torch_alone = format!("libraries in {0}/python/torch/lib", here(&desk));
    for (given, expected) in [("driver:", torch_first), ("", torch_alone)] {
        let ended = gpu_check(&desk, given, &["--binaries", "packed"]);
        let log = fs::read_to_string(desk.path("gpu-check/log.txt")).unwrap();
        assert!(log.lines().any(|line| line == expected), "{expected} not in\n{log}{}", ended.stderr);
    }
    torch(&desk, "2.10.0+cu128");
    let ended = gpu_check(&desk, "driver", &["--binaries", "packed"]);
    let words = "the torch of this python3 is 2.10.0+cu128, needed is 2.11.0; set LD_LIBRARY_PATH";
    assert!(ended.code == 1 && ended.stderr.contains(words), "{}", ended.stderr);
}
