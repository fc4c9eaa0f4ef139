//! A million steps, and inputs that excite nothing.

use bd_core::{Readout, Shared};
use tch::Tensor;

use super::{ON, apart, drawn, linear};
use crate::Ridge;
use crate::online::{Online, OnlineRule, Rls};

const STEPS: i64 = 1_000_000;

/// Correlated inputs `[1, time, 8]`: the last channel is the first one and a thousandth of noise. Of the update of `P` itself, which works
/// with squares, nothing would be left at 1e-8.
fn inputs() -> Tensor {
    let x = drawn(&[1, STEPS, 8], "x");
    let last = x.narrow(2, 0, 1) + x.narrow(2, 7, 1) * 1e-3;
    Tensor::cat(&[x.narrow(2, 0, 7), last], 2)
}

/// Measured: 3e-13. Each number of `D` stays above 0 by construction, and `P` is symmetric because only one half of it is there.
#[test]
fn a_million_steps_leave_ridge_regression() {
    let x = inputs();
    let y = x.matmul(&drawn(&[8, 1], "w")) + drawn(&[1, STEPS, 1], "noise");
    let mut online = Online::new(linear(8, 1, true), &OnlineRule::default(), 1.0, 1).unwrap();
    let _ = online.learn(&x, &y).unwrap();
    let known = linear(8, 1, true);
    Ridge { alpha: 1.0, ..Ridge::default() }.fit(&known, &Shared::default(), &x, &y, ()).unwrap();
    let apart = apart(online.model().readout().0, known.readout().0);
    assert!(apart < 1e-9, "{apart:e}");
    assert_eq!(online.learner().samples(), STEPS as u64);
}

/// With forgetting, the last few hundred samples in closed form are all that counts, however many there were.
#[test]
fn a_million_steps_that_are_forgotten_leave_the_last() {
    let (x, forgetting, last) = (inputs(), 0.9, 600);
    let y = x.matmul(&drawn(&[8, 1], "w")) + drawn(&[1, STEPS, 1], "noise");
    let rule = OnlineRule::Rls(Rls { forgetting, ..Rls::default() });
    let mut online = Online::new(linear(8, 1, false), &rule, 1.0, 1).unwrap();
    let _ = online.learn(&x, &y).unwrap();
    let part = |t: &Tensor| t.squeeze_dim(0).narrow(0, STEPS - last, last);
    let roots = (Tensor::arange(last, ON).flip([0]) * (f64::ln(forgetting) / 2.0)).exp().unsqueeze(1);
    let (known, ..) = (part(&x) * &roots).linalg_lstsq(&(part(&y) * &roots), None, "gelsy");
    let apart = apart(online.model().readout().0, &known);
    assert!(apart < 1e-8, "{apart:e}");
    assert_eq!(online.learner().unexcited(), 0);
}

/// Inputs that do not change excite one direction alone. Without an end of forgetting the others would grow by 1e4365.
#[test]
fn wind_up_is_seen_and_bounded() {
    let rule = OnlineRule::Rls(Rls { forgetting: 0.99, ..Rls::default() });
    let mut online = Online::new(linear(5, 1, true), &rule, 1.0, 1).unwrap();
    let (w, calm) = (drawn(&[5, 1], "w"), drawn(&[1, 1, 5], "calm").expand([1, STEPS, 5], false).contiguous());
    let _ = online.learn(&calm, &(calm.matmul(&w) + 1.0)).unwrap();
    assert_eq!(online.learner().unexcited(), 5);
    // What comes then is learned as if nothing had been, and nothing is left unexcited.
    let x = drawn(&[1, 4000, 5], "x");
    let _ = online.learn(&x, &(x.matmul(&w) + 1.0)).unwrap();
    assert_eq!(online.learner().unexcited(), 0);
    let apart = apart(online.model().readout().0, &w);
    assert!(apart < 1e-9, "{apart:e}");
}
