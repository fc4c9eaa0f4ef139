//! [`Graph`]: what a `.nir` file holds.

use std::collections::BTreeMap;

/// The names under which arrays and nodes are found, in the order of names, as the package `nir` gives them.
pub type Named<T> = BTreeMap<String, T>;

/// Nodes and how they are connected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// By their names.
    pub nodes: Named<Node>,
    /// From the first to the second.
    pub edges: Vec<(String, String)>,
    /// What else is said; no program relies on it.
    pub metadata: Named<Meta>,
}

/// A node of a graph.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// One with numbers.
    Plain(Plain),
    /// A graph of its own, such as a layer with synapses within.
    Graph(Graph),
}

/// A node with numbers, such as `LIF` or `Affine`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plain {
    /// Its `type`.
    pub kind: String,
    /// Its arrays.
    pub fields: Named<Array>,
    /// What else is said.
    pub metadata: Named<Meta>,
}

/// Something in `metadata`.
#[derive(Debug, Clone, PartialEq)]
pub enum Meta {
    /// A text.
    Text(String),
    /// Numbers; a single one has no dimensions.
    Numbers(Array),
}

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its numbers in the order of rows.
    pub numbers: Numbers,
}

/// Numbers as a file has them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // each is its type
pub enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

impl Array {
    /// float32, of one dimension, rounded.
    pub fn of_units(numbers: &[f64]) -> Self {
        Self { shape: vec![numbers.len()], numbers: Numbers::F32(numbers.iter().map(|&x| x as f32).collect()) }
    }

    /// One number, float64.
    pub fn scalar(number: f64) -> Self {
        Self { shape: Vec::new(), numbers: Numbers::F64(vec![number]) }
    }

    /// Dimensions of an input or output of `n` channels.
    pub fn shape_of(n: usize) -> Self {
        Self { shape: vec![1], numbers: Numbers::I64(vec![n as i64]) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::F64(numbers) => numbers.len(),
            Numbers::I64(numbers) => numbers.len(),
        }
    }

    /// All of them, as float64.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(numbers) => numbers.clone(),
            Numbers::I64(numbers) => numbers.iter().map(|&x| x as f64).collect(),
        }
    }

    /// That of `[rows, columns]` with the two exchanged; `None` of other arrays.
    pub fn transposed(&self) -> Option<Self> {
        let [rows, columns] = self.shape[..] else { return None };
        fn turn<T: Copy>(from: &[T], rows: usize, columns: usize) -> Vec<T> {
            (0..columns).flat_map(|column| (0..rows).map(move |row| from[row * columns + column])).collect()
        }
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => Numbers::F32(turn(numbers, rows, columns)),
            Numbers::F64(numbers) => Numbers::F64(turn(numbers, rows, columns)),
            Numbers::I64(numbers) => Numbers::I64(turn(numbers, rows, columns)),
        };
        Some(Self { shape: vec![columns, rows], numbers })
    }

    /// With each column multiplied by its factor, of `[.., column]`, rounded once.
    pub fn scaled_columns(&self, factors: &[f64]) -> Self {
        let each = |at: usize, x: f64| x * factors[at % factors.len()];
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => {
                Numbers::F32(numbers.iter().enumerate().map(|(at, &x)| each(at, f64::from(x)) as f32).collect())
            }
            _ => Numbers::F64(self.to_f64().into_iter().enumerate().map(|(at, x)| each(at, x)).collect()),
        };
        Self { shape: self.shape.clone(), numbers }
    }
}

impl Node {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Plain(plain) => &plain.kind,
            Self::Graph(_) => "NIRGraph",
        }
    }
}

impl Plain {
    /// A node of a type with these arrays.
    pub fn new(kind: &str, fields: impl IntoIterator<Item = (&'static str, Array)>) -> Self {
        let fields = fields.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
        Self { kind: kind.to_owned(), fields, metadata: Named::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let array = Array { shape: vec![2, 3], numbers: Numbers::I64(vec![1, 2, 3, 4, 5, 6]) };
        let turned = array.transposed().unwrap();
        assert_eq!(turned, Array { shape: vec![3, 2], numbers: Numbers::I64(vec![1, 4, 2, 5, 3, 6]) });
        assert_eq!(turned.transposed().unwrap(), array);
        assert!(Array::scalar(1.0).transposed().is_none());
    }

    #[test]
    fn columns_have_factors() {
        let array = Array { shape: vec![2, 2], numbers: Numbers::F32(vec![1.0, 2.0, 3.0, 4.0]) };
        assert_eq!(array.scaled_columns(&[2.0, 0.5]).to_f64(), [2.0, 1.0, 6.0, 2.0]);
    }
}
