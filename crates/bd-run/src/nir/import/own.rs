//! Graphs that bd has written, as they were.

use tch::{Kind, Tensor};

use super::{Configured, tensor_of};
use crate::Config;
use crate::config::Model;
use crate::nir::export::{Export, Flavour, Layer, WITHIN, graph_of, layers};
use crate::nir::graph::{Array, Graph, Meta, Node, Numbers};
use crate::nir::keys;

/// The configuration and the parameters of the run, if the graph is, node by node, the one that they make.
pub(super) fn own(graph: &Graph, flavour: Flavour) -> Option<Configured> {
    let Some(Meta::Text(config)) = graph.metadata.get(keys::CONFIG) else { return None };
    if graph.metadata.contains_key(keys::UNTIL) {
        return None;
    }
    let Ok(Config::Network(config)) = Config::of_json(serde_json::from_str(config).ok()?) else { return None };
    let Model::Spiking(model) = &config.model else { return None };
    let mut parameters: Vec<(String, Array)> = graph
        .metadata
        .iter()
        .filter_map(|(name, meta)| match meta {
            Meta::Numbers(array) => Some((name.strip_prefix(keys::PARAMETER)?.to_owned(), array.clone())),
            Meta::Text(_) => None,
        })
        .collect();
    let mut n_from = model.n_in as usize;
    for layer in layers(model, None) {
        for (name, shape, found) in in_nodes(graph, &layer, n_from, model.synapse.bias.is_some()) {
            let known = parameters.iter().find(|(known, _)| *known == name).map(|(_, array)| array.clone());
            let is_known = known.is_some();
            let array = known.or(found).filter(|array| array.shape == shape)?;
            if !is_known {
                parameters.push((name, array));
            }
        }
        n_from = layer.n;
    }
    let weights: Vec<(String, Tensor)> =
        parameters.iter().map(|(name, array)| (name.clone(), tensor_of(array, kind_of(array)))).collect();
    let again = graph_of(&config, &weights, &Export { flavour, ..Export::default() }).ok()?;
    (again.nodes == graph.nodes && again.edges == graph.edges).then_some((*config, weights))
}

/// Parameters of a layer that stand in nodes where they are not said beside them: name, shape and what is found.
fn in_nodes(graph: &Graph, layer: &Layer, n_from: usize, has_bias: bool) -> Vec<(String, Vec<usize>, Option<Array>)> {
    let field = |graph: &Graph, node: &str, field: &str| match graph.nodes.get(node) {
        Some(Node::Plain(plain)) => plain.fields.get(field).cloned(),
        _ => None,
    };
    let weight = field(graph, &layer.synapses_node, "weight").and_then(|weight| weight.transposed());
    let mut found = vec![(layer.weight(), vec![n_from, layer.n], weight)];
    if has_bias {
        found.push((layer.bias(), vec![layer.n], field(graph, &layer.synapses_node, "bias")));
    }
    if layer.is_recurrent {
        let within = match graph.nodes.get(&layer.neurons_node) {
            Some(Node::Graph(within)) => field(within, WITHIN[2], "weight").and_then(|weight| weight.transposed()),
            _ => None,
        };
        found.push((layer.recurrent_weight(), vec![layer.n; 2], within));
    }
    found
}

fn kind_of(array: &Array) -> Kind {
    match array.numbers {
        Numbers::F32(_) => Kind::Float,
        Numbers::F64(_) => Kind::Double,
        Numbers::I64(_) => Kind::Int64,
    }
}
