//! Linear maps of series without a graph, with the bytes that one step after the other has.

use bd_core::System;
use bd_core::kernel::{Element, with_numbers};
use bd_kernel::models::linear::LinearInOrder;
use tch::{Device, Kind, Tensor};

use super::Linear;

/// Up to so many entries of a weight, sums have the order of the inputs. Readouts have fewer; of wider maps the products of libtorch are
/// several times as fast, and the order of their sums is its own, and depends on the number of steps.
const MOST: i64 = 1 << 22;

/// Columns that are calculated at once.
const COLUMNS: i64 = 1024;

/// Outputs `[time, batch, n_out]` of numbers `[time, batch, n_in]` on the CPU, unless a graph is wanted or there are too many weights.
pub(super) fn map(linear: &Linear, xs: &Tensor) -> Option<Tensor> {
    let (weight, bias) = (linear.weight.value(), linear.bias.as_ref());
    let on = (xs.kind(), xs.device());
    if xs.numel() == 0 || weight.numel() as i64 > MOST || (weight.kind(), weight.device()) != on {
        return None;
    }
    if [xs, &weight].into_iter().chain(bias).any(is_recorded) {
        return None;
    }
    match on {
        (Kind::Float, Device::Cpu) => map_of::<f32>(linear, xs, &weight, bias),
        (Kind::Double, Device::Cpu) => map_of::<f64>(linear, xs, &weight, bias),
        _ => None,
    }
}

/// Whether what is calculated with a tensor is in a graph. What requires a gradient says so with gradients off, too, and so do views of it.
fn is_recorded(tensor: &Tensor) -> bool {
    if !tensor.requires_grad() {
        return false;
    }
    let first = (0..tensor.dim()).fold(tensor.shallow_clone(), |first, _| first.select(0, 0));
    (first * 1.0).requires_grad()
}

fn map_of<F: Element>(linear: &Linear, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Option<Tensor> {
    let [n_in, n_out] = [linear.n_in(), linear.n_out()];
    let (weight, bias) = (weight.contiguous(), bias.map(Tensor::contiguous));
    let numbers = |of: &Tensor| with_numbers(of, |numbers: &[F]| numbers.to_vec());
    let bias = match &bias {
        Some(bias) => Some(numbers(bias)?),
        None => None,
    };
    let map = LinearInOrder::new([n_in as usize, n_out as usize], &numbers(&weight)?, bias.as_deref());
    let (time, batch) = (xs.size()[0], xs.size()[1]);
    let steps = (COLUMNS / batch).max(1);
    let mut ys = vec![F::default(); (time * batch * n_out) as usize];
    let stretches = ys.chunks_mut((steps * batch * n_out) as usize);
    for (from, ys) in (0..time).step_by(steps as usize).zip(stretches) {
        let xs = xs.narrow(0, from, steps.min(time - from)).permute([2, 0, 1]).contiguous();
        with_numbers(&xs, |xs: &[F]| map.rows(xs, xs.len() / n_in as usize, ys))?;
    }
    Some(Tensor::from_slice(&ys).reshape([time, batch, n_out]))
}
