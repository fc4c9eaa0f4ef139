//! [`PopulationNetwork`]: a [network](bd_networks::Network) of populations and projections, whose weights and constants are trained.
//!
//! ```text
//! x_t[j] = drive[j] + noise_t[j] + sum_p sum_i w_p[i, j] s_(t - d_p[i, j] - 1)[i]   what arrives at a target, over all projections p to it
//! s_t, state = neuron(x_t, state)                                     what it sends, by the equations of the population
//! ```
//!
//! A projection carries spikes, spikes times a state of the neuron that sends (`times`), a state at every step (`carries`), or the output of neurons that do
//! not spike. Of a spike times a state the derivative by the spike is what it leaves there, or would have left. Of what is carried, and of what that follows
//! from, resets are in the gradient, even where those of the neuron are detached: else nothing would be learned of when it spikes.
//!
//! Noise, that of backgrounds and of populations of kind `poisson`, is a function of the key, the step and the number of the sample ([`Shared`]).
//!
//! A spike of step `k` that travels for `d` steps arrives in step `k + d + 1`, from the population of kind `input`, too; through a projection that is
//! `instant` it arrives in step `k`. So it is in a
//! [simulation](bd_networks::Simulation), and a network of the same seed has the same synapses and initial values as there.
//!
//! | parameter | shape | |
//! |---|---|---|
//! | `E>I.g.weight` | `[synapses]` | of each projection, in the order of its [edges](bd_networks::Edges); fixed unless it is `trained` |
//! | `E>I.g.delay` | `[synapses]` | of delays that are learned: the delay over `rate` times the longest |
//! | `E>I.g.spread` | `[1]` | fixed, and set after each update: by how many steps a spike is spread out where delays are learned |
//! | `E.log_tau`, ... | `[n]` | what each neuron has of its own, as of [`EquationNeurons`](crate::EquationNeurons) |
//! | `E.initial_v`, ... | `[n]` | fixed: what begins at random |
//!
//! Where a projection `keeps_sign`, signs are [kept](bd_core::weight): those of the initial values, so that no optimiser changes them. Of synapses that are not there, there is no number.

mod config;
mod connections;
mod delays;
mod gpu;
mod member;
mod state;
mod wiring;

use std::sync::Arc;

use bd_core::kernel::{Fused, Processor};
use bd_core::{Error, ParamPath, Result, Shared, System};
use bd_equations::nearest;
use bd_kernel::models::network::NetworkKernel;
use bd_networks::{Connect, EdgeList, Network, Population, Source};
use tch::{Device, Kind, Tensor};

pub use config::{PopulationNetworkConfig, WrittenNetwork};
pub use connections::Connections;
pub use delays::lags_of_learned;
use gpu::NetworkOnGpu;
use member::{Member, Origin};
pub use state::{NetworkState, PopulationState};
use wiring::Wiring;

/// A network whose input is that of its one population of kind `input`, `[.., n]`, and whose outputs are those of one population of neurons.
/// `Shared.dt` is in ms, and is the step of the network.
///
/// States are those of the neurons, as `E.v`, and `E.sent`, `[batch, D k n]`: what the population has sent in the last `D` steps, the last one
/// last, where `D` is one more than its longest delay, and three more than the longest that one may become that is learned. Each step has the
/// outputs of all neurons, and then, where projections carry such, `k - 1` more: outputs times states, then states, by the number of the state.
#[derive(Debug)]
pub struct PopulationNetwork {
    dt_ms: f64,
    on: (Kind, Device),
    populations: Vec<Member>,
    wirings: Vec<Wiring>,
    input: usize,
    output: usize,
}

/// How a file of synapses is read, by its name in the network's text.
pub type EdgeFiles<'a> = dyn Fn(&str) -> std::result::Result<EdgeList, String> + 'a;

fn refused(error: &bd_equations::Error) -> Error {
    Error::Config(format!("network: {error}"))
}

impl PopulationNetwork {
    /// The network, whose parameters are made at `path`. Synapses and initial values are those of a simulation from `seed`. `output` is the
    /// population whose spikes are the outputs.
    ///
    /// It has one population of kind `input`.
    pub fn new(
        path: &mut ParamPath<'_>,
        network: &Network,
        output: &str,
        seed: u64,
        files: &EdgeFiles<'_>,
    ) -> Result<Self> {
        let checked = || Ok((Self::input_of(network)?, Self::output_of(network, output)?, Self::check(network)?));
        let (input, output, ()) = checked().map_err(|error| refused(&error))?;
        let mut wirings = Vec::new();
        for projection in &network.projections {
            wirings.push(Wiring::new(path, projection, network.dt_ms, seed, files)?);
        }
        let memory = |p: usize| wirings.iter().filter(|wiring| wiring.from == p).map(Wiring::memory).max().unwrap_or(0);
        let levels = network.levels().map_err(|error| refused(&error))?;
        let members =
            levels.into_iter().enumerate().map(|(p, level)| Member::new(path, network, (p, level), memory(p), seed));
        let populations = members.collect::<Result<_>>()?;
        Ok(Self { dt_ms: network.dt_ms, on: path.on(), populations, wirings, input, output })
    }

    /// Refuses what cannot be trained.
    fn check(network: &Network) -> bd_equations::Result<()> {
        // Of files it is seen once they are read.
        let drawn = network.projections.iter().filter(|of| !matches!(of.connect, Connect::FromFile { .. }));
        for projection in drawn {
            let (name, synapses) = (&projection.name, projection.expected());
            if synapses == 0.0 {
                return Err(projection.error("connect", wiring::without_synapses(name)));
            }
            if let Some(learned) = &projection.learned_delay {
                delays::check_lags(name, learned, synapses, network.dt_ms)
                    .map_err(|message| projection.error("delay", message))?;
            }
        }
        Ok(())
    }

    /// The population that is the input of a network.
    fn input_of(network: &Network) -> bd_equations::Result<usize> {
        let is_input = |p: &usize| matches!(network.populations[*p].source, Source::Input { .. });
        let inputs: Vec<usize> = (0..network.populations.len()).filter(is_input).collect();
        let message = format!(
            "there are {} populations of kind 'input'; a network that is trained has one, with a neuron for each channel of the data",
            inputs.len()
        );
        match inputs[..] {
            [input] => Ok(input),
            [] => Err(bd_equations::Error::of("population", message)),
            [_, second, ..] => {
                let part = format!("population.{}.kind", network.populations[second].name);
                Err(bd_equations::Error::of(part, message))
            }
        }
    }

    fn output_of(network: &Network, output: &str) -> bd_equations::Result<usize> {
        let neurons = network.populations.iter().filter(|population| matches!(population.source, Source::Neurons(_)));
        let known: Vec<&str> = neurons.map(|population| &population.name[..]).collect();
        match network.population(output).filter(|_| known.contains(&output)) {
            Some(at) => Ok(at),
            None => {
                let near = nearest(output, known.into_iter());
                let message = format!("there is no population '{output}' of neurons.{near}");
                Err(bd_equations::Error::of("population", message))
            }
        }
    }

    /// Names of the populations of neurons that spike.
    pub fn spiking(network: &Network) -> impl Iterator<Item = &str> {
        let spikes = |population: &&Population| match &population.source {
            Source::Neurons(neurons) => neurons.model.spikes(),
            _ => false,
        };
        network.populations.iter().filter(spikes).map(|population| &population.name[..])
    }

    /// Effective weights of all projections by name, `[synapses]`.
    pub fn weights(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.wirings.iter().map(|wiring| (&wiring.name[..], wiring.weights()))
    }

    /// Delays that are learned, of all projections that learn some, by name, `[synapses]`, in ms, float64.
    pub fn learned_delays_ms(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.wirings.iter().filter_map(|wiring| Some((&wiring.name[..], wiring.learned_steps()? * self.dt_ms)))
    }

    /// What arrives at each population, by target, `[batch, n]` each, but for what is sent in the same step.
    fn arrivals(&self, sha: &Shared, s: &NetworkState) -> Vec<Vec<Tensor>> {
        let members = self.populations.iter();
        let mut arrivals: Vec<_> = members.map(|member| member.arrivals(sha, s.batch(), self.on)).collect();
        for wiring in self.wirings.iter().filter(|wiring| !wiring.instant) {
            let member = &self.populations[wiring.from];
            let Some(sent) = &s.populations[wiring.from].sent else { continue };
            let (to, output) = (&mut arrivals[wiring.to][wiring.target], member.output(wiring.sent) as i64);
            for (delay, weights) in wiring.matrices(sha.phase) {
                let begin = (member.memory - delay - 1) * member.sends() + output * member.n;
                *to = &*to + sent.narrow(1, begin, member.n).matmul(&weights);
            }
        }
        arrivals
    }

    /// Adds what a population has sent in this step, `outputs`, where it arrives in the same.
    fn add_instant(&self, sha: &Shared, population: usize, outputs: &[Tensor], arrivals: &mut [Vec<Tensor>]) {
        for wiring in self.wirings.iter().filter(|wiring| wiring.instant && wiring.from == population) {
            let to = &mut arrivals[wiring.to][wiring.target];
            let sent = &outputs[self.populations[population].output(wiring.sent)];
            for (_, weights) in wiring.matrices(sha.phase) {
                *to = &*to + sent.matmul(&weights);
            }
        }
    }

    /// The populations in an order in which all that arrives in a step is there: first what is no neurons, then by their levels.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.populations.len()).collect();
        let is_neurons = |p: usize| matches!(self.populations[p].origin, Origin::Neurons(_));
        order.sort_by_key(|p| (is_neurons(*p), self.populations[*p].level));
        order
    }

    fn on_gpu(&self, sha: &Shared) -> Option<Fused> {
        let (mut populations, mut params, mut projections) = (Vec::new(), Vec::new(), Vec::new());
        for member in &self.populations {
            let (population, own) = member.on_gpu(sha)?;
            populations.push(population);
            params.extend(own);
        }
        for wiring in &self.wirings {
            let output = self.populations[wiring.from].output(wiring.sent) as i64;
            let (projection, weights) = wiring.projection_on_gpu(sha.phase, output);
            projections.push(projection);
            params.push(weights);
        }
        let kernel = NetworkOnGpu::new(populations, projections, [self.input, self.output]);
        Some(Fused::for_gpu(kernel, &params.iter().collect::<Vec<_>>()))
    }

    /// # Panics
    ///
    /// If steps have another length than those of the network, in which its delays are counted.
    fn check_step(&self, dt_ms: f64) {
        assert!(dt_ms == self.dt_ms, "a network with steps of {} ms was given steps of {dt_ms} ms", self.dt_ms);
    }
}

impl System for PopulationNetwork {
    type State = NetworkState;

    fn n_in(&self) -> i64 {
        self.populations[self.input].n
    }

    fn n_out(&self) -> i64 {
        self.populations[self.output].n
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some(self.on)
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> NetworkState {
        let of_member = |member: &Member| PopulationState {
            name: Arc::clone(&member.name),
            neurons: match &member.origin {
                Origin::Neurons(neurons) => Some(neurons.init_state(batch, on)),
                Origin::Input | Origin::Random(_) => None,
            },
            sent: (member.memory > 0).then(|| Tensor::zeros([batch, member.memory * member.sends()], on)),
        };
        NetworkState { populations: self.populations.iter().map(of_member).collect() }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &NetworkState) -> (Tensor, NetworkState) {
        self.check_step(sha.dt);
        let mut arrivals = self.arrivals(sha, s);
        let (mut output, mut populations) = (None, Vec::new());
        for p in self.order() {
            let (mut outputs, next) = self.populations[p].step(sha, (x, &arrivals[p]), &s.populations[p]);
            self.add_instant(sha, p, &outputs, &mut arrivals);
            populations.push((p, next));
            if p == self.output {
                output = Some(outputs.swap_remove(0));
            }
        }
        populations.sort_unstable_by_key(|(p, _)| *p);
        let populations = populations.into_iter().map(|(_, population)| population).collect();
        (output.expect("one population is the output"), NetworkState { populations })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        self.check_step(sha.dt);
        if processor == Processor::Gpu {
            return self.on_gpu(sha);
        }
        let (mut units, mut params) = (Vec::new(), Vec::new());
        for member in &self.populations {
            let (population, own) = member.units(sha)?;
            units.push(population);
            params.extend(own);
        }
        let mut projections = Vec::new();
        for wiring in &self.wirings {
            let output = self.populations[wiring.from].output(wiring.sent);
            let (projection, weights) = wiring.projection(sha.phase, output)?;
            params.extend(projection.trained.then_some(weights));
            projections.push(projection);
        }
        let params: Vec<&Tensor> = params.iter().collect();
        Some(Fused::new(NetworkKernel::new(units, projections, self.output).into(), &params))
    }

    fn after_update(&self, updates: u64) {
        self.wirings.iter().for_each(|wiring| wiring.after_update(updates));
    }
}

#[cfg(test)]
mod tests;
