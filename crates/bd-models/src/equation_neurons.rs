//! [`EquationNeurons`]: neurons whose equations are text, of the [zoo](bd_equations::zoo) or of one's own.
//!
//! A step is Brian2's: differential equations, threshold, reset. [`Model`] says which methods solve the equations.
//!
//! What is trained of a neuron is one number of each of them. One that stays positive is trained as its logarithm:
//!
//! | trained | parameter `[n]` |
//! |---|---|
//! | `x`, positive | `log_x`, `x = e^log_x` |
//! | `x` | `x` |
//!
//! Parameters and states are in ms, mV, pA and what follows from these.

use std::sync::{Arc, Mutex, PoisonError};

use bd_core::kernel::{Field, Fused, Processor, numbers_of, spike};
use bd_core::{Error, ParamPath, Result, Rng, Shared, StateTree, System, join, portable, setting};
use bd_equations::{Draw, Held, Initial, Model, NeuronText, Sent, StepConstants, Target};
use bd_kernel::{GraphKernel, NoSpikes, UnitProgram};
use bd_networks::{Neurons, Population};
use tch::{Device, Kind, Tensor};

/// Neurons of a [`Model`], one after the other: inputs `[.., ports n]`, all neurons of the first port before those of the second, to outputs
/// `[.., n]`, spikes or what the model says. `Shared.dt` is in ms. Neurons of a [network](crate::PopulationNetwork) have its targets instead of
/// all ports, and their kernel gives out all that they send.
#[derive(Debug)]
pub struct EquationNeurons {
    n: i64,
    model: Arc<Model>,
    /// What the inputs are.
    targets: Vec<Target>,
    /// What a kernel gives out: the output first.
    sent: Vec<Sent>,
    names: Arc<[String]>,
    /// The state before the first step, `[n]` each, in float64.
    initial: Vec<Tensor>,
    /// In the order of [`Model::held`].
    held: Vec<Own>,
    /// What was worked out for steps of the last length.
    prepared: Mutex<Option<Arc<Prepared>>>,
}

/// A number of each neuron, `[n]`.
#[derive(Debug)]
enum Own {
    Fixed(Tensor),
    Trained(Tensor),
    /// As its logarithm.
    TrainedPositive(Tensor),
}

/// What steps of one length need.
#[derive(Debug)]
struct Prepared {
    dt_ms: f64,
    constants: StepConstants,
    program: Arc<UnitProgram>,
}

/// State of [`EquationNeurons`]: tensors `[batch, n]`, in the order of [`Model::states`].
#[derive(Debug)]
pub struct EquationState {
    names: Arc<[String]>,
    values: Vec<Tensor>,
}

impl EquationState {
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.names.iter().position(|known| known == name).map(|i| &self.values[i])
    }
}

impl StateTree for EquationState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.names.iter().zip(&self.values).for_each(|(name, value)| f(&join(path, name), value));
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let pairs = self.names.iter().zip(&self.values);
        let values = pairs.map(|(name, value)| f(&join(path, name), value)).collect::<Result<_>>()?;
        Ok(Self { names: Arc::clone(&self.names), values })
    }
}

/// A number before the first step, of each of `n` neurons, in float64.
fn draw(initial: &Initial, n: i64, rng: &mut Rng) -> Vec<f64> {
    let one = |_| {
        initial.value(|draw| match draw {
            Draw::Uniform => rng.uniform(),
            Draw::Normal => rng.normal(),
        })
    };
    (0..n).map(one).collect()
}

/// How numbers of a name are drawn, one for each neuron, where the parameter of that name has this stream.
type Draws<'a> = dyn Fn(&str, &Initial, &mut Rng) -> Vec<f64> + 'a;

impl Own {
    fn new(path: &mut ParamPath<'_>, held: &Held, draws: &Draws<'_>) -> Result<Self> {
        let name = &held.name;
        let values = |rng: &mut Rng| draws(name, &held.initial, rng);
        if !held.trained {
            return Ok(Self::Fixed(path.fixed(name, |rng| Tensor::from_slice(&values(rng)))?));
        }
        if !held.positive {
            return Ok(Self::Trained(path.param(name, |rng| Tensor::from_slice(&values(rng)))?));
        }
        let mut least = f64::INFINITY;
        let log = path.param(&format!("log_{name}"), |rng| {
            let values = values(rng);
            least = values.iter().copied().fold(least, f64::min);
            Tensor::from_slice(&values.into_iter().map(portable::ln).collect::<Vec<_>>())
        })?;
        setting::check(name, least, least > 0.0, "above 0, for its logarithm is trained")?;
        Ok(Self::TrainedPositive(log))
    }

    /// `[n]`, in the graph.
    fn value(&self) -> Tensor {
        match self {
            Self::Fixed(value) | Self::Trained(value) => value.shallow_clone(),
            // As for constants: in float64, then rounded.
            Self::TrainedPositive(log) => log.to_kind(Kind::Double).exp().to_kind(log.kind()),
        }
    }
}

impl EquationNeurons {
    /// `n` neurons. What each has of its own, and where it starts at random, is made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n: i64, text: &NeuronText) -> Result<Self> {
        setting::at_least("neuron.n", n, 1)?;
        let model = text.build().map_err(|error| Error::Config(format!("neuron: {error}")))?;
        let targets = (0..model.ports().len()).map(Target::Port).collect();
        Self::made(path, n, model, (targets, vec![Sent::Output]), &|_, initial, rng| draw(initial, n, rng))
    }

    /// The neurons of a population, which begin as its simulation does, and what each of them sends.
    pub(crate) fn of_population(
        path: &mut ParamPath<'_>,
        population: &Population,
        neurons: &Neurons,
        sent: Vec<Sent>,
        seed: u64,
    ) -> Result<Self> {
        let carried: Vec<usize> = sent.iter().filter_map(|sent| sent.state()).collect();
        let (model, targets) = (neurons.model.clone().with_resets_in_gradient(&carried), neurons.targets.clone());
        let draws = |name: &str, initial: &Initial, _: &mut Rng| population.initial(name, initial, seed);
        Self::made(path, population.n as i64, model, (targets, sent), &draws)
    }

    fn made(
        path: &mut ParamPath<'_>,
        n: i64,
        model: Model,
        (targets, sent): (Vec<Target>, Vec<Sent>),
        draws: &Draws<'_>,
    ) -> Result<Self> {
        let held = model.held().iter().map(|held| Own::new(path, held, draws)).collect::<Result<_>>()?;
        let initial = model.states().iter().map(|state| {
            let make = |rng: &mut Rng| Tensor::from_slice(&draws(&state.name, &state.initial, rng));
            match state.initial.is_random() {
                true => path.fixed(&format!("initial_{}", state.name), make),
                false => Ok(make(&mut Rng::new(0, ""))),
            }
        });
        let initial = initial.collect::<Result<_>>()?;
        let names = model.states().iter().map(|state| state.name.clone()).collect();
        Ok(Self { n, model: Arc::new(model), targets, sent, names, initial, held, prepared: Mutex::new(None) })
    }

    /// Numbers of each neuron, `[n]`: those that are held, as equations have them, and states that begin at random.
    pub(crate) fn numbers(&self) -> Vec<(String, Tensor)> {
        let held = self.model.held().iter().zip(&self.held).map(|(held, own)| (held.name.clone(), own.value()));
        let random = self.model.states().iter().zip(&self.initial).filter(|(state, _)| state.initial.is_random());
        held.chain(random.map(|(state, initial)| (state.name.clone(), initial.shallow_clone()))).collect()
    }

    /// The model of each.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt_ms`, see [`UnitFormula::cuda`](bd_kernel::UnitFormula::cuda).
    pub fn cuda(&self, dt_ms: f64) -> Result<String> {
        Ok(self.prepared(dt_ms).program.cuda()?)
    }

    /// One step: what is sent, and the next state.
    pub(crate) fn step_sending(&self, sha: &Shared, x: &Tensor, s: &EquationState) -> (Vec<Tensor>, EquationState) {
        let prepared = self.prepared(sha.dt);
        let targets = 0..self.targets.len() as i64;
        let xs: Vec<Field> = targets.map(|target| Field(x.narrow(-1, target * self.n, self.n))).collect();
        let held = self.held.iter().map(Own::value);
        let state: Vec<Field> = s.values.iter().map(Tensor::shallow_clone).chain(held).map(Field).collect();
        let fire = |distance: Field| match self.model.surrogate() {
            Some(surrogate) => Field(spike(&surrogate, &distance.0)),
            None => Field(spike(&NoSpikes, &distance.0)),
        };
        let what = (&self.targets[..], &self.sent[..]);
        let (sent, next) = self.model.step_sending(what, &prepared.constants, &xs, &state, fire);
        // A constant has no dimensions yet.
        let full = |fields: Vec<Field>| fields.into_iter().map(|field| field.0.expand_as(&s.values[0])).collect();
        (full(sent), EquationState { names: Arc::clone(&s.names), values: full(next) })
    }

    /// # Panics
    ///
    /// If `dt_ms` is no length of a step.
    fn prepared(&self, dt_ms: f64) -> Arc<Prepared> {
        let mut known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(prepared) if prepared.dt_ms == dt_ms => Arc::clone(prepared),
            _ => {
                let constants = self.model.constants(dt_ms).unwrap_or_else(|error| panic!("neuron: {error}"));
                let program = Arc::new(self.model.program_of(&self.targets, &self.sent, &constants));
                Arc::clone(known.insert(Arc::new(Prepared { dt_ms, constants, program })))
            }
        }
    }
}

impl System for EquationNeurons {
    type State = EquationState;

    fn n_in(&self) -> i64 {
        self.n * self.targets.len() as i64
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> EquationState {
        let expanded = |value: &Tensor| value.to_kind(on.0).to_device(on.1).expand([batch, self.n], true).copy();
        EquationState { names: Arc::clone(&self.names), values: self.initial.iter().map(expanded).collect() }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &EquationState) -> (Tensor, EquationState) {
        let (mut sent, next) = self.step_sending(sha, x, s);
        (sent.swap_remove(0), next)
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let program = Arc::clone(&self.prepared(sha.dt).program);
        let own: Vec<Tensor> = self.held.iter().map(Own::value).collect();
        let held = match own.is_empty() {
            // A GPU reads them where they are.
            false if processor == Processor::Cpu => Some(numbers_of(&Tensor::cat(&own, 0))?),
            _ => None,
        };
        let params: Vec<&Tensor> = own.iter().collect();
        Some(Fused::new(GraphKernel::new(self.n as usize, program).holding(held).into(), &params))
    }
}

#[cfg(test)]
mod tests;
