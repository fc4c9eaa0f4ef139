//! Choices on the validation part: of a penalty, and the scores by which models are compared.

use bd_core::{Params, Rng};

use super::*;

/// On an exact linear map a penalty only hurts; the best one is fitted to both parts in the end.
#[test]
fn the_best_penalty_wins_and_both_parts_are_fitted() {
    let (series, mut params) = (circle(80, 0.3), Params::new(0, ON));
    let map = Map::new(&mut params.at("o"), 2, 1);
    for select in [Select::OneStep, Select::FreeRun] {
        let config = ForecastConfig { select, ..config(&[1], &[100.0, 1e-10, 1.0]) };
        let found = fit(&map, &series, &split(0, 40, 20, 20), &config, &mut |_| ()).unwrap();
        assert_eq!((found.alpha, found.candidates.len(), found.report.rows), (1e-10, 3, 59));
        assert_eq!(found.candidates.iter().map(|one| one.chosen).collect::<Vec<_>>(), [false, true, false]);
        match found.candidates[1].score.as_ref().unwrap() {
            Score::OneStep { horizon, nrmse, .. } => assert!(*horizon == 1 && *nrmse < 1e-9),
            Score::FreeRun(free) => assert_eq!((free.valid_throughout, free.bounded), (free.runs, free.runs)),
        }
    }
}

/// What is compared among models is what a fit finds on the validation part: of several penalties their scores, of one its forecasts.
/// Without a validation part there is nothing to compare by.
#[test]
fn a_model_is_scored_on_the_validation_part_alone() {
    let noise = Rng::new(4, "noise").tensor(&[80, 2], ON, Rng::normal);
    let series = series(circle(80, 0.3).values + noise * 0.2);
    let split = split(0, 40, 20, 20);
    let map = |horizons| Map::new(&mut Params::new(0, ON).at("o"), 2, horizons);
    let scored = |split: &Split, config: &ForecastConfig| {
        Fitter::new(&map(config.horizons.len() as i64), &series, split, config).validate().map(Option::unwrap)
    };
    for select in [Select::OneStep, Select::FreeRun] {
        let several = ForecastConfig { select, ..config(&[1, 3], &[1e-6, 1.0, 100.0]) };
        let fitted = fit(&map(2), &series, &split, &several, &mut |_| ()).unwrap();
        assert_eq!(scored(&split, &several).unwrap(), fitted.candidates);
    }
    let one = config(&[1, 3], &[0.5]);
    let found = fit(&map(2), &series, &split, &one, &mut |_| ()).unwrap().validation;
    let errors: Vec<f64> = found.iter().map(|forecast| forecast.error.nrmse).collect();
    let mean_error = (errors[0] + errors[1]) / 2.0;
    let score = Score::OneStep { horizon: 1, mse: found[0].error.mse, nrmse: errors[0], mean_error };
    assert_eq!(score.rank(), [0.0, 0.0, -mean_error]);
    assert_eq!(scored(&split, &one).unwrap(), [Candidate { alpha: 0.5, score: Ok(score), chosen: true }]);
    // A single target is constant, and has no normalised error.
    let short = Split { train: 0..58, validation: 58..60, ..split.clone() };
    for Candidate { score, .. } in &scored(&short, &config(&[1], &[1e-6, 1.0])).unwrap() {
        let Ok(Score::OneStep { mse, nrmse, mean_error, .. }) = score else { panic!("{score:?}") };
        assert!(nrmse.is_nan() && mse == mean_error, "{score:?}");
    }
    let none = Split { train: 0..60, validation: 60..60, ..split.clone() };
    let error = scored(&none, &one).unwrap_err().to_string();
    assert!(error.contains("the validation part has 0 points, too few to choose by a forecast 3 steps"), "{error}");
}
