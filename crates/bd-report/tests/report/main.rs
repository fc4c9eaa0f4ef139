//! Reports of run folders that are written by hand: sentences, escaping, states, sizes.

mod folders;
mod html;

use std::fs;

use bd_plot::{Figure, Line, Mark, Panel};
use bd_report::{Report, usual_file};
use serde_json::json;

use self::folders::Desk;
use self::html::{check, contrast};

/// Black on white is 21 by definition; #767676 on white is 4.54, the grey that the guidelines' examples give as just enough.
#[test]
fn contrast_is_that_of_the_guidelines() {
    assert!((contrast(0x00_0000, 0xff_ffff) - 21.0).abs() < 1e-9);
    assert!((contrast(0x76_7676, 0xff_ffff) - 4.54).abs() < 0.005);
}

#[track_caller]
fn has(html: &str, words: &str) {
    assert!(html.contains(words), "{words:?} is not in\n{}", html.split("</style>").nth(1).unwrap_or(html));
}

#[test]
fn a_run_on_labels_is_said_in_sentences_beside_the_best_simple_method() {
    let desk = Desk::new();
    let run = desk.labels("moves", "done");
    let report = Report::of(&[run]).unwrap();
    let html = report.html();
    check(html);
    has(html, "<title>moves, a run of rnn</title>");
    has(
        html,
        "A recurrent network (rnn: of gru cells, 8 units in one hidden layer) was trained by gradient descent to tell 2 classes (left and right) \
         of sequences of 20 steps and 2 channels in movements.npz apart.",
    );
    has(html, "On the test part of 12 samples its accuracy, the share that is right, is 0.7500.");
    has(
        html,
        "That is worse than the best simple method that was fitted beside it, ridge regression on all steps of a sequence, of spikes on \
         counts in windows of time, which reaches 0.9167.",
    );
    has(
        html,
        "The training ended after all 9 updates of 3 epochs. It began on 2026-11-29 10:51:16 UTC and took 4 seconds.",
    );
    has(html, "bd train rnn --config ");
    has(
        html,
        "Of 12 cases of 2 classes, 9 are on the diagonal, which are right. The most frequent mistake is left taken for right, 2 times.",
    );
    has(html, "The loss goes from 0.7000 at update 3 to 0.5000 at update 9; the least is 0.5000 at update 9.");
    has(html, "SHA-256 of the weights");
}

#[test]
fn whatever_comes_from_outside_is_words() {
    let desk = Desk::new();
    let bad = "<script>alert('&\"')</script>";
    let run = desk.labels("<b>run</b>", "done");
    desk.set_config(&run, "data", json!({
        "file": "/data/<i>x</i>.npz", "classes": [bad, "right"], "targets": {"name": "labels", "classes": 2}, "steps": 20, "channels": 2,
        "<u>key</u>": "</table><script>1</script>",
    }));
    let report = Report::of(std::slice::from_ref(&run)).unwrap();
    check(report.html());
    let other = desk.labels("other", "done");
    let both = Report::of(&[run, other]).unwrap();
    check(both.html());
    for html in [report.html(), both.html()] {
        for raw in ["<script", "<b>run", "<i>x", "<u>key", "</table><script"] {
            assert!(!html.contains(raw), "{raw}");
        }
        has(html, "&#60;script&#62;alert(");
    }
}

/// A picture in a run folder is a file like any other: one that was changed is not shown.
#[test]
fn a_picture_that_bd_has_not_drawn_is_not_shown() {
    let desk = Desk::new();
    let run = desk.labels("moves", "done");
    fs::create_dir(run.join("plots")).unwrap();
    let line = Line { points: vec![(0.0, 1.0), (1.0, 2.0)], ..Line::default() };
    let figure = Figure {
        title: "12 samples".into(),
        panels: vec![Panel { lines: vec![line], ..Panel::default() }],
        ..Figure::default()
    };
    let svg = figure.to_svg().unwrap();
    fs::write(run.join("plots/samples.svg"), &svg).unwrap();
    fs::write(run.join("plots/raster.svg"), svg.replace("</svg>", "<script>alert(1)</script></svg>")).unwrap();
    let report = Report::of(&[run]).unwrap();
    check(report.html());
    has(report.html(), "Samples of the test part with what they are and what the model says. 12 samples");
    has(report.html(), "it is no picture that bd has drawn: there is &#60;script&#62;");
    assert!(!report.html().contains("alert(1)"));
}

#[test]
fn a_run_that_has_not_ended_says_so() {
    for (status, words) in [
        (
            "running",
            "and did not come to its end: its process is gone after 9 updates. It can be resumed from its newest checkpoint.",
        ),
        ("stopped", "and was stopped by a signal after 9 updates. It can be resumed from its newest checkpoint."),
        ("diverged", "and diverged after 9 updates: a loss or a gradient was no finite number."),
        ("failed", "and ended with an error after 9 updates."),
    ] {
        let desk = Desk::new();
        let run = desk.stopped("cut", status);
        let report = Report::of(&[run]).unwrap();
        check(report.html());
        has(report.html(), words);
        has(
            report.html(),
            "It was not tested, for it has not come to its end. At the last report its training loss was 0.5000",
        );
        has(report.html(), "bd train --resume ");
        assert!(!report.html().contains("bd eval"), "there are no weights");
    }
}

#[test]
fn a_forecast_is_said_for_each_horizon() {
    let desk = Desk::new();
    let report = Report::of(&[desk.forecast("lorenz")]).unwrap();
    check(report.html());
    has(
        report.html(),
        "was fitted by ridge regression to a series of the system lorenz, which was computed for it, to forecast it 1 and 10 steps ahead.",
    );
    has(
        report.html(),
        "One step ahead its error on the test part is 0.1000 standard deviations of the series; to repeat the last value gives 0.5000, and the mean \
         of the series 1.000: better than both.",
    );
    has(report.html(), "10 steps ahead its error on the test part is 0.9000 standard deviations");
    has(
        report.html(),
        "stays near the truth for 20.5 steps, the median of 4 starts, and 1 of these runs stay bounded over 100 steps.",
    );
}

#[test]
fn several_runs_are_compared_by_what_differs() {
    let desk = Desk::new();
    let [one, other] = ["one", "other"].map(|name| desk.labels(name, "done"));
    desk.set_config(&other, "batch", json!(64));
    let report = Report::of(&[one, other]).unwrap();
    check(report.html());
    let head = report.html().split("<thead>").nth(1).unwrap().split("</thead>").next().unwrap();
    has(head, "<th scope=\"col\">batch</th>");
    assert!(!head.contains("epochs"), "{head}");
    has(report.html(), "<a href=\"#run-2\">other</a>");
    has(
        report.html(),
        "Losses of the validation part of 2 runs by updates. At their ends, the least first: one 0.6000, other 0.6000.",
    );
}

/// Of other data nothing is the best, and what follows from the data is no difference.
#[test]
fn runs_on_other_data_are_not_ranked() {
    let desk = Desk::new();
    let [one, other] = ["one", "other"].map(|name| desk.labels(name, "done"));
    desk.set_config(&other, "data", json!({"file": null, "task": {"name": "decision"}, "steps": 50, "channels": 1}));
    desk.set_config(&other, "epochs", json!(7));
    let report = Report::of(&[one, other]).unwrap();
    check(report.html());
    has(report.html(), "They do not learn the same data");
    has(report.html(), "<td>movements.npz</td>");
    has(report.html(), "<td>task decision</td>");
    let comparison = report.html().split("id=\"run-1\"").next().unwrap();
    assert!(comparison.contains("epochs") && !comparison.contains("data.steps") && !comparison.contains("<strong>"));
}

#[test]
fn a_sweep_is_its_table_and_its_best() {
    let desk = Desk::new();
    let report = Report::of(&[desk.sweep("lr")]).unwrap();
    check(report.html());
    has(report.html(), "The job rnn was run with 3 configurations; 3 have ended, 1 of them without a result.");
    has(report.html(), "The best, by validation_loss, which is never of the test part, is trial-0001");
    has(report.html(), "code 3: the loss is not finite");
    has(report.html(), "<h2 id=\"run-1\">trial-0001");
}

#[test]
fn a_simulation_is_its_populations() {
    let desk = Desk::new();
    let report = Report::of(&[desk.simulation("cuba")]).unwrap();
    check(report.html());
    has(report.html(), "The network of spiking neurons in cuba.toml was simulated for 300 ms; nothing was trained.");
    has(report.html(), "Its populations are E (3200 neurons) and I (800 neurons), with 319796 synapses.");
    has(
        report.html(),
        "On average a neuron of E spikes 5.634 times a second and a neuron of I spikes 5.700 times a second.",
    );
    has(
        report.html(),
        "bd simulate /nets/cuba.toml --duration-ms 300.0 --discard-ms 0.0 --dtype f64 --seed 0 --out again",
    );
}

/// Of many runs with many updates and a large picture each, the page stays small and says what it leaves out.
#[test]
fn no_report_is_larger_than_it_may_be() {
    let desk = Desk::new();
    let noise = |i: u64| (0..12_000u64).map(|k| (k as f64, ((k * 7919 + i * 104_729) % 10_007) as f64)).collect();
    let runs: Vec<_> = (0..30u64)
        .map(|i| {
            let run = desk.labels(&format!("run-{i}"), "done");
            fs::create_dir(run.join("plots")).unwrap();
            let line = Line { points: noise(i), mark: Mark::Dots(2), label: None };
            let panel = Panel { lines: vec![line], ..Panel::default() };
            let svg = Figure { title: "noise".into(), panels: vec![panel], ..Figure::default() }.to_svg().unwrap();
            fs::write(run.join("plots/samples.svg"), svg).unwrap();
            run
        })
        .collect();
    for count in [1, 2, 12, 13, 30] {
        let report = Report::of(&runs[..count]).unwrap();
        check(report.html());
        assert!(count < 12 || report.html().contains("Left out to keep this file small: "), "{count}");
    }
    let error = Report::of(&vec![runs[0].clone(); 101]).unwrap_err().to_string();
    assert_eq!(error, "these are 101 runs; a report compares at most 100");
}

#[test]
fn only_a_report_is_replaced() {
    let desk = Desk::new();
    let run = desk.labels("moves", "done");
    let report = Report::of(std::slice::from_ref(&run)).unwrap();
    let file = usual_file(std::slice::from_ref(&run));
    assert_eq!(file, run.join("report.html"));
    report.save(&file).unwrap();
    report.save(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), report.html());
    let mine = desk.path("mine.html");
    fs::write(&mine, "<html>mine</html>").unwrap();
    for other in [&mine, &desk.path("moves")] {
        let error = report.save(other).unwrap_err().to_string();
        assert!(error.ends_with("it exists and is no report of bd; name a new file or remove it"), "{error}");
    }
    assert_eq!(fs::read_to_string(&mine).unwrap(), "<html>mine</html>");
    assert_eq!(usual_file(&[run.clone(), run]), std::path::Path::new("report.html"));
}

#[test]
fn what_is_no_run_is_refused() {
    let desk = Desk::new();
    let of = |name: &str| Report::of(&[desk.path(name)]).unwrap_err().to_string();
    assert!(of("nothing").starts_with("cannot read "), "{}", of("nothing"));
    fs::create_dir(desk.path("empty")).unwrap();
    assert!(of("empty").ends_with(
        "there is no manifest.json in it; name a folder that a training, a simulation or a sweep has written"
    ));
    desk.labels("runs/a", "done");
    assert!(of("runs").ends_with("but 1 folder of runs are in it; name those, such as a"), "{}", of("runs"));
    let run = desk.labels("damaged", "done");
    fs::write(run.join("manifest.json"), "{\"job\":").unwrap();
    assert!(of("damaged").contains("manifest.json: EOF"), "{}", of("damaged"));
    assert_eq!(Report::of(&[]).unwrap_err().to_string(), "a report is of at least one run");
}

/// Everything but the manifest may be missing or damaged; the report says it.
#[test]
fn what_is_damaged_is_said() {
    let desk = Desk::new();
    let run = desk.labels("moves", "done");
    fs::write(run.join("config.json"), "{").unwrap();
    let lines = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    fs::write(run.join("metrics.jsonl"), format!("nonsense\n{lines}{{\"step\":")).unwrap();
    let report = Report::of(&[run]).unwrap();
    check(report.html());
    has(report.html(), "Note: config.json is damaged: ");
    has(report.html(), "Note: 1 line of metrics.jsonl cannot be read.");
    has(report.html(), "A run of the job rnn; its configuration cannot be read.");
}
