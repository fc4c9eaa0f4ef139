use super::*;
use crate::{Error, Line, Mark, Panel, confusion};

fn figure(points: Vec<(f64, f64)>, mark: Mark) -> Figure {
    let lines = vec![Line { label: Some("a & b".into()), points, mark }];
    let panel = Panel { y_label: "<script>".into(), lines, ..Panel::default() };
    Figure { title: "x < y".into(), x_label: "time".into(), panels: vec![panel], ..Figure::default() }
}

#[test]
fn words_are_read_as_they_were_and_written_escaped() {
    let drawing = Drawing::of(&figure(vec![(0.0, 0.0), (1.0, 1.0)], Mark::Line)).unwrap();
    assert_eq!(drawing.title(), "x < y");
    let words: Vec<&str> = drawing.words().collect();
    assert!(words.contains(&"<script>") && words.contains(&"a & b"), "{words:?}");
    let inline = drawing.inline("\"quoted\" <b>", 1.0);
    assert!(inline.contains("aria-label=\"&quot;quoted&quot; &lt;b&gt;\""), "{inline}");
    assert!(inline.contains(">&lt;script&gt;</text>") && !inline.contains("<script"), "{inline}");
}

/// Every kind of figure is read: marks, cells, grids, words upright.
#[test]
fn whatever_this_crate_draws_is_read() {
    let points: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), (f64::from(i) * 0.3).sin())).collect();
    let marks = [Mark::Line, Mark::Wide, Mark::Dashed, Mark::Hair, Mark::Dots(5), Mark::LineAndDots];
    for mark in marks {
        Drawing::of(&figure(points.clone(), mark)).unwrap();
    }
    let names: Vec<String> = (0..20).map(|i| format!("a class of number {i}")).collect();
    let counts: Vec<Vec<i64>> = (0..20).map(|i| (0..20).map(|j| i * j).collect()).collect();
    let drawing = Drawing::of(&confusion::figure("matrix", &names, &counts).unwrap()).unwrap();
    assert!(drawing.words().any(|words| words == "361"), "19 times 19");
    Drawing::of(&Figure::default()).unwrap();
}

#[test]
fn what_is_not_drawn_here_is_refused() {
    let svg = figure(vec![(0.0, 0.0), (1.0, 1.0)], Mark::Line).to_svg().unwrap();
    let of = |changed: String| match Drawing::read(&changed) {
        Err(Error::Foreign(why)) => why,
        other => panic!("{other:?}"),
    };
    let with = |element: &str| of(svg.replace("</svg>", &format!("{element}</svg>")));
    assert_eq!(with("<script>alert(1)</script>"), "there is <script>");
    assert_eq!(with("<image href=\"http://x\"/>"), "there is <image>");
    assert_eq!(
        with("<rect x=\"0\" y=\"0\" width=\"1\" height=\"1\" opacity=\"1\" onload=\"f()\"/>"),
        "<rect> has onload"
    );
    assert_eq!(with("<a href=\"x\">"), "there is <a>");
    assert_eq!(with("words"), "there are words outside of its elements");
    assert_eq!(of(svg.replace("#000000", "url(http://x)")), "a colour is not #RRGGBB");
    assert_eq!(of(svg.replace("x=\"12\"", "x=\"NaN\"")), "NaN is no number of a picture");
    assert_eq!(of(svg.replace("</svg>", "")), "there are words outside of its elements");
    assert_eq!(of("PNG".into()), "there are words outside of its elements");
    assert_eq!(of("<html>".into()), "there is <html>");
    assert_eq!(of(svg[..svg.len() / 2].to_owned() + "<"), "an element does not end");
}

/// 20,000 points of a line, and 2,000 discs: each is one path, in about a sixth of the characters.
#[test]
fn strokes_and_discs_of_one_style_are_one_path() {
    let wave: Vec<(f64, f64)> = (0..20_000).map(|i| (f64::from(i), (f64::from(i) * 0.01).sin())).collect();
    let dots = wave.iter().copied().step_by(10).collect();
    for (figure, mark) in [(figure(wave, Mark::Dashed), "dashes"), (figure(dots, Mark::Dots(2)), "discs")] {
        let svg = figure.to_svg().unwrap();
        let inline = Drawing::read(&svg).unwrap().inline("", 1.0);
        assert!(inline.len() < svg.len() / 4, "{mark}: {} of {}", inline.len(), svg.len());
        assert!(inline.matches("<path").count() < 20, "{mark}");
    }
}

/// A line along the pixels 0, 10, 20 with one point 5 above: within 5 it is left out, and above that kept.
#[test]
fn points_near_the_line_without_them_are_left_out() {
    let svg = |points: &str| {
        let line = format!(
            "<polyline fill=\"none\" opacity=\"0.5\" stroke=\"#0072B2\" stroke-width=\"2\" points=\"{points}\"/>"
        );
        Drawing::read(&format!("<svg viewBox=\"0 0 20 10\">{line}</svg>")).unwrap()
    };
    let path = |data: &str| {
        format!("<path fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\" opacity=\"0.5\" d=\"{data}\"/></svg>")
    };
    let drawing = svg("1,5 10,0 19,5");
    assert!(drawing.inline("", 5.0).ends_with(&path("m1 5h18")), "{}", drawing.inline("", 5.0));
    assert!(drawing.inline("", 4.9).ends_with(&path("m1 5l9-5 9 5")), "{}", drawing.inline("", 4.9));
}
