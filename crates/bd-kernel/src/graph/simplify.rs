//! A graph without what can be worked out beforehand.

use super::{Function, Graph, Id, Op, Operator};

impl Graph {
    /// The same results by fewer operations: constants are worked out in float64, factors of 1 and terms of 0 are left out, and so is
    /// what no result needs. The inputs stay. Results differ in rounding.
    ///
    /// Zero times a number is 0, though that number might be infinite: a derivative that vanishes has this form.
    pub fn simplified(&self, results: &[Id]) -> (Self, Vec<Id>) {
        // Once more without what the first pass has made needless.
        let (graph, results) = self.simplified_once(results);
        graph.simplified_once(&results)
    }

    fn simplified_once(&self, results: &[Id]) -> (Self, Vec<Id>) {
        let mut simple = Self { names: self.names.clone(), ..Self::default() };
        let mut places: Vec<Option<Id>> = Vec::with_capacity(self.operations.len());
        for (op, needed) in self.operations.iter().zip(self.needed(results)) {
            let at = |id: Id| places[id.place()].expect("what is read is needed");
            let made = needed.then(|| simple.simple(op, at));
            places.push(made);
        }
        let results = results.iter().map(|id| places[id.place()].expect("results are needed")).collect();
        (simple, results)
    }

    /// The constant that a value is.
    fn known(&self, id: Id) -> Option<f64> {
        match self.operation(id) {
            Op::Constant(value) => Some(value),
            _ => None,
        }
    }

    fn simple(&mut self, op: &Op, at: impl Fn(Id) -> Id) -> Id {
        match *op {
            Op::Input(_) | Op::Constant(_) => self.push(*op),
            Op::Of(function, x) => self.simple_function(function, at(x)),
            Op::Between(operator, a, b) => self.simple_operator(operator, at(a), at(b)),
            Op::Power(x, exponent) => match (self.known(at(x)), exponent) {
                (Some(x), _) => self.constant(x.powf(exponent)),
                (None, 1.0) => at(x),
                (None, 2.0) => self.push(Op::Between(Operator::Mul, at(x), at(x))),
                (None, 0.5) => self.push(Op::Of(Function::Sqrt, at(x))),
                (None, _) => self.push(Op::Power(at(x), exponent)),
            },
            Op::Pick([x, a, b]) => {
                let [x, a, b] = [self.of_same_sign(at(x)), at(a), at(b)];
                match self.known(x) {
                    Some(x) if x >= 0.0 => a,
                    Some(_) => b,
                    None if a == b => a,
                    None => self.push(Op::Pick([x, a, b])),
                }
            }
            // They matter to gradients alone, and those are there.
            Op::Detach(of) | Op::Surrogate { value: of, .. } => at(of),
        }
    }

    /// Something simpler that is at least 0 where `x` is: without factors that are above 0; what a spike was picked by instead of the spike.
    fn of_same_sign(&self, mut x: Id) -> Id {
        let positive = |id| self.known(id).is_some_and(|c| c > 0.0 && c.is_normal());
        loop {
            x = match (self.operation(x), self.picked(x)) {
                (Op::Between(Operator::Mul, a, b), _) if positive(a) => b,
                (Op::Between(Operator::Mul, a, b), _) if positive(b) => a,
                (_, Some((by, [above, below]))) if above >= 0.0 && below < 0.0 => by,
                _ => return x,
            }
        }
    }

    /// What picks one of two constants, and these, of such a pick with or without a constant added.
    fn picked(&self, x: Id) -> Option<(Id, [f64; 2])> {
        match self.operation(x) {
            Op::Pick([by, above, below]) => Some((by, [self.known(above)?, self.known(below)?])),
            Op::Between(Operator::Add, a, b) => {
                let (pick, c) = self.known(b).map(|c| (a, c)).or_else(|| Some((b, self.known(a)?)))?;
                self.picked(pick).map(|(by, values)| (by, values.map(|value| value + c)))
            }
            _ => None,
        }
    }

    /// The sum of two picks by the same number, of which one is 0 where the other is not: the gradient of what a reset may have changed.
    fn sum_of_picks(&mut self, a: Id, b: Id) -> Option<Id> {
        let (Op::Pick([by, a, a_below]), Op::Pick([same, b, b_below])) = (self.operation(a), self.operation(b)) else {
            return None;
        };
        let zero = |id| self.known(id) == Some(0.0);
        let (above, below) = match by == same {
            true if zero(a_below) && zero(b) => (a, b_below),
            true if zero(a) && zero(b_below) => (b, a_below),
            _ => return None,
        };
        Some(if above == below { above } else { self.push(Op::Pick([by, above, below])) })
    }

    fn simple_function(&mut self, function: Function, x: Id) -> Id {
        match (function, self.operation(x)) {
            (_, Op::Constant(c)) => self.constant(function.of(c)),
            (Function::Neg, Op::Of(Function::Neg, inner)) => inner,
            _ => self.push(Op::Of(function, x)),
        }
    }

    fn simple_operator(&mut self, operator: Operator, a: Id, b: Id) -> Id {
        use Operator::{Add, Div, Mul, Sub};
        match (operator, self.known(a), self.known(b)) {
            (_, Some(a), Some(b)) => self.constant(operator.of(a, b)),
            (Add | Sub, _, Some(0.0)) | (Mul | Div, _, Some(1.0)) => a,
            (Add, Some(0.0), _) | (Mul, Some(1.0), _) => b,
            (Sub, Some(0.0), _) | (Mul, Some(-1.0), _) => self.simple_function(Function::Neg, b),
            (Mul | Div, _, Some(-1.0)) => self.simple_function(Function::Neg, a),
            (Mul, Some(0.0), _) | (Mul, _, Some(0.0)) | (Div, Some(0.0), _) => self.constant(0.0),
            // A division takes several times as long as a product.
            (Div, None, Some(b)) if b.recip().is_normal() => {
                let recip = self.constant(b.recip());
                self.push(Op::Between(Mul, a, recip))
            }
            (Add, None, None) => self.sum_of_picks(a, b).unwrap_or_else(|| self.push(Op::Between(Add, a, b))),
            _ => self.push(Op::Between(operator, a, b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Listing, Num};

    #[test]
    fn what_is_known_is_worked_out() {
        let listing = Listing::new();
        let x = listing.name("x");
        let half = x.lit(3.0) / x.lit(6.0);
        let y = (x.clone() * (half.clone() + half) + x.lit(0.0)) / x.lit(4.0) - x.lit(2.0) * x.lit(0.0) * x.clone();
        let (graph, results) = listing.graph().simplified(&[y.id()]);
        assert_eq!(graph.statements(&results), "    const real t2 = x * real(2.5e-1);\n");
        assert_eq!(graph.evaluate(&results, &[3.0]), [0.75]);
    }

    /// A reset adds 2 where `x >= 0`, by the spike. The gradient passes it unchanged, and asks for no spike.
    #[test]
    fn the_gradient_of_a_reset_by_an_addition_is_none_of_its_business() {
        let listing = Listing::new();
        let [x, s, g] = ["x", "s", "g"].map(|name| listing.name(name));
        let spike = x.heaviside().shift(-0.5);
        let next = spike.pick(s.clone().shift(2.0), s.clone());
        let mut graph = listing.graph();
        let by_s = graph.gradient(&[(next.id(), g.id())], &[s.id()]);
        let (gradient, results) = graph.simplified(&by_s);
        assert_eq!(gradient.operand(results[0]), "g");
        let (step, results) = graph.simplified(&[next.id()]);
        assert_eq!(step.statements(&results).lines().count(), 2, "{}", step.statements(&results));
        for (x, next) in [(-1.0, 0.5), (0.0, 2.5), (f64::NAN, 0.5)] {
            assert_eq!(step.evaluate(&results, &[x, 0.5, 0.0]), [next]);
        }
    }
}
