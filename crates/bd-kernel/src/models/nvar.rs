//! The features of nonlinear vector autoregression, of one series a step at a time. The equations stand in `bd_models::nvar`.

use serde::{Deserialize, Serialize};

use crate::{Block, Error, Real, Result};

/// More features than this are refused: a design matrix with so many columns could not be factorised.
pub const MAX_FEATURES: usize = 20_000;

/// Settings of the features. The defaults are those of BrainPy's tutorial.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `delay` | 4 | from 1 | how many points of the past, the present one included |
/// | `stride` | 5 | from 1 | steps between these points |
/// | `order` | `[2]` | from 1 each | orders of the products; 1 or none: linear only |
/// | `constant` | `false` | | whether the first feature is 1 |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NvarConfig {
    /// Number of points.
    pub delay: usize,
    /// Steps between points.
    pub stride: usize,
    /// Orders of the products.
    pub order: Vec<usize>,
    /// Whether there is a constant feature.
    pub constant: bool,
}

impl Default for NvarConfig {
    fn default() -> Self {
        Self { delay: 4, stride: 5, order: vec![2], constant: false }
    }
}

impl NvarConfig {
    /// How many steps back the oldest lag reaches, if that is a number of steps.
    pub fn reach(&self) -> Option<usize> {
        self.delay.checked_sub(1)?.checked_mul(self.stride).filter(|&reach| i64::try_from(reach).is_ok())
    }

    /// Orders that add products.
    pub fn orders(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.order.iter().copied().filter(|&order| order > 1)
    }

    /// How many steps back the oldest lag of `n_in` channels reaches. Fails if a setting is outside its range, or if there would be too many
    /// features.
    pub fn check(&self, n_in: usize) -> Result<usize> {
        let Self { delay, stride, ref order, .. } = *self;
        let order_of_zero = order.iter().find(|order| **order == 0).map(|zero| ("nvar.order", *zero));
        let counts = [("nvar.n_in", n_in), ("nvar.delay", delay), ("nvar.stride", stride)];
        if let Some((name, count)) = counts.into_iter().chain(order_of_zero).find(|(_, count)| *count == 0) {
            return Err(Error::setting(name, count, "at least 1"));
        }
        if let Some(twice) = order.iter().enumerate().find(|(i, p)| order[..*i].contains(p)) {
            return Err(Error::Config(format!("nvar: order {} is there twice, in {order:?}", twice.1)));
        }
        let too_far = || Error::Config(format!("nvar cannot look back (delay {delay} - 1) * stride {stride} steps"));
        let reach = self.reach().ok_or_else(too_far)?;
        let linear = n_in.checked_mul(delay).ok_or_else(too_far)?;
        let count = self.orders().try_fold(linear, |sum, order| sum.checked_add(multisets(linear, order)?));
        match count {
            Some(count) if count <= MAX_FEATURES => Ok(reach),
            count => Err(Error::Config(format!(
                "nvar with {n_in} channels, delay {delay} and order {order:?} would have {} features, allowed are \
                 {MAX_FEATURES}; lower the delay or the order",
                count.map_or("too many".into(), |count| count.to_string())
            ))),
        }
    }

    /// Features of `n_in` channels, which were [checked](Self::check).
    pub fn n_features(&self, n_in: usize) -> usize {
        let linear = n_in * self.delay;
        let products = self.orders().filter_map(|order| multisets(linear, order)).sum::<usize>();
        usize::from(self.constant) + linear + products
    }
}

/// How many multisets of `size` there are of `n` things: `C(n + size - 1, size)`.
pub fn multisets(n: usize, size: usize) -> Option<usize> {
    (0..size).try_fold(1usize, |count, i| Some(count.checked_mul(n + i)? / (i + 1)))
}

/// The features of one series, a step at a time, in memory that is there already.
#[derive(Debug)]
pub struct LaggedProducts<F: Real> {
    n_in: usize,
    config: NvarConfig,
    reach: usize,
    /// Products of lower orders.
    block: [Block<F>; 2],
}

impl<F: Real> LaggedProducts<F> {
    /// Of `n_in` channels. Fails as [`NvarConfig::check`] does.
    pub fn new(n_in: usize, config: &NvarConfig) -> Result<Self> {
        let reach = config.check(n_in)?;
        let linear = n_in * config.delay;
        let most = config.orders().filter_map(|order| multisets(linear, order)).fold(linear, usize::max);
        Ok(Self { n_in, config: config.clone(), reach, block: [Block::zeros(most), Block::zeros(most)] })
    }

    /// Numbers of the history: rows of `n_in`, zero at first.
    pub fn n_history(&self) -> usize {
        (self.reach + 1) * self.n_in
    }

    /// How many there are.
    pub fn n_features(&self) -> usize {
        self.config.n_features(self.n_in)
    }

    /// Writes the features at an input, which takes its row in the history. `step` counts steps from 0.
    pub fn step(&mut self, step: u64, history: &mut [F], x: &[F], features: &mut [F]) {
        let Self { n_in, ref config, reach, ref mut block } = *self;
        let rows = reach + 1;
        let newest = (step % rows as u64) as usize;
        history[newest * n_in..][..n_in].copy_from_slice(&x[..n_in]);
        let (first, features) = features.split_at_mut(usize::from(config.constant));
        first.fill(F::of(1.0));
        let (linear, mut rest) = features.split_at_mut(n_in * config.delay);
        for (k, lag) in linear.chunks_exact_mut(n_in).enumerate() {
            let row = (newest + rows - k * config.stride) % rows;
            lag.copy_from_slice(&history[row * n_in..][..n_in]);
        }
        for order in config.orders() {
            let products = products(linear, order, block);
            let (own, next) = rest.split_at_mut(products.len());
            own.copy_from_slice(products);
            rest = next;
        }
    }
}

/// All products of `order` numbers, in lexicographic order: those that begin with number i are it times those of one order less that
/// begin with i or a later one, which are the end of their list.
fn products<'a, F: Real>(linear: &[F], order: usize, [one, other]: &'a mut [Block<F>; 2]) -> &'a [F] {
    let (mut block, mut next) = (one, other);
    let mut len = linear.len();
    block[..len].copy_from_slice(linear);
    for lower in 1..order {
        let (mut at, mut begin) = (0, 0);
        for (i, x) in linear.iter().enumerate() {
            let end = &block[begin..len];
            next[at..at + end.len()].iter_mut().zip(end).for_each(|(to, y)| *to = *x * *y);
            at += end.len();
            // The list of one order less has so many that begin with number i.
            begin += multisets(linear.len() - i, lower - 1).unwrap_or(0);
        }
        (block, next, len) = (next, block, at);
    }
    &block[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of two channels at delay 2, stride 2, with a constant, products of two and of three.
    #[test]
    fn features_are_products_of_lags_in_lexicographic_order() {
        let config = NvarConfig { delay: 2, stride: 2, order: vec![3, 2], constant: true };
        let mut nvar = LaggedProducts::<f64>::new(2, &config).unwrap();
        let mut history = vec![0.0; nvar.n_history()];
        let mut features = vec![0.0; nvar.n_features()];
        assert_eq!((history.len(), features.len()), (6, 1 + 4 + 20 + 10));
        for t in 0..9 {
            let at = |t: i64| if t < 0 { [0.0, 0.0] } else { [1.5 + t as f64, 0.5 - 0.25 * (t * t) as f64] };
            nvar.step(t as u64, &mut history, &at(t), &mut features);
            let z = [at(t), at(t - 2)].concat();
            let mut known = [&[1.0], &z[..]].concat();
            for i in 0..4 {
                (i..4).for_each(|j| (j..4).for_each(|k| known.push(z[i] * (z[j] * z[k]))));
            }
            (0..4).for_each(|i| (i..4).for_each(|j| known.push(z[i] * z[j])));
            assert_eq!(features, known, "step {t}");
        }
    }
}
