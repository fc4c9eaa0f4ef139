//! [`Graph`]: a formula as data, from which follow its text, its gradient, and programs of an interpreter.

use std::collections::HashMap;

use crate::Num;

mod gradient;
mod listing;
mod simplify;
mod text;

pub use listing::{Code, Listing};

/// A value of a [`Graph`]: the place of the operation that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u32);

impl Id {
    fn at(place: usize) -> Self {
        Self(u32::try_from(place).expect("a formula has fewer than 2^32 operations"))
    }

    /// The place among [`Graph::operations`].
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // they are those of `Num`
pub enum Function {
    Neg,
    Abs,
    Exp,
    Ln,
    Sqrt,
    Tanh,
    Sin,
    Cos,
    Atan,
    Erf,
    Sigmoid,
    Phi(usize),
}

impl Function {
    /// Of a number of any kind.
    pub fn of<N: Num>(self, x: N) -> N {
        match self {
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Tanh => x.tanh(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Atan => x.atan(),
            Self::Erf => x.erf(),
            Self::Sigmoid => x.sigmoid(),
            Self::Phi(k) => x.phi(k),
        }
    }
}

/// What is between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // their names say it
pub enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operator {
    /// Of two numbers of any kind.
    pub fn of<N: Num>(self, a: N, b: N) -> N {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
        }
    }
}

/// One operation of a [`Graph`]. What it reads stands before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// The input of this number.
    Input(usize),
    /// A constant.
    Constant(f64),
    /// A function.
    Of(Function, Id),
    /// An operator.
    Between(Operator, Id, Id),
    /// `x^exponent` for `x > 0`.
    Power(Id, f64),
    /// The second where the first is `>= 0`, else the third.
    Pick([Id; 3]),
    /// The same value, outside the gradient.
    Detach(Id),
    /// The value of `value`, which stands for a function of `of` whose derivative is `slope`: a spike.
    Surrogate {
        /// What it is.
        value: Id,
        /// What it depends on in the gradient, and in nothing else.
        of: Id,
        /// The derivative.
        slope: Id,
    },
}

impl Op {
    /// What it reads for its value.
    pub fn reads(&self) -> impl Iterator<Item = Id> {
        let all = match *self {
            Self::Input(_) | Self::Constant(_) => [None; 3],
            Self::Of(_, a) | Self::Power(a, _) | Self::Detach(a) | Self::Surrogate { value: a, .. } => {
                [Some(a), None, None]
            }
            Self::Between(_, a, b) => [Some(a), Some(b), None],
            Self::Pick(all) => all.map(Some),
        };
        all.into_iter().flatten()
    }

    /// Its value from those before it, given the inputs.
    fn of<N: Num>(&self, value: impl Fn(Id) -> N, inputs: &[N]) -> N {
        match *self {
            Self::Input(i) => inputs[i].clone(),
            Self::Constant(c) => inputs[0].lit(c),
            Self::Of(function, a) => function.of(value(a)),
            Self::Between(operator, a, b) => operator.of(value(a), value(b)),
            Self::Power(a, exponent) => value(a).powf(exponent),
            Self::Pick([x, a, b]) => value(x).pick(value(a), value(b)),
            Self::Detach(a) => value(a).detach(),
            Self::Surrogate { value: a, .. } => value(a),
        }
    }

    /// By its bits, for equal operations are made once.
    fn key(&self) -> (u8, u64, u64, u64) {
        let id = |id: Id| u64::from(id.0);
        match *self {
            Self::Input(i) => (0, i as u64, 0, 0),
            Self::Constant(c) => (1, c.to_bits(), 0, 0),
            Self::Of(function, a) => (2, id(a), function.code(), 0),
            Self::Between(operator, a, b) => (3, id(a), id(b), operator as u64),
            Self::Power(a, exponent) => (4, id(a), exponent.to_bits(), 0),
            Self::Pick([x, a, b]) => (5, id(x), id(a), id(b)),
            Self::Detach(a) => (6, id(a), 0, 0),
            Self::Surrogate { value, of, slope } => (7, id(value), id(of), id(slope)),
        }
    }
}

impl Function {
    fn code(self) -> u64 {
        match self {
            Self::Neg => 0,
            Self::Abs => 1,
            Self::Exp => 2,
            Self::Ln => 3,
            Self::Sqrt => 4,
            Self::Tanh => 5,
            Self::Sin => 6,
            Self::Cos => 7,
            Self::Atan => 8,
            Self::Erf => 9,
            Self::Sigmoid => 10,
            Self::Phi(k) => 16 + k as u64,
        }
    }
}

/// Operations, each of which reads results of earlier ones. Equal operations are there once.
///
/// ```
/// use bd_kernel::{Listing, Num};
///
/// let formula = Listing::new();
/// let [v, x] = ["v", "x"].map(|name| formula.name(name));
/// let next = v.clone() + (x - v.clone()).scale(0.05);
/// let mut graph = formula.graph();
/// let (one, results) = (graph.constant(1.0), [next.id()]);
/// assert_eq!(graph.evaluate(&results, &[2.0, 4.0]), [2.1]);
/// let by_v = graph.gradient(&[(next.id(), one)], &[v.id()]);
/// assert_eq!(graph.evaluate(&by_v, &[2.0, 4.0]), [0.95]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Graph {
    operations: Vec<Op>,
    known: HashMap<(u8, u64, u64, u64), Id>,
    /// Of the inputs.
    names: Vec<String>,
}

impl Graph {
    /// The operations in order.
    pub fn operations(&self) -> &[Op] {
        &self.operations
    }

    /// Names of the inputs, in the order of their numbers.
    pub fn inputs(&self) -> &[String] {
        &self.names
    }

    /// The operation that makes a value.
    pub fn operation(&self, id: Id) -> Op {
        self.operations[id.place()]
    }

    /// The result of an operation, whether it was there or not.
    pub fn push(&mut self, op: Op) -> Id {
        let next = Id::at(self.operations.len());
        let id = *self.known.entry(op.key()).or_insert(next);
        if id == next {
            self.operations.push(op);
        }
        id
    }

    /// The input of this name.
    pub fn input(&mut self, name: &str) -> Id {
        let place = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.push(Op::Input(place))
    }

    /// A constant.
    pub fn constant(&mut self, value: f64) -> Id {
        self.push(Op::Constant(value))
    }

    /// For each operation whether some results need it.
    pub fn needed(&self, results: &[Id]) -> Vec<bool> {
        let mut needed = vec![false; self.operations.len()];
        results.iter().for_each(|id| needed[id.place()] = true);
        for place in (0..needed.len()).rev() {
            if needed[place] {
                self.operations[place].reads().for_each(|id| needed[id.place()] = true);
            }
        }
        needed
    }

    /// Whether some results depend on the input of this name.
    pub fn depends(&self, results: &[Id], name: &str) -> bool {
        let needed = self.needed(results);
        let is_it = |op: &Op| matches!(op, Op::Input(i) if self.names[*i] == name);
        self.operations.iter().zip(needed).any(|(op, needed)| needed && is_it(op))
    }

    /// Some results, of inputs of any kind of number, in the order of [`inputs`](Self::inputs). There must be one.
    pub fn evaluate<N: Num>(&self, results: &[Id], inputs: &[N]) -> Vec<N> {
        let mut values: Vec<Option<N>> = Vec::with_capacity(self.operations.len());
        for (op, needed) in self.operations.iter().zip(self.needed(results)) {
            let value = |id: Id| values[id.place()].clone().expect("what is read is needed");
            let made = needed.then(|| op.of(value, inputs));
            values.push(made);
        }
        results.iter().map(|id| values[id.place()].clone().expect("results are needed")).collect()
    }
}
