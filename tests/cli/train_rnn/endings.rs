//! How trainings end: early, diverged, refused.

use super::*;

/// Targets are noise, so that the validation loss soon rises: the weights are those of the best epoch.
#[test]
fn training_stops_early_and_keeps_the_best_weights() {
    let desk = Desk::new();
    let (x, x_test) = (noise("x", &[24, 5, 1]), noise("x_test", &[6, 5, 1]));
    let (y, y_test) = (noise("y", &[24, 1]), noise("y_test", &[6, 1]));
    save(&desk, "noise.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    let options = ["--epochs", "300", "--patience", "5", "--batch", "18", "--lr", "0.05", "--report-every", "1"];
    let ended = desk.bd(&[
        &["train", "rnn", "--data", "noise.npz", "--hidden", "6", "--ensemble", "1", "--out", "run"],
        &options[..],
    ]
    .concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines = reports(&desk, "run");
    let losses: Vec<f64> = lines.iter().filter_map(|line| line["validation_loss"].as_f64()).collect();
    assert!(losses.len() < 300, "{} epochs", losses.len());
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert_eq!(losses.len(), best + 1 + 5, "{losses:?}"); // 18 of 24 are trained on: an epoch is an update
    let why = format!("ended     after {} updates: the validation loss has not improved for 5 epochs", best + 6);
    for words in [why, format!("best      of the validation part after {} updates", best + 1)] {
        assert!(ended.stderr.contains(&words), "{words:?} not in {}", ended.stderr);
    }
    // A run that ends there has the same weights.
    let epochs = (best + 1).to_string();
    desk.bd_json(&["train", "rnn", "--config", "run/config.json", "--epochs", &epochs, "--out", "short"]);
    assert!(same_bytes(&desk, "model.safetensors", "run", "short"));
}

#[test]
fn a_run_that_diverges_keeps_the_last_good_parameters() {
    let desk = Desk::new();
    let ended = desk.bd(&task(&["--lr", "1e30", "--out", "run"]));
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains(" is not finite: ") && ended.stdout.is_empty(), "{ended:?}");
    let folder = fs::read_dir(desk.path("run/checkpoints")).unwrap().next().unwrap().unwrap();
    let checkpoint = Checkpoint::load(&folder.path()).unwrap();
    let step = checkpoint.meta["step"].as_u64().unwrap();
    assert!(ended.stderr.contains(&format!(" update {}", step + 1)), "{}", ended.stderr);
    assert!(checkpoint.model.iter().all(|(_, tensor)| tensor.isfinite().all().int64_value(&[]) == 1));
    assert_eq!(json_of(&desk, "run/manifest.json")["status"], "diverged");
}

#[test]
fn wrong_settings_are_refused() {
    let desk = Desk::new();
    save_labelled(&desk, "two.npz");
    save_sums(&desk, "sums.npz");
    for (args, words) in [
        (
            vec!["--task", "sorting"],
            "data.task cannot be 'sorting'; there are: integration, decision, flip_flop, perceptual_decision, context_decision, delayed_match",
        ),
        (vec!["--cell", "elman"], "model.cell cannot be 'elman'; there are: rnn, gru, lstm"),
        (vec!["--hidden", "2000000"], "a layer has 2000000 units; at most 8192 are allowed"),
        (vec!["--loss", "hinge"], "loss cannot be 'hinge'; there are: cross_entropy, mse, mae"),
        (vec!["--optimizer", "lion"], "optim.rule cannot be 'lion'; there are: sgd"),
        (vec!["--loss", "cross_entropy"], "the targets are numbers"),
        (vec!["--task", "decision", "--loss", "mse"], "the targets are labels"),
        (vec!["--epochs", "3"], "set updates, and not epochs"),
        (vec!["--updates", "0"], "updates is 0"),
        (vec!["--truncate", "0"], "truncate is 0"),
        (
            vec!["--accumulate", "18446744073709551615"],
            "accumulate is 18446744073709551615; it must be from 1 to 1048576",
        ),
        (vec!["--hidden", "0"], "model.hidden (--hidden) is 0; it must be at least 1"),
        (vec!["--patience", "3"], "early_stopping needs the validation part"),
        (vec!["--lr", "0"], "lr is 0"),
        (vec!["--lr", "nan"], "--lr is NaN"),
        (vec!["--l2", "-1"], "l2"),
        (vec!["--set", "clip=0"], "clip is 0"),
        (vec!["--set", "dt=0"], "dt is 0"),
        (vec!["--set", "data.task.steps=0"], "integration.steps is 0; it must be at least 1"),
        (vec!["--set", "model.n_in=3"], "integration has 1 inputs and 1 outputs"),
        (vec!["--set", "data.task.stpes=3"], "did you mean data.task.steps?"),
        (vec!["--task", "decision", "--data", "two.npz"], "exclude each other"),
        (vec!["--data", "two.npz", "--updates", "3"], "set epochs, and not updates"),
        (vec!["--data", "two.npz", "--epochs", "0"], "epochs is 0"),
        (vec!["--data", "two.npz", "--loss", "mse"], "the targets are labels, for which it is cross_entropy"),
        (vec!["--data", "two.npz", "--loss", "huber"], "the targets are labels, for which it is cross_entropy"),
        (vec!["--data", "sums.npz", "--loss", "cross_entropy"], "the targets are numbers, for which it is mse"),
        (vec!["--data", "sums.npz", "--loss", "binary_cross_entropy"], "from 0 to 1"),
        (vec!["--data", "two.npz", "--set", "loss.over=every"], "a sequence has one label"),
        (vec!["--data", "two.npz", "--validation", "1"], "data.validation is 1"),
        (vec!["--data", "two.npz", "--validation", "0.001"], "both need one"),
        (vec!["--data", "two.npz", "--validation", "0", "--patience", "3"], "early_stopping needs the validation part"),
        (vec!["--data", "two.npz", "--patience", "0"], "early_stopping.patience is 0; it must be at least 1"),
        (vec!["--data", "two.npz", "--truncate", "4", "--set", "loss.over=last"], "the loss needs all steps"),
    ] {
        refused_by(&desk, &[&["train", "rnn"], &args[..]].concat(), 2, words);
    }
}
