//! What a page must be: well nested, in order for who hears it, whole without network or script, readable in light and dark.

use std::collections::BTreeSet;

/// Elements without an end.
const VOID: [&str; 2] = ["meta", "br"];
/// Least contrast of words (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;
/// Colours of words, and what is behind them.
const PAIRS: [(&str, &str); 13] = [
    ("text", "page"),
    ("quiet", "page"),
    ("link", "page"),
    ("good", "page"),
    ("bad", "page"),
    ("wait", "page"),
    ("text", "stripe"),
    ("link", "stripe"),
    ("text", "mark"),
    ("link", "mark"),
    ("quiet", "stripe"),
    ("good", "stripe"),
    ("bad", "stripe"),
];

/// A tag with its attributes.
pub(crate) struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    is_end: bool,
    is_closed: bool,
    /// The words behind it, up to the next tag.
    words: &'a str,
}

impl<'a> Tag<'a> {
    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Fails with what is wrong.
#[track_caller]
pub(crate) fn check(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", &html[..html.len().min(80)]);
    assert!(html.len() < 500_000, "{} bytes", html.len());
    let tags = tags(html);
    check_nesting(&tags);
    check_headings(&tags);
    check_figures(&tags);
    check_links(&tags);
    for foreign in
        ["<script", "<link", "<img", "<iframe", "url(", "http:", "https:", "@import", "javascript:", " src=", " onload"]
    {
        let html = html.replace("http-equiv", "");
        let within_words = tags.iter().any(|tag| tag.words.contains(foreign));
        assert!(within_words || !html.contains(foreign), "there is {foreign}");
    }
    for dark in [false, true] {
        check_contrast(html, dark);
    }
}

/// All tags in their order.
pub(crate) fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut rest = html.split_once('>').expect("a document type").1;
    while let Some((_, tail)) = rest.split_once('<') {
        let (inside, behind) = tail.split_once('>').expect("a tag ends");
        let words = behind.split('<').next().unwrap_or_default();
        let is_end = inside.starts_with('/');
        let inside = inside.trim_start_matches('/');
        let (name, attributes) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        let is_closed = inside.ends_with('/');
        found.push(Tag { name: name.trim_end_matches('/'), attributes: pairs(attributes), is_end, is_closed, words });
        rest = behind;
    }
    found
}

fn pairs(mut text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (value, rest) = rest.split_once('"').expect("an attribute ends");
        found.push((name.trim(), value));
        text = rest;
    }
    assert!(text.trim().trim_end_matches('/').is_empty(), "attributes without quotes: {text}");
    found
}

fn check_nesting(tags: &[Tag<'_>]) {
    let mut open = Vec::new();
    for tag in tags.iter().filter(|tag| !tag.is_closed && !VOID.contains(&tag.name)) {
        match tag.is_end {
            false => open.push(tag.name),
            true => assert_eq!(open.pop(), Some(tag.name), "what ends is what began last"),
        }
    }
    assert!(open.is_empty(), "{open:?} do not end");
}

/// One heading of the first level, and none that leaves out a level.
fn check_headings(tags: &[Tag<'_>]) {
    let level = |tag: &Tag<'_>| tag.name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok());
    let levels: Vec<usize> = tags.iter().filter(|tag| !tag.is_end).filter_map(level).collect();
    assert_eq!((levels.first(), levels.iter().filter(|level| **level == 1).count()), (Some(&1), 1));
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

/// Each picture is said in words, and each table has some above it.
fn check_figures(tags: &[Tag<'_>]) {
    let starts = |name: &'static str| tags.iter().filter(move |tag| tag.name == name && !tag.is_end);
    for picture in starts("svg") {
        let words = picture.attribute("aria-label").unwrap_or_default();
        assert!(
            picture.attribute("role") == Some("img") && words.chars().count() > 30,
            "a picture is said as {words:?}"
        );
    }
    assert_eq!(starts("figure").count(), starts("figcaption").count());
    assert_eq!(starts("svg").count(), starts("figure").count());
    assert_eq!(starts("table").count(), starts("caption").count());
    for name in ["figcaption", "span", "th", "summary", "title"] {
        assert!(starts(name).all(|tag| !tag.words.trim().is_empty()), "an empty {name}");
    }
}

/// Names of places are there once, and links lead to them.
fn check_links(tags: &[Tag<'_>]) {
    let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.attribute("id")).collect();
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "{ids:?}");
    for link in tags.iter().filter_map(|tag| tag.attribute("href")) {
        assert!(link.strip_prefix('#').is_some_and(|id| known.contains(id)), "{link} leads nowhere");
    }
    for label in tags.iter().filter_map(|tag| tag.attribute("aria-labelledby")) {
        assert!(known.contains(label), "nothing is {label}");
    }
}

fn check_contrast(html: &str, dark: bool) {
    let scheme = match dark {
        true => html.split("(prefers-color-scheme: dark)").nth(1).expect("a dark scheme"),
        false => html,
    };
    let colour = |name: &str| {
        let value = scheme.split(&format!("--{name}: #")).nth(1).unwrap_or_else(|| panic!("no colour {name}"));
        u32::from_str_radix(&value[..6], 16).unwrap()
    };
    for (words, behind) in PAIRS {
        let found = contrast(colour(words), colour(behind));
        assert!(found >= LEAST_CONTRAST, "{words} on {behind}, dark {dark}: {found:.2}");
    }
}

/// Of two colours (WCAG 2.2, "contrast ratio" and "relative luminance").
pub(crate) fn contrast(a: u32, b: u32) -> f64 {
    let luminance = |colour: u32| {
        let [_, r, g, b] = colour.to_be_bytes().map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
