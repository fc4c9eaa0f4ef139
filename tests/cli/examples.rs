//! Each example does what its first line says.

use std::path::Path;
use std::process::Command;

/// Standard output of an example, which `cargo test` has built beside the binary.
fn run(name: &str) -> String {
    let path = Path::new(env!("CARGO_BIN_EXE_bd")).with_file_name("examples").join(name);
    let ended = crate::common::ended(Command::new(&path).env_clear().output().unwrap_or_else(|error| {
        panic!("{}: {error} (cargo test builds the examples, cargo test --test cli does not)", path.display())
    }));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

#[test]
fn ngrc_lorenz() {
    let found: Vec<f64> =
        run("ngrc_lorenz").lines().map(|line| line.split_whitespace().last().unwrap().parse().unwrap()).collect();
    for (found, said) in found.iter().zip([3.249e-12, 0.008648, 40.59]) {
        assert!((found / said - 1.0).abs() < 2e-3, "{found} and not {said}");
    }
    assert_eq!(found.len(), 3);
}

#[test]
fn esn_lorenz() {
    let text = run("esn_lorenz");
    let [valid, truth] = [(0, 2), (1, 10)]
        .map(|(line, word)| -> f64 { text.lines().nth(line).unwrap().split(' ').nth(word).unwrap().parse().unwrap() });
    assert!(valid >= 8.0 && truth > valid, "{text}");
}

#[test]
fn new_system() {
    let text = run("new_system");
    let nrmse: f64 = text.split([' ', ',']).nth(2).unwrap().parse().unwrap();
    assert!(nrmse < 1e-4, "{text}");
}

#[test]
fn new_neuron() {
    let text = run("new_neuron");
    let number = |line: &str, before: &str| -> f64 {
        let words: Vec<_> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|word| *word == before).unwrap_or_else(|| panic!("no {before} in {text}"));
        words[at + 1].parse().unwrap()
    };
    let lines: Vec<_> = text.lines().collect();
    let (steps, fused) = (number(lines[0], "loss"), number(lines[1], "loss"));
    assert!(steps < 0.35 && (steps - fused).abs() < 1e-3, "{text}");
    // How many times is a matter of the machine, and of how the example was built.
    let factor: f64 = lines[2].strip_suffix(" times faster").unwrap().parse().unwrap();
    assert!(factor.is_finite(), "{text}");
}

#[test]
fn snn_classify() {
    let text = run("snn_classify");
    let accuracy: f64 = text.lines().last().unwrap().split([' ', ',']).nth(2).unwrap().parse().unwrap();
    assert!(accuracy >= 0.95, "{text}");
}

#[test]
fn own_series() {
    let text = run("own_series");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("one step ahead: NMSE 0.133, of no change 0.410"));
    let forecasts: Vec<(f64, f64)> = lines
        .map(|line| line.split_once(' ').map(|(time, value)| (time.parse().unwrap(), value.parse().unwrap())).unwrap())
        .collect();
    assert_eq!((forecasts.len(), forecasts[0].0, forecasts[10].0), (11, 2009.0, 2019.0));
    assert!(forecasts.iter().all(|(_, value)| (0.0..150.0).contains(value)), "{text}");
}

#[test]
fn rnn_integrator() {
    let text = run("rnn_integrator");
    let of_variance: f64 = text.lines().last().unwrap().split(' ').nth(4).unwrap().parse().unwrap();
    assert!(of_variance < 0.005, "{text}");
}

#[test]
fn own_loss() {
    let text = run("own_loss");
    let below: Vec<f64> = text.lines().map(|line| line.split(' ').nth(2).unwrap().parse().unwrap()).collect();
    let [high, middle] = below[..] else { panic!("{text}") };
    assert!((high - 0.9).abs() < 0.04 && (middle - 0.5).abs() < 0.06, "{text}");
}

#[test]
fn own_task() {
    let text = run("own_task");
    let accuracy: f64 = text.lines().last().unwrap().split(' ').nth(2).unwrap().parse().unwrap();
    assert!(accuracy >= 0.95, "{text}");
}

#[test]
fn rate_penalty() {
    let text = run("rate_penalty");
    let numbers = |line: &str| -> [f64; 2] {
        [3, 4].map(|at| line.split([' ', ',', ':']).filter(|word| !word.is_empty()).nth(at).unwrap().parse().unwrap())
    };
    let [without, with] = text.lines().map(numbers).collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(without[0] >= 0.9 && with[0] >= 0.9, "{text}");
    assert!(with[1] <= 0.5 * without[1], "{text}");
}

#[test]
fn own_optimizer() {
    let text = run("own_optimizer");
    let losses: Vec<f64> = [1, 3].iter().map(|at| text.split(' ').nth(*at).unwrap().parse().unwrap()).collect();
    assert!(losses[1] < 0.1 * losses[0], "{text}");
    assert!(text.ends_with("resumed after 100 updates: the same weights\n"), "{text}");
}

/// The example gives the bytes of `bd predict`, of every job.
#[test]
fn open_run() {
    let desk = crate::common::Desk::new();
    let sunspots = crate::common::data("sunspots.csv");
    let ngrc = ["train", "ngrc", "--quiet", "--data", &sunspots, "--time", "YEAR", "--out", "ngrc"];
    let rnn = ["train", "rnn", "--quiet", "--updates", "20", "--hidden", "8", "--out", "rnn"];
    let snn = ["train", "snn", "--quiet", "--epochs", "2", "--steps", "50", "--samples", "8", "--out", "snn"];
    for args in [&ngrc[..], &rnn, &snn] {
        assert_eq!(desk.bd(args).code, 0);
    }
    let numbers = |n: i64| {
        let on = (bd_core::tch::Kind::Double, bd_core::tch::Device::Cpu);
        bd_core::Rng::new(3, "x").tensor(&[2, 40, n], on, bd_core::Rng::uniform).round()
    };
    for (run, n) in [("rnn", 1), ("snn", 100)] {
        bd_core::npz::save_npz(&desk.path(&format!("{run}.npz")), &[("x".to_owned(), numbers(n))]).unwrap();
    }
    let inputs = [("ngrc", sunspots.clone()), ("rnn", "rnn.npz".into()), ("snn", "snn.npz".into())];
    for (run, input) in inputs {
        let [by_bd, by_example] = ["bd", "example"].map(|by| format!("{run}.{by}.npz"));
        let predicted = desk.bd(&["predict", run, "--input", &input, "--output", &by_bd]);
        assert_eq!(predicted.code, 0, "{}", predicted.stderr);
        let path = Path::new(env!("CARGO_BIN_EXE_bd")).with_file_name("examples").join("open_run");
        let mut command = Command::new(path);
        let command = command.args([run, &input, &by_example]).env_clear().current_dir(desk.path(""));
        let ended = crate::common::ended(command.output().unwrap());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let read = |name: &str| std::fs::read(desk.path(name)).unwrap();
        assert!(read(&by_bd) == read(&by_example), "{run}");
        assert!(!ended.stdout.is_empty());
    }
}

#[test]
fn train_own() {
    let desk = crate::common::Desk::new();
    let path = Path::new(env!("CARGO_BIN_EXE_bd")).with_file_name("examples").join("train_own");
    let run = || {
        let ended = crate::common::ended(Command::new(&path).env_clear().current_dir(desk.path("")).output().unwrap());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.stdout
    };
    let (first, second) = (run(), run());
    let loss: f64 = first.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(loss < 0.35, "{first}"); // chance is ln 2, 0.69
    // Nothing was left to do, and the best weights came back.
    assert!(
        second.starts_with("goes on from") && second.ends_with(first.lines().last().unwrap().trim_end())
            || second.contains(&first),
        "{second}"
    );
}

#[test]
fn force() {
    let text = run("force");
    let on_its_own: Vec<f64> = text
        .lines()
        .filter(|line| line.starts_with("on its own"))
        .map(|line| line.split(' ').next_back().unwrap().parse().unwrap())
        .collect();
    assert!(on_its_own.len() == 5 && on_its_own.iter().all(|error| *error < 0.1), "{text}");
}

#[test]
fn own_equations() {
    let text = run("own_equations");
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |word: &str| -> f64 {
        let at = words.iter().rposition(|known| *known == word).unwrap_or_else(|| panic!("no {word} in {text}"));
        words[at + 1].parse().unwrap()
    };
    let (first, last) = (after("from"), words[words.iter().position(|word| *word == "ms").unwrap() - 1]);
    assert!(last.parse::<f64>().unwrap() > 2.0 * first, "{text}");
    assert!(after("to") < 0.35, "{text}");
}

#[test]
fn ei_network() {
    let text = run("ei_network");
    let numbers: Vec<f64> = text.split([' ', ',', '\n']).filter_map(|word| word.parse().ok()).collect();
    let [rate, cv, rate_of_i, cv_of_i, times] = numbers[..] else { panic!("{text}") };
    for (rate, cv) in [(rate, cv), (rate_of_i, cv_of_i)] {
        assert!((3.0..15.0).contains(&rate) && (0.3..1.2).contains(&cv), "{text}");
    }
    assert!(times >= 2.0, "{text}");
}
