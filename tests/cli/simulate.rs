//! `bd simulate`: what it prints and leaves, what it refuses, and how it is stopped.

use std::fs;
use std::process::{Command, Stdio};

use bd_core::Arrays;
use serde_json::Value;
use tch::Tensor;

use crate::common::{Desk, Ended, array, bd_that_hears_signals, ended, json_of, refused_by, same_bytes, save};

/// Neurons that are driven to spike every 20 ms or so, and their targets.
const NETWORK: &str = r#"dt_ms = 0.1
[population.E]
n = 20
neuron = "lif"
drive = { I = "600*pA*rand() + 400*pA" }
[population.I]
n = 5
like = "E"
[[projection]]
from = "E"
to = "I.v"
connect = { rule = "fixed_probability", p = 0.5 }
weight = "1*mV"
delay = "1.5*ms"
[record]
traces = { "E.v" = [0] }
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("net.toml"), NETWORK).unwrap();
    desk
}

#[test]
fn a_network_leaves_a_folder_and_a_table() {
    let desk = desk();
    let ended = desk.bd(&["simulate", "net.toml", "--duration-ms", "300", "--discard-ms", "100", "--out", "run"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "population           n   rate (Hz)         CV  synchrony");
    let activity = json_of(&desk, "run/activity.json");
    for (line, name, n) in [(lines[1], "E", 20), (lines[2], "I", 5)] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rate = activity["populations"][name]["rate_hz"].as_f64().unwrap();
        assert_eq!((words[0], words[1]), (name, &n.to_string()[..]));
        assert!(rate > 10.0 && (words[2].parse::<f64>().unwrap() / rate - 1.0).abs() < 1e-3, "{line}, {rate}");
    }
    let last = lines[3];
    assert!(last.contains(" synapses drawn in ") && last.contains("; 300 ms simulated in "), "{last}");
    assert!(ended.stderr.contains("run       run ("), "{}", ended.stderr);
    let files = [
        "activity.json",
        "config.json",
        "manifest.json",
        "network.toml",
        "plots/raster.png",
        "plots/raster.svg",
        "plots/rates.png",
        "plots/rates.svg",
        "plots/traces.png",
        "plots/traces.svg",
        "spikes.npz",
        "traces.npz",
    ];
    let mut expected: Vec<String> = files.iter().map(|file| format!("run/{file}")).collect();
    expected.extend(["net.toml", "run", "run/.lock", "run/plots"].map(str::to_owned));
    expected.sort();
    assert_eq!(desk.files(), expected);
    assert_eq!(fs::read_to_string(desk.path("run/network.toml")).unwrap(), NETWORK);
    let spikes = Arrays::read(&desk.path("run/spikes.npz")).unwrap();
    let count = spikes.get("E.neurons").unwrap().unwrap().size()[0];
    assert_eq!(activity["populations"]["E"]["spikes"], count);
}

/// Threads change nothing; the seed and the dtype do.
#[test]
fn json_and_files_are_those_of_a_seed() {
    let desk = desk();
    let run = |out: &str, more: &[&str]| -> Value {
        desk.bd_json(&[&["simulate", "net.toml", "--duration-ms", "100", "--quiet", "--out", out], more].concat())
    };
    let one = run("one", &["--threads", "1"]);
    let keys: Vec<&String> = one.as_object().unwrap().keys().collect();
    let expected = [
        "dt_ms",
        "steps",
        "from_ms",
        "to_ms",
        "synapses",
        "populations",
        "job",
        "run",
        "stopped",
        "seconds",
        "times_real_time",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (&one["job"], &one["run"], &one["steps"], &one["stopped"]),
        (&"simulate".into(), &"one".into(), &1000.into(), &false.into())
    );
    assert!(one["times_real_time"].as_f64().unwrap() > 0.0 && one["seconds"]["build"].is_number());
    run("two", &[]); // on all cores
    run("other", &["--seed", "1"]);
    let single = run("single", &["--dtype", "f32"]);
    for file in ["spikes.npz", "traces.npz", "activity.json"] {
        assert!(same_bytes(&desk, file, "one", "two"), "{file} differs by threads");
        assert!(!same_bytes(&desk, file, "one", "other"), "{file} does not know the seed");
    }
    let traces = Arrays::read(&desk.path("single/traces.npz")).unwrap();
    assert_eq!(traces.get("E.v").unwrap().unwrap().kind(), bd_core::tch::Kind::Float);
    assert_eq!(single["synapses"], one["synapses"]);
}

#[test]
fn what_cannot_be_is_refused() {
    let desk = desk();
    let with = |from: &str, to: &str| {
        assert!(NETWORK.contains(from));
        fs::write(desk.path("net.toml"), NETWORK.replace(from, to)).unwrap();
    };
    let refused = |args: &[&str], code: i32, words: &str| {
        refused_by(&desk, &[&["simulate", "net.toml", "--duration-ms"], args].concat(), code, words);
    };
    refused(&["0"], 2, "duration_ms (--duration-ms) is 0; it must be a number above 0");
    refused(&["1e9"], 2, "it must be from 0.1 to 100000000 in steps of 0.1 ms, at most 1e9");
    refused(
        &["10", "--discard-ms", "10"],
        2,
        "discard_ms (--discard-ms) is 10; it must be from 0 on and below the duration of 10 ms",
    );
    refused(&["10", "--dtype", "f16"], 2, "dtype is f16; it must be f32 or f64");
    refused(&["10", "--threads", "0"], 2, "threads is 0; this machine allows 1 to ");
    fs::create_dir(desk.path("there")).unwrap();
    refused(&["10", "--out", "there"], 5, "it exists; name a new folder or remove it");
    refused_by(&desk, &["simulate", "none.toml", "--duration-ms", "1"], 7, "none.toml: cannot be read: No such file");
    with("\"lif\"", "\"liff\"");
    refused(
        &["10"],
        2,
        "bd: net.toml, line 4, column 1: population.E.neuron: 'liff' is no neuron of the zoo. Is 'lif' meant?",
    );
    with("\"1*mV\"", "\"1*pA\"");
    refused(
        &["10"],
        2,
        "bd: net.toml, line 13, column 1: projection.1.weight: what arrives there is of unit volt, and '1*pA' of unit ampere",
    );
    with("delay = \"1.5*ms\"", "delay = \"1.5*ms\"\ndely = 1");
    refused(&["10"], 2, "net.toml, line 15, column 1: there is no key 'dely' here. Is 'delay' meant?");
    with("{ rule = \"fixed_probability\", p = 0.5 }", "{ rule = \"from_file\", file = \"edges.csv\" }");
    refused(&["10"], 7, "edges.csv: cannot be read");
    fs::write(desk.path("edges.csv"), "source,target\n19,4\n3,5\n").unwrap();
    refused(&["10"], 7, "edges.csv: synapse 2 has the target 5, and there are 5 neurons (net.toml, line 12)");
    let traces = vec!["0"; 1000].join(", ");
    with("\"E.v\" = [0]", &format!("\"E.v\" = [{traces}]"));
    refused(&["1e8"], 4, "out of memory: the simulation would take about 29802.");
}

/// A simulation that a signal ends as soon as it has a folder.
fn stopped(desk: &Desk, duration_ms: &str) -> Ended {
    let mut command = bd_that_hears_signals();
    let command = command.args(["simulate", "net.toml", "--duration-ms", duration_ms, "--json", "--out", "run"]);
    let mut child =
        command.current_dir(desk.path("")).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !desk.path("run/manifest.json").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 143, "{}", ended.stderr);
    let words = "stopped by a signal; run is kept, with what was simulated until then";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(json_of(desk, "run/manifest.json")["status"], "stopped");
    ended
}

/// One that would go on for hours is stopped, and keeps what it has.
#[test]
fn a_signal_ends_it_with_what_it_has() {
    let desk = desk();
    fs::write(desk.path("net.toml"), NETWORK.split("[record]").next().unwrap()).unwrap();
    let ended = stopped(&desk, "1e8");
    let (found, activity): (Value, Value) =
        (serde_json::from_str(&ended.stdout).unwrap(), json_of(&desk, "run/activity.json"));
    assert_eq!((&found["stopped"], &found["steps"]), (&true.into(), &activity["steps"]));
    let spikes = Arrays::read(&desk.path("run/spikes.npz")).unwrap();
    let end = activity["to_ms"].as_f64().unwrap();
    let times = Vec::<f64>::try_from(spikes.get("E.times_ms").unwrap().unwrap()).unwrap();
    assert!(times.iter().all(|time| *time < end));
}

/// Pairs of 20,000 neurons take many seconds to be looked at; of them nothing is kept.
#[test]
fn a_signal_is_heard_while_synapses_are_drawn() {
    let desk = Desk::new();
    let text = "dt_ms = 0.1\n[population.E]\nn = 20000\nneuron = \"lif\"\n[[projection]]\nfrom = \"E\"\nto = \"E.v\"\nweight = \"1*mV\"\n\
                connect = { rule = \"distance\", p = 1e-3, scale = 0.1, profile = \"gaussian\", layout = \"torus\" }\n";
    fs::write(desk.path("net.toml"), text).unwrap();
    let ended = stopped(&desk, "10");
    assert!(ended.stderr.contains(" synapses, or fewer, are drawn"), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&found["steps"], &found["stopped"]), (&0.into(), &true.into()));
}

/// Of E at 0 to 19 and I at 0, 4, 8, 12 and 16 those at most 1 apart, by hand.
#[test]
fn positions_are_read_from_files() {
    let desk = Desk::new();
    let text = NETWORK
        .replace("n = 20\n", "n = 20\npositions = \"e.csv\"\n")
        .replace("n = 5\n", "n = 5\npositions = \"i.npz\"\n")
        .replace(
            "{ rule = \"fixed_probability\", p = 0.5 }",
            "{ rule = \"distance\", p = 1, scale = 1, profile = \"box\", layout = \"positions\" }",
        );
    fs::write(desk.path("net.toml"), &text).unwrap();
    let csv = |n: usize| format!("x,y\n{}", (0..n).map(|x| format!("{x},0.5\n")).collect::<String>());
    fs::write(desk.path("e.csv"), csv(20)).unwrap();
    let x = Tensor::from_slice(&[0.0, 4.0, 8.0, 12.0, 16.0]);
    save(&desk, "i.npz", &[("x", &x), ("y", &(&x * 0.0 + 0.5))]);
    desk.bd_json(&["simulate", "net.toml", "--duration-ms", "1", "--save-synapses", "--out", "run"]);
    let [source, target, delay] =
        ["source", "target", "delay_ms"].map(|name| array(&desk, "run/synapses.npz", &format!("E>I.v.{name}")));
    assert_eq!(Vec::<i32>::try_from(source).unwrap(), [0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17]);
    assert_eq!(Vec::<i32>::try_from(target).unwrap(), [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    assert_eq!(Vec::<f64>::try_from(delay).unwrap(), [1.5; 14]);
    assert_eq!(fs::read_to_string(desk.path("run/network.toml")).unwrap(), text, "as it was read");

    let refused = |csv: &str, words: &str| {
        fs::write(desk.path("e.csv"), csv).unwrap();
        refused_by(&desk, &["simulate", "net.toml", "--duration-ms", "1"], 7, words);
    };
    refused(&csv(19), "e.csv: it has positions of 19 neurons, and 'E' has 20 neurons (net.toml, line 4)");
    refused(&csv(20).replace("3,0.5", "3,a"), "e.csv: column y: line 5");
    refused("y,z\n0,1\n", "e.csv: its first line names no column 'x'; there are: y, z");
    refused("x,z\n0,1\n", "e.csv: it has z and no y; two coordinates are x and y");
    refused("x,w\n0,1\n", "its column 'w' is none of x, y, z.");
    fs::remove_file(desk.path("e.csv")).unwrap();
    refused_by(&desk, &["simulate", "net.toml", "--duration-ms", "1"], 7, "e.csv: cannot be read");
}
