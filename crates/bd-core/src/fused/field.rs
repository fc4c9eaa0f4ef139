//! [`Field`]: a tensor that calculates like a number.

use std::ops::{Add, Div, Mul, Neg, Sub};

use bd_kernel::Num;
use tch::{Kind, Tensor};

/// A tensor that calculates like a number, element by element. What a formula gives with it, autograd differentiates.
#[derive(Debug)]
pub struct Field(pub Tensor);

impl Clone for Field {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

macro_rules! impl_field_operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Field {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self($trait::$method(&self.0, &other.0))
            }
        }
    };
}

impl_field_operator!(Add, add);
impl_field_operator!(Sub, sub);
impl_field_operator!(Mul, mul);
impl_field_operator!(Div, div);

impl Neg for Field {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-&self.0)
    }
}

impl Num for Field {
    /// Without dimensions, so that it takes the shape of what it meets.
    fn lit(&self, value: f64) -> Self {
        Self(Tensor::full([0i64; 0], value, (self.0.kind(), self.0.device())))
    }
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    fn exp(self) -> Self {
        Self(self.0.exp())
    }
    fn ln(self) -> Self {
        Self(self.0.log())
    }
    fn tanh(self) -> Self {
        Self(self.0.tanh())
    }
    fn sin(self) -> Self {
        Self(self.0.sin())
    }
    fn cos(self) -> Self {
        Self(self.0.cos())
    }
    fn atan(self) -> Self {
        Self(self.0.atan())
    }
    fn erf(self) -> Self {
        Self(self.0.erf())
    }
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    fn powf(self, exponent: f64) -> Self {
        Self(self.0.pow_tensor_scalar(exponent))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        Self(a.0.where_self(&self.0.ge(0.0), &b.0))
    }
    fn detach(self) -> Self {
        Self(self.0.detach())
    }
    /// On the host, number by number.
    fn apply(self, _name: &'static str, f: &dyn Fn(f64) -> f64) -> Self {
        let (kind, device, size) = (self.0.kind(), self.0.device(), self.0.size());
        let flat = self.0.detach().to_kind(Kind::Double).flatten(0, -1);
        let values: Vec<f64> = Vec::<f64>::try_from(flat).expect("float64").into_iter().map(f).collect();
        Self(Tensor::from_slice(&values).reshape(size).to_kind(kind).to_device(device))
    }

    // One operation of libtorch rather than a constant and an operation.
    fn scale(self, c: f64) -> Self {
        Self(self.0 * c)
    }
    fn shift(self, c: f64) -> Self {
        Self(self.0 + c)
    }
}

#[cfg(test)]
mod tests {
    use bd_kernel::testing::every_operation;

    use super::*;

    #[test]
    fn tensors_and_numbers_agree() {
        let xs = [-2.5, -0.3, 0.4, 1.7];
        let tensors = Vec::<f64>::try_from(every_operation(Field(Tensor::from_slice(&xs))).0).unwrap();
        for (x, found) in xs.iter().zip(tensors) {
            assert!((found / every_operation(*x) - 1.0).abs() < 1e-14, "at {x}");
        }
    }
}
