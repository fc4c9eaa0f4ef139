//! How good a run is, beside what simple methods reach.

use bd_core::text::{plural, short};
use bd_run::record::Record;
use serde_json::Value;

use crate::results::baselines;
use crate::words;

pub(super) fn sentences(record: &Record) -> String {
    if let Some(activity) = record.activity() {
        return of_activity(activity);
    }
    let Some(test) = record.test() else { return untested(record) };
    if test["test_accuracy"].is_number() {
        return of_labels(record, test);
    }
    if test["test_nmse"].is_number() {
        return of_numbers(record, test);
    }
    let horizons: Vec<&Value> =
        record.lines().iter().filter(|line| line["split"] == "test" && line["horizon"].is_u64()).collect();
    if horizons.is_empty() {
        return test["test_loss"]
            .as_f64()
            .map_or(String::new(), |loss| format!("Its loss on the test part is {}.", short(loss)));
    }
    let mut words: Vec<String> = horizons.iter().map(|line| of_horizon(line)).collect();
    words.extend(record.lines().iter().find_map(of_free_runs));
    words.join(" ")
}

fn of_activity(activity: &Value) -> String {
    let of = |(name, population): (&String, &Value)| {
        let rate = population["rate_hz"].as_f64()?;
        Some(format!("a neuron of {name} spikes {} times a second", short(rate)))
    };
    let all: Vec<String> = activity["populations"].as_object().into_iter().flatten().filter_map(of).collect();
    if all.is_empty() { String::new() } else { format!("On average {}.", words::listed(&all)) }
}

/// What is known of a run that was not tested.
fn untested(record: &Record) -> String {
    let metrics = record.metrics();
    let number = |name: &str| metrics.get(name).and_then(Value::as_f64).map(short);
    let finished = record.state().is_finished();
    let begin = if finished { "There is no test part." } else { "It was not tested, for it has not come to its end." };
    let loss = number("train_loss").map(|loss| format!(" At the last report its training loss was {loss}"));
    let validation = number("validation_loss").map(|loss| format!(", and that of the validation part {loss}"));
    let classes = record.config().pointer("/model/n_out").and_then(Value::as_f64).filter(|classes| *classes > 1.0);
    let guessed = classes.map_or(String::new(), |classes| format!("guessing gives {}, ", short(1.0 / classes)));
    let accuracy = number("train_accuracy")
        .map(|share| format!(", and it told {share} of what it learns right ({guessed}1 is all)"));
    match loss {
        None => format!("{begin} Nothing was reported of it."),
        Some(loss) => format!("{begin}{loss}{}{}.", validation.unwrap_or_default(), accuracy.unwrap_or_default()),
    }
}

fn of_labels(record: &Record, test: &Value) -> String {
    let own = test["test_accuracy"].as_f64().unwrap_or(f64::NAN);
    let counts: Vec<Vec<f64>> = (test["confusion"].as_array().into_iter().flatten())
        .map(|row| row.as_array().into_iter().flatten().filter_map(Value::as_f64).collect())
        .collect();
    let rows: Vec<f64> = counts.iter().map(|row: &Vec<f64>| row.iter().sum::<f64>()).collect();
    let all: f64 = rows.iter().sum();
    // Of targets at each step every step counts, of a task every trial.
    let what = if record.config().pointer("/data/targets/name").is_some_and(|name| name == "labels") {
        "samples"
    } else {
        "cases"
    };
    let of = if all > 0.0 { format!(" of {all} {what}") } else { String::new() };
    let first = format!("On the test part{of} its accuracy, the share that is right, is {}.", short(own));
    let beside = match best(record, "accuracy", f64::max) {
        Some((name, best)) => compared(own - best, &name, best),
        None if all > 0.0 => {
            let most = rows.iter().copied().fold(0.0, f64::max) / all;
            format!(
                "No other method was fitted beside it; always the most frequent class of the test part would give {}.",
                short(most)
            )
        }
        None => String::new(),
    };
    format!("{first} {beside}").trim().to_owned()
}

fn of_numbers(record: &Record, test: &Value) -> String {
    let own = test["test_nmse"].as_f64().unwrap_or(f64::NAN);
    let mse = test["test_mse"].as_f64().map_or(String::new(), |mse| format!(" is {}, which", short(mse)));
    let first = format!(
        "On the test part its mean square error{mse} is {} of the variance of the targets: 0 is perfect, and 1 is what their mean reaches.",
        short(own)
    );
    let beside = match best(record, "nmse", f64::min) {
        Some((name, best)) => compared(best - own, &name, best),
        None => String::new(),
    };
    format!("{first} {beside}").trim().to_owned()
}

/// The best of the simple methods by a measure.
fn best(record: &Record, measure: &str, better: fn(f64, f64) -> f64) -> Option<(String, f64)> {
    let all = baselines(record).into_iter().filter(|(_, of, _)| *of == measure).map(|(name, _, value)| (name, value));
    all.reduce(|a, b| if better(a.1, b.1) == a.1 { a } else { b })
}

fn compared(gain: f64, name: &str, value: f64) -> String {
    let than = match gain {
        gain if gain > 0.0 => "better than",
        gain if gain < 0.0 => "worse than",
        _ => "no better than",
    };
    let method = words::baseline(name);
    format!(
        "That is {than} the best simple method that was fitted beside it, {method}, which reaches {}.",
        short(value)
    )
}

fn of_horizon(line: &Value) -> String {
    let steps = line["horizon"].as_u64().unwrap_or(0) as usize;
    let Some(own) = line["nrmse"].as_f64() else {
        let mse = line["mse"].as_f64().map_or("unknown".into(), short);
        return format!("{} ahead its mean square error on the test part is {mse}.", capitalised(steps));
    };
    let [persistence, mean] =
        ["baseline_persistence", "baseline_mean"].map(|name| line[name]["nrmse"].as_f64().unwrap_or(f64::NAN));
    let verdict = match own < persistence.min(mean) {
        true => "better than both",
        false => "not better than both",
    };
    format!(
        "{} ahead its error on the test part is {} standard deviations of the series; to repeat the last value gives {}, and the mean of the series \
         {}: {verdict}.",
        capitalised(steps),
        short(own),
        short(persistence),
        short(mean)
    )
}

fn capitalised(steps: usize) -> String {
    if steps == 1 { "One step".into() } else { format!("{steps} steps") }
}

fn of_free_runs(line: &Value) -> Option<String> {
    let mut valid: Vec<f64> = line["valid_steps"].as_array()?.iter().filter_map(Value::as_f64).collect();
    valid.sort_by(f64::total_cmp);
    let median = (valid[valid.len().checked_sub(1)? / 2] + valid[valid.len() / 2]) / 2.0;
    let bounded = line["bounded"].as_array().map_or(0, |all| all.iter().filter(|is| **is == true).count());
    let steps = line["free_run_steps"].as_u64().unwrap_or(0);
    Some(format!(
        "On its own outputs (a free run) it stays near the truth for {}, the median of {}, and {bounded} of these runs stay bounded over {steps} steps.",
        if median == 1.0 { "1 step".to_owned() } else { format!("{median} steps") },
        plural(valid.len(), "start"),
    ))
}
