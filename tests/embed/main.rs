//! `docs/embedding.md`, carried out: a package outside the checkout, of the lines that stand there, builds and runs with no variable set.
//!
//! It is built in the target folder of the workspace, in the same profile, so that what others wrote, libtorch's bindings above all, is there
//! already. The crates of `bd` are compiled once more, for to Cargo they are others from outside, but without optimisation.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bd_core::tch::{Device, Kind, Tensor};
use bd_core::{Params, Shared, System, Tap};
use bd_models::RateNetConfig;
use bd_train::predict;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guide() -> String {
    fs::read_to_string(checkout().join("docs/embedding.md")).unwrap()
}

/// The first block of the guide in this language whose first line is `first`.
fn block(language: &str, first: &str) -> String {
    let begin = format!("```{language}\n{first}\n");
    let text = guide();
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/embedding.md has no block {begin}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// A command outside the checkout's configuration, with what Cargo needs and no more.
fn plain(program: impl AsRef<Path>, folder: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().current_dir(folder);
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CXX"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command
}

fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The profile of the workspace's tests, but for its own crates.
fn profile() -> String {
    let manifest = fs::read_to_string(checkout().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("[profile.dev]").expect("the workspace has a profile for tests");
    let (lines, _) = rest.split_once("[profile.release]").expect("another one follows");
    let crates = ["bd-libtorch", "bd-core", "bd-models", "bd-train"];
    let is_other = |line: &&str| line.split_once(" = ").is_none_or(|(name, _)| !crates.contains(&name));
    let others: String = lines.lines().filter(is_other).map(|line| format!("{line}\n")).collect();
    let own = crates.map(|name| format!("[profile.dev.package.{name}]\nopt-level = 0\n"));
    format!("[profile.dev]{others}{}", own.concat())
}

/// The guide's package in a folder of its own, with the checkout in place of its repository.
fn package() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let mut manifest = String::from("[package]\nname = \"my-app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    for line in block("toml", "# Cargo.toml").lines() {
        let path = |name: &str| checkout().join("crates").join(name).display().to_string();
        manifest += &match line.split_once(" = { git = ") {
            Some((name, _)) => format!("{name} = {{ path = {:?} }}\n", path(name)),
            None => format!("{line}\n"),
        };
    }
    assert_eq!(manifest.matches("path = ").count(), 4, "{manifest}");
    manifest += &profile();
    write("Cargo.toml", &manifest);
    write("build.rs", &block("rust", "// build.rs"));
    write("src/main.rs", &block("rust", "// src/main.rs"));
    write("tests/starts.rs", "#[test]\nfn it_starts() {\n    bd_core::tch::get_num_threads();\n}\n");
    // The same versions, which are at hand.
    fs::copy(checkout().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    folder
}

/// What the guide's program prints.
fn expected() -> String {
    let on = (Kind::Float, Device::Cpu);
    let mut params = Params::new(0, on);
    let net = RateNetConfig::default().build(&mut params).unwrap();
    let x = Tensor::ones([1, 50, 1], on);
    let (y, _) = predict(&net, &Shared::default(), &x, net.init_state(1, on), &mut Tap::none()).unwrap();
    format!("outputs {:?}, the last is {:.4}\n", y.size(), y.double_value(&[0, 49, 0]))
}

#[test]
fn a_package_of_the_guides_lines_builds_and_runs() {
    let app = package();
    let script = block("sh", "git clone https://github.com/bd-dynamics/bd");
    let lines: Vec<&str> = script.lines().collect();
    assert_eq!(lines, ["bd/scripts/libtorch --app my-app", "cd my-app", "cargo run"]);

    let mut libtorch = plain(checkout().join("scripts/libtorch"), app.path());
    // That of the checkout, unless the tests themselves are of another.
    let home = env::var_os("LIBTORCH").filter(|home| Path::new(home) != checkout().join(".libtorch/torch"));
    done(libtorch.args(["--app", "."]).envs(home.map(|home| ("LIBTORCH", home))));

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let cargo = || {
        let mut cargo = plain(env!("CARGO"), app.path());
        cargo.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true");
        cargo
    };
    assert_eq!(done(cargo().args(["run", "--quiet"])), expected());
    // A test finds the libraries by itself as well, and so does the program without Cargo.
    done(cargo().args(["test", "--quiet", "--test", "starts"]));
    assert_eq!(done(Command::new(target.join("debug/my-app")).env_clear()), expected());
}

#[test]
fn without_libtorch_the_build_says_what_to_do() {
    if Path::new("/usr/lib/libtorch.so").exists() {
        return eprintln!("left out: this system has a libtorch of its own");
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = checkout().join("crates/bd-libtorch/Cargo.toml");
    let build = |libtorch: Option<&str>| {
        let mut cargo = plain(env!("CARGO"), folder.path());
        cargo.env("CARGO_TARGET_DIR", folder.path()).envs(libtorch.map(|home| ("LIBTORCH", home)));
        let ended = cargo.args(["build", "--offline", "--manifest-path"]).arg(&manifest).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    for (libtorch, problem) in [(None, "LIBTORCH is not set"), (Some("/nowhere"), "no libtorch in /nowhere")] {
        let said = build(libtorch);
        for words in [problem, "scripts/libtorch --app FOLDER", "docs/embedding.md"] {
            assert!(said.contains(words), "{words:?} not in {said}");
        }
    }
}

/// The first page of `bd-core` shows the same lines.
#[test]
fn the_first_page_has_the_guides_lines() {
    let page = fs::read_to_string(checkout().join("crates/bd-core/src/lib.rs")).unwrap();
    let page: String =
        page.lines().map_while(|line| line.strip_prefix("//!")).map(|line| format!("{}\n", line.trim())).collect();
    for (language, first) in [("toml", "# Cargo.toml"), ("rust", "// build.rs")] {
        let block: String = block(language, first).lines().map(|line| format!("{}\n", line.trim())).collect();
        assert!(page.contains(&block), "not on the first page of bd-core:\n{block}");
    }
}
