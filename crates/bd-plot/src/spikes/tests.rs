//! Sizes, limits, and networks that hardly are any.

use super::*;

const DT_MS: f64 = 0.1;

/// Voltages that rise to 1 and fall to 0 with a spike, neuron `n` every `period + n` steps.
fn recording(samples: usize, steps: usize, neurons: usize, period: usize) -> Recording {
    let mut v = Vec::new();
    let mut spike = Vec::new();
    for i in 0..samples * steps * neurons {
        let (step, period) = (i / neurons % steps, period + i % neurons);
        v.push((step % period) as f32 / period as f32);
        spike.push(step % period == period - 1);
    }
    Recording::new("r", DT_MS, [samples, steps, neurons], v, spike).unwrap()
}

#[test]
fn the_tutorials_size_fits_files_of_a_megabyte() {
    let recording = recording(15, 2000, 10, 40);
    let (voltages, raster) = (voltages(&recording), raster(&recording));
    for figure in [&voltages, &raster] {
        let svg = figure.to_svg().unwrap();
        assert!(svg.len() < 1_000_000, "{}: {}", figure.title, svg.len());
        assert!(svg.contains(&figure.title) && svg.contains(&figure.x_label));
    }
    assert_eq!((voltages.panels.len(), voltages.columns), (15, 5));
    assert!(voltages.panels.iter().all(|panel| panel.lines.len() == 10));
    assert_eq!(voltages.title, "voltages of layer r, spikes drawn up to 5");
}

#[test]
fn every_spike_is_in_both_pictures() {
    let recording = recording(2, 5000, 3, 100);
    let (voltages, raster) = (voltages(&recording), raster(&recording));
    let at = |points: &[(f64, f64)], keep: &dyn Fn(f64) -> bool| -> Vec<usize> {
        points.iter().filter(|point| keep(point.1)).map(|point| (point.0 / DT_MS).round() as usize).collect()
    };
    for sample in 0..2 {
        for neuron in 0..3 {
            let expected: Vec<_> = (0..5000).filter(|step| step % (100 + neuron) == 99 + neuron).collect();
            let line = &voltages.panels[sample].lines[neuron];
            assert!(line.points.len() < 1000, "thinned");
            assert_eq!(at(&line.points, &|height| height == SPIKE_HEIGHT), expected);
            let dots = &raster.panels[0].lines[sample].points;
            let row = (3 * (1 - sample) + neuron) as f64; // the first sample is on top
            assert_eq!(at(dots, &|height| height == row), expected);
        }
    }
}

#[test]
fn samples_count_from_0() {
    let recording = recording(2, 100, 3, 10);
    let titles = voltages(&recording).panels.into_iter().map(|panel| panel.title.unwrap());
    assert_eq!(titles.collect::<Vec<_>>(), ["sample 0", "sample 1"]);
    let ticks = raster(&recording).panels.remove(0).y_ticks.unwrap();
    // Three rows each, the first sample on top.
    assert_eq!(ticks, [(4.0, "0".to_owned()), (1.0, "1".to_owned())]);
}

#[test]
fn what_is_left_out_stands_in_the_title() {
    let many = recording(20, 400, 30, 50);
    assert!(voltages(&many).title.ends_with("to 5, first 15 of 20 samples, first 20 of 30 neurons"));
    assert!(raster(&many).title.ends_with("of layer r, first 6 of 20 samples"));

    let busy = recording(3, 2000, 300, 1); // a spike at every step of the first neurons, and hardly fewer of the rest
    let raster = raster(&busy);
    assert!(raster.title.contains(", first of 3 samples, first 200 of 300 neurons, 1 in "), "{}", raster.title);
    for figure in [raster, voltages(&busy)] {
        assert!(figure.to_svg().unwrap().len() < 1_000_000);
    }
}

#[test]
fn networks_that_hardly_are_any_are_drawn() {
    let shapes = [(1, 1, 1), (1, 50, 1), (7, 1, 2), (1, 100, 400), (6, 30, 1), (0, 5, 2), (2, 0, 2), (2, 5, 0)];
    for (samples, steps, neurons) in shapes {
        for period in [1, 1000] {
            let mut recording = recording(samples, steps, neurons, period);
            for value in [0.5, f64::NAN, f64::INFINITY, f64::MAX] {
                recording.v.fill(value as f32);
                for dt_ms in [0.1, 0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, 1e-320] {
                    recording.dt_ms = dt_ms;
                    voltages(&recording).to_svg().unwrap();
                    raster(&recording).to_svg().unwrap();
                }
            }
        }
    }
}

#[test]
fn arrays_of_another_shape_are_refused() {
    let refused = |shape, v: usize, spike: usize| {
        Recording::new("r", DT_MS, shape, vec![0.0; v], vec![false; spike]).unwrap_err().to_string()
    };
    let message = "recorded spikes of layer r: 5 numbers, but the shape [sample, time, neuron] is [1, 2, 3]";
    assert_eq!(refused([1, 2, 3], 6, 5), message);
    assert!(refused([1, 2, 3], 7, 6).starts_with("recorded voltages of layer r: 7 numbers"));
    assert!(refused([usize::MAX, 2, 3], 6, 6).starts_with("recorded voltages"));
}
