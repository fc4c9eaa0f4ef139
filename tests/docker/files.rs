//! What stands in the Dockerfiles and beside them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::dockerfile::{FLAVOURS, Stage, checkout, stages};

/// Calls `check` with every image's name and stages.
fn each_image(check: impl Fn(&str, &[Stage])) {
    for flavour in FLAVOURS {
        check(flavour, &stages(flavour));
    }
}

#[test]
fn every_base_is_fixed_by_version_and_hash() {
    each_image(|flavour, stages| {
        assert!(stages.len() > 1, "{flavour} has one stage");
        for Stage { base, .. } in stages {
            let (tagged, hash) = base.split_once("@sha256:").unwrap_or_else(|| panic!("no hash: {base}"));
            assert!(hash.len() == 64 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "no hash: {base}");
            let (_, tag) = tagged.split_once(':').unwrap_or_else(|| panic!("no version: {base}"));
            assert!(tag.contains(|c: char| c.is_ascii_digit()), "no version: {base}");
        }
    });
    let bases = |flavour| stages(flavour).into_iter().map(|stage| stage.base).collect::<Vec<_>>();
    assert_eq!(bases("cpu"), bases("cuda"));
}

#[test]
fn the_last_stage_is_what_is_promised() {
    each_image(|flavour, stages| {
        let last = stages.last().unwrap();
        assert_eq!(last.all("RUN").count(), 0, "{flavour}: a last stage that installs something");
        assert!(last.base.starts_with("debian:") && last.base.contains("-slim@"), "{}", last.base);
        let (user, group) = last.one("USER").split_once(':').unwrap();
        for id in [user, group] {
            // A number, for there is no such name in the base.
            assert!(id.parse::<u32>().unwrap() >= 1000, "{flavour}: user {id}");
        }
        assert_eq!(last.words("ENTRYPOINT"), ["/opt/bd/bin/bd"]);
        assert_eq!(last.one("VOLUME"), "/runs");
        assert_eq!(last.one("WORKDIR"), "/"); // so that the default place of runs is the volume
        assert_eq!(last.one("STOPSIGNAL"), "SIGTERM");
        assert!(last.variables().iter().any(|variable| variable.starts_with("PATH=/opt/bd/bin:")));
    });
    let gpus = |flavour| {
        let last = stages(flavour).pop().unwrap();
        let found = last.variables().into_iter().filter(|variable| variable.starts_with("NVIDIA_"));
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(gpus("cuda"), ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]);
    assert_eq!(gpus("cpu"), ["NVIDIA_VISIBLE_DEVICES=void"]);
}

/// From the checkout: known to git, so that it is in every clone. From a stage: an earlier one, that makes it.
#[test]
fn every_copy_has_a_source() {
    each_image(|flavour, stages| {
        for (i, stage) in stages.iter().enumerate() {
            for copy in stage.copies() {
                for source in &copy.sources {
                    let what = format!("{flavour}: {source}");
                    let Some(from) = &copy.from else {
                        assert!(checkout().join(source).exists(), "{what} is not there");
                        assert!(git_knows(source), "{what} is not in git");
                        continue;
                    };
                    let maker = stages[..i].iter().find(|stage| stage.name.as_ref() == Some(from));
                    let maker = maker.unwrap_or_else(|| panic!("{what} is of no earlier stage"));
                    let makes = |run: &str| match source.as_str() {
                        "/src/.libtorch" => run.starts_with("scripts/libtorch") && maker.one("WORKDIR") == "/src",
                        "/image/" => run == format!("docker/root {flavour} /image"),
                        _ => false,
                    };
                    assert!(maker.all("RUN").any(makes), "{what} is made by no step");
                }
            }
        }
    });
}

/// Without a repository of git there is nobody to ask.
fn git_knows(path: &str) -> bool {
    let files = Command::new("git").args(["ls-files", "--", path]).current_dir(checkout()).output().unwrap();
    !files.status.success() || !files.stdout.is_empty()
}

#[test]
fn every_step_is_a_script_of_the_repository() {
    let mut scripts = vec![
        "docker/enter".to_owned(),
        "docker/slurm.sbatch".to_owned(),
        "docker/slurm-nodes.sbatch".to_owned(),
        "docker/slurm-array.sbatch".to_owned(),
    ];
    each_image(|_, stages| {
        for run in stages.iter().flat_map(|stage| stage.all("RUN")) {
            assert!(run.starts_with("scripts/") || run.starts_with("docker/"), "not a script: RUN {run}");
            assert!(!run.contains(['&', ';', '|', '>', '`']), "more than a script: RUN {run}");
        }
    });
    let runs =
        |flavour| stages(flavour).into_iter().flat_map(|stage| stage.all("RUN").map(str::to_owned).collect::<Vec<_>>());
    scripts.extend(FLAVOURS.into_iter().flat_map(runs));
    for script in scripts {
        let path = checkout().join(script.split(' ').next().unwrap());
        let mode = fs::metadata(&path).unwrap_or_else(|_| panic!("no {script}")).permissions().mode();
        assert!(mode & 0o111 == 0o111 || script.ends_with(".sbatch"), "{script} cannot be started");
        assert!(Command::new("bash").arg("-n").arg(&path).status().unwrap().success(), "{script} cannot be read");
    }
}

/// And nothing else stays, or the commit that `bd` records would be called dirty.
#[test]
fn what_git_ignores_does_not_travel() {
    let lines = |name: &str| {
        let text = fs::read_to_string(checkout().join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.trim_matches('/').to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(lines(".dockerignore"), lines(".gitignore"));
}

/// With a stand-in for cargo, which says what it was asked.
#[test]
fn the_program_is_built_for_release_from_the_lock_file() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\necho \"$PWD\" \"$@\"\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let asked = Command::new(checkout().join("docker/compile")).env("PATH", path).current_dir("/").output().unwrap();
    let asked = String::from_utf8(asked.stdout).unwrap();
    assert_eq!(asked.trim(), format!("{} build --release --locked --bin bd", checkout().display()));
}
