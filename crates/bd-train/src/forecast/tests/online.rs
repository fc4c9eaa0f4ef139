//! A series that is learned sample by sample.

use bd_core::{Checkpoint, Error};
use bd_models::{Esn, EsnConfig, ReservoirConfig};

use super::*;
use crate::online::{Lms, Online, OnlineRule, Rls};
use crate::trainer::{Cadence, Checkpoints, Control, Keep};

const RULES: [OnlineRule; 2] = [
    OnlineRule::Rls(Rls { alpha: 0.1, forgetting: 0.999, penalise_intercept: false }),
    OnlineRule::Lms(Lms { rate: 0.5, normalised: true }),
];

fn esn(params: &mut Params) -> Esn {
    let reservoir = ReservoirConfig { units: 30, ..ReservoirConfig::default() };
    Esn::new(params, 2, 2, &EsnConfig { reservoir, washout: 10, scale: true, ..EsnConfig::default() }).unwrap()
}

/// Recursive least squares over the training part is ridge regression over it, at all horizons, and predictions before each sample are those of
/// [`Online`].
#[test]
fn learning_a_series_is_fitting_it() {
    let (series, config) = (circle(400, 0.3), config(&[1, 3], &[0.1]));
    let (mut fitted, mut learned) = (Params::new(1, ON), Params::new(1, ON));
    let parts = split(20, 300, 30, 50);
    fit(&esn(&mut fitted), &series, &parts, &config, &mut |_| {}).unwrap();
    let rule = OnlineRule::Rls(Rls { alpha: 0.1, penalise_intercept: false, ..Rls::default() });
    let model = esn(&mut learned);
    let found = OnlineFitter::new(&model, &series, &parts, &config, &rule).fit(&mut |_| {}).unwrap().unwrap();
    for ((name, found), (_, expected)) in learned.named().iter().zip(fitted.named()) {
        assert_close(name, &found.detach(), &expected.detach(), 1e-9);
    }
    let mut online = Online::new(esn(&mut Params::new(1, ON)), &rule, 1.0, 1).unwrap();
    online.model().fit_scale(&series.stretch(20..320)).unwrap();
    let warm =
        crate::predict(online.model(), &Shared::new(1.0), &series.stretch(0..20), None, &mut Tap::none()).unwrap().1;
    online.set_state(&warm, 20).unwrap();
    let targets = Tensor::cat(&[series.stretch(21..318), series.stretch(23..320)], 2);
    let before = online.learn(&series.stretch(20..317), &targets).unwrap();
    let squares = (before - targets).square().squeeze_dim(0).mean_dim(0, false, Kind::Double);
    assert_eq!((found.samples, found.unexcited, found.validation.len()), (297, 0, 2));
    for (i, mse) in found.before_mse.iter().enumerate() {
        let known = squares.narrow(0, 2 * i as i64, 2).mean(Kind::Double).double_value(&[]);
        assert!((mse / known - 1.0).abs() < 1e-9, "{mse} and not {known}");
    }
}

/// Stopped after its second chunk, and gone on from the checkpoint: the bytes of a training that was not.
#[test]
fn a_series_goes_on_bit_for_bit() {
    let (series, config, parts) = (circle(4000, 0.3), config(&[1, 3], &[1.0]), split(20, 3900, 30, 50));
    for rule in &RULES {
        let (mut whole, mut broken) = (Params::new(1, ON), Params::new(1, ON));
        let known =
            OnlineFitter::new(&esn(&mut whole), &series, &parts, &config, rule).fit(&mut |_| {}).unwrap().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (model, control) = (esn(&mut broken), Control::default());
        let stopped = OnlineFitter::new(&model, &series, &parts, &config, rule)
            .control(control.clone())
            .checkpoints(Checkpoints::new(folder.path(), Cadence::Updates(u64::MAX), Keep::All))
            .fit(&mut |event| {
                if matches!(event, FitEvent::Taken { samples } if *samples > 2000) {
                    control.stop();
                }
            });
        assert!(stopped.unwrap().is_none());
        let newest = Checkpoints::newest(folder.path()).unwrap().unwrap();
        assert_eq!(newest.step().unwrap(), 2048);
        let mut again = Params::new(1, ON);
        let model = esn(&mut again);
        let mut fitter = OnlineFitter::new(&model, &series, &parts, &config, rule);
        fitter.resume(&newest.checkpoint).unwrap();
        let found = fitter.fit(&mut |_| {}).unwrap().unwrap();
        assert_eq!((found.before_mse, found.samples), (known.before_mse, known.samples));
        for ((name, found), (_, expected)) in again.named().iter().zip(whole.named()) {
            assert!(*found == expected, "{name} of {rule:?}");
        }
        refuses_others(&newest.checkpoint, &series, &parts, &config, rule);
    }
}

fn refuses_others(checkpoint: &Checkpoint, series: &Series, parts: &Split, own: &ForecastConfig, rule: &OnlineRule) {
    let mut params = Params::new(1, ON);
    let model = esn(&mut params);
    let words = |parts: &Split, config: &ForecastConfig, rule: &OnlineRule| {
        let error = OnlineFitter::new(&model, series, parts, config, rule).resume(checkpoint).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        error.to_string()
    };
    let shorter = split(20, 3000, 30, 50);
    assert!(words(&shorter, own, rule).contains("rows: 20..3917"));
    assert!(words(parts, &config(&[1, 2], &[1.0]), rule).contains("horizons: [1, 3]"));
    let other = OnlineRule::Lms(Lms { rate: 0.1, normalised: true });
    assert!(words(parts, own, &other).contains("and this is Lms"));
    let ridge = Fitter::new(&model, series, parts, own).resume(checkpoint).unwrap_err().to_string();
    assert!(ridge.contains("no fit that can go on here"), "{ridge}");
}

#[test]
fn a_rule_that_cannot_be_is_refused() {
    let (series, config, parts) = (circle(100, 0.3), config(&[1], &[1.0]), split(10, 60, 0, 30));
    let model = Map::new(&mut Params::new(0, ON).at("o"), 2, 1);
    let rule = OnlineRule::Rls(Rls { forgetting: 1.5, ..Rls::default() });
    let error = OnlineFitter::new(&model, &series, &parts, &config, &rule).fit(&mut |_| {}).unwrap_err().to_string();
    assert_eq!(error, "online.forgetting is 1.5; it must be 1e-6 to 1");
    let diverging = OnlineRule::Lms(Lms { rate: 50.0, normalised: false });
    let error = OnlineFitter::new(&model, &series, &parts, &config, &diverging).fit(&mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, Error::NotFinite { .. }) && error.to_string().contains("online.rate 50 is too great"),
        "{error}"
    );
}
