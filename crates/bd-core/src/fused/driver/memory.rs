//! Tensors as memory, and samples side by side: `[time, batch, n]` there, `[channel, step, lane]` here.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use bd_kernel::{Cpu, Rows, RowsMut, prefer_huge_pages, prefetch, transpose_loops};
use tch::{Device, Tensor};

use crate::fused::Element;

/// The numbers of a contiguous tensor on the host.
pub(in crate::fused) fn host<F: Element>(tensor: &Tensor) -> &[F] {
    assert!(tensor.kind() == F::KIND && tensor.device() == Device::Cpu && tensor.is_contiguous());
    if tensor.numel() == 0 {
        return &[];
    }
    // SAFETY: checked above: as many numbers of this type, in host memory that lives as long as the tensor. Nobody writes to
    // it meanwhile: inputs are only read, and gradients are handed over by the graph.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// A series `[time, batch, n]` whose samples have their numbers side by side, wherever they are: all of them at the same place,
/// as in the gradient of a sum, which nobody has to write out.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a, F> {
    numbers: &'a [F],
    /// From one step to the next.
    step: usize,
    /// From one sample to the next.
    sample: usize,
    n: usize,
}

impl<'a, F: Element> Strided<'a, F> {
    /// The numbers of a tensor that is as it [can be read](Self::can_be), on the host.
    pub(super) fn of(tensor: &'a Tensor) -> Self {
        assert!(tensor.kind() == F::KIND && tensor.device() == Device::Cpu && Self::can_be(tensor));
        let size: [usize; 3] = std::array::from_fn(|i| tensor.size()[i] as usize);
        let [step, sample, _] = std::array::from_fn(|i| tensor.stride()[i] as usize);
        let [time, batch, n] = size;
        let len = (time - 1) * step + (batch - 1) * sample + n;
        // SAFETY: so far reach the numbers of a tensor of this size and these strides, none of which is below zero (libtorch has no
        // others), in host memory that lives as long as the tensor. Nobody writes to it meanwhile, as with `host`.
        let numbers = unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), len) };
        Self { numbers, step, sample, n }
    }

    /// Whether a tensor can be read as it is.
    pub(super) fn can_be(tensor: &Tensor) -> bool {
        tensor.dim() == 3 && tensor.numel() > 0 && (tensor.stride()[2] == 1 || tensor.size()[2] == 1)
    }

    /// One after the other.
    pub(super) fn contiguous(numbers: &'a [F], batch: usize, n: usize) -> Self {
        Self { numbers, step: batch * n, sample: n, n }
    }

    /// Some samples of a step, `sample` numbers apart.
    #[inline(always)]
    pub(super) fn rows(&self, step: usize, first: usize, count: usize) -> Rows<'a, F> {
        let at = step * self.step + first * self.sample;
        Rows { numbers: &self.numbers[at..][..(count - 1) * self.sample + self.n], stride: self.sample }
    }
}

/// A fresh contiguous tensor, with anything in it.
pub(super) fn uninitialised<F: Element>(shape: &[i64]) -> Tensor {
    let tensor = Tensor::empty(shape, (F::KIND, Device::Cpu));
    if tensor.numel() > 0 {
        let start = tensor.data_ptr().cast::<MaybeUninit<F>>();
        // SAFETY: the memory of a tensor that nobody else knows of yet; it may hold anything.
        prefer_huge_pages(unsafe { std::slice::from_raw_parts_mut(start, tensor.numel()) });
    }
    tensor
}

/// Memory of a fresh contiguous tensor that threads fill, each its own part.
pub(in crate::fused) struct Blocks<'a, F> {
    start: *mut F,
    len: usize,
    tensor: PhantomData<&'a Tensor>,
}

// SAFETY: the pointer is only used through `part`, whose callers keep to parts of their own: a tile's samples.
unsafe impl<F: Send> Sync for Blocks<'_, F> {}

impl<'a, F: Element> Blocks<'a, F> {
    /// Nobody else may use the tensor while the blocks are in use: it is made for the purpose.
    pub(in crate::fused) fn of(tensor: &'a Tensor) -> Self {
        assert!(tensor.kind() == F::KIND && tensor.device() == Device::Cpu && tensor.is_contiguous());
        Self { start: tensor.data_ptr().cast(), len: tensor.numel(), tensor: PhantomData }
    }

    /// # Safety
    ///
    /// No part that overlaps may be in use, here or in another thread.
    #[allow(clippy::mut_from_ref)]
    pub(in crate::fused) unsafe fn part(&self, at: usize, len: usize) -> &mut [F] {
        assert!(at + len <= self.len);
        if len == 0 {
            return &mut [];
        }
        // SAFETY: within the tensor, which lives, by the assertion; alone there, by the caller. Memory of a tensor that nobody has
        // written to comes from libtorch: its bits are anything, and all bits are numbers.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }
}

/// Bytes of a row beyond which a processor has long seen by itself where it goes on.
const ROW: usize = 4096;
/// Of a line of the cache.
const LINE: usize = 64;

impl<F> Blocks<'_, F> {
    /// Lets the cache have the beginning of a part that is soon written to.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: usize, len: usize) {
        for line in (0..len.min(ROW / size_of::<F>())).step_by(LINE / size_of::<F>()) {
            prefetch(self.start.wrapping_add(at + line));
        }
    }
}

/// What stands in lanes beyond the samples.
#[derive(Clone, Copy)]
pub(super) enum Beyond {
    /// The last sample again: something that a kernel can calculate with, whatever it does.
    Last,
    /// Zeros: gradients, of which nothing is asked there.
    Zeros,
}

/// `count` samples of `n` numbers of one step into column `at` of channels that are `stride` apart.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn gather<C: Cpu, F: Element>(
    samples: Rows<'_, F>,
    [count, n]: [usize; 2],
    into: &mut [F],
    at: usize,
    stride: usize,
    lanes: usize,
    beyond: Beyond,
) {
    match n {
        _ if samples.stride != n => {
            transpose_loops::<C, F>([count, n], samples, RowsMut { numbers: &mut into[at..], stride });
        }
        1 => into[at..at + count].copy_from_slice(samples.numbers),
        2 => interleaved::<F, 2>(samples.numbers, into, at, stride),
        3 => interleaved::<F, 3>(samples.numbers, into, at, stride),
        _ => transpose_loops::<C, F>([count, n], samples, RowsMut { numbers: &mut into[at..], stride }),
    }
    for k in (0..n).filter(|_| count < lanes) {
        let value = match beyond {
            Beyond::Last => samples.numbers[(count - 1) * samples.stride + k],
            Beyond::Zeros => F::default(),
        };
        into[k * stride + at + count..k * stride + at + lanes].fill(value);
    }
}

/// [`gather`] of so few channels that their number is better known beforehand.
#[inline(always)]
fn interleaved<F: Element, const N: usize>(samples: &[F], into: &mut [F], at: usize, stride: usize) {
    let (samples, _) = samples.as_chunks::<N>();
    for k in 0..N {
        let own = &mut into[k * stride + at..][..samples.len()];
        own.iter_mut().zip(samples).for_each(|(to, from)| *to = from[k]);
    }
}

/// The other way round.
#[inline(always)]
pub(super) fn scatter<C: Cpu, F: Element>(from: &[F], at: usize, stride: usize, samples: &mut [F], n: usize) {
    match n {
        1 => samples.copy_from_slice(&from[at..at + samples.len()]),
        2 => interleave::<F, 2>(from, at, stride, samples),
        3 => interleave::<F, 3>(from, at, stride, samples),
        _ => {
            let count = samples.len() / n;
            let to = RowsMut { numbers: samples, stride: n };
            transpose_loops::<C, F>([n, count], Rows { numbers: &from[at..], stride }, to);
        }
    }
}

/// [`scatter`] of so few channels that their number is better known beforehand.
#[inline(always)]
fn interleave<F: Element, const N: usize>(from: &[F], at: usize, stride: usize, samples: &mut [F]) {
    let (samples, _) = samples.as_chunks_mut::<N>();
    let own: [&[F]; N] = std::array::from_fn(|k| &from[k * stride + at..][..samples.len()]);
    for (l, sample) in samples.iter_mut().enumerate() {
        for k in 0..N {
            sample[k] = own[k][l];
        }
    }
}
