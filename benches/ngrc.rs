//! The tutorial's NGRC job again and again in one process: warm-up, fit and test of forecasts 1, 10 and 100 steps ahead, and what
//! its parts take. The series is at hand.
//!
//!     cargo bench --bench ngrc                      a table of medians
//!     cargo bench --bench ngrc -- --repeats 100 --json     one JSON object, for scripts/bench

use std::time::Instant;

use bd_core::{Params, Shared, System, Tap, libtorch, threads};
use bd_models::{Ngrc, NgrcConfig, Target};
use bd_train::data::Flow;
use bd_train::metrics::forecast_error;
use bd_train::{Ridge, free_run, predict};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const HORIZONS: [i64; 3] = [1, 10, 100];
const FREE_STEPS: usize = 1000;

/// The series as `[1, time, channel]`, and the points `from..to` of it.
struct Data(Tensor);

impl Data {
    fn stretch(&self, from: i64, to: i64) -> Tensor {
        self.0.narrow(1, from, to - from)
    }
}

/// Test MSE of each horizon, and seconds of each part.
fn job(data: &Data) -> bd_core::Result<([f64; 3], [f64; 4])> {
    let mut laps = [0.0; 4];
    let began = Instant::now();
    let sha = Shared::new(0.01);
    let mut params = Params::new(0, ON);
    let model = Ngrc::new(&mut params, 3, HORIZONS.len(), &NgrcConfig::default())?;
    let (_, state) = predict(&model, &sha, &data.stretch(0, 2000), model.init_state(1, ON), &mut Tap::none())?;
    laps[0] = began.elapsed().as_secs_f64();
    let targets = Tensor::cat(&HORIZONS.map(|ahead| data.stretch(2000 + ahead, 8000 + ahead)), 2);
    let (_, state) = Ridge::default().fit(&model, &sha, &data.stretch(2000, 8000), &targets, state)?;
    laps[1] = began.elapsed().as_secs_f64() - laps[0];
    let (all, _) = predict(&model, &sha, &data.stretch(8000, 10_000), state, &mut Tap::none())?;
    let mut mse = [0.0; 3];
    for (i, ahead) in HORIZONS.into_iter().enumerate() {
        let forecast = all.narrow(1, 0, 2000 - ahead).narrow(2, 3 * i as i64, 3);
        mse[i] = forecast_error(&forecast, &data.stretch(8000 + ahead, 10_000))?.mse;
    }
    laps[3] = began.elapsed().as_secs_f64();
    laps[2] = laps[3] - laps[0] - laps[1];
    Ok((mse, laps))
}

/// Seconds of a free run from 50 starts.
fn free(data: &Data) -> bd_core::Result<f64> {
    let model =
        Ngrc::new(&mut Params::new(0, ON), 3, 1, &NgrcConfig { target: Target::Increment, ..Default::default() })?;
    let starts: Vec<Tensor> = (0..50).map(|i| data.0.get(0).get(i * 100)).collect();
    let began = Instant::now();
    let _ = free_run(&model, &Shared::new(0.01), &Tensor::stack(&starts, 0), model.init_state(50, ON), FREE_STEPS)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Median, tenth and ninetieth percentile.
fn spread(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |fraction: f64| seconds[((seconds.len() - 1) as f64 * fraction).round() as usize];
    json!({"median": at(0.5), "p10": at(0.1), "p90": at(0.9)})
}

fn main() -> bd_core::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let repeats: usize = after("--repeats").and_then(|text| text.parse().ok()).unwrap_or(50);
    threads::set(after("--threads").and_then(|text| text.parse().ok()).unwrap_or(2));
    let lorenz = Flow::named("lorenz")?;
    let params = lorenz.usual_params();
    let series = lorenz.series(&params, &lorenz.start(&params), 0.01, 10_000)?;
    let data = Data(series.unsqueeze(0));

    let began = Instant::now();
    let (mse, _) = job(&data)?;
    let first = began.elapsed().as_secs_f64();
    let mut seconds = Map::from_iter([("first".to_owned(), json!(first))]);
    let runs = (0..repeats).map(|_| Ok(job(&data)?.1)).collect::<bd_core::Result<Vec<_>>>()?;
    for (i, part) in ["warmup", "fit", "test", "job"].into_iter().enumerate() {
        seconds.insert(part.into(), spread(runs.iter().map(|laps| laps[i]).collect()));
    }
    seconds.insert("free_run".into(), spread((0..5).map(|_| free(&data)).collect::<bd_core::Result<Vec<_>>>()?));
    let versions = json!({"bd": env!("CARGO_PKG_VERSION"), "libtorch": libtorch::version()});
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", json!({"job": "ngrc", "seconds": seconds, "test_mse": mse, "versions": versions}));
        return Ok(());
    }
    println!("test MSE {mse:?}, first job {:.1} ms; then, in ms of {repeats}:", first * 1e3);
    println!("{:>10} {:>8} {:>8} {:>8}", "", "median", "p10", "p90");
    for (part, value) in seconds.iter().filter(|(_, value)| value.is_object()) {
        let ms = |quantile: &str| value[quantile].as_f64().unwrap_or(f64::NAN) * 1e3;
        println!("{part:>10} {:8.2} {:8.2} {:8.2}", ms("median"), ms("p10"), ms("p90"));
    }
    println!("free_run: {FREE_STEPS} steps from 50 starts.");
    Ok(())
}
