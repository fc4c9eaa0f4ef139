use bd_core::tch::Device;
use serde_json::json;

use super::*;
use crate::Config;
use crate::Layers;

fn config() -> Config {
    let layers = Layers { options: vec![("threads", json!(1))], ..Layers::default() };
    Config::Forecast(Box::new(crate::ForecastConfig::resolve("ngrc", &layers).unwrap()))
}

fn create(out: &Path) -> Result<RunFolder> {
    let config = config();
    let manifest = Manifest::now(&config, Device::Cpu, ("0", None));
    RunFolder::create(Some(out), &config, manifest)
}

/// Of the manifest on the disk.
fn status(run: &Path) -> Status {
    read_manifest(run).unwrap().status
}

#[test]
fn a_run_that_fails_early_leaves_nothing_and_one_that_ends_leaves_a_manifest() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("deep/er/run");
    let run = create(&out).unwrap();
    fs::write(run.file("plots/x.png").unwrap(), "x").unwrap();
    drop(run);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

    let run = create(&out).unwrap();
    assert_eq!(status(&out), Status::Running);
    assert_eq!(run.finish().unwrap(), out);
    assert_eq!(status(&out), Status::Done);
}

/// An error at the very end, or a panic: both drop the folder without a word.
#[test]
fn what_was_made_is_kept_however_the_run_ends() {
    for made in ["model.safetensors", "checkpoints/step-00000010/state.json"] {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("run");
        let run = create(&out).unwrap();
        fs::write(run.file(made).unwrap(), "hours of work").unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _run = run;
            panic!("after the training");
        }));
        assert!(panicked.is_err());
        assert_eq!(fs::read_to_string(out.join(made)).unwrap(), "hours of work");
        assert_eq!(status(&out), Status::Failed);
    }
    // What a killed process has left of a checkpoint is none.
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let run = create(&out).unwrap();
    fs::write(run.file("checkpoints/.step-00000010.7.partial/state.json").unwrap(), "x").unwrap();
    drop(run);
    assert!(!out.exists());
}

#[test]
fn a_manifest_that_cannot_be_written_at_the_end_takes_nothing_away() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let run = create(&out).unwrap();
    fs::write(run.file(WEIGHTS).unwrap(), "hours of work").unwrap();
    // A folder in its place: what a full disk would do, for root, too.
    fs::remove_file(out.join(MANIFEST)).unwrap();
    fs::create_dir_all(out.join(MANIFEST).join("in the way")).unwrap();
    assert!(matches!(run.finish(), Err(Error::Storage { .. })));
    assert_eq!(fs::read_to_string(out.join(WEIGHTS)).unwrap(), "hours of work");
}

#[test]
fn what_is_there_is_never_touched() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("mine"), "mine").unwrap();
    let error = create(root.path()).unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    // A parent made for a run stays if somebody else has put something there.
    let run = create(&root.path().join("runs/a")).unwrap();
    fs::write(root.path().join("runs/other"), "").unwrap();
    drop(run);
    assert!(root.path().join("mine").exists() && root.path().join("runs/other").exists());
    assert!(!root.path().join("runs/a").exists());
}

#[test]
fn a_folder_is_locked_until_its_process_is_done_with_it() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let run = create(&out).unwrap();
    let error = RunFolder::reopen(&out).unwrap_err();
    assert!(
        matches!(&error, Error::Locked { owner, .. } if owner.contains(&std::process::id().to_string())),
        "{error}"
    );
    run.finish().unwrap();
    // Opened again and left alone, it is as it was.
    drop(RunFolder::reopen(&out).unwrap());
    assert_eq!(status(&out), Status::Done);
}

#[test]
fn leftovers_of_a_killed_process_are_swept_when_the_run_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let run = create(&out).unwrap();
    fs::write(run.file(WEIGHTS).unwrap(), "x").unwrap();
    for left in [".model.safetensors.7.tmp", "checkpoints/.step-00000010.7.partial/state.json"] {
        fs::write(run.file(left).unwrap(), "half").unwrap();
    }
    run.finish().unwrap();
    drop(RunFolder::reopen(&out).unwrap());
    assert!(!out.join(".model.safetensors.7.tmp").exists());
    assert_eq!(fs::read_dir(out.join("checkpoints")).unwrap().count(), 0);
}

#[test]
fn a_configuration_is_known_by_its_hash_at_every_moment() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let mut run = create(&out).unwrap();
    let Config::Forecast(mut changed) = config() else { unreachable!("it is one") };
    changed.horizon = vec![1, 2];
    run.write_config(&Config::Forecast(changed)).unwrap();
    let manifest = read_manifest(&out).unwrap();
    assert_eq!(manifest.config_sha256, Some(sha256_hex(&fs::read(out.join("config.json")).unwrap())));
    assert_eq!(manifest.next_config_sha256, None);
}

#[test]
fn a_name_that_is_taken_is_drawn_again() {
    let root = tempfile::tempdir().unwrap();
    let names = ["a", "a", "a", "b"].map(|name| root.path().join("runs").join(name));
    let made: Vec<PathBuf> = (0..2)
        .map(|_| {
            let mut names = names.iter().cloned();
            let made = MadeFolders::make_first_free(|| names.next().unwrap()).unwrap();
            let path = made.path.clone();
            made.keep();
            path
        })
        .collect();
    assert_eq!(made, [names[0].clone(), names[3].clone()]);
    // In a place where nothing can be made it does not go on for ever.
    fs::write(root.path().join("file"), "").unwrap();
    assert!(MadeFolders::make_first_free(|| root.path().join("file/run")).is_err());
    let error = MadeFolders::make_first_free(|| names[0].clone()).err().unwrap().to_string();
    assert!(error.contains("it exists; name a new folder"), "{error}");
}

/// A process that is killed between the two leaves no hash of weights that are gone.
#[test]
fn the_manifest_never_speaks_of_other_weights() {
    let root = tempfile::tempdir().unwrap();
    let mut run = create(&root.path().join("run")).unwrap();
    let params = Params::new(0, (bd_core::tch::Kind::Float, Device::Cpu));
    run.write_weights(&params).unwrap();
    let hash = |run: &RunFolder| read_manifest(run.path()).unwrap().weights_sha256;
    let written = sha256_hex(&fs::read(run.path().join(WEIGHTS)).unwrap());
    assert_eq!(hash(&run), Some(written));
    // Weights that cannot be written: a folder stands in their place.
    fs::remove_file(run.path().join(WEIGHTS)).unwrap();
    fs::create_dir_all(run.path().join(WEIGHTS).join("x")).unwrap();
    assert!(run.write_weights(&params).is_err());
    assert_eq!(hash(&run), None);
}

/// What a launcher starts again goes on with what is there, begins anew over the remains of a run, and takes nothing that is somebody's.
#[test]
fn what_is_started_again_removes_nothing_but_the_beginning_of_a_run() {
    let root = tempfile::tempdir().unwrap();
    let of = |name: &str, files: &[&str]| {
        let folder = root.path().join(name);
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    };
    assert!(!is_begun(&root.path().join("none")).unwrap());
    let names = [".lock", "manifest.json", "config.json", ".config.json.77.tmp", "tensorboard/train/x", "report.html"];
    let early = of("early", &names);
    fs::create_dir(early.join("checkpoints")).unwrap();
    assert!(!is_begun(&early).unwrap() && !early.exists());
    assert!(is_begun(&of("trained", &["manifest.json", "model.safetensors"])).unwrap());
    assert!(is_begun(&of("saved", &["manifest.json", "checkpoints/step-00000003/state.json"])).unwrap());
    for mine in [".git/config", "notes.txt", ".bashrc", "model.npz"] {
        let folder = of("mine", &[mine, "config.json"]);
        let words = is_begun(&folder).unwrap_err().to_string();
        assert!(words.contains("not the folder of a run that was begun, for there is "), "{words}");
        assert!(folder.join(mine).exists() && !folder.join(".lock").exists());
        fs::remove_dir_all(folder).unwrap();
    }
    // A process is at work in it.
    let run = create(&root.path().join("run")).unwrap();
    assert!(matches!(is_begun(run.path()), Err(Error::Locked { .. })));
    assert!(run.path().join("manifest.json").exists());
}
