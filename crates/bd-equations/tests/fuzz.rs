//! Texts of the zoo with random changes: an error or a model, and never a panic.

use bd_equations::{NeuronText, Value, zoo};
use bd_kernel::Num;
use bd_kernel::testing::{Noise, cases};

/// Pieces that are put in, and characters that are no ASCII.
const PIECES: [&str; 24] = [
    "(",
    ")",
    "**",
    "*",
    "/",
    "-",
    ":",
    "=",
    "\n",
    "#",
    ",",
    "1e400",
    "1e",
    ".",
    "not ",
    " and ",
    " or ",
    "dt",
    "mV",
    "exp(",
    "clip(",
    "ä",
    "\u{1F9E0}",
    "9999999999",
];

fn below(noise: &mut Noise, n: usize) -> usize {
    (noise.bits() % n.max(1) as u64) as usize
}

/// A place between two characters.
fn place(noise: &mut Noise, text: &str) -> usize {
    let at = below(noise, text.len() + 1);
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn changed(noise: &mut Noise, text: &str) -> String {
    let (a, b) = (place(noise, text), place(noise, text));
    let (a, b) = (a.min(b), a.max(b));
    match below(noise, 4) {
        0 => format!("{}{}{}", &text[..a], PIECES[below(noise, PIECES.len())], &text[a..]),
        1 => format!("{}{}", &text[..a], text[a..].chars().skip(1 + below(noise, 8)).collect::<String>()),
        2 => format!("{}{}{}", &text[..b], &text[a..b], &text[b..]),
        _ => format!(
            "{}{}{}",
            &text[..a],
            PIECES[below(noise, PIECES.len())],
            &text[a..].chars().skip(1).collect::<String>()
        ),
    }
}

#[test]
fn no_text_makes_it_panic() {
    let mut noise = Noise(7);
    let names: Vec<&str> = zoo::names().collect();
    let (mut built, mut refused) = (0, 0);
    for case in cases(6000) {
        let mut text = zoo::text(names[case % names.len()]).unwrap();
        for _ in 0..=below(&mut noise, 3) {
            match below(&mut noise, 6) {
                0 => text.threshold = text.threshold.map(|part| changed(&mut noise, &part)),
                1 => text.reset = text.reset.map(|part| changed(&mut noise, &part)),
                2 => text.output = text.output.map(|part| changed(&mut noise, &part)),
                3 => {
                    let tables = [&mut text.constants, &mut text.inputs, &mut text.initial];
                    let which = below(&mut noise, 3);
                    let Some(table) = tables.into_iter().nth(which) else { continue };
                    let at = below(&mut noise, table.len());
                    if let Some(Value::Text(part)) = table.values_mut().nth(at) {
                        *part = changed(&mut noise, part);
                    }
                }
                _ => text.equations = changed(&mut noise, &text.equations),
            }
        }
        let text = match case % 4 {
            // The file itself, too.
            0 => NeuronText::parse(&changed(&mut noise, &text.to_toml().unwrap())),
            _ => Ok(text),
        };
        // A time constant of 0, for example, is refused by `constants`.
        let with_constants = |text: NeuronText| {
            let model = text.build()?;
            Ok((model.constants(0.1)?, model))
        };
        match text.and_then(with_constants) {
            Err(error) => {
                assert!(!error.message.is_empty());
                refused += 1;
            }
            Ok((constants, model)) => {
                let states: Vec<f64> = model.states().iter().map(|state| state.initial.value(|_| 0.5)).collect();
                let held = model.held().iter().map(|held| held.initial.value(|_| 0.5));
                let s: Vec<f64> = states.into_iter().chain(held).collect();
                model.step(&constants, &vec![1.0; model.ports().len()], &s, Num::heaviside);
                built += 1;
            }
        }
    }
    println!("{built} texts of neurons were built, {refused} refused");
    assert!(built > 300 && refused > 3000, "{built} were built and {refused} refused");
}
