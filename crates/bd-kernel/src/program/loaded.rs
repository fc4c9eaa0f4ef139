//! [`Loaded`]: a program with constants of the type that it calculates with.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use super::{Instruction, Program, Row};
use crate::Real;
use crate::compiled::Compiled;

/// A [`Program`] with constants of the type that it calculates with.
#[derive(Debug)]
pub(crate) struct Loaded<F> {
    pub(super) instructions: Vec<(Row, Instruction<F>)>,
    /// Rows from here on do not occur.
    pub(super) rows: usize,
    pub(super) compiled: Option<Arc<Compiled>>,
}

/// A program for numbers of either type, made when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct LoadedOnce {
    single: OnceLock<Arc<Loaded<f32>>>,
    double: OnceLock<Arc<Loaded<f64>>>,
}

impl LoadedOnce {
    fn of<F: Real>(&self) -> &OnceLock<Arc<Loaded<F>>> {
        let both: [&dyn Any; 2] = [&self.single, &self.double];
        both.into_iter().find_map(|one| one.downcast_ref()).expect("numbers are of one of two types")
    }
}

impl Program {
    /// For numbers of this type.
    pub(crate) fn load<F: Real>(&self) -> &Arc<Loaded<F>> {
        self.loaded.of().get_or_init(|| Arc::new(self.with_constants()))
    }

    fn with_constants<F: Real>(&self) -> Loaded<F> {
        let instructions: Vec<_> =
            self.instructions.iter().map(|(to, instruction)| (*to, instruction.with(F::of))).collect();
        let rows = instructions
            .iter()
            .flat_map(|(to, instruction)| instruction.clone().reads().map(|row| *row).chain([*to]).collect::<Vec<_>>());
        let rows = rows.map(|row| usize::from(row) + 1).max().unwrap_or(0);
        Loaded { instructions, rows, compiled: self.compiled.clone() }
    }
}
