//! Reservoirs: what states and fits take, how good forecasts are and how many steps are remembered, by a plan in JSON that
//! `scripts/bench esn` gives to ReservoirPy as well.
//!
//!     cargo bench --bench reservoir -- --plan FILE              one JSON object, for scripts/bench
//!     cargo bench --bench reservoir -- --densities              a table: sparse products beside dense ones
//!     cargo bench --bench reservoir -- --memory 10000000        peak memory of a fit of 500 units to so many steps

use std::path::Path;
use std::time::Instant;

use bd_core::kernel::{Instructions, Packed, Rows, RowsMut, Shape, SparseWeight, Start, pack, product, product_of_one};
use bd_core::npz::load_npz;
use bd_core::{Error, Inputs, Params, Readout, Result, Rng, Shared, System, Tap, libtorch, threads};
use bd_models::{Entries, Esn, EsnConfig, Mixing, RecurrentMatrix, Reservoir, ReservoirConfig, ReservoirKind};
use bd_train::metrics::forecast_error;
use bd_train::{MemoryProtocol, Ridge, RidgeFactor, memory_capacity, predict};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn seconds<R>(run: impl FnOnce() -> R) -> (R, f64) {
    let began = Instant::now();
    let result = run();
    (result, began.elapsed().as_secs_f64())
}

/// Seconds, and those of all processors together, which other programs do not disturb as much; 0 where the system does not say it.
fn both_seconds<R>(run: impl FnOnce() -> R) -> (R, Value) {
    // User and system time in hundredths, the 14th and 15th of what stands behind the name.
    let of_processors = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
    };
    let before = of_processors();
    let (result, wall) = seconds(run);
    (result, json!({"wall": wall, "cpu": of_processors() - before}))
}

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name].as_f64().ok_or_else(|| Error::Config(format!("the plan has no number {name} in {value}")))
}

/// A model of one input with a matrix of about so many entries in a row.
fn esn(config: &ReservoirConfig, seed: u64, on: (Kind, Device)) -> Result<Esn> {
    Esn::new(&mut Params::new(seed, on), 1, 1, &EsnConfig { reservoir: *config, ..EsnConfig::default() })
}

fn random(density: f64) -> RecurrentMatrix {
    RecurrentMatrix::Random { entries: Entries::Normal, density }
}

/// Seconds of the states alone, and of states, R factor and weights, as the plan says.
fn speed(case: &Value) -> Result<Value> {
    let [units, steps, series, inputs_a_unit] =
        ["units", "steps", "series", "inputs_a_unit"].map(|name| number(case, name).unwrap_or(1.0));
    let kind = if case["dtype"] == "f32" { Kind::Float } else { Kind::Double };
    let on = (kind, Device::Cpu);
    let matrix = random(inputs_a_unit / units);
    let config = ReservoirConfig { units: units as i64, leak: 0.5, matrix, ..ReservoirConfig::default() };
    let (model, making) = both_seconds(|| esn(&config, 1, on));
    let model = model?;
    let x = Rng::new(0, "x").tensor(&[series as i64, steps as i64, 1], on, |rng| 2.0 * rng.uniform() - 1.0);
    let sha = Shared::new(1.0);
    let inputs = Inputs::of_steps(x.transpose(0, 1).contiguous());
    let states = || model.r.try_scan(&sha, &inputs, model.r.init_state(series as i64, on), &mut Tap::none());
    // The least of three: the first lays out the weights, and finds memory that is new.
    let _guard = tch::no_grad_guard();
    let mut of_states = Value::Null;
    for _ in 0..3 {
        let (found, took) = both_seconds(|| states().map(drop));
        found?;
        if of_states.is_null() || took["cpu"].as_f64() < of_states["cpu"].as_f64() {
            of_states = took;
        }
    }
    let mut said = json!({"making": making, "states": of_states});
    if case["fit"] == true {
        let y = x.roll(-1, 1);
        let ridge = Ridge::default();
        let (fitted, of_fit) = both_seconds(|| -> Result<f64> {
            let (factor, _) = ridge.factor(&model, &sha, &x, &y, model.init_state(series as i64, on))?;
            let solution = factor.solve(&ridge)?;
            solution.write_to(&model)?;
            Ok(solution.weight.norm().double_value(&[]))
        });
        said["fit"] = of_fit;
        said["weights"] = json!(fitted?);
    }
    Ok(said)
}

/// NRMSE by the standard deviation of the test part, of each seed.
fn task(task: &Value, folder: &Path) -> Result<Value> {
    let arrays = load_npz(&folder.join(task["file"].as_str().unwrap_or_default()))?;
    let array = |name: &str| {
        let found = arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array.to_kind(Kind::Double));
        found.ok_or_else(|| Error::Config(format!("the file of the series has no array {name}")))
    };
    let (x, y) = (array("x")?.unsqueeze(0), array("y")?.unsqueeze(0));
    let [washout, train] = ["washout", "train"].map(|name| number(task, name).unwrap_or(0.0) as i64);
    let config = ReservoirConfig {
        units: number(task, "units")? as i64,
        leak: number(task, "leak")?,
        spectral_radius: number(task, "spectral_radius")?,
        input_scaling: number(task, "input_scaling")?,
        ..ReservoirConfig::default()
    };
    let ridge = Ridge { alpha: number(task, "ridge")?, penalise_intercept: false, ..Ridge::default() };
    let part = |t: &Tensor, from: i64, to: i64| t.narrow(1, from, to - from);
    let errors = (0..number(task, "seeds")? as u64).map(|seed| {
        let model = esn(&config, seed, ON)?;
        let sha = Shared::new(1.0);
        let (_, state) = predict(&model, &sha, &part(&x, 0, washout), model.init_state(1, ON), &mut Tap::none())?;
        let (_, state) = ridge.fit(&model, &sha, &part(&x, washout, train), &part(&y, washout, train), state)?;
        let steps = x.size()[1];
        let (found, _) = predict(&model, &sha, &part(&x, train, steps), state, &mut Tap::none())?;
        Ok(forecast_error(&found, &part(&y, train, steps))?.nrmse)
    });
    Ok(json!(errors.collect::<Result<Vec<f64>>>()?))
}

/// Steps that reservoirs of 100 units remember, of each seed.
fn memory(seeds: u64) -> Result<Value> {
    let usual = ReservoirConfig { units: 100, input_scaling: 0.1, ..ReservoirConfig::default() };
    // As ReservoirPy's defaults.
    let sparse = ReservoirConfig { input_density: 0.1, input_entries: Entries::Bernoulli, ..usual };
    let es2n =
        |mixing| ReservoirConfig { kind: ReservoirKind::Es2n { mixing }, leak: 0.05, matrix: random(1.0), ..usual };
    let subjects = [
        ("leaky", sparse),
        ("orthogonal", ReservoirConfig { matrix: RecurrentMatrix::Orthogonal, ..sparse }),
        ("ring", ReservoirConfig { matrix: RecurrentMatrix::Ring, ..sparse }),
        ("es2n", es2n(Mixing::Orthogonal)),
        ("es2n, mixing ring", es2n(Mixing::Ring)),
    ];
    let mut said = json!({});
    for (name, config) in subjects {
        let total = |seed| {
            let reservoir = Reservoir::new(&mut Params::new(seed, ON).at("r"), 1, &config)?;
            let protocol = MemoryProtocol { seed, ..MemoryProtocol::default() };
            Ok(memory_capacity(&reservoir, &Shared::new(1.0), &protocol)?.total())
        };
        said[name] = json!((0..seeds).map(total).collect::<Result<Vec<f64>>>()?);
    }
    Ok(said)
}

fn by_plan(file: &Path) -> Result<()> {
    let bad = |reason: String| Error::Config(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let plan: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let list = |name: &str| plan[name].as_array().cloned().unwrap_or_default();
    let folder = file.parent().unwrap_or(Path::new("."));
    let speed = list("speed").iter().map(speed).collect::<Result<Vec<_>>>()?;
    let tasks = list("tasks").iter().map(|one| task(one, folder)).collect::<Result<Vec<_>>>()?;
    let memory = memory(plan["memory_seeds"].as_u64().unwrap_or(0))?;
    let versions = json!({"bd": env!("CARGO_PKG_VERSION"), "libtorch": libtorch::version()});
    println!("{}", json!({"speed": speed, "tasks": tasks, "memory": memory, "versions": versions}));
    Ok(())
}

fn rows_mut(numbers: &mut [f64], stride: usize) -> RowsMut<'_, f64> {
    RowsMut { numbers, stride }
}

/// Nanoseconds of a product of 1,000 to 1,000, for one sample and for 8 and 32 side by side: sparse beside dense.
fn densities() {
    const N: usize = 1000;
    let best = |run: &mut dyn FnMut()| (0..200).map(|_| seconds(&mut *run).1).fold(f64::INFINITY, f64::min) * 1e9;
    println!("{:>8} {:>8} {:>12} {:>12}", "density", "samples", "sparse, ns", "dense, ns");
    for density in [0.005, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7] {
        let mut rng = Rng::new(0, "weights");
        let dense: Vec<f64> = (0..N * N).map(|_| if rng.uniform() < density { rng.normal() } else { 0.0 }).collect();
        let entries = || dense.iter().enumerate().map(|(at, &w)| (at / N, at % N, w)).filter(|(.., w)| *w != 0.0);
        let sparse = SparseWeight::new([N, N], entries);
        let packed = pack(N, N, |i, o| dense[i * N + o]);
        let way = Instructions::best();
        for columns in [1, 8, 32] {
            let x = vec![0.5; N * columns];
            let (mut a, mut b) = (vec![0.0; N * columns], vec![0.0; N * columns]);
            let xs = Rows { numbers: &x, stride: columns };
            let shape = Shape { rows: N, terms: N, columns };
            let (of_sparse, of_dense) = match columns {
                1 => (
                    best(&mut || sparse.product_of_one(way, &x, Start::Zero, &mut a)),
                    best(&mut || product_of_one(way, [N, N], Packed(&packed), &x, Start::Zero, &mut b)),
                ),
                _ => (
                    best(&mut || sparse.product(way, columns, xs, Start::Zero, rows_mut(&mut a, columns))),
                    best(&mut || product(way, shape, Packed(&packed), xs, Start::Zero, rows_mut(&mut b, columns))),
                ),
            };
            assert_eq!(a, b, "sparse and dense products differ");
            println!("{density:8} {columns:8} {of_sparse:12.0} {of_dense:12.0}");
        }
    }
}

/// A fit of 500 units to so many steps, which come a hundred thousand at a time.
fn fit_of(steps: usize) -> Result<()> {
    let config = ReservoirConfig { units: 500, leak: 0.5, matrix: random(0.01), ..ReservoirConfig::default() };
    let (model, sha, ridge) = (esn(&config, 1, ON)?, Shared::new(1.0), Ridge::default());
    let mut factor = RidgeFactor::new(model.readout().0.size()[0], 1, true, Device::Cpu);
    let mut state = model.init_state(1, ON);
    let began = Instant::now();
    for from in (0..steps).step_by(100_000) {
        let count = 100_000.min(steps - from) as i64;
        let x = Rng::new(from as u64, "x").tensor(&[1, count, 1], ON, Rng::normal);
        state = ridge.extend(&mut factor, &model, &sha, &x, &x.roll(-1, 1), state)?;
    }
    factor.solve(&ridge)?.write_to(&model)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!("{steps} steps: {:.1} s, {peak}", began.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    bd_core::memory::keep_freed();
    threads::set(after("--threads").and_then(|text| text.parse().ok()).unwrap_or(2));
    threads::set_libtorch(1);
    if let Some(steps) = after("--memory").and_then(|text| text.parse().ok()) {
        bd_core::memory::share_freed(); // as `bd` does
        return fit_of(steps);
    }
    match after("--plan") {
        Some(file) => by_plan(Path::new(file)),
        None => {
            densities();
            Ok(())
        }
    }
}
