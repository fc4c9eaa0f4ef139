//! Reverse mode: the gradient of a formula, as further operations of its graph.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::{Function, Graph, Id, Op, Operator};

impl Graph {
    /// For each of `by` the sum over `seeds` of the gradient with which a seed stands (the second) times the derivative of the seed's
    /// value (the first).
    ///
    /// What it costs does not depend on how many numbers it is asked for, as it does with [`Dual`](crate::Dual).
    pub fn gradient(&mut self, seeds: &[(Id, Id)], by: &[Id]) -> Vec<Id> {
        let end = self.operations.len();
        let mut gradients: Vec<Option<Id>> = vec![None; end];
        for (value, gradient) in seeds {
            self.accumulate(&mut gradients, *value, *gradient);
        }
        for place in (0..end).rev() {
            if let Some(gradient) = gradients[place] {
                for (operand, term) in self.pulled(Id::at(place), gradient) {
                    self.accumulate(&mut gradients, operand, term);
                }
            }
        }
        by.iter().map(|id| gradients[id.place()].unwrap_or_else(|| self.constant(0.0))).collect()
    }

    fn accumulate(&mut self, gradients: &mut [Option<Id>], of: Id, term: Id) {
        let sum = match gradients[of.place()] {
            Some(sum) => self.between(Operator::Add, sum, term),
            None => term,
        };
        gradients[of.place()] = Some(sum);
    }

    /// What the gradient `g` of an operation's result is for what it reads.
    fn pulled(&mut self, id: Id, g: Id) -> Vec<(Id, Id)> {
        match self.operation(id) {
            Op::Input(_) | Op::Constant(_) | Op::Detach(_) => Vec::new(),
            Op::Of(function, x) => vec![(x, self.through(function, x, id, g))],
            Op::Power(x, exponent) => {
                let power = self.push(Op::Power(x, exponent - 1.0));
                let slope = self.scaled(power, exponent);
                vec![(x, self.mul(g, slope))]
            }
            Op::Between(Operator::Add, a, b) => vec![(a, g), (b, g)],
            Op::Between(Operator::Sub, a, b) => vec![(a, g), (b, self.function(Function::Neg, g))],
            Op::Between(Operator::Mul, a, b) => vec![(a, self.mul(g, b)), (b, self.mul(g, a))],
            Op::Between(Operator::Div, a, b) => {
                let above = self.between(Operator::Div, g, b);
                let times = self.mul(above, id);
                vec![(a, above), (b, self.function(Function::Neg, times))]
            }
            Op::Pick([x, a, b]) => {
                let zero = self.constant(0.0);
                vec![(a, self.push(Op::Pick([x, g, zero]))), (b, self.push(Op::Pick([x, zero, g])))]
            }
            Op::Surrogate { of, slope, .. } => vec![(of, self.mul(g, slope))],
        }
    }

    /// `g` times the derivative of `y = function(x)`.
    fn through(&mut self, function: Function, x: Id, y: Id, g: Id) -> Id {
        let slope = match function {
            Function::Neg => return self.function(Function::Neg, g),
            Function::Ln => return self.between(Operator::Div, g, x),
            Function::Exp => y,
            Function::Sqrt => {
                let twice = self.scaled(y, 2.0);
                return self.between(Operator::Div, g, twice);
            }
            // As in libtorch, 0 at 0.
            Function::Abs => {
                let (one, zero) = (self.constant(1.0), self.constant(0.0));
                let below = self.function(Function::Neg, x);
                let [above, below] = [x, below].map(|x| self.push(Op::Pick([x, one, zero])));
                self.between(Operator::Sub, above, below)
            }
            Function::Tanh => {
                let square = self.mul(y, y);
                self.less(1.0, square)
            }
            Function::Sin => self.function(Function::Cos, x),
            Function::Cos => {
                let sin = self.function(Function::Sin, x);
                self.function(Function::Neg, sin)
            }
            Function::Atan => {
                let (one, square) = (self.constant(1.0), self.mul(x, x));
                let below = self.between(Operator::Add, square, one);
                return self.between(Operator::Div, g, below);
            }
            Function::Erf => {
                let square = self.mul(x, x);
                let negative = self.function(Function::Neg, square);
                let bell = self.function(Function::Exp, negative);
                self.scaled(bell, FRAC_2_SQRT_PI)
            }
            // By its own value, for the exponential may be infinite.
            Function::Sigmoid => {
                let rest = self.less(1.0, y);
                self.mul(y, rest)
            }
            Function::Phi(k) => {
                let next = self.function(Function::Phi(k + 1), x);
                let next = self.scaled(next, k as f64);
                self.between(Operator::Sub, y, next)
            }
        };
        self.mul(g, slope)
    }

    fn function(&mut self, function: Function, x: Id) -> Id {
        self.push(Op::Of(function, x))
    }

    fn between(&mut self, operator: Operator, a: Id, b: Id) -> Id {
        self.push(Op::Between(operator, a, b))
    }

    fn mul(&mut self, a: Id, b: Id) -> Id {
        self.between(Operator::Mul, a, b)
    }

    fn scaled(&mut self, x: Id, by: f64) -> Id {
        let by = self.constant(by);
        self.mul(by, x)
    }

    /// `c - x`.
    fn less(&mut self, c: f64, x: Id) -> Id {
        let c = self.constant(c);
        self.between(Operator::Sub, c, x)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::every_operation;
    use crate::{Dual, Listing};

    /// Two ways that share no line.
    #[test]
    fn reverse_mode_is_dual_numbers() {
        let listing = Listing::new();
        let x = listing.name("x");
        let y = every_operation(x.clone());
        let mut graph = listing.graph();
        let one = graph.constant(1.0);
        let by_x = graph.gradient(&[(y.id(), one)], &[x.id()]);
        let (simple, results) = graph.simplified(&[y.id(), by_x[0]]);
        assert!(simple.operations().len() < graph.operations().len());
        for x in [-2.5, -0.3, 0.4, 1.7f64] {
            let slope = every_operation(Dual::varied(x, true)).slope.unwrap();
            let found = graph.evaluate(&by_x, &[x])[0];
            assert!((found / slope - 1.0).abs() < 1e-13, "at {x}: {found} and not {slope}");
            let simplified = simple.evaluate(&results, &[x]);
            assert!((simplified[0] / every_operation(x) - 1.0).abs() < 1e-13, "at {x}");
            assert!((simplified[1] / slope - 1.0).abs() < 1e-13, "at {x}");
        }
    }
}
