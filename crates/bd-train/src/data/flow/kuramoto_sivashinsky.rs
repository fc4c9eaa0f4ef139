//! The equation of Kuramoto and Sivashinsky by exponential time differencing of order 4 (ETDRK4): Kassam and Trefethen, "Fourth-order
//! time-stepping for stiff PDEs", SIAM J. Sci. Comput. 26 (2005), section 4, coefficients by contour integrals included.
//!
//! ```text
//! u_t = -u u_x - u_xx - u_xxxx,   v' = (k^2 - k^4) v - i k/2 F[(F^-1 v)^2]   with v = F u
//! ```

use std::f64::consts::{PI, TAU};

use bd_core::{Result, setting};
use tch::{Kind, Tensor};

/// Longest step of the integration.
const LONGEST_STEP: f64 = 0.25;

/// Points on the circle of the contour integrals.
const CIRCLE: usize = 32;

pub(super) fn check(params: &[f64]) -> Result<()> {
    super::whole("n", params[0], 8, 1 << 14)?;
    setting::check("n", params[0], params[0] % 2.0 == 0.0, "even")?;
    setting::above_zero("length", params[1])
}

/// Kassam's and Trefethen's, over one length.
pub(super) fn start(params: &[f64]) -> Vec<f64> {
    let n = params[0] as usize;
    let angle = |i: usize| TAU * i as f64 / n as f64;
    (1..=n).map(|i| angle(i).cos() * (1.0 + angle(i).sin())).collect()
}

/// The solutions from `starts`, `[batch, n]` in float64 on the host, `[batch, points, n]`; the first point is `dt` after the start.
/// `refinement` divides the steps. Not a number where a solution ends.
pub(super) fn series(params: &[f64], starts: &Tensor, dt: f64, points: usize, refinement: usize) -> Tensor {
    let steps = (dt / LONGEST_STEP).ceil().max(1.0) as usize * refinement;
    let scheme = Scheme::new(params[0] as usize, params[1], dt / steps as f64);
    let mut v = starts.fft_rfft(None, -1, "backward");
    let each = (0..points).map(|_| {
        (0..steps).for_each(|_| v = scheme.step(&v));
        scheme.to_grid(&v)
    });
    Tensor::stack(&each.collect::<Vec<_>>(), 1)
}

/// Coefficients for steps of one length, each `[n/2 + 1]`.
struct Scheme {
    n: i64,
    /// `e^(h L)` and `e^(h L / 2)`.
    whole: Tensor,
    half: Tensor,
    /// Of the slope in the stages.
    stage: Tensor,
    /// Of the slopes at the start, in the middle and at the end.
    weights: [Tensor; 3],
    /// `-i k / 2`.
    advection: Tensor,
}

impl Scheme {
    fn new(n: usize, length: f64, h: f64) -> Self {
        let mut odd: Vec<f64> = (0..=n / 2).map(|mode| TAU / length * mode as f64).collect();
        let k = Tensor::from_slice(&odd);
        odd[n / 2] = 0.0; // The sawtooth has no odd derivative on the grid; even ones damp it.
        let odd = Tensor::from_slice(&odd);
        let linear = (k.square() - k.square().square()) * h;
        // The formulas lose all digits by cancellation where h L is small; their means over a circle around it do not.
        let angles =
            Tensor::from_slice(&(0..CIRCLE).map(|j| PI * (j as f64 + 0.5) / CIRCLE as f64).collect::<Vec<_>>());
        let z = Tensor::complex(
            &(linear.unsqueeze(1) + angles.cos()),
            &angles.sin().expand([linear.numel() as i64, -1], false),
        );
        let mean = |f: Tensor| f.real().mean_dim(1, false, Kind::Double) * h;
        let (e, square, cube) = (z.exp(), z.square(), z.square() * &z);
        Self {
            n: n as i64,
            whole: linear.exp(),
            half: (&linear / 2.0).exp(),
            stage: mean(((&z / 2.0).exp() - 1.0) / &z),
            weights: [
                mean((-4.0 - &z + &e * (4.0 - &z * 3.0 + &square)) / &cube),
                mean((2.0 + &z + &e * (-2.0 + &z)) / &cube),
                mean((-4.0 - &z * 3.0 - &square + &e * (4.0 - &z)) / &cube),
            ],
            advection: Tensor::complex(&odd.zeros_like(), &(odd * -0.5)),
        }
    }

    fn to_grid(&self, v: &Tensor) -> Tensor {
        v.fft_irfft(self.n, -1, "backward")
    }

    fn nonlinear(&self, v: &Tensor) -> Tensor {
        self.to_grid(v).square().fft_rfft(None, -1, "backward") * &self.advection
    }

    fn step(&self, v: &Tensor) -> Tensor {
        let Self { whole, half, stage, weights: [first, middle, last], .. } = self;
        let decayed = v * half;
        let of_v = self.nonlinear(v);
        let a = &decayed + &of_v * stage;
        let of_a = self.nonlinear(&a);
        let of_b = self.nonlinear(&(decayed + &of_a * stage));
        let of_c = self.nonlinear(&(a * half + (&of_b * 2.0 - &of_v) * stage));
        v * whole + of_v * first + (of_a + of_b) * middle * 2.0 + of_c * last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: [f64; 2] = [64.0, 22.0];

    fn end(dt: f64, points: usize) -> Tensor {
        let starts = Tensor::from_slice(&start(&USUAL)).unsqueeze(0);
        series(&USUAL, &starts, dt, points, 1).select(1, points as i64 - 1).squeeze_dim(0)
    }

    /// SciPy 1.17.1, `solve_ivp(method="DOP853", rtol=1e-13, atol=1e-14)` on the same modes, time 20; its Radau agrees to 1e-13.
    #[test]
    fn the_solution_is_that_of_another_method() {
        let found = end(0.0125, 1600);
        for (at, expected) in [(0, -0.219_405_846_818_8), (17, -1.004_786_805_142_5), (40, 1.378_384_638_111_9)] {
            let found = found.double_value(&[at]);
            assert!((found - expected).abs() < 1e-8, "{found} at {at}");
        }
    }

    /// Of shorter steps than usual: at 0.25 it is about 3, and the error after 20 units of time 1.3e-4.
    #[test]
    fn the_order_is_four() {
        let exact = end(0.25 / 64.0, 80 * 64);
        let error = |halvings: usize| {
            (end(0.25 / f64::from(1 << halvings), 80 << halvings) - &exact).abs().max().double_value(&[])
        };
        let order = (error(4) / error(5)).log2();
        assert!((3.7..4.3).contains(&order), "{order}");
    }

    /// `(d/dt) integral of u = 0`.
    #[test]
    fn the_mean_stays() {
        let mean = |u: Tensor| u.mean(Kind::Double).double_value(&[]);
        let at_first = mean(Tensor::from_slice(&start(&USUAL)));
        assert!((mean(end(0.25, 400)) - at_first).abs() < 1e-12);
    }
}
