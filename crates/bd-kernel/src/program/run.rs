//! The interpreter: one loop over the numbers of a row for each instruction.

use smallvec::SmallVec;

use super::{Instruction, Loaded, Row};
use crate::cpu::{Cpu, Instructions, Loops, vectorised};
use crate::functions::{exp, phi_1, phi_2, sigmoid, tanh};
use crate::{Block, Function, LANES, Real};

/// Numbers of a row that a loop works on at once: a row has a multiple of it.
pub(crate) const CHUNK: usize = 32;

/// Rows of numbers, all as long as each other.
#[derive(Debug)]
pub(crate) struct Registers<F: Real> {
    numbers: Block<F>,
    rows: usize,
    width: usize,
}

impl<F: Real> Registers<F> {
    /// Zeros: rows for numbers `[width]`, rounded up to whole [chunks](CHUNK).
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        let width = width.next_multiple_of(CHUNK);
        Self { numbers: Block::zeros(rows * width), rows, width }
    }

    /// A row.
    pub(crate) fn row(&self, row: usize) -> &[F] {
        &self.numbers[row * self.width..][..self.width]
    }

    /// Numbers of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Where the rows begin.
    pub(crate) fn begins(&mut self) -> impl ExactSizeIterator<Item = *mut F> {
        self.numbers.chunks_exact_mut(self.width).map(<[F]>::as_mut_ptr)
    }

    /// A row, to be written.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [F] {
        &mut self.numbers[row * self.width..][..self.width]
    }
}

/// A channel of a block of series `[unit][step][lane]`, and the row that its numbers of a step go to or come from: those of some units, side by
/// side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) row: usize,
    /// Which of the blocks.
    pub(crate) block: usize,
    /// Where the first unit's series begins.
    pub(crate) begin: usize,
    /// Of a result: whether its row has nothing but it when a program ends, and nothing before.
    pub(crate) own: bool,
    /// Of what is read: whether it is the same in all steps, `[unit][lane]`.
    pub(crate) constant: bool,
}

/// What a program reads and writes in each step of a stretch.
#[derive(Debug)]
pub(crate) struct Steps<'a, 'b, F> {
    pub(crate) program: &'a Loaded<F>,
    pub(crate) steps: usize,
    /// Whether the last step is the first.
    pub(crate) backward: bool,
    pub(crate) lanes: usize,
    pub(crate) units: usize,
    /// Blocks that are read.
    pub(crate) read: &'a [&'b [F]],
    /// Before the program.
    pub(crate) loads: &'a [Channel],
    /// Blocks that are written.
    pub(crate) written: &'a mut [&'b mut [F]],
    /// Before the program.
    pub(crate) keeps: &'a [Channel],
    /// After it.
    pub(crate) stores: &'a [Channel],
}

/// The program once for each step, by its compiled loop if it has one. The interpreter is there once for all programs.
#[inline(never)]
pub(crate) fn run_steps<F: Real>(
    instructions: Instructions,
    mut steps: Steps<'_, '_, F>,
    registers: &mut Registers<F>,
) {
    // What compiled loops rely on, too.
    assert!(steps.lanes.is_multiple_of(LANES), "lanes come in vectors");
    if let Some(compiled) = &steps.program.compiled
        && compiled.run(instructions, &mut steps, registers)
    {
        return;
    }
    vectorised(instructions, Running { steps, registers });
}

struct Running<'a, 'b, 'c, F: Real> {
    steps: Steps<'a, 'b, F>,
    registers: &'c mut Registers<F>,
}

/// Where the numbers of a row begin, and how far its chunks are apart.
#[derive(Clone, Copy)]
struct Place<F> {
    begin: *mut F,
    apart: usize,
}

impl<F: Real> Loops for Running<'_, '_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Steps { program, steps, backward, lanes, units, read, loads, written, keeps, stores } = self.steps;
        let (apart, width) = (steps * lanes, self.registers.width);
        assert!(program.rows <= self.registers.rows && width.is_multiple_of(CHUNK) && units * lanes <= width);
        let places = self.registers.begins().map(|begin| Place { begin, apart: CHUNK });
        let mut places: SmallVec<[Place<F>; 64]> = places.collect();
        // Where a chunk has the samples of one unit, instructions read and write the series themselves.
        let direct = lanes == CHUNK && units * lanes == width;
        let bound = |channel: &&Channel| direct && channel.own;
        // A row that is bound, such as a result that is an input, has its units as far apart as the series; registers have them side by
        // side.
        let units_of = |place: Place<F>| Place { apart: if direct { place.apart } else { lanes }, ..place };
        for t in 0..steps {
            let at = lanes * if backward { steps - 1 - t } else { t };
            let series = |channel: &Channel| channel.begin + at..channel.begin + at + (units - 1) * apart + lanes;
            for channel in loads.iter().filter(|channel| t == 0 || !channel.constant) {
                let (from, apart) = match channel.constant {
                    true => (channel.begin..channel.begin + units * lanes, lanes),
                    false => (series(channel), apart),
                };
                let from = &read[channel.block][from];
                match direct {
                    // Nothing writes there: a program does not write to the rows of its inputs, unless a result replaces them.
                    true => places[channel.row] = Place { begin: from.as_ptr().cast_mut(), apart },
                    // SAFETY: the row has `width` numbers, and nothing else reads or writes them meanwhile.
                    false => unsafe { gather(from, apart, lanes, places[channel.row].begin) },
                }
            }
            for channel in keeps {
                let to = &mut written[channel.block][series(channel)];
                // SAFETY: the row has `lanes` numbers for each unit, in the registers or where it was bound, that nobody else writes.
                unsafe { scatter(units_of(places[channel.row]), to, apart, lanes) };
            }
            for channel in stores.iter().filter(bound) {
                let to = &mut written[channel.block][series(channel)];
                places[channel.row] = Place { begin: to.as_mut_ptr(), apart };
            }
            // SAFETY: each row of the program has a place with `width` numbers: in the registers, or where it was bound in this step, in
            // slices that are borrowed for all of it.
            unsafe { run::<C, F>(&program.instructions, &places, width / CHUNK) };
            for channel in stores.iter().filter(|channel| !bound(channel)) {
                let to = &mut written[channel.block][series(channel)];
                // SAFETY: the row has `lanes` numbers for each unit, in the registers or where it was bound, that nobody else writes.
                unsafe { scatter(units_of(places[channel.row]), to, apart, lanes) };
            }
        }
    }
}

/// The numbers of each unit, side by side.
///
/// # Safety
/// The row has at least `lanes` numbers for each unit, and nothing else reads or writes them meanwhile.
#[inline(always)]
unsafe fn gather<F: Real>(from: &[F], apart: usize, lanes: usize, row: *mut F) {
    let units = units_in(from.len(), apart, lanes);
    // SAFETY: so many units have their lanes in `from`; the rest is the caller's promise.
    unsafe { copy_units([units, lanes], (from.as_ptr(), apart), (row, lanes)) };
}

/// The other way round, from a row whose units are [apart](Place::apart).
///
/// # Safety
/// The row has at least `lanes` numbers for each unit, and nothing else writes them meanwhile.
#[inline(always)]
unsafe fn scatter<F: Real>(row: Place<F>, to: &mut [F], apart: usize, lanes: usize) {
    let units = units_in(to.len(), apart, lanes);
    // SAFETY: so many units have their lanes in `to`; the rest is the caller's promise.
    unsafe { copy_units([units, lanes], (row.begin, row.apart), (to.as_mut_ptr(), apart)) };
}

/// Units whose lanes lie in so many numbers, the last one's to the end.
#[inline(always)]
fn units_in(numbers: usize, apart: usize, lanes: usize) -> usize {
    if numbers < lanes { 0 } else { (numbers - lanes) / apart + 1 }
}

/// Copies the lanes of units from where they are so far apart to where they are.
///
/// # Safety
/// There are so many units with so many lanes, a multiple of [`LANES`], in both, and nothing else reads or writes them meanwhile.
#[inline(always)]
unsafe fn copy_units<F: Real>([units, lanes]: [usize; 2], from: (*const F, usize), to: (*mut F, usize)) {
    // A copy of known length is a few instructions.
    macro_rules! each_has {
        ($lanes:expr) => {
            for unit in 0..units {
                for lane in (0..lanes).step_by($lanes) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let numbers = from.0.add(unit * from.1 + lane).cast::<[F; $lanes]>().read();
                        to.0.add(unit * to.1 + lane).cast::<[F; $lanes]>().write(numbers);
                    }
                }
            }
        };
    }
    match lanes {
        16 => each_has!(16),
        32 => each_has!(32),
        _ => each_has!(LANES),
    }
}

/// Once from the first instruction to the last.
///
/// # Safety
/// Each row of the instructions has a place, of so many chunks that can be read, and written if an instruction writes there.
#[inline(always)]
unsafe fn run<C: Cpu, F: Real>(program: &[(Row, Instruction<F>)], places: &[Place<F>], chunks: usize) {
    let place = |row: Row| places[usize::from(row)];
    // Written as a macro: a closure might be left out of line, and then compiled for the oldest processor.
    macro_rules! each {
            ($to:expr, $n:expr, [$($x:ident),+], $y:expr) => {
                {
                    $(let $x = place($x);)+
                    let to = place($to);
                    for chunk in 0..chunks {
                        for part in (0..CHUNK).step_by($n) {
                            // SAFETY: the caller's promise; a chunk is a multiple of `$n`. All is read before anything is written.
                            $(let $x: [F; $n] = unsafe { $x.begin.add(chunk * $x.apart + part).cast::<[F; $n]>().read() };)+
                            let mut out = [F::default(); $n];
                            for lane in 0..$n {
                                $(let $x = $x[lane];)+
                                out[lane] = $y;
                            }
                            // SAFETY: as above.
                            unsafe { to.begin.add(chunk * to.apart + part).cast::<[F; $n]>().write(out) };
                        }
                    }
                }
            };
        }
    let zero = F::default();
    for (to, instruction) in program {
        match *instruction {
            Instruction::Affine { a, k, l } => each!(*to, CHUNK, [a], C::mul_add(k, a, l)),
            Instruction::Sum { a, b, k, l, m } => each!(*to, CHUNK, [a, b], C::mul_add(k, a, C::mul_add(l, b, m))),
            Instruction::Product { a, b, k, l } => each!(*to, CHUNK, [a, b], C::mul_add(k * a, b, l)),
            Instruction::ProductSum { a, b, c, k, l, m } => {
                each!(*to, CHUNK, [a, b, c], C::mul_add(k * a, b, C::mul_add(l, c, m)));
            }
            Instruction::Quotient { a, b, k } => each!(*to, CHUNK, [a, b], k * a / b),
            Instruction::Reciprocal { a, k, l } => each!(*to, CHUNK, [a], k / (a + l)),
            Instruction::Pick { a, b, c } => {
                each!(*to, CHUNK, [a, b, c], if a >= zero { b } else { c });
            }
            Instruction::Replace { a, b, k, l } => {
                each!(*to, CHUNK, [a, b], if a >= l { k } else { b });
            }
            Instruction::Choose { a, k, l, m } => each!(*to, CHUNK, [a], if a >= m { k } else { l }),
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
    use super::super::Program;
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
            let program_of_type = program.load::<F>();
            let steps = Steps {
                program: program_of_type,
                steps: 1,
                backward: false,
                lanes: 8,
                units: 5,
                read: &[],
                loads: &[],
                written: &mut [],
                keeps: &[],
                stores: &[],
            };
            run_steps(instructions, steps, &mut registers);
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
