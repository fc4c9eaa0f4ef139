//! [`UnitRange`]: `y = (x - min) / (max - min)`, channel by channel, cut off at 0 and 1, without a state.

use bd_core::{Error, ParamPath, Result, catch_torch, setting};
use tch::{Device, Kind, Tensor};

/// Brings channels of different units to 0 at the least value of some data and 1 at the greatest; what lies outside in other data
/// becomes 0 or 1, and a channel that is constant becomes 0. Its parameters `min` and `max`, `[n]`, are fixed and float64: they are
/// taken from data once by [`fit`](Self::fit), and saved and loaded with the model.
#[derive(Debug)]
pub struct UnitRange {
    min: Tensor,
    max: Tensor,
}

impl UnitRange {
    /// For `n` channels, with parameters made at `path`: at first from 0 to 1.
    pub fn new(path: &mut ParamPath<'_>, n: i64) -> Result<Self> {
        setting::at_least("unit_range.n", n, 1)?;
        let filled = |value: f64| move |_: &mut _| Tensor::full([n], value, (Kind::Double, Device::Cpu));
        Ok(Self { min: path.constant("min", filled(0.0))?, max: path.constant("max", filled(1.0))? })
    }

    /// Takes the least and the greatest value from data `[.., n]`, usually those that the model is then trained on.
    pub fn fit(&self, x: &Tensor) -> Result<()> {
        let n = self.min.size()[0];
        if x.dim() < 2 || x.size()[x.dim() - 1] != n || x.numel() == 0 {
            let expected = format!("[.., {n}], not empty");
            return Err(Error::Shape { what: "data to scale by".into(), expected, found: x.size() });
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let rows = x.flatten(0, -2);
            self.min.shallow_clone().f_copy_(&rows.amin(0, false))?;
            self.max.shallow_clone().f_copy_(&rows.amax(0, false))?;
            Ok(())
        })
    }

    /// Of data `[.., n]`, in their dtype.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        let range = &self.max - &self.min;
        let range = range.masked_fill(&range.le(0.0), f64::INFINITY);
        ((x - &self.min) / range).clamp(0.0, 1.0).to_kind(x.kind())
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Params;

    use super::*;

    #[test]
    fn least_is_0_greatest_is_1_and_nothing_is_outside() {
        let mut params = Params::new(0, (Kind::Double, Device::Cpu));
        let scale = UnitRange::new(&mut params.at("scale"), 3).unwrap();
        let x = Tensor::from_slice(&[2.0, -1.0, 7.0, 4.0, 1.0, 7.0, 2.5, 0.5, 7.0]).reshape([3, 3]);
        scale.fit(&x).unwrap();
        let expected = Tensor::from_slice(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.25, 0.75, 0.0]).reshape([3, 3]);
        assert_eq!(scale.apply(&x), expected);
        let outside = Tensor::from_slice(&[-9.0, 9.0, 9.0]);
        assert_eq!(scale.apply(&outside), Tensor::from_slice(&[0.0, 1.0, 0.0]));
        assert!(params.trainable().is_empty() && scale.fit(&x.narrow(1, 0, 2)).is_err());
        assert!(UnitRange::new(&mut params.at("none"), 0).is_err());
    }
}
