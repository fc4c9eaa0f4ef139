//! [`Code`]: a number that writes down, in a [`Graph`], how it is calculated.

use std::cell::{Ref, RefCell};
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::rc::Rc;

use super::{Function, Graph, Id, Op, Operator};
use crate::{Error, Num, Result};

/// Formulas that are being written into one [`Graph`], each result under a name of its own. Equal expressions are written once.
///
/// As text, functions are the overloaded ones, which take the type of their argument, and constants are cast to `real`, which the
/// surrounding text defines.
#[derive(Debug, Clone, Default)]
pub struct Listing(Rc<RefCell<Written>>);

#[derive(Debug, Default)]
struct Written {
    graph: Graph,
    /// The first function that has no form but Rust's.
    refused: Option<&'static str>,
}

impl Listing {
    /// No formula yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name that the surrounding text defines: an input of the graph.
    pub fn name(&self, name: &str) -> Code {
        let id = self.0.borrow_mut().graph.input(name);
        Code { listing: self.clone(), id }
    }

    /// A number whose value is that of `value`, and whose derivative by `of` is `slope`: a spike.
    pub fn surrogate(&self, value: &Code, of: &Code, slope: &Code) -> Code {
        self.write(Op::Surrogate { value: value.id, of: of.id, slope: slope.id })
    }

    /// A copy of what was written.
    pub fn graph(&self) -> Graph {
        self.written().graph.clone()
    }

    /// The graph, or a refusal if one of the formulas is a Rust function.
    pub fn finished(&self) -> Result<Graph> {
        match self.written().refused {
            Some(name) => Err(Error::NoCudaForm(name)),
            None => Ok(self.graph()),
        }
    }

    /// The statements that some results need, one a line, or a refusal if one of the formulas has no CUDA form.
    pub fn statements(&self, results: &[Code]) -> Result<String> {
        match self.written().refused {
            Some(name) => Err(Error::NoCudaForm(name)),
            None => Ok(self.written().graph.statements(&ids(results))),
        }
    }

    /// Whether some results depend on a name.
    pub fn depends(&self, results: &[Code], name: &str) -> bool {
        self.written().graph.depends(&ids(results), name)
    }

    fn written(&self) -> Ref<'_, Written> {
        self.0.borrow()
    }

    fn write(&self, op: Op) -> Code {
        let id = self.0.borrow_mut().graph.push(op);
        Code { listing: self.clone(), id }
    }
}

fn ids(codes: &[Code]) -> Vec<Id> {
    codes.iter().map(|code| code.id).collect()
}

/// A number that is calculated by the formulas of a [`Listing`].
#[derive(Debug, Clone)]
pub struct Code {
    listing: Listing,
    id: Id,
}

impl Code {
    /// Another name that the surrounding text defines.
    pub fn named(&self, name: &str) -> Self {
        self.listing.name(name)
    }

    /// Its place in the graph.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Its name in the text, or a constant.
    pub fn operand(&self) -> String {
        self.listing.written().graph.operand(self.id)
    }

    fn of(self, function: Function) -> Self {
        self.listing.write(Op::Of(function, self.id))
    }
}

macro_rules! impl_code_operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Code {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.listing.write(Op::Between(Operator::$trait, self.id, other.id))
            }
        }
    };
}

impl_code_operator!(Add, add);
impl_code_operator!(Sub, sub);
impl_code_operator!(Mul, mul);
impl_code_operator!(Div, div);

impl Neg for Code {
    type Output = Self;
    fn neg(self) -> Self {
        self.of(Function::Neg)
    }
}

impl Num for Code {
    fn lit(&self, value: f64) -> Self {
        self.listing.write(Op::Constant(value))
    }
    fn abs(self) -> Self {
        self.of(Function::Abs)
    }
    fn exp(self) -> Self {
        self.of(Function::Exp)
    }
    fn ln(self) -> Self {
        self.of(Function::Ln)
    }
    fn tanh(self) -> Self {
        self.of(Function::Tanh)
    }
    fn sin(self) -> Self {
        self.of(Function::Sin)
    }
    fn cos(self) -> Self {
        self.of(Function::Cos)
    }
    fn atan(self) -> Self {
        self.of(Function::Atan)
    }
    fn erf(self) -> Self {
        self.of(Function::Erf)
    }
    fn sqrt(self) -> Self {
        self.of(Function::Sqrt)
    }
    fn sigmoid(self) -> Self {
        self.of(Function::Sigmoid)
    }
    fn phi(self, k: usize) -> Self {
        self.of(Function::Phi(k))
    }
    fn powf(self, exponent: f64) -> Self {
        self.listing.write(Op::Power(self.id, exponent))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        self.listing.write(Op::Pick([self.id, a.id, b.id]))
    }
    fn detach(self) -> Self {
        self.listing.write(Op::Detach(self.id))
    }
    fn apply(self, name: &'static str, _f: &dyn Fn(f64) -> f64) -> Self {
        self.listing.0.borrow_mut().refused.get_or_insert(name);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rust_function_is_refused() {
        let listing = Listing::new();
        let _ = listing.name("x").apply("my_slope", &|x| x * x);
        assert!(listing.statements(&[]).unwrap_err().to_string().starts_with("my_slope is a Rust function"));
    }
}
