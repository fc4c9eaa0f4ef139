//! Prints the names of the figures that it writes as SVG and PNG into the folder given: one of each kind, from numbers made here.
//!
//!     cargo run -p bd-plot --example gallery -- gallery

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use bd_plot::forecast::{self, Orbit, Series};
use bd_plot::samples::{self, Common, Inputs, Sample};
use bd_plot::spikes::{self, Recording};
use bd_plot::{Figure, confusion, prediction, training};

const DT: f64 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: gallery FOLDER")?);
    fs::create_dir_all(&folder)?;
    let recording = recording()?;
    let figures = [
        ("free-run", free_run()),
        ("attractor", attractor()),
        ("training", training()),
        ("samples", samples()),
        ("confusion", confusion_of(9)?),
        ("confusion-40", confusion_of(40)?),
        ("prediction", two_outputs()),
        ("voltages", spikes::voltages(&recording)),
        ("raster", spikes::raster(&recording)),
    ];
    for (name, figure) in figures {
        fs::write(folder.join(format!("{name}.svg")), figure.to_svg()?)?;
        fs::write(folder.join(format!("{name}.png")), figure.to_png()?)?;
        println!("{name}");
    }
    Ok(())
}

/// Lorenz's equations by Euler's method from a start: `[channel][step]`.
fn lorenz(start: [f64; 3], steps: usize) -> Vec<Vec<f64>> {
    let mut state = start;
    let mut channels = vec![Vec::new(); 3];
    for _ in 0..steps {
        let [x, y, z] = state;
        let slopes = [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z];
        for (channel, (value, slope)) in channels.iter_mut().zip(state.iter_mut().zip(slopes)) {
            *value += DT * slope;
            channel.push(*value);
        }
    }
    channels
}

/// The truth beside the same from a start nearby, of which one channel runs away at last.
fn free_run() -> Figure {
    let names = ["x", "y", "z"].map(str::to_owned);
    let values = lorenz([-8.0, 7.0, 27.0], 1000);
    let mut run = lorenz([-8.001, 7.0, 27.0], 1000);
    for (step, value) in run[2].iter_mut().enumerate().skip(750) {
        *value += (step as f64 - 750.0).exp();
    }
    let times = (1..=1000).map(|step| f64::from(step) * DT).collect();
    let truth = Series { time_label: "time", names: &names, times, values };
    forecast::free_run("a run from a start nearby", &truth, &run)
}

fn attractor() -> Figure {
    let orbit = |label: &str, start: [f64; 3], steps| {
        let [x, _, z] = <[_; 3]>::try_from(lorenz(start, steps)).expect("three channels");
        Orbit { label: label.into(), values: [x, z] }
    };
    let series = orbit("series", [-8.0, 7.0, 27.0], 5000);
    let forecasts = vec![orbit("forecast", [-8.001, 7.0, 27.0], 800)];
    forecast::attractor("Lorenz's attractor", ["x", "z"], series, forecasts)
}

/// Losses that fall over three decades, with an accuracy that rises.
fn training() -> Figure {
    let loss = |step: u64| 2.0 * (-(step as f64) / 400.0).exp() * (1.2 + (step as f64 * 1.7).sin()) + 2e-3;
    let losses: Vec<f64> = (1..=3000).map(loss).collect();
    let report = |step: u64| training::Report {
        step,
        loss: loss(step),
        validation: Some(3.0 * (-(step as f64) / 500.0).exp() + 8e-3),
        accuracy: Some(1.0 - 0.9 * (-(step as f64) / 700.0).exp()),
    };
    let reports: Vec<_> = (1..=15).map(|i| report(200 * i)).collect();
    training::figure("training, 3000 updates", &losses, &reports)
}

/// Noise and its integral, which the outputs almost are.
fn samples() -> Figure {
    let sample = |seed: f64| {
        let noise = |step: usize| ((step as f64 + seed) * 12.9898).sin() * 43758.5453;
        let inputs: Vec<f64> = (0..50).map(|step| noise(step).rem_euclid(1.0) - 0.5).collect();
        let sum = |total: &mut f64, value: &f64| {
            *total += value;
            Some(*total)
        };
        let targets: Vec<f64> = inputs.iter().scan(0.0, sum).collect();
        let outputs = targets.iter().enumerate().map(|(i, y)| y + 0.02 * (i as f64).cos()).collect();
        Sample {
            title: format!("sample {seed}"),
            inputs: Inputs::Numbers(vec![inputs]),
            targets: vec![targets],
            outputs: vec![outputs],
        }
    };
    let common = Common { time_label: "time (s)", dt: DT, channels: 1, outputs: 1, ..Common::default() };
    samples::figure("integration", &common, &[sample(0.0), sample(100.0)])
}

/// Classes of which some are taken for their neighbours.
fn confusion_of(classes: i64) -> Result<Figure, Box<dyn Error>> {
    let names: Vec<String> = (0..classes).map(|class| format!("movement {class}")).collect();
    let count = |class: i64, taken_for: i64| match (class - taken_for).abs() {
        0 => 20 + class % 7,
        1 => 3 * (class % 4),
        _ => 0,
    };
    let row = |class| (0..classes).map(|taken_for| count(class, taken_for)).collect();
    let counts: Vec<Vec<i64>> = (0..classes).map(row).collect();
    confusion::figure("confusion", &names, &counts).ok_or_else(|| "too many classes".into())
}

/// Two outputs, of which one is too small.
fn two_outputs() -> Figure {
    let truth: Vec<f64> = (0..200).map(|i| f64::from(i) / 100.0).collect();
    let predicted = |slope: f64| truth.iter().map(|y| slope * y + 0.2 * (37.0 * y).sin()).collect::<Vec<_>>();
    prediction::figure("prediction", &[truth.clone(), truth.clone()], &[predicted(1.0), predicted(0.6)])
}

/// Ten neurons that charge and spike, faster from sample to sample: leaky integrators with a reset.
fn recording() -> bd_plot::Result<Recording> {
    const SHAPE: [usize; 3] = [6, 800, 10];
    let [samples, steps, neurons] = SHAPE;
    let (mut v, mut spike) = (Vec::new(), Vec::new());
    for sample in 0..samples {
        let mut voltages = vec![0.0_f64; neurons];
        for _ in 0..steps {
            for (neuron, voltage) in voltages.iter_mut().enumerate() {
                let input = 1.02 + 0.04 * sample as f64 + 0.03 * neuron as f64;
                *voltage += 0.02 * (input - *voltage);
                let spikes = *voltage > 1.0;
                v.push(*voltage as f32);
                spike.push(spikes);
                *voltage *= f64::from(u8::from(!spikes));
            }
        }
    }
    Recording::new("hidden", 0.1, SHAPE, v, spike)
}
