//! What is done to each unit of a cell in a phase, and its adjoint.

// As in `lanes`: so they are sure to become a few vector instructions.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use super::{CellUnit, Functions};
use crate::lanes::{lane, read, read_all, write, write_all};
use crate::models::blocks::{add_step, write_step};
use crate::{Cpu, Dual, LANES, Loops, Real, Tile, sigmoid, tanh};

/// Inputs, functions or numbers of state that a phase has at most.
pub(super) const MOST: usize = 6;

/// The processor's own functions, whose values are written down in the order of the calls.
struct Record<C, F> {
    values: [F; MOST],
    next: usize,
    cpu: PhantomData<C>,
}

impl<C, F: Real> Record<C, F> {
    #[inline(always)]
    fn keep(&mut self, value: F) -> F {
        self.values[self.next] = value;
        self.next += 1;
        value
    }
}

impl<C: Cpu, F: Real> Functions<F> for Record<C, F> {
    #[inline(always)]
    fn sigmoid(&mut self, x: F) -> F {
        self.keep(sigmoid::<C, F>(x))
    }

    #[inline(always)]
    fn tanh(&mut self, x: F) -> F {
        self.keep(tanh::<C, F>(x))
    }

    #[inline(always)]
    fn relu(&mut self, x: F) -> F {
        let zero = F::default();
        self.keep(if x < zero { zero } else { x })
    }
}

/// Functions whose values are known, with the derivatives that follow from these.
struct Replay<F> {
    values: [F; MOST],
    next: usize,
}

impl<F: Real> Replay<F> {
    #[inline(always)]
    fn take(&mut self, x: Dual<F>, slope: impl FnOnce(F) -> F) -> Dual<F> {
        let value = self.values[self.next];
        self.next += 1;
        Dual { value, slope: x.slope.map(|d| d * slope(value)) }
    }
}

impl<F: Real> Functions<Dual<F>> for Replay<F> {
    #[inline(always)]
    fn sigmoid(&mut self, x: Dual<F>) -> Dual<F> {
        self.take(x, |y| y * (F::of(1.0) - y))
    }

    #[inline(always)]
    fn tanh(&mut self, x: Dual<F>) -> Dual<F> {
        self.take(x, |y| F::of(1.0) - y * y)
    }

    #[inline(always)]
    fn relu(&mut self, x: Dual<F>) -> Dual<F> {
        self.take(x, |y| if y > F::default() { F::of(1.0) } else { F::default() })
    }
}

/// Numbers that a phase gets and leaves: those of the state, and those that pass.
const fn numbers<U: CellUnit>() -> usize {
    U::STATES + U::PASSING
}

/// A phase of a step. Numbers of all units lie side by side, `[.., n, lane]`.
pub(super) struct Forward<'a, F> {
    /// Inputs of the phase, whose place the values of its functions take.
    pub(super) gates: &'a mut [F],
    pub(super) state: &'a mut [F],
    pub(super) passing: &'a mut [F],
    /// What comes out of the first of two phases.
    pub(super) out: &'a mut [F],
    /// Where the outputs of the cell go after its last phase.
    pub(super) ys: Option<(Tile, usize, &'a mut [F])>,
}

/// Phase `P` of such units.
pub(super) struct ForwardOf<'a, F, U, const P: usize> {
    pub(super) unit: U,
    pub(super) numbers: Forward<'a, F>,
}

impl<F: Real, U: CellUnit, const P: usize> Loops for ForwardOf<'_, F, U, P> {
    #[inline(always)]
    fn run<C: Cpu>(mut self) {
        let units = self.numbers.state.len() / U::STATES;
        let whole = units - units % (2 * LANES);
        for at in (0..whole).step_by(2 * LANES) {
            self.block::<C, { 2 * LANES }>(at, units);
        }
        if whole < units {
            self.block::<C, LANES>(whole, units);
        }
        let Forward { state, ys, .. } = self.numbers;
        if let Some((tile, at, ys)) = ys {
            write_step(&state[..units], tile, at, ys);
        }
    }
}

impl<F: Real, U: CellUnit, const P: usize> ForwardOf<'_, F, U, P> {
    /// `W` of the `units` numbers of all units and samples.
    #[inline(always)]
    fn block<C: Cpu, const W: usize>(&mut self, at: usize, units: usize) {
        let Self { unit, numbers: Forward { gates, state, passing, out, .. } } = self;
        let a = read_all::<F, W, MOST>(gates, at, units, U::PHASES[P]);
        let mut s = read_all::<F, W, MOST>(state, at, units, U::STATES);
        if P > 0 {
            for j in 0..U::PASSING {
                s[U::STATES + j] = read(passing, at + j * units);
            }
        }
        let (mut values, mut y) = ([[F::default(); W]; MOST], [F::default(); W]);
        for l in 0..W {
            let (a, mut next) = (lane(&a, l), lane(&s, l));
            let mut functions = Record::<C, F> { values: [F::default(); MOST], next: 0, cpu: PhantomData };
            y[l] = unit.phase(P, &a[..U::PHASES[P]], &mut next[..numbers::<U>()], &mut functions);
            for k in 0..U::FUNCTIONS[P] {
                values[k][l] = functions.values[k];
            }
            for j in 0..numbers::<U>() {
                s[j][l] = next[j];
            }
        }
        write_all(gates, at, units, &values, U::FUNCTIONS[P]);
        write_all(state, at, units, &s, U::STATES);
        if P + 1 < U::PHASES.len() {
            write(out, at, &y);
            for j in 0..U::PASSING {
                write(passing, at + j * units, &s[U::STATES + j]);
            }
        }
    }
}

/// The adjoint of a phase.
pub(super) struct Adjoint<'a, F> {
    /// Values of the functions of all phases; those of this phase make place for the gradients of its inputs.
    pub(super) gates: &'a mut [F],
    /// The output before the step, and the other numbers of state.
    pub(super) before: (&'a [F], &'a [F]),
    /// Gradient of what comes out of the first of two phases.
    pub(super) gout: &'a [F],
    /// Gradients of the numbers of state and of those that pass, after the phase and then before it.
    pub(super) gstate: &'a mut [F],
    pub(super) gpassing: &'a mut [F],
    /// Gradients of the outputs of the cell, which come to those of its last phase.
    pub(super) gys: Option<(Tile, usize, &'a [F])>,
}

/// That of phase `P` of such units.
pub(super) struct AdjointOf<'a, F, U, const P: usize> {
    pub(super) unit: U,
    pub(super) numbers: Adjoint<'a, F>,
}

impl<F: Real, U: CellUnit, const P: usize> Loops for AdjointOf<'_, F, U, P> {
    #[inline(always)]
    fn run<C: Cpu>(mut self) {
        let units = self.numbers.before.0.len();
        if let Some((tile, at, gys)) = self.numbers.gys {
            add_step(gys, tile, at, &mut self.numbers.gstate[..units]);
        }
        let whole = units - units % (2 * LANES);
        for at in (0..whole).step_by(2 * LANES) {
            self.block::<{ 2 * LANES }>(at, units);
        }
        if whole < units {
            self.block::<LANES>(whole, units);
        }
    }
}

impl<F: Real, U: CellUnit, const P: usize> AdjointOf<'_, F, U, P> {
    /// `W` of the `units` numbers of all units and samples.
    #[inline(always)]
    fn block<const W: usize>(&mut self, at: usize, units: usize) {
        let Self { unit, numbers: Adjoint { gates, before: (h, others), gout, gstate, gpassing, .. } } = self;
        let first_input: usize = U::PHASES[..P].iter().sum();
        let (unit, is_last, own) = (*unit, P + 1 == U::PHASES.len(), first_input * units);
        let mut s = [[F::default(); W]; MOST];
        s[0] = read(h, at);
        for j in 1..U::STATES {
            s[j] = read(others, at + (j - 1) * units);
        }
        let earlier = read_all::<F, W, MOST>(gates, at, units, if P > 0 { U::FUNCTIONS[0] } else { 0 });
        let values = read_all::<F, W, MOST>(gates, own + at, units, U::FUNCTIONS[P]);
        let mut gs = read_all::<F, W, MOST>(gstate, at, units, U::STATES);
        let mut gy = [F::default(); W];
        // Of what passes nothing is asked after the last phase.
        if !is_last {
            gy = read(gout, at);
            for j in 0..U::PASSING {
                gs[U::STATES + j] = read(gpassing, at + j * units);
            }
        }
        let mut ga = [[F::default(); W]; MOST];
        for l in 0..W {
            let mut s = lane(&s, l);
            if P > 0 {
                s = after_first(unit, lane(&earlier, l), s);
            }
            let asked = Asked { gy: (!is_last).then_some(gy[l]), gnext: lane(&gs, l) };
            let here = Here::<F, U, P> { unit, s, values: lane(&values, l) };
            let (of_inputs, of_state) = here.vjp(&asked);
            for i in 0..U::PHASES[P] {
                ga[i][l] = of_inputs[i];
            }
            for j in 0..numbers::<U>() {
                gs[j][l] = of_state[j];
            }
        }
        write_all(gates, own + at, units, &ga, U::PHASES[P]);
        write_all(gstate, at, units, &gs, U::STATES);
        if P > 0 {
            for j in 0..U::PASSING {
                write(gpassing, at + j * units, &gs[U::STATES + j]);
            }
        }
    }
}

/// What an adjoint of a formula must not read, and would spoil.
#[inline(always)]
fn unknown<F: Real>() -> F {
    F::of(f64::NAN)
}

/// The numbers of state after the first phase, by the values of its functions.
#[inline(always)]
fn after_first<F: Real, U: CellUnit>(unit: U, values: [F; MOST], mut s: [F; MOST]) -> [F; MOST] {
    let a = [Dual::fixed(unknown::<F>()); MOST];
    let mut duals = [Dual::fixed(F::default()); MOST];
    for j in 0..numbers::<U>() {
        duals[j] = Dual::fixed(s[j]);
    }
    unit.phase(0, &a[..U::PHASES[0]], &mut duals[..numbers::<U>()], &mut Replay { values, next: 0 });
    for j in 0..numbers::<U>() {
        s[j] = duals[j].value;
    }
    s
}

/// Gradients of what comes out of a phase, where that goes anywhere, and of the next numbers.
struct Asked<F> {
    gy: Option<F>,
    gnext: [F; MOST],
}

/// One unit in phase `P`: its numbers of state before it, and the values of its functions.
struct Here<F, U, const P: usize> {
    unit: U,
    s: [F; MOST],
    values: [F; MOST],
}

impl<F: Real, U: CellUnit, const P: usize> Here<F, U, P> {
    /// Gradients of the inputs and of the numbers of state.
    #[inline(always)]
    fn vjp(&self, asked: &Asked<F>) -> ([F; MOST], [F; MOST]) {
        let (mut of_inputs, mut of_state) = ([F::default(); MOST], [F::default(); MOST]);
        // Written out and not a loop, which might stay one.
        macro_rules! each {
            ($($i:literal)*) => {
                $(
                    if $i < U::PHASES[P] {
                        of_inputs[$i] = self.along(asked, $i);
                    }
                    if $i < numbers::<U>() {
                        of_state[$i] = self.along(asked, U::PHASES[P] + $i);
                    }
                )*
            };
        }
        each!(0 1 2 3 4 5);
        (of_inputs, of_state)
    }

    /// The gradient of one number, inputs first: the chain rule, with everything that depends on it.
    #[inline(always)]
    fn along(&self, asked: &Asked<F>, which: usize) -> F {
        let inputs = U::PHASES[P];
        let mut a = [Dual::fixed(unknown::<F>()); MOST];
        for i in 0..inputs {
            a[i] = Dual::varied(unknown::<F>(), i == which);
        }
        let mut s = [Dual::fixed(F::default()); MOST];
        for j in 0..numbers::<U>() {
            s[j] = Dual::varied(self.s[j], inputs + j == which);
        }
        let functions = &mut Replay { values: self.values, next: 0 };
        let y = self.unit.phase(P, &a[..inputs], &mut s[..numbers::<U>()], functions);
        let mut pulled = asked.gy.and_then(|gy| y.slope.map(|d| d * gy));
        for j in 0..numbers::<U>() {
            let term = s[j].slope.map(|d| d * asked.gnext[j]);
            pulled = match (pulled, term) {
                (Some(sum), Some(term)) => Some(sum + term),
                (sum, term) => sum.or(term),
            };
        }
        pulled.unwrap_or_default()
    }
}
