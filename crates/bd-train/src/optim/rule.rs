//! [`Rule`]: how a gradient changes a parameter, each written once, for numbers and for tensors.

use bd_core::kernel::{Code, Field, Num};
use bd_core::{Result, portable, setting};
use serde::{Deserialize, Serialize};

/// Which square root Adam adds its `eps` to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EpsOn {
    /// That of the second moment corrected for its start at zero: the form of textbooks and PyTorch.
    #[default]
    Corrected,
    /// That of the moment itself: BrainPy's form (`brainpy/optimizers/optimizer.py`), and the "epsilon hat" of Kingma and Ba
    /// 2015. At first the effective `eps` is `1 / sqrt(1 - beta2)` times larger.
    Uncorrected,
}

/// How a gradient changes a parameter. `t` counts updates from 1, `lr` follows the schedule.
///
/// | name | rule | parameters, defaults |
/// |---|---|---|
/// | `sgd` | `x -= lr g` | |
/// | `momentum` | `v = b v + g`, `x -= lr v` | `momentum` `b` 0.9 |
/// | `nesterov` | `v = b v + g`, `x -= lr (g + b v)` | `momentum` `b` 0.9 |
/// | `rms_prop` | `v = b v + (1 - b) g^2`, `x -= lr g / (sqrt(v) + eps)` | `decay` `b` 0.99, `eps` 1e-8 |
/// | `adam` | `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `x -= lr m' / (sqrt(v') + eps)` with `m' = m / (1 - b1^t)`, `v' = v / (1 - b2^t)` | `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `eps_on` corrected (else `sqrt((1 - b2^t)) / (sqrt(v) + eps)` in place of `1 / (sqrt(v') + eps)`) |
/// | `adam_w` | `x -= lr weight_decay x`, then Adam's | `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `weight_decay` 0.01 |
///
/// All but BrainPy's Adam are PyTorch's forms (`torch.optim`). Of BrainPy 2.2.4.0, `Momentum` and `MomentumNesterov` have a
/// velocity `-lr v`, which is the same as long as `lr` does not change; `RMSProp` divides by `sqrt(v + eps)`. `adam_w` is Loshchilov
/// and Hutter 2019: decay that, unlike an L2 penalty, the second moment does not see.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Rule {
    Sgd,
    Momentum { momentum: f64 },
    Nesterov { momentum: f64 },
    RmsProp { decay: f64, eps: f64 },
    Adam { beta1: f64, beta2: f64, eps: f64, eps_on: EpsOn },
    AdamW { beta1: f64, beta2: f64, eps: f64, weight_decay: f64 },
}

impl Default for Rule {
    fn default() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_on: EpsOn::Corrected }
    }
}

impl Rule {
    /// Every rule, with its default parameters.
    pub fn all() -> [Self; 6] {
        [
            Self::Sgd,
            Self::Momentum { momentum: 0.9 },
            Self::Nesterov { momentum: 0.9 },
            Self::RmsProp { decay: 0.99, eps: 1e-8 },
            Self::default(),
            Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 },
        ]
    }

    /// Names of the tensors that it keeps beside each parameter, two at most.
    pub(super) fn slots(self) -> &'static [&'static str] {
        match self {
            Self::Sgd => &[],
            Self::Momentum { .. } | Self::Nesterov { .. } | Self::RmsProp { .. } => &["v"],
            Self::Adam { .. } | Self::AdamW { .. } => &["m", "v"],
        }
    }

    /// How far operations of libtorch may be from loops over a few updates: not at all, but for the last bit of a root, which some
    /// processors' libraries round otherwise.
    #[cfg(test)]
    pub(crate) fn round_off(self, kind: tch::Kind) -> f64 {
        match (self, kind) {
            (Self::Sgd | Self::Momentum { .. } | Self::Nesterov { .. }, _) => 0.0,
            (_, tch::Kind::Float) => 1e-6,
            _ => 1e-14,
        }
    }

    pub(super) fn check(self) -> Result<()> {
        let betas = |rule: &str, beta1: f64, beta2: f64, eps: f64| {
            setting::below_one(&format!("{rule}.beta1"), beta1)?;
            setting::below_one(&format!("{rule}.beta2"), beta2)?;
            setting::above_zero(&format!("{rule}.eps"), eps)
        };
        match self {
            Self::Sgd => Ok(()),
            Self::Momentum { momentum } | Self::Nesterov { momentum } => setting::below_one("momentum", momentum),
            Self::RmsProp { decay, eps } => {
                setting::below_one("rms_prop.decay", decay)?;
                setting::above_zero("rms_prop.eps", eps)
            }
            Self::Adam { beta1, beta2, eps, .. } => betas("adam", beta1, beta2, eps),
            Self::AdamW { beta1, beta2, eps, weight_decay } => {
                betas("adam_w", beta1, beta2, eps)?;
                setting::from_zero("adam_w.weight_decay", weight_decay)
            }
        }
    }

    /// Hands `user` the formula of update `t`, from 1. Which one it is is a type, so that loops are compiled for each.
    pub(super) fn formula<U: UseFormula>(self, t: u64, lr: f64, user: U) -> U::Out {
        match self {
            Self::Sgd => made([lr], user, |[lr]| Sgd { lr }),
            Self::Momentum { momentum } => made([momentum, lr], user, |[momentum, lr]| Momentum { momentum, lr }),
            Self::Nesterov { momentum } => made([momentum, lr], user, |[momentum, lr]| Nesterov { momentum, lr }),
            Self::RmsProp { decay, eps } => {
                made([decay, 1.0 - decay, eps, lr], user, |[decay, rest, eps, lr]| RmsProp { decay, rest, eps, lr })
            }
            Self::Adam { beta1, beta2, eps, eps_on } => adam([beta1, beta2], eps, eps_on, 1.0, (t, lr), user),
            Self::AdamW { beta1, beta2, eps, weight_decay } => {
                adam([beta1, beta2], eps, EpsOn::Corrected, 1.0 - lr * weight_decay, (t, lr), user)
            }
        }
    }
}

/// Adam's formula of update `t`. `keep` is what is left of a parameter after its decay.
fn adam<U: UseFormula>(
    [beta1, beta2]: [f64; 2],
    eps: f64,
    eps_on: EpsOn,
    keep: f64,
    (t, lr): (u64, f64),
    user: U,
) -> U::Out {
    let bias = |beta: f64| 1.0 - portable::pow(beta, t as f64);
    let root = bias(beta2).sqrt();
    let eps = if eps_on == EpsOn::Corrected { eps } else { eps / root };
    let values = [beta1, 1.0 - beta1, beta2, 1.0 - beta2, 1.0 / root, eps, keep, lr / bias(beta1)];
    made(values, user, |[beta1, rest1, beta2, rest2, root, eps, keep, lr]| Adam {
        betas: [beta1, beta2],
        rests: [rest1, rest2],
        root,
        eps,
        keep,
        lr,
    })
}

/// Hands `user` the formula of some constants.
fn made<const K: usize, F: Formula, U: UseFormula>(
    values: [f64; K],
    user: U,
    of: impl FnOnce([Constant; K]) -> F,
) -> U::Out {
    user.with(of(std::array::from_fn(|place| Constant { place, value: values[place] })), &values)
}

/// What does something with a formula.
pub(super) trait UseFormula {
    type Out;

    /// `constants` are those of the formula, in the order of their places.
    fn with(self, formula: impl Formula, constants: &[f64]) -> Self::Out;
}

/// The most constants that a formula has.
pub(super) const MOST_CONSTANTS: usize = 8;

/// A number of a formula that may be another one in the next update: by its value on the host, by its place in a text that is compiled
/// once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constant {
    place: usize,
    value: f64,
}

/// The parameter and its slots after an update, from those before it and the gradient. Slots that a rule has not got are handed
/// back as they are.
pub(super) trait Formula: Copy {
    fn next<N: WithConstants>(self, x: N, g: N, slots: [N; 2]) -> (N, [N; 2]);
}

/// A number to which constants come.
pub(super) trait WithConstants: Num {
    /// `c x`.
    #[inline(always)]
    fn times(self, c: Constant) -> Self {
        self.scale(c.value)
    }

    /// `x + c`.
    #[inline(always)]
    fn plus(self, c: Constant) -> Self {
        self.shift(c.value)
    }
}

impl WithConstants for f32 {}
impl WithConstants for f64 {}
impl WithConstants for Field {}

impl WithConstants for Code {
    fn times(self, c: Constant) -> Self {
        self.named(&c.name()) * self
    }

    fn plus(self, c: Constant) -> Self {
        let c = self.named(&c.name());
        self + c
    }
}

impl Constant {
    /// What a text calls it.
    fn name(self) -> String {
        format!("c[{}]", self.place)
    }
}

#[derive(Clone, Copy)]
struct Sgd {
    lr: Constant,
}

impl Formula for Sgd {
    #[inline(always)]
    fn next<N: WithConstants>(self, x: N, g: N, slots: [N; 2]) -> (N, [N; 2]) {
        (x - g.times(self.lr), slots)
    }
}

#[derive(Clone, Copy)]
struct Momentum {
    momentum: Constant,
    lr: Constant,
}

impl Formula for Momentum {
    #[inline(always)]
    fn next<N: WithConstants>(self, x: N, g: N, [v, other]: [N; 2]) -> (N, [N; 2]) {
        let v = v.times(self.momentum) + g;
        (x - v.clone().times(self.lr), [v, other])
    }
}

#[derive(Clone, Copy)]
struct Nesterov {
    momentum: Constant,
    lr: Constant,
}

impl Formula for Nesterov {
    #[inline(always)]
    fn next<N: WithConstants>(self, x: N, g: N, [v, other]: [N; 2]) -> (N, [N; 2]) {
        let v = v.times(self.momentum) + g.clone();
        (x - (g + v.clone().times(self.momentum)).times(self.lr), [v, other])
    }
}

#[derive(Clone, Copy)]
struct RmsProp {
    decay: Constant,
    /// One less the decay.
    rest: Constant,
    eps: Constant,
    lr: Constant,
}

impl Formula for RmsProp {
    #[inline(always)]
    fn next<N: WithConstants>(self, x: N, g: N, [v, other]: [N; 2]) -> (N, [N; 2]) {
        let v = v.times(self.decay) + g.clone().square().times(self.rest);
        (x - (g / v.clone().sqrt().plus(self.eps)).times(self.lr), [v, other])
    }
}

#[derive(Clone, Copy)]
struct Adam {
    betas: [Constant; 2],
    /// One less each beta.
    rests: [Constant; 2],
    /// One over the square root of the correction of the second moment.
    root: Constant,
    eps: Constant,
    /// What is left of a parameter after its decay.
    keep: Constant,
    /// Divided by the correction of the first moment.
    lr: Constant,
}

impl Formula for Adam {
    #[inline(always)]
    fn next<N: WithConstants>(self, x: N, g: N, [m, v]: [N; 2]) -> (N, [N; 2]) {
        let m = m.times(self.betas[0]) + g.clone().times(self.rests[0]);
        let v = v.times(self.betas[1]) + g.square().times(self.rests[1]);
        let step = m.clone() / v.clone().sqrt().times(self.root).plus(self.eps);
        (x.times(self.keep) - step.times(self.lr), [m, v])
    }
}
