//! One text, two programs: Brian2 2.9.0 was fed with the texts of the zoo by `scripts/golden-brian2`.

use bd_equations::{Method, zoo};
use bd_kernel::Num;
use serde::Deserialize;

/// A run of 2,000 steps of 0.1 ms, with an input of `3 (37 k mod 101) / 100` in step `k`.
#[derive(Debug, Deserialize)]
struct Record {
    name: String,
    method: Method,
    /// Steps with spikes.
    spikes: Vec<usize>,
    /// Variables after every 200th step.
    rows: Vec<Vec<f64>>,
}

/// Spikes are equal, and variables to 1e-9 of their size. Both solve linear equations exactly by other formulas, and Brian2
/// sums the stages of a method in another order, so that the last digits differ and grow on the way.
#[test]
fn the_same_text_gives_the_same_spikes_and_states() {
    let records: Vec<Record> = serde_json::from_str(include_str!("brian2.json")).unwrap();
    assert!(records.len() > 70 && records.iter().map(|record| record.spikes.len()).sum::<usize>() > 500);
    let mut wrong = Vec::new();
    for Record { name, method, spikes, rows } in records {
        let mut text = zoo::text(&name).unwrap();
        text.method = Some(method);
        let model = match text.build() {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name} {method:?}: {error}"));
                continue;
            }
        };
        let constants = model.constants(0.1).unwrap();
        let mut s: Vec<f64> = model.states().iter().map(|state| state.initial.value(|_| 0.0)).collect();
        let (mut fired, mut worst) = (Vec::new(), 0.0f64);
        for k in 0..2000 {
            let x = vec![3.0 * ((37 * k) % 101) as f64 / 100.0; model.ports().len()];
            let (y, next) = model.step(&constants, &x, &s, Num::heaviside);
            s = next;
            if model.spikes() && y == 1.0 {
                fired.push(k);
            }
            if (k + 1) % 200 == 0 {
                let pairs = rows[(k + 1) / 200 - 1].iter().zip(&s);
                worst = pairs.map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(worst, f64::max);
            }
        }
        // At the edge of its stability, where differences of rounding grow.
        let at_the_edge = name == "wang_buzsaki" && method == Method::Rk2;
        if fired != spikes || worst > if at_the_edge { 1e-5 } else { 1e-9 } {
            let first = fired.iter().zip(&spikes).position(|(a, b)| a != b);
            wrong.push(format!(
                "{name} {method:?}: {} and {} spikes, the first other one {first:?}, states by {worst:.1e}",
                fired.len(),
                spikes.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
