//! A program's loop over steps as C++: the operations of the interpreter in its order, so that the bytes are the same.

use std::fmt::Write as _;

use super::Source;
use crate::functions::{EXPONENTIAL, PHI_2};
use crate::program::Instruction;
use crate::{Function, Instructions, Real};

/// Samples or neurons side by side in the inner loop, where the lanes are a multiple: the steps of one unit wait for each other.
const ABREAST: usize = 32;

/// What is around every program.
const LOOPS: &str = include_str!("loops.cpp");

/// The loop of a program, and the functions that it calls back for.
pub(super) fn text<F: Real>(source: &Source, instructions: Instructions) -> (String, Vec<Function>) {
    let mut calls = Vec::new();
    let body = body::<F>(source, &mut calls);
    (constants::<F>(instructions) + LOOPS + &around(source, &body), calls)
}

/// Numbers of a vector.
pub(super) fn width<F: Real>(instructions: Instructions) -> usize {
    instructions.vector_bytes() / size_of::<F>()
}

fn is_single<F: Real>() -> bool {
    size_of::<F>() == 4
}

/// The types, the operations that depend on the processor, and constants by the same arithmetic as in the interpreter's functions.
fn constants<F: Real>(instructions: Instructions) -> String {
    let (real, bits, mantissa, ones) = match is_single::<F>() {
        true => ("float", "unsigned", 23, f64::from(1.5 / f32::EPSILON)),
        false => ("double", "unsigned long", 52, 1.5 / f64::EPSILON),
    };
    let vector = instructions.vector_bytes();
    let mut text = format!(
        "typedef {real} real;\ntypedef {bits} bits;\n#define VECTOR {vector}\n#define MANTISSA {mantissa}
typedef real V __attribute__((vector_size(VECTOR)));\n"
    );
    for (name, value) in [
        ("MINUS_ZERO", F::of(-0.0)),
        ("ONES", F::of(ones)),
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
    text += &processor::<F>(instructions);
    let mut function = |name: &str, arguments: &str, body: &str| {
        let _ = writeln!(text, "static inline __attribute__((always_inline)) V {name}({arguments}) {{ {body} }}");
    };
    // Zero taken away changes nothing, -0 included.
    function("splat", "real x", "return x - V{};");
    function("mul_add", "V a, V b, V c", "return MUL_ADD(a, b, c);");
    function("sqrt_", "V x", "return SQRT(x);");
    function("exp_series", "V x", &horner::<F>(&EXPONENTIAL[1..=F::EXP_TERMS]));
    function("phi_2_series", "V x", &horner::<F>(&PHI_2[..=F::EXP_TERMS + 4]));
    text
}

/// What has no operator. GCC's own names do without a header that takes longer to read than all else to compile.
fn processor<F: Real>(instructions: Instructions) -> String {
    let (bits, kind) = (8 * instructions.vector_bytes(), if is_single::<F>() { "ps" } else { "pd" });
    let ([mul_add, sqrt], masked) = match bits {
        128 => {
            return "#define MUL_ADD(a, b, c) ((a) * (b) + (c))
static inline V SQRT(V x) {
    for (unsigned l = 0; l < sizeof(V) / sizeof(real); l++) x[l] = __builtin_sqrt(x[l]);
    return x;
}
"
            .to_owned();
        }
        256 => (["(a, b, c)", "(x)"], ""),
        // All lanes, rounded to the nearest.
        _ => (["(a, b, c, -1, 4)", "(x, x, -1, 4)"], "_mask"),
    };
    format!(
        "#ifdef __clang__
#include <immintrin.h>
#define MUL_ADD(a, b, c) _mm{bits}_fmadd_{kind}(a, b, c)
#define SQRT(x) _mm{bits}_sqrt_{kind}(x)
#else
#define MUL_ADD(a, b, c) __builtin_ia32_vfmadd{kind}{bits}{masked}{mul_add}
#define SQRT(x) __builtin_ia32_sqrt{kind}{bits}{masked}{sqrt}
#endif
"
    )
}

/// The polynomial with these coefficients.
fn horner<F: Real>(coefficients: &[f64]) -> String {
    let (last, rest) = coefficients.split_last().expect("a series has terms");
    let first = splat(F::of(*last));
    let sum = rest.iter().rev().fold(first, |sum, c| format!("mul_add({sum}, x, {})", splat(F::of(*c))));
    format!("return {sum};")
}

fn splat<F: Real>(value: F) -> String {
    format!("splat({})", number(value))
}

/// All digits of a number.
fn number<F: Real>(value: F) -> String {
    let suffix = if is_single::<F>() { "f" } else { "" };
    match format!("{value:?}").as_str() {
        "inf" => "__builtin_inf()".into(),
        "-inf" => "(-__builtin_inf())".into(),
        "NaN" => "__builtin_nan(\"\")".into(),
        digits => format!("({digits}{suffix})"),
    }
}

/// What happens to a vector of lanes in one step.
fn body<F: Real>(source: &Source, calls: &mut Vec<Function>) -> String {
    let mut text = String::new();
    let mut line = |what: String| {
        let _ = writeln!(text, "                    {what}");
    };
    // The name of what stands in each row.
    let mut rows: Vec<String> = (0..source.rows).map(|row| format!("r{row}")).collect();
    for row in 0..source.inputs {
        match source.is_state(row) {
            true => line(format!("const V r{row} = s{row}[l];")),
            false => line(format!("const V r{row} = read(x{row} + N * l);")),
        }
    }
    for (place, row) in source.kept.iter().enumerate() {
        line(format!("write(y{place} + N * l, r{row});"));
    }
    for (i, (to, instruction)) in source.instructions.iter().enumerate() {
        let value = expression(instruction.with(F::of), |row| &rows[usize::from(row)], calls);
        line(format!("const V t{i} = {value};"));
        rows[usize::from(*to)] = format!("t{i}");
    }
    for row in source.states() {
        line(format!("s{row}[l] = {};", rows[row]));
    }
    for (place, row) in source.stored.iter().enumerate() {
        line(format!("write(y{} + N * l, {});", source.kept.len() + place, rows[usize::from(*row)]));
    }
    text
}

fn expression<'a, F: Real>(
    instruction: Instruction<F>,
    row: impl Fn(u16) -> &'a str,
    calls: &mut Vec<Function>,
) -> String {
    let n = splat::<F>;
    let mul_add = |k: F, a: u16, l: F| mul_add(k, row(a), l);
    match instruction {
        Instruction::Affine { a, k, l } => mul_add(k, a, l),
        Instruction::Sum { a, b, k, l, m } => added(k, row(a), &mul_add(l, b, m)),
        Instruction::Product { a, b, k, l } if is_nothing(l) => format!("{} * {}", scaled(k, row(a)), row(b)),
        Instruction::Product { a, b, k, l } => format!("mul_add({}, {}, {})", scaled(k, row(a)), row(b), n(l)),
        Instruction::ProductSum { a, b, c, k, l, m } => {
            format!("mul_add({}, {}, {})", scaled(k, row(a)), row(b), mul_add(l, c, m))
        }
        Instruction::Quotient { a, b, k } => format!("{} * {} / {}", n(k), row(a), row(b)),
        Instruction::Reciprocal { a, k, l } => format!("{} / ({} + {})", n(k), row(a), n(l)),
        Instruction::Pick { a, b, c } => format!("{} >= splat(0) ? {} : {}", row(a), row(b), row(c)),
        Instruction::Replace { a, b, k, l } => format!("{} >= {} ? {} : {}", row(a), n(l), n(k), row(b)),
        Instruction::Choose { k, l, .. } if number(k) == number(l) => n(k),
        Instruction::Choose { a, k, l, m } => format!("{} >= {} ? {} : {}", row(a), n(m), n(k), n(l)),
        Instruction::Power { a, k, l } => format!("power(calls, {} * {}, {})", n(k), row(a), number(l)),
        Instruction::Of { f, a, k, l } => match (name(f), mul_add(k, a, l)) {
            (Some(name), x) => format!("{name}({x})"),
            (None, x) => {
                calls.push(f);
                format!("function(calls, {}, {x})", calls.len() - 1)
            }
        },
    }
}

/// Whether a sum with it is the other number, 0 included.
fn is_nothing<F: Real>(value: F) -> bool {
    format!("{value:?}") == "-0.0"
}

/// `k x`: of numbers to the last bit what the interpreter has, with fewer operations.
fn scaled<F: Real>(k: F, x: &str) -> String {
    match k {
        k if k == F::of(1.0) => x.to_owned(),
        k if k == F::of(-1.0) => format!("(-{x})"),
        k => format!("({} * {x})", splat(k)),
    }
}

/// `k x + y`, likewise.
fn added<F: Real>(k: F, x: &str, y: &str) -> String {
    match k {
        k if k == F::of(1.0) => format!("({x} + {y})"),
        k if k == F::of(-1.0) => format!("({y} - {x})"),
        k => format!("mul_add({}, {x}, {y})", splat(k)),
    }
}

/// `k x + l`, likewise.
fn mul_add<F: Real>(k: F, x: &str, l: F) -> String {
    if is_nothing(l) { scaled(k, x) } else { added(k, x, &splat(l)) }
}

/// Functions that have a formula in the text.
fn name(function: Function) -> Option<&'static str> {
    Some(match function {
        Function::Neg => "-",
        Function::Abs => "abs_",
        Function::Sqrt => "sqrt_",
        Function::Exp => "exp_",
        Function::Phi(1) => "phi_1",
        Function::Phi(2) => "phi_2",
        Function::Sigmoid => "sigmoid",
        Function::Tanh => "tanh_",
        _ => return None,
    })
}

/// The loops over units, lanes and steps.
fn around(source: &Source, body: &str) -> String {
    let outputs = source.kept.len() + source.stored.len();
    // Streams are read once: what is written might be them, for all that the compiler knows.
    let (mut streams, mut begin, mut next, mut end) = (String::new(), String::new(), String::new(), String::new());
    let inputs = (0..source.inputs).map(|row| (format!("x{row}"), format!("in[{row}]")));
    for (name, stream) in inputs.chain((0..outputs).map(|place| (format!("y{place}"), format!("out[{place}]")))) {
        let _ = writeln!(streams, "    real *{name}_unit = {stream}.begin;");
        let _ = writeln!(streams, "    const long {name}_apart = {stream}.unit, {name}_step = {stream}.step;");
        let _ = writeln!(begin, "            real *{name} = {name}_unit + first;");
        let _ = writeln!(next, "                {name} += {name}_step;");
        let _ = writeln!(end, "        {name}_unit += {name}_apart;");
    }
    let (mut load, mut keep) = (begin, String::new());
    for row in source.states() {
        let _ = writeln!(load, "            V s{row}[K];");
        let _ = writeln!(load, "            for (long l = 0; l < K; l++) s{row}[l] = read(x{row} + N * l);");
        let _ = writeln!(keep, "            for (long l = 0; l < K; l++) write(x{row} + N * l, s{row}[l]);");
    }
    let arguments = "const long units, const long steps, const long lanes, const Stream *in, const Stream *out,
    const Calls *calls";
    format!(
        "
// `K` vectors side by side.
template <long K> static void blocks({arguments}) {{
{streams}    for (long unit = 0; unit < units; unit++) {{
        for (long first = 0; first < lanes; first += N * K) {{
{load}            for (long step = 0; step < steps; step++) {{
                for (long l = 0; l < K; l++) {{
{body}                }}
{next}            }}
{keep}        }}
{end}    }}
}}

extern \"C\" void run({arguments}) {{
    if (lanes % {ABREAST} == 0) blocks<{ABREAST} / N>(units, steps, lanes, in, out, calls);
    else blocks<1>(units, steps, lanes, in, out, calls);
}}
"
    )
}
