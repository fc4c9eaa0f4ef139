//! Rows for results: a row is free for another result once its last reader is done.

use std::sync::Arc;

use super::lower::Lowered;
use super::{Instruction, Program, Row};

/// Where a result is read for the last time: after everything.
const END: usize = usize::MAX;

/// `replaced`: for each result the input whose row it takes.
pub(super) fn allocate(lowered: Lowered, replaced: &[Option<usize>]) -> Program {
    let Lowered { inputs, mut instructions, results } = lowered;
    let n_values = inputs + instructions.len();
    let mut last = vec![0; n_values];
    for (i, instruction) in instructions.iter_mut().enumerate() {
        instruction.reads().for_each(|row| last[usize::from(*row)] = i);
    }
    // Inputs stay, unless a result replaces them; results stay.
    let replaced_by = |input: usize| replaced.iter().position(|place| *place == Some(input));
    (0..inputs).filter(|input| replaced_by(*input).is_none()).for_each(|input| last[input] = END);
    results.iter().for_each(|row| last[usize::from(*row)] = END);

    let mut places: Vec<Row> = (0..inputs as Row).collect();
    let (mut free, mut rows): (Vec<Row>, Row) = (Vec::new(), inputs as Row);
    let mut done = Vec::with_capacity(instructions.len());
    // Rows of results that could not be where they belong when they were made: they are moved at the end.
    let wanted = |value: usize| {
        results.iter().zip(replaced).filter(|(row, _)| usize::from(**row) == value).find_map(|(_, input)| *input)
    };
    for (i, mut instruction) in instructions.into_iter().enumerate() {
        let value = inputs + i;
        let mut read: Vec<usize> = instruction.reads().map(|row| usize::from(*row)).collect();
        read.sort_unstable();
        read.dedup();
        instruction.reads().for_each(|row| *row = places[usize::from(*row)]);
        // Loops read a number before they write to its place.
        free.extend(read.into_iter().filter(|value| *value >= inputs && last[*value] == i).map(|value| places[value]));
        let own = wanted(value).filter(|input| last[*input] <= i).map(|input| input as Row);
        let place = own.or_else(|| free.pop()).unwrap_or_else(|| {
            rows += 1;
            rows - 1
        });
        places.push(place);
        done.push((place, instruction));
    }
    let mut ends: Vec<Row> = results.iter().map(|row| places[usize::from(*row)]).collect();
    let mut moves: Vec<(usize, Row)> = Vec::new();
    for (which, input) in replaced.iter().enumerate() {
        if let Some(input) = input.filter(|input| ends[which] != *input as Row) {
            moves.push((which, input as Row));
        }
    }
    // A row that the move of another result writes is saved first.
    for (which, end) in ends.iter_mut().enumerate() {
        if moves.iter().any(|(other, to)| *other != which && to == end) {
            done.push((rows, copy(*end)));
            *end = rows;
            rows += 1;
        }
    }
    for (which, to) in moves {
        done.push((to, copy(ends[which])));
        ends[which] = to;
    }
    let stored = ends.iter().zip(replaced).filter(|(_, input)| input.is_none()).map(|(row, _)| *row).collect();
    Program {
        instructions: done,
        inputs,
        rows: rows.into(),
        results: ends,
        stored,
        compiled: None,
        loaded: Arc::default(),
    }
}

fn copy(a: Row) -> Instruction {
    Instruction::Affine { a, k: 1.0, l: 0.0 }
}
