//! [`Code`]: a formula that writes itself down as statements in CUDA C.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::rc::Rc;

use super::Num;
use crate::{Error, Result};

/// Statements that formulas have written, each result under a name of its own. Equal expressions are written once.
///
/// Functions are the overloaded ones, which take the type of their argument, and constants are cast to `real`, which the
/// surrounding text defines.
#[derive(Debug, Clone, Default)]
pub struct Listing(Rc<RefCell<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Expressions: that of `t0`, of `t1`, and so on.
    lines: Vec<String>,
    known: HashMap<String, String>,
    /// The first function that has no CUDA form.
    refused: Option<&'static str>,
}

impl Lines {
    /// The statements that some results need, in order.
    fn needed(&self, results: &[Code]) -> Vec<usize> {
        let mut needed = vec![false; self.lines.len()];
        let mark = |needed: &mut Vec<bool>, text: &str| {
            let results = words(text).filter_map(|word| word.strip_prefix('t')?.parse::<usize>().ok());
            results.for_each(|i| needed[i] = true);
        };
        results.iter().for_each(|result| mark(&mut needed, &result.operand));
        for i in (0..self.lines.len()).rev() {
            if needed[i] {
                mark(&mut needed, &self.lines[i]);
            }
        }
        (0..needed.len()).filter(|i| needed[*i]).collect()
    }
}

/// Names and numbers of an expression.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split([' ', '(', ')', ',', '-'])
}

impl Listing {
    /// No statement yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name that the surrounding text defines.
    pub fn name(&self, name: &str) -> Code {
        Code { listing: self.clone(), operand: name.to_owned() }
    }

    /// The statements that some results need, one a line, or a refusal if one of the formulas has no CUDA form.
    pub fn statements(&self, results: &[Code]) -> Result<String> {
        let lines = self.0.borrow();
        if let Some(name) = lines.refused {
            return Err(Error::NoCudaForm(name));
        }
        let line = |i: usize| format!("    const real t{i} = {};\n", lines.lines[i]);
        Ok(lines.needed(results).into_iter().map(line).collect())
    }

    /// Whether some results depend on a name.
    pub fn depends(&self, results: &[Code], name: &str) -> bool {
        let lines = self.0.borrow();
        let written = lines.needed(results).into_iter().any(|i| words(&lines.lines[i]).any(|word| word == name));
        written || results.iter().any(|result| result.operand == name)
    }

    fn write(&self, expression: String) -> Code {
        let mut lines = self.0.borrow_mut();
        if let Some(operand) = lines.known.get(&expression) {
            return Code { listing: self.clone(), operand: operand.clone() };
        }
        let operand = format!("t{}", lines.lines.len());
        lines.lines.push(expression.clone());
        lines.known.insert(expression, operand.clone());
        Code { listing: self.clone(), operand }
    }
}

/// A number that is calculated by the text of a [`Listing`].
#[derive(Debug, Clone)]
pub struct Code {
    listing: Listing,
    operand: String,
}

impl Code {
    /// Another name that the surrounding text defines.
    pub fn named(&self, name: &str) -> Self {
        self.listing.name(name)
    }

    /// Its name in the text, or a constant.
    pub fn operand(&self) -> &str {
        &self.operand
    }

    fn call(self, function: &str) -> Self {
        self.listing.write(format!("{function}({})", self.operand))
    }

    fn infix(self, operator: char, other: &Self) -> Self {
        self.listing.write(format!("{} {operator} {}", self.operand, other.operand))
    }
}

macro_rules! impl_code_operator {
    ($trait:ident, $method:ident, $sign:literal) => {
        impl $trait for Code {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.infix($sign, &other)
            }
        }
    };
}

impl_code_operator!(Add, add, '+');
impl_code_operator!(Sub, sub, '-');
impl_code_operator!(Mul, mul, '*');
impl_code_operator!(Div, div, '/');

impl Neg for Code {
    type Output = Self;
    fn neg(self) -> Self {
        self.listing.write(format!("-{}", self.operand))
    }
}

impl Num for Code {
    fn lit(&self, value: f64) -> Self {
        // `{:e}` writes the shortest digits that read back as the same number. In brackets, for `-real(..)` has to be read too.
        // Infinity has no digits, and its name is in a header.
        let operand = if value.is_finite() {
            format!("real({value:e})")
        } else {
            format!("real(__longlong_as_double({:#x}))", value.to_bits())
        };
        Self { listing: self.listing.clone(), operand }
    }
    fn abs(self) -> Self {
        self.call("fabs")
    }
    fn exp(self) -> Self {
        self.call("exp")
    }
    fn ln(self) -> Self {
        self.call("log")
    }
    fn tanh(self) -> Self {
        self.call("tanh")
    }
    fn sin(self) -> Self {
        self.call("sin")
    }
    fn cos(self) -> Self {
        self.call("cos")
    }
    fn atan(self) -> Self {
        self.call("atan")
    }
    fn erf(self) -> Self {
        self.call("erf")
    }
    fn sqrt(self) -> Self {
        self.call("sqrt")
    }
    fn powf(self, exponent: f64) -> Self {
        let exponent = self.lit(exponent).operand;
        self.listing.write(format!("pow({}, {exponent})", self.operand))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        self.listing.write(format!("{} >= real(0) ? {} : {}", self.operand, a.operand, b.operand))
    }
    fn detach(self) -> Self {
        self
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
    fn the_text_is_the_formula_and_nothing_is_written_twice() {
        let listing = Listing::new();
        let x = listing.name("x");
        let y = (x.lit(1.0) / (x.lit(100.0) * x.clone().abs() + x.lit(1.0)).square()).pick(x.lit(0.1), -x.clone());
        let text = "    const real t0 = fabs(x);
    const real t1 = real(1e2) * t0;
    const real t2 = t1 + real(1e0);
    const real t3 = t2 * t2;
    const real t4 = real(1e0) / t3;
    const real t5 = -x;
    const real t6 = t4 >= real(0) ? real(1e-1) : t5;
";
        let _unused = y.clone() * x;
        assert_eq!((listing.statements(std::slice::from_ref(&y)).unwrap().as_str(), y.operand()), (text, "t6"));
        assert!(listing.depends(std::slice::from_ref(&y), "x") && !listing.depends(&[y], "s[0]"));
    }

    /// IEEE 754: a sign, eleven ones, and 52 zeros.
    #[test]
    fn infinity_is_written_by_its_bits() {
        let x = Listing::new().name("x");
        assert_eq!(x.lit(f64::INFINITY).operand(), "real(__longlong_as_double(0x7ff0000000000000))");
        assert_eq!(x.lit(f64::NEG_INFINITY).operand(), "real(__longlong_as_double(0xfff0000000000000))");
    }

    #[test]
    fn a_rust_function_is_refused() {
        let listing = Listing::new();
        let _ = listing.name("x").apply("my_slope", &|x| x * x);
        assert!(listing.statements(&[]).unwrap_err().to_string().starts_with("my_slope is a Rust function"));
    }
}
