//! [`Real`]: what kernels calculate with, and [`Numbers`], their copies of parameters.

use std::ops::AddAssign;

use tch::{Kind, Tensor};

use super::Num;

/// What kernels calculate with: `f32` or `f64`.
pub trait Real: Num + Copy + Default + AddAssign + PartialOrd + Send + Sync + tch::kind::Element + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// `self b + c`, rounded once. Slow where the processor has no instruction for it: see [`Cpu::mul_add`](super::Cpu::mul_add).
    fn fused_mul_add(self, b: Self, c: Self) -> Self;

    /// Smaller numbers than this are about to underflow, which makes every operation with them many times slower: a million
    /// times the smallest number of full precision.
    const TINY: Self;

    /// Numbers of this type; a panic if they are of the other. The driver takes care that they are.
    fn numbers(numbers: &Numbers) -> &[Self];
}

macro_rules! impl_real {
    ($float:ty, $variant:ident) => {
        impl Real for $float {
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn fused_mul_add(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }

            const TINY: Self = 1e6 * <$float>::MIN_POSITIVE;

            fn numbers(numbers: &Numbers) -> &[Self] {
                let Numbers::$variant(numbers) = numbers else {
                    panic!("parameters in {} were expected", stringify!($float))
                };
                numbers
            }
        }
    };
}

impl_real!(f32, Single);
impl_real!(f64, Double);

/// A copy of a parameter's numbers, in its own dtype.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// float32.
    Single(Vec<f32>),
    /// float64.
    Double(Vec<f64>),
}

impl Numbers {
    /// The numbers of a tensor in float32 or float64, row by row; `None` for another dtype.
    pub fn of(tensor: &Tensor) -> Option<Self> {
        let flat = tensor.detach().flatten(0, -1);
        match tensor.kind() {
            Kind::Float => Vec::try_from(flat).ok().map(Self::Single),
            Kind::Double => Vec::try_from(flat).ok().map(Self::Double),
            _ => None,
        }
    }
}
