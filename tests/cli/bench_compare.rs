//! `scripts/bench --compare`: two files of measurements, by ratios within rounds.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Desk, Ended, ended};
use crate::gpu_check::no_python;

/// What `scripts/bench JOB --json` writes of three rounds: milliseconds of an update of bd, and of two peers.
fn report(job: &str, commit: &str, bd: [f64; 3], peers: [(&str, [f64; 3]); 2]) -> Value {
    let of = |name: &str, ms: [f64; 3]| {
        let run = |(round, ms): (usize, f64)| json!({"program": name, "round": round + 1, "result": {"seconds": {"update": {"median": ms / 1e3}}}});
        ms.into_iter().enumerate().map(run).collect::<Vec<_>>()
    };
    let runs = [of("bd", bd), of(peers[0].0, peers[0].1), of(peers[1].0, peers[1].1)].concat();
    let machine = json!({"cpu": "a processor", "load_at_start": [0.1, 0.1, 0.1], "bd": {"git": commit}});
    json!({"options": {"job": job, "steps": null, "updates": 30}, "machine": machine, "runs": runs})
}

fn compare(desk: &Desk, files: [&str; 2]) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bench");
    let mut command = Command::new("python3");
    ended(command.arg(script).arg("--compare").args(files).current_dir(desk.path("")).output().unwrap())
}

/// The second machine is twice as slow, and bd became faster by a third: its time went from a quarter of the fastest peer's to a sixth.
#[test]
fn what_counts_is_the_ratio_to_the_fastest_peer() {
    if no_python() {
        return;
    }
    let desk = Desk::new();
    let before = report("snn", "aaa", [10.0, 11.0, 10.5], [("one", [40.0, 44.0, 42.0]), ("two", [80.0, 81.0, 82.0])]);
    let after = report("snn", "bbb", [13.0, 14.0, 13.5], [("one", [78.0, 84.0, 81.0]), ("two", [160.0, 161.0, 162.0])]);
    let other = report("rnn", "bbb", [1.0; 3], [("one", [1.0; 3]), ("two", [1.0; 3])]);
    for (name, report) in [("a.json", &before), ("b.json", &after), ("c.json", &other)] {
        fs::write(desk.path(name), report.to_string()).unwrap();
    }
    fs::write(desk.path("d.json"), "{}").unwrap();
    let said = compare(&desk, ["a.json", "b.json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let last = said.stdout.lines().last().unwrap();
    assert_eq!(last, "bd in times of one: 0.250 (0.250..0.250) before, 0.167 (0.167..0.167) after: -33.3 %, faster.");
    assert!(said.stdout.contains("before: git aaa") && said.stdout.contains("+28.6 %, slower"), "{}", said.stdout);
    let same = compare(&desk, ["a.json", "a.json"]);
    assert!(same.stdout.contains("+0.0 %, within the spread."), "{}", same.stdout);
    for (files, words) in [
        (["a.json", "c.json"], "a.json is of snn, c.json of rnn; two files of one job can be compared"),
        (["a.json", "d.json"], "d.json is no file of scripts/bench JOB --json FILE, or of cargo bench"),
        (["a.json", "e.json"], "e.json is no file of scripts/bench JOB --json FILE"),
    ] {
        let said = compare(&desk, files);
        assert!(said.code == 1 && said.stderr.contains(words), "{files:?}: {}", said.stderr);
    }
}

/// What `cargo bench --bench NAME -- --json` writes: cases by name, of which one became slower.
#[test]
fn files_of_cargo_bench_are_compared_case_by_case() {
    if no_python() {
        return;
    }
    let desk = Desk::new();
    let case = |name: &str, [least, median, most]: [f64; 3]| json!({"name": name, "rounds": 5, "least_s": least, "median_s": median, "most_s": most});
    let report = |bench: &str, figures: Vec<Value>| {
        let machine =
            json!({"cpu": "a processor", "cores": 2, "threads": 2, "instructions": "AVX2", "load_at_start": 0.2});
        json!({"bench": bench, "git": "aaa", "machine": machine, "figures": figures}).to_string()
    };
    let before = vec![case("gru", [0.010, 0.011, 0.012]), case("rnn", [0.002, 0.002, 0.003]), case("old", [1.0; 3])];
    let after = vec![case("gru", [0.020, 0.022, 0.023]), case("rnn", [0.002, 0.0021, 0.003])];
    fs::write(desk.path("a.json"), report("cells", before)).unwrap();
    fs::write(desk.path("b.json"), report("cells", after)).unwrap();
    fs::write(desk.path("c.json"), report("kernels", Vec::new())).unwrap();
    let said = compare(&desk, ["a.json", "b.json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    for words in ["+100.0 %, slower", "+5.0 %, within the spread", "only in the first", "11.000 (10.000..12.000)"] {
        assert!(said.stdout.contains(words), "{words:?} not in {}", said.stdout);
    }
    let said = compare(&desk, ["a.json", "c.json"]);
    assert!(said.code == 1 && said.stderr.contains("a.json is of cells, c.json of kernels"), "{}", said.stderr);
}
