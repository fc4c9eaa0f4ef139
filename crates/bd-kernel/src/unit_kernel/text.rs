//! The formula of units as text: in CUDA C, and for what the adjoint reads.

use super::UnitKernel;
use crate::{Code, Facts, Formula, Listing, Memo, Num, Result, SurrogateGradient, Unit};

impl<U: Unit<S>, const S: usize> UnitKernel<U, S> {
    /// Whether the adjoint reads the input, and which numbers of state.
    pub(super) fn read_by_adjoint(&self) -> (bool, [bool; S]) {
        static KNOWN: Memo<String, (bool, Vec<bool>)> = Memo::new();
        let (input, states) = KNOWN.get(Formula::name(self), || {
            let (input, states) = self.read_by_adjoint_text();
            (input, states.to_vec())
        });
        (input, std::array::from_fn(|j| states[j]))
    }

    /// The same, taken from the adjoint's own text.
    fn read_by_adjoint_text(&self) -> (bool, [bool; S]) {
        let listing = Listing::new();
        let (gx, gs) = self.adjoint_code(&listing);
        let results: Vec<_> = std::iter::once(gx).chain(gs).collect();
        let reads = |name: &str| listing.depends(&results, name);
        (reads("x"), std::array::from_fn(|j| reads(&format!("s[{j}]"))))
    }

    fn adjoint_code(&self, listing: &Listing) -> (Code, [Code; S]) {
        let all = |name: &str| std::array::from_fn(|j| listing.name(&format!("{name}[{j}]")));
        let spike = (listing.name("over"), listing.name("slope"));
        self.unit.vjp(&self.constants, listing.name("x"), all("s"), spike, listing.name("gy"), all("gnext"))
    }

    /// Step, adjoint and surrogate as CUDA C: `step`, `adjoint` and `surrogate_gradient` are device functions.
    /// `real` is `float` unless the text that includes this has defined it before (`#define real double`).
    pub fn cuda(&self) -> Result<String> {
        let s = |j: usize| format!("s[{j}]");
        let forward = Listing::new();
        let state = std::array::from_fn(|j| forward.name(&s(j)));
        let mut over = None;
        let (y, next) = self.unit.step(&self.constants, forward.name("x"), state, |distance| {
            over = Some(distance.clone());
            distance.heaviside()
        });
        let over = over.unwrap_or_else(|| y.lit(0.0));
        let assign = |codes: &[Code], to: &str| -> String {
            codes.iter().enumerate().map(|(j, code)| format!("    {to}[{j}] = {};\n", code.operand())).collect()
        };
        let (gradient, slope) = surrogate_text(&self.unit.surrogate());
        let adjoint = Listing::new();
        let (gx, gs) = self.adjoint_code(&adjoint);
        let all = |some: &[&Code], states: &[Code; S]| -> Vec<Code> {
            some.iter().map(|code| (*code).clone()).chain(states.iter().cloned()).collect()
        };
        Ok(format!(
            "#ifndef real\n#define real float\n#endif\n
// {name}: the step. `over` is the distance from the threshold.
__device__ inline void step(const real x, const real *s, real *y, real *next, real *over) {{
{forward}    *over = {over};
    *y = {y};
{next}}}

// What stands in for the derivative of a spike.
__device__ inline real surrogate_gradient(const real distance) {{
{gradient}    return {slope};
}}

// The adjoint of the step: gradients of output and next state to those of input and state.
__device__ inline void adjoint(const real x, const real *s, const real over, const real slope, const real gy,
                               const real *gnext, real *gx, real *gs) {{
{adjoint}    *gx = {gx};
{gs}}}
",
            name = U::NAME,
            forward = forward.statements(&all(&[&y, &over], &next))?,
            over = over.operand(),
            y = y.operand(),
            next = assign(&next, "next"),
            gradient = gradient.statements(std::slice::from_ref(&slope))?,
            slope = slope.operand(),
            adjoint = adjoint.statements(&all(&[&gx], &gs))?,
            gx = gx.operand(),
            gs = assign(&gs, "gs"),
        ))
    }
}

/// The slope of a surrogate as text. Compiled once for all units with such a surrogate.
#[inline(never)]
fn surrogate_text<G: SurrogateGradient>(surrogate: &G) -> (Listing, Code) {
    let listing = Listing::new();
    let slope = surrogate.grad(listing.name("distance"));
    (listing, slope)
}

impl<U: Unit<S>, const S: usize> Formula for UnitKernel<U, S> {
    fn name(&self) -> String {
        format!("{} {:?} {:?}", std::any::type_name::<U>(), self.unit, self.constants)
    }

    fn text(&self) -> Result<String> {
        self.cuda()
    }

    fn facts(&self) -> Facts {
        let reads = self.reads[..Self::MOVING].to_vec();
        Facts { held: U::HELD, reads, reads_input: self.reads_inputs, spikes: U::Surrogate::SPIKES }
    }
}
