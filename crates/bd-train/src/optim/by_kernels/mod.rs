//! [`ByKernels`]: an update of all parameters by kernels of our own, in three launches.
//!
//! Penalty, norm, clipping, the rule, and whether all of it is finite take some fifty operations of libtorch
//! ([`update_where`](super::together::update_where), which is the definition). On a GPU the host launches each of them, which takes
//! longer than the work.

use std::sync::Arc;

use bd_core::gpu::{Gpu, Launch, Program, Value, real};
use bd_core::kernel::{Code, Listing};
use bd_core::{Error, Result};
use tch::{Kind, Tensor};

use super::rule::{Formula, MOST_CONSTANTS, Rule, UseFormula};
use crate::bptt::Penalty;

const TEXT: &str = include_str!("update.cu");

/// Threads of a block, and so many numbers that each goes through where there are enough of them.
const THREADS: usize = 256;
const NUMBERS: usize = 4;
const MOST_BLOCKS: usize = 256;

/// Sums of a block: `SUMS` of the text.
const SUMS: usize = 3;

/// Numbers of an update: loss without the penalty, penalty, sum of the squares of the gradient, and 1 if it was made, else 0.
pub(crate) const ROW: i64 = 4;

/// Parameters are handed over by their addresses, and a launch takes 4 KB.
const MOST_PARAMS: usize = 100;

/// The kernels of an optimiser, and the memory that they work in.
#[derive(Debug)]
pub(crate) struct ByKernels {
    program: Arc<Program>,
    rule: Rule,
    total: usize,
    blocks: usize,
    params: Vec<Tensor>,
    ends: Vec<usize>,
    /// The gradients of the loss in the last update that came while all before it were sound, joined.
    held: Tensor,
    /// Parameters and slots after an update, joined.
    next: Tensor,
    of_blocks: Tensor,
    totals: Tensor,
    wrong: Tensor,
}

/// What an update follows from, beside the optimiser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesson<'a> {
    /// The loss without the penalty, one number.
    pub(crate) loss: &'a Tensor,
    /// Its gradients, one for each parameter; undefined where it does not depend on it.
    pub(crate) gradients: &'a [Tensor],
    /// The penalty.
    pub(crate) penalty: Penalty,
    /// The greatest norm that a gradient keeps.
    pub(crate) clip: Option<f64>,
    /// The numbers of the update before, if it is not known to be sound.
    pub(crate) before: Option<&'a Tensor>,
    /// Where the numbers of this one go, float64 `[ROW]`.
    pub(crate) row: &'a Tensor,
}

impl ByKernels {
    /// For the parameters of an optimiser; nothing where kernels do not serve them, be it their number or their dtype.
    pub(super) fn new(gpu: &Gpu, rule: Rule, params: &[(String, Tensor)]) -> Result<Option<Self>> {
        let (kind, device) = (params[0].1.kind(), params[0].1.device());
        let is_plain = |(_, param): &(String, Tensor)| param.is_contiguous() && param.kind() == kind;
        if params.len() > MOST_PARAMS || !matches!(kind, Kind::Float | Kind::Double) || !params.iter().all(is_plain) {
            return Ok(None);
        }
        let mut total = 0;
        let ends: Vec<usize> = params
            .iter()
            .map(|(_, param)| {
                total += param.numel();
                total
            })
            .collect();
        let (slots, blocks) = (rule.slots().len(), total.div_ceil(THREADS * NUMBERS).clamp(1, MOST_BLOCKS));
        let empty = |count: usize, kind: Kind| Tensor::empty([count as i64], (kind, device));
        Ok(Some(Self {
            program: program(gpu, rule, params.len(), kind)?,
            rule,
            total,
            blocks,
            params: params.iter().map(|(_, param)| param.detach()).collect(),
            ends,
            held: empty(total, kind),
            next: empty((1 + slots) * total, kind),
            of_blocks: empty(SUMS * blocks, Kind::Double),
            totals: empty(2, Kind::Double),
            wrong: empty(blocks, Kind::Double),
        }))
    }

    /// Makes update `step` with the learning rate `lr`, if it is sound and so is the one before it; `slots` are `[slot, number]`. Nothing
    /// waits for it.
    pub(super) fn update(&self, (step, lr): (u64, f64), slots: &Tensor, lesson: Lesson<'_>) -> Result<()> {
        let Lesson { loss, gradients, penalty, clip, before, row } = lesson;
        let gradients: Vec<Option<Tensor>> =
            gradients.iter().map(|gradient| gradient.defined().then(|| gradient.detach().contiguous())).collect();
        let fits = |(gradient, param): (&Option<Tensor>, &Tensor)| {
            gradient.as_ref().is_none_or(|g| g.kind() == param.kind() && g.numel() == param.numel())
        };
        if gradients.len() != self.params.len() || !gradients.iter().zip(&self.params).all(fits) {
            return Err(Error::Config("there is not a gradient for each parameter, of its size and dtype".into()));
        }
        // A closure may give a loss of another dtype than the parameters'.
        let wide = (loss.kind() != self.held.kind()).then(|| loss.to_kind(Kind::Double));
        let (narrow, wide) = (wide.is_none().then_some(loss), wide.as_ref());
        let [n, ends, params] =
            [Value::from(self.total), Value::Table(self.ends.clone()), Value::table(self.params.iter().map(Some))];
        let gradients = Value::table(gradients.iter().map(Option::as_ref));
        let penalty = Value::Numbers(vec![penalty.l1, penalty.l2]);
        let clip = Value::Numbers(vec![clip.unwrap_or(0.0)]);
        let constants = Value::Numbers(self.rule.formula(step, lr, Constants));
        let slots = Value::from(slots);
        let before = Value::from(before);
        let common = [n, ends, params];
        let sums_values = [
            &common[..],
            &[gradients.clone(), penalty.clone(), before.clone()],
            &[Value::from(&self.held), Value::from(&self.of_blocks)],
        ]
        .concat();
        let next_values = [
            &common[..],
            &[gradients, penalty, clip, constants, slots.clone()],
            &[
                Value::from(&self.of_blocks),
                Value::from(&self.totals),
                Value::from(&self.next),
                Value::from(&self.wrong),
            ],
        ]
        .concat();
        let commit_values = [
            &common[..],
            &[before, Value::from(narrow), Value::from(wide)],
            &[Value::from(&self.totals), Value::from(&self.next), Value::from(&self.wrong), slots, Value::from(row)],
        ]
        .concat();
        let shape = |sums: usize| Launch {
            blocks: self.blocks,
            threads: THREADS,
            shared_bytes: sums * THREADS * size_of::<f64>(),
            together: false,
        };
        // SAFETY: the values are those of the kernels in update.cu; parameters, gradients and slots are of the sizes that the ends say, and
        // the rest was made for `total` numbers and so many blocks.
        unsafe {
            self.program.launch("update_sums", shape(SUMS), &sums_values)?;
            self.program.launch("update_next", shape(SUMS), &next_values)?;
            self.program.launch("update_commit", shape(1), &commit_values)?;
        }
        // A copy onto itself moves nothing, and tells libtorch that the tensor was edited.
        self.params.iter().for_each(|param| param.shallow_clone().copy_(param));
        Ok(())
    }

    /// The joined gradients that were put aside.
    pub(crate) fn held(&self) -> &Tensor {
        &self.held
    }
}

fn program(gpu: &Gpu, rule: Rule, params: usize, kind: Kind) -> Result<Arc<Program>> {
    let slots = rule.slots().len();
    let rule_text = rule.formula(1, 0.0, Text { slots })?;
    gpu.program(&format!("update of {params} {kind:?} by {rule_text}"), || {
        let real = real(kind)?;
        Ok(format!(
            "#define real {real}\n#define PARAMS {params}\n#define SLOTS {slots}\n#define THREADS {THREADS}\n\
             #define MOST_CONSTANTS {MOST_CONSTANTS}\n{rule_text}{TEXT}"
        ))
    })
}

/// The constants of a formula, as many as one may have.
struct Constants;

impl UseFormula for Constants {
    type Out = Vec<f64>;

    fn with(self, _formula: impl Formula, constants: &[f64]) -> Vec<f64> {
        let mut all = constants.to_vec();
        all.resize(MOST_CONSTANTS, 0.0);
        all
    }
}

/// A formula in CUDA C, for so many slots.
struct Text {
    slots: usize,
}

impl UseFormula for Text {
    type Out = Result<String>;

    fn with(self, formula: impl Formula, _constants: &[f64]) -> Result<String> {
        let listing = Listing::new();
        let [x, g, a, b] = ["x", "g", "s[0]", "s[1]"].map(|name| listing.name(name));
        let (param, slots) = formula.next(x, g, [a, b]);
        let results: Vec<Code> = std::iter::once(param).chain(slots).take(1 + self.slots).collect();
        let statements = listing.statements(&results)?;
        let written = results.iter().enumerate().map(|(i, result)| format!("    next[{i}] = {};\n", result.operand()));
        Ok(format!(
            "__device__ inline void rule(const real x, const real g, const real *s, const real *c, real *next) {{\n\
             {statements}{}}}\n",
            written.collect::<String>()
        ))
    }
}
