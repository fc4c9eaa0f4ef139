//! A graph as statements in CUDA C.

use super::{Function, Graph, Id, Listing, Op, Operator};
use crate::num::phi_by_series;

impl Graph {
    /// The name of a value in the text, or a constant.
    pub fn operand(&self, id: Id) -> String {
        self.named("", id)
    }

    /// The statements that some results need, one a line.
    pub fn statements(&self, results: &[Id]) -> String {
        self.with_names("", results)
    }

    /// Names that begin like this.
    fn named(&self, prefix: &str, id: Id) -> String {
        match self.operation(id) {
            Op::Input(i) => self.names[i].clone(),
            Op::Constant(value) => constant(value),
            Op::Detach(of) | Op::Surrogate { value: of, .. } => self.named(prefix, of),
            _ => format!("{prefix}t{}", id.place()),
        }
    }

    fn with_names(&self, prefix: &str, results: &[Id]) -> String {
        let needed = self.needed(results).into_iter().enumerate().filter(|(_, needed)| *needed);
        needed.map(|(place, _)| self.statement(prefix, Id::at(place))).collect()
    }

    /// What makes a value; nothing if it is another name of something.
    fn statement(&self, prefix: &str, id: Id) -> String {
        let operand = |id: Id| self.named(prefix, id);
        let expression = match self.operation(id) {
            Op::Input(_) | Op::Constant(_) | Op::Detach(_) | Op::Surrogate { .. } => return String::new(),
            Op::Of(Function::Phi(k), a) => return phi(k, &operand(a), &operand(id)),
            Op::Of(Function::Neg, a) => format!("-{}", operand(a)),
            Op::Of(Function::Sigmoid, a) => format!("real(1) / (exp(-{}) + real(1))", operand(a)),
            Op::Of(function, a) => format!("{}({})", name(function), operand(a)),
            Op::Between(operator, a, b) => format!("{} {} {}", operand(a), sign(operator), operand(b)),
            Op::Power(a, exponent) => format!("pow({}, {})", operand(a), constant(exponent)),
            Op::Pick([x, a, b]) => format!("{} >= real(0) ? {} : {}", operand(x), operand(a), operand(b)),
        };
        assignment(&operand(id), &expression)
    }
}

fn assignment(name: &str, expression: &str) -> String {
    format!("    const real {name} = {expression};\n")
}

fn sign(operator: Operator) -> char {
    match operator {
        Operator::Add => '+',
        Operator::Sub => '-',
        Operator::Mul => '*',
        Operator::Div => '/',
    }
}

fn name(function: Function) -> &'static str {
    match function {
        Function::Abs => "fabs",
        Function::Exp => "exp",
        Function::Ln => "log",
        Function::Sqrt => "sqrt",
        Function::Tanh => "tanh",
        Function::Sin => "sin",
        Function::Cos => "cos",
        Function::Atan => "atan",
        Function::Erf => "erf",
        Function::Neg | Function::Sigmoid | Function::Phi(_) => unreachable!("these are expressions"),
    }
}

/// In brackets, for `-real(..)` has to be read too.
fn constant(value: f64) -> String {
    // `{:e}` writes the shortest digits that read back as the same number. Infinity has no digits, and its name is in a header.
    match value.is_finite() {
        true => format!("real({value:e})"),
        false => format!("real(__longlong_as_double({:#x}))", value.to_bits()),
    }
}

/// There is no such function in CUDA: the statements of its definition, under names of their own.
fn phi(k: usize, x: &str, result: &str) -> String {
    let listing = Listing::new();
    let y = phi_by_series(listing.name(x), k).id();
    let (graph, prefix) = (listing.graph(), format!("{result}_"));
    graph.with_names(&prefix, &[y]) + &assignment(result, &graph.named(&prefix, y))
}

#[cfg(test)]
mod tests {
    use crate::{Listing, Num};

    #[test]
    fn the_text_is_the_formula_and_nothing_is_written_twice() {
        let listing = Listing::new();
        let x = listing.name("x");
        let y = (x.lit(1.0) / (x.lit(100.0) * x.clone().abs() + x.lit(1.0)).square()).pick(x.lit(0.1), -x.clone());
        let text = "    const real t3 = fabs(x);
    const real t4 = real(1e2) * t3;
    const real t5 = t4 + real(1e0);
    const real t6 = t5 * t5;
    const real t7 = real(1e0) / t6;
    const real t9 = -x;
    const real t10 = t7 >= real(0) ? real(1e-1) : t9;
";
        let _unused = y.clone() * x;
        assert_eq!(
            (listing.statements(std::slice::from_ref(&y)).unwrap().as_str(), y.operand().as_str()),
            (text, "t10")
        );
        assert!(listing.depends(std::slice::from_ref(&y), "x") && !listing.depends(&[y], "s[0]"));
    }

    #[test]
    fn what_cuda_has_no_function_for_is_written_out() {
        let listing = Listing::new();
        let y = listing.name("x").exp().phi(1);
        let text = listing.statements(std::slice::from_ref(&y)).unwrap();
        let (first, last) = (text.lines().nth(1).unwrap(), text.lines().last().unwrap());
        assert_eq!(first, "    const real t2_t1 = fabs(t1);");
        assert!(last.starts_with("    const real t2 = t2_t") && y.operand() == "t2", "{text}");
    }

    /// IEEE 754: a sign, eleven ones, and 52 zeros.
    #[test]
    fn infinity_is_written_by_its_bits() {
        let x = Listing::new().name("x");
        assert_eq!(x.lit(f64::INFINITY).operand(), "real(__longlong_as_double(0x7ff0000000000000))");
        assert_eq!(x.lit(f64::NEG_INFINITY).operand(), "real(__longlong_as_double(0xfff0000000000000))");
    }
}
