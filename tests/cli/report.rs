//! `bd report` and `bd runs`: of runs that the binary itself has made.

use std::fs;
use std::process::Command;

use bd_core::npz::save_npz_with_text;
use serde_json::Value;
use tch::Tensor;

use crate::common::{Desk, data, ended, noise, refused_by};
use crate::interrupted::{start, wait_for_reports};

#[path = "../../crates/bd-report/tests/report/html.rs"]
mod html;

/// Runs `bd`, which must succeed.
#[track_caller]
fn bd(desk: &Desk, args: &[&str]) {
    let ended = desk.bd(args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
}

/// The report of runs, which must be a good page.
#[track_caller]
fn report_of(desk: &Desk, args: &[&str], file: &str) -> String {
    bd(desk, &[&["report"], args].concat());
    let page = fs::read_to_string(desk.path(file)).unwrap();
    html::check(&page);
    page
}

#[track_caller]
fn has(page: &str, words: &str) {
    assert!(page.contains(words), "{words:?} is not in\n{}", page.split("</style>").nth(1).unwrap_or(page));
}

fn words_of_classes(desk: &Desk, file: &str, names: [&str; 2]) {
    let names = names.map(str::to_owned);
    let labels: Vec<i64> = (0..40).map(|sample| sample % 2).collect();
    let arrays = [("x".to_owned(), noise("x", &[40, 5, 2])), ("y".to_owned(), Tensor::from_slice(&labels))];
    save_npz_with_text(&desk.path(file), &arrays, &[("class_names", &names)]).unwrap();
}

#[test]
fn the_default_jobs() {
    let desk = Desk::new();
    bd(&desk, &["train", "ngrc", "--quiet", "--out", "ngrc"]);
    bd(&desk, &["train", "rnn", "--updates", "20", "--quiet", "--out", "rnn"]);
    bd(&desk, &["train", "snn", "--epochs", "2", "--quiet", "--out", "snn"]);
    let forecast = report_of(&desk, &["ngrc"], "ngrc/report.html");
    has(&forecast, "to a series of the system lorenz");
    has(&forecast, "One step ahead its error on the test part is ");
    has(&forecast, "All of them are the defaults of this job and what it learns.");
    for figure in ["horizon-1", "horizon-100", "free-run", "attractor", "series"] {
        has(&forecast, &format!("<figure id=\"run-1-{figure}\">"));
    }
    let rate = report_of(&desk, &["rnn"], "rnn/report.html");
    has(
        &rate,
        "A recurrent network (rnn: a plain rate network, 100 units in one hidden layer) was trained by gradient descent on the task integration",
    );
    has(&rate, "The training ended after all 20 updates.");
    has(&rate, "of the variance of the targets: 0 is perfect, and 1 is what their mean reaches.");
    has(&rate, "One of them is not the default of this job and what it learns; it is marked.");
    let spiking = report_of(&desk, &["snn"], "snn/report.html");
    has(&spiking, "to learn by heart the classes of 256 samples of random spikes");
    has(&spiking, "There is no test part. At the last report its training loss was ");
    has(&spiking, "<figure id=\"run-1-raster\">");

    let all = report_of(&desk, &["ngrc", "rnn", "snn", "--out", "all.html"], "all.html");
    has(&all, "They do not learn the same data");
    has(&all, "<a href=\"#run-3\">snn</a>");
    let listed = desk.bd_json(&["runs", "."]);
    let states: Vec<&str> =
        listed["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["finished"; 3]);
}

#[test]
fn a_run_on_own_data_and_one_that_is_compared_with_it() {
    let desk = Desk::new();
    words_of_classes(&desk, "bad.npz", ["<script>alert(1)</script>", "\"quoted\" & 'so'"]);
    let small = ["--epochs", "2", "--hidden", "4", "--ensemble", "1", "--threads", "1", "--quiet"];
    bd(&desk, &[&["train", "rnn", "--data", "bad.npz", "--out", "one"], &small[..]].concat());
    bd(&desk, &[&["train", "rnn", "--data", "bad.npz", "--lr", "0.1", "--out", "two"], &small[..]].concat());
    let page = report_of(&desk, &["one"], "one/report.html");
    has(&page, "That is ");
    has(&page, "the best simple method that was fitted beside it");
    has(&page, "&#60;script&#62;alert(1)&#60;/script&#62;");
    let again = page.split("bd train rnn --config ").nth(1).unwrap().split(" --out").next().unwrap();
    bd(&desk, &["train", "rnn", "--config", again, "--quiet", "--out", "again"]);
    assert!(
        crate::common::same_bytes(&desk, "model.safetensors", "one", "again"),
        "the command of the report repeats the run"
    );

    let page = report_of(&desk, &["one", "two"], "report.html");
    has(&page, "<th scope=\"col\">optim.lr</th>");
    has(&page, "Losses of the validation part of 2 runs by updates.");
    // An earlier report is replaced, another file is not.
    report_of(&desk, &["one", "two"], "report.html");
    fs::write(desk.path("mine.html"), "mine").unwrap();
    refused_by(&desk, &["report", "one", "--out", "mine.html"], 5, "it exists and is no report of bd");
    refused_by(&desk, &["report", "one", "--out", "no/folder/x.html"], 5, "no/folder");
    let said = desk.bd_json(&["report", "two", "--out", "two.html"]);
    assert_eq!(
        (said["out"].as_str(), said["bytes"].as_u64()),
        (Some("two.html"), Some(fs::metadata(desk.path("two.html")).unwrap().len()))
    );
}

#[test]
fn a_sweep_and_a_simulation() {
    let desk = Desk::new();
    let spec = "job = \"rnn\"\nbase.updates = 4\nbase.batch = 4\nbase.model.hidden = [4]\nbase.data.test_samples = 8\ngrid.optim.lr = [0.01, 0.1, 1e30]\n";
    fs::write(desk.path("lr.toml"), spec).unwrap();
    bd(&desk, &["sweep", "lr.toml", "--quiet", "--out", "lr"]);
    let page = report_of(&desk, &["lr"], "lr/report.html");
    has(&page, "The job rnn was run with 3 configurations; 3 have ended");
    has(&page, "Losses of the ");
    let listed = desk.bd(&["runs", "lr", "--sort", "optim.lr"]);
    let names: Vec<&str> = listed
        .stdout
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.starts_with(&["trial-0000", "trial-0001"]), "{}", listed.stdout);
    let above = desk.bd(&["runs", "."]).stdout;
    assert!(above.contains("sweep of rnn"), "{above}");

    let network = "dt_ms = 0.1\n[population.E]\nn = 20\nneuron = \"lif\"\ndrive = { I = \"600*pA*rand() + 400*pA\" }\n";
    fs::write(desk.path("net.toml"), network).unwrap();
    bd(&desk, &["simulate", "net.toml", "--duration-ms", "200", "--quiet", "--out", "sim"]);
    let page = report_of(&desk, &["sim"], "sim/report.html");
    has(&page, "was simulated for 200 ms; nothing was trained. Its populations are E (20 neurons), with 0 synapses.");
    has(&page, "<figure id=\"run-1-raster\">");
}

/// One that is at work, one that was stopped, one that diverged.
#[test]
fn runs_that_have_not_come_to_their_end() {
    let desk = Desk::new();
    let mut child = start(&desk, &["--updates", "100000000"]);
    wait_for_reports(&desk, &mut child, 3);
    let page = report_of(&desk, &["run"], "run/report.html");
    has(&page, "is still at work (process ");
    has(&page, "<figure id=\"run-1-training\">");
    assert_eq!(desk.bd_json(&["runs", "."])["runs"][0]["state"], "running");
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(ended(child.wait_with_output().unwrap()).code, 143);
    let page = report_of(&desk, &["run"], "run/report.html");
    has(&page, "and was stopped by a signal after ");
    has(&page, "bd train --resume run");
    let row = &desk.bd_json(&["runs", ".", "--filter", "state=stopped"])["runs"][0];
    assert!(row["updates"].as_u64().unwrap() >= 30 && row["metric"]["value"].is_number(), "{row}");

    let diverging =
        ["train", "rnn", "--updates", "20", "--lr", "1e30", "--report-every", "1", "--quiet", "--out", "div"];
    assert_eq!(desk.bd(&diverging).code, 3);
    has(&report_of(&desk, &["div"], "div/report.html"), "and diverged");
}

#[test]
fn what_is_no_run() {
    let desk = Desk::new();
    refused_by(&desk, &["report"], 2, "required arguments were not provided");
    refused_by(&desk, &["report", "nothing"], 7, "cannot read nothing: No such file");
    fs::create_dir_all(desk.path("empty")).unwrap();
    refused_by(
        &desk,
        &["report", "empty"],
        7,
        "empty: it is not the folder of a run: there is no manifest.json in it; name a folder that",
    );
    fs::create_dir_all(desk.path("broken/checkpoints")).unwrap();
    fs::write(desk.path("broken/manifest.json"), "{").unwrap();
    refused_by(&desk, &["report", "broken"], 7, "manifest.json: EOF");
    refused_by(&desk, &["report", "broken", "--out", "new.html"], 7, "manifest.json: EOF");
    refused_by(&desk, &["runs", "nothing"], 7, "cannot read nothing: No such file");
    refused_by(
        &desk,
        &["runs", ".", "--filter", "job"],
        2,
        "the filter 'job' is not KEY=VALUE, such as job=rnn or optim.lr=0.01",
    );
    refused_by(&desk, &["runs", ".", "--sort", "optim.lr"], 2, "no run has 'optim.lr'");
    // A damaged one is a row.
    let listed = desk.bd(&["runs", "."]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(
        listed.stdout.contains("broken")
            && listed.stdout.contains("damaged")
            && listed.stdout.contains("! ./broken/manifest.json"),
        "{}",
        listed.stdout
    );
    let found: Value = desk.bd_json(&["runs", "."]);
    assert_eq!((found["runs"].as_array().unwrap().len(), &found["runs"][0]["state"]), (1, &Value::from("damaged")));
    // Whoever has no runs yet is told so.
    let none = desk.bd(&["runs"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(none.stderr.contains("there are no runs in runs"), "{}", none.stderr);
}

/// A copy of a run, of which something is missing, still has a report.
#[test]
fn a_damaged_run_has_a_report_that_says_what_is_missing() {
    let desk = Desk::new();
    let movements = data("movements.npz");
    bd(&desk, &["train", "conv", "--data", &movements, "--set", "model.features=84", "--quiet", "--out", "run"]);
    fs::remove_dir_all(desk.path("run/plots")).unwrap();
    fs::remove_file(desk.path("run/config.json")).unwrap();
    fs::remove_file(desk.path("run/predictions.npz")).unwrap();
    let page = report_of(&desk, &["run"], "run/report.html");
    has(&page, "Note: config.json is missing or cannot be read.");
    has(&page, "<figure id=\"run-1-confusion\">");
}

/// What a shell and `man` know of the command line is made of the same words as the help, and what an editor knows is in docs.
#[test]
fn completions_schemas_and_manual_pages() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.bd(&["completions", shell]);
        assert_eq!(script.code, 0, "{}", script.stderr);
        for word in ["report", "updates"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
    }
    refused_by(&desk, &["completions", "cmd"], 2, "invalid value 'cmd'");
    let schema = desk.bd(&["schema", "snn"]);
    let of_docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/snn.json")).unwrap();
    assert!(schema.code == 0 && schema.stdout == of_docs, "{}", schema.stderr);
    refused_by(&desk, &["schema", "config"], 2, "[possible values: ngrc, esn, rnn, snn, conv, sweep, network, neuron]");
    bd(&desk, &["man", "pages"]);
    let page = fs::read_to_string(desk.path("pages/bd-train-rnn.1")).unwrap();
    assert!(page.contains("updates"), "{page}");
    for name in ["bd.1", "bd-report.1", "bd-data-digits.1"] {
        assert!(desk.path("pages").join(name).is_file(), "{name}");
    }
}
