//! What training has made of a network: [`Connections`] for people, [`Given`] for a simulation.

use bd_core::Result;
use bd_networks::Given;
use tch::{Device, Kind, Tensor};

use super::PopulationNetwork;
use super::member::Origin;

/// The synapses of a projection, in the order of its parameters: by source, and those of one source by target.
#[derive(Debug)]
pub struct Connections {
    /// `E>I.g`.
    pub name: String,
    /// Numbers of the neurons that send, `[synapses]`, int64.
    pub sources: Tensor,
    /// Numbers of those that receive.
    pub targets: Tensor,
    /// What a spike adds, in multiples of what 1 means at the target, with its sign.
    pub weights: Tensor,
    /// In ms, float64.
    pub delays_ms: Tensor,
}

impl PopulationNetwork {
    /// Who is connected with whom, of each projection.
    pub fn connections(&self) -> impl Iterator<Item = Connections> {
        self.wirings.iter().map(|wiring| {
            let [sources, targets] = wiring.ends().map(|numbers| Tensor::from_slice(&numbers));
            Connections {
                name: wiring.name.clone(),
                sources,
                targets,
                weights: wiring.weights().detach().to_device(Device::Cpu),
                delays_ms: wiring.steps().to_device(Device::Cpu) * self.dt_ms,
            }
        })
    }

    /// What its simulation is given in place of what the text says: weights, delays and numbers of neurons that were trained, and states that
    /// begin at random, as they are rounded here.
    pub fn given(&self) -> Result<Given> {
        let mut given = Given::default();
        for wiring in &self.wirings {
            if wiring.trained {
                given.weights.insert(wiring.name.clone(), numbers(&wiring.weights())?);
            }
            if let Some(delays) = wiring.whole_steps() {
                given.delays.insert(wiring.name.clone(), delays);
            }
        }
        for member in &self.populations {
            let Origin::Neurons(neurons) = &member.origin else { continue };
            for (name, value) in neurons.numbers() {
                given.neurons.insert(format!("{}.{name}", member.name), numbers(&value)?);
            }
        }
        Ok(given)
    }
}

/// On the host, in float64.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let host = tensor.detach().f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
    Ok(Vec::try_from(host)?)
}
