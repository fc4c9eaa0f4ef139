//! What serde says of a file, in the words of a file.

use bd_equations::nearest;

/// What values are called where serde names types of Rust.
const EXPECTED: [(&str, &str); 11] = [
    ("f64", "a number"),
    ("usize", "a whole number from 0 on"),
    ("a string", "a text in quotes"),
    ("a boolean", "true or false"),
    ("a sequence", "a list in square brackets"),
    ("a map", "a table"),
    ("internally tagged enum Connect", "a table with a rule, such as { rule = \"fixed_probability\", p = 0.1 },"),
    ("DelayText", "a time such as \"5*ms\", or a table such as { learned = \"5*ms\", most = \"10*ms\" },"),
    ("OneOrMore", "a text in quotes, or a list of such texts,"),
    ("PositionsText", "the name of a file in quotes, or a list of positions such as [[0.5, 1.0]],"),
    ("Value", "a number, or a text in quotes such as \"5*ms\","),
];

/// The message of serde in plain words; `more` are further keys that are known where it knows only some.
pub(crate) fn plain(message: &str, more: &[&'static str]) -> String {
    let message = message.trim();
    said(message, more).unwrap_or_else(|| message.to_owned())
}

fn said(message: &str, more: &[&'static str]) -> Option<String> {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (key, known) = listed(rest);
        return Some(format!("there is no key '{key}' here.{}", meant(key, known, more)));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (word, known) = listed(rest);
        return Some(format!("there is no '{word}' here.{}", meant(word, known, more)));
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        return Some(format!("'{}' is missing here", rest.trim_end_matches('`')));
    }
    if let Some(of) = message.strip_prefix("data did not match any variant of untagged enum ") {
        return Some(format!("{} is expected here", expected(of)?));
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, of) = rest.rsplit_once(", expected ")?;
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        _ if found == "map" => "a table".to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ => found.split_once('`').map_or(found, |(_, value)| value.trim_end_matches('`')).to_owned(),
    };
    Some(format!("{found} stands where {} is expected", expected(of)?.trim_end_matches(',')))
}

fn expected(of: &str) -> Option<&'static str> {
    EXPECTED.iter().find(|(name, _)| *name == of).map(|(_, words)| *words)
}

/// The word in front, and those in backticks behind it.
fn listed(rest: &str) -> (&str, Vec<&str>) {
    let mut words = rest.split('`').step_by(2);
    (words.next().unwrap_or(rest), words.collect())
}

fn meant(word: &str, mut known: Vec<&str>, more: &[&'static str]) -> String {
    known.extend(more);
    match nearest(word, known.iter().copied()) {
        nothing if nothing.is_empty() => format!(" There are {}", known.join(", ")),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as serde and toml write them.
    #[test]
    fn messages_are_plain() {
        for (message, words) in [
            (
                "unknown field `weigth`, expected one of `name`, `weight`",
                "there is no key 'weigth' here. Is 'weight' meant?",
            ),
            ("unknown field `x`, expected `autapses`", "there is no key 'x' here. There are autapses, n"),
            (
                "unknown variant `all`, expected one of `all_to_all`, `one`",
                "there is no 'all' here. Is 'all_to_all' meant?",
            ),
            ("missing field `n`", "'n' is missing here"),
            ("invalid type: string \"0.1\", expected f64", "the text \"0.1\" stands where a number is expected"),
            ("invalid value: integer `-3`, expected usize", "-3 stands where a whole number from 0 on is expected"),
            ("invalid type: map, expected a sequence", "a table stands where a list in square brackets is expected"),
            ("invalid type: integer `3`, expected something new", "invalid type: integer `3`, expected something new"),
        ] {
            assert_eq!(plain(message, &["n"]), words);
        }
    }
}
