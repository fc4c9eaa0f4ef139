//! Steps and series, saving and going on, and what is refused.

use bd_core::{Checkpoint, Error, Params, Readout, StateTree, System};
use bd_models::{Esn, EsnConfig, ReservoirConfig};
use tch::{Device, Kind, Tensor};

use super::{apart, drawn, linear};
use crate::online::{Lms, Online, OnlineRule, Rls};

const RULES: [OnlineRule; 3] = [
    OnlineRule::Rls(Rls { alpha: 0.1, forgetting: 0.99, penalise_intercept: false }),
    OnlineRule::Lms(Lms { rate: 0.5, normalised: true }),
    OnlineRule::Lms(Lms { rate: 1e-3, normalised: false }),
];

fn esn(kind: Kind) -> Esn {
    let reservoir = ReservoirConfig { units: 20, ..ReservoirConfig::default() };
    let config = EsnConfig { reservoir, scale: true, target: bd_models::Target::Increment, ..EsnConfig::default() };
    Esn::new(&mut Params::new(4, (kind, Device::Cpu)), 2, 1, &config).unwrap()
}

fn online(rule: &OnlineRule, batch: i64, kind: Kind) -> Online<Esn> {
    Online::new(esn(kind), rule, 1.0, batch).unwrap()
}

fn data(batch: i64, time: i64, kind: Kind) -> [Tensor; 2] {
    ["x", "y"].map(|name| drawn(&[batch, time, 2], name).to_kind(kind))
}

/// A whole series, its parts, and its steps.
#[test]
fn series_are_steps() {
    for rule in &RULES {
        for (batch, kind, tolerance) in [(1, Kind::Double, 1e-11), (3, Kind::Double, 1e-11), (2, Kind::Float, 1e-3)] {
            let [x, y] = data(batch, 30, kind);
            let (mut whole, mut parts, mut steps) =
                (online(rule, batch, kind), online(rule, batch, kind), online(rule, batch, kind));
            let predictions = whole.learn(&x, &y).unwrap();
            for (from, length) in [(0, 11), (11, 19)] {
                let part = |t: &Tensor| t.narrow(1, from, length);
                let found = parts.learn(&part(&x), &part(&y)).unwrap();
                assert!(apart(&found, &part(&predictions)) < tolerance);
            }
            for i in 0..30 {
                let found = steps.step(&x.select(1, i), &y.select(1, i)).unwrap();
                assert!(apart(&found, &predictions.select(1, i)) < tolerance, "{rule:?} {i}");
            }
            let weight = whole.model().readout().0;
            for other in [&parts, &steps] {
                assert!(apart(other.model().readout().0, weight) < tolerance);
                assert_eq!((other.now().i, other.learner().samples()), (30, 30 * batch as u64));
            }
            // The model has these weights, and goes on with them.
            let next = drawn(&[batch, 2], "next").to_kind(kind);
            let known = whole.model().step(whole.now(), &next, whole.state()).0;
            assert!(apart(&whole.predict(&next).unwrap(), &known) == 0.0 && whole.now().i == 31);
        }
    }
}

/// Saved, loaded from disk and continued: the bytes of what was never interrupted.
#[test]
fn what_goes_on_is_what_was_not_interrupted() {
    for rule in &RULES {
        for kind in [Kind::Double, Kind::Float] {
            let [x, y] = data(2, 40, kind);
            let part = |t: &Tensor, from: i64| t.narrow(1, from, 20);
            let mut whole = online(rule, 2, kind);
            let _ = whole.learn(&part(&x, 0), &part(&y, 0)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("step-00000020");
            whole.checkpoint().save(&path).unwrap();
            let mut other = online(rule, 2, kind);
            other.resume(&Checkpoint::load(&path).unwrap()).unwrap();
            let [one, two] = [&mut whole, &mut other].map(|online| online.learn(&part(&x, 20), &part(&y, 20)).unwrap());
            assert!(one == two);
            assert_eq!(whole.now(), other.now());
            let bytes = |online: &Online<Esn>| -> Vec<(String, Tensor)> {
                let (weight, bias) = online.model().readout();
                let own = [("w", weight), ("b", bias.unwrap())].map(|(name, t)| (name.to_owned(), t.shallow_clone()));
                [online.learner().named(), online.state().named(), own.into()].into_iter().flatten().collect()
            };
            for ((name, one), (_, two)) in bytes(&whole).iter().zip(&bytes(&other)) {
                assert!(one == two, "{name} of {rule:?}");
            }
        }
    }
}

#[test]
fn a_checkpoint_of_another_learner_is_refused() {
    let saved = online(&RULES[0], 2, Kind::Double).checkpoint();
    let words = |mut online: Online<Esn>| online.resume(&saved).unwrap_err().to_string();
    assert!(words(online(&RULES[1], 2, Kind::Double)).contains("it is of Rls(Rls { alpha: 0.1"));
    assert!(words(online(&RULES[0], 3, Kind::Double)).contains("with a batch of 2"));
    let larger = linear(30, 2, true);
    let error = Online::new(larger, &RULES[0], 1.0, 2).unwrap().resume(&saved).unwrap_err().to_string();
    assert!(error.contains("there is no online.weights of 62 finite numbers"), "{error}");
    let mut damaged = online(&RULES[0], 2, Kind::Double).checkpoint();
    damaged.optim.retain(|(name, _)| name != "online.d");
    let error = online(&RULES[0], 2, Kind::Double).resume(&damaged).unwrap_err().to_string();
    assert!(error.contains("there is no online.d of 23 finite numbers"), "{error}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let rls = |alpha: f64, forgetting: f64| OnlineRule::Rls(Rls { alpha, forgetting, ..Rls::default() });
    let lms = |rate: f64, normalised: bool| OnlineRule::Lms(Lms { rate, normalised });
    for (rule, words) in [
        (rls(0.0, 1.0), "online.alpha is 0; it must be a number from 1e-50 to 1e50"),
        (rls(f64::NAN, 1.0), "online.alpha is NaN"),
        (rls(1.0, 0.0), "online.forgetting is 0; it must be 1e-6 to 1"),
        (rls(1.0, 1.5), "online.forgetting is 1.5"),
        (lms(0.0, false), "online.rate is 0"),
        (lms(2.0, true), "online.rate is 2; it must be above 0 and below 2 where it is normalised"),
    ] {
        let error = Online::new(linear(2, 1, true), &rule, 1.0, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    assert!(Online::new(linear(2, 1, true), &rls(1.0, 1.0), 0.0, 1).is_err());
    assert!(Online::new(linear(2, 1, true), &rls(1.0, 1.0), 1.0, 0).is_err());
}

/// Wrong input is an error, and nothing has changed.
#[test]
fn wrong_samples_change_nothing() {
    for rule in &RULES {
        let mut learner = Online::new(linear(2, 1, true), rule, 1.0, 3).unwrap();
        let (x, y) = (drawn(&[3, 2], "x"), drawn(&[3, 1], "y"));
        let _ = learner.step(&x, &y).unwrap();
        let before: Vec<_> = learner.learner().named();
        let wrong = f64::NAN;
        assert!(matches!(learner.step(&(&x * wrong), &y), Err(Error::NotFinite { .. })));
        assert!(matches!(learner.step(&x, &(&y * wrong)), Err(Error::NotFinite { .. })));
        assert!(matches!(learner.step(&x, &y.tr()), Err(Error::Shape { .. })));
        assert!(matches!(learner.step(&x.narrow(0, 0, 2), &y), Err(Error::Shape { .. })));
        assert!(matches!(learner.step(&x.to_kind(Kind::Float), &y), Err(Error::DtypeOrDevice { .. })));
        assert!(matches!(learner.step(&x, &y.to_kind(Kind::Float)), Err(Error::DtypeOrDevice { .. })));
        let error = learner.step(&(&x * 1e90), &y).unwrap_err().to_string();
        assert!(error.contains("a feature is not finite") && error.contains("scale the inputs down"), "{error}");
        let series = |t: &Tensor| t.unsqueeze(1);
        assert!(learner.learn(&series(&x), &series(&y).narrow(0, 0, 2)).is_err());
        assert!(learner.learn(&series(&(&x * wrong)), &series(&y)).is_err());
        assert!(learner.learn(&series(&x.narrow(0, 0, 2)), &series(&y.narrow(0, 0, 2))).is_err());
        let after = learner.learner().named();
        assert!(before.iter().zip(&after).all(|(before, after)| before == after));
        assert_eq!(learner.now().i, 1);
    }
}

/// Squared lengths of features are 3 in the mean, one of them the intercept's: a rate above 2/3 cannot converge.
#[test]
fn a_descent_that_diverges_is_reported() {
    let x = drawn(&[1, 20_000, 2], "x");
    let y = x.matmul(&drawn(&[2, 1], "w"));
    let descent = |rate: f64| {
        let rule = OnlineRule::Lms(Lms { rate, normalised: false });
        let mut online = Online::new(linear(2, 1, true), &rule, 1.0, 1).unwrap();
        let learned = online.learn(&x, &y).map(drop);
        (learned, online.model().readout().0.abs().max().double_value(&[]))
    };
    let (learned, weight) = descent(0.1);
    assert!(learned.is_ok() && weight < 10.0);
    let (learned, weight) = descent(1.5);
    let error = learned.unwrap_err().to_string();
    assert!(error.contains("online.rate 1.5 is too great") && error.contains("it has to be below"), "{error}");
    assert!(weight < 1e7, "{weight}"); // those of the last whole chunk
    // Weights from elsewhere whose first error is great beside the targets.
    let rule = OnlineRule::Lms(Lms { rate: 0.1, normalised: false });
    let mut online = Online::adapting(linear(2, 1, true), &rule, 1.0, 1).unwrap();
    let _ = online.learn(&x, &(&y * 0.0)).unwrap();
}
