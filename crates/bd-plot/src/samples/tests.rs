use super::*;

const COMMON: Common<'_> = Common { time_label: "step", dt: 0.5, channels: 2, outputs: 2, classes: &[] };

/// Of two steps.
fn sample(channels: usize) -> Sample {
    let rows = |value: f64| vec![vec![value, -value]; channels];
    let inputs = Inputs::Numbers(rows(1.0));
    Sample { title: "a sample".into(), inputs, targets: rows(2.0), outputs: rows(3.0) }
}

fn without_series(inputs: Inputs) -> Sample {
    Sample { inputs, targets: Vec::new(), outputs: Vec::new(), ..sample(1) }
}

#[test]
fn points_are_steps_apart_and_the_legend_stands_once() {
    let figure = figure("task", &COMMON, &vec![sample(2); 2]);
    assert_eq!((figure.title.as_str(), figure.x_label.as_str(), figure.columns), ("task", "step", 1));
    assert_eq!(figure.panels.len(), 4);
    assert_eq!(figure.panels[2].title.as_deref(), Some("a sample"));
    assert_eq!(figure.panels[0].lines[1].points, [(0.0, 1.0), (0.5, -1.0)]);
    assert_eq!(figure.panels[1].lines[2].points, [(0.0, 3.0), (0.5, -3.0)]);
    let labels = figure.panels.iter().flat_map(|panel| &panel.lines).filter_map(|line| line.label.as_deref());
    assert_eq!(labels.collect::<Vec<_>>(), ["input", "target", "output"]);
}

#[test]
fn no_more_is_drawn_than_can_be_told_apart_and_the_title_says_so() {
    let common = Common { channels: 64, outputs: 9, ..COMMON };
    let series = figure("task", &common, &vec![sample(9); 5]);
    assert_eq!(series.panels.len(), 2 * MOST_SAMPLES);
    assert_eq!((series.panels[0].lines.len(), series.panels[1].lines.len()), (9, 2 * MOST_OUTPUTS));
    assert_eq!(series.title, "task; first 12 of 64 channels; first 6 of 9 outputs");
    let inputs = without_series(Inputs::Numbers(vec![vec![1.0; 3]; 64]));
    let inputs = figure("task", &common, &vec![inputs; 20]);
    assert_eq!((inputs.panels.len(), inputs.panels[0].lines.len()), (MOST_PANELS, MOST_CHANNELS));
    assert_eq!((inputs.title.as_str(), inputs.columns), ("task; first 12 of 64 channels", 3));
}

#[test]
fn channels_are_named_where_each_has_a_colour() {
    let key = |channels: usize| {
        let sample = without_series(Inputs::Numbers(vec![vec![1.0; 3]; channels]));
        figure("", &Common { channels, ..COMMON }, &[sample]).key
    };
    assert_eq!(key(2), ["channel 0", "channel 1"]);
    assert_eq!([1, 6, 7].map(|channels| key(channels).len()), [0, 6, 0]);
    assert!(figure("", &COMMON, &[sample(2)]).key.is_empty(), "colours of outputs are others");
}

/// The axis is as long as the longest sample, and each line ends where its sample does.
#[test]
fn a_sample_ends_at_its_own_length() {
    let of = |steps| without_series(Inputs::Numbers(vec![vec![1.0; steps]]));
    let figure = figure("", &COMMON, &[of(3), of(7)]);
    let ends = figure.panels.iter().map(|panel| panel.lines[0].points.last().unwrap().0).collect::<Vec<_>>();
    assert_eq!((ends, figure.x_range), (vec![1.0, 3.0], Some(0.0..3.0)));
}

#[test]
fn spikes_are_dots_at_their_step_and_channel() {
    let common = Common { channels: 300, ..COMMON };
    let spikes = without_series(Inputs::Spikes { steps: 8, spikes: vec![(0, 3), (6, 199), (7, 200)] });
    let figure = figure("spikes", &common, &[spikes]);
    let panel = &figure.panels[0];
    assert_eq!(panel.lines[0].points, [(0.0, 3.0), (3.0, 199.0)]);
    assert_eq!((panel.y_range.clone(), figure.x_range), (Some(-1.0..200.0), Some(0.0..4.0)));
    assert_eq!(figure.title, "spikes; first 200 of 300 channels");
}

#[test]
fn classes_of_steps_have_their_names_at_their_heights() {
    let names = ["rest", "a slow movement to the left"].map(str::to_owned);
    let common = Common { classes: &names, ..COMMON };
    let figure = figure("", &common, &[sample(1)]);
    let panel = &figure.panels[1];
    assert_eq!(panel.y_ticks.as_ref().unwrap()[..], [(0.0, "rest".to_owned()), (1.0, "a slow m…he left".to_owned())]);
    assert_eq!((panel.y_range.clone(), panel.y_label.as_str()), (Some(-0.5..1.5), "class"));
    // A class is that of a whole step.
    assert_eq!(panel.lines[0].points, [(0.0, 2.0), (0.5, 2.0), (0.5, -2.0), (1.0, -2.0)]);
    assert_eq!(
        (&figure.panels[0].lines[0].points[..], figure.x_range),
        (&[(0.0, 1.0), (0.5, -1.0)][..], Some(0.0..1.0))
    );
}

#[test]
fn samples_of_any_kind_are_drawn() {
    assert!(figure("task", &COMMON, &[]).panels.is_empty());
    for value in [0.0, f64::NAN, f64::INFINITY, 1e308] {
        for inputs in [
            Inputs::Numbers(vec![]),
            Inputs::Numbers(vec![vec![]]),
            Inputs::Numbers(vec![vec![value; 3]]),
            Inputs::Spikes { steps: 0, spikes: vec![] },
        ] {
            let common = Common { dt: value, ..COMMON };
            figure("", &common, &[without_series(inputs.clone())]).to_svg().unwrap();
            let sample = Sample { inputs, targets: vec![vec![value]], ..sample(1) };
            figure("", &common, &[sample]).to_png().unwrap();
        }
    }
}
