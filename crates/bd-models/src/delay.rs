//! [`Delay`]: each output is the input of the step before; zero at first.

use bd_core::kernel::{Fused, Kernel, Real, Rows, Sizes, Tile};
use bd_core::{Error, Result, Shared, System, Tap, state};
use tch::{Device, Kind, Tensor};

state! {
    /// State of a [`Delay`].
    pub struct DelayState {
        /// The input of the last step, `[batch, n]`.
        last: Tensor,
    }
}

/// A delay of one step, for `n` channels.
#[derive(Debug, Clone)]
pub struct Delay {
    n: i64,
}

impl Delay {
    /// A delay of `n` channels.
    pub fn new(n: i64) -> Result<Self> {
        if n < 1 { Err(Error::Config(format!("a delay needs at least one channel, got {n}"))) } else { Ok(Self { n }) }
    }
}

impl System for Delay {
    type State = DelayState;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> DelayState {
        DelayState { last: Tensor::zeros([batch, self.n], on) }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &DelayState) -> (Tensor, DelayState) {
        (s.last.shallow_clone(), DelayState { last: x.shallow_clone() })
    }

    /// The sequence shifted by one step.
    fn scan(&self, _sha: &Shared, xs: &Tensor, s: DelayState, tap: &mut Tap) -> (Tensor, DelayState) {
        tap.put("last", xs.shallow_clone());
        let time = xs.size()[0];
        let ys = Tensor::cat(&[s.last.unsqueeze(0), xs.narrow(0, 0, time - 1)], 0);
        (ys, DelayState { last: xs.get(-1).copy() })
    }

    fn kernel(&self, _sha: &Shared) -> Option<Fused> {
        Some(Fused::new(DelayKernel { n: self.n as usize }, &[]))
    }
}

/// The sequence shifted by one step, and its adjoint: shifted back.
#[derive(Debug)]
struct DelayKernel {
    n: usize,
}

impl<F: Real> Kernel<F> for DelayKernel {
    fn sizes(&self) -> Sizes {
        Sizes { n_in: self.n, n_out: self.n, n_state: self.n, n_saved: 0, n_params: 0 }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, last: &mut [F], ys: &mut [F], _saved: &mut [F]) {
        for (t, ys) in ys.chunks_exact_mut(tile.batch * self.n).enumerate() {
            ys.copy_from_slice(last);
            last.copy_from_slice(xs.row(t));
        }
    }

    fn backward(
        &self,
        tile: Tile,
        _xs: Rows<'_, F>,
        _saved: &[F],
        gys: &[F],
        glast: &mut [F],
        gxs: &mut [F],
        _gparams: &mut [F],
    ) {
        let width = tile.batch * self.n;
        for t in (0..tile.steps).rev() {
            let row = t * width..(t + 1) * width;
            if !gxs.is_empty() {
                gxs[row.clone()].copy_from_slice(glast);
            }
            glast.copy_from_slice(&gys[row]);
        }
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Params;
    use bd_core::testing::{ScanCase, assert_scan_is_steps};

    use super::*;

    #[test]
    fn scan_is_steps() {
        let on = (Kind::Double, Device::Cpu);
        for time in [1, 2, 9] {
            let case = ScanCase { time, batch: 2, on, tolerance: 0.0, seed: 1 };
            assert_scan_is_steps(&Delay::new(3).unwrap(), &Params::new(0, on), case);
        }
    }
}
