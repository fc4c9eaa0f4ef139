//! The shared library: without libtorch, from C, and from Python. Both print the bytes that `Runner` gives.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bd_runner::Runner;

mod common;

const STEPS: usize = 50;

/// Cargo puts it beside the tests of its package.
fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let library = deps.join("libbd_runner.so");
    assert!(library.exists(), "{} is not there", library.display());
    library
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The inputs of both programs, and what the runner says to them.
fn known(run: &Path) -> Vec<Vec<f32>> {
    let mut runner = Runner::open(run).unwrap();
    let inputs = runner.inputs();
    let x = |step: usize| (0..inputs).map(|i| ((step + i) % 7) as f32 * 0.25).collect::<Vec<_>>();
    (0..STEPS).map(|step| runner.step(&x(step)).unwrap().to_vec()).collect()
}

fn found(words: &str, number: impl Fn(&str) -> f32) -> Vec<Vec<f32>> {
    words.lines().map(|line| line.split_whitespace().map(&number).collect()).collect()
}

/// Of C's hexadecimal form, such as `-0x1.8p-3`.
fn hexadecimal(word: &str) -> f32 {
    let (sign, word) = word.strip_prefix('-').map_or((1.0, word), |word| (-1.0, word));
    let (digits, power) = word.strip_prefix("0x").and_then(|word| word.split_once('p')).unwrap();
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = u64::from_str_radix(&format!("{whole}{rest}"), 16).unwrap() as f64;
    (sign * digits * 2f64.powi(power.parse::<i32>().unwrap() - 4 * rest.len() as i32)) as f32
}

/// With the library that it was linked with: Cargo's variable may lead to one of an earlier build.
fn run_program(program: &Path, run: &Path) -> Output {
    Command::new(program).arg(run).arg(STEPS.to_string()).env_remove("LD_LIBRARY_PATH").output().unwrap()
}

#[test]
fn it_needs_no_libtorch() {
    let Ok(output) = Command::new("ldd").arg(library()).output() else {
        eprintln!("not run: there is no ldd");
        return;
    };
    let needed = text(&output);
    assert!(needed.contains("libc.so"), "{needed}");
    for name in ["torch", "c10", "mkl", "stdc++"] {
        assert!(!needed.contains(name), "the library needs {name}:\n{needed}");
    }
}

#[test]
fn c_gives_the_same_bytes() {
    let Ok(output) = Command::new("cc").arg("--version").output() else {
        eprintln!("not run: there is no C compiler, cc");
        return;
    };
    text(&output);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("control_loop");
    let deps = library().parent().unwrap().display().to_string();
    let built = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-std=c99", "-I"])
        .arg(package().join("include"))
        .arg(package().join("examples/control_loop.c"))
        .args([format!("-L{deps}"), "-lbd_runner".into(), format!("-Wl,-rpath,{deps}"), "-o".into()])
        .arg(&program)
        .output()
        .unwrap();
    text(&built);
    for (name, run) in [("gru", common::cells("gru", 3, 2, 20, 3)), ("ngrc", common::ngrc())] {
        let run_folder = folder.path().join(name);
        run.write(&run_folder);
        let printed = run_program(&program, &run_folder);
        assert_eq!(found(&text(&printed), hexadecimal), known(&run_folder), "{name}");
    }
    let refused = run_program(&program, &folder.path().join("none"));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.starts_with("cannot read "), "{words}");
}

const PROGRAM: &str = "
import sys, numpy, bd_runner
with bd_runner.open(sys.argv[1]) as runner:
    for step in range(int(sys.argv[2])):
        y = runner.step(numpy.array([(step + i) % 7 * 0.25 for i in range(runner.inputs)], numpy.float32))
        assert y.dtype == numpy.float32 and y.shape == (runner.outputs,)
        print(*(float(v).hex() for v in y))
    for wrong in [numpy.zeros(99), numpy.full(runner.inputs, numpy.nan)]:
        try:
            runner.step(wrong)
        except ValueError as error:
            print(error, file=sys.stderr)
        else:
            raise AssertionError('it was not refused')
many = bd_runner.open(sys.argv[1], lanes=3)
assert many.step(numpy.zeros((3, many.inputs))).shape == (3, many.outputs)
many.reset(1)
";

/// The wheel is packed with the library of the tests, and unpacked as pip does it.
#[test]
fn python_gives_the_same_bytes() {
    let python = std::env::var("BD_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !has_numpy.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: no Python with numpy; BD_PYTHON may name one");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = package().join("../../scripts/wheel");
    let packed =
        Command::new(&python).arg(script).arg("--library").arg(library()).arg("--out").arg(folder.path()).output();
    let wheel = text(&packed.unwrap()).trim().to_owned();
    let site = folder.path().join("site");
    text(&Command::new(&python).args(["-m", "zipfile", "-e", &wheel]).arg(&site).output().unwrap());
    let run = folder.path().join("run");
    common::cells("lstm", 4, 2, 20, 3).write(&run);
    let printed = Command::new(&python)
        .args(["-c", PROGRAM])
        .arg(&run)
        .arg(STEPS.to_string())
        .env("PYTHONPATH", &site)
        .output()
        .unwrap();
    assert_eq!(found(&text(&printed), hexadecimal), known(&run));
    let refused = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(refused.contains("shape (2,), and (99,) was given"), "{refused}");
    assert!(refused.contains("input 0 of lane 0 is not a finite number"), "{refused}");
}
