//! [`Standardise`]: `y = (x - mean) / std`, channel by channel, without a state.

use bd_core::{Error, Inputs, ParamPath, Result, Shared, System, Tap, catch_torch, setting};
use tch::{Device, Kind, Tensor};

/// Brings channels of different units to mean 0 and standard deviation 1. Its parameters `mean` and `std`, `[n]`, are fixed: they
/// are taken from data once by [`fit`](Self::fit), and saved and loaded with the model. They are float64, and so is the arithmetic: data
/// that vary by 1 around 1e7 keep their digits in a model of float32, too. At first it changes nothing.
#[derive(Debug)]
pub struct Standardise {
    mean: Tensor,
    std: Tensor,
}

impl Standardise {
    /// For `n` channels, with parameters made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n: i64) -> Result<Self> {
        setting::at_least("standardise.n", n, 1)?;
        let filled = |value: f64| move |_: &mut _| Tensor::full([n], value, (Kind::Double, Device::Cpu));
        Ok(Self { mean: path.constant("mean", filled(0.0))?, std: path.constant("std", filled(1.0))? })
    }

    /// Takes mean and standard deviation (of the population) from data `[.., n]`, usually those that the model is then trained on.
    /// A channel that is constant is only shifted.
    pub fn fit(&self, x: &Tensor) -> Result<()> {
        if x.dim() < 2 || x.size()[x.dim() - 1] != self.n_in() || x.numel() == 0 {
            let expected = format!("[.., {}], not empty", self.n_in());
            return Err(Error::Shape { what: "data to scale by".into(), expected, found: x.size() });
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let rows = x.to_kind(Kind::Double).flatten(0, -2);
            let found = rows.std_dim(0, false, false);
            let constant = rows.amax(0, false).eq_tensor(&rows.amin(0, false));
            self.std.shallow_clone().f_copy_(&found.masked_fill(&constant, 1.0))?;
            self.mean.shallow_clone().f_copy_(&rows.mean_dim(0, false, Kind::Double))?;
            Ok(())
        })
    }

    /// Of data `[.., n]`, in their dtype.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        ((x - &self.mean) / &self.std).to_kind(x.kind())
    }

    /// What [`apply`](Self::apply) has made of data, `[.., n]`, as it was, in their dtype.
    pub fn undo(&self, y: &Tensor) -> Tensor {
        (y * &self.std + &self.mean).to_kind(y.kind())
    }

    /// The same with handles on the same parameters.
    pub fn share(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), std: self.std.shallow_clone() }
    }
}

impl System for Standardise {
    type State = ();

    fn n_in(&self) -> i64 {
        self.mean.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.n_in()
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, _s: &()) -> (Tensor, ()) {
        (self.apply(x), ())
    }

    fn scan(&self, _sha: &Shared, inputs: &Inputs, _s: (), _tap: &mut Tap) -> (Tensor, ()) {
        (self.apply(&inputs.time_first()), ())
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
    use bd_core::{Params, Rng};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn scan_is_steps() {
        let mut params = Params::new(0, ON);
        let scale = Standardise::new(&mut params.at("scale"), 3).unwrap();
        scale.fit(&(Rng::new(0, "x").tensor(&[9, 4, 3], ON, Rng::normal) * 5.0 + 1.0)).unwrap();
        assert_scan_is_steps(&scale, &params, ScanCase { time: 6, batch: 2, on: ON, tolerance: 1e-14, seed: 1 });
    }

    #[test]
    fn each_channel_gets_mean_0_and_deviation_1_and_a_constant_one_0() {
        let x = Rng::new(2, "x").tensor(&[40, 3, 2], ON, Rng::normal) * 7.0 + 100.0;
        let _ = x.narrow(2, 1, 1).fill_(3.0); // a view
        let mut params = Params::new(0, ON);
        let scale = Standardise::new(&mut params.at("scale"), 2).unwrap();
        assert_close("at first", &scale.apply(&x), &x, 1e-15);
        scale.fit(&x).unwrap();
        assert_close("undone", &scale.undo(&scale.apply(&x)), &x, 1e-14);
        let y = scale.apply(&x).flatten(0, 1);
        assert!(y.mean_dim(0, false, Kind::Double).abs().max().double_value(&[]) < 1e-13);
        assert_close("deviation", &y.std_dim(0, false, false), &Tensor::from_slice(&[1.0, 0.0]), 1e-12);
        assert!(params.trainable().is_empty() && scale.fit(&x.narrow(2, 0, 1)).is_err());
    }
}
