//! Networks of rates and of spiking neurons, alone or several of which the outputs are averaged.

use bd_kernel::models::OneStep;
use bd_kernel::models::encode::Encoder;
use bd_kernel::models::recurrent::RecurrentKernel;
use bd_kernel::{AnyKernel, Block, KernelChain, Numbers, Real, Typed, places};

use crate::layers::{self, Place};
use crate::part::{Layer, Part, Row, Scan, State};
use crate::settings::{Model, Network as Settings, Rate, Reads, Spiking};
use crate::weights::Weights;
use crate::{Error, Result};

/// The members of an ensemble; a network alone is the only one.
#[derive(Debug)]
pub(crate) struct Network<F: Real> {
    members: Vec<Row<F>>,
    sum: Block<F>,
}

/// The states of the members.
#[derive(Debug)]
pub(crate) struct NetworkState<F: Real>(Vec<Vec<State<F>>>);

impl<F: Real + Into<f64>> Network<F>
where
    dyn AnyKernel: Typed<F>,
{
    pub(crate) fn new(settings: &Settings, weights: &Weights) -> Result<Self> {
        let (dt, count) = (settings.dt, settings.ensemble);
        if !(dt > 0.0 && dt.is_finite()) || count == 0 {
            return Err(Error::Unsupported(format!("dt is {dt} and ensemble {count}; both are above 0")));
        }
        // What an encoder makes are spikes, and so are zeros and ones; anything else is read as it stands.
        let scan = Scan::Tile { listed: !matches!(settings.data.encode, Encoder::Current { .. }) };
        let member = |i: usize| {
            let prefix = if count == 1 { String::new() } else { format!("{}.", i + 1) };
            let parts = match &settings.model {
                Model::Rate(model) => rate::<F>(model, weights, &prefix, dt, scan),
                Model::Spiking(model) => spiking::<F>(model, weights, &prefix, dt, scan),
            };
            Ok(Row::new(parts?))
        };
        let members = (0..count).map(member).collect::<Result<_>>()?;
        Ok(Self { members, sum: Block::zeros(places::<F>(settings.model.n_out())) })
    }
}

impl Model {
    pub(crate) fn n_in(&self) -> usize {
        match self {
            Self::Rate(model) => model.n_in,
            Self::Spiking(model) => model.n_in,
        }
    }

    pub(crate) fn n_out(&self) -> usize {
        match self {
            Self::Rate(model) => model.n_out,
            Self::Spiking(model) => model.n_out,
        }
    }
}

fn part<F: Real>(layers: Vec<Layer>, scan: Scan) -> Result<Part<F>>
where
    dyn AnyKernel: Typed<F>,
{
    Part::kernel(layers, scan).ok_or_else(|| Error::Unsupported("a layer of the network makes no single steps".into()))
}

fn not_empty(hidden: &[usize]) -> Result<()> {
    match hidden.is_empty() || hidden.contains(&0) {
        true => Err(Error::Unsupported(format!("model.hidden is {hidden:?}; it must be one or more numbers from 1"))),
        false => Ok(()),
    }
}

/// `bd_models::RateNetConfig`.
fn rate<F: Real + Into<f64>>(model: &Rate, weights: &Weights, prefix: &str, dt: f64, scan: Scan) -> Result<Vec<Part<F>>>
where
    dyn AnyKernel: Typed<F>,
{
    not_empty(&model.hidden)?;
    let mut cells = Vec::new();
    let mut n_from = model.n_in;
    for (i, &n) in model.hidden.iter().enumerate() {
        let path = if model.hidden.len() == 1 { format!("{prefix}r") } else { format!("{prefix}r{}", i + 1) };
        cells.push(layers::cell::<F>(Place { weights, path: &path }, model.cell, [n_from, n], dt)?);
        n_from = n;
    }
    let path = format!("{prefix}o");
    let readout = |n_from: usize| layers::linear::<F>(Place { weights, path: &path }, [n_from, model.n_out]);
    if model.reads == Reads::StateAndMean {
        return Ok(vec![part(cells, scan)?, Part::Mean { n: n_from }, part(vec![readout(2 * n_from)?], scan)?]);
    }
    cells.push(readout(n_from)?);
    Ok(vec![part(cells, scan)?])
}

/// `bd_models::SnnConfig`.
fn spiking<F: Real + Into<f64>>(
    model: &Spiking,
    weights: &Weights,
    prefix: &str,
    dt: f64,
    scan: Scan,
) -> Result<Vec<Part<F>>>
where
    dyn AnyKernel: Typed<F>,
{
    not_empty(&model.hidden)?;
    let mut all = Vec::new();
    let (mut from, mut n_from) = ("i".to_owned(), model.n_in);
    let one = model.hidden.len() == 1;
    let name = |i: usize| if one { "r".to_owned() } else { format!("r{}", i + 1) };
    let targets = model.hidden.iter().enumerate().map(|(i, &n)| (name(i), n)).chain([("o".to_owned(), model.n_out)]);
    for (to, n_to) in targets {
        let synapse = match (from.as_str(), to.as_str()) {
            (_, "o") => format!("{prefix}r2o"),
            ("i", _) => format!("{prefix}i2{to}"),
            _ => format!("{prefix}{from}{to}"),
        };
        all.push(layers::linear::<F>(Place { weights, path: &synapse }, [n_from, n_to])?);
        if model.synapse.delayed && from != "i" {
            all.push(layers::units(n_to, &OneStep, dt)?);
        }
        let path = format!("{prefix}{to}");
        let place = Place { weights, path: &path };
        let decay = layers::units(n_to, &model.synapse.decay(), dt)?;
        let neurons = || layers::neurons::<F>(place, &model.neuron, &model.lif, n_to, dt);
        match to.as_str() {
            "o" => all.extend([decay, layers::units(n_to, &model.readout, dt)?]),
            _ if model.recurrent => all.push(recurrent::<F>(place, vec![decay, neurons()?], n_to)?),
            _ => all.extend([decay, neurons()?]),
        }
        (from, n_from) = (to, n_to);
    }
    Ok(vec![part(all, scan)?])
}

/// Layers whose outputs come back to their inputs.
fn recurrent<F: Real>(place: Place<'_>, layers: Vec<Layer>, n: usize) -> Result<Layer> {
    let weight = place.weights.of::<F>(&format!("{}.recurrent_weight", place.path), &[n, n])?;
    let mut initial: Vec<_> = layers.iter().flat_map(|layer| layer.initial.clone()).collect();
    initial.push(None);
    let inner = KernelChain::joined(layers.into_iter().map(|layer| layer.kernel));
    Ok(Layer { kernel: RecurrentKernel::new(inner, &Numbers::copy_of(&weight)).into(), initial })
}

impl<F: Real + Into<f64>> Network<F> {
    pub(crate) fn state(&self) -> NetworkState<F> {
        NetworkState(self.members.iter().map(Row::states).collect())
    }

    pub(crate) fn reset(&self, state: &mut NetworkState<F>) {
        self.members.iter().zip(&mut state.0).for_each(|(member, states)| member.reset(states));
    }

    /// The step of this number, counted from 0: outputs, and places behind them.
    pub(crate) fn step(&mut self, number: u64, state: &mut NetworkState<F>, x: &[F]) -> &[F] {
        let count = self.members.len();
        if count == 1 {
            return self.members[0].step(number, &mut state.0[0], x);
        }
        for (i, (member, states)) in self.members.iter_mut().zip(&mut state.0).enumerate() {
            let y = member.step(number, states, x);
            match i {
                0 => self.sum.copy_from_slice(y),
                _ => self.sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += *y),
            }
        }
        let count = F::of(count as f64);
        self.sum.iter_mut().for_each(|sum| *sum = *sum / count);
        &self.sum
    }
}
