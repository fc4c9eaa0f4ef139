//! [`DataTransform`]: what stands between data and a model.

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::inputs::Inputs;

/// Brings data from their own units to the model, and the model's outputs back to the units of the data.
///
/// Trainers and evaluation see models only through this, so that they need not know how inputs are scaled or encoded. A
/// transform that learns something from the training data does so in [`fit_inputs`](Self::fit_inputs) and
/// [`fit_targets`](Self::fit_targets); before that it must be usable, too.
pub trait DataTransform {
    /// Dtype and device of the model.
    fn on(&self) -> (Kind, Device);

    /// Learns from training inputs, `[.., channel]` in the units of the data, without padding. Does nothing by default.
    fn fit_inputs(&self, _x: &Tensor) -> Result<()> {
        Ok(())
    }

    /// Learns from training targets that are numbers, `[.., output]` in the units of the data, without padding. Does nothing
    /// by default.
    fn fit_targets(&self, _y: &Tensor) -> Result<()> {
        Ok(())
    }

    /// Inputs `[batch, time, channel]` in the units of the data as the model takes them. The first `lengths` steps (int64,
    /// `[batch]`) of each sequence are no padding. `stream` names the data, such as `training`: whatever is drawn at random
    /// depends on it and on the number of the sequence.
    fn inputs(&self, x: &Tensor, lengths: Option<&Tensor>, stream: &str) -> Result<Inputs>;

    /// Targets in the units of the data as the model is trained on them. Labels (int64) stay what they are.
    fn targets(&self, y: &Tensor) -> Tensor;

    /// Outputs `[.., output]` of the model in the units of the data.
    fn outputs(&self, y: &Tensor) -> Tensor;

    /// Lengths of sequences in steps of the data, int64 `[batch]`, as lengths in steps of the model.
    fn lengths(&self, lengths: Option<&Tensor>) -> Option<Tensor>;
}

/// The transform of a model that takes and gives the units of the data: nothing but dtype and device change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identity {
    on: (Kind, Device),
}

impl Identity {
    /// For a model of this dtype and device.
    pub fn new(on: (Kind, Device)) -> Self {
        Self { on }
    }
}

impl DataTransform for Identity {
    fn on(&self) -> (Kind, Device) {
        self.on
    }

    fn inputs(&self, x: &Tensor, _lengths: Option<&Tensor>, _stream: &str) -> Result<Inputs> {
        Inputs::batch_first(&x.to_device(self.on.1).to_kind(self.on.0))
    }

    fn targets(&self, y: &Tensor) -> Tensor {
        if y.kind() == Kind::Int64 { y.shallow_clone() } else { y.to_kind(self.on.0) }
    }

    fn outputs(&self, y: &Tensor) -> Tensor {
        y.shallow_clone()
    }

    fn lengths(&self, lengths: Option<&Tensor>) -> Option<Tensor> {
        lengths.map(Tensor::shallow_clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the dtype changes: 0.5 and -2 are the same numbers in float32 and float64.
    #[test]
    fn the_identity_changes_dtype_and_nothing_else() {
        let identity = Identity::new((Kind::Float, Device::Cpu));
        let x = Tensor::from_slice(&[0.5f64, -2.0, 4.0, 8.0]).reshape([1, 2, 2]);
        let inputs = identity.inputs(&x, None, "test").unwrap();
        assert_eq!((inputs.on().0, inputs.to_dense()), (Kind::Float, x.to_kind(Kind::Float)));
        assert_eq!(identity.targets(&x), x.to_kind(Kind::Float));
        assert_eq!(identity.outputs(&x), x);
        identity.fit_inputs(&x).unwrap();
        identity.fit_targets(&x).unwrap();
        assert_eq!(identity.outputs(&x), x);
    }

    #[test]
    fn labels_and_lengths_stay_what_they_are() {
        let (identity, labels) = (Identity::new((Kind::Float, Device::Cpu)), Tensor::from_slice(&[2i64, 0]));
        assert_eq!(identity.targets(&labels), labels);
        assert_eq!(identity.lengths(Some(&labels)), Some(labels));
        assert_eq!(identity.lengths(None), None);
    }

    #[test]
    fn empty_inputs_are_refused() {
        let identity = Identity::new((Kind::Float, Device::Cpu));
        let error = identity.inputs(&Tensor::zeros([0, 2, 1], (Kind::Float, Device::Cpu)), None, "").unwrap_err();
        assert!(error.to_string().contains("[batch, time, n]"), "{error}");
    }
}
