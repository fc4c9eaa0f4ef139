//! A program's loop over steps as C++: the operations of the interpreter in its order, so that the bytes are the same.

use std::fmt::Write as _;

use super::Source;
use crate::functions::{EXPONENTIAL, PHI_2};
use crate::program::Instruction;
use crate::{Function, Instructions, Real};

/// Samples or neurons side by side in the inner loop. The first of which the lanes are a multiple is taken.
const ABREAST: [usize; 2] = [32, crate::LANES];

/// What is around every program.
const LOOPS: &str = include_str!("loops.cpp");

/// The text, or why there is none.
pub(super) fn text<F: Real>(source: &Source, instructions: Instructions) -> Result<String, String> {
    let body = body::<F>(source)?;
    Ok(constants::<F>(instructions) + LOOPS + &around(source, &body))
}

/// The type and its constants, by the same arithmetic as in the interpreter's functions.
fn constants<F: Real>(instructions: Instructions) -> String {
    let single = size_of::<F>() == 4;
    let (real, bits, mantissa, suffix) =
        if single { ("float", "unsigned", 23, "f") } else { ("double", "unsigned long", 52, "") };
    let fused = format!("__builtin_fma{suffix}(a, b, c)");
    let mul_add = if instructions.are_plain() { "a * b + c" } else { &fused };
    let ones = if single { F::of(1.5 / f64::from(f32::EPSILON)) } else { F::of(1.5 / f64::EPSILON) };
    let mut text = format!("typedef {real} real;\ntypedef {bits} bits;\n#define MANTISSA {mantissa}\n");
    for (name, value) in [
        ("ONES", ones),
        ("HALF", F::of(0.5)),
        ("ONE", F::of(1.0)),
        ("TWO", F::of(2.0)),
        ("TWENTY", F::of(20.0)),
        ("LOG2_E", F::of(std::f64::consts::LOG2_E)),
        ("LN_2_HIGH", F::LN_2.0),
        ("LN_2_LOW", F::LN_2.1),
        ("EXP_LIMIT", F::EXP_LIMIT),
        ("EXP_END", F::EXP_LIMIT + F::EXP_LIMIT * F::of(0.25)),
    ] {
        let _ = writeln!(text, "static const real {name} = {};", number(value));
    }
    let function = |text: &mut String, name: &str, arguments: &str, value: &str| {
        let _ = writeln!(text, "static inline real {name}({arguments}) {{ return {value}; }}");
    };
    function(&mut text, "mul_add", "real a, real b, real c", mul_add);
    function(&mut text, "abs_", "real x", &format!("__builtin_fabs{suffix}(x)"));
    function(&mut text, "sqrt_", "real x", &format!("__builtin_sqrt{suffix}(x)"));
    function(&mut text, "exp_series", "real x", &horner::<F>(&EXPONENTIAL[1..=F::EXP_TERMS]));
    function(&mut text, "phi_2_series", "real x", &horner::<F>(&PHI_2[..=F::EXP_TERMS + 4]));
    text
}

/// The polynomial with these coefficients.
fn horner<F: Real>(coefficients: &[f64]) -> String {
    let (last, rest) = coefficients.split_last().expect("a series has terms");
    let first = number(F::of(*last));
    rest.iter().rev().fold(first, |sum, c| format!("mul_add({sum}, x, {})", number(F::of(*c))))
}

/// All digits of a number.
fn number<F: Real>(value: F) -> String {
    let suffix = if size_of::<F>() == 4 { "f" } else { "" };
    match format!("{value:?}").as_str() {
        "inf" => "__builtin_inf()".into(),
        "-inf" => "(-__builtin_inf())".into(),
        "NaN" => "__builtin_nan(\"\")".into(),
        digits => format!("({digits}{suffix})"),
    }
}

/// What happens to one lane in one step.
fn body<F: Real>(source: &Source) -> Result<String, String> {
    let mut text = String::new();
    let mut line = |what: String| {
        let _ = writeln!(text, "                    {what}");
    };
    // The name of what stands in each row.
    let mut rows: Vec<String> = (0..source.rows).map(|row| format!("r{row}")).collect();
    for row in 0..source.inputs {
        let from = if source.is_state(row) { "s" } else { "x" };
        line(format!("const real r{row} = {from}{row}[l];"));
    }
    for (place, row) in source.kept.iter().enumerate() {
        line(format!("y{place}[l] = r{row};"));
    }
    for (i, (to, instruction)) in source.instructions.iter().enumerate() {
        let value = expression(instruction.with(F::of), |row| &rows[usize::from(row)])?;
        line(format!("const real t{i} = {value};"));
        rows[usize::from(*to)] = format!("t{i}");
    }
    for row in (0..source.inputs).filter(|row| source.is_state(*row)) {
        line(format!("s{row}[l] = {};", rows[row]));
    }
    for (place, row) in source.stored.iter().enumerate() {
        line(format!("y{}[l] = {};", source.kept.len() + place, rows[usize::from(*row)]));
    }
    Ok(text)
}

fn expression<'a, F: Real>(instruction: Instruction<F>, row: impl Fn(u16) -> &'a str) -> Result<String, String> {
    let n = number::<F>;
    let mul_add = |k: F, a: u16, l: F| format!("mul_add({}, {}, {})", n(k), row(a), n(l));
    Ok(match instruction {
        Instruction::Affine { a, k, l } => mul_add(k, a, l),
        Instruction::Sum { a, b, k, l, m } => format!("mul_add({}, {}, {})", n(k), row(a), mul_add(l, b, m)),
        Instruction::Product { a, b, k, l } => format!("mul_add({} * {}, {}, {})", n(k), row(a), row(b), n(l)),
        Instruction::ProductSum { a, b, c, k, l, m } => {
            format!("mul_add({} * {}, {}, {})", n(k), row(a), row(b), mul_add(l, c, m))
        }
        Instruction::Quotient { a, b, k } => format!("{} * {} / {}", n(k), row(a), row(b)),
        Instruction::Reciprocal { a, k, l } => format!("{} / ({} + {})", n(k), row(a), n(l)),
        Instruction::Pick { a, b, c } => format!("{} >= 0 ? {} : {}", row(a), row(b), row(c)),
        Instruction::Replace { a, b, k, l } => format!("{} >= {} ? {} : {}", row(a), n(l), n(k), row(b)),
        Instruction::Choose { a, k, l, m } => format!("{} >= {} ? {} : {}", row(a), n(m), n(k), n(l)),
        Instruction::Power { .. } => return Err("a power is a call for each number".into()),
        Instruction::Of { f, a, k, l } => {
            let name = match f {
                Function::Neg => "-",
                Function::Abs => "abs_",
                Function::Sqrt => "sqrt_",
                Function::Exp => "exp_",
                Function::Phi(1) => "phi_1",
                Function::Phi(2) => "phi_2",
                Function::Sigmoid => "sigmoid",
                Function::Tanh => "tanh_",
                rare => return Err(format!("{rare:?} is a call for each number")),
            };
            format!("{name}({})", mul_add(k, a, l))
        }
    })
}

/// The loops over units, lanes and steps.
fn around(source: &Source, body: &str) -> String {
    let states = || (0..source.inputs).filter(|row| source.is_state(*row));
    let outputs = source.kept.len() + source.stored.len();
    let (mut begin, mut next, mut end) = (String::new(), String::new(), String::new());
    for row in 0..source.inputs {
        let _ = writeln!(begin, "            real *x{row} = in[{row}].begin + unit * in[{row}].unit + first;");
        let _ = writeln!(next, "                x{row} += in[{row}].step;");
    }
    for place in 0..outputs {
        let _ = writeln!(begin, "            real *y{place} = out[{place}].begin + unit * out[{place}].unit + first;");
        let _ = writeln!(next, "                y{place} += out[{place}].step;");
    }
    for row in states() {
        let _ = writeln!(
            begin,
            "            real s{row}[W];\n            for (long l = 0; l < W; l++) s{row}[l] = x{row}[l];"
        );
        let _ = writeln!(end, "            for (long l = 0; l < W; l++) x{row}[l] = s{row}[l];");
    }
    let calls: String = ABREAST
        .iter()
        .map(|w| format!("    if (lanes % {w} == 0) return blocks<{w}>(units, steps, lanes, in, out);\n"))
        .collect();
    format!(
        "
template <long W>
static void blocks(const long units, const long steps, const long lanes, const Stream *in, const Stream *out) {{
    for (long unit = 0; unit < units; unit++) {{
        for (long first = 0; first < lanes; first += W) {{
{begin}            for (long step = 0; step < steps; step++) {{
                #pragma omp simd
                for (long l = 0; l < W; l++) {{
{body}                }}
{next}            }}
{end}        }}
    }}
}}

extern \"C\" void run(long units, long steps, long lanes, const Stream *in, const Stream *out) {{
{calls}}}
"
    )
}
