//! [`Params`]: the tensors that make up a model, trainable or fixed, by name, in the order in which they were made.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::named::{kind_name, match_named};
use crate::rng::Rng;
use crate::state::join;
use crate::weight::{Kept, Weight};

/// Named parameters of a model. A model keeps a handle on each of its own; this keeps all of them, for trainers and
/// files. Names are unique, and loading is strict.
///
/// tch's `VarStore` renames duplicates, ignores unknown names, takes over the file's dtype and has no order, all
/// without a word; hence a store of our own.
#[derive(Debug)]
pub struct Params {
    seed: u64,
    kind: Kind,
    device: Device,
    entries: Vec<Entry>,
}

/// A parameter, and what is kept of it.
#[derive(Debug)]
struct Entry {
    name: String,
    tensor: Tensor,
    kept: Kept,
}

impl Params {
    /// No parameters yet. Initial values will be functions of `seed` and of each parameter's name alone.
    pub fn new(seed: u64, on: (Kind, Device)) -> Self {
        Self { seed, kind: on.0, device: on.1, entries: Vec::new() }
    }

    /// Dtype and device of the parameters.
    pub fn on(&self) -> (Kind, Device) {
        (self.kind, self.device)
    }

    /// The seed of the initial values.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The place where the parameters of a part called `name` are made.
    pub fn at(&mut self, name: &str) -> ParamPath<'_> {
        ParamPath { params: self, path: name.to_owned() }
    }

    /// All parameters with their names, in order. The tensors are handles on the parameters themselves.
    pub fn named(&self) -> Vec<(String, Tensor)> {
        self.entries.iter().map(|entry| (entry.name.clone(), entry.tensor.shallow_clone())).collect()
    }

    /// The same as a model uses them, which is what files of weights have: of a parameter of which signs or zeros are [kept](Kept) the weight
    /// that follows from it, outside the graph. Loaded again they give the same weights, but not the optimiser's place: a checkpoint has
    /// [`named`](Self::named).
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        self.entries.iter().map(|entry| (entry.name.clone(), entry.kept.of(&entry.tensor.detach()))).collect()
    }

    /// Those of [`named`](Self::named) that are trained.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        self.named().into_iter().filter(|(_, tensor)| tensor.requires_grad()).collect()
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.tensor)
    }

    /// Takes over the parameters of a part that was made by itself, under `name`. Fails if there are parameters of these names.
    pub fn adopt(&mut self, name: &str, part: Self) -> Result<()> {
        for entry in part.entries {
            let full = join(name, &entry.name);
            if self.get(&full).is_some() {
                return Err(twice(&full));
            }
            self.entries.push(Entry { name: full, ..entry });
        }
        Ok(())
    }

    /// The parameters under `name`, by their names within it. They are handles on the same tensors.
    pub fn part(&self, name: &str) -> Self {
        let within = |full: &str| match name {
            "" => Some(full.to_owned()),
            _ => full.strip_prefix(name)?.strip_prefix('.').map(str::to_owned),
        };
        let handle = |entry: &Entry| {
            let (tensor, kept) = (entry.tensor.shallow_clone(), entry.kept.handle());
            Some(Entry { name: within(&entry.name)?, tensor, kept })
        };
        Self { entries: self.entries.iter().filter_map(handle).collect(), ..*self }
    }

    /// Copies saved values into the parameters, which every handle on them sees. Names, shapes and dtypes must be the same;
    /// otherwise nothing is copied and [`Error::Mismatch`] lists every difference.
    pub fn load(&self, saved: &[(String, Tensor)]) -> Result<()> {
        match_named("the saved model", &self.named(), saved)?;
        let _guard = tch::no_grad_guard();
        for (name, tensor) in saved {
            self.get(name).expect("no name is unknown").shallow_clone().f_copy_(tensor)?;
        }
        Ok(())
    }
}

fn twice(name: &str) -> Error {
    Error::Config(format!("two parameters are called {name}; give the parts different names"))
}

/// Where in [`Params`] a part of a model makes its parameters.
#[derive(Debug)]
pub struct ParamPath<'a> {
    params: &'a mut Params,
    path: String,
}

impl ParamPath<'_> {
    /// Dtype and device of the parameters.
    pub fn on(&self) -> (Kind, Device) {
        self.params.on()
    }

    /// The place of a part called `name` within this one.
    pub fn at(&mut self, name: &str) -> ParamPath<'_> {
        ParamPath { path: join(&self.path, name), params: self.params }
    }

    /// Makes a tensor that belongs to the model, is saved and loaded with it, and is not trained, such as the random
    /// weights of a reservoir. Otherwise like [`param`](Self::param).
    pub fn fixed(&mut self, name: &str, init: impl FnOnce(&mut Rng) -> Tensor) -> Result<Tensor> {
        Ok(self.param(name, init)?.set_requires_grad(false))
    }

    /// [`fixed`](Self::fixed) in float64, whatever the dtype of the parameters: constants by which data are brought to the model's range,
    /// whose offsets may have more digits than float32 holds.
    pub fn constant(&mut self, name: &str, init: impl FnOnce(&mut Rng) -> Tensor) -> Result<Tensor> {
        Ok(self.make(name, Kind::Double, init)?.set_requires_grad(false))
    }

    /// Makes a trainable parameter with the initial value that `init` draws, and returns a handle on it. The stream
    /// given to `init` depends on the seed and the parameter's full name, not on what was made before.
    pub fn param(&mut self, name: &str, init: impl FnOnce(&mut Rng) -> Tensor) -> Result<Tensor> {
        self.make(name, self.params.kind, init)
    }

    /// Makes a trainable parameter as [`param`](Self::param) does, of which signs or zeros are kept from its initial value on.
    pub fn weight(&mut self, name: &str, kept: Kept, init: impl FnOnce(&mut Rng) -> Tensor) -> Result<Weight> {
        let theta = self.param(name, init)?;
        tch::no_grad(|| theta.shallow_clone().f_copy_(&kept.of(&theta)))?;
        self.params.entries.last_mut().expect("it was made").kept = kept.handle();
        Ok(Weight::new(theta, kept))
    }

    /// What comes before and after the drawing has no type parameter, so that it is compiled once.
    fn make(&mut self, name: &str, kind: Kind, init: impl FnOnce(&mut Rng) -> Tensor) -> Result<Tensor> {
        let full = self.new_name(name)?;
        let value = init(&mut Rng::new(self.params.seed, &full));
        self.keep(full, kind, &value)
    }

    /// The full name; an error if it is taken, or if numbers of the dtype have no gradients.
    fn new_name(&self, name: &str) -> Result<String> {
        let full = join(&self.path, name);
        if self.params.get(&full).is_some() {
            return Err(twice(&full));
        }
        if !matches!(self.params.kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) {
            let (expected, found) = ("a floating-point dtype, such as float32".into(), kind_name(self.params.kind));
            return Err(Error::DtypeOrDevice { what: format!("the parameter {full}"), expected, found });
        }
        Ok(full)
    }

    fn keep(&mut self, name: String, kind: Kind, value: &Tensor) -> Result<Tensor> {
        let param = value.f_to_kind(kind)?.f_to_device(self.params.device)?.detach().copy();
        let param = param.set_requires_grad(true);
        self.params.entries.push(Entry { name, tensor: param.shallow_clone(), kept: Kept::default() });
        Ok(param)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn normal(shape: &'static [i64]) -> impl Fn(&mut Rng) -> Tensor {
        move |rng| rng.tensor(shape, ON, Rng::normal)
    }

    #[test]
    fn initial_values_depend_on_seed_and_name_and_not_on_order() {
        let mut one = Params::new(3, ON);
        let _ = one.at("r").param("w", normal(&[2])).unwrap();
        let _ = one.at("o").param("w", normal(&[2])).unwrap();
        let mut other = Params::new(3, ON);
        let _ = other.at("o").param("w", normal(&[2])).unwrap();
        assert_eq!(one.get("o.w").unwrap(), other.get("o.w").unwrap());
        assert_ne!(one.get("o.w").unwrap(), one.get("r.w").unwrap());
        let mut reseeded = Params::new(4, ON);
        let _ = reseeded.at("o").param("w", normal(&[2])).unwrap();
        assert_ne!(one.get("o.w").unwrap(), reseeded.get("o.w").unwrap());
    }

    #[test]
    fn a_name_is_given_once() {
        let mut params = Params::new(0, ON);
        let _ = params.at("r").at("cell").param("w", normal(&[1])).unwrap();
        let error = params.at("r").at("cell").param("w", normal(&[1])).unwrap_err();
        assert!(error.to_string().contains("r.cell.w"), "{error}");
    }

    #[test]
    fn parameters_are_floating_point_numbers() {
        let mut params = Params::new(0, (Kind::Int64, Device::Cpu));
        let error = params.at("r").param("w", normal(&[1])).unwrap_err().to_string();
        assert_eq!(error, "the parameter r.w: expected a floating-point dtype, such as float32, got int64");
    }

    #[test]
    fn fixed_tensors_are_saved_and_loaded_but_not_trained() {
        let mut params = Params::new(0, ON);
        let w = params.at("r").fixed("w", normal(&[2])).unwrap();
        let _ = params.at("o").param("w", normal(&[2])).unwrap();
        let names = |all: Vec<(String, Tensor)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            (names(params.named()), names(params.trainable())),
            (vec!["r.w".into(), "o.w".into()], vec!["o.w".into()])
        );
        params.load(&params.named().into_iter().map(|(name, t)| (name, t.ones_like())).collect::<Vec<_>>()).unwrap();
        assert_eq!(w, w.ones_like());
    }

    /// Whatever an optimiser makes of the parameter: the saved weight has the signs and the zeros, and is itself when it is loaded.
    #[test]
    fn weights_are_saved_as_they_are_used() {
        let build = |params: &mut Params| {
            let signs = Tensor::from_slice(&[1.0, -1.0]).reshape([2, 1]);
            let mask = Tensor::from_slice(&[1.0, 1.0, 0.0, 1.0]).reshape([2, 2]);
            params.at("r").weight("w", Kept { signs: Some(signs), mask: Some(mask) }, normal(&[2, 2])).unwrap()
        };
        let mut params = Params::new(0, ON);
        let weight = build(&mut params);
        assert_eq!(*weight.theta(), weight.value(), "the initial parameter has the signs and the zeros");
        tch::no_grad(|| weight.theta().shallow_clone().copy_(&(weight.theta() * -2.0 + 0.5)));
        let mut other = Params::new(1, ON);
        other.adopt("m", Params::new(1, ON)).unwrap();
        let again = build(&mut other);
        other.load(&params.part("").weights()).unwrap();
        assert_eq!(again.value(), weight.value());
        assert_eq!(params.weights()[0].1, weight.value().detach());
        assert!(params.named()[0].1.equal(weight.theta()) && weight.theta().requires_grad());
    }

    #[test]
    fn loading_is_all_or_nothing() {
        let mut params = Params::new(0, ON);
        let handle = params.at("o").param("w", normal(&[2])).unwrap();
        let _ = params.at("o").param("b", normal(&[1])).unwrap();
        let before = handle.copy();
        let mut saved: Vec<_> = params.named().into_iter().map(|(name, t)| (name, t.ones_like())).collect();
        saved[1].0 = "o.bias".into();
        let error = params.load(&saved).unwrap_err().to_string();
        assert!(error.contains("o.b is missing") && error.contains("o.bias is unknown"), "{error}");
        assert_eq!(handle, before);
        saved[1].0 = "o.b".into();
        params.load(&saved).unwrap();
        assert_eq!(handle, handle.ones_like(), "the model's own handle sees what was loaded");
        assert!(handle.requires_grad());
    }
}
