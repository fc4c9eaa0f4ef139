//! Tasks of trials: periods, ground truth and means from NeuroGym 2.3.1's defaults (`neurogym/envs/native`), the ideal observer, and what is made of
//! a network's choices.

use super::*;
use crate::loss::UNCOUNTED;

const DT: f64 = 100.0;

/// Inputs and labels of noiseless trials, with what is decided in them.
fn trials(task: &Task, count: usize, dt: f64) -> Vec<(Vec<Vec<f64>>, Vec<i64>, Trial)> {
    let examples = task.batch(1, 0, count, dt, ON).unwrap();
    let inputs = nested(&examples.inputs().to_dense());
    let labels = Vec::<i64>::try_from(examples.targets().flatten(0, -1)).unwrap();
    let labels: Vec<Vec<i64>> = labels.chunks(task.steps(dt)).map(<[i64]>::to_vec).collect();
    let trials = task.trials(1, 0, count, dt).unwrap();
    inputs.into_iter().zip(labels).zip(trials).map(|((x, y), trial)| (x, y, trial)).collect()
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15)
}

/// 1, 20, 0 and 1 steps. Coherence 51.2 shows 0.756 and 0.244, 6.4 shows 0.532 and 0.468, and so on: 1/2 +- c/200.
#[test]
fn perceptual_decisions_are_neurogyms() {
    let task = Task::PerceptualDecision(PerceptualDecision {
        noise: 0.0,
        judged: Judged::All,
        ..PerceptualDecision::default()
    });
    let shown =
        [(0.0, 0.5, 0.5), (6.4, 0.532, 0.468), (12.8, 0.564, 0.436), (25.6, 0.628, 0.372), (51.2, 0.756, 0.244)];
    let all = trials(&task, 400, DT);
    for (x, y, trial) in &all {
        assert_eq!((x.len(), trial.decision.clone()), (22, 21..22));
        assert_eq!(y, &[&[0; 21][..], &[trial.right]].concat());
        let (coherence, strong, weak) =
            *shown.iter().find(|(coherence, ..)| *coherence == trial.evidence[0].abs()).unwrap();
        assert!(coherence == 0.0 || (trial.evidence[0] > 0.0) == (trial.right == 1));
        let stimulus = if trial.right == 1 { [0.0, strong, weak] } else { [0.0, weak, strong] };
        assert!(close(&x[0], &[1.0, 0.0, 0.0]) && close(&x[21], &[0.0; 3]));
        assert!(x[1..21].iter().all(|x| close(x, &stimulus)), "{:?}", x[1]);
    }
    let n = all.len() as f64;
    for (coherence, ..) in shown {
        let share = mean(all.iter().map(|(.., trial)| f64::from(trial.evidence[0].abs() == coherence)));
        assert_near("coherences", share, 0.2, (0.16 / n).sqrt());
    }
    assert_near("sides", mean(all.iter().map(|(.., trial)| trial.right as f64)), 1.5, 0.5 / n.sqrt());
    // A delay, and steps of another length, of which a period has whole ones: 1, 9, 3 and 2 of 55 ms.
    let periods = PerceptualDecision { stimulus_ms: 500.0, delay_ms: 200.0, decision_ms: 110.0, ..Default::default() };
    assert_eq!(trials(&Task::PerceptualDecision(periods), 1, 55.0)[0].2.decision, 13..15);
}

/// 3, 7 (of 7.5), the delay (less than 30, and padding up to it) and 1 steps; the modality that counts decides.
#[test]
fn context_decisions_are_neurogyms() {
    let task = ContextDecision { noise: 0.0, judged: Judged::All, ..ContextDecision::default() };
    let all = trials(&Task::ContextDecision(task.clone()), 2000, DT);
    let lengths = task.clone();
    let lengths = Task::ContextDecision(lengths).batch(1, 0, 2000, DT, ON).unwrap();
    let lengths = Vec::<i64>::try_from(lengths.lengths().unwrap()).unwrap();
    let mut contexts = 0.0;
    for ((x, y, trial), length) in all.iter().zip(&lengths) {
        assert_eq!((x.len(), trial.decision.end as i64), (41, *length));
        let delay = length - 3 - 7 - 1;
        assert!((3..=29).contains(&delay), "{delay}");
        let right: Vec<i64> = (0..41).map(|t| if t == length - 1 { trial.right } else { 0 }).collect();
        assert_eq!(*y, right);
        let context = usize::from(x[0][6] == 1.0);
        contexts += context as f64;
        let modalities = [&x[5][1..3], &x[5][3..5]];
        // Of +c the first channel has 1/2 + c/200, and both sum to 1.
        let evidence = modalities.map(|of| (of[0] - of[1]) * 100.0);
        let expected = [trial.evidence[context], trial.evidence[1 - context]];
        assert!(evidence.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{evidence:?}, {expected:?}");
        assert_eq!(trial.right == 1, trial.evidence[0] > 0.0);
        for (t, x) in x.iter().enumerate() {
            let valid = f64::from((t as i64) < *length);
            let context = [1.0 - context as f64, context as f64].map(|of| of * valid);
            assert_eq!((x[0], &x[5..]), (f64::from(t < 3), &context[..]), "step {t}");
            assert!((3..10).contains(&t) || x[1..5] == [0.0; 4], "step {t}");
        }
    }
    let n = all.len() as f64;
    assert_near("contexts", contexts / n, 0.5, 0.5 / n.sqrt());
    // Whole steps of exponential delays of mean 600 ms between 300 and 3000: of k steps with the difference of the distribution, to step 30.
    let below = |ms: f64| (-300.0f64 / 600.0).exp() - (-ms / 600.0f64).exp();
    let all_of_it = below(3000.0);
    let expected: f64 =
        (3..30).map(|k| f64::from(k) * (below(100.0 * f64::from(k + 1)) - below(100.0 * f64::from(k)))).sum::<f64>()
            / all_of_it;
    let delays = || lengths.iter().map(|length| (length - 11) as f64);
    let deviation = mean(delays().map(|d| (d - expected).powi(2))).sqrt();
    assert_near("delays", mean(delays()), expected, deviation / n.sqrt());
    // A fixed delay needs no padding.
    let fixed = Task::ContextDecision(ContextDecision { delay_min_ms: 500.0, delay_max_ms: 500.0, ..task });
    assert_eq!((fixed.steps(DT), fixed.is_padded()), (3 + 7 + 5 + 1, false));
    assert!(fixed.batch(0, 0, 2, DT, ON).unwrap().lengths().is_none());
}

/// 3, 5, 10, 5 and 9 steps.
#[test]
fn delayed_matches_are_neurogyms() {
    let task = Task::DelayedMatch(DelayedMatch { noise: 0.0, judged: Judged::All, ..DelayedMatch::default() });
    let all = trials(&task, 200, DT);
    for (x, y, trial) in &all {
        assert_eq!((x.len(), trial.decision.clone()), (32, 23..32));
        assert_eq!(y, &[&[0; 23][..], &[trial.right; 9]].concat());
        let (sample, test) = (&x[3][1..], &x[18][1..]);
        assert!([sample, test].iter().all(|of| **of == [1.0, 0.0] || **of == [0.0, 1.0]));
        assert_eq!((sample == test, trial.evidence[0]), (trial.right == 1, if trial.right == 1 { 1.0 } else { -1.0 }));
        for (t, x) in x.iter().enumerate() {
            let shown: &[f64] = match t {
                3..8 => sample,
                18..23 => test,
                _ => &[0.0, 0.0],
            };
            assert_eq!((x[0], &x[1..]), (f64::from(t < 23), shown), "step {t}");
        }
    }
    assert_near("matches", mean(all.iter().map(|(.., trial)| trial.right as f64)), 1.5, 0.5 / 200f64.sqrt());
}

/// Noise of deviation `1 / sqrt(100)` in 20 steps: an observer that compares sums is right with probability `Phi(c/100 sqrt(20) / (0.1 sqrt(2)))`, .978
/// at coherence 6.4.
#[test]
fn an_ideal_observer_of_perceptual_decisions_is_as_good_as_theory_says() {
    let task = Task::PerceptualDecision(PerceptualDecision { coherences: vec![3.2, 6.4], ..Default::default() });
    let all = trials(&task, 20_000, DT);
    for coherence in [3.2, 6.4] {
        let of_level: Vec<_> = all.iter().filter(|(.., trial)| trial.evidence[0].abs() == coherence).collect();
        let sum = |x: &[Vec<f64>]| x.iter().map(|x| x[1] - x[2]).sum::<f64>();
        let right = mean(of_level.iter().map(|(x, _, trial)| f64::from((sum(x) > 0.0) == (trial.right == 1))));
        let z = coherence / 100.0 * 20f64.sqrt() / (0.1 * 2f64.sqrt());
        let expected = 0.5 * (1.0 + Num::erf(z / 2.0f64.sqrt()));
        assert_near("right", right, expected, (expected * (1.0 - expected) / of_level.len() as f64).sqrt());
    }
    let noise = all.iter().flat_map(|(x, _, trial)| {
        let half = trial.evidence[0] / 200.0;
        x[1..21].iter().flat_map(move |x| [x[1] - 0.5 - half, x[2] - 0.5 + half])
    });
    let (variance, n) = (mean(noise.map(|x| x * x)), 20_000.0 * 40.0);
    assert_near("variance of the noise", variance, 0.01, 0.01 * (2.0f64 / n).sqrt());
}

/// Steps between fixation and decision have no label that counts; the inputs are the same.
#[test]
fn what_is_between_fixation_and_decision_is_not_judged() {
    let all = |task: &Task| trials(task, 3, DT);
    let default = PerceptualDecision::default();
    let judged = all(&Task::PerceptualDecision(PerceptualDecision { judged: Judged::All, ..default.clone() }));
    for ((x, y, trial), whole) in all(&Task::PerceptualDecision(default)).into_iter().zip(judged) {
        assert_eq!(y, [&[0][..], &[UNCOUNTED; 20], &[trial.right]].concat());
        assert_eq!((x, trial), (whole.0, whole.2));
    }
}

fn trial(right: i64, evidence: f64) -> Trial {
    Trial { right, decision: 1..3, evidence: vec![evidence] }
}

/// By hand: the first class other than 0 in steps 1 and 2 counts.
#[test]
fn the_first_action_of_the_decision_is_the_choice() {
    let taken = [[1, 0, 2], [2, 1, 2], [1, 0, 0], [0, 2, 0], [0, 1, 1]];
    let scores: Vec<f64> =
        taken.iter().flatten().flat_map(|class| (0..3).map(move |c| f64::from(u8::from(c == *class)))).collect();
    let scores = Tensor::from_slice(&scores).reshape([5, 3, 3]);
    let all = [trial(2, -5.0), trial(1, 5.0), trial(1, 5.0), trial(1, 0.0), trial(2, -0.0)];
    let found = Decisions::new(&scores, &all, &["coherence (%)"]).unwrap();
    assert_eq!(found.choices, [2, 1, 0, 2, 1]);
    assert_eq!((found.right, found.right_with_evidence, found.undecided), (0.4, Some(2.0 / 3.0), 0.2));
    assert_eq!(found.confusion, [vec![0, 0, 0], vec![1, 1, 1], vec![0, 1, 1]]);
    let level = |evidence, trials, decided, first, right| Level { evidence, trials, decided, first, right };
    let levels = vec![level(-5.0, 1, 1, 0, 1), level(0.0, 2, 2, 1, 0), level(5.0, 2, 1, 1, 1)];
    assert_eq!(found.psychometric, [Psychometric { evidence: "coherence (%)".into(), levels }]);
    let metrics = found.metrics("test");
    assert_eq!(metrics["test_psychometric"][0]["levels"][1]["first"], 1);
    assert_eq!(metrics["test_psychometric"][0]["levels"].as_array().unwrap().len(), 3);
    assert!(Decisions::new(&scores, &all[1..], &[]).unwrap_err().to_string().contains("scores of trials"));
}

/// Wilson's interval: of 0 of 10 up to `z^2 / (10 + z^2)`, .2775; of 8 of 10 .4902 to .9433 (Brown, Cai and DasGupta 2001, and R's
/// `prop.test(8, 10, correct = FALSE)`).
#[test]
fn intervals_are_wilsons() {
    let near = |found: [f64; 2], expected: [f64; 2]| {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-5), "{found:?} and not {expected:?}");
    };
    near(binomial_interval(0, 10), [0.0, 0.277_53]);
    near(binomial_interval(8, 10), [0.490_16, 0.943_32]);
    near(binomial_interval(10, 10), [0.722_47, 1.0]);
    assert_eq!(binomial_interval(0, 0), [0.0, 1.0]);
}

#[test]
fn trials_that_cannot_be_are_refused() {
    let perceptual = |change: &dyn Fn(&mut PerceptualDecision)| {
        let mut task = PerceptualDecision::default();
        change(&mut task);
        Task::PerceptualDecision(task)
    };
    let context = |change: &dyn Fn(&mut ContextDecision)| {
        let mut task = ContextDecision::default();
        change(&mut task);
        Task::ContextDecision(task)
    };
    for (task, words) in [
        (
            perceptual(&|task| task.coherences.clear()),
            "perceptual_decision.coherences is empty; it must be a list of at least one coherence in percent",
        ),
        (
            perceptual(&|task| task.coherences.push(101.0)),
            "perceptual_decision.coherences is 101; it must be from 0 to 100 percent each",
        ),
        (perceptual(&|task| task.noise = -1.0), "perceptual_decision.noise is -1; it must be a number from 0"),
        (
            perceptual(&|task| task.decision_ms = 50.0),
            "perceptual_decision.decision_ms is 50; it must be at least a step, which is 100 ms: in it the decision is made",
        ),
        (perceptual(&|task| task.delay_ms = -1.0), "perceptual_decision.delay_ms is -1; it must be a number from 0"),
        (
            perceptual(&|task| task.stimulus_ms = 1e300),
            "a trial of perceptual_decision has 18446744073709551615 steps of 100 ms; there are at most 1048576",
        ),
        (context(&|task| task.delay_mean_ms = 0.0), "context_decision.delay_mean_ms is 0; it must be a number above 0"),
        (
            context(&|task| task.delay_min_ms = 4000.0),
            "context_decision.delay_min_ms is 4000; it must be at most delay_max_ms, 3000",
        ),
        (
            Task::DelayedMatch(DelayedMatch { decision_ms: 0.0, ..DelayedMatch::default() }),
            "delayed_match.decision_ms is 0; it must be at least a step, which is 100 ms: in it the decision is made",
        ),
    ] {
        assert_eq!(task.batch(0, 0, 1, DT, ON).unwrap_err().to_string(), words);
    }
}
