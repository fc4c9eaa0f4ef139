//! What is said where CUDA cannot be used: each sentence that other programs rely on, from the real binary with a driver that is not
//! one, whose answers the tests choose.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::common::{Desk, refused_in};

/// What of the CUDA driver API is asked; the environment says what it answers.
const DRIVER: &str = r#"
#include <cstdlib>
#include <cstring>

static int told(const char *name, int otherwise) {
    const char *value = std::getenv(name);
    return value ? std::atoi(value) : otherwise;
}

extern "C" {
int cuDriverGetVersion(int *version) { *version = told("FAKE_VERSION", 13000); return 0; }
int cuInit(unsigned) { return told("FAKE_INIT", 0); }
int cuDeviceGetCount(int *count) { *count = told("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int) { std::strncpy(name, "Tesla of a test", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = (size_t)16 << 30; return 0; }
int cuDeviceGetAttribute(int *value, int which, int) {
    *value = which == 75 ? told("FAKE_MAJOR", 9) : told("FAKE_MINOR", 0);
    return 0;
}
int cuGetErrorString(int status, const char **words) {
    *words = status == 803 ? "system has unsupported display driver / cuda driver combination" : nullptr;
    return *words ? 0 : 1;
}
}
"#;

/// The folder of that driver, built once.
fn driver() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let built = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("driver.cpp"), DRIVER).unwrap();
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-fPIC", "-o", "libcuda.so.1", "driver.cpp"]).current_dir(folder.path());
        assert!(compile.status().unwrap().success(), "{compile:?}");
        folder
    });
    built.path().to_owned()
}

/// Asks for `device` where the driver answers as told: the message begins with these words and has the others, and the code is 8.
#[track_caller]
fn refused(device: &str, answers: &[(&str, &str)], begins: &str, has: &[&str]) {
    let driver = driver();
    let env = [&[("LD_LIBRARY_PATH", driver.to_str().unwrap())], answers].concat();
    let said = refused_in(&Desk::new(), &env, &["check", "--device", device], 8, begins);
    assert!(said.starts_with(&format!("bd: {begins}")), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for words in has.iter().chain(&["--device cpu"]) {
        assert!(said.contains(words), "{words:?} not in {said}");
    }
}

#[test]
fn every_command_says_it() {
    let driver = driver();
    let env = [("LD_LIBRARY_PATH", driver.to_str().unwrap()), ("FAKE_COUNT", "0")];
    for command in [&["train", "ngrc", "--out", "run"][..], &["train", "rnn"], &["train", "snn"]] {
        let args = [command, &["--device", "cuda"]].concat();
        let said = refused_in(&Desk::new(), &env, &args, 8, "no GPU is visible (the driver counts 0)");
        assert!(said.starts_with("bd: no GPU is visible"), "{said}");
    }
}

#[test]
fn no_driver() {
    let desk = Desk::new();
    // In front of whatever the machine has.
    fs::write(desk.path("libcuda.so.1"), "this is no library").unwrap();
    let folder = desk.path("");
    let env = [("LD_LIBRARY_PATH", folder.to_str().unwrap())];
    let said = refused_in(&desk, &env, &["check", "--device", "cuda"], 8, "no NVIDIA driver found (");
    assert!(said.starts_with("bd: no NVIDIA driver found (") && said.contains("libcuda.so.1"), "{said}");
    refused(
        "cuda",
        &[("FAKE_INIT", "34")],
        "no NVIDIA driver found (libcuda.so.1 is the stub",
        &["install the NVIDIA driver"],
    );
}

#[test]
fn a_driver_that_is_too_old() {
    let has = ["it supports CUDA 12.8, needed is 13.0", "update the driver"];
    refused("cuda", &[("FAKE_VERSION", "12080")], "the NVIDIA driver is too old: ", &has);
}

#[test]
fn no_gpu() {
    let remedy = "check nvidia-smi, CUDA_VISIBLE_DEVICES and the container's --gpus option";
    refused("cuda", &[("FAKE_COUNT", "0")], "no GPU is visible (the driver counts 0)", &[remedy]);
    let hidden = [("FAKE_INIT", "100"), ("CUDA_VISIBLE_DEVICES", "")];
    refused("cuda", &hidden, "no GPU is visible (the driver reports no device, CUDA_VISIBLE_DEVICES is '')", &[remedy]);
    let beyond = "no GPU is visible (cuda:3 was asked for, the last one is cuda:1)";
    refused("cuda:3", &[("FAKE_COUNT", "2")], beyond, &[remedy]);
    refused("cuda", &[("FAKE_INIT", "2")], "no GPU is visible (cuInit failed with error 2)", &[remedy]);
}

/// What containers give whose driver is not that of the machine, or whose devices are missing.
#[test]
fn broken_containers() {
    for (status, has) in [
        ("802", "nvidia-fabricmanager"),
        (
            "803",
            "system has unsupported display driver / cuda driver combination); libcuda.so.1 and the kernel's module are of different",
        ),
        ("804", "libcuda.so.1 is of a compatibility package"),
        ("999", "/dev/nvidia-uvm"),
    ] {
        let begins = format!("no GPU is visible (cuInit failed with error {status}");
        refused("cuda", &[("FAKE_INIT", status)], &begins, &[has]);
    }
}

#[test]
fn a_gpu_that_is_too_old() {
    let has = ["Tesla of a test has compute capability 7.0, needed is 7.5"];
    refused("cuda", &[("FAKE_MAJOR", "7")], "the GPU is too old: ", &has);
}

/// Driver and GPU are fine, libtorch is that for CPUs.
#[test]
fn no_cuda_in_libtorch() {
    let libtorch = bd_core::libtorch::file().unwrap();
    if libtorch.with_file_name("libtorch_cuda.so").exists() {
        return eprintln!("left out: this libtorch has CUDA");
    }
    let has = ["libtorch_cuda.so", "run scripts/libtorch --cuda"];
    refused("cuda", &[], "a CUDA library is missing: ", &has);
    let desk = Desk::new();
    let facts = desk.bd_in(&[("LD_LIBRARY_PATH", driver().to_str().unwrap())], &["info"]);
    assert!(
        facts.stdout.contains("cuda:0    Tesla of a test, memory 16.0 GiB, compute capability 9.0"),
        "{}",
        facts.stdout
    );
    assert!(facts.stdout.contains("cuda      not usable: a CUDA library is missing: "), "{}", facts.stdout);
}

/// It runs on the CPU and says so, with the reason; where nothing is to be said, it says nothing.
#[test]
fn auto_says_what_it_chose_and_why() {
    let driver = driver();
    let env = [("LD_LIBRARY_PATH", driver.to_str().unwrap()), ("FAKE_COUNT", "0")];
    let args = ["train", "rnn", "--device", "auto", "--updates", "2", "--out"];
    let desk = Desk::new();
    let ended = desk.bd_in(&env, &[&args[..], &["run"]].concat());
    let words = "device    auto is cpu, for CUDA is not usable: no GPU is visible (the driver counts 0)";
    assert!(ended.code == 0 && ended.stderr.contains(words), "{}", ended.stderr);
    let ended = desk.bd_in(&env, &["eval", "run", "--device", "auto"]);
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    let ended = desk.bd_in(&env, &[&args[..], &["quiet", "--quiet"]].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
