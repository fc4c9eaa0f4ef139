//! [`Connections`]: which recurrent weights of a cell there are, and whose sign is whose: Dale's law.
//!
//! ```text
//! W_ij = s_i |theta_ij| M_ij      s_i = 1 of the first units, which excite, and -1 of the others, which inhibit
//! ```
//!
//! Rows are sources. At the start each unit receives as much inhibition as excitation: without this balance the mean of the weights is an eigenvalue
//! of its own, of the order of the square root of the number of units, beside all others in a disc (Rajan and Abbott 2006, "Eigenvalue spectra of random
//! matrices for neural networks"). The radius of the disc is that of the weights without signs and with all connections, so that an initialiser means
//! the same with both.

use bd_core::{Error, Kept, ParamPath, Result, Rng, Weight, setting};
use tch::{Device, Kind, Tensor};

use crate::init::Init;

/// What is asked of the recurrent weights of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Connections {
    /// Share of the units that excite, if signs are kept.
    pub(crate) excitatory: Option<f64>,
    /// Probability of each weight to be there.
    pub(crate) density: f64,
    /// Whether a unit may see itself.
    pub(crate) autapses: bool,
}

impl Connections {
    /// Every weight, of any sign.
    pub(crate) const ALL: Self = Self { excitatory: None, density: 1.0, autapses: true };

    /// Refuses what cannot be of `n` units; `model` is what messages call the cell.
    pub(crate) fn check(&self, model: &str, n: i64, init: Init) -> Result<()> {
        let share = self.density > 0.0 && self.density <= 1.0;
        setting::check(&format!("{model}.density"), self.density, share, "above 0 and at most 1")?;
        if !self.autapses && n == 1 {
            let what = format!("{model}.autapses is false: of 1 unit no connection is left; take more units");
            return Err(Error::Config(what));
        }
        let Some(excitatory) = self.excitatory else { return Ok(()) };
        let fits = excitatory > 0.0 && excitatory < 1.0;
        setting::check(&format!("{model}.excitatory"), excitatory, fits, "above 0 and below 1")?;
        let exciting = excitatory_units(excitatory, n);
        if exciting == 0 || exciting == n {
            return Err(Error::Config(format!(
                "{model}.excitatory is {excitatory}: of {n} units {exciting} excite and {} inhibit, and there must be one of each at \
                 least; take more units or another share",
                n - exciting
            )));
        }
        match init {
            Init::Zeros => Err(Error::Config(format!(
                "{model}.recurrent_init is zeros: where signs are kept, a weight that begins at 0 has no gradient; take another one"
            ))),
            _ => Ok(()),
        }
    }

    /// Makes the weight `[n, n]` at `path`, and beside it its mask where not all connections are there.
    pub(crate) fn weight(&self, path: &mut ParamPath<'_>, name: &str, n: i64, init: Init) -> Result<Weight> {
        let (kind, device) = path.on();
        let signs = self.excitatory.map(|share| signs(excitatory_units(share, n), n));
        let mask = match self.density < 1.0 || !self.autapses {
            true => Some(path.fixed("recurrent_mask", |rng| self.mask(rng, n))?),
            false => None,
        };
        let entries = |of: &Tensor| {
            Ok::<_, Error>(Vec::<f64>::try_from(of.to_kind(Kind::Double).to_device(Device::Cpu).flatten(0, -1))?)
        };
        let there = mask.as_ref().map(entries).transpose()?;
        let kept = Kept { signs: signs.as_ref().map(|signs| column(signs).to_kind(kind).to_device(device)), mask };
        if kept.is_nothing() {
            return Ok(path.param(name, |rng| init.draw(rng, [n, n]))?.into());
        }
        path.weight(name, kept, |rng| {
            let drawn = Vec::<f64>::try_from(init.draw(rng, [n, n]).flatten(0, -1)).expect("it is float64 on the host");
            let mut weights = drawn.clone();
            there.iter().flatten().zip(&mut weights).for_each(|(there, weight)| *weight *= there);
            if let Some(signs) = &signs {
                balance(&mut weights, signs);
            }
            let scale = radius(&drawn, None) / radius(&weights, signs.as_deref());
            let scale = if scale.is_finite() { scale } else { 1.0 };
            weights.iter_mut().for_each(|weight| *weight *= scale);
            Tensor::from_slice(&weights).reshape([n, n])
        })
    }

    fn mask(&self, rng: &mut Rng, n: i64) -> Tensor {
        let there = |i: i64, u: f64| u < self.density && (self.autapses || i / n != i % n);
        let all: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(there(i, rng.uniform())))).collect();
        Tensor::from_slice(&all).reshape([n, n])
    }
}

/// How many of `n` units excite.
pub(crate) fn excitatory_units(share: f64, n: i64) -> i64 {
    (share * n as f64).round() as i64
}

/// 1 for the first `exciting` units, -1 for those behind them.
fn signs(exciting: i64, n: i64) -> Vec<f64> {
    (0..n).map(|unit| if unit < exciting { 1.0 } else { -1.0 }).collect()
}

fn column(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).reshape([-1, 1])
}

/// What a weight `[n, n_out]` from such units keeps that only those that excite have: positive weights from them, and none from the others.
pub(crate) fn from_excitatory(share: f64, n: i64, on: (Kind, Device)) -> Kept {
    let mask: Vec<f64> = signs(excitatory_units(share, n), n).into_iter().map(|sign| sign.max(0.0)).collect();
    let there = |mask: &[f64]| Some(column(mask).to_kind(on.0).to_device(on.1));
    Kept { signs: there(&vec![1.0; n as usize]), mask: there(&mask) }
}

/// Gives `[n, n]` weights, row by row, the signs of their rows, and scales the inhibition of each column so that it sums to its excitation; a column
/// that has only one of both stays.
fn balance(weights: &mut [f64], signs: &[f64]) {
    let n = signs.len();
    for target in 0..n {
        let sum = |sign: f64| -> f64 {
            let sources = (0..n).filter(|source| signs[*source] == sign);
            sources.map(|source| weights[source * n + target].abs()).sum()
        };
        let (excitation, inhibition) = (sum(1.0), sum(-1.0));
        let ratio = if excitation > 0.0 && inhibition > 0.0 { excitation / inhibition } else { 1.0 };
        for (source, sign) in signs.iter().enumerate() {
            let weight = &mut weights[source * n + target];
            *weight = if *sign > 0.0 { weight.abs() } else { -ratio * weight.abs() };
        }
    }
}

/// The radius of the disc of eigenvalues of large matrices: the square root of the sum over sources of the variance of what they send, where those of one
/// sign have one mean. Without signs the mean is 0.
fn radius(weights: &[f64], signs: Option<&[f64]>) -> f64 {
    let n = weights.len().isqrt();
    let variance = |sign: Option<f64>| -> f64 {
        let sources: Vec<usize> =
            (0..n).filter(|source| sign.is_none_or(|sign| signs.is_some_and(|all| all[*source] == sign))).collect();
        let all = || sources.iter().flat_map(|source| &weights[source * n..(source + 1) * n]);
        let count = all().count().max(1) as f64;
        let mean = if sign.is_some() { all().sum::<f64>() / count } else { 0.0 };
        sources.len() as f64 * all().map(|weight| (weight - mean).powi(2)).sum::<f64>() / count
    };
    match signs {
        Some(_) => (variance(Some(1.0)) + variance(Some(-1.0))).sqrt(),
        None => variance(None).sqrt(),
    }
}

#[cfg(test)]
mod tests;
