//! Runs that `bd train` makes, opened by `bd-runner`: one step after the other has the bytes of `bd predict`.

use std::path::Path;
use std::time::Instant;

use bd_core::npz::save_npz;
use bd_core::tch::{Device, Kind, Tensor};
use bd_core::{DeviceSpec, Rng};
use bd_run::{ForecastConfig, Input, Layers, NetworkConfig, Run, Setting, forecast, train};
use bd_runner::{Runner, StepError};
use bd_train::Control;

fn layers(set: &[&str]) -> Layers {
    Layers { config: None, options: Vec::new(), set: set.iter().map(ToString::to_string).collect() }
}

fn setting(out: &Path) -> Setting {
    Setting {
        device: Device::Cpu,
        out: Some(out.to_path_buf()),
        control: Control::default(),
        program: ("test", None),
        began: Instant::now(),
        group: None,
    }
}

fn make(job: &str, set: &[&str], out: &Path) {
    let set = [&["threads=1"], set].concat();
    let ended = match job {
        "ngrc" | "esn" => {
            let config = ForecastConfig::resolve(job, &layers(&set)).unwrap();
            forecast(config, &setting(out), &()).unwrap()
        }
        _ => {
            let (config, lessons) = NetworkConfig::resolve(job, &layers(&set)).unwrap();
            train(config, lessons, &setting(out), &()).unwrap()
        }
    };
    let bd_run::Ended::Finished(outcome) = ended else { panic!("{job} {set:?} was not finished") };
    outcome.finish().unwrap();
}

fn noise(shape: &[i64], name: &str) -> Tensor {
    Rng::new(1, name).tensor(shape, (Kind::Double, Device::Cpu), Rng::normal)
}

fn numbers(of: &Tensor) -> Vec<f64> {
    Vec::try_from(of.to_kind(Kind::Double).contiguous().flatten(0, -1)).unwrap()
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Outputs of a run over `[sequence, time, channel]`, each sequence in a lane of its own, `[sequence, step of the model, output]`. The same
/// in float32 from inputs that are float32 numbers, and once more after a reset.
fn stepped(run: &Path, x: &Tensor) -> Vec<f64> {
    let [batch, time, channels] = [0, 1, 2].map(|dim| x.size()[dim] as usize);
    let mut runner = Runner::with_lanes(run, batch).unwrap();
    assert_eq!((runner.lanes(), runner.inputs()), (batch, channels));
    let of_lane = runner.substeps() * runner.outputs();
    let x = numbers(&x.transpose(0, 1));
    let mut all = Vec::new();
    for again in [false, true] {
        let mut ys = vec![0.0; batch * time * of_lane];
        for (t, x) in x.chunks(batch * channels).enumerate() {
            let y = match again {
                false => runner.step_f64(x).unwrap().to_vec(),
                true => {
                    let x: Vec<f32> = x.iter().map(|x| *x as f32).collect();
                    runner.step(&x).unwrap().iter().map(|y| f64::from(*y)).collect()
                }
            };
            for (lane, y) in y.chunks(of_lane).enumerate() {
                ys[(lane * time + t) * of_lane..][..of_lane].copy_from_slice(y);
            }
        }
        all.push(ys);
        runner.reset();
    }
    let rounded: Vec<f64> = all[0].iter().map(|y| f64::from(*y as f32)).collect();
    assert_eq!(bits(&rounded), bits(&all[1]), "float32, after a reset");
    all.swap_remove(0)
}

fn assert_same(name: &str, found: &[f64], known: &[f64]) {
    assert_eq!(found.len(), known.len(), "{name}");
    let first = bits(found).into_iter().zip(bits(known)).position(|(found, known)| found != known);
    if let Some(at) = first {
        panic!("{name}: number {at} is {:e} by steps and {:e} by predict", found[at], known[at]);
    }
    assert!(known.iter().any(|y| *y != 0.0), "{name}: zeros say little");
}

/// A network of rates or spikes: `x` in memory, or in a file of `bd predict`.
fn check_network(name: &str, job: &str, set: &[&str], x: &Tensor) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    make(job, set, &run);
    let predictor = Run::open(&run).unwrap().predictor(DeviceSpec::Cpu).unwrap();
    let file = folder.path().join("x.npz");
    save_npz(&file, &[("x".to_owned(), x.shallow_clone())]).unwrap();
    let prepared = predictor.read(&file, &Input::default()).unwrap();
    let known = predictor.predict_prepared(&prepared).unwrap();
    assert_same(name, &stepped(&run, x), &numbers(known.array("output").unwrap()));
}

/// Of a whole series the forecasts from the first complete history on.
fn check_forecast(name: &str, job: &str, set: &[&str], reach: i64, horizons: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    make(job, &[&["free_run.steps=0", "data.system.duration=8"], set].concat(), &run);
    // Float32 numbers, and of another range than the training had.
    let x = (noise(&[1, 90, 3], "series").cumsum(1, Kind::Double) + 0.5).to_kind(Kind::Float).to_kind(Kind::Double);
    let known = Run::open(&run).unwrap().predictor(DeviceSpec::Cpu).unwrap().predict(&x).unwrap();
    let found = Tensor::from_slice(&stepped(&run, &x)).reshape([90, horizons.len() as i64, 3]);
    for (i, horizon) in horizons.iter().enumerate() {
        let known = known.array(&format!("prediction.{horizon}")).unwrap();
        let found = found.narrow(0, reach, 90 - reach).select(1, i as i64);
        assert_same(&format!("{name}, horizon {horizon}"), &numbers(&found), &numbers(known));
    }
}

#[test]
fn forecasts_by_lagged_products() {
    check_forecast("ngrc", "ngrc", &[], 15, &[1, 10, 100]);
    let set =
        ["nvar.delay=3", "nvar.stride=2", "nvar.order=[3,2]", "nvar.constant=true", "target=increment", "scale=true"];
    check_forecast("increments", "ngrc", &[&set[..], &["horizon=[1,4]"]].concat(), 4, &[1, 4]);
    check_forecast("float32", "ngrc", &["dtype=f32", "scale=true", "ridge.alpha=1e-3"], 15, &[1, 10, 100]);
}

#[test]
fn forecasts_by_reservoirs() {
    let sparse = ["washout=20", "reservoir.units=60", "reservoir.leak=0.6", "reservoir.bias_scaling=0.2"];
    check_forecast("esn", "esn", &sparse, 20, &[1, 10, 100]);
    let dense = ["washout=20", "reservoir.units=30", "reservoir.matrix.density=0.9", "target=increment", "scale=true"];
    check_forecast("dense", "esn", &dense, 20, &[1, 10, 100]);
    let es2n = ["washout=20", "reservoir.units=20", "reservoir.kind=es2n", "reservoir.leak=0.2", "reservoir.layers=2"];
    check_forecast("es2n", "esn", &es2n, 20, &[1, 10, 100]);
    let eusn = ["washout=20", "reservoir.units=20", "reservoir.kind=eusn", "reservoir.leak=0.1", "dtype=f32"];
    check_forecast("eusn", "esn", &eusn, 20, &[1, 10, 100]);
}

/// Examples with labels, with targets at each step, and with targets of sequences.
fn examples(folder: &Path) -> [String; 3] {
    let x = noise(&[24, 12, 3], "examples") * 3.0 + 40.0;
    let labels = x.mean_dim([1i64, 2].as_slice(), false, Kind::Double).gt(40.0).to_kind(Kind::Int64);
    let series = x.narrow(2, 0, 2).cumsum(1, Kind::Double) * 0.2;
    let sequences = x.mean_dim([1i64].as_slice(), false, Kind::Double);
    [("labels", labels), ("series", series), ("sequences", sequences)].map(|(name, y)| {
        let file = folder.join(format!("{name}.npz"));
        save_npz(&file, &[("x".to_owned(), x.shallow_clone()), ("y".to_owned(), y)]).unwrap();
        format!("data.file={}", file.display())
    })
}

#[test]
fn networks_of_rates() {
    let folder = tempfile::tempdir().unwrap();
    let [labels, series, sequences] = examples(folder.path());
    let x = (noise(&[3, 50, 3], "new") * 4.0 + 38.0).to_kind(Kind::Float).to_kind(Kind::Double);
    let few = ["epochs=3", "batch=8"];
    let with = |set: &[&'static str]| [&few[..], set].concat();
    let task = ["updates=5", "batch=4", "data.test_samples=4"];
    let drive = (noise(&[2, 40, 1], "drive") * 0.1).to_kind(Kind::Float).to_kind(Kind::Double);
    check_network("the tutorial's rnn", "rnn", &task, &drive);
    let leaky = ["model.cell.tau_ms=1.5", "model.cell.activation=tanh", "model.hidden=[9,17]", "dtype=f64"];
    check_network("leaky rnn", "rnn", &[&task[..], &leaky].concat(), &drive);
    let gru = [&with(&["model.hidden=21", "ensemble=1"])[..], &[labels.as_str()]].concat();
    check_network("gru of state", "rnn", &[&gru[..], &["model.reads=state"]].concat(), &x);
    check_network("gru", "rnn", &gru, &x);
    let lstm = [&with(&["model.cell=lstm", "model.hidden=[8,5]"])[..], &[&series]];
    check_network("an ensemble of lstm", "rnn", &[&lstm.concat()[..], &["ensemble=3"]].concat(), &x);
    let means =
        [&with(&["model.hidden=10", "ensemble=2"])[..], &[sequences.as_str(), "data.targets_of=sequences"]].concat();
    check_network("state and mean", "rnn", &means, &x);
    check_network("state and mean, float64", "rnn", &[&means[..], &["dtype=f64"]].concat(), &x);
}

#[test]
fn networks_of_spikes() {
    let folder = tempfile::tempdir().unwrap();
    let [labels, series, _] = examples(folder.path());
    let random =
        ["epochs=2", "data.samples=16", "data.steps=60", "data.rate_hz=300", "model.n_in=40", "model.hidden=[37]"];
    // A long silence, in which currents decay to nothing.
    let spikes = noise(&[2, 900, 40], "spikes").gt(1.0).to_kind(Kind::Double);
    let _ = spikes.narrow(1, 30, 870).zero_();
    check_network("spikes", "snn", &random, &spikes);
    let currents = noise(&[2, 60, 40], "currents").to_kind(Kind::Float).to_kind(Kind::Double);
    check_network("numbers as they are", "snn", &random, &currents);
    let with = |set: &[&'static str]| [&random[..], set].concat();
    check_network("recurrent", "snn", &with(&["model.recurrent=true", "model.hidden=[33,12]", "dtype=f64"]), &spikes);
    let trained = ["model.lif.trained.tau=true", "model.lif.trained.threshold=true", "model.lif.refractory_ms=0.3"];
    check_network("trained neurons", "snn", &with(&trained), &spikes);
    check_network("neurons from text", "snn", &with(&["model.neuron=adex", "model.synapse.bias=0.1"]), &spikes);
    let x = (noise(&[2, 30, 3], "new") * 3.0 + 40.0).to_kind(Kind::Float).to_kind(Kind::Double);
    let few = ["epochs=2", "batch=8", "model.hidden=20", "ensemble=1"];
    for encode in ["current", "rate", "latency", "delta"] {
        let encode_as = format!("data.encode={encode}");
        check_network(encode, "snn", &[&few[..], &[&labels, &encode_as]].concat(), &x);
    }
    check_network("targets at each step", "snn", &[&few[..], &[&series, "data.encode=current"]].concat(), &x);
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    make("rnn", &["updates=2", "batch=4", "data.test_samples=4"], &run);
    let mut runner = Runner::with_lanes(&run, 2).unwrap();
    let first = runner.step(&[0.5, -0.5]).unwrap().to_vec();
    assert_eq!(runner.step(&[0.5]), Err(StepError::Length { expected: 2, found: 1 }));
    assert_eq!(runner.step(&[0.5, f32::NAN]), Err(StepError::NotFinite { lane: 1, index: 0 }));
    assert_eq!(runner.step_f64(&[1e300, 0.0]), Err(StepError::NotFinite { lane: 0, index: 0 }));
    let second = runner.step(&[0.25, 0.0]).unwrap().to_vec();
    runner.reset();
    assert_eq!(runner.step(&[0.5, -0.5]).unwrap(), first);
    runner.reset_lane(1);
    let lane = runner.step(&[0.25, -0.5]).unwrap().to_vec();
    assert_eq!((lane[0], lane[1]), (second[0], first[1]));
}
