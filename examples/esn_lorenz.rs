//! Prints how long an echo state network stays with Lorenz on its own outputs: 8 Lyapunov times or more, the median of 50 starts.
//!
//! 400 units, fitted by ridge regression to increments of 6000 points, and beside that how long the series itself is Lorenz.

use bd_core::Params;
use bd_models::{Esn, EsnConfig, ReservoirConfig, Target};
use bd_train::data::{Flow, FlowSeries, Method, Solution, SplitConfig};
use bd_train::forecast::{ForecastConfig, Measure, ValidTime, fit};
use bd_train::{FreeRunConfig, Units};
use tch::{Device, Kind};

fn main() -> bd_core::Result<()> {
    let lorenz = Flow::named("lorenz")?;
    let params = lorenz.usual_params();
    // Steps of the classic Runge-Kutta method as long as these follow Lorenz for 7 Lyapunov times only.
    let solution = Solution { flow: lorenz, params, method: Some(Method::REFERENCE) };
    let exact =
        FlowSeries { dt: 0.02, method: solution.method, ..FlowSeries::of(lorenz, solution.params.clone(), 10_000) };
    let series = exact.make(lorenz)?;
    let split = SplitConfig { warmup: 0.1, split: [0.67, 0.0, 0.33] }.divide(series.points())?;

    let reservoir = ReservoirConfig { units: 400, bias_scaling: 0.5, input_scaling: 0.3, ..ReservoirConfig::default() };
    let config = EsnConfig { reservoir, target: Target::Increment, scale: true, ..EsnConfig::default() };
    let model = Esn::new(&mut Params::new(0, (Kind::Double, Device::Cpu)), 3, 1, &config)?;
    fit(&model, &series, &split, &ForecastConfig { alphas: vec![1e-8], ..ForecastConfig::default() }, &mut |_| {})?;

    let units = Units::of(&series.stretch(split.train).squeeze_dim(0))?;
    let measure = Measure::new(&model, &series, &[1], units)?;
    let free_run = FreeRunConfig::default();
    let mut runs = measure.free_runs(split.test, &free_run)?.expect("the test part is long enough");
    runs.judge(&solution, (&series.values, series.dt), measure.units(), free_run.threshold)?;
    let time = ValidTime::of(&runs, series.dt, "", Some(lorenz.lyapunov_exponent));
    println!("{}", time.sentence());
    println!("{}", time.limit_sentence().expect("the system is known"));
    Ok(())
}
