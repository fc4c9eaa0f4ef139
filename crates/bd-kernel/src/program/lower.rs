//! From the operations of a graph to instructions that do several of them at once.

use std::collections::HashMap;

use super::{Instruction, Row};
use crate::{Function, Graph, Id, Op, Operator};

/// Instructions, each with a row of its own, and the rows of the results.
pub(super) struct Lowered {
    pub(super) inputs: usize,
    /// The `i`th writes row `inputs + i`.
    pub(super) instructions: Vec<Instruction>,
    pub(super) results: Vec<Row>,
}

/// How a value follows from rows. Constants and factors are put off until an instruction takes them along.
#[derive(Debug, Clone, Copy)]
enum View {
    Constant(f64),
    /// `k row + l`.
    Affine {
        row: Row,
        k: f64,
        l: f64,
    },
    /// `k a b + l`, for a sum to take along: only of a product that nothing else reads.
    Product {
        a: Row,
        b: Row,
        k: f64,
        l: f64,
    },
}

struct Lowering {
    lowered: Lowered,
    /// Rows by what makes them: nothing is calculated twice.
    known: HashMap<String, Row>,
    views: Vec<View>,
}

/// The graph is [simplified](Graph::simplified).
pub(super) fn lower(graph: &Graph, results: &[Id]) -> Lowered {
    // How many operations or results read each value.
    let mut uses = vec![0; graph.operations().len()];
    let read = graph.operations().iter().flat_map(Op::reads).chain(results.iter().copied());
    read.for_each(|id| uses[id.place()] += 1);
    let lowered = Lowered { inputs: graph.inputs().len(), instructions: Vec::new(), results: Vec::new() };
    let mut lowering = Lowering { lowered, known: HashMap::new(), views: Vec::new() };
    for (place, op) in graph.operations().iter().enumerate() {
        let view = lowering.view(op, uses[place] == 1);
        lowering.views.push(view);
    }
    for id in results {
        let row = lowering.row(lowering.views[id.place()]);
        lowering.lowered.results.push(row);
    }
    lowering.lowered
}

impl Lowering {
    fn emit(&mut self, instruction: Instruction) -> Row {
        let row = self.lowered.inputs + self.lowered.instructions.len();
        let row = Row::try_from(row).expect("limits of formulas keep the number of rows below 65,536");
        let instruction = instruction.without_zeros();
        // `{:?}` writes all digits.
        *self.known.entry(format!("{instruction:?}")).or_insert_with(|| {
            self.lowered.instructions.push(instruction);
            row
        })
    }

    fn made(&mut self, instruction: Instruction) -> View {
        View::Affine { row: self.emit(instruction), k: 1.0, l: 0.0 }
    }

    fn of(&self, id: Id) -> View {
        self.views[id.place()]
    }

    /// As `k row + l`; of a constant with `k = 0`.
    fn affine(&mut self, view: View) -> (Row, f64, f64) {
        match view {
            View::Constant(value) => (0, 0.0, value),
            View::Affine { row, k, l } => (row, k, l),
            View::Product { a, b, k, l } => (self.emit(Instruction::Product { a, b, k, l }), 1.0, 0.0),
        }
    }

    /// As `k row`.
    fn scaled(&mut self, view: View) -> (Row, f64) {
        match self.affine(view) {
            (row, k, 0.0) if !matches!(view, View::Constant(_)) => (row, k),
            _ => (self.row(view), 1.0),
        }
    }

    /// As a row.
    fn row(&mut self, view: View) -> Row {
        match view {
            View::Affine { row, k: 1.0, l: 0.0 } => row,
            // Any row, times zero: but it might be infinite.
            View::Constant(value) => self.emit(Instruction::Choose { a: 0, k: value, l: value, m: 0.0 }),
            _ => match self.affine(view) {
                (row, 1.0, 0.0) => row,
                (a, k, l) => self.emit(Instruction::Affine { a, k, l }),
            },
        }
    }

    fn view(&mut self, op: &Op, once: bool) -> View {
        match *op {
            Op::Input(i) => View::Affine { row: i as Row, k: 1.0, l: 0.0 },
            Op::Constant(value) => View::Constant(value),
            Op::Of(Function::Neg, x) => negative(self.of(x)),
            Op::Of(f, x) => {
                let (a, k, l) = self.affine(self.of(x));
                self.made(Instruction::Of { f, a, k, l })
            }
            Op::Power(x, exponent) => {
                let (a, k) = self.scaled(self.of(x));
                self.made(Instruction::Power { a, k, l: exponent })
            }
            Op::Between(Operator::Add, a, b) => self.sum(self.of(a), self.of(b)),
            Op::Between(Operator::Sub, a, b) => self.sum(self.of(a), negative(self.of(b))),
            Op::Between(Operator::Mul, a, b) => self.product(self.of(a), self.of(b), once),
            Op::Between(Operator::Div, a, b) => self.quotient(self.of(a), self.of(b)),
            Op::Pick([x, a, b]) => self.pick(self.of(x), self.of(a), self.of(b)),
            Op::Detach(of) | Op::Surrogate { value: of, .. } => self.of(of),
        }
    }

    fn sum(&mut self, a: View, b: View) -> View {
        let instruction = match (a, b) {
            (View::Constant(c), other) | (other, View::Constant(c)) => return shifted(other, c),
            (View::Affine { row: a, k, l }, View::Affine { row: b, k: m, l: n }) if a == b => {
                return View::Affine { row: a, k: k + m, l: l + n };
            }
            (View::Affine { row: a, k, l }, View::Affine { row: b, k: m, l: n }) => {
                Instruction::Sum { a, b, k, l: m, m: l + n }
            }
            (View::Product { a, b, k, l }, other) | (other, View::Product { a, b, k, l }) => {
                let (c, m, n) = self.affine(other);
                Instruction::ProductSum { a, b, c, k, l: m, m: l + n }
            }
        };
        self.made(instruction)
    }

    fn product(&mut self, a: View, b: View, once: bool) -> View {
        if let (View::Constant(c), other) | (other, View::Constant(c)) = (a, b) {
            return times(other, c);
        }
        let ((a, k, l), (b, m, n)) = (self.affine(a), self.affine(b));
        match (l, n) {
            (0.0, 0.0) if once => View::Product { a, b, k: k * m, l: 0.0 },
            (0.0, 0.0) => self.made(Instruction::Product { a, b, k: k * m, l: 0.0 }),
            // (k a + l) m b = k m a b + l m b
            (_, 0.0) => self.made(Instruction::ProductSum { a, b, c: b, k: k * m, l: l * m, m: 0.0 }),
            (0.0, _) => self.made(Instruction::ProductSum { a, b, c: a, k: k * m, l: n * k, m: 0.0 }),
            _ => {
                let a = self.row(View::Affine { row: a, k, l });
                self.made(Instruction::ProductSum { a, b, c: a, k: m, l: n, m: 0.0 })
            }
        }
    }

    fn quotient(&mut self, a: View, b: View) -> View {
        let ((a, k, l), (b, m, n)) = match (a, b) {
            (View::Constant(c), below) => {
                let (a, k, l) = self.affine(below);
                return self.made(Instruction::Reciprocal { a, k: c / k, l: l / k });
            }
            (above, View::Constant(c)) => return times(above, c.recip()),
            _ => (self.affine(a), self.affine(b)),
        };
        let (a, k) = if l == 0.0 { (a, k) } else { (self.row(View::Affine { row: a, k, l }), 1.0) };
        let (b, m) = if n == 0.0 { (b, m) } else { (self.row(View::Affine { row: b, k: m, l: n }), 1.0) };
        self.made(Instruction::Quotient { a, b, k: k / m })
    }

    fn pick(&mut self, x: View, a: View, b: View) -> View {
        let (x, k, l) = self.affine(x);
        // `k x + l >= 0` is `x >= -l / k`, to the last digit if the division is exact.
        let (x, m) = match k > 0.0 && k.to_bits() << 12 == 0 {
            true => (x, -l / k),
            false => (self.row(View::Affine { row: x, k, l }), 0.0),
        };
        let instruction = match (a, b) {
            (View::Constant(k), View::Constant(l)) => Instruction::Choose { a: x, k, l, m },
            (View::Constant(k), b) => Instruction::Replace { a: x, b: self.row(b), k, l: m },
            (a, b) if m == 0.0 => Instruction::Pick { a: x, b: self.row(a), c: self.row(b) },
            (a, b) => {
                let x = self.row(View::Affine { row: x, k: 1.0, l: -m });
                Instruction::Pick { a: x, b: self.row(a), c: self.row(b) }
            }
        };
        self.made(instruction)
    }
}

fn negative(view: View) -> View {
    times(view, -1.0)
}

fn times(view: View, c: f64) -> View {
    match view {
        View::Constant(value) => View::Constant(value * c),
        View::Affine { row, k, l } => View::Affine { row, k: k * c, l: l * c },
        View::Product { a, b, k, l } => View::Product { a, b, k: k * c, l: l * c },
    }
}

fn shifted(view: View, c: f64) -> View {
    match view {
        View::Constant(value) => View::Constant(value + c),
        View::Affine { row, k, l } => View::Affine { row, k, l: l + c },
        View::Product { a, b, k, l } => View::Product { a, b, k, l: l + c },
    }
}
