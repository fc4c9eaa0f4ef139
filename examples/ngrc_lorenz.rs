//! Prints the test MSE of forecasts of Lorenz: 3.249e-12 one step ahead, 0.008648 ten steps, 40.59 a hundred steps.
//!
//! BrainPy's tutorial on the crates alone: integrate, warm up, fit in closed form, test.

use bd_core::{Params, Shared, System, Tap};
use bd_models::{Ngrc, NgrcConfig};
use bd_train::data::Flow;
use bd_train::metrics::forecast_error;
use bd_train::{Ridge, predict};
use tch::{Device, Kind};

fn main() -> bd_core::Result<()> {
    let lorenz = Flow::named("lorenz")?;
    let usual = lorenz.usual_params();
    let series = lorenz.series(&usual, &lorenz.start(&usual), 0.01, 10_000)?.unsqueeze(0);
    let stretch = |from: i64, to: i64| series.narrow(1, from, to - from);
    let sha = Shared::new(0.01);
    let on = (Kind::Double, Device::Cpu);

    for ahead in [1, 10, 100] {
        let mut params = Params::new(0, on);
        let model = Ngrc::new(&mut params, 3, 1, &NgrcConfig::default())?;
        // The state that comes out of each call goes into the next one: the reservoir never forgets by accident.
        let state = model.init_state(1, on);
        let (_, state) = predict(&model, &sha, &stretch(0, 2000), state, &mut Tap::none())?;
        let (x, y) = (stretch(2000, 8000), stretch(2000 + ahead, 8000 + ahead));
        let (_, state) = Ridge::default().fit(&model, &sha, &x, &y, state)?;
        let (forecast, _) = predict(&model, &sha, &stretch(8000, 10_000 - ahead), state, &mut Tap::none())?;
        let error = forecast_error(&forecast, &stretch(8000 + ahead, 10_000))?;
        println!("{ahead:3} ahead: test MSE {:.3e}", error.mse);
    }
    Ok(())
}
