//! What tasks draw against their definitions and distributions; bounds are five standard errors.

use bd_core::kernel::Num;
use bd_core::testing::assert_close;

use super::*;
use crate::loss::Objective;

mod trials;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Inputs, `[sample][step][channel]`, and the batch.
fn drawn(task: Task, count: usize, dt: f64) -> (Vec<Vec<Vec<f64>>>, Examples) {
    let examples = task.batch(1, 0, count, dt, ON).unwrap();
    (nested(&examples.inputs().to_dense()), examples)
}

fn nested(x: &Tensor) -> Vec<Vec<Vec<f64>>> {
    let [steps, n] = [1, 2].map(|dim| x.size()[dim] as usize);
    let flat = Vec::<f64>::try_from(x.contiguous().flatten(0, -1)).unwrap();
    flat.chunks(steps * n).map(|sample| sample.chunks(n).map(<[f64]>::to_vec).collect()).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}

#[track_caller]
fn assert_near(what: &str, found: f64, expected: f64, standard_error: f64) {
    assert!((found - expected).abs() < 5.0 * standard_error, "{what}: {found} and not {expected} +- {standard_error}");
}

#[test]
fn the_target_of_integration_is_the_sum() {
    let (_, examples) = drawn(Task::Integration(Integration::default()), 7, 0.04);
    assert_close("sum", examples.targets(), &examples.inputs().to_dense().cumsum(1, Kind::Double), 1e-14);
    assert_eq!(examples.inputs().shape(), [7, 25, 1]);
}

/// Mean and variance over samples and within them: `2 mean (n - 1/2)` and `scale^2 / dt`.
#[test]
fn integration_is_white_noise_around_a_mean_of_its_own() {
    let (count, dt) = (4000, 0.04);
    let (x, _) = drawn(Task::Integration(Integration { steps: 20, mean: 0.5, scale: 0.1 }), count, dt);
    let means: Vec<f64> = x.iter().map(|sample| mean(sample.iter().map(|step| step[0]))).collect();
    let within = 0.1f64.powi(2) / dt;
    let between = 1.0 + within / 20.0;
    let over_all = mean(means.iter().copied());
    let n = count as f64;
    assert_near("mean", over_all, -0.5, (between / n).sqrt());
    let found = mean(means.iter().map(|m| (m - over_all).powi(2)));
    assert_near("variance of the means", found, between, between * (2.0 / n).sqrt());
    let around = x.iter().zip(&means).map(|(sample, m)| mean(sample.iter().map(|x| (x[0] - m).powi(2))));
    assert_near("variance within", mean(around) * 20.0 / 19.0, within, within * (2.0 / (19.0 * n)).sqrt());
    // White: neighbours have nothing to do with each other.
    let pairs =
        x.iter().zip(&means).flat_map(|(sample, m)| sample.windows(2).map(move |w| (w[0][0] - m) * (w[1][0] - m)));
    assert_near("covariance of neighbours", mean(pairs), -within / 20.0, within / (19.0 * n).sqrt());
}

/// How often the sign of the sum is right, against the integral of its probability over all coherences; the same for steps of
/// another length that take as long in all.
#[test]
fn an_ideal_observer_of_the_decision_is_as_good_as_theory_says() {
    let (count, noise) = (20_000, 0.5);
    let normal_below = |z: f64| 0.5 * (1.0 + Num::erf(z / 2.0f64.sqrt()));
    let expected = mean((0..10_000).map(|i| normal_below((i as f64 + 0.5) / 10_000.0 * 2.0f64.sqrt() / noise)));
    for (steps, dt) in [(50, 0.04), (10, 0.2)] {
        let (x, examples) = drawn(Task::Decision(Decision { steps, coherence: 1.0, noise }), count, dt);
        let labels = Vec::<i64>::try_from(examples.targets()).unwrap();
        let right = x.iter().zip(&labels).map(|(sample, label)| {
            f64::from(i64::from(sample.iter().map(|step| step[0]).sum::<f64>() >= 0.0) == *label)
        });
        assert_near("accuracy", mean(right), expected, (expected * (1.0 - expected) / count as f64).sqrt());
        assert_near("labels", mean(labels.iter().map(|label| *label as f64)), 0.5, 0.5 / (count as f64).sqrt());
    }
    // Without noise the input is the coherence.
    let (x, examples) = drawn(Task::Decision(Decision { steps: 3, coherence: 2.0, noise: 0.0 }), 1000, 0.04);
    for (sample, label) in x.iter().zip(Vec::<i64>::try_from(examples.targets()).unwrap()) {
        assert!(sample.iter().all(|step| step == &sample[0] && step[0].abs() <= 2.0));
        assert_eq!(label == 1, sample[0][0] >= 0.0);
    }
    let second = mean(x.iter().map(|sample| sample[0][0].powi(2)));
    assert_near("variance of a uniform coherence", second, 4.0 / 3.0, 4.0 * (4.0f64 / 45.0 / 1000.0).sqrt());
}

#[test]
fn the_target_of_a_flip_flop_is_the_last_pulse() {
    let (x, examples) = drawn(Task::FlipFlop(FlipFlop { steps: 60, channels: 4, probability: 0.1 }), 200, 1.0);
    let y = nested(examples.targets());
    for (x, y) in x.iter().zip(&y) {
        for (step, channel) in (0..60).flat_map(|step| (0..4).map(move |channel| (step, channel))) {
            let last = x[..=step].iter().rev().map(|x| x[channel]).find(|x| *x != 0.0);
            assert_eq!(y[step][channel], last.unwrap_or(0.0));
        }
    }
    let cells: f64 = 200.0 * 60.0 * 4.0;
    for (pulse, probability) in [(1.0f64, 0.05f64), (-1.0, 0.05)] {
        let found = mean(x.iter().flatten().flatten().map(|x| f64::from(*x == pulse)));
        assert_near("pulses", found, probability, (probability / cells).sqrt());
    }
    // Channels and steps are independent: as many pairs of pulses as chance makes.
    let pairs = x.iter().flatten().map(|x| f64::from(x[0] != 0.0 && x[1] != 0.0));
    assert_near("pairs of channels", mean(pairs), 0.01, (0.01f64 / 12_000.0).sqrt());
    let pairs = x.iter().flat_map(|x| x.windows(2)).map(|w| f64::from(w[0][0] != 0.0 && w[1][0] != 0.0));
    assert_near("pairs of steps", mean(pairs), 0.01, (0.01f64 / 11_800.0).sqrt());
}

/// Of the task, the seed and the number, and of nothing else.
#[test]
fn a_batch_is_a_function_of_seed_and_number() {
    for task in Task::all() {
        let batch = |seed, number, count, on| task.batch(seed, number, count, task.usual_dt(), on).unwrap();
        let (one, again) = (batch(3, 5, 8, ON), batch(3, 5, 8, ON));
        let inputs = |examples: &Examples| examples.inputs().to_dense();
        assert_eq!((inputs(&one), one.targets()), (inputs(&again), again.targets()));
        let larger = batch(3, 5, 11, ON).select(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        assert_eq!((inputs(&one), one.targets()), (inputs(&larger), larger.targets()));
        assert!(inputs(&one) != inputs(&batch(3, 6, 8, ON)) && inputs(&one) != inputs(&batch(4, 5, 8, ON)));
        let single = batch(3, 5, 8, (Kind::Float, Device::Cpu));
        assert_eq!(inputs(&single), inputs(&one).to_kind(Kind::Float));
        assert_eq!(one.inputs().shape(), [8, task.steps(task.usual_dt()) as i64, task.n_in()]);
        let outputs = [8, task.steps(task.usual_dt()) as i64, task.n_out()];
        task.loss().check(outputs, Kind::Double, one.targets(), one.lengths()).unwrap();
    }
}

#[test]
fn tasks_are_read_back() {
    for task in Task::all() {
        let value = serde_json::to_value(&task).unwrap();
        assert_eq!(value["name"], task.name());
        assert_eq!(serde_json::from_value::<Task>(value).unwrap(), task);
    }
    let short: Task = serde_json::from_str(r#"{"name": "decision", "noise": 1.5}"#).unwrap();
    assert_eq!(short, Task::Decision(Decision { noise: 1.5, ..Decision::default() }));
    let error = serde_json::from_str::<Task>(r#"{"name": "integration", "noise": 1}"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `noise`"), "{error}");
}

#[test]
fn tasks_that_cannot_be_are_refused() {
    for (task, words) in [
        (Task::Integration(Integration { steps: 0, ..Integration::default() }), "integration.steps is 0;"),
        (Task::Integration(Integration { scale: -1.0, ..Integration::default() }), "integration.scale is -1;"),
        (Task::Decision(Decision { coherence: 0.0, ..Decision::default() }), "decision.coherence is 0;"),
        (Task::FlipFlop(FlipFlop { channels: 0, ..FlipFlop::default() }), "flip_flop.channels is 0;"),
        (Task::FlipFlop(FlipFlop { probability: 1.5, ..FlipFlop::default() }), "flip_flop.probability is 1.5;"),
    ] {
        let error = task.batch(0, 0, 1, 1.0, ON).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    let task = Task::Decision(Decision::default());
    assert!(task.batch(0, 0, 0, 1.0, ON).unwrap_err().to_string().contains("sequences of a batch is 0"));
    assert!(task.batch(0, 0, 1, 0.0, ON).unwrap_err().to_string().contains("dt is 0"));
}
