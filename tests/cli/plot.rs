//! `bd plot`: figures for papers.

use std::fs;

use serde_json::Value;

use crate::common::{Desk, refused_in};

fn read(desk: &Desk, file: &str) -> Vec<u8> {
    fs::read(desk.path(file)).unwrap()
}

/// Every figure of the run, as wide as was asked for, the same bytes each time; and the run stays what it was.
#[test]
fn figures_are_written_once_more() {
    let desk = Desk::new();
    let made = desk.bd(&["train", "ngrc", "--set", "data.system.duration=60", "--quiet", "--out", "run"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let weights = read(&desk, "run/model.safetensors");
    let said = desk.bd(&["plot", "run", "--width-mm", "100", "--json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    let names: Vec<&str> = found["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    let expected =
        ["horizon-1", "horizon-10", "horizon-100", "free-run", "series", "attractor", "spectrum", "return-map"];
    assert_eq!(names, expected.map(|name| format!("run/figures/{name}.pdf")));
    let pdf = read(&desk, "run/figures/series.pdf");
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.starts_with("%PDF-1.") && text.trim_end().ends_with("%%EOF"));
    // 100 mm are 283.46 points.
    assert!(text.contains("/MediaBox [0 0 283.46") && text.contains("(lorenz over time)"), "{}", &text[..1500]);
    assert_eq!(desk.bd(&["plot", "run", "--width-mm", "100", "--quiet"]).code, 0);
    assert!(read(&desk, "run/figures/series.pdf") == pdf, "the same bytes");

    let svg = ["plot", "run", "--format", "svg", "--only", "series,attractor", "--out", "paper", "--quiet"];
    assert_eq!(desk.bd(&svg).code, 0);
    assert_eq!(fs::read_dir(desk.path("paper")).unwrap().count(), 2);
    let svg = String::from_utf8(read(&desk, "paper/series.svg")).unwrap();
    for words in ["width=\"183mm\"", "<title>lorenz over time</title>", ">time</text>", "</svg>\n"] {
        assert!(svg.contains(words), "{words}");
    }
    assert_eq!(desk.bd(&["eval", "run", "--quiet"]).code, 0);
    assert!(read(&desk, "run/model.safetensors") == weights);

    let renamed = ["plot", "run", "--format", "svg", "--only", "series", "--rename", "x", "potential (mV) & more"];
    // All at once: none is renamed twice.
    let exchanged = ["--rename", "y", "z", "--rename", "z", "y"];
    let taken_away =
        ["--rename", "lorenz over time", "", "--rename", "time", "time (s)", "--out", "renamed", "--quiet"];
    assert_eq!(desk.bd(&[&renamed[..], &exchanged, &taken_away].concat()).code, 0);
    let svg = String::from_utf8(read(&desk, "renamed/series.svg")).unwrap();
    for words in [">potential (mV) &amp; more</text>", ">time (s)</text>", ">y</text>", ">z</text>", "<title></title>"]
    {
        assert!(svg.contains(words), "{words}");
    }
    assert!(!svg.contains(">x</text>") && !svg.contains("lorenz over time"));
    refused_in(
        &desk,
        &[],
        &["plot", "run", "--only", "series", "--rename", "X", "v"],
        2,
        "--rename X: no such words in these figures; there are: lorenz over time | ",
    );

    refused_in(&desk, &[], &["plot", "run", "--rename", "x", "s⁻¹"], 2, "the font of figures has no '⁻'");

    let there_are = format!("there are: {}", expected.join(", "));
    refused_in(&desk, &[], &["plot", "run", "--only", "training"], 2, &there_are);
    refused_in(
        &desk,
        &[],
        &["plot", "run", "--width-mm", "5"],
        2,
        "--width-mm: a picture 5 mm wide: it is from 10 to 2000 mm",
    );
    refused_in(&desk, &[], &["plot", "run", "--width-mm", "nan"], 2, "--width-mm");
    refused_in(&desk, &[], &["plot", "absent"], 7, "cannot read absent");
}
