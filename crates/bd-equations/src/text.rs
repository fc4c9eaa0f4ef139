//! [`NeuronText`]: a neuron as it is written in a file.

use std::collections::BTreeMap;

use bd_kernel::models::surrogate::Surrogate;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A neuron as text, in a subset of Brian2's syntax. [`build`](Self::build) checks it and makes the [`Model`](crate::Model).
///
/// ```
/// let text = bd_equations::NeuronText::parse(r#"
///     equations = """
///     dv/dt = (I - v) / tau : 1
///     I : 1
///     """
///     threshold = "v > 1"
///     reset = "v = 0"
///     constants = { tau = "10*ms" }
///     inputs = { I = 1 }
/// "#)?;
/// let model = text.build()?;
/// assert_eq!(model.states().iter().map(|state| state.name.as_str()).collect::<Vec<_>>(), ["v", "spike"]);
/// # bd_equations::Result::<()>::Ok(())
/// ```
///
/// Values are expressions of numbers, units and other constants, such as `"281*pF"`, or plain numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NeuronText {
    /// What it is, in one line.
    #[serde(default)]
    pub summary: String,
    /// Where equations and numbers are from.
    #[serde(default)]
    pub source: String,
    /// What is to be known of it, of its gradient for example.
    #[serde(default)]
    pub note: String,
    /// Lines `dx/dt = f : unit (flags)`, `x = f : unit` and `x : unit (flags)`. Flags are `unless refractory`, `constant`, and
    /// of parameters `per neuron`, `trained`, `positive`, see the fields of these names.
    pub equations: String,
    /// A comparison, where the neuron spikes. At equality it spikes, whether `>` or `>=` is written.
    #[serde(default)]
    pub threshold: Option<String>,
    /// Assignments where it spikes, in this order: `v = f`, `w += f`.
    #[serde(default)]
    pub reset: Option<String>,
    /// A time after each spike in which it does not spike, and in which variables with the flag `unless refractory` stay; or a
    /// condition: after a spike it is refractory for as long as this holds.
    #[serde(default)]
    pub refractory: Option<Value>,
    /// How equations are solved. The default is the first of [`exact`](Method::Exact),
    /// [`exponential_euler`](Method::ExponentialEuler) and [`rk4`](Method::Rk4) that can solve them.
    #[serde(default)]
    pub method: Option<Method>,
    /// In how many parts a step is divided in which equations are solved, 1 to 100.
    #[serde(default = "one")]
    pub substeps: usize,
    /// Whether its loops are compiled by the machine's C++ compiler, if it has one, when they first run. It changes no number.
    #[serde(default)]
    pub compile: bool,
    /// What the neuron sends: `spike`, which is the default of neurons with a threshold, or an expression, whose value is in
    /// ms, mV, pA and what follows from these.
    #[serde(default)]
    pub output: Option<String>,
    /// By what the distance from the threshold is divided before the surrogate is taken. Required unless the threshold compares
    /// numbers without unit, where the default is 1.
    #[serde(default)]
    pub surrogate_scale: Option<Value>,
    /// Whether the reset is outside the gradient.
    #[serde(default = "yes")]
    pub detach_reset: bool,
    /// Lines `x = f` whose values are outside the gradient: an upstroke whose derivative grows without bound, for example. Not with the
    /// methods [`exact`](Method::Exact) and [`exponential_rosenbrock`](Method::ExponentialRosenbrock).
    #[serde(default)]
    pub detached: Vec<String>,
    /// Parameters and constants of which each neuron has its own value, beside those with the flag `per neuron`.
    #[serde(default)]
    pub per_neuron: Vec<String>,
    /// Parameters and constants that are trained, each neuron's own, beside those with the flag `trained`.
    #[serde(default)]
    pub trained: Vec<String>,
    /// Those of them that stay above 0, being trained by their logarithm, beside those with the flag `positive`.
    #[serde(default)]
    pub positive: Vec<String>,
    /// What stands in for the derivative of a spike.
    #[serde(default = "sigmoid")]
    pub surrogate: Surrogate,
    /// Numbers with a name.
    #[serde(default)]
    pub constants: BTreeMap<String, Value>,
    /// Parameters that come in at each step, and what an input of 1 means. Their order is that of the lines of equations.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// Values before the first step, 0 without. Here `rand()` and `randn()` are allowed, another number for each neuron.
    #[serde(default)]
    pub initial: BTreeMap<String, Value>,
}

/// A number, or an expression of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Value {
    /// Without unit.
    Number(f64),
    /// `"281*pF"`.
    Text(String),
}

impl Value {
    /// A multiple of it.
    pub fn times(&self, factor: f64) -> Self {
        match self {
            Self::Number(value) => Self::Number(factor * value),
            Self::Text(text) => Self::Text(format!("{factor}*({text})")),
        }
    }

    /// As an expression.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// How differential equations are solved over a step `h`, inputs being constant. `f` is the right side, `x` all variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `x + h f(x)`.
    Euler,
    /// The midpoint rule, `x + h f(x + h/2 f(x))`.
    Rk2,
    /// The classical method of Runge and Kutta, of order 4.
    Rk4,
    /// Each variable by itself as `x' = A x + B`: `x + h phi_1(A h) (A x + B)`. What is not linear in the variable is part of `B`,
    /// frozen over the step. Brian2's `exponential_euler`.
    ExponentialEuler,
    /// Each variable by itself, `x + h phi_1(J h) f(x)` with `J = df/dx`.
    ExponentialRosenbrock,
    /// The solution itself, of linear equations. Those that are coupled must have constant coefficients.
    Exact,
}

impl NeuronText {
    /// From TOML.
    pub fn parse(toml: &str) -> Result<Self> {
        toml::from_str(toml).map_err(|error| {
            let position = error.span().map(|span| crate::error::Position::of(toml, span.start));
            Error { part: "file".into(), position, message: error.message().to_owned() }
        })
    }

    /// As TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::of("file", error.to_string()))
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn sigmoid() -> Surrogate {
    Surrogate::Sigmoid { alpha: 4.0 }
}
