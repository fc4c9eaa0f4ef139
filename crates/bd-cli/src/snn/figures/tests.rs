//! Sizes, limits, and networks that hardly are any.

use super::*;

/// `[sample, time, neuron]`: voltages that rise to 1 and fall to 0 with a spike, neuron `n` every `period + n` steps.
fn recorded(samples: usize, steps: usize, neurons: usize, period: usize) -> Recorded {
    let mut v = Vec::new();
    let mut spike = Vec::new();
    for i in 0..samples * steps * neurons {
        let (step, period) = (i / neurons % steps, period + i % neurons);
        v.push((step % period) as f64 / period as f64);
        spike.push(if step % period == period - 1 { 1.0 } else { 0.0 });
    }
    let shape = [samples as i64, steps as i64, neurons as i64];
    let tensor = |values: Vec<f64>| Tensor::from_slice(&values).reshape(shape);
    Recorded { layer: "r".into(), dt_ms: 0.1, v: tensor(v), spike: tensor(spike) }
}

fn reports() -> Vec<Report> {
    (1..=20).map(|i| Report { step: 50 * i, loss: 0.5, accuracy: i as f64 / 20.0 }).collect()
}

fn all(recorded: &Recorded) -> Vec<(String, Figure)> {
    figures(&[0.7, 0.6, 0.5], &reports(), recorded).unwrap()
}

fn get<'a>(figures: &'a [(String, Figure)], name: &str) -> &'a Figure {
    &figures.iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn the_tutorials_size_fits_files_of_a_megabyte() {
    let recorded = recorded(15, 2000, 10, 40);
    let figures = all(&recorded);
    let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["voltages", "raster", "training"]);
    for (name, figure) in &figures {
        let svg = figure.svg().unwrap();
        assert!(svg.len() < 1_000_000, "{name}: {}", svg.len());
        assert!(svg.contains(&figure.title) && svg.contains(&figure.x_label));
    }
    let voltages = get(&figures, "voltages");
    assert_eq!((voltages.panels.len(), voltages.columns), (15, 5));
    assert!(voltages.panels.iter().all(|panel| panel.lines.len() == 10));
    assert_eq!(voltages.title, "voltages of layer r, spikes drawn up to 5");
}

#[test]
fn every_spike_is_in_both_pictures() {
    let recorded = recorded(2, 5000, 3, 100);
    let figures = all(&recorded);
    let at = |points: &[(f64, f64)], keep: &dyn Fn(f64) -> bool| -> Vec<usize> {
        points.iter().filter(|point| keep(point.1)).map(|point| (point.0 / 0.1).round() as usize).collect()
    };
    for sample in 0..2 {
        for neuron in 0..3 {
            let expected: Vec<_> = (0..5000).filter(|step| step % (100 + neuron) == 99 + neuron).collect();
            let line = &get(&figures, "voltages").panels[sample].lines[neuron];
            assert!(line.points.len() < 1000, "thinned");
            assert_eq!(at(&line.points, &|height| height == SPIKE_HEIGHT), expected);
            let dots = &get(&figures, "raster").panels[0].lines[sample].points;
            let row = (3 * (1 - sample) + neuron) as f64; // the first sample is on top
            assert_eq!(at(dots, &|height| height == row), expected);
        }
    }
}

#[test]
fn what_is_left_out_is_told() {
    let figures = all(&recorded(20, 400, 30, 50));
    assert!(get(&figures, "voltages").title.ends_with("to 5, first 15 of 20 samples, first 20 of 30 neurons"));
    assert!(get(&figures, "raster").title.ends_with("of layer r, first 6 of 20 samples"));

    let busy = all(&recorded(3, 2000, 300, 1)); // a spike at every step of the first neurons, and hardly fewer of the rest
    let raster = get(&busy, "raster");
    assert!(raster.title.contains(", first of 3 samples, first 200 of 300 neurons, 1 in "), "{}", raster.title);
    assert!(busy.iter().all(|(_, figure)| figure.svg().unwrap().len() < 1_000_000));
}

#[test]
fn networks_that_hardly_are_any_are_drawn() {
    for (samples, steps, neurons) in [(1, 1, 1), (1, 50, 1), (7, 1, 2), (1, 100, 400), (6, 30, 1)] {
        for period in [1, 1000] {
            let mut recorded = recorded(samples, steps, neurons, period);
            for value in [0.5, f64::NAN, f64::MAX] {
                recorded.v = recorded.v.full_like(value);
                for dt_ms in [0.1, 0.0, f64::NAN] {
                    recorded.dt_ms = dt_ms;
                    for (_, figure) in all(&recorded) {
                        figure.svg().unwrap();
                    }
                }
            }
        }
    }
    for (samples, steps, neurons) in [(0, 5, 2), (2, 0, 2), (2, 5, 0)] {
        assert_eq!(all(&recorded(samples, steps, neurons, 3)).len(), 1, "only training is left");
    }
    let odd = Recorded { v: Tensor::from(1.0), ..recorded(1, 1, 1, 1) };
    assert!(figures(&[], &[], &odd).unwrap_err().to_string().contains("recorded voltages and spikes of r"));
    let odd = Recorded { v: recorded(1, 2, 1, 1).v, ..recorded(1, 1, 1, 1) };
    assert!(matches!(figures(&[], &[], &odd), Err(Error::Shape { .. })));
}

#[test]
fn training_is_drawn_however_it_went() {
    let report = |loss, accuracy| Report { step: u64::MAX, loss, accuracy };
    for losses in [vec![], vec![0.5], vec![f64::NAN; 30_000], vec![1.0, 1e308, f64::INFINITY, f64::NAN, -1e308]] {
        for reports in [vec![], vec![report(f64::NAN, f64::NAN)], vec![report(0.5, 1e308), report(1.0, 0.5)]] {
            training(&losses, &reports).svg().unwrap();
        }
    }
    let figure = training(&[0.5], &[Report { step: 1, loss: 0.25, accuracy: 0.5 }]);
    assert_eq!(figure.title, "training, 1 update; at the last report loss 0.2500, accuracy 0.5000");
    assert_eq!(figure.panels[1].lines[0].points, [(1.0, 0.5)]);
    let figure = training(&[0.5], &[Report { step: 1, loss: 0.25, accuracy: f64::NAN }]);
    assert_eq!((figure.panels.len(), figure.title.as_str()), (1, "training, 1 update; at the last report loss 0.2500"));
}
