//! Leaves of a state as ranges of its numbers.

use std::ops::Range;

/// Those that lie among some numbers of a state, counted from where these begin. An empty one is nobody's.
pub(crate) fn leaves_within(leaves: &[Range<usize>], numbers: &Range<usize>) -> Vec<Range<usize>> {
    let own = leaves.iter().filter(|leaf| leaf.start >= numbers.start && leaf.end <= numbers.end && !leaf.is_empty());
    own.map(|leaf| leaf.start - numbers.start..leaf.end - numbers.start).collect()
}

/// Which of so many leaves of `n` numbers each these are; nothing if one of them is anything else.
pub(crate) fn whole_leaves(n: usize, count: usize, leaves: &[Range<usize>]) -> Option<Vec<usize>> {
    let which = |leaf: &Range<usize>| (0..count).find(|which| *leaf == (which * n..(which + 1) * n));
    leaves.iter().map(which).collect()
}

/// Numbers of all of them.
pub(crate) fn numbers_of(leaves: &[Range<usize>]) -> usize {
    leaves.iter().map(Range::len).sum()
}
