//! Texts of networks with random changes: an error or a network, and never a panic.

use bd_kernel::Rng;
use bd_kernel::testing::cases;
use bd_networks::{Network, Position};

/// A network that has each part of a text.
const NETWORK: &str = r#"dt_ms = 0.1
[population.E]
n = 20
equations = """
dv/dt = (ge - v) / tau : volt (unless refractory)
dge/dt = -ge / tau_e : volt
"""
threshold = "v > 10*mV"
reset = "v = 0*mV"
refractory = "5*ms"
surrogate_scale = "10*mV"
constants = { tau = "20*ms", tau_e = "5*ms" }
initial = { v = "10*mV*rand()" }
[population.I]
n = 5
like = "E"
drive = { v = "0.1*mV*randn()" }
[population.in]
n = 3
kind = "poisson"
rate = "100*Hz"
[population.file]
n = 4
kind = "input"
file = "spikes.npz"
[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.2, autapses = false }
weight = "1*mV + 0.1*mV*randn()"
delay = "1.5*ms"
[[projection]]
name = "listed"
from = "file"
to = "E.ge"
connect = { rule = "from_file", file = "edges.csv" }
weight = "1*mV"
delay = { learned = "2*ms*rand()", most = "3*ms", spread = "1*ms", halves_in = 50, rate = 2 }
[[background]]
to = "I.ge"
rate = "1*kHz"
weight = "0.1*mV"
[record]
spikes = ["E"]
traces = { "E.v" = [0, 19] }
"#;

const PIECES: [&str; 22] = [
    "\"",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "-1",
    "1e400",
    "9999999999999",
    "nan",
    "E.",
    "*mV",
    "true",
    "ä",
    "\u{1F9E0}",
    "like = \"I\"\n",
];

fn below(noise: &mut Rng, n: usize) -> usize {
    (noise.bits() % n.max(1) as u64) as usize
}

/// A place between two characters.
fn place(noise: &mut Rng, text: &str) -> usize {
    let at = below(noise, text.len() + 1);
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// With something put in, taken out or doubled; or a word in the place of another.
fn changed(noise: &mut Rng, text: &str) -> String {
    let (a, b) = (place(noise, text), place(noise, text));
    let (a, b) = (a.min(b), a.max(b));
    match below(noise, 5) {
        0 => format!("{}{}{}", &text[..a], PIECES[below(noise, PIECES.len())], &text[a..]),
        1 => format!("{}{}", &text[..a], text[a..].chars().skip(1 + below(noise, 8)).collect::<String>()),
        2 => format!("{}{}{}", &text[..b], &text[a..b], &text[b..]),
        _ => {
            let words: Vec<&str> =
                text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
            let (from, to) = (words[below(noise, words.len())], words[below(noise, words.len())]);
            let places: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
            let at = places[below(noise, places.len())];
            format!("{}{to}{}", &text[..at], &text[at + from.len()..])
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    Network::parse(NETWORK).unwrap();
    let mut noise = Rng::new(11, "fuzz");
    let (mut built, mut refused, mut placed) = (0, 0, 0);
    for _ in cases(4000) {
        let mut text = NETWORK.to_owned();
        for _ in 0..=below(&mut noise, 3) {
            text = changed(&mut noise, &text);
        }
        match Network::parse(&text) {
            Ok(_) => built += 1,
            Err(error) => {
                assert!(!error.message.is_empty() && !error.part.is_empty());
                refused += 1;
                let Some(Position { line, column }) = error.position else { continue };
                placed += 1;
                // There is such a place: at most one behind the last character of a line, or the line behind the last.
                let of_line = text.split('\n').nth(line - 1).map_or(0, |line| line.chars().count());
                assert!(column <= of_line + 2, "line {line}, column {column}: {error}\n{text}");
            }
        }
    }
    println!("{built} texts of networks were built, {refused} refused");
    assert!(built > 50 && refused > 1000, "{built} were built and {refused} refused");
    assert!(placed * 100 >= refused * 98, "{placed} of {refused} errors have a place");
}
