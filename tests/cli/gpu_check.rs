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

fn gpu_check(desk: &Desk, args: &[&str]) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/gpu-check");
    let mut command = Command::new("python3");
    command.arg(script).args(args).current_dir(desk.path(""));
    ended(command.env_remove("OUT").env("LD_LIBRARY_PATH", "of/the/test").output().unwrap())
}

#[test]
fn what_fails_is_told_and_the_rest_is_done() {
    if Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("left out: there is no python3");
    }
    let desk = Desk::new();
    for (name, text) in
        [("bd", BD), ("tests/kernels", "#!/bin/sh\nexit 1\n"), ("benches/cuda", "#!/bin/sh\necho 7 ms\n")]
    {
        let file = desk.path("packed").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ended = gpu_check(&desk, &["--binaries", "packed", "--limit", "10"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    for words in [
        "libraries in of/the/test",
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
    let ours = desk.files().into_iter().filter(|file| !file.starts_with("packed")).collect::<Vec<_>>();
    assert_eq!(ours, ["gpu-check", "gpu-check/log.txt", "gpu-check/results.json"]);
    assert_eq!(json_of(&desk, "gpu-check/results.json")["steps"].as_array().unwrap().len(), 10);
}

#[test]
fn without_binaries_it_says_where_they_come_from() {
    if Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("left out: there is no python3");
    }
    let ended = gpu_check(&Desk::new(), &["--binaries", "nowhere"]);
    assert!(ended.code == 1 && ended.stderr.contains("build it (cargo build --release)"), "{}", ended.stderr);
}
