//! The layers of a network, and the names of their parameters and nodes.

use std::collections::BTreeMap;

use bd_core::{Error, Result};
use bd_models::SnnConfig;
use tch::Tensor;

use crate::nir::graph::Array;
use crate::nir::read::array_of;

/// A layer of neurons, or the readout, with the synapses before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::nir) struct Layer {
    /// Of the synapses, such as `i2r`.
    pub(in crate::nir) synapses: String,
    /// Such as `r`, or `o`.
    pub(in crate::nir) neurons: String,
    pub(in crate::nir) n: usize,
    pub(in crate::nir) is_readout: bool,
    pub(in crate::nir) is_recurrent: bool,
    /// The node of the weights.
    pub(in crate::nir) synapses_node: String,
    pub(in crate::nir) neurons_node: String,
}

/// The first and the last node.
pub(in crate::nir) struct Ends {
    pub(in crate::nir) input: String,
    pub(in crate::nir) output: String,
}

/// Nodes of the graph of a recurrent layer.
pub(in crate::nir) const WITHIN: [&str; 4] = ["n0_input", "n1_neuron", "n2_w_rec", "n3_output"];

/// The name of a node. Names in the order of the alphabet are in the order of execution, as nirtorch needs it.
fn node_name(number: usize, nodes: usize, what: &str) -> String {
    let width = (nodes - 1).to_string().len();
    format!("n{number:0width$}_{what}")
}

pub(in crate::nir) fn ends(layers: &[Layer]) -> Ends {
    let nodes = 2 * layers.len() + 2;
    Ends { input: node_name(0, nodes, "input"), output: node_name(nodes - 1, nodes, "output") }
}

/// The layers of a network in the order of execution, up to that of spiking neurons with the name `until` or to the readout.
pub(in crate::nir) fn layers(model: &SnnConfig, until: Option<&str>) -> Vec<Layer> {
    let names = model.neurons();
    let hidden = names.iter().zip(&model.hidden).map(|(name, n)| (name.clone(), *n, false));
    let mut all: Vec<_> = hidden.chain([("o".to_owned(), model.n_out, true)]).collect();
    if let Some(last) = until.and_then(|until| all.iter().position(|(name, ..)| name == until)) {
        all.truncate(last + 1);
    }
    let nodes = 2 * all.len() + 2;
    let mut before: Option<String> = None;
    let mut layers = Vec::new();
    for (at, (neurons, n, is_readout)) in all.into_iter().enumerate() {
        let synapses = match &before {
            _ if is_readout => "r2o".to_owned(),
            None => format!("i2{neurons}"),
            Some(before) => format!("{before}{neurons}"),
        };
        before = Some(neurons.clone());
        layers.push(Layer {
            synapses_node: node_name(2 * at + 1, nodes, &synapses),
            neurons_node: node_name(2 * at + 2, nodes, &neurons),
            synapses,
            n: n as usize,
            is_readout,
            is_recurrent: model.recurrent && !is_readout,
            neurons,
        });
    }
    layers
}

impl Layer {
    pub(in crate::nir) fn weight(&self) -> String {
        format!("{}.weight", self.synapses)
    }

    pub(in crate::nir) fn bias(&self) -> String {
        format!("{}.bias", self.synapses)
    }

    pub(in crate::nir) fn recurrent_weight(&self) -> String {
        format!("{}.recurrent_weight", self.neurons)
    }

    /// Parameters that stand in nodes as they are, transposed; with factors they do not, but for the readout's.
    pub(super) fn in_nodes(&self, folded: bool) -> Vec<String> {
        match folded && !self.is_readout {
            true => Vec::new(),
            false => vec![self.weight(), self.bias(), self.recurrent_weight()],
        }
    }
}

/// Trained parameters by their names.
#[derive(Debug)]
pub(in crate::nir) struct Parameters(BTreeMap<String, Array>);

impl Parameters {
    pub(in crate::nir) fn of(weights: &[(String, Tensor)]) -> Result<Self> {
        let array = |(name, tensor): &(String, Tensor)| {
            Ok((name.clone(), array_of(name, &tensor.to_device(tch::Device::Cpu)).map_err(Error::Config)?))
        };
        weights.iter().map(array).collect::<Result<_>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    pub(super) fn need(&self, name: &str) -> Result<&Array> {
        self.get(name).ok_or_else(|| Error::Config(format!("the run has no parameter called {name}")))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Array)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_order_of_the_alphabet_are_in_that_of_execution() {
        let model = SnnConfig { hidden: vec![3; 12], ..SnnConfig::default() };
        let layers = layers(&model, None);
        let names: Vec<_> = layers.iter().flat_map(|layer| [&layer.synapses_node, &layer.neurons_node]).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!((names[0], names[25]), (&"n01_i2r1".to_owned(), &"n26_o".to_owned()));
        assert_eq!(ends(&layers).input, "n00_input");
        assert_eq!(ends(&layers).output, "n27_output");
    }

    #[test]
    fn parameters_have_the_names_of_the_network() {
        for hidden in [vec![4], vec![4, 3, 2]] {
            let model = SnnConfig { recurrent: true, hidden, ..SnnConfig::default() };
            let mut params = bd_core::Params::new(0, (tch::Kind::Float, tch::Device::Cpu));
            model.build(&mut params).unwrap();
            let mut found: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
            let of_layer = |layer: Layer| {
                [Some(layer.weight()), layer.is_recurrent.then(|| layer.recurrent_weight())]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
            };
            let mut expected: Vec<String> = layers(&model, None).into_iter().flat_map(of_layer).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_file_may_end_before_the_readout() {
        let model = SnnConfig { hidden: vec![4, 3], ..SnnConfig::default() };
        let last = |until| layers(&model, until).last().unwrap().neurons.clone();
        assert_eq!([last(None), last(Some("r2")), last(Some("r1"))], ["o", "r2", "r1"]);
    }
}
