//! [`Formula`]: units side by side as text, for GPUs; two of them in a row as one.

use std::fmt::Debug;
use std::sync::Arc;

use crate::Result;

/// Leaves of a state that loops around a formula take at most: `struct Leaves { real *at[LEAVES]; }` of a text.
pub const LEAVES: usize = 16;

/// The formula of units side by side, in CUDA C.
pub trait Formula: Debug + Send + Sync {
    /// All that the text depends on.
    fn name(&self) -> String;

    /// `step`, `adjoint` and `surrogate_gradient`. Several inputs, outputs or gradients of either are arrays, and one is a number.
    fn text(&self) -> Result<String>;

    /// What kernels around it have to know.
    fn facts(&self) -> Facts;
}

/// See [`Formula::facts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Inputs of a unit.
    pub ports: usize,
    /// Numbers that a unit gives out.
    pub outputs: usize,
    /// Numbers of state that a unit holds, the last ones: its own parameters, `[held, n]`.
    pub held: usize,
    /// For each of the other numbers of state whether the adjoint reads it.
    pub reads: Vec<bool>,
    /// Whether the adjoint reads the inputs.
    pub reads_input: bool,
    /// Whether the units spike.
    pub spikes: bool,
}

/// Units that do not spike, and units that read their outputs: what is between them stays in registers.
///
/// [`FusedPair`](crate::FusedPair) does the same for the CPU, where each pair is compiled for itself. Texts cost nothing until they run,
/// so that here any pair is one.
#[derive(Debug)]
struct FusedFormula([Arc<dyn Formula>; 2]);

impl FusedFormula {
    /// Both as one, if their facts allow it.
    fn new(first: &Arc<dyn Formula>, second: &Arc<dyn Formula>) -> Option<Self> {
        let (a, b) = (first.facts(), second.facts());
        let numbers = [a.ports, a.outputs, b.ports, b.outputs];
        // What is held comes last in the state, and only the end of a row may spike.
        let fits = numbers == [1; 4] && a.held == 0 && !a.spikes && a.reads.len() + b.reads.len() + b.held <= LEAVES;
        fits.then(|| Self([Arc::clone(first), Arc::clone(second)]))
    }
}

impl Formula for FusedFormula {
    fn name(&self) -> String {
        let [first, second] = &self.0;
        format!("({}) then ({})", first.name(), second.name())
    }

    fn text(&self) -> Result<String> {
        let [first, second] = &self.0;
        let (of_first, of_second) = (first.facts().reads.len(), second.facts().reads.len() + second.facts().held);
        let (first, second) = (first.text()?, second.text()?);
        Ok(format!(
            "#ifndef real\n#define real float\n#endif\n
namespace first {{
{first}}}
namespace second {{
{second}}}

// The first, then the second.
__device__ inline void step(const real x, const real *s, real *y, real *next, real *over) {{
    real between, none;
    first::step(x, s, &between, next, &none);
    second::step(between, s + {of_first}, y, next + {of_first}, over);
}}

__device__ inline real surrogate_gradient(const real distance) {{
    return second::surrogate_gradient(distance);
}}

// The adjoint of the second, then that of the first: the chain rule.
__device__ inline void adjoint(const real x, const real *s, const real over, const real slope, const real gy,
                               const real *gnext, real *gx, real *gs) {{
    real between, none, next[{of_first}], gbetween, of_second[{of_second}];
    first::step(x, s, &between, next, &none);
    second::adjoint(between, s + {of_first}, over, slope, gy, gnext + {of_first}, &gbetween, of_second);
    first::adjoint(x, s, real(0), real(0), gbetween, gnext, gx, gs);
    for (int j = 0; j < {of_second}; j++)
        gs[{of_first} + j] = of_second[j];
}}
"
        ))
    }

    fn facts(&self) -> Facts {
        let [a, b] = self.0.each_ref().map(|formula| formula.facts());
        // What the second reads is made from all that the first has.
        let reads = a.reads.iter().map(|reads| *reads || b.reads_input).chain(b.reads.iter().copied());
        let reads_input = a.reads_input || b.reads_input;
        Facts { ports: 1, outputs: 1, held: b.held, reads: reads.collect(), reads_input, spikes: b.spikes }
    }
}

/// Two formulas in a row as one, `first` feeding `second`, if their facts allow it: any pair of units of which the first does
/// not spike.
pub fn fused_formula(first: &Arc<dyn Formula>, second: &Arc<dyn Formula>) -> Option<Arc<dyn Formula>> {
    Some(Arc::new(FusedFormula::new(first, second)?))
}
