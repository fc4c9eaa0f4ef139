//! Prints NMSE 0.133 one step ahead, where no change gives 0.410, and the sunspots of 2009 to 2019, all between 0 and 150.
//!
//! A series of one's own, from a file to forecasts beyond its end, on the crates alone: `cargo run --release --example own_series`,
//! or with a file and a column of it as arguments.

use std::path::{Path, PathBuf};

use bd_core::{Forecaster, Params, Shared, System, Tap};
use bd_models::{Ngrc, NgrcConfig, NvarConfig};
use bd_train::data::{Series, SeriesConfig, SplitConfig};
use bd_train::metrics::forecast_error;
use bd_train::{Ridge, free_run, predict};
use tch::{Device, Kind};

fn main() -> bd_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let sunspots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sunspots.csv");
    let file = arguments.next().map_or(sunspots, PathBuf::from);
    let column = arguments.next().unwrap_or_else(|| "SUNACTIVITY".into());
    let time = (column == "SUNACTIVITY").then(|| "YEAR".to_owned());
    let series = Series::read(&file, &SeriesConfig { columns: vec![column], time, dt: None })?;

    // Nine points of the past, linear only: what statisticians call AR(9).
    let config = NgrcConfig {
        nvar: NvarConfig { delay: 9, stride: 1, order: vec![1], constant: false },
        scale: true,
        ..NgrcConfig::default()
    };
    let on = (Kind::Double, Device::Cpu);
    let mut params = Params::new(0, on);
    let model = Ngrc::new(&mut params, series.channels.len(), 1, &config)?;
    let sha = Shared::new(series.dt);

    let parts = SplitConfig { warmup: model.r.memory() as f64, split: [0.8, 0.0, 0.2] }.divide(series.points())?;
    model.fit_scale(&series.stretch(parts.train.clone()))?;
    // The state that comes out of each call goes into the next one.
    let state = model.init_state(1, on);
    let (_, state) = predict(&model, &sha, &series.stretch(parts.warmup), state, &mut Tap::none())?;
    let (from, to) = (parts.train.start, parts.train.end);
    // The last point of the training part is a target only, so that nothing of the test part is learned.
    let (x, y) = (series.stretch(from..to - 1), series.stretch(from + 1..to));
    let (_, state) = Ridge { alpha: 1e-3, ..Ridge::default() }.fit(&model, &sha, &x, &y, state)?;

    let (test, last) =
        (series.stretch(to - 1..series.points() - 1), series.stretch(series.points() - 1..series.points()));
    let (forecast, state) = predict(&model, &sha, &test, state, &mut Tap::none())?;
    // The first of these is about the first point of the test part; `bd train` begins a point later.
    let tested = |t: &tch::Tensor| t.narrow(1, 1, t.size()[1] - 1);
    let truth = series.stretch(to + 1..series.points());
    let (error, unchanged) = (forecast_error(&tested(&forecast), &truth)?, forecast_error(&tested(&test), &truth)?);
    println!("one step ahead: NMSE {:.3}, of no change {:.3}", error.nmse(), unchanged.nmse());

    let (run, _) = free_run(&model, &sha, &last.squeeze_dim(1), state, 11)?;
    for (i, value) in Vec::<f64>::try_from(run.select(2, 0).squeeze_dim(0))?.into_iter().enumerate() {
        println!("{} {value:.1}", series.time(series.points() + i));
    }
    Ok(())
}
