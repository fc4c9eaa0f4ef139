//! [`ProcessGroup`]: processes that train one model together, and the sum of their gradients.

#[cfg(test)]
pub(crate) mod threads;

use std::fmt;
use std::ops::Range;

use bd_core::{Error, Result};
use tch::{Device, Kind, Tensor};

use crate::tree::TreeSum;

/// Processes that train one model together: each has all parameters, computes the gradients of its share of an update's batches, and makes
/// the same update as all others.
///
/// Calls are made by all processes in the same order, and wait for all of them. They fail with [`Error::ProcessGroup`] where another process
/// is gone or does not answer in time.
pub trait ProcessGroup: fmt::Debug + Send + Sync {
    /// The number of this process, from 0. The first one writes files and reports.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Everybody's tensor of shape `[n]` on the CPU, by rank: `[size, n]`. All have one length and dtype.
    fn gather(&self, own: &Tensor) -> Result<Tensor>;

    /// Sends row `r` of a tensor `[size, n]` on the CPU to process `r`, and returns what was sent to this one, by rank: `[size, n]`.
    fn exchange(&self, own: &Tensor) -> Result<Tensor>;
}

/// The share of process `rank` of `size`: which parts of `accumulate` it computes, in an update of `parts` parts (the last one of an
/// epoch may have fewer). It is a subtree of [`TreeSum`], which [`check_shares`] makes sure of.
pub(crate) fn share(rank: usize, size: usize, accumulate: usize, parts: usize) -> Range<usize> {
    let each = accumulate / size;
    let begin = |rank: usize| (rank * each).min(parts);
    begin(rank)..begin(rank + 1)
}

/// Refuses a number of batches of an update that so many processes cannot share: their shares would not be subtrees of one sum, which would
/// be another one than that of a single process.
pub fn check_shares(size: usize, accumulate: usize) -> Result<()> {
    if accumulate.is_multiple_of(size) && (accumulate / size).is_power_of_two() {
        return Ok(());
    }
    let allowed = format!(
        "{size}, {}, {} or another power of two times the {size} processes, so that each has the same share of an update's batches",
        2 * size,
        4 * size
    );
    Err(Error::setting("accumulate", accumulate, allowed))
}

/// Everybody's numbers, by rank; each gives as many.
pub fn gather_numbers(group: &dyn ProcessGroup, own: &[f64]) -> Result<Vec<Vec<f64>>> {
    let all = group.gather(&Tensor::from_slice(own))?.f_reshape([-1])?;
    let all = Vec::<f64>::try_from(all)?;
    Ok(all.chunks(own.len().max(1)).map(<[f64]>::to_vec).collect())
}

/// The sum over all processes of tensors, of which each process gives as many and of the same shapes, dtype and device. The order of the sum
/// is one binary tree over ranks, so that all processes get the same bytes.
///
/// Each process sends `2 (1 - 1/n)` times the bytes of its tensors, for `n` processes.
pub fn sum_over_processes(group: &dyn ProcessGroup, own: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let like: Vec<Tensor> = own.iter().map(Tensor::shallow_clone).collect();
    tch::no_grad(|| sum_over_ranks(group, Some(own), &like, |_| true))
}

/// The sum over processes of tensors like `like`, in the order of a tree over ranks; `has(rank)` says whose `own` is a summand. Every
/// process gets the same bytes, which are those of one process that sums all parts.
///
/// A process sums one slice of the joined tensors and hands it to all others, so that what each sends does not grow with their number.
pub(crate) fn sum_over_ranks(
    group: &dyn ProcessGroup,
    own: Option<Vec<Tensor>>,
    like: &[Tensor],
    has: impl Fn(usize) -> bool,
) -> Result<Vec<Tensor>> {
    let size = group.size() as i64;
    let count: i64 = like.iter().map(|tensor| tensor.numel() as i64).sum();
    let slice = (count + size - 1) / size;
    let on = like.first().map_or((Kind::Float, Device::Cpu), |tensor| (tensor.kind(), tensor.device()));
    let joined = Tensor::f_zeros([size * slice], (on.0, Device::Cpu))?;
    if let Some(own) = own {
        let flat: Vec<Tensor> = own.iter().map(|tensor| tensor.f_reshape([-1])).collect::<Result<_, _>>()?;
        joined.f_narrow(0, 0, count)?.f_copy_(&Tensor::f_cat(&flat, 0)?)?;
    }
    let slices = group.exchange(&joined.f_view([size, slice])?)?;
    let mut sum = TreeSum::default();
    for rank in 0..group.size() {
        sum.push(has(rank).then(|| vec![slices.get(rank as i64)]));
    }
    let sum = sum.finish().expect("an update has a part").remove(0);
    let all = group.gather(&sum)?.f_reshape([-1])?.f_to_device(on.1)?;
    let mut from = 0;
    let mut part = |tensor: &Tensor| -> Result<Tensor> {
        let len = tensor.numel() as i64;
        let part = all.f_narrow(0, from, len)?.f_reshape(tensor.size())?;
        from += len;
        Ok(part)
    };
    like.iter().map(&mut part).collect()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::threads::Thread;
    use super::*;

    /// Numbers whose sum depends on the order, for `1e16 + 1` is `1e16`: of four ranks the first two and the last two are summed first.
    #[test]
    fn all_processes_get_one_sum_of_one_order() {
        let given = [[1e16, 1.0, 0.1], [1.0, 1.0, 0.2], [-1e16, 1e16, 0.3], [3.0, -1e16, 0.4]];
        let sum = |i: usize| (given[0][i] + given[1][i]) + (given[2][i] + given[3][i]);
        let start = |group: Thread| {
            let [a, b, c] = given[group.rank()];
            let own = vec![Tensor::from_slice(&[a]), Tensor::from_slice(&[b, c]).view([2, 1])];
            thread::spawn(move || sum_over_processes(&group, own).unwrap())
        };
        let threads: Vec<_> = Thread::group(4).into_iter().map(start).collect();
        for thread in threads {
            let found = thread.join().unwrap();
            assert_eq!(found[0], Tensor::from_slice(&[sum(0)]));
            assert_eq!(found[1], Tensor::from_slice(&[sum(1), sum(2)]).view([2, 1]));
        }
    }
}
