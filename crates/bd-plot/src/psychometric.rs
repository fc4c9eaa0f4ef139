//! Choices by the strength of the evidence.

use crate::{Figure, Line, Mark, Panel};

/// Choices at one strength of the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// How strongly the evidence speaks for the choice.
    pub evidence: f64,
    /// The share of the choice, from 0 to 1.
    pub share: f64,
    /// Least and greatest share of its interval of confidence.
    pub interval: [f64; 2],
}

/// Choices by one kind of evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve<'a> {
    /// What the evidence is, with its unit.
    pub evidence: &'a str,
    /// By rising evidence.
    pub points: Vec<Point>,
}

/// Psychometric functions, a panel for each kind of evidence: a disc for each share with its interval as a line upwards, and a thin line at one half.
/// `choice` is what the shares are of.
pub fn figure(title: &str, choice: &str, curves: &[Curve<'_>]) -> Figure {
    let several = curves.len() > 1;
    let panel = |curve: &Curve<'_>| Panel {
        title: several.then(|| curve.evidence.to_owned()),
        y_label: format!("share of {choice}"),
        lines: lines(&curve.points),
        y_range: Some(-0.05..1.05),
        rules: vec![0.5],
        ..Panel::default()
    };
    let x_label = match curves {
        [curve] => curve.evidence.to_owned(),
        _ => format!("evidence for {choice}"),
    };
    Figure {
        title: title.into(),
        x_label,
        panels: curves.iter().map(panel).collect(),
        columns: curves.len().max(1),
        key: ["share", "95 % interval"].map(str::to_owned).to_vec(),
        ..Figure::default()
    }
}

fn lines(points: &[Point]) -> Vec<Line> {
    let gap = (f64::NAN, f64::NAN);
    let interval = |point: &Point| [(point.evidence, point.interval[0]), (point.evidence, point.interval[1]), gap];
    let intervals = points.iter().filter(|point| !point.share.is_nan()).flat_map(interval).collect();
    let shares = points.iter().map(|point| (point.evidence, point.share)).collect();
    vec![
        Line { label: None, points: shares, mark: Mark::LineAndDots },
        Line { label: None, points: intervals, mark: Mark::Line },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(evidence: f64, share: f64) -> Point {
        Point { evidence, share, interval: [share - 0.1, share + 0.1] }
    }

    #[test]
    fn each_share_has_its_interval_and_each_evidence_its_panel() {
        let points = vec![point(-5.0, 0.25), point(0.0, f64::NAN), point(5.0, 0.75)];
        let curve = Curve { evidence: "coherence (%)", points };
        let figure_of = |curves: &[Curve<'_>]| figure("choices", "choice 1", curves);
        let one = figure_of(std::slice::from_ref(&curve));
        let [shares, intervals] = &one.panels[0].lines[..] else { panic!("two lines") };
        assert_eq!((shares.points[0], shares.points[2]), ((-5.0, 0.25), (5.0, 0.75)));
        assert_eq!(intervals.points.len(), 6, "a level without choices has no interval");
        assert_eq!((intervals.points[0], intervals.points[1]), ((-5.0, 0.15), (-5.0, 0.35)));
        assert_eq!((one.x_label.as_str(), one.panels[0].title.as_deref()), ("coherence (%)", None));
        let two = figure_of(&[curve.clone(), Curve { evidence: "the other", ..curve }]);
        assert_eq!((two.columns, two.x_label.as_str()), (2, "evidence for choice 1"));
        assert_eq!(two.panels[1].title.as_deref(), Some("the other"));
        for figure in [one, two, figure_of(&[])] {
            figure.to_svg().unwrap();
        }
    }

    #[test]
    fn odd_numbers_do_not_stop_it() {
        let odd = [f64::NAN, f64::INFINITY, -1e308, 1e308];
        let points = odd.iter().flat_map(|a| odd.map(|b| point(*a, b))).collect();
        figure("choices", "choice 1", &[Curve { evidence: "x", points }]).to_svg().unwrap();
    }
}
