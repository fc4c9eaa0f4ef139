//! [`Chained`]: two kinds of units in a row as one, by their texts.

use std::sync::Arc;

use super::{Facts, Formula, GpuKernel};
use crate::error::Result;
use crate::gpu::LEAVES;

/// Units that do not spike, and units that read their outputs: what is between them stays in registers.
///
/// [`Then`](crate::kernel::Then) does the same for the CPU, where each pair is compiled for itself. Texts cost nothing until they run,
/// so that here any pair is one.
#[derive(Debug)]
pub(super) struct Chained {
    first: Arc<dyn GpuKernel>,
    second: Arc<dyn GpuKernel>,
}

impl Chained {
    /// Both as one, if both have a formula that allows it.
    pub(super) fn new(first: &Arc<dyn GpuKernel>, second: &Arc<dyn GpuKernel>) -> Option<Self> {
        let (a, b) = (first.formula()?.facts(), second.formula()?.facts());
        // What is held comes last in the state, and only the end of a row may spike.
        let fits = a.held == 0 && !a.spikes && a.reads.len() + b.reads.len() + b.held <= LEAVES;
        fits.then(|| Self { first: Arc::clone(first), second: Arc::clone(second) })
    }

    fn both(&self) -> [&dyn Formula; 2] {
        [&self.first, &self.second].map(|kernel| kernel.formula().expect("checked in `new`"))
    }
}

impl Formula for Chained {
    fn name(&self) -> String {
        let [first, second] = self.both();
        format!("({}) then ({})", first.name(), second.name())
    }

    fn text(&self) -> Result<String> {
        let [first, second] = self.both();
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
        let [a, b] = self.both().map(|formula| formula.facts());
        // What the second reads is made from all that the first has.
        let reads = a.reads.iter().map(|reads| *reads || b.reads_input).chain(b.reads.iter().copied());
        let reads_input = a.reads_input || b.reads_input;
        Facts { held: b.held, reads: reads.collect(), reads_input, spikes: b.spikes }
    }
}

/// Parts with their numbers of parameters, units in a row as one.
pub(in crate::kernel) fn chained(parts: Vec<(Arc<dyn GpuKernel>, usize)>) -> Vec<(Arc<dyn GpuKernel>, usize)> {
    let mut done: Vec<(Arc<dyn GpuKernel>, usize)> = Vec::new();
    for (kernel, n_params) in parts {
        let both = done.last().and_then(|(before, _)| Chained::new(before, &kernel));
        match (both, done.last_mut()) {
            (Some(both), Some(last)) => *last = (Arc::new(both), last.1 + n_params),
            _ => done.push((kernel, n_params)),
        }
    }
    done
}
