//! Surrogate gradients: what stands in for the derivative of a spike.
//!
//! A spike is `H(x)`, 1 where `x >= 0` and else 0, and has no useful derivative; backward, `g(x)` takes its place. Each `g`
//! here is the derivative of a primitive `P(x)` that stands beside it and is what the tests differentiate: formulas are
//! derived, not copied, for the field's own programs have had several wrong.
//!
//! | name | `g(x)` | parameters, defaults |
//! |---|---|---|
//! | `sigmoid` | `a s (1 - s)`, `s = 1 / (1 + e^(-a x))` | `alpha` 4 |
//! | `piecewise_quadratic` | `max(0, a - a^2 |x|)` | `alpha` 1 |
//! | `piecewise_exp` | `a/2 e^(-a|x|)` | `alpha` 1 |
//! | `soft_sign` | `a/2 / (1 + a|x|)^2` | `alpha` 1 |
//! | `arctan` | `a/2 / (1 + (pi/2 a x)^2)` | `alpha` 1 |
//! | `nonzero_sign_log` | `a / (1 + a|x|)` | `alpha` 1 |
//! | `erf` | `a / sqrt(pi) e^(-(a x)^2)` | `alpha` 1 |
//! | `piecewise_leaky_relu` | `1/(2 w)` where `|x| <= w`, else `c` | `c` 0.01, `w` 1 |
//! | `squarewave_fourier` | `4/T sum_(i=1..n) cos((2i - 1) 2 pi x / T)` | `n` 2, `t_period` 8 |
//! | `s2nn` | `a s (1 - s)` where `x < 0`, else `b / (1 + x)` | `alpha` 4, `beta` 1 |
//! | `q_pseudo_spike` | `(1 + 2|x| / (a - 1))^-a` | `alpha` 2, above 1 |
//! | `leaky_relu` | `b` where `x >= 0`, else `a` | `alpha` 0.1, `beta` 1 |
//! | `log_tailed_relu` | `a` where `x < 0`, 1 up to `x = 1`, then `1/x` | `alpha` 0 |
//! | `relu_grad` | `max(0, a (w - |x|))` | `alpha` 0.3, `width` 1 |
//! | `gaussian_grad` | `a N(x; 0, sigma)` | `sigma` 0.5, `alpha` 0.5 |
//! | `multi_gaussian_grad` | `scale ((1 + h) N(x; 0, sigma) - h N(x; sigma, s sigma) - h N(x; -sigma, s sigma))` | `h` 0.15, `s` 6, `sigma` 0.5, `scale` 0.5 |
//! | `inv_square` | `1 / (a|x| + 1)^2`: the default, as in BrainPy 2.2.4 | `alpha` 100 |
//! | `slayer` | `e^(-a|x|)` | `alpha` 1 |

use std::f64::consts::{FRAC_PI_2, PI, SQRT_2, TAU};

use serde::{Deserialize, Serialize};

use crate::{Cpu, Error, InLoops, Num, Real, Result, SurrogateGradient, setting};

/// Declares the table: for each surrogate its parameters with defaults, `g` and `P`.
macro_rules! surrogates {
    ($($name:ident { $($param:ident = $default:expr),* }($x:ident) => $g:expr, $primitive:expr;)+) => {
        /// A surrogate gradient with its parameters; the table in the module's doc has the formulas.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
        #[allow(missing_docs)]
        pub enum Surrogate {
            $($name { $($param: f64),* },)+
            /// A function of one's own: on the CPU only, and in no file. See [`Surrogate::custom`].
            #[serde(skip)]
            Custom(Custom),
        }

        impl Surrogate {
            /// Every surrogate, with its default parameters.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$name { $($param: $default),* }),+]
            }

            /// `P(x)`, of which `g` is the derivative, up to a constant; not known of a function of one's own.
            pub fn primitive<N: Num>(&self, x: N) -> Option<N> {
                match *self {
                    $(Self::$name { $($param),* } => { let $x = x; Some($primitive) })+
                    Self::Custom(_) => None,
                }
            }

            /// The parameters, by name.
            fn params(&self) -> Vec<(&'static str, f64)> {
                match *self {
                    $(Self::$name { $($param),* } => vec![$((stringify!($param), $param)),*],)+
                    Self::Custom(_) => Vec::new(),
                }
            }
        }

        impl SurrogateGradient for Surrogate {
            #[inline(always)]
            fn grad<N: Num>(&self, x: N) -> N {
                match *self {
                    $(Self::$name { $($param),* } => { let $x = x; $g })+
                    Self::Custom(Custom { name, f }) => x.apply(name, f),
                }
            }

            /// One loop for each surrogate.
            #[inline(always)]
            #[allow(clippy::clone_on_copy)] // the same formulas serve numbers that are not `Copy`
            fn grads<C: Cpu, F: Real>(&self, xs: &[F], slopes: &mut [F]) {
                let pairs = slopes.iter_mut().zip(xs);
                match *self {
                    $(Self::$name { $($param),* } => for (slope, x) in pairs {
                        let $x = InLoops::<C, F>::new(*x);
                        *slope = { $g }.0;
                    })+
                    Self::Custom(Custom { name, f }) => for (slope, x) in pairs { *slope = x.apply(name, f); }
                }
            }
        }
    };
}

surrogates! {
    Sigmoid { alpha = 4.0 }(x) => logistic_slope(x, alpha), x.scale(alpha).sigmoid();
    PiecewiseQuadratic { alpha = 1.0 }(x) => triangle(x, alpha * alpha, 1.0 / alpha),
        triangle_integral(x, alpha * alpha, 1.0 / alpha);
    PiecewiseExp { alpha = 1.0 }(x) => x.abs().scale(-alpha).exp().scale(0.5 * alpha),
        (x.clone().abs().scale(-alpha).exp().scale(-0.5).shift(0.5)) * x.sign();
    SoftSign { alpha = 1.0 }(x) => x.abs().scale(alpha).shift(1.0).square().recip().scale(0.5 * alpha),
        x.clone().scale(0.5 * alpha) / x.abs().scale(alpha).shift(1.0);
    Arctan { alpha = 1.0 }(x) => x.scale(FRAC_PI_2 * alpha).square().shift(1.0).recip().scale(0.5 * alpha),
        x.scale(FRAC_PI_2 * alpha).atan().scale(1.0 / PI);
    NonzeroSignLog { alpha = 1.0 }(x) => x.abs().scale(alpha).shift(1.0).recip().scale(alpha),
        x.clone().abs().scale(alpha).shift(1.0).ln() * x.sign();
    Erf { alpha = 1.0 }(x) => (-x.scale(alpha).square()).exp().scale(alpha / PI.sqrt()), x.scale(alpha).erf().scale(0.5);
    PiecewiseLeakyRelu { c = 0.01, w = 1.0 }(x) =>
        (-x.clone().abs()).shift(w).pick(x.lit(0.5 / w), x.lit(c)),
        { let inside = x.clone().at_least(-w).at_most(w); inside.clone().scale(0.5 / w) + (x - inside).scale(c) };
    SquarewaveFourier { n = 2.0, t_period = 8.0 }(x) =>
        odd_harmonics(x, n, |x, k| x.scale(k * TAU / t_period).cos().scale(4.0 / t_period)),
        odd_harmonics(x, n, |x, k| x.scale(k * TAU / t_period).sin().scale(2.0 / (PI * k)));
    S2nn { alpha = 4.0, beta = 1.0 }(x) =>
        x.clone().pick(x.clone().abs().shift(1.0).recip().scale(beta), logistic_slope(x, alpha)),
        x.clone().pick(x.clone().abs().shift(1.0).ln().scale(beta).shift(0.5), x.scale(alpha).sigmoid());
    QPseudoSpike { alpha = 2.0 }(x) => x.abs().scale(2.0 / (alpha - 1.0)).shift(1.0).powf(-alpha),
        x.clone().abs().scale(2.0 / (alpha - 1.0)).shift(1.0).powf(1.0 - alpha).scale(-0.5).shift(0.5) * x.sign();
    LeakyRelu { alpha = 0.1, beta = 1.0 }(x) => x.clone().pick(x.lit(beta), x.lit(alpha)),
        x.clone().pick(x.clone().scale(beta), x.scale(alpha));
    LogTailedRelu { alpha = 0.0 }(x) => x.clone().pick(x.clone().at_least(1.0).recip(), x.lit(alpha)),
        x.clone().pick(x.clone().at_most(1.0) + x.clone().at_least(1.0).ln(), x.scale(alpha));
    ReluGrad { alpha = 0.3, width = 1.0 }(x) => triangle(x, alpha, width), triangle_integral(x, alpha, width);
    GaussianGrad { sigma = 0.5, alpha = 0.5 }(x) => normal_density(x, 0.0, sigma).scale(alpha),
        normal_integral(x, 0.0, sigma).scale(alpha);
    MultiGaussianGrad { h = 0.15, s = 6.0, sigma = 0.5, scale = 0.5 }(x) =>
        (normal_density(x.clone(), 0.0, sigma).scale(1.0 + h)
            - (normal_density(x.clone(), sigma, s * sigma) + normal_density(x, -sigma, s * sigma)).scale(h)).scale(scale),
        (normal_integral(x.clone(), 0.0, sigma).scale(1.0 + h)
            - (normal_integral(x.clone(), sigma, s * sigma) + normal_integral(x, -sigma, s * sigma)).scale(h)).scale(scale);
    InvSquare { alpha = 100.0 }(x) => x.abs().scale(alpha).shift(1.0).square().recip(),
        x.clone() / x.abs().scale(alpha).shift(1.0);
    Slayer { alpha = 1.0 }(x) => x.abs().scale(-alpha).exp(),
        (-x.clone().abs().scale(-alpha).exp()).shift(1.0).scale(1.0 / alpha) * x.sign();
}

impl Default for Surrogate {
    fn default() -> Self {
        Self::InvSquare { alpha: 100.0 }
    }
}

impl Surrogate {
    /// Its name, as in files and options.
    pub fn name(&self) -> String {
        if let Self::Custom(Custom { name, .. }) = self {
            return (*name).to_owned();
        }
        let value = serde_json::to_value(self).expect("a surrogate is JSON");
        value["name"].as_str().expect("it is tagged with its name").to_owned()
    }

    /// The surrogate of this name, with its default parameters.
    pub fn named(name: &str) -> Result<Self> {
        let all = Self::all();
        all.iter().find(|surrogate| surrogate.name() == name).copied().ok_or_else(|| {
            let known = all.iter().map(Self::name).collect::<Vec<_>>().join(", ");
            Error::Config(format!("unknown surrogate '{name}'; there are: {known}"))
        })
    }

    /// Refuses parameters for which the formula has no meaning.
    pub fn check(&self) -> Result<()> {
        let bad = |(name, value): (&'static str, f64)| {
            let may_be_zero =
                matches!(self, Self::LeakyRelu { .. } | Self::LogTailedRelu { .. }) || matches!(name, "c" | "h");
            let allowed = match (self, name) {
                _ if !value.is_finite() => false,
                (Self::QPseudoSpike { .. }, _) => value > 1.0,
                (Self::SquarewaveFourier { .. }, "n") => (1.0..=1000.0).contains(&value) && value.fract() == 0.0,
                _ => value > 0.0 || (may_be_zero && value == 0.0),
            };
            let range = match (self, name) {
                (Self::QPseudoSpike { .. }, _) => "a number above 1",
                (Self::SquarewaveFourier { .. }, "n") => "a whole number from 1 to 1000",
                _ if may_be_zero => "a number from 0",
                _ => "a number above 0",
            };
            setting::check(&format!("{name} of the surrogate {}", self.name()), value, allowed, range)
        };
        if let Self::Custom(Custom { name, f }) = self
            && let Some(x) = [-1.0, 0.0, 1.0].into_iter().find(|x| !f(*x).is_finite())
        {
            return Err(Error::Config(format!("the surrogate {name} is not a number at {x}")));
        }
        self.params().into_iter().try_for_each(bad)
    }

    /// A surrogate of one's own, `f(x)` at distance `x` from the threshold. Called once for each neuron and step, and so
    /// slower than those of the table; it has no CUDA form.
    ///
    /// ```
    /// use bd_kernel::models::Surrogate;
    ///
    /// let boxcar = Surrogate::custom("boxcar", &|x| if x.abs() < 0.5 { 1.0 } else { 0.0 });
    /// ```
    pub fn custom(name: &'static str, f: &'static (dyn Fn(f64) -> f64 + Send + Sync)) -> Self {
        Self::Custom(Custom { name, f })
    }
}

/// A surrogate that is a Rust function, with a name for messages.
#[derive(Clone, Copy)]
pub struct Custom {
    name: &'static str,
    f: &'static (dyn Fn(f64) -> f64 + Send + Sync),
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && std::ptr::addr_eq(self.f, other.f)
    }
}

/// `a s (1 - s)` with `s` the logistic function of `a x`. From `-|x|`, where nothing overflows: it is even.
#[inline(always)]
fn logistic_slope<N: Num>(x: N, alpha: f64) -> N {
    let e = x.abs().scale(-alpha).exp();
    e.clone() / e.shift(1.0).square().scale(1.0 / alpha)
}

/// `max(0, slope (width - |x|))`.
#[inline(always)]
fn triangle<N: Num>(x: N, slope: f64, width: f64) -> N {
    (-x.abs()).shift(width).at_least(0.0).scale(slope)
}

fn triangle_integral<N: Num>(x: N, slope: f64, width: f64) -> N {
    let inside = x.at_least(-width).at_most(width);
    (inside.clone().scale(width) - (inside.clone() * inside.abs()).scale(0.5)).scale(slope)
}

/// The normal density.
#[inline(always)]
fn normal_density<N: Num>(x: N, mean: f64, sigma: f64) -> N {
    (-x.shift(-mean).scale(1.0 / (SQRT_2 * sigma)).square()).exp().scale(1.0 / (TAU.sqrt() * sigma))
}

fn normal_integral<N: Num>(x: N, mean: f64, sigma: f64) -> N {
    x.shift(-mean).scale(1.0 / (SQRT_2 * sigma)).erf().scale(0.5)
}

/// The sum of `term(x, k)` over the first `n` odd numbers `k`.
#[inline(always)]
fn odd_harmonics<N: Num>(x: N, n: f64, term: impl Fn(N, f64) -> N) -> N {
    (1..n as usize).map(|i| 2.0 * i as f64 + 1.0).fold(term(x.clone(), 1.0), |sum, k| sum + term(x.clone(), k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instructions;

    /// Where a formula has a kink or a jump, a difference quotient says nothing.
    const GRID: [f64; 14] = [-3.7, -1.3, -0.83, -0.41, -0.17, -0.06, -0.013, 0.007, 0.052, 0.19, 0.44, 0.77, 1.6, 4.1];

    fn with_other_parameters(surrogate: Surrogate) -> Surrogate {
        let mut value = serde_json::to_value(surrogate).unwrap();
        for (name, parameter) in surrogate.params() {
            value[name] = if name == "n" { 5.0 } else { parameter * 1.37 + 0.01 }.into();
        }
        serde_json::from_value(value).unwrap()
    }

    /// Of whole blocks, on every processor: the formula in float64 but for rounding.
    #[test]
    fn loops_are_their_formula() {
        fn check<F: Real + Into<f64>>(tolerance: f64) {
            let far = [-1e4, -60.0, -20.0, 0.0, 20.0, 60.0, 1e4];
            let xs: Vec<F> = GRID.iter().chain(&far).map(|x| F::of(*x)).collect();
            for surrogate in Surrogate::all().into_iter().flat_map(|s| [s, with_other_parameters(s)]) {
                let levels = [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()];
                for instructions in levels.into_iter().flatten() {
                    let mut slopes = vec![F::default(); xs.len()];
                    crate::unit_kernel::surrogates(instructions, surrogate, &xs, &mut slopes);
                    for (x, slope) in xs.iter().zip(slopes) {
                        let (x, slope): (f64, f64) = ((*x).into(), slope.into());
                        let exact = surrogate.grad(x);
                        // Far from 0, what is left of an angle has fewer digits.
                        let periodic = matches!(surrogate, Surrogate::SquarewaveFourier { .. });
                        let scale = if periodic { 1.0 + x.abs() } else { 1.0 };
                        let near = (slope - exact).abs() < tolerance * scale * (1.0 + exact.abs());
                        assert!(near, "{surrogate:?} at {x}: {slope} and not {exact}");
                    }
                }
            }
        }
        check::<f64>(1e-13);
        check::<f32>(1e-5);
    }

    #[test]
    fn each_is_the_derivative_of_its_primitive() {
        assert_eq!(Surrogate::all().len(), 18);
        for surrogate in Surrogate::all().into_iter().flat_map(|s| [s, with_other_parameters(s)]) {
            surrogate.check().unwrap();
            for x in GRID {
                // Five points: error h^4, and rounding eps / h.
                let h = 1e-4;
                let p = |k: f64| surrogate.primitive(x + k * h).unwrap();
                let slope = (8.0 * (p(1.0) - p(-1.0)) - (p(2.0) - p(-2.0))) / (12.0 * h);
                let g = surrogate.grad(x);
                assert!((g - slope).abs() < 1e-8 * (1.0 + g.abs()), "{surrogate:?} at {x}: {g} and not {slope}");
            }
        }
    }

    #[test]
    fn single_precision_agrees_and_nothing_overflows() {
        for surrogate in Surrogate::all() {
            for x in GRID {
                let (number, single) = (surrogate.grad(x), f64::from(surrogate.grad(x as f32)));
                assert!((single - number).abs() <= 2e-6 * (1.0 + number.abs()), "{surrogate:?} at {x} in float32");
            }
            // Far out nothing overflows into a number that is none.
            for x in [-1e30f64, 1e30] {
                assert!(surrogate.grad(x).is_finite() && surrogate.grad(x as f32).is_finite(), "{surrogate:?} at {x}");
            }
        }
    }

    #[test]
    fn names_and_parameters() {
        for surrogate in Surrogate::all() {
            assert_eq!(Surrogate::named(&surrogate.name()).unwrap(), surrogate);
        }
        assert_eq!(Surrogate::default(), Surrogate::named("inv_square").unwrap());
        assert!(Surrogate::named("atan").unwrap_err().to_string().contains("arctan"));
        for bad in [
            Surrogate::Sigmoid { alpha: 0.0 },
            Surrogate::QPseudoSpike { alpha: 1.0 },
            Surrogate::SquarewaveFourier { n: 1.5, t_period: 8.0 },
            Surrogate::GaussianGrad { sigma: f64::NAN, alpha: 0.5 },
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains("of the surrogate"), "{error}");
        }
    }
}
