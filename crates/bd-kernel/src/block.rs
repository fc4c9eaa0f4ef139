//! [`Block`]: numbers that begin where a line of the cache does.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::Real;
use super::huge::prefer_huge_pages;

/// A line of the cache, and the longest vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers that begin where a line of the cache does: a vector then lies in one line and not across two, of which each takes
/// its time. Memory from an allocator is aligned to 16 bytes only, and that of large blocks never to more.
#[derive(Clone)]
pub struct Block<F> {
    lines: Vec<Line>,
    len: usize,
    numbers: PhantomData<F>,
}

impl<F> Default for Block<F> {
    fn default() -> Self {
        Self { lines: Vec::new(), len: 0, numbers: PhantomData }
    }
}

impl<F: Real> Block<F> {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let mut block = Self::default();
        block.resize(len);
        block
    }

    /// Makes it so long. What is new is zero, what was there stays.
    pub fn resize(&mut self, len: usize) {
        let old = self.len.min(len);
        let bytes = len.checked_mul(size_of::<F>()).expect("a block that memory can hold");
        let lines = bytes.div_ceil(size_of::<Line>());
        if lines > self.lines.capacity() {
            self.lines.reserve_exact(lines - self.lines.len());
            prefer_huge_pages(self.lines.spare_capacity_mut());
        }
        self.lines.resize(lines, Line([0; 64]));
        self.len = len;
        // New lines are zero; what is left of the last old one may be anything.
        if old < len {
            let in_a_line = size_of::<Line>() / size_of::<F>();
            self[old..len.min(old.next_multiple_of(in_a_line))].fill(F::default());
        }
    }
}

impl<F: Real> From<&[F]> for Block<F> {
    fn from(numbers: &[F]) -> Self {
        let mut block = Self::zeros(numbers.len());
        block.copy_from_slice(numbers);
        block
    }
}

impl<F: Real> FromIterator<F> for Block<F> {
    fn from_iter<I: IntoIterator<Item = F>>(numbers: I) -> Self {
        Self::from(numbers.into_iter().collect::<Vec<_>>().as_slice())
    }
}

impl<F: Real> Deref for Block<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        // SAFETY: the lines hold so many numbers, of a type all of whose bits are numbers; they are aligned to more than that wants.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<F: Real> DerefMut for Block<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        // SAFETY: as above; alone by the borrow.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<F: Real> Debug for Block<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_at_a_line_and_grows_by_zeros() {
        let mut block = Block::from([1.0f32, 2.0, 3.0].as_slice());
        assert_eq!(block.as_ptr() as usize % 64, 0);
        block.resize(2);
        block.resize(40);
        assert_eq!(block.as_ptr() as usize % 64, 0);
        assert_eq!((&block[..3], block[3..].iter().sum::<f32>(), block.len()), (&[1.0, 2.0, 0.0][..], 0.0, 40));
        assert_eq!(*(0..3).map(f64::from).collect::<Block<f64>>(), [0.0, 1.0, 2.0]);
        assert!(Block::<f64>::default().is_empty());
    }
}
