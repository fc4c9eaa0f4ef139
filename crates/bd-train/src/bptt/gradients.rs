//! From the gradients of a loss to those of an update: finite, with the penalty's, and their norm.
//!
//! The penalty's gradient is added and not left to the graph, and on the host all of it is one pass over memory: an L2 penalty on
//! six parameters, 10,401 numbers, takes 12 us that way, and 100 us as a part of the graph (`benches/update.rs`).

use bd_core::kernel::{Cpu, Element, Instructions, Loops, vectorised};
use bd_core::{Error, Result};
use tch::{Kind, Tensor};

use super::penalty::Penalty;
use crate::host::{numbers, numbers_mut, on_host};

/// The gradients of an update.
pub(super) struct Gradients {
    /// One for each parameter.
    pub(super) all: Vec<Tensor>,
    /// Their Euclidean norm, over all of them.
    pub(super) norm: f64,
    /// The value of the penalty.
    pub(super) penalty: f64,
}

impl Gradients {
    /// Of the gradients of a loss, one for each of the parameters, and a penalty.
    pub(super) fn new(params: &[(String, Tensor)], of_loss: Vec<Tensor>, penalty: Penalty, step: u64) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let mut sums = Sums::default();
        let mut all = Vec::with_capacity(params.len());
        for ((name, param), gradient) in params.iter().zip(of_loss) {
            let (gradient, own) = with_penalty(param, gradient, penalty);
            if !own.squares.is_finite() {
                return Err(not_finite(name, &gradient, step));
            }
            sums.squares += own.squares;
            sums.penalty += own.penalty;
            all.push(gradient);
        }
        Ok(Self { all, norm: sums.squares.sqrt(), penalty: sums.penalty })
    }

    /// Scales them down to this norm if theirs is greater. [`norm`](Self::norm) stays what it was.
    pub(super) fn clip(&mut self, most: f64) {
        if self.norm > most {
            self.all.iter_mut().for_each(|gradient| *gradient = &*gradient * (most / self.norm));
        }
    }
}

/// Over the numbers of a parameter, in float64, where squares of float32 do not overflow.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Of the gradient.
    squares: f64,
    penalty: f64,
}

fn not_finite(name: &str, gradient: &Tensor, step: u64) -> Error {
    let wrong = gradient.isfinite().logical_not().sum(Kind::Int64).int64_value(&[]);
    let where_ = format!("{wrong} of its {} numbers at update {step}", gradient.numel());
    Error::NotFinite { what: format!("the gradient of {name}"), where_ }
}

fn with_penalty(param: &Tensor, gradient: Tensor, penalty: Penalty) -> (Tensor, Sums) {
    let gradient = gradient.contiguous();
    // Never into the gradient itself: libtorch may have given one tensor to two parameters.
    let sum = if penalty.is_none() { gradient.shallow_clone() } else { gradient.empty_like() };
    let sums = on_host!([param, &gradient, &sum], by_loops(param, &gradient, &sum, penalty));
    match sums {
        Some(sums) => (sum, sums),
        None => {
            let (sum, [squares, penalty]) = by_tensors(param, &gradient, penalty);
            (sum, Sums { squares: squares.double_value(&[]), penalty: penalty.double_value(&[]) })
        }
    }
}

/// The gradient with the penalty's; the sum of its squares, and the penalty, in float64 and where the tensors are: nothing waits
/// for a device.
pub(super) fn by_tensors(param: &Tensor, gradient: &Tensor, penalty: Penalty) -> (Tensor, [Tensor; 2]) {
    let wide = |t: &Tensor| t.to_kind(Kind::Double);
    let squares = |t: &Tensor| wide(t).square().sum(Kind::Double);
    if penalty.is_none() {
        let none = Tensor::zeros([], (Kind::Double, param.device()));
        return (gradient.shallow_clone(), [squares(gradient), none]);
    }
    let Penalty { l1, l2 } = penalty;
    let sum = gradient + (param * (2.0 * l2) + param.sign() * l1);
    let value = l2 * squares(param) + l1 * wide(param).abs().sum(Kind::Double);
    let squares = squares(&sum);
    (sum, [squares, value])
}

fn by_loops<T: Element + Into<f64>>(param: &Tensor, gradient: &Tensor, sum: &Tensor, penalty: Penalty) -> Sums {
    let mut sums = Sums::default();
    let (param, gradient) = (numbers::<T>(param), numbers::<T>(gradient));
    if !penalty.is_none() {
        // SAFETY: it was made for this and nobody else knows of it.
        let sum = unsafe { numbers_mut::<T>(sum) };
        let loops = Penalising { param, gradient, sum, penalty, value: &mut sums.penalty };
        vectorised(Instructions::best(), loops);
    }
    vectorised(Instructions::best(), SumOfSquares { of: numbers::<T>(sum), sum: &mut sums.squares });
    sums
}

/// Sums are over so many lanes, whatever the vectors' width, so that every processor gives the same bytes.
const LANES: usize = 8;

struct SumOfSquares<'a, T> {
    of: &'a [T],
    sum: &'a mut f64,
}

impl<T: Element + Into<f64>> Loops for SumOfSquares<'_, T> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let mut lanes = [0.0f64; LANES];
        for chunk in self.of.chunks(LANES) {
            lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += square(*x));
        }
        *self.sum = lanes.iter().sum();
    }
}

#[inline(always)]
fn square<T: Into<f64>>(x: T) -> f64 {
    let x = x.into();
    x * x
}

struct Penalising<'a, T> {
    param: &'a [T],
    gradient: &'a [T],
    sum: &'a mut [T],
    penalty: Penalty,
    value: &'a mut f64,
}

impl<T: Element + Into<f64>> Loops for Penalising<'_, T> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Penalty { l1, l2 } = self.penalty;
        let (zero, one, doubled, factor) = (T::default(), T::of(1.0), T::of(2.0 * l2), T::of(l1));
        let (mut squares, mut sizes) = ([0.0f64; LANES], [0.0f64; LANES]);
        let chunks = self.param.chunks(LANES).zip(self.gradient.chunks(LANES)).zip(self.sum.chunks_mut(LANES));
        for ((param, gradient), sum) in chunks {
            let lanes = squares.iter_mut().zip(&mut sizes);
            for (((x, g), sum), (squares, sizes)) in param.iter().zip(gradient).zip(sum).zip(lanes) {
                let positive = if *x > zero { one } else { zero };
                let sign = if *x < zero { -one } else { positive };
                *sum = *g + (*x * doubled + sign * factor);
                *squares += square(*x);
                *sizes += (*x).into().abs();
            }
        }
        *self.value = l2 * squares.iter().sum::<f64>() + l1 * sizes.iter().sum::<f64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bd_core::Rng;
    use bd_core::testing::assert_close;
    use tch::Device;

    /// The loops against tensors, and both against autograd of the definition.
    #[test]
    fn a_penalty_is_its_definition() {
        for (kind, tolerance) in [(Kind::Float, 1e-6), (Kind::Double, 1e-14)] {
            let draw = |name: &str| Rng::new(0, name).tensor(&[5, 7], (kind, Device::Cpu), Rng::normal);
            let param = (draw("x") * draw("kept").gt(0.0)).set_requires_grad(true);
            for penalty in [(0.0, 0.3), (0.2, 0.0), (0.2, 0.3), (0.0, 0.0)].map(|(l1, l2)| Penalty { l1, l2 }) {
                let value = param.square().sum(kind) * penalty.l2 + param.abs().sum(kind) * penalty.l1;
                let expected = Tensor::run_backward(&[&value], &[&param], false, false).remove(0) + draw("g");
                let _guard = tch::no_grad_guard();
                let expected_value = value.double_value(&[]);
                let (of_tensors, sums) = by_tensors(&param, &draw("g"), penalty);
                let [squares, value] = sums.map(|sum| sum.double_value(&[]));
                let of_tensors = (of_tensors, Sums { squares, penalty: value });
                for (found, sums) in [with_penalty(&param, draw("g"), penalty), of_tensors] {
                    assert_close("gradient", &found, &expected, tolerance);
                    let value = expected_value;
                    assert!((sums.penalty - value).abs() <= tolerance * value, "{penalty:?}");
                    let squares = found.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
                    assert!((sums.squares - squares).abs() < 1e-13 * squares);
                }
                assert_eq!(with_penalty(&param, draw("g"), penalty).0, by_tensors(&param, &draw("g"), penalty).0);
            }
        }
    }

    #[test]
    fn penalties_that_cannot_be_are_refused() {
        for (l1, l2, words) in [(-1.0, 0.0, "penalty.l1 is -1"), (0.0, f64::NAN, "penalty.l2 is NaN")] {
            assert!(Penalty { l1, l2 }.check().unwrap_err().to_string().contains(words));
        }
    }
}
