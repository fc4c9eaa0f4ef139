//! In which order gradients of parameters are summed.

use std::ops::Range;

use tch::Tensor;

use crate::fused::Element;

/// Parts at most. More would take memory, and fewer leave threads without work.
const MOST: usize = 32;

/// Numbers of all parts together at most, unless there are two parts.
const MOST_NUMBERS: usize = 1 << 24;

/// How the tiles of a batch are divided into parts: a function of the sizes alone, and so the same whatever the number of threads,
/// or of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    tiles: usize,
    tiles_a_part: usize,
}

impl Parts {
    pub(super) fn of(tiles: usize, n_params: usize) -> Self {
        Self { tiles, tiles_a_part: tiles.div_ceil((MOST_NUMBERS / n_params.max(1)).clamp(2, MOST)) }
    }

    /// How many there are.
    pub(super) fn count(self) -> usize {
        self.tiles.div_ceil(self.tiles_a_part)
    }

    /// The tiles of a part, in the order in which their gradients are summed.
    pub(super) fn tiles(self, part: usize) -> Range<usize> {
        part * self.tiles_a_part..((part + 1) * self.tiles_a_part).min(self.tiles)
    }
}

/// Gradients of all parameters as they leave the backward pass: a sum for each of the [`Parts`] of a batch, in the order of its tiles.
///
/// What is added up at last are these parts, in their order: the same bytes whichever thread made which. Processes that share a batch
/// part by part can exchange them, and come to the same bytes as one that has it all.
#[derive(Debug)]
pub(super) struct GradientParts<F>(pub(super) Vec<Vec<F>>);

impl<F: Element> GradientParts<F> {
    /// Their sum, as tensors of these shapes.
    pub(super) fn sum_in_order(self, shapes: &[Vec<i64>]) -> Vec<Tensor> {
        let mut parts = self.0.into_iter();
        let mut sum = parts.next().unwrap_or_default();
        for part in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        split(&sum, shapes)
    }
}

/// Numbers one after the other as tensors of these shapes.
fn split<F: Element>(mut numbers: &[F], shapes: &[Vec<i64>]) -> Vec<Tensor> {
    let mut next = |shape: &Vec<i64>| {
        let (own, rest) = numbers.split_at(shape.iter().product::<i64>() as usize);
        numbers = rest;
        Tensor::from_slice(own).reshape(shape)
    };
    shapes.iter().map(&mut next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tile is in one part, in order, and few numbers make many parts.
    #[test]
    fn parts_are_the_tiles_in_order() {
        for (tiles, n_params, count) in [(1, 10, 1), (7, 10, 7), (100, 10, 25), (100, 1 << 23, 2), (64, 1 << 30, 2)] {
            let parts = Parts::of(tiles, n_params);
            assert_eq!(parts.count(), count, "{tiles} tiles of {n_params} parameters");
            let all: Vec<usize> = (0..parts.count()).flat_map(|part| parts.tiles(part)).collect();
            assert_eq!(all, (0..tiles).collect::<Vec<_>>());
        }
    }

    /// In float32 1e8 + 1 is 1e8, so that the order shows: (1e8 + 1) - 1e8 is 0, and (1e8 - 1e8) + 1 is 1.
    #[test]
    fn parts_are_summed_in_their_order() {
        let sum = |parts: [f32; 3]| GradientParts(parts.map(|part| vec![part]).to_vec()).sum_in_order(&[vec![1]]);
        assert_eq!(sum([1e8, 1.0, -1e8])[0], Tensor::from_slice(&[0f32]));
        assert_eq!(sum([1e8, -1e8, 1.0])[0], Tensor::from_slice(&[1f32]));
    }
}
