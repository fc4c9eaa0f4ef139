//! Samples side by side: `W` numbers read, written and taken apart by loops that are sure to become a few vector instructions.

// Written with indices, and copies too: iterators or a call of memcpy sometimes stay calls and make the loop around them ten
// times slower.
#![allow(clippy::needless_range_loop, clippy::manual_memcpy)]

use super::Real;

#[inline(always)]
pub(crate) fn read<F: Real, const W: usize>(from: &[F], at: usize) -> [F; W] {
    let from: &[F; W] = from[at..at + W].try_into().expect("W numbers");
    let mut values = [F::default(); W];
    for l in 0..W {
        values[l] = from[l];
    }
    values
}

#[inline(always)]
pub(crate) fn write<F: Real, const W: usize>(to: &mut [F], at: usize, values: &[F; W]) {
    let to: &mut [F; W] = (&mut to[at..at + W]).try_into().expect("W numbers");
    for l in 0..W {
        to[l] = values[l];
    }
}

/// The first `count` numbers of state, which are `apart` from each other; the others are zero.
#[inline(always)]
pub(crate) fn read_all<F: Real, const W: usize, const S: usize>(
    from: &[F],
    at: usize,
    apart: usize,
    count: usize,
) -> [[F; W]; S] {
    let mut all = [[F::default(); W]; S];
    for j in 0..count {
        all[j] = read(from, at + j * apart);
    }
    all
}

/// The other way round.
#[inline(always)]
pub(crate) fn write_all<F: Real, const W: usize, const S: usize>(
    to: &mut [F],
    at: usize,
    apart: usize,
    all: &[[F; W]; S],
    count: usize,
) {
    for j in 0..count {
        write(to, at + j * apart, &all[j]);
    }
}

/// The numbers of one lane.
#[inline(always)]
pub(crate) fn lane<F: Real, const W: usize, const S: usize>(all: &[[F; W]; S], l: usize) -> [F; S] {
    let mut one = [F::default(); S];
    for j in 0..S {
        one[j] = all[j][l];
    }
    one
}
