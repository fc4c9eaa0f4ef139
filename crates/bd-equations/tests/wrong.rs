//! Wrong files, and the whole sentence that each gets.

use bd_equations::NeuronText;

/// A right file, in which the table below changes one thing.
const RIGHT: &str = r#"
equations = """
dv/dt = (E_L - v + R*I) / tau : volt (unless refractory)
dw/dt = -w / tau_w : amp
half = w / 2 : amp
tau : second
I : amp
"""
threshold = "v > V_T"
reset = """
v = V_r
w += b
"""
refractory = "2*ms"
surrogate_scale = "10*mV"
[constants]
E_L = "-70*mV"
V_T = "-55*mV"
V_r = "E_L"
R = "0.1*Gohm"
tau = "10*ms"
tau_w = "100*ms"
b = "1*pA"
[inputs]
I = "100*pA"
[initial]
v = "E_L + 2*mV*randn()"
"#;

/// What is replaced, by what, and the error.
const TABLE: &[(&str, &str, &str)] = &[
    ("(E_L - v + R*I)", "(E_L - v + R*I", "equations, line 1, column 30: ':' stands where ')' is expected"),
    ("(E_L - v + R*I)", "(E_L - v + I)", "equations, line 1, column 9: '(E_L - v + I)' adds ampere to volt"),
    (
        "-w / tau_w",
        "-w",
        "equations, line 2, column 9: dw/dt must be of unit ampere/second, and its formula is of unit ampere",
    ),
    ("-w / tau_w", "-w / tau_v", "equations, line 2, column 14: 'tau_v' is not defined. Is 'tau_w' meant?"),
    (
        "-w / tau_w",
        "-w / tau_w + xi",
        "equations, line 2, column 22: the noise 'xi' is not supported; let noise come in through a port",
    ),
    (
        "-w / tau_w",
        "-w*t / tau_w",
        "equations, line 2, column 12: the time 't' is not supported, for a step knows no time; let the signal come in through a port",
    ),
    (
        "-w / tau_w",
        "-w // tau_w",
        "equations, line 2, column 12: whole quotients (//) are not supported; divide with /",
    ),
    (
        "-w / tau_w",
        "-w % tau_w",
        "equations, line 2, column 12: remainders (%) are not supported, for they have no gradient",
    ),
    ("-w / tau_w", "-w ^ 2", "equations, line 2, column 12: '^' is no operator; a power is written x**2"),
    ("-w / tau_w", "-2w / tau_w", "equations, line 2, column 10: '2w' lacks an operator; write 2*w"),
    (
        "-w / tau_w",
        "-exp(w) / tau_w",
        "equations, line 2, column 14: 'w' is of unit ampere; the argument of exp must be a number without unit",
    ),
    (
        "-w / tau_w",
        "-expp(w) / tau_w",
        "equations, line 2, column 10: 'expp' is no function. Is 'exp' meant? There are exp, log, log10, sqrt, sin, cos, tan, sinh, cosh, tanh, arctan, exprel, abs, sign, clip, int",
    ),
    (
        "-w / tau_w",
        "-w*floor(1) / tau_w",
        "equations, line 2, column 12: 'floor' is no function. It has no gradient and is not supported. There are exp, log, log10, sqrt, sin, cos, tan, sinh, cosh, tanh, arctan, exprel, abs, sign, clip, int",
    ),
    ("-w / tau_w", "-w*clip(1, 2) / tau_w", "equations, line 2, column 12: clip has 3 arguments, not 2"),
    (
        "-w / tau_w",
        "-w*(v > E_L) / tau_w",
        "equations, line 2, column 12: '(v > E_L)' is true or false; write int((v > E_L)) for 1 or 0",
    ),
    (
        "-w / tau_w",
        "-w*randn() / tau_w",
        "equations, line 2, column 12: randn() is for initial values only; noise comes in through a port",
    ),
    ("-w / tau_w", "-w*(1/0) / tau_w", "equations, line 2, column 12: '(1/0)' is inf, and must be finite"),
    (
        "dw/dt = -w / tau_w : amp",
        "dw/dx = -w / tau_w : amp",
        "equations, line 2, column 1: a derivative is written dx/dt, with the name of a variable for x",
    ),
    (
        "half = w / 2 : amp",
        "half = w / 2",
        "equations, line 4, column 1: 'tau' stands where an operator, or ':' and the unit of this line is expected",
    ),
    (
        "half = w / 2 : amp",
        "half = w / 2 : pA",
        "equations, line 3, column 16: 'pA' has a prefix; a line states what is measured: ampere",
    ),
    ("half = w / 2 : amp", "half = w / 2 : amps", "equations, line 3, column 16: 'amps' is no unit. Is 'amp' meant?"),
    ("half = w / 2 : amp", "w = half / 2 : amp", "equations, line 3, column 1: 'w' is defined for the second time"),
    (
        "half = w / 2 : amp",
        "half = half / 2 : amp",
        "equations, line 3, column 1: half are defined by each other in a circle",
    ),
    (
        "tau : second",
        "tau : second (train)",
        "equations, line 4, column 15: 'train' is no flag. Is 'trained' meant? There are unless refractory, constant, per neuron, trained, positive",
    ),
    (
        "tau : second",
        "tau : second (event-driven)",
        "equations, line 4, column 15: the flag 'event-driven' is of synapses, which are not written as equations; there are unless refractory, constant, per neuron, trained, positive",
    ),
    (
        "tau : second",
        "tau : volt",
        "equations, line 4, column 1: 'tau' is of unit volt, and its value in [constants] of unit second",
    ),
    (
        "tau : second",
        "tau : second\ng : siemens",
        "equations, line 5, column 1: 'g' has no value; give it one in [constants] or [initial], or make it an input by [inputs]",
    ),
    (
        "tau : second",
        "tau : second\nnS : siemens",
        "equations, line 5, column 1: 'nS' is the name of a unit; choose another name",
    ),
    (
        "\"v > V_T\"",
        "\"v > V_T and w > b\"",
        "threshold, line 1, column 1: the threshold must be one comparison, such as 'v > 1', for a surrogate needs a distance; what else is to hold may be the condition 'refractory'",
    ),
    ("\"v > V_T\"", "\"v > b\"", "threshold, line 1, column 1: 'v > b' compares volt with ampere"),
    ("w += b", "w += V_T", "reset, line 2, column 1: 'w += V_T' adds volt to ampere"),
    ("w += b", "half = b", "reset, line 2, column 1: 'half' is calculated from other variables and cannot be set"),
    (
        "w += b",
        "E_L = V_r",
        "reset, line 2, column 1: 'E_L' is a constant; a parameter that the reset changes needs a line 'E_L : unit'",
    ),
    ("w += b", "w = b w", "reset, line 2, column 7: 'w' stands where an operator or the end of the line is expected"),
    (
        "\"2*ms\"",
        "\"2*mV\"",
        "refractory, line 1, column 1: '2*mV' must be a time from 0 on, made of constants, such as '2*ms', or a condition, such as 'v > 0'",
    ),
    (
        "refractory = \"2*ms\"",
        "",
        "equations, line 1, column 1: 'v' has the flag 'unless refractory', and 'refractory' is not given",
    ),
    (
        "surrogate_scale = \"10*mV\"",
        "",
        "surrogate_scale: the threshold compares volt; give the distance from it that counts as 1 to the surrogate, such as the distance of reset and threshold",
    ),
    (
        "surrogate_scale = \"10*mV\"",
        "surrogate_scale = 10",
        "surrogate_scale, line 1, column 1: the distance from the threshold is of unit volt, and this value of unit 1",
    ),
    ("threshold = \"v > V_T\"", "", "reset: there is no 'threshold'"),
    ("V_r = \"E_L\"", "V_r = \"E_l\"", "constants.V_r, line 1, column 1: 'E_l' is not defined. Is 'E_L' meant?"),
    ("V_r = \"E_L\"", "V_r = \"V_s\"\nV_s = \"V_r\"", "constants: V_r, V_s are defined by each other in a circle"),
    (
        "I = \"100*pA\"",
        "J = \"100*pA\"",
        "equations, line 5, column 1: 'I' has no value; give it one in [constants] or [initial], or make it an input by [inputs]",
    ),
    (
        "I = \"100*pA\"",
        "I = \"100*mV\"",
        "inputs.I, line 1, column 1: 'I' is of unit ampere, and this value of unit volt",
    ),
    ("v = \"E_L + 2*mV*randn()\"", "u = 1", "initial.u: 'u' is not a variable or parameter of the equations."),
    (
        "refractory = \"2*ms\"",
        "refractory = \"2*ms\"\nmethod = \"heun\"",
        "file, line 15, column 10: unknown variant `heun`, expected one of `euler`, `rk2`, `rk4`, `exponential_euler`, `exponential_rosenbrock`, `exact`",
    ),
    (
        "refractory = \"2*ms\"",
        "refractory = \"2*ms\"\nsubsteps = 0",
        "substeps: 0 substeps cannot be; 1 to 100 are allowed",
    ),
    (
        "refractory = \"2*ms\"",
        "refractory = \"2*ms\"\ntrained = [\"taw\"]",
        "trained: 'taw' is neither a parameter nor a constant. Is 'tau' meant?",
    ),
    (
        "refractory = \"2*ms\"",
        "refractory = \"2*ms\"\ntrained = [\"E_L\"]",
        "constants.V_r, line 1, column 1: 'E_L' is each neuron's own, and 'V_r' would not follow it; write V_r as a line of the equations",
    ),
    ("-w / tau_w", "-w*w/b / tau_w", "exponential_euler"),
    ("-w / tau_w", "-exp(w/b)*b / tau_w", "exact"),
];

#[test]
fn wrong_files_say_what_is_wrong_and_where() {
    NeuronText::parse(RIGHT).unwrap().build().unwrap();
    let mut differences = Vec::new();
    for (right, wrong, message) in TABLE {
        assert_eq!(RIGHT.matches(right).count(), 1, "{right}");
        let mut text = RIGHT.replace(right, wrong);
        let method = ["exponential_euler", "exact"].contains(message);
        if method {
            text = text.replace("refractory =", &format!("method = \"{message}\"\nrefractory ="));
        }
        let found = match NeuronText::parse(&text).and_then(|text| text.build()) {
            Ok(_) => "nothing".into(),
            Err(error) => error.to_string(),
        };
        let expected = match *message {
            "exponential_euler" => {
                "equations, line 2, column 9: exponential_euler needs equations that are linear in their own variable, and '-w*w' is a product of two parts that both depend on it; choose exponential_rosenbrock or rk4"
            }
            "exact" => {
                "equations, line 2, column 9: exact needs linear equations, and '-exp(w/b)*b / tau_w' is not linear in them; choose exponential_euler or rk4"
            }
            message => message,
        };
        if found != expected {
            differences.push(format!("{wrong}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn limits_hold() {
    let with = |expression: &str| {
        let text = RIGHT.replace("half = w / 2", &format!("half = {expression}"));
        NeuronText::parse(&text).unwrap().build().unwrap_err().to_string()
    };
    let deep = format!("{}w{}", "(".repeat(65), ")".repeat(65));
    assert_eq!(with(&deep), "equations, line 3, column 72: brackets and signs are more than 64 deep");
    let long = vec!["w"; 300].join(" + ");
    assert!(with(&long).starts_with("equations, line 3, column 8: more than 256 operations in a row;"));
    let large = vec!["w"; 20_000].join(" + ");
    assert!(with(&large).starts_with("equations: 80"), "{}", with(&large));
    let lines: String = (0..300).map(|i| format!("p{i} = w : amp\n")).collect();
    let text = RIGHT.replace("tau : second", &lines);
    let error = NeuronText::parse(&text).unwrap().build().unwrap_err().to_string();
    assert!(error.ends_with("there are more than 256 lines"), "{error}");
    let variables: String = (0..70).map(|i| format!("dp{i}/dt = -p{i}/tau_w : 1\n")).collect();
    let text = RIGHT.replace("half = w / 2 : amp", &variables);
    let error = NeuronText::parse(&text).unwrap().build().unwrap_err().to_string();
    assert_eq!(error, "equations: a neuron has 72 variables; at most 64 are allowed");
}
