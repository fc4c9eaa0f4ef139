//! Simulations of files: what is written is what the simulation has.

use std::fs;
use std::path::Path;

use bd_core::Arrays;
use bd_core::npz::save_npz;
use bd_networks::Network;
use bd_train::Control;
use tch::{Device, Kind, Tensor};

use super::*;

const NETWORK: &str = r#"
dt_ms = 0.1
[population.E]
n = 50
equations = """
dv/dt = (ge - v) / tau : 1 (unless refractory)
dge/dt = -ge / (5*ms) : 1
"""
threshold = "v > 1"
reset = "v = 0"
refractory = "2*ms"
constants = { tau = "20*ms" }
initial = { v = "rand()" }
[population.I]
n = 10
like = "E"
[population.in]
n = 40
kind = "poisson"
rate = "200*Hz"
[[projection]]
from = "in"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.5 }
weight = "0.3 + 0.1*rand()"
delay = "1*ms"
[[projection]]
from = "E"
to = "I.ge"
connect = { rule = "all_to_all" }
weight = 0.1
[record]
spikes = ["E", "I"]
traces = { "E.v" = [0, 49], "I.ge" = [3] }
"#;

fn setting(out: &Path) -> Setting {
    Setting {
        device: Device::Cpu,
        out: Some(out.to_path_buf()),
        control: Control::default(),
        program: ("0", None),
        began: Instant::now(),
        group: None,
    }
}

/// In a folder with a network of this text.
fn simulated(folder: &Path, text: &str, config: SimulateConfig, out: &str) -> Result<Simulated> {
    fs::write(folder.join("net.toml"), text).unwrap();
    let config = SimulateConfig { network: folder.join("net.toml"), threads: 1, ..config };
    simulate(config, &setting(&folder.join(out)), &())
}

fn numbers(arrays: &Arrays, name: &str) -> Vec<f64> {
    let array = arrays.get(name).unwrap().unwrap_or_else(|| panic!("no {name}"));
    Vec::try_from(array.to_kind(Kind::Double).flatten(0, -1)).unwrap()
}

/// Spikes and traces of the files are those of a [`Simulation`] that is called directly, in one piece.
#[test]
fn the_files_hold_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let config = SimulateConfig { seed: 3, discard_ms: 50.0, ..SimulateConfig::new("", 200.0) };
    let simulated = simulated(folder.path(), NETWORK, config, "run").unwrap();
    let network = Network::parse(NETWORK).unwrap();
    let options = Options { seed: 3, threads: 2, ..Options::default() };
    let mut direct =
        Simulation::<f64>::new(&network, options, &|_| Err(String::new()), &|_| Err(String::new())).unwrap();
    direct.advance(2000);
    let recording = direct.recording();
    let spikes = Arrays::read(&folder.path().join("run/spikes.npz")).unwrap();
    assert_eq!(spikes.names().collect::<Vec<_>>(), ["E.times_ms", "E.neurons", "I.times_ms", "I.neurons"]);
    for population in &recording.spikes {
        assert!(population.spikes.len() > 20, "{} is silent", population.population);
        let expected: Vec<(f64, f64)> =
            population.spikes.iter().map(|(step, neuron)| (*step as f64 * 0.1, f64::from(*neuron))).collect();
        let times = numbers(&spikes, &format!("{}.times_ms", population.population));
        let neurons = numbers(&spikes, &format!("{}.neurons", population.population));
        assert_eq!(times.into_iter().zip(neurons).collect::<Vec<_>>(), expected);
    }
    assert_eq!(spikes.get("E.neurons").unwrap().unwrap().kind(), Kind::Int64);
    let traces = Arrays::read(&folder.path().join("run/traces.npz")).unwrap();
    for trace in &recording.traces {
        assert_eq!(numbers(&traces, &trace.name), trace.values.concat(), "{}", trace.name);
    }
    assert_eq!(traces.get("E.v").unwrap().unwrap().size(), [2, 2000]);
    assert_eq!(numbers(&traces, "E.v.neurons"), [0.0, 49.0]);
    let times = numbers(&traces, "times_ms");
    assert_eq!((times.len(), times[0], times[1999]), (2000, 0.1, 200.0));
    assert_eq!(fs::read_to_string(folder.path().join("run/network.toml")).unwrap(), NETWORK);
    // Statistics are of the last 150 ms.
    let e = &simulated.report.populations[0];
    let late = recording.spikes[0].spikes.iter().filter(|(step, _)| *step >= 500).count();
    assert!((e.activity.unwrap().rate_hz - late as f64 / 50.0 / 0.15).abs() < 1e-9);
    assert_eq!(simulated.report.synapses, direct.synapses());
    let unit: Vec<&str> = simulated.report.traces.iter().map(|trace| &trace.unit[..]).collect();
    assert_eq!(unit, ["1", "1"]);
    let path = simulated.finish().unwrap();
    let manifest: Manifest = serde_json::from_slice(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((manifest.status, manifest.seed, &manifest.dtype[..]), (Status::Done, 3, "float64"));
    let error = crate::Run::open(&path).unwrap_err().to_string();
    assert!(error.contains("it is of a simulation, which has no trained model"), "{error}");
}

/// What one simulation has written is the input of another, spike for spike.
#[test]
fn spikes_go_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = simulated(folder.path(), NETWORK, SimulateConfig::new("", 100.0), "first").unwrap();
    let spikes = Arrays::read(&first.finish().unwrap().join("spikes.npz")).unwrap();
    let renamed = [("times_ms", "E.times_ms"), ("neurons", "E.neurons")]
        .map(|(name, of)| (name.to_owned(), spikes.get(of).unwrap().unwrap().shallow_clone()));
    save_npz(&folder.path().join("in.npz"), &renamed).unwrap();
    let replay = "dt_ms = 0.1\n[population.E]\nn = 50\nkind = \"input\"\nfile = \"in.npz\"\n";
    let second = simulated(folder.path(), replay, SimulateConfig::new("", 100.0), "second").unwrap();
    let again = Arrays::read(&second.finish().unwrap().join("spikes.npz")).unwrap();
    for name in ["E.times_ms", "E.neurons"] {
        assert_eq!(numbers(&again, name), numbers(&spikes, name), "{name}");
    }
    assert!(numbers(&again, "E.neurons").len() > 20);
}

/// Projections from lists, with single weights and delays, by spikes of a file: neuron 1 spikes at 2 ms, so that target 2, which hears it 1.5 ms
/// and a step later, jumps in step 20 + 15 + 1 by 0.5 x 2.
#[test]
fn lists_have_weights_and_delays() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "time_ms,neuron\n2,1\n").unwrap();
    fs::write(folder.path().join("edges.csv"), "source,target,weight,delay_ms\n1,2,0.5,1.5\n0,1,9,0\n").unwrap();
    let text = r#"
    dt_ms = 0.1
    [population.in]
    n = 2
    kind = "input"
    file = "in.csv"
    [population.T]
    n = 3
    equations = "dg/dt = -g/(1e9*second) : 1"
    output = "g"
    [[projection]]
    from = "in"
    to = "T.g"
    connect = { rule = "from_file", file = "edges.csv" }
    weight = 2
    [record]
    traces = { "T.g" = [0, 1, 2] }
    "#;
    let found = simulated(folder.path(), text, SimulateConfig::new("", 5.0), "run").unwrap();
    let g = &found.report.traces[0].values;
    let row = |neuron: i64| Vec::<f64>::try_from(g.get(neuron)).unwrap();
    assert_eq!(found.report.synapses, 2);
    let jump = row(2).iter().position(|g| *g > 0.5).unwrap();
    assert_eq!(jump, 36);
    assert!((row(2)[49] - 1.0).abs() < 1e-6 && row(1)[49] == 0.0 && row(0)[49] == 0.0);
    drop(found);
    assert!(!folder.path().join("run").exists(), "what is not finished is removed");

    let blamed = |file: &str, content: &str, words: &str| {
        let before = fs::read(folder.path().join(file)).unwrap();
        fs::write(folder.path().join(file), content).unwrap();
        let error = simulated(folder.path(), text, SimulateConfig::new("", 5.0), "run").unwrap_err();
        assert!(matches!(error, Error::BadFile { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(words) && error.contains("net.toml, line "), "{error}");
        fs::write(folder.path().join(file), before).unwrap();
        assert!(!folder.path().join("run").exists());
    };
    blamed("edges.csv", "source,target\n1,3\n", "edges.csv: synapse 1 has the target 3, and there are 3 neurons (");
    blamed("in.csv", "time_ms,neuron\n2,2\n", "in.csv: spike 1 is of neuron 2, and there are 2 (");
    blamed("in.csv", "time_ms,neuron\n-2,0\n", "in.csv: spike 1 is at -2 ms; times are from 0 on (");
}

#[test]
fn a_column_that_nobody_knows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("edges.csv"), "source,target,weigth\n0,0,2\n").unwrap();
    let text = "dt_ms = 0.1\n[population.A]\nn = 1\nneuron = \"lif\"\n[[projection]]\nfrom = \"A\"\nto = \"A.v\"\n\
                connect = { rule = \"from_file\", file = \"edges.csv\" }\nweight = \"1*mV\"\n";
    let error = simulated(folder.path(), text, SimulateConfig::new("", 1.0), "run").unwrap_err().to_string();
    let words =
        "its column 'weigth' is none of source, target, weight, delay_ms. Is 'weight' meant? Take it out otherwise";
    assert!(error.contains(words), "{error}");
}

/// `v' = v^2 / ms` from 1 is infinite after 1 ms.
#[test]
fn a_state_that_becomes_infinite_ends_a_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let text = "dt_ms = 0.1\n[population.A]\nn = 3\nequations = \"dv/dt = v*v/ms : 1\"\noutput = \"v\"\nmethod = \"rk4\"\n\
                initial = { v = 1 }\n";
    let error = simulated(folder.path(), text, SimulateConfig::new("", 50.0), "run").unwrap_err();
    let Error::NotFinite { what, where_ } = &error else { panic!("{error:?}") };
    assert_eq!(what, "A.v of neuron 0");
    assert!(where_.starts_with("after ") && where_.contains(" ms; a smaller dt_ms may help"), "{where_}");
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_matrix_of_another_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let arrays = [("row", &[0i64][..]), ("col", &[0]), ("data", &[1]), ("shape", &[3, 2])];
    let arrays = arrays.map(|(name, values)| (name.to_owned(), Tensor::from_slice(values)));
    let format = ["coo".to_owned()];
    bd_core::npz::save_npz_with_text(&folder.path().join("m.npz"), &arrays, &[("format", &format)]).unwrap();
    let text = |n: usize, m: usize| {
        format!(
            "dt_ms = 0.1\n[population.A]\nn = {n}\nneuron = \"lif\"\n[population.B]\nn = {m}\nneuron = \"lif\"\n[[projection]]\n\
             from = \"A\"\nto = \"B.v\"\nconnect = {{ rule = \"from_file\", file = \"m.npz\" }}\nweight = \"1*mV\"\n"
        )
    };
    let run = |n, m| simulated(folder.path(), &text(n, m), SimulateConfig::new("", 1.0), "run");
    assert_eq!(run(3, 2).unwrap().report.synapses, 1);
    for (n, m, words) in [
        (2, 3, "its shape is [3, 2], and 'A>B.v' goes from 2 to 3 neurons; rows are sources; save the transpose of it"),
        (3, 4, "its shape is [3, 2], and 'A>B.v' goes from 3 to 4 neurons; rows are sources"),
    ] {
        let error = run(n, m).unwrap_err().to_string();
        assert!(error.ends_with(words), "{error}");
    }
}

/// A simulation that is stopped before it begins has nothing, and is kept as it is.
#[test]
fn a_stopped_simulation_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("net.toml"), NETWORK).unwrap();
    let setting = setting(&folder.path().join("run"));
    setting.control.stop();
    let config = SimulateConfig { threads: 1, ..SimulateConfig::new(folder.path().join("net.toml"), 1e6) };
    let found = simulate(config, &setting, &()).unwrap();
    assert!(found.stopped && found.report.steps == 0 && found.report.populations[0].activity.is_none());
    let path = found.finish().unwrap();
    let manifest: Manifest = serde_json::from_slice(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest.status, Status::Stopped);
}

#[test]
fn what_no_machine_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |from: &str, to: &str, duration_ms: f64, words: &str| {
        assert!(NETWORK.contains(from));
        let text = NETWORK.replace(from, to);
        let error = simulated(folder.path(), &text, SimulateConfig::new("", duration_ms), "run").unwrap_err();
        assert!(matches!(error, Error::OutOfMemory(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!folder.path().join("run").exists());
    };
    // 1,000 traces x 1e9 steps x 8 bytes, four times.
    let many = vec!["1"; 998].join(", ");
    let traces = "take traces of fewer neurons, or a shorter duration, or float32";
    refused("[0, 49]", &format!("[0, 49, {many}]"), 1e8, traces);
    refused("[0, 49]", &format!("[0, 49, {many}]"), 1e8, "the simulation would take about 29832.");
    // 1e8 neurons with rings of 60,000 and some steps.
    let delays = "fewer neurons or shorter delays";
    let text = NETWORK.replace("delay = \"1*ms\"", "delay = \"6*second\"").replace("n = 50\n", "n = 100000000\n");
    let error = simulated(folder.path(), &text, SimulateConfig::new("", 10.0), "run").unwrap_err().to_string();
    assert!(error.contains(delays), "{error}");
}
