//! The interpreter: one loop over the numbers of a row for each instruction.

use super::{Instruction, Program, Row};
use crate::cpu::{Cpu, Instructions, Loops, vectorised};
use crate::functions::{exp, phi_1, phi_2, sigmoid, tanh};
use crate::lanes::{read, write};
use crate::{Block, Function, Real};

/// Numbers of a row that a loop works on at once: a row has a multiple of it.
pub(crate) const CHUNK: usize = 32;

/// Rows of numbers, all as long as each other.
#[derive(Debug)]
pub(crate) struct Registers<F: Real> {
    numbers: Block<F>,
    width: usize,
}

impl<F: Real> Registers<F> {
    /// Zeros: rows for numbers `[width]`, rounded up to whole [chunks](CHUNK).
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        let width = width.next_multiple_of(CHUNK);
        Self { numbers: Block::zeros(rows * width), width }
    }

    /// A row.
    pub(crate) fn row(&self, row: usize) -> &[F] {
        &self.numbers[row * self.width..][..self.width]
    }

    /// A row, to be written.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [F] {
        &mut self.numbers[row * self.width..][..self.width]
    }
}

/// A [`Program`] with constants of the type that it calculates with.
#[derive(Debug)]
pub(crate) struct Loaded<F>(Vec<(Row, Instruction<F>)>);

impl Program {
    /// For numbers of this type.
    pub(crate) fn load<F: Real>(&self) -> Loaded<F> {
        Loaded(self.instructions.iter().map(|(to, instruction)| (*to, instruction.with(F::of))).collect())
    }
}

impl<F: Real> Loaded<F> {
    /// Once from the first instruction to the last.
    #[inline]
    pub(crate) fn run(&self, instructions: Instructions, registers: &mut Registers<F>) {
        run(instructions, &self.0, registers);
    }
}

/// Compiled once for all programs.
#[inline(never)]
fn run<F: Real>(instructions: Instructions, program: &[(Row, Instruction<F>)], registers: &mut Registers<F>) {
    let width = registers.width;
    vectorised(instructions, Running { program, numbers: &mut registers.numbers, width });
}

struct Running<'a, F> {
    program: &'a [(Row, Instruction<F>)],
    numbers: &'a mut [F],
    width: usize,
}

impl<F: Real> Loops for Running<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { program, numbers, width } = self;
        // Written as a macro: a closure might be left out of line, and then compiled for the oldest processor.
        macro_rules! each {
            ($to:expr, $n:expr, [$($x:ident),+], $y:expr) => {
                for i in (0..width).step_by($n) {
                    $(let $x: [F; $n] = read(numbers, usize::from($x) * width + i);)+
                    let mut out = [F::default(); $n];
                    for lane in 0..$n {
                        $(let $x = $x[lane];)+
                        out[lane] = $y;
                    }
                    write(numbers, usize::from($to) * width + i, &out);
                }
            };
        }
        let zero = F::default();
        for (to, instruction) in program {
            match *instruction {
                Instruction::Affine { a, k, l } => each!(*to, CHUNK, [a], C::mul_add(k, a, l)),
                Instruction::Sum { a, b, k, l } => each!(*to, CHUNK, [a, b], C::mul_add(k, a, l * b)),
                Instruction::Product { a, b, k, l } => each!(*to, CHUNK, [a, b], C::mul_add(k * a, b, l)),
                Instruction::ProductSum { a, b, c, k, l } => {
                    each!(*to, CHUNK, [a, b, c], C::mul_add(k * a, b, l * c));
                }
                Instruction::Quotient { a, b, k } => each!(*to, CHUNK, [a, b], k * a / b),
                Instruction::Reciprocal { a, k, l } => each!(*to, CHUNK, [a], k / (a + l)),
                Instruction::Pick { a, b, c } => {
                    each!(*to, CHUNK, [a, b, c], if a >= zero { b } else { c });
                }
                Instruction::Replace { a, b, k, l } => {
                    each!(*to, CHUNK, [a, b], if a >= l { k } else { b });
                }
                Instruction::Choose { a, k, l } => each!(*to, CHUNK, [a], if a >= zero { k } else { l }),
                Instruction::Power { a, k, l } => each!(*to, 8, [a], power(k * a, l)),
                Instruction::Of { f, a, k, l } => match f {
                    Function::Abs => each!(*to, CHUNK, [a], C::mul_add(k, a, l).abs()),
                    Function::Neg => each!(*to, CHUNK, [a], -C::mul_add(k, a, l)),
                    Function::Sqrt => each!(*to, CHUNK, [a], C::mul_add(k, a, l).sqrt()),
                    Function::Exp => each!(*to, 16, [a], exp::<C, F>(C::mul_add(k, a, l))),
                    Function::Phi(1) => each!(*to, 16, [a], phi_1::<C, F>(C::mul_add(k, a, l))),
                    Function::Phi(2) => each!(*to, 16, [a], phi_2::<C, F>(C::mul_add(k, a, l))),
                    Function::Sigmoid => each!(*to, 16, [a], sigmoid::<C, F>(C::mul_add(k, a, l))),
                    Function::Tanh => each!(*to, 16, [a], tanh::<C, F>(C::mul_add(k, a, l))),
                    // A call for each number.
                    rare => each!(*to, 8, [a], rarely(rare, C::mul_add(k, a, l))),
                },
            }
        }
    }
}

#[inline(never)]
fn power<F: Real>(x: F, exponent: F) -> F {
    x.power(exponent)
}

/// Functions that are calls of libm, not loops.
#[inline(never)]
fn rarely<F: Real>(function: Function, x: F) -> F {
    function.of(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::every_operation;
    use crate::{Listing, Num};

    /// Of every instruction set, in both dtypes, against plain numbers.
    fn check<F: Real + Into<f64>>(tolerance: f64) {
        let listing = Listing::new();
        let [x, s, h] = ["x", "s", "h"].map(|name| listing.name(name));
        // Both states are exchanged, and the output is one of them as it was.
        let y = every_operation(x.clone() * s.clone())
            + (h.clone().shift(2.0) * s.clone().shift(1.0)).scale(0.5)
            + h.recip();
        let results = [(y.id(), Some(1)), (s.id(), Some(0)), (x.id(), None), (y.id(), None), (s.lit(7.0).id(), None)];
        let program = Program::new(&listing.graph(), &results);
        let levels = [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()];
        for instructions in levels.into_iter().flatten() {
            let mut registers = Registers::<F>::new(program.rows(), 40);
            let given = |i: usize| [0.37 * i as f64 - 8.0, 0.3, 1.5 + 0.01 * i as f64].map(F::of);
            for i in 0..40 {
                for (row, value) in given(i).into_iter().enumerate() {
                    registers.row_mut(row)[i] = value;
                }
            }
            program.load::<F>().run(instructions, &mut registers);
            for i in 0..40 {
                let [x, s, h]: [f64; 3] = given(i).map(Into::into);
                let y = every_operation(x * s) + (h + 2.0) * (s + 1.0) * 0.5 + h.recip();
                let found: [f64; 6] = std::array::from_fn(|r| match r {
                    5 => registers.row(2)[i].into(),
                    _ => registers.row(program.result(r))[i].into(),
                });
                for (found, exact) in found.into_iter().zip([y, s, x, y, 7.0, h]) {
                    assert!(
                        (found - exact).abs() < tolerance * exact.abs().max(1.0),
                        "at {x}: {found} and not {exact}"
                    );
                }
            }
            assert_eq!([program.result(0), program.result(1)], [1, 0]);
        }
    }

    #[test]
    fn programs_are_their_formulas() {
        check::<f64>(1e-13);
        check::<f32>(2e-4);
    }
}
