//! A chain of nodes as a spiking network of layers.

use bd_core::{Error, Result, portable};
use bd_models::{LeakyIntegratorConfig, LifConfig, LifTrained, SnnConfig, SynapseConfig};
use tch::{Kind, Tensor};

use super::chain::{Chain, Link, NamedPlain};
use super::neurons::{Neurons, Rule, Spiking, near, neurons};
use super::{Configured, tensor_of};
use crate::config::{Dtype, Layers, Model, NetworkConfig};
use crate::nir::export::layers;
use crate::nir::graph::{Array, Numbers};

fn refused<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Config(reason.into()))
}

/// Weights `[from, to]`, and the neurons that they lead to.
struct Layer {
    name: String,
    weight: Array,
    bias: Option<Vec<f64>>,
    within: Option<Array>,
    neurons: Neurons,
}

impl Layer {
    fn n(&self) -> usize {
        self.weight.shape[1]
    }
}

/// The configuration of a run, its parameters, and what is to be known of it.
///
/// Fails with [`Error::Config`], without the name of the file.
pub(super) fn network(chain: &Chain, rule: Rule) -> Result<(Configured, Vec<String>)> {
    let mut of_nodes: Vec<Layer> = Vec::new();
    for link in &chain.links {
        let n_from = of_nodes.last().map(Layer::n);
        of_nodes.push(layer(link, n_from, rule).map_err(Error::Config)?);
    }
    let mut notes = Vec::new();
    if of_nodes.last().is_some_and(|layer| layer.neurons.spikes.is_some()) {
        let (name, n) = of_nodes.last().map(|layer| (layer.name.clone(), layer.n())).unwrap_or_default();
        let synapse = of_nodes.last().and_then(|layer| layer.neurons.synapse.clone());
        notes.push(match &synapse {
            None => format!("the file ends with the spikes of '{name}', which are the output"),
            Some(synapse) => format!(
                "the file ends with the spikes of '{name}'; the output is their trace of {} ms, and --record gives the spikes",
                bd_core::text::short(synapse.tau_ms)
            ),
        });
        of_nodes.push(spikes_as_output(n, synapse.is_some(), &of_nodes, rule));
    }
    let model = model(&of_nodes, rule)?;
    let config = config(model, &of_nodes, rule)?;
    let weights = parameters(&config, &of_nodes)?;
    Ok(((config, weights), notes))
}

fn layer(link: &Link, n_from: Option<usize>, rule: Rule) -> std::result::Result<Layer, String> {
    let (name, _) = &link.weights;
    let weight = weight(&link.weights)?;
    let [from, n] = weight.shape[..] else { return Err(format!("node '{name}': its weight has no two dimensions")) };
    if let Some(n_from) = n_from.filter(|n_from| *n_from != from) {
        return Err(format!(
            "node '{name}': its weight is [{n}, {from}], and the layer before it has {n_from} neurons"
        ));
    }
    if weight.to_f64().iter().any(|weight| !weight.is_finite()) {
        return Err(format!("node '{name}': its weight holds a number that is not finite"));
    }
    let mut bias = bias(&link.weights, n)?;
    let within = match &link.within {
        None => None,
        Some(node) => {
            let weight = self::weight(node)?;
            if weight.shape != [n, n] || weight.to_f64().iter().any(|weight| !weight.is_finite()) {
                return Err(format!("node '{}': its weight is to be [{n}, {n}], of finite numbers", node.0));
            }
            // What comes at each step comes from without as well as from within.
            if let Some(more) = self::bias(node, n)? {
                let own = bias.unwrap_or_else(|| vec![0.0; n]);
                bias = Some(own.iter().zip(more).map(|(a, b)| a + b).collect());
            }
            Some(weight)
        }
    };
    let (name, neurons) = match &link.neurons {
        Some((name, node)) => (name.clone(), neurons(name, node, n, rule)?),
        // Sums alone are neurons that take what they get.
        None => (name.clone(), at_once(n, rule)),
    };
    Ok(Layer { name, weight, bias, within, neurons })
}

fn at_once(n: usize, rule: Rule) -> Neurons {
    Neurons {
        tau_ms: vec![rule.forgetting_ms(); n],
        resistance: vec![1.0; n],
        v_leak: vec![0.0; n],
        synapse: None,
        spikes: None,
    }
}

/// Weights `[to, from]` of a node as `[from, to]`.
fn weight((name, node): &NamedPlain) -> std::result::Result<Array, String> {
    let weight =
        node.fields.get("weight").ok_or_else(|| format!("node '{name}' of type {} has no weight", node.kind))?;
    match weight.transposed() {
        Some(weight) if weight.count() > 0 => Ok(weight),
        _ => Err(format!("node '{name}': its weight is {:?}; it is [to, from], both at least 1", weight.shape)),
    }
}

/// The bias of a node, if it is not 0.
fn bias((name, node): &NamedPlain, n: usize) -> std::result::Result<Option<Vec<f64>>, String> {
    let Some(bias) = node.fields.get("bias").filter(|_| node.kind == "Affine") else { return Ok(None) };
    let bias = bias.to_f64();
    if bias.len() != n || bias.iter().any(|bias| !bias.is_finite()) {
        return Err(format!("node '{name}': its bias is to be {n} finite numbers, one of each neuron"));
    }
    Ok(Some(bias).filter(|bias| bias.iter().any(|bias| *bias != 0.0)))
}

/// A readout that gives the spikes of `n` neurons, or their traces.
fn spikes_as_output(n: usize, has_synapse: bool, before: &[Layer], rule: Rule) -> Layer {
    let is_f64 = before.iter().any(|layer| matches!(layer.weight.numbers, Numbers::F64(_)));
    let ones = (0..n * n).map(|at| f64::from(u8::from(at % (n + 1) == 0)));
    let numbers = match is_f64 {
        true => Numbers::F64(ones.collect()),
        false => Numbers::F32(ones.map(|one| one as f32).collect()),
    };
    let mut neurons = at_once(n, rule);
    if has_synapse {
        neurons.synapse = before.last().and_then(|layer| layer.neurons.synapse.clone());
        neurons.synapse.iter_mut().for_each(|synapse| synapse.arriving = vec![1.0; n]);
    }
    Layer { name: "output".into(), weight: Array { shape: vec![n, n], numbers }, bias: None, within: None, neurons }
}

/// What all neurons of all layers share, if they do.
fn shared<'a>(layers: impl Iterator<Item = &'a [f64]>) -> Option<f64> {
    let mut all = layers.flatten();
    let first = *all.next()?;
    all.all(|number| *number == first).then_some(first)
}

fn model(of_nodes: &[Layer], rule: Rule) -> Result<SnnConfig> {
    let Some((readout, hidden)) = of_nodes.split_last() else { return refused("it has no layer") };
    if hidden.is_empty() {
        return refused(format!(
            "node '{}' is its only layer; a network of bd has neurons that spike before the readout",
            readout.name
        ));
    }
    if let Some(layer) = hidden.iter().find(|layer| layer.neurons.spikes.is_none()) {
        return refused(format!(
            "the neurons '{}' do not spike, and are not the last; those of the inner layers of bd are LIF, IF or CubaLIF",
            layer.name
        ));
    }
    if readout.within.is_some() {
        return refused(format!("the readout '{}' has weights to itself, which that of bd has not", readout.name));
    }
    let synapse_tau_ms = synapses(of_nodes, rule)?;
    let spiking: Vec<&Spiking> = hidden.iter().filter_map(|layer| layer.neurons.spikes.as_ref()).collect();
    let of = |numbers: fn(&Neurons) -> &[f64]| shared(hidden.iter().map(|layer| numbers(&layer.neurons)));
    let Some(v_rest) = of(|neurons| &neurons.v_leak) else {
        return refused(
            "v_leak differs between neurons; those of a network of bd have one resting potential (model.lif.v_rest)",
        );
    };
    if readout.neurons.v_leak.iter().any(|v_leak| *v_leak != 0.0) {
        return refused(format!("the readout '{}' has a v_leak other than 0, which that of bd has not", readout.name));
    }
    let tau_ms = of(|neurons| &neurons.tau_ms);
    let v_th = shared(spiking.iter().map(|spiking| &spiking.v_th[..]));
    let v_reset = shared(spiking.iter().map(|spiking| &spiking.v_reset[..]));
    let first = spiking[0];
    let lif = LifConfig {
        tau_ms: tau_ms.unwrap_or(hidden[0].neurons.tau_ms[0]),
        v_rest,
        v_th: v_th.unwrap_or(first.v_th[0]),
        v_reset: v_reset.unwrap_or(first.v_reset[0]),
        resistance: of(|neurons| &neurons.resistance).filter(|resistance| *resistance > 0.0).unwrap_or(1.0),
        trained: LifTrained {
            tau: tau_ms.is_none(),
            threshold: v_th.is_none() || v_reset.is_none(),
            reset: v_reset.is_none(),
        },
        ..LifConfig::default()
    };
    for (layer, spiking) in hidden.iter().zip(&spiking) {
        if let Some((v_th, v_reset)) = spiking.v_th.iter().zip(&spiking.v_reset).find(|(v_th, v_reset)| v_th <= v_reset)
        {
            return refused(format!(
                "node '{}': v_threshold is {v_th}, and must be above v_reset, {v_reset}",
                layer.name
            ));
        }
    }
    let readout_tau_ms = readout.neurons.tau_ms[0];
    if let Some(other) = readout.neurons.tau_ms.iter().find(|tau_ms| !near(**tau_ms, readout_tau_ms)) {
        return refused(format!(
            "the readout '{}' has several time constants ({readout_tau_ms} ms, {other} ms), and that of bd has one",
            readout.name
        ));
    }
    let has_bias = of_nodes.iter().any(|layer| layer.bias.is_some());
    Ok(SnnConfig {
        n_in: of_nodes[0].weight.shape[0] as i64,
        hidden: hidden.iter().map(|layer| layer.n() as i64).collect(),
        n_out: readout.n() as i64,
        synapse: SynapseConfig {
            tau_ms: synapse_tau_ms,
            delayed: false,
            bias: has_bias.then_some(0.0),
            ..SynapseConfig::default()
        },
        lif,
        readout: LeakyIntegratorConfig { tau_ms: readout_tau_ms },
        recurrent: hidden.iter().any(|layer| layer.within.is_some()),
        ..SnnConfig::default()
    })
}

/// The time constant of all synapses.
fn synapses(of_nodes: &[Layer], rule: Rule) -> Result<f64> {
    let tau_ms = |layer: &Layer| layer.neurons.synapse.as_ref().map_or(rule.forgetting_ms(), |synapse| synapse.tau_ms);
    let first = tau_ms(&of_nodes[0]);
    match of_nodes.iter().find(|layer| !near(tau_ms(layer), first)) {
        None => Ok(first),
        Some(other) => {
            let words = |layer: &Layer| match &layer.neurons.synapse {
                Some(synapse) => format!("'{}' has synapses with {} ms", layer.name, synapse.tau_ms),
                None => format!("'{}' has none that keep a current", layer.name),
            };
            refused(format!(
                "all synapses of a network of bd have one time constant, those before the readout too; here {} and {}",
                words(&of_nodes[0]),
                words(other)
            ))
        }
    }
}

/// That of the tutorial's random spikes, for that is what a network without data can have.
fn config(model: SnnConfig, of_nodes: &[Layer], rule: Rule) -> Result<NetworkConfig> {
    let (mut config, _) = NetworkConfig::resolve("snn", &Layers::default())?;
    let is_f64 = of_nodes.iter().any(|layer| matches!(layer.weight.numbers, Numbers::F64(_)));
    config.dtype = if is_f64 { Dtype::F64 } else { Dtype::F32 };
    config.dt = rule.dt_ms();
    // At most a spike a step.
    config.data.rate_hz = config.data.rate_hz.map(|rate_hz| rate_hz.min(1000.0 / config.dt));
    config.model = Model::Spiking(model);
    let whole = serde_json::to_value(&config).unwrap_or_default();
    match crate::Config::of_json(whole)? {
        crate::Config::Network(config) => Ok(*config),
        _ => unreachable!("its job is snn"),
    }
}

fn parameters(config: &NetworkConfig, of_nodes: &[Layer]) -> Result<Vec<(String, Tensor)>> {
    let Model::Spiking(model) = &config.model else { unreachable!("it was made above") };
    let kind = config.dtype.kind();
    let mut all = Vec::new();
    for (names, layer) in layers(model, None).into_iter().zip(of_nodes) {
        let factors = factors(layer, if names.is_readout { 1.0 } else { model.lif.resistance });
        let scaled = |array: &Array| tensor_of(&array.scaled_columns(&factors), kind);
        let units = |numbers: &[f64]| Tensor::from_slice(numbers).to_kind(kind);
        all.push((names.weight(), scaled(&layer.weight)));
        if model.synapse.bias.is_some() {
            let bias = layer.bias.clone().unwrap_or_else(|| vec![0.0; layer.n()]);
            let bias: Vec<f64> = bias.iter().zip(&factors).map(|(bias, factor)| bias * factor).collect();
            all.push((names.bias(), units(&bias)));
        }
        if names.is_recurrent {
            let n = layer.n() as i64;
            let none = || Tensor::zeros([n, n], (kind, tch::Device::Cpu));
            all.push((names.recurrent_weight(), layer.within.as_ref().map_or_else(none, scaled)));
        }
        if let Some(spiking) = &layer.neurons.spikes {
            all.extend(trained(&names.neurons, &model.lif, &layer.neurons, spiking, kind));
        }
    }
    Ok(all)
}

/// By what the weights to each neuron are multiplied, where the network has `resistance`.
fn factors(layer: &Layer, resistance: f64) -> Vec<f64> {
    let neurons = &layer.neurons;
    let arriving = |at: usize| neurons.synapse.as_ref().map_or(1.0, |synapse| synapse.arriving[at]);
    let factor = |at: usize| {
        let factor = arriving(at) * (neurons.resistance[at] / resistance);
        // 1 but for float32's rounding of time constants.
        if near(factor, 1.0) { 1.0 } else { factor }
    };
    (0..layer.n()).map(factor).collect()
}

/// Parameters of neurons of which each has numbers of its own.
fn trained(name: &str, lif: &LifConfig, neurons: &Neurons, spiking: &Spiking, kind: Kind) -> Vec<(String, Tensor)> {
    let units = |numbers: Vec<f64>| Tensor::from_slice(&numbers).to_kind(kind);
    let mut all = Vec::new();
    if lif.trained.tau {
        let log = neurons.tau_ms.iter().map(|tau_ms| portable::ln(*tau_ms)).collect();
        all.push((format!("{name}.log_tau_ms"), units(log)));
    }
    if lif.trained.reset {
        all.push((format!("{name}.v_reset"), units(spiking.v_reset.clone())));
    }
    if lif.trained.threshold {
        let log =
            spiking.v_th.iter().zip(&spiking.v_reset).map(|(v_th, v_reset)| portable::ln(v_th - v_reset)).collect();
        all.push((format!("{name}.log_gap"), units(log)));
    }
    all
}
