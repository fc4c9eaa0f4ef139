//! [`Linear`]: `y = x W + b`, without a state.

use bd_core::kernel::{Fused, Kernel, Real, Rows, Sizes, Tile, vectorised};
use bd_core::{Error, ParamPath, Readout, Result, Shared, System, Tap};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::init::Init;

/// Settings of a [`Linear`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `bias` | `true` | whether there is a `b` |
/// | `init` | `xavier_normal` | initial `W`; `b` begins at zero |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearConfig {
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial weight.
    pub init: Init,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { bias: true, init: Init::default() }
    }
}

/// A linear map of its input, `y = x W + b` with `W` of shape `[n_in, n_out]` (BrainPy's `Dense`: rows are inputs).
/// Parameters `weight` and `bias`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A map from `n_in` to `n_out` channels whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n_out: i64, config: &LinearConfig) -> Result<Self> {
        if n_in < 1 || n_out < 1 {
            return Err(Error::Config(format!("a linear map needs inputs and outputs, got {n_in} and {n_out}")));
        }
        let weight = path.param("weight", |rng| config.init.draw(rng, [n_in, n_out]))?;
        let zeros = |_: &mut _| Tensor::zeros([n_out], (Kind::Double, Device::Cpu));
        let bias = config.bias.then(|| path.param("bias", zeros)).transpose()?;
        Ok(Self { weight, bias })
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        match &self.bias {
            Some(bias) => bias.addmm(x, &self.weight),
            None => x.matmul(&self.weight),
        }
    }
}

impl System for Linear {
    type State = ();

    fn n_in(&self) -> i64 {
        self.weight.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.weight.size()[1]
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        (self.apply(x), ())
    }

    /// One product over all steps.
    fn scan(&self, _sha: &Shared, xs: &Tensor, _s: (), _tap: &mut Tap) -> (Tensor, ()) {
        let (time, batch) = (xs.size()[0], xs.size()[1]);
        (self.apply(&xs.reshape([time * batch, self.n_in()])).reshape([time, batch, self.n_out()]), ())
    }

    fn kernel(&self, _sha: &Shared) -> Option<Fused> {
        let numbers = |t: &Tensor| Vec::<f64>::try_from(t.detach().to_kind(Kind::Double).flatten(0, -1)).ok();
        let kernel = LinearKernel {
            n_in: self.n_in() as usize,
            n_out: self.n_out() as usize,
            weight: numbers(&self.weight)?,
            bias: match &self.bias {
                Some(bias) => Some(numbers(bias)?),
                None => None,
            },
        };
        let params: Vec<&Tensor> = std::iter::once(&self.weight).chain(&self.bias).collect();
        Some(Fused::new(kernel, &params))
    }
}

/// Blocks of an input in which something is not 0, each with where its rows of `W` begin. Looking at a block is one vector
/// comparison, so that passing over silent inputs costs no more than reading them.
#[inline(always)]
fn nonzero_blocks<F: Real>(x: &[F], n_out: usize) -> impl Iterator<Item = (&[F], usize)> {
    const BLOCK: usize = 16;
    let blocks = x.chunks(BLOCK).enumerate().map(move |(i, block)| (block, i * BLOCK * n_out));
    blocks.filter(|(block, _)| block.iter().fold(false, |any, x| any | (*x != F::default())))
}

/// `y = x W + b` row by row. Inputs that are 0 are passed over, forward and in the gradient of `W`: of spikes almost all are.
#[derive(Debug)]
struct LinearKernel {
    n_in: usize,
    n_out: usize,
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl<F: Real> Kernel<F> for LinearKernel {
    fn sizes(&self) -> Sizes {
        let n_params = self.n_in * self.n_out + if self.bias.is_some() { self.n_out } else { 0 };
        Sizes { n_in: self.n_in, n_out: self.n_out, n_state: 0, n_saved: 0, n_params }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, _state: &mut [F], ys: &mut [F], _saved: &mut [F]) {
        let weight: Vec<F> = self.weight.iter().map(|&w| F::of(w)).collect();
        let bias: Vec<F> = match &self.bias {
            Some(bias) => bias.iter().map(|&b| F::of(b)).collect(),
            None => vec![F::default(); self.n_out],
        };
        let zero = F::default();
        vectorised(|| {
            for t in 0..tile.steps {
                let ys = &mut ys[t * tile.batch * self.n_out..];
                for (x, y) in xs.row(t).chunks_exact(self.n_in).zip(ys.chunks_exact_mut(self.n_out)) {
                    y.copy_from_slice(&bias);
                    for (x, w) in nonzero_blocks(x, self.n_out).map(|(block, at)| (block, &weight[at..])) {
                        for (x, w) in x.iter().zip(w.chunks_exact(self.n_out)).filter(|(x, _)| **x != zero) {
                            y.iter_mut().zip(w).for_each(|(y, w)| *y += *x * *w);
                        }
                    }
                }
            }
        });
    }

    fn backward(
        &self,
        tile: Tile,
        xs: Rows<'_, F>,
        _saved: &[F],
        gys: &[F],
        _gstate: &mut [F],
        gxs: &mut [F],
        gparams: &mut [F],
    ) {
        let weight: Vec<F> = self.weight.iter().map(|&w| F::of(w)).collect();
        let (gweight, gbias) = gparams.split_at_mut(self.n_in * self.n_out);
        let zero = F::default();
        vectorised(|| {
            for t in 0..tile.steps {
                let rows = t * tile.batch;
                for (i, x) in xs.row(t).chunks_exact(self.n_in).enumerate() {
                    let gy = &gys[(rows + i) * self.n_out..][..self.n_out];
                    for (x, at) in nonzero_blocks(x, self.n_out) {
                        let gw = gweight[at..].chunks_exact_mut(self.n_out);
                        for (x, gw) in x.iter().zip(gw).filter(|(x, _)| **x != zero) {
                            gw.iter_mut().zip(gy).for_each(|(gw, gy)| *gw += *x * *gy);
                        }
                    }
                    gbias.iter_mut().zip(gy).for_each(|(gb, gy)| *gb += *gy);
                    if !gxs.is_empty() {
                        let gx = &mut gxs[(rows + i) * self.n_in..][..self.n_in];
                        for (gx, w) in gx.iter_mut().zip(weight.chunks_exact(self.n_out)) {
                            *gx = w.iter().zip(gy).fold(zero, |sum, (w, gy)| sum + *w * *gy);
                        }
                    }
                }
            }
        });
    }
}

/// A linear map alone is a readout of its own input.
impl Readout for Linear {
    fn features(&self, _sha: &Shared, xs: &Tensor, _s: (), _tap: &mut Tap) -> (Tensor, ()) {
        (xs.shallow_clone(), ())
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        (&self.weight, self.bias.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Chain, Params};

    use super::*;

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-14), (Kind::Float, 1e-5)] {
            for bias in [true, false] {
                let on = (kind, Device::Cpu);
                let mut params = Params::new(2, on);
                let config = LinearConfig { bias, ..LinearConfig::default() };
                let a = Linear::new(&mut params.at("a"), 3, 5, &config).unwrap();
                let b = Linear::new(&mut params.at("b"), 5, 2, &config).unwrap();
                let case = ScanCase { time: 4, batch: 3, on, tolerance, seed: 1 };
                assert_scan_is_steps(&Chain::new(("a", a), ("b", b)).unwrap(), &params, case);
            }
        }
    }

    #[test]
    fn a_chain_whose_sizes_do_not_meet_names_both() {
        let mut params = Params::new(0, (Kind::Float, Device::Cpu));
        let a = Linear::new(&mut params.at("a"), 3, 5, &LinearConfig::default()).unwrap();
        let b = Linear::new(&mut params.at("b"), 4, 2, &LinearConfig::default()).unwrap();
        let error = Chain::new(("a", a), ("b", b)).unwrap_err().to_string();
        assert_eq!(error, "a has 5 outputs, but b takes 4 inputs");
    }
}
