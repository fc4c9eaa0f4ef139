//! `--time-unit`: what times are in.

use std::fs;

use crate::common::{Desk, data, metric, refused_by};
use serde_json::Value;

/// On yearly sunspot numbers.
fn train<'a>(file: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&["train", "ngrc", "--data", file, "--columns", "SUNACTIVITY", "--time", "YEAR"], options].concat()
}

/// A name for the unit of time stands in words and pictures, and changes no number.
#[test]
fn times_have_a_unit() {
    let desk = Desk::new();
    let options = ["--delay", "3", "--free-run", "20", "--out"];
    let file = data("sunspots.csv");
    let without = desk.bd_json(&train(&file, &[&options[..], &["without"]].concat()));
    let said = desk.bd(&train(&file, &[&options[..], &["with", "--time-unit", "years", "--json"]].concat()));
    assert!(said.stderr.contains("(SUNACTIVITY), dt 1 years"), "{}", said.stderr);
    let plain = desk.bd(&["eval", "with"]);
    assert!(plain.stdout.contains(" years, the median of "), "{}", plain.stdout);
    let with: Value = serde_json::from_str(&said.stdout).unwrap();
    let (unit, number) = (|run: &Value| run["metrics"]["vpt_unit"].clone(), |run: &Value| metric(run, "vpt"));
    assert_eq!([unit(&with), unit(&without)], ["years", "units of time"]);
    assert_eq!([number(&with), metric(&with, "test_nmse.1")], [number(&without), metric(&without, "test_nmse.1")]);
    let svg = fs::read_to_string(desk.path("with/plots/horizon-1.svg")).unwrap();
    assert!(svg.contains("YEAR (years)"), "the axis");
    // What is made of the run later has it, too.
    assert_eq!(unit(&desk.bd_json(&["eval", "with"])), "years");
}

/// Of dates the unit is known: seconds.
#[test]
fn dates_have_no_other_unit_than_seconds() {
    let desk = Desk::new();
    let days = (0..60).map(|i| format!("2020-{:02}-{:02},{}\n", 1 + i / 28, 1 + i % 28, (i * i) % 17));
    fs::write(desk.path("daily.csv"), "date,x\n".to_owned() + &days.take(28).collect::<String>()).unwrap();
    let train = ["train", "ngrc", "--data", "daily.csv", "--time", "date", "--delay", "2", "--alpha", "1", "--quiet"];
    let days = [&train[..], &["--time-unit", "days", "--out", "days"]].concat();
    refused_by(
        &desk,
        &days,
        2,
        "time_unit is 'days', but the times of daily.csv are in seconds, dates too: leave it out",
    );
    let seconds = desk.bd(&[&train[..], &["--time-unit", "s", "--out", "seconds"]].concat());
    assert_eq!(seconds.code, 0, "{}", seconds.stderr);
}
