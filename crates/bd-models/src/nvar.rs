//! [`Nvar`]: nonlinear vector autoregression, the features of next-generation reservoir computing.
//!
//! With input `x(t)` of `C` channels, delay `k`, stride `s` and orders `p`:
//!
//! ```text
//! linear(t) = x(t) ++ x(t - s) ++ ... ++ x(t - (k-1) s)                 L = k C entries, newest first
//! block_p(t) = all products of p entries of linear(t), index tuples i1 <= ... <= ip in lexicographic order
//! y(t) = [1 if constant] ++ linear(t) ++ block_p(t) for each order p
//! ```
//!
//! History before the first step is zero, and there is an output from step 0 on, as in BrainPy 2.2.4
//! (`brainpy/dyn/layers/nvar.py`). Gauthier, Bollt, Griffith, Barbosa: "Next generation reservoir computing",
//! Nature Communications 12, 5564 (2021).
//!
//! Different from BrainPy: the history is a state that is passed around, not a buffer inside the model; order 1 is
//! allowed and adds nothing, for the linear part is always there.

use bd_core::{Inputs, Result, Shared, System, Tap, state};
use bd_kernel::models::nvar::multisets;
pub use bd_kernel::models::nvar::{MAX_FEATURES, NvarConfig};
use tch::{Device, Kind, Tensor};

state! {
    /// What an [`Nvar`] remembers.
    pub struct NvarState {
        /// The inputs that lags can still reach, oldest first: `[(delay - 1) * stride, batch, n_in]`.
        history: Tensor,
    }
}

/// Nonlinear vector autoregression: input `[.., n_in]` to features `[.., n_features]`. No parameters.
#[derive(Debug, Clone)]
pub struct Nvar {
    n_in: usize,
    config: NvarConfig,
    /// For each order from 2 on that is wanted, its index tuples into the linear part.
    monomials: Vec<Vec<Vec<usize>>>,
}

impl Nvar {
    /// Features of `n_in` channels.
    pub fn new(n_in: usize, config: &NvarConfig) -> Result<Self> {
        config.check(n_in)?;
        let monomials = config.orders().map(|order| tuples(n_in * config.delay, order)).collect();
        Ok(Self { n_in, config: config.clone(), monomials })
    }

    /// The settings.
    pub fn config(&self) -> &NvarConfig {
        &self.config
    }

    /// How many steps back the oldest lag reaches. Features are complete from this step on.
    pub fn memory(&self) -> usize {
        self.config.reach().expect("it was checked in new")
    }

    /// Names of the features in order, for example `x0(t-5)^2 x1(t)`, from names of the channels.
    pub fn feature_names(&self, channels: &[String]) -> Vec<String> {
        let lag = |k: usize| if k == 0 { "(t)".into() } else { format!("(t-{})", k * self.config.stride) };
        let linear: Vec<String> = (0..self.config.delay)
            .flat_map(|k| channels.iter().map(move |channel| format!("{channel}{}", lag(k))))
            .collect();
        let constant = self.config.constant.then(|| "1".to_owned());
        let products = self.monomials.iter().flatten().map(|indices| product_name(&linear, indices));
        constant.into_iter().chain(linear.iter().cloned()).chain(products).collect()
    }

    /// Lagged copies of a window: `window` is `[.., time + memory, ..]` along `dim`, each result `[.., time, ..]`.
    fn lags<'a>(&'a self, window: &'a Tensor, dim: i64, time: i64) -> impl Iterator<Item = Tensor> + 'a {
        let newest = self.memory() as i64;
        (0..self.config.delay as i64).map(move |k| window.narrow(dim, newest - k * self.config.stride as i64, time))
    }
}

impl System for Nvar {
    type State = NvarState;

    fn n_in(&self) -> i64 {
        self.n_in as i64
    }

    fn n_out(&self) -> i64 {
        self.config.n_features(self.n_in) as i64
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> NvarState {
        NvarState { history: Tensor::zeros([self.memory() as i64, batch, self.n_in()], on) }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &NvarState) -> (Tensor, NvarState) {
        let window = Tensor::cat(&[&s.history, &x.unsqueeze(0)], 0);
        let linear = Tensor::cat(&self.lags(&window, 0, 1).map(|lag| lag.squeeze_dim(0)).collect::<Vec<_>>(), 1);
        let mut parts = Vec::new();
        if self.config.constant {
            parts.push(Tensor::ones([x.size()[0], 1], (x.kind(), x.device())));
        }
        parts.push(linear.shallow_clone());
        for tuples in &self.monomials {
            let factor = |at: usize| {
                let indices: Vec<i64> = tuples.iter().map(|tuple| tuple[at] as i64).collect();
                linear.index_select(1, &Tensor::from_slice(&indices).to_device(x.device()))
            };
            parts.push((0..tuples[0].len()).map(factor).reduce(|a, b| a * b).expect("a product has factors"));
        }
        let history = window.narrow(0, 1, self.memory() as i64);
        (Tensor::cat(&parts, 1), NvarState { history })
    }

    /// Parallel in time: lagged views and products of whole series. A feature's values lie side by side in memory,
    /// which is how the products run fastest and how a factorisation wants its columns; the result is a view with
    /// shape `[time, batch, n_features]` on `[n_features, time, batch]`.
    fn scan(&self, _sha: &Shared, inputs: &Inputs, s: NvarState, tap: &mut Tap) -> (Tensor, NvarState) {
        let xs = &inputs.time_first();
        let (time, memory) = (xs.size()[0], self.memory() as i64);
        let window = Tensor::cat(&[&s.history, xs], 0);
        if tap.wants("history") {
            let histories: Vec<_> = (1..=time).map(|t| window.narrow(0, t, memory)).collect();
            tap.put("history", Tensor::stack(&histories, 0));
        }
        let by_channel = window.permute([2, 0, 1]).contiguous();
        let linear = Tensor::cat(&self.lags(&by_channel, 1, time).collect::<Vec<_>>(), 0);
        let mut parts = Vec::new();
        if self.config.constant {
            parts.push(Tensor::ones([1, time, xs.size()[1]], (xs.kind(), xs.device())));
        }
        parts.push(linear.shallow_clone());
        parts.extend(self.monomials.iter().map(|tuples| products(&linear, tuples[0].len())));
        // A copy, or the few remembered steps would keep the whole window in memory.
        let history = window.narrow(0, time, memory).copy();
        (Tensor::cat(&parts, 0).permute([1, 2, 0]), NvarState { history })
    }
}

/// All products of `order` rows of `linear`, `[L, ..]`, in lexicographic order.
///
/// The products of order p that begin with row i are row i times those of order p - 1 that begin with row i or a later
/// one, and these are the end of their list.
fn products(linear: &Tensor, order: usize) -> Tensor {
    let n = linear.size()[0];
    let mut block = linear.shallow_clone();
    for lower in 1..order {
        let starting_at_or_after = |i: i64| multisets((n - i) as usize, lower).expect("checked in new") as i64;
        let parts: Vec<_> = (0..n)
            .map(|i| {
                let length = starting_at_or_after(i);
                linear.narrow(0, i, 1) * block.narrow(0, block.size()[0] - length, length)
            })
            .collect();
        block = Tensor::cat(&parts, 0);
    }
    block
}

/// All non-decreasing tuples of `size` indices below `n`, in lexicographic order.
fn tuples(n: usize, size: usize) -> Vec<Vec<usize>> {
    (0..size).fold(vec![vec![]], |shorter, _| {
        let extend = |tuple: Vec<usize>| {
            let first = tuple.last().copied().unwrap_or(0);
            (first..n).map(move |next| [tuple.as_slice(), &[next]].concat())
        };
        shorter.into_iter().flat_map(extend).collect()
    })
}

/// `a^2 b` for the indices of a, a, b.
fn product_name(linear: &[String], indices: &[usize]) -> String {
    let factors = indices.chunk_by(|a, b| a == b).map(|run| match run.len() {
        1 => linear[run[0]].clone(),
        power => format!("{}^{power}", linear[run[0]]),
    });
    factors.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use bd_core::Params;
    use bd_core::testing::{ScanCase, assert_scan_is_steps, grad_check};

    use super::*;

    fn nvar(n_in: usize, delay: usize, stride: usize, order: &[usize], constant: bool) -> Nvar {
        Nvar::new(n_in, &NvarConfig { delay, stride, order: order.to_vec(), constant }).unwrap()
    }

    #[test]
    fn scan_is_steps() {
        let all = [
            nvar(3, 4, 5, &[2], false),
            nvar(2, 3, 1, &[3], true),
            nvar(2, 2, 2, &[3, 2], false),
            nvar(1, 1, 1, &[4], false),
            nvar(4, 1, 7, &[], true),
            nvar(2, 3, 4, &[1], false),
        ];
        for nvar in &all {
            for (time, batch) in [(1, 1), (3, 2), (20, 3)] {
                for (kind, tolerance) in [(Kind::Double, 1e-14), (Kind::Float, 1e-6)] {
                    let on = (kind, Device::Cpu);
                    let case = ScanCase { time, batch, on, tolerance, seed: 3 };
                    assert_scan_is_steps(nvar, &Params::new(0, on), case);
                }
            }
        }
    }

    #[test]
    fn gradient_of_the_input() {
        let nvar = nvar(2, 2, 1, &[2, 3], true);
        let mut rng = bd_core::Rng::new(1, "x");
        let on = (Kind::Double, Device::Cpu);
        let xs = rng.tensor(&[4, 1, 2], on, bd_core::Rng::normal);
        let weights = rng.tensor(&[4, 1, nvar.n_out()], on, bd_core::Rng::normal);
        let loss = |v: &[Tensor]| {
            let (ys, _) =
                nvar.scan(&Shared::default(), &Inputs::of_steps(&v[0]), nvar.init_state(1, on), &mut Tap::none());
            (ys * &weights).sum(Kind::Double)
        };
        grad_check(loss, &[xs], 1e-8);
    }

    #[test]
    fn sizes_follow_the_formula_and_are_capped() {
        for (n, size) in [(1, 5), (12, 2), (9, 3), (7, 1)] {
            assert_eq!(tuples(n, size).len(), multisets(n, size).unwrap());
        }
        assert_eq!(nvar(3, 4, 5, &[2], false).n_out(), 12 + 78);
        let config = |delay, order| NvarConfig { delay, stride: 1, order, constant: false };
        for (delay, order, words) in [
            (1000, vec![9], "too many"),
            (100, vec![2], "45450"), // 300 + 301 * 300 / 2
            (usize::MAX, vec![1], "cannot look back"),
            (2, vec![2, 3, 2], "order 2 is there twice"),
            (0, vec![2], "nvar.delay is 0; it must be at least 1"),
            (2, vec![2, 0], "nvar.order is 0; it must be at least 1"),
        ] {
            let error = Nvar::new(3, &config(delay, order)).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
