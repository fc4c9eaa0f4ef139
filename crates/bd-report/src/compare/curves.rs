//! The losses of several runs in one figure.

use bd_core::text::short;
use bd_plot::{Drawing, Figure, Line, Mark, Panel, Scale, shorten, thin_to};
use bd_run::record::Record;

/// Curves with a colour of their own.
const MOST_NAMED: usize = 6;
/// Curves in all.
const MOST_CURVES: usize = 40;
/// Stretches of a curve.
const STRETCHES: usize = 300;

/// A curve with the name of its run.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// All curves in one drawing, with what is said in its place and below it; `None` of runs that have none.
///
/// They are those of the validation part where every run that has any curve has one, else those of what is learned.
pub(super) fn of(records: &[Record]) -> Option<(Drawing, String, String)> {
    let of_training: Vec<Curve> = curves(records, |record| record.losses(1));
    let of_validation: Vec<Curve> = curves(records, |record| record.validation_losses(1));
    let is_validation =
        of_validation.len() == of_training.len() && of_validation.iter().any(|curve| curve.points.len() > 1);
    let (what, mut curves) = if is_validation { ("validation part", of_validation) } else { ("training", of_training) };
    if curves.len() < 2 {
        return None;
    }
    let last = |curve: &Curve| curve.points.last().map_or(f64::INFINITY, |point| point.1);
    curves.sort_by(|a, b| last(a).total_cmp(&last(b)));
    let all = curves.len();
    curves.truncate(MOST_CURVES);
    let ends: Vec<String> =
        curves.iter().take(MOST_NAMED).map(|curve| format!("{} {}", curve.name, short(last(curve)))).collect();
    let more = if all > MOST_NAMED {
        format!(" The other {} are thin lines without names.", all - MOST_NAMED)
    } else {
        String::new()
    };
    let label = format!(
        "Losses of the {what} of {all} runs by updates. At their ends, the least first: {}.{more}",
        ends.join(", ")
    );
    let caption = format!(
        "The loss of the {what} by updates, of the first network of each run; the key begins with the least at the end.{more}"
    );
    let figure = Figure {
        title: format!("loss of the {what}, {all} runs"),
        x_label: "update".into(),
        panels: vec![panel(curves)],
        panel_height: 320,
        ..Figure::default()
    };
    Drawing::of(&figure).ok().map(|drawing| (drawing, label, caption))
}

fn curves(records: &[Record], of: impl Fn(&Record) -> Vec<(f64, f64)>) -> Vec<Curve> {
    let curve = |record: &Record| Curve { name: record.name(), points: of(record) };
    records.iter().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

fn panel(curves: Vec<Curve>) -> Panel {
    let line = |(i, curve): (usize, Curve)| Line {
        label: (i < MOST_NAMED).then(|| shorten(&curve.name, 30)),
        mark: match (i < MOST_NAMED, curve.points.len() <= 30) {
            (true, true) => Mark::LineAndDots,
            (true, false) => Mark::Line,
            (false, _) => Mark::Hair,
        },
        points: thin_to(STRETCHES, curve.points),
    };
    let lines = curves.into_iter().enumerate().map(line).collect();
    Panel { y_label: "loss".into(), y_scale: Scale::Log, lines, ..Panel::default() }
}
