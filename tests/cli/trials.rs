//! `bd train rnn` on tasks of trials, and with units that excite or inhibit.

use bd_core::Checkpoint;
use bd_core::files::load_tensors;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, refused_by, reports, same_bytes};

fn job<'a>(task: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let job = ["train", "rnn", "--task", task, "--hidden", "10", "--batch", "16", "--report-every", "20"];
    let updates = if more.contains(&"--updates") { &[][..] } else { &["--updates", "30"] };
    [&job[..], &["--set", "data.test_samples=60"], updates, more].concat()
}

const SIGNS: [&str; 8] = [
    "--set",
    "model.cell.excitatory=0.8",
    "--set",
    "model.cell.density=0.6",
    "--set",
    "model.cell.autapses=false",
    "--set",
    "model.reads=excitatory",
];

/// Accuracy, confusion and psychometric numbers are those of the choices in `predictions.npz`.
#[test]
fn decisions_are_counted_and_drawn() {
    let desk = Desk::new();
    for (task, curves) in [("perceptual_decision", 1), ("context_decision", 2), ("delayed_match", 1)] {
        let result = desk.bd_json(&job(task, &["--lr", "0.01", "--out", task]));
        let npz = format!("{task}/predictions.npz");
        let [choice, right] = ["choice", "right"].map(|name| array(&desk, &npz, name));
        let share = choice.eq_tensor(&right).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((metric(&result, "test_accuracy") - share).abs() < 1e-12, "{task}: {result}");
        let test = reports(&desk, task).pop().unwrap();
        let confusion: Vec<Vec<i64>> = serde_json::from_value(test["confusion"].clone()).unwrap();
        assert_eq!(confusion.iter().flatten().sum::<i64>(), 60, "{task}");
        let found = test["test_psychometric"].as_array().unwrap();
        assert_eq!(found.len(), curves, "{task}");
        assert_eq!(array(&desk, &npz, "evidence").size(), [60, curves as i64]);
        for curve in found {
            let levels = curve["levels"].as_array().unwrap();
            let sum = |name: &str| levels.iter().map(|level| level[name].as_u64().unwrap()).sum::<u64>();
            assert_eq!(
                (sum("trials"), sum("right")),
                (60, choice.eq_tensor(&right).sum(Kind::Int64).int64_value(&[]) as u64)
            );
            assert!(levels.iter().all(|level| level["interval"][0].as_f64() <= level["interval"][1].as_f64()));
        }
        assert!(desk.path(task).join("plots/psychometric.svg").is_file());
        let padded = task == "context_decision";
        assert_eq!(json_of(&desk, &format!("{task}/config.json"))["dt"], 100.0);
        let ended = desk.bd(&["eval", task]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stdout.contains(" of 60 trials"), "{}", ended.stdout);
        if padded {
            let lengths = array(&desk, &npz, "length");
            assert!(lengths.min() != lengths.max() && lengths.max().int64_value(&[]) <= 40);
        }
    }
}

/// Signs and zeros are in the file of weights, through a break; a prediction uses them.
#[test]
fn weights_keep_their_signs_in_files_and_through_a_break() {
    let desk = Desk::new();
    let options = [&SIGNS[..], &["--optimizer", "adam_w", "--lr", "0.05", "--set", "checkpoint_every=10"]].concat();
    let run = |more: &[&str]| desk.bd(&job("perceptual_decision", &[&options[..], more].concat()));
    let whole = run(&["--out", "whole"]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(whole.stderr.contains("rnn 3-10-3, 8 units excite and 2 inhibit"), "{}", whole.stderr);
    let weights = load_tensors(&desk.path("whole/model.safetensors")).unwrap();
    let of = |name: &str| &weights.iter().find(|(known, _)| known == name).unwrap().1;
    let least = |tensor: &Tensor| tensor.min().double_value(&[]);
    let (recurrent, mask) = (of("r.recurrent_weight"), of("r.recurrent_mask"));
    assert!(least(&recurrent.narrow(0, 0, 8)) >= 0.0 && least(&recurrent.narrow(0, 8, 2).neg()) >= 0.0);
    assert_eq!(recurrent.ne(0.0).to_kind(Kind::Float), *mask, "zeros are where the mask is");
    assert!(least(&of("o.weight").narrow(0, 0, 8)) > 0.0);
    assert_eq!(of("o.weight").narrow(0, 8, 2).abs().max().double_value(&[]), 0.0);
    let last = Checkpoint::load(&desk.path("whole/checkpoints/step-00000030")).unwrap();
    let theta = &last.model.iter().find(|(name, _)| name == "r.recurrent_weight").unwrap().1;
    assert_eq!(theta.abs() * mask, recurrent.abs());

    assert_eq!(run(&["--updates", "10", "--out", "parts"]).code, 0);
    let ended = desk.bd(&["train", "--resume", "parts", "--updates", "30"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for file in ["model.safetensors", "predictions.npz"] {
        assert!(same_bytes(&desk, file, "whole", "parts"), "{file}");
    }
    let again: Value = desk.bd_json(&["eval", "whole"]);
    assert_eq!(metric(&again, "test_loss"), reports(&desk, "whole").pop().unwrap()["test_loss"].as_f64().unwrap());
}

#[test]
fn what_cannot_be_is_refused() {
    let desk = Desk::new();
    for (settings, words) in [
        (
            vec!["data.task.coherences=[]"],
            "perceptual_decision.coherences is empty; it must be a list of at least one coherence in percent",
        ),
        (
            vec!["data.task.coherences=5,120"],
            "perceptual_decision.coherences is 120; it must be from 0 to 100 percent each",
        ),
        (
            vec!["data.task.decision_ms=10"],
            "perceptual_decision.decision_ms is 10; it must be at least a step, which is 100 ms",
        ),
        (vec!["data.task.stimulus=10"], "did you mean data.task.stimulus_ms?"),
        (vec!["loss.over=last"], "every step has a label, so that over must be every"),
        (vec!["model.cell.excitatory=1.5"], "rnn.excitatory is 1.5; it must be above 0 and below 1"),
        (vec!["model.cell.excitatory=0.99"], "rnn.excitatory is 0.99: of 10 units 10 excite and 0 inhibit"),
        (vec!["model.cell.density=0"], "rnn.density is 0; it must be above 0 and at most 1"),
        (vec!["model.cell.excitatory=0.8", "model.cell.recurrent_init=zeros"], "rnn.recurrent_init is zeros"),
        (vec!["model.reads=excitatory"], "reads is excitatory, but no unit of the rnn has a sign of its own"),
        (
            vec!["model.cell=gru", "model.reads=excitatory"],
            "reads is excitatory, but no unit of the gru has a sign of its own",
        ),
    ] {
        let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", *setting]).collect();
        refused_by(&desk, &job("perceptual_decision", &set), 2, words);
    }
}
