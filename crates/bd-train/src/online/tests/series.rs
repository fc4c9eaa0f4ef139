//! BrainPy's tutorial of online training.

use bd_core::{Chain, Params, Readout, Shared, StateTree, System, Tap};
use bd_models::{Linear, LinearConfig, Nvar, NvarConfig};

use super::{ON, apart};
use crate::data::Flow;
use crate::metrics::forecast_error;
use crate::online::{Online, OnlineRule, Rls};
use crate::{Ridge, predict};

/// `docs/tutorial_training/online_training.ipynb` of BrainPy: Lorenz, dt 0.01, 495 steps of warm-up, 10,000 of training, 5,000 of test; NVAR
/// of delay 2, order 2 and a constant; a readout without intercept; five steps ahead; `RLS()`, whose `alpha=0.1` is `P(0)`. The notebook
/// prints a mean square error of 8.617e-4 with version 2.4.0, and 8.36e-4 with 2.8. The textbook's update in numpy, from weights of zero, has
/// 6.494e-4.
#[test]
fn brainpys_tutorial() {
    let start = [17.677_158_162_766_79, 12.931_379_185_960_404, 43.914_043_342_482_68];
    let series = Flow::named("lorenz").unwrap().series(&[10.0, 28.0, 8.0 / 3.0], &start, 0.01, 15_500).unwrap();
    let stretch = |from: i64, to: i64| series.narrow(0, from, to - from).unsqueeze(0);
    let nvar = NvarConfig { delay: 2, stride: 1, order: vec![2], constant: true };
    let model = || {
        let nvar = Nvar::new(3, &nvar).unwrap();
        let config = LinearConfig { bias: false, ..LinearConfig::default() };
        let readout = Linear::new(&mut Params::new(0, ON).at("o"), nvar.n_out(), 3, &config).unwrap();
        Chain::new(("r", nvar), ("o", readout)).unwrap()
    };
    let rule = OnlineRule::Rls(Rls { alpha: 10.0, ..Rls::default() });
    let mut online = Online::new(model(), &rule, 0.01, 1).unwrap();
    let sha = Shared::new(0.01);
    let warm = predict(online.model(), &sha, &stretch(0, 495), None, &mut Tap::none()).unwrap().1;
    online.set_state(&warm, 495).unwrap();
    let _ = online.learn(&stretch(495, 10_495), &stretch(500, 10_500)).unwrap();
    let (found, _) =
        predict(online.model(), online.now(), &stretch(10_495, 15_495), online.state().share(), &mut Tap::none())
            .unwrap();
    let error = forecast_error(&found, &stretch(10_500, 15_500)).unwrap();
    assert!(error.mse <= 8.4e-4, "{:e}", error.mse);
    // It is ridge regression, which has seen the same.
    let known = model();
    let ridge = Ridge { alpha: 10.0, ..Ridge::default() };
    ridge.fit(&known, &sha.ahead(495), &stretch(495, 10_495), &stretch(500, 10_500), warm).unwrap();
    assert!(apart(online.model().readout().0, known.readout().0) < 1e-8);
}
