//! [`Lists`]: what is not zero of rows of numbers.

use super::bits::write_bits;
use super::outer::Series;
use super::{Bits, Cpu, Instructions, LANES, Loops, Real, vectorised};

/// Columns and values of the numbers that are not zero, row after row. Its memory is used again.
#[derive(Debug, Clone)]
pub struct Lists<F> {
    /// Where each row begins; one more than there are rows.
    starts: Vec<u32>,
    /// Longer than all rows together: what is behind them is room.
    columns: Vec<u32>,
    values: Vec<F>,
    /// Of one row, where it is not zero.
    bits: Vec<u8>,
}

impl<F> Default for Lists<F> {
    fn default() -> Self {
        Self { starts: vec![0], columns: Vec::new(), values: Vec::new(), bits: Vec::new() }
    }
}

/// For each byte its bits that are 1, in order.
const ONES: [[u8; 8]; 256] = {
    let mut ones = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut count, mut bit) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                ones[byte][count] = bit as u8;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    ones
};

impl<F: Real> Lists<F> {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Columns and values of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> (&[u32], &[F]) {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        (&self.columns[range.clone()], &self.values[range])
    }

    /// Whether all values are 1.
    pub(super) fn are_ones(&self) -> bool {
        let all = &self.values[..self.starts[self.rows()] as usize];
        all.iter().fold(true, |ones, value| ones & (*value == F::of(1.0)))
    }

    /// Those of `rows` rows, in the order of their rows.
    pub fn fill(&mut self, rows: usize, entries: impl Iterator<Item = (usize, u32, F)>) {
        self.starts.truncate(1);
        let mut count = 0;
        for (row, column, value) in entries {
            self.end_rows(row, count);
            self.make_room(count + 1);
            (self.columns[count], self.values[count]) = (column, value);
            count += 1;
        }
        self.end_rows(rows, count);
    }

    /// Those of series: a row for each channel, and a column for each lane of each step. False, and with no use in it, if more
    /// than `most` numbers are not zero.
    #[must_use]
    pub fn find(&mut self, instructions: Instructions, series: Series<'_, F>, most: usize) -> bool {
        series.check();
        let mut few = true;
        vectorised(instructions, Find { lists: self, series, most, few: &mut few });
        few
    }

    /// Those of spikes that come a step late: a row for each channel, and a column for each lane of each of so many steps. Those of
    /// the first step are numbers, `[channel, lane]`, the others `bits` of the step before.
    pub fn find_late(&mut self, instructions: Instructions, first: &[F], bits: Bits, workspace: &[F], steps: usize) {
        assert_eq!(first.len(), bits.channels * bits.lanes);
        vectorised(instructions, FindLate { lists: self, first, bits, workspace, steps });
    }

    /// All rows before `row` are at their end.
    #[inline(always)]
    fn end_rows(&mut self, row: usize, count: usize) {
        while self.starts.len() <= row {
            self.starts.push(count as u32);
        }
    }

    #[inline(always)]
    fn make_room(&mut self, count: usize) {
        if self.columns.len() < count {
            let len = count.next_power_of_two();
            self.columns.resize(len, 0);
            self.values.resize(len, F::default());
        }
    }

    /// Adds to a row whose entries begin at `count` the columns of these bits, from `column` on; gives the new count. Without a
    /// branch for each, which nobody could foresee.
    #[inline(always)]
    fn add_columns(columns: &mut [u32], mut count: usize, bits: &[u8], column: usize) -> usize {
        for (i, bits) in bits.iter().enumerate() {
            let to: &mut [u32; 8] = (&mut columns[count..count + 8]).try_into().expect("eight of them");
            let first = (column + i * LANES) as u32;
            for l in 0..8 {
                to[l] = first + u32::from(ONES[*bits as usize][l]);
            }
            count += bits.count_ones() as usize;
        }
        count
    }
}

struct Find<'a, F> {
    lists: &'a mut Lists<F>,
    series: Series<'a, F>,
    most: usize,
    few: &'a mut bool,
}

impl<F: Real> Loops for Find<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { lists, series: Series { numbers, channels, stride, steps, step_stride, lanes }, most, few } = self;
        lists.starts.truncate(1);
        lists.bits.resize(lanes / LANES, 0);
        let mut count = 0;
        for channel in 0..channels {
            lists.make_room(count + steps * lanes + 8);
            for step in 0..steps {
                let own = &numbers[channel * stride + step * step_stride..][..lanes];
                write_bits::<C, F>(own, &mut lists.bits);
                let (before, column) = (count, step * lanes);
                count = Lists::<F>::add_columns(&mut lists.columns, count, &lists.bits, column);
                let found = lists.values[before..count].iter_mut().zip(&lists.columns[before..count]);
                found.for_each(|(value, at)| *value = own[*at as usize - column]);
            }
            lists.starts.push(count as u32);
            if count > most {
                *few = false;
                return;
            }
        }
    }
}

struct FindLate<'a, F> {
    lists: &'a mut Lists<F>,
    first: &'a [F],
    bits: Bits,
    workspace: &'a [F],
    steps: usize,
}

impl<F: Real> Loops for FindLate<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { lists, first, bits, workspace, steps } = self;
        lists.starts.truncate(1);
        lists.bits.resize(bits.lanes / LANES, 0);
        let mut count = 0;
        for (channel, first) in first.chunks_exact(bits.lanes).enumerate() {
            lists.make_room(count + steps * bits.lanes + 8);
            write_bits::<C, F>(first, &mut lists.bits);
            let before = count;
            count = Lists::<F>::add_columns(&mut lists.columns, count, &lists.bits, 0);
            let found = lists.values[before..count].iter_mut().zip(&lists.columns[before..count]);
            found.for_each(|(value, at)| *value = first[*at as usize]);
            let before = count;
            for t in 1..steps {
                let bits_of_step = bits.of(workspace, t - 1, channel);
                count = Lists::<F>::add_columns(&mut lists.columns, count, bits_of_step, t * bits.lanes);
            }
            lists.values[before..count].fill(F::of(1.0));
            lists.starts.push(count as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits_len;
    use super::*;

    #[test]
    fn lists_are_filled_row_by_row() {
        let mut lists = Lists::default();
        lists.fill(4, [(1, 5, 2.0), (1, 7, 1.0), (3, 0, 1.0)].into_iter());
        let rows: Vec<_> = (0..4).map(|row| lists.row(row)).collect();
        let none: (&[u32], &[f64]) = (&[], &[]);
        assert_eq!(rows, [none, (&[5, 7], &[2.0, 1.0]), none, (&[0], &[1.0])]);
        assert!(!lists.are_ones());
        lists.fill(1, [(0, 3, 1.0)].into_iter());
        assert_eq!((lists.rows(), lists.row(0), lists.are_ones()), (1, (&[3][..], &[1.0][..]), true));
    }

    /// The same as of the numbers one step later, of which the first are any.
    #[test]
    fn spikes_of_the_step_before() {
        let (channels, lanes, steps) = (5, 16, 4);
        let step = channels * lanes;
        let spikes: Vec<f32> = (0..step * steps).map(|i| if i * i % 7 < 2 { 1.0 } else { 0.0 }).collect();
        let first: Vec<f32> = (0..step).map(|i| if i % 3 == 0 { i as f32 } else { 0.0 }).collect();
        let late: Vec<f32> = first.iter().chain(&spikes[..step * (steps - 1)]).copied().collect();
        let series = Series { numbers: &late, channels, stride: lanes, steps, step_stride: step, lanes };
        let bits = Bits { channels, lanes };
        for instructions in
            [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
        {
            let mut workspace = vec![0.0; lanes * bits_len::<f32>(channels, steps)];
            for t in 0..steps {
                bits.write(instructions, &spikes[t * step..(t + 1) * step], t, &mut workspace);
            }
            let (mut found, mut expected) = (Lists::default(), Lists::default());
            found.find_late(instructions, &first, bits, &workspace, steps);
            assert!(expected.find(instructions, series, late.len()));
            (0..channels).for_each(|k| assert_eq!(found.row(k), expected.row(k), "channel {k}"));
        }
    }
}
