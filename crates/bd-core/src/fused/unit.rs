//! [`Unit`]s over tensors: the definition of a step, and [`Units`], many of them as a [`System`].

use bd_kernel::{Num, SurrogateGradient, Unit, UnitKernel};
use tch::{Device, Kind, Tensor};

use super::{Field, Fused, Processor};
use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::state::{StateTree, join};
use crate::system::System;

/// Spikes, exactly 0 or 1, of the distance `x` from the threshold, finite, with the surrogate derivative as their gradient.
///
/// `H(x) + g(x) (x - x)` with everything but the first `x` of the bracket outside the graph. (The popular
/// `hard + soft - soft` is not exactly 0 or 1 in float32.)
pub fn spike(surrogate: &impl SurrogateGradient, x: &Tensor) -> Tensor {
    let outside = x.detach();
    let spikes = Field(outside.shallow_clone()).heaviside().0;
    if !x.requires_grad() {
        return spikes;
    }
    let slope = surrogate.grad(Field(outside.shallow_clone())).0;
    spikes + slope * (x - outside)
}

/// One step of many units by libtorch: the definition.
pub fn step_units<U: Unit<S>, const S: usize>(
    unit: &U,
    sha: &Shared,
    x: &Tensor,
    s: [&Tensor; S],
) -> (Tensor, [Tensor; S]) {
    let spiking = |x: Field| Field(spike(&unit.surrogate(), &x.0));
    let state = s.map(|t| Field(t.shallow_clone()));
    let (y, next) = unit.step(&unit.constants(sha.dt), Field(x.shallow_clone()), state, spiking);
    (y.0, next.map(|field| field.0))
}

/// `n` equal units side by side, as a [`System`]: inputs `[.., n]` to outputs `[.., n]`.
#[derive(Debug, Clone)]
pub struct Units<U, const S: usize> {
    n: i64,
    unit: U,
}

impl<U: Unit<S>, const S: usize> Units<U, S> {
    /// `n` units.
    pub fn new(n: i64, unit: &U) -> Result<Self> {
        const { assert!(U::HELD == 0, "equal units hold no numbers of their own") };
        if n < 1 {
            return Err(Error::Config(format!("{} needs at least one unit, got {n}", U::NAME)));
        }
        unit.check()?;
        Ok(Self { n, unit: *unit })
    }

    /// The settings of each.
    pub fn config(&self) -> &U {
        &self.unit
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt`, see [`UnitKernel::cuda`].
    pub fn cuda(&self, dt: f64) -> Result<String> {
        Ok(UnitKernel::new(self.n, &self.unit, dt).cuda()?)
    }
}

/// State of [`Units`]: `S` tensors `[batch, n]`, by name.
#[derive(Debug)]
pub struct UnitState<const S: usize> {
    names: [&'static str; S],
    /// The tensors, in the order of [`Unit::STATES`].
    pub values: [Tensor; S],
}

impl<const S: usize> UnitState<S> {
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.names.iter().position(|known| *known == name).map(|i| &self.values[i])
    }
}

impl<const S: usize> StateTree for UnitState<S> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        for (name, value) in self.names.iter().zip(&self.values) {
            f(&join(path, name), value);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let pairs = self.names.iter().zip(&self.values);
        let values: Vec<Tensor> = pairs.map(|(name, value)| f(&join(path, name), value)).collect::<Result<_>>()?;
        Ok(Self { names: self.names, values: values.try_into().expect("as many as there were") })
    }
}

impl<U: Unit<S>, const S: usize> System for Units<U, S> {
    type State = UnitState<S>;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> UnitState<S> {
        let values = self.unit.initial().map(|value| Tensor::full([batch, self.n], value, on));
        UnitState { names: U::STATES, values }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &UnitState<S>) -> (Tensor, UnitState<S>) {
        let (y, values) = step_units(&self.unit, sha, x, s.values.each_ref());
        (y, UnitState { names: U::STATES, values })
    }

    fn kernel(&self, sha: &Shared, _processor: Processor) -> Option<Fused> {
        Some(Fused::new(self.unit.kernel(self.n as usize, sha.dt), &[]))
    }
}
