//! What kernels of recurrent cells have to know of a cell: its step, in one phase or two, in CUDA C.
//!
//! A phase takes what one product over all units gives to each of them. A [`Gru`](crate::Gru) has two, for its candidate wants the
//! rates of all units after they have been reset; other cells have one.

use std::fmt::Debug;
use std::sync::Arc;

use bd_core::Result;
use bd_core::kernel::gpu::definitions;
use bd_core::kernel::{Code, Dual, Facts, Formula, Listing, Memo, Num};
use bd_kernel::models::cell::CellUnits;
use tch::Kind;

/// A cell, as text.
pub(super) trait CellText: Debug + Send + Sync {
    /// All that the text depends on.
    fn name(&self) -> String;

    /// `Phase<0>` and perhaps `Phase<1>`, each with `INPUTS`, their `OFFSET` among those of all phases, `step`, `adjoint` and
    /// `surrogate_gradient`.
    fn text(&self) -> Result<String>;

    /// What is around the text.
    fn facts(&self) -> CellFacts;
}

/// See [`CellText::facts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CellFacts {
    /// How many inputs each phase has.
    pub(super) phases: Vec<usize>,
    /// Numbers that go from the first phase to the second.
    pub(super) passing: usize,
    pub(super) units: Facts,
}

impl CellFacts {
    /// Inputs of all phases.
    pub(super) fn inputs(&self) -> usize {
        self.phases.iter().sum()
    }

    /// What comes before the text.
    pub(super) fn definitions(&self, kind: Kind) -> Result<String> {
        let (phases, inputs, passing) = (self.phases.len(), self.inputs(), self.passing);
        let own = format!("#define PHASES {phases}\n#define ALL_INPUTS {inputs}\n#define PASSING {passing}\n");
        Ok(definitions(&self.units, kind)? + &own)
    }
}

/// Units side by side, whose single input is that of their one phase.
#[derive(Debug)]
pub(super) struct OneInput(pub(super) Arc<dyn Formula>);

impl CellText for OneInput {
    fn name(&self) -> String {
        self.0.name()
    }

    fn text(&self) -> Result<String> {
        Ok(format!(
            "namespace unit {{
{}}}
{}
    static __device__ __forceinline__ void step(const real *x, const real *s, real *y, real *next, real *over) {{
        unit::step(x[0], s, y, next, over);
    }}

    static __device__ __forceinline__ real surrogate_gradient(const real distance) {{
        return unit::surrogate_gradient(distance);
    }}

    static __device__ __forceinline__ void adjoint(const real *x, const real *s, const real over, const real slope, const real gy,
                                                   const real *gnext, real *gx, real *gs) {{
        unit::adjoint(x[0], s, over, slope, gy, gnext, gx, gs);
    }}
}};
",
            self.0.text()?,
            phase_begins(0, 1, 0),
        ))
    }

    fn facts(&self) -> CellFacts {
        CellFacts { phases: vec![1], passing: 0, units: self.0.facts() }
    }
}

/// The first lines of a phase, for which `template <int P> struct Phase;` has to be there.
fn phase_begins(phase: usize, inputs: usize, offset: usize) -> String {
    let declared = if phase == 0 { "template <int P> struct Phase;\n" } else { "" };
    format!(
        "{declared}template <> struct Phase<{phase}> {{\n    static constexpr int INPUTS = {inputs}, OFFSET = {offset};\n"
    )
}

impl CellText for CellUnits {
    fn name(&self) -> String {
        self.name()
    }

    fn text(&self) -> Result<String> {
        (0..self.shape().phases.len()).map(|phase| phase_text(self, phase)).collect()
    }

    fn facts(&self) -> CellFacts {
        static KNOWN: Memo<String, CellFacts> = Memo::new();
        KNOWN.get(self.name(), || facts_by_text(self))
    }
}

/// A phase written down: what comes out, and what its adjoint gives.
struct Written {
    forward: Listing,
    y: Code,
    next: Vec<Code>,
    adjoint: Listing,
    gx: Vec<Code>,
    gs: Vec<Code>,
}

fn written(units: &CellUnits, phase: usize) -> Written {
    let shape = units.shape();
    let (inputs, numbers) = (shape.phases[phase], shape.numbers());
    let all = |listing: &Listing, name: &str, count: usize| -> Vec<Code> {
        (0..count).map(|i| listing.name(&format!("{name}[{i}]"))).collect()
    };
    let forward = Listing::new();
    let mut next = all(&forward, "s", numbers);
    let y = units.phase_as_code(phase, &all(&forward, "x", inputs), &mut next);
    let adjoint = Listing::new();
    let (x, s) = (all(&adjoint, "x", inputs), all(&adjoint, "s", numbers));
    let out_grads = (adjoint.name("gy"), all(&adjoint, "gnext", numbers));
    let gs = (0..numbers).map(|j| along(units, phase, &x, &s, inputs + j, &out_grads)).collect();
    let gx = (0..inputs).map(|i| along(units, phase, &x, &s, i, &out_grads)).collect();
    Written { forward, y, next, adjoint, gx, gs }
}

/// The gradient of one number, inputs first: the chain rule, with everything that depends on it.
fn along(
    units: &CellUnits,
    phase: usize,
    x: &[Code],
    s: &[Code],
    which: usize,
    (gy, gnext): &(Code, Vec<Code>),
) -> Code {
    let varied = |codes: &[Code], from: usize| -> Vec<Dual<Code>> {
        codes.iter().enumerate().map(|(i, code)| Dual::varied(code.clone(), from + i == which)).collect()
    };
    let mut next = varied(s, x.len());
    let y = units.phase_as_dual_code(phase, &varied(x, 0), &mut next);
    let terms = std::iter::once((y, gy)).chain(next.into_iter().zip(gnext));
    let terms = terms.filter_map(|(dual, out_grads)| Some(dual.slope? * out_grads.clone()));
    terms.reduce(|a, b| a + b).unwrap_or_else(|| x[0].lit(0.0))
}

fn phase_text(units: &CellUnits, phase: usize) -> Result<String> {
    let Written { forward, y, next, adjoint, gx, gs } = written(units, phase);
    let inputs = units.shape().inputs_of(phase);
    let assign = |codes: &[Code], to: &str| -> String {
        codes.iter().enumerate().map(|(j, code)| format!("    {to}[{j}] = {};\n", code.operand())).collect()
    };
    let with = |codes: &[Code], one: &Code| codes.iter().cloned().chain([one.clone()]).collect::<Vec<_>>();
    Ok(format!(
        "{begin}
    static __device__ __forceinline__ void step(const real *x, const real *s, real *y, real *next, real *over) {{
{forward}    *over = real(0);
    *y = {y};
{next}    }}

    static __device__ __forceinline__ real surrogate_gradient(const real) {{
        return real(0);
    }}

    static __device__ __forceinline__ void adjoint(const real *x, const real *s, const real, const real, const real gy,
                                                   const real *gnext, real *gx, real *gs) {{
{adjoint}{gx}{gs}    }}
}};
",
        begin = phase_begins(phase, inputs.len(), inputs.start),
        forward = forward.statements(&with(&next, &y))?,
        y = y.operand(),
        next = assign(&next, "next"),
        adjoint = adjoint.statements(&gx.iter().chain(&gs).cloned().collect::<Vec<_>>())?,
        gx = assign(&gx, "gx"),
        gs = assign(&gs, "gs"),
    ))
}

/// What is around the text, taken from it.
fn facts_by_text(units: &CellUnits) -> CellFacts {
    let shape = units.shape();
    let written: Vec<Written> = (0..shape.phases.len()).map(|phase| written(units, phase)).collect();
    // The adjoint of a later phase makes what it reads from what the earlier ones read.
    let reads = |name: &str| {
        written.iter().enumerate().any(|(phase, Written { forward, y, next, adjoint, gx, gs })| {
            let in_grads: Vec<Code> = gx.iter().chain(gs).cloned().collect();
            let made: Vec<Code> = next.iter().chain([y]).cloned().collect();
            adjoint.depends(&in_grads, name) || (phase + 1 < shape.phases.len() && forward.depends(&made, name))
        })
    };
    let most = shape.phases.iter().max().expect("a cell has a phase");
    let units = Facts {
        ports: 1,
        outputs: 1,
        held: 0,
        reads: (0..shape.states).map(|j| reads(&format!("s[{j}]"))).collect(),
        reads_input: (0..*most).any(|i| reads(&format!("x[{i}]"))),
        spikes: false,
    };
    CellFacts { phases: shape.phases.to_vec(), passing: shape.passing, units }
}
