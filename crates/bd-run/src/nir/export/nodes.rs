//! The numbers of nodes.
//!
//! One step of bd, with `g = 1 - e^(-dt/tau)` of the membrane and `g_s` of the synapse:
//!
//! ```text
//! I = (1 - g_s) I + W x        u = (1 - g) u + g R I        a spike where u >= v_th
//! ```
//!
//! and of an importer that steps by Euler's rule with `dt'`:
//!
//! ```text
//! I' = (1 - dt'/tau_syn) I' + dt'/tau_syn w_in W' x        v = (1 - dt'/tau_mem) v + dt'/tau_mem r I'
//! ```
//!
//! They are the same with `tau_syn = dt'/g_s`, `w_in = 1/g_s`, `tau_mem = dt'/g`; the potential `v` may be `s u`. SpikingJelly and
//! snnTorch want `r = 1/g` of `CubaLIF`, so that `s = 1/(g R)`, and Norse `r = 1` of `LIF`, so that `s = 1/R`. snnTorch wants one threshold
//! `s v_th` for the layer; where neurons have several, `W' = W / (s v_th)` has a factor for each neuron, and the threshold is 1.

use bd_core::{Result, portable};
use bd_models::{Decay, SnnConfig};

use super::Flavour;
use super::layers::{Ends, Layer, Parameters, WITHIN, ends};
use crate::nir::FILE_STEP_S;
use crate::nir::graph::{Array, Graph, Node, Plain};

/// A synapse that keeps less than this of its current is none, in float64.
const NOTHING_KEPT: f64 = 1e-17;

/// Makes the nodes of a network.
pub(super) struct Nodes<'a> {
    pub(super) model: &'a SnnConfig,
    pub(super) dt_ms: f64,
    pub(super) flavour: Flavour,
    pub(super) parameters: &'a Parameters,
    /// Whether weights of neurons have got factors.
    pub(super) folded: bool,
}

/// What the neurons of a layer are, each of its own.
struct Neurons {
    tau_ms: Vec<f64>,
    /// `1 - e^(-dt/tau)`.
    gain: Vec<f64>,
    v_th: Vec<f64>,
    v_reset: Vec<f64>,
}

fn gain(dt_ms: f64, tau_ms: f64) -> f64 {
    Decay::new(dt_ms, tau_ms).gain
}

/// Time constants in seconds. One of a step is not shorter than that in float32, which SpikingJelly refuses.
fn time_constants(numbers: impl Iterator<Item = f64>) -> Array {
    let whole = |tau: f64| {
        if tau >= FILE_STEP_S && f64::from(tau as f32) < FILE_STEP_S { (tau as f32).next_up() } else { tau as f32 }
    };
    Array::of_units(&numbers.map(|tau| f64::from(whole(tau))).collect::<Vec<_>>())
}

/// Whether all are the same number in float32.
fn is_uniform(numbers: &[f64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] as f32 == pair[1] as f32)
}

impl Nodes<'_> {
    pub(super) fn graph(&mut self, layers: &[Layer]) -> Result<Graph> {
        let Ends { input, output } = ends(layers);
        let shape = |kind: &str, n: usize| Node::Plain(Plain::new(kind, [("shape", Array::shape_of(n))]));
        let mut graph = Graph::default();
        graph.nodes.insert(input.clone(), shape("Input", self.model.n_in as usize));
        let mut before = input;
        for layer in layers {
            let (neurons, factors) = match layer.is_readout {
                true => (self.readout(layer.n), None),
                false => self.neurons(layer)?,
            };
            self.folded |= factors.is_some();
            let synapses = self.weights(&layer.weight(), Some(&layer.bias()), factors.as_deref())?;
            let node = match layer.is_recurrent {
                false => Node::Plain(neurons),
                true => {
                    let within = self.weights(&layer.recurrent_weight(), None, factors.as_deref())?;
                    Node::Graph(recurrent(layer.n, neurons, within))
                }
            };
            graph.nodes.insert(layer.synapses_node.clone(), Node::Plain(synapses));
            graph.nodes.insert(layer.neurons_node.clone(), node);
            graph.edges.push((before, layer.synapses_node.clone()));
            graph.edges.push((layer.synapses_node.clone(), layer.neurons_node.clone()));
            before = layer.neurons_node.clone();
        }
        graph.nodes.insert(output.clone(), shape("Output", layers.last().map_or(0, |layer| layer.n)));
        graph.edges.push((before, output));
        Ok(graph)
    }

    /// Weights `[from, to]` as NIR has them, `[to, from]`.
    fn weights(&self, name: &str, bias: Option<&str>, factors: Option<&[f64]>) -> Result<Plain> {
        let scaled = |array: &Array| factors.map_or_else(|| array.clone(), |factors| array.scaled_columns(factors));
        let weight = scaled(self.parameters.need(name)?).transposed().unwrap_or_else(|| Array::of_units(&[]));
        Ok(match bias.and_then(|bias| self.parameters.get(bias)) {
            Some(bias) => Plain::new("Affine", [("weight", weight), ("bias", scaled(bias))]),
            None => Plain::new("Linear", [("weight", weight)]),
        })
    }

    /// `g_s` of the synapses; none where nothing is kept of a current.
    fn synapse(&self) -> Option<f64> {
        let Decay { keep, gain } = Decay::new(self.dt_ms, self.model.synapse.tau_ms);
        (keep > NOTHING_KEPT).then_some(gain)
    }

    fn numbers(&self, layer: &Layer) -> Neurons {
        let lif = &self.model.lif;
        let own = |name: &str| self.parameters.get(&format!("{}.{name}", layer.neurons)).map(Array::to_f64);
        let constant = |number: f64| vec![number; layer.n];
        let exp = |numbers: Vec<f64>| numbers.into_iter().map(portable::exp).collect::<Vec<_>>();
        let tau_ms = own("log_tau_ms").map_or_else(|| constant(lif.tau_ms), exp);
        let (gap, v_reset) = (own("log_gap").map(exp), own("v_reset"));
        let sum = |a: &[f64], b: &[f64], sign: f64| a.iter().zip(b).map(|(a, b)| a + sign * b).collect::<Vec<_>>();
        let (v_th, v_reset) = match (gap, v_reset) {
            (None, _) => (constant(lif.v_th), constant(lif.v_reset)),
            (Some(gap), Some(v_reset)) => (sum(&v_reset, &gap, 1.0), v_reset),
            (Some(gap), None) if lif.trained.threshold => {
                (sum(&constant(lif.v_reset), &gap, 1.0), constant(lif.v_reset))
            }
            (Some(gap), None) => (constant(lif.v_th), sum(&constant(lif.v_th), &gap, -1.0)),
        };
        let gain = tau_ms.iter().map(|tau_ms| gain(self.dt_ms, *tau_ms)).collect();
        Neurons { tau_ms, gain, v_th, v_reset }
    }

    /// The neurons of a layer, and factors of what arrives at each.
    fn neurons(&self, layer: &Layer) -> Result<(Plain, Option<Vec<f64>>)> {
        let neurons = self.numbers(layer);
        Ok(match self.flavour {
            Flavour::Exact => self.exact(layer, &neurons),
            Flavour::Physical => (self.physical(&neurons), None),
        })
    }

    fn exact(&self, layer: &Layer, neurons: &Neurons) -> (Plain, Option<Vec<f64>>) {
        let (n, resistance, synapse) = (layer.n, self.model.lif.resistance, self.synapse());
        // snnTorch reads r of a recurrent LIF otherwise than Norse, and one time constant of a layer of LIF only.
        let is_lif = synapse.is_none() && !layer.is_recurrent && is_uniform(&neurons.gain);
        // The threshold by what drives the potential.
        let drive = |gain: &f64| resistance * if is_lif { 1.0 } else { *gain };
        let mut v_th: Vec<f64> =
            neurons.v_th.iter().zip(&neurons.gain).map(|(v_th, gain)| v_th / drive(gain)).collect();
        let factors = (!is_uniform(&v_th)).then(|| v_th.iter().map(|v_th| 1.0 / v_th).collect());
        if factors.is_some() {
            v_th = vec![1.0; n];
        }
        let constant = |number: f64| Array::of_units(&vec![number; n]);
        let each =
            |of: &dyn Fn(f64) -> f64| Array::of_units(&neurons.gain.iter().map(|gain| of(*gain)).collect::<Vec<_>>());
        let common = [("v_leak", constant(0.0)), ("v_threshold", Array::of_units(&v_th)), ("v_reset", constant(0.0))];
        let tau = time_constants(neurons.gain.iter().map(|gain| FILE_STEP_S / gain));
        let node = match is_lif {
            true => Plain::new("LIF", [("tau", tau), ("r", constant(1.0))].into_iter().chain(common)),
            false => {
                let own = [("tau_mem", tau), ("r", each(&|gain| 1.0 / gain))];
                Plain::new("CubaLIF", own.into_iter().chain(self.arriving(synapse.unwrap_or(1.0), n)).chain(common))
            }
        };
        (node, factors)
    }

    fn physical(&self, neurons: &Neurons) -> Plain {
        let (lif, n) = (&self.model.lif, neurons.tau_ms.len());
        let tau = Array::of_units(&neurons.tau_ms.iter().map(|tau_ms| tau_ms / 1000.0).collect::<Vec<_>>());
        let constant = |number: f64| Array::of_units(&vec![number; n]);
        let common = [
            ("r", constant(lif.resistance)),
            ("v_leak", constant(lif.v_rest)),
            ("v_threshold", Array::of_units(&neurons.v_th)),
            ("v_reset", Array::of_units(&neurons.v_reset)),
        ];
        match self.synapse() {
            None => Plain::new("LIF", [("tau", tau)].into_iter().chain(common)),
            Some(gain) => {
                Plain::new("CubaLIF", [("tau_mem", tau)].into_iter().chain(self.arriving(gain, n)).chain(common))
            }
        }
    }

    /// Of synapses of which a step takes the part `gain`: their time constant, and the input that makes a current begin at its weight.
    fn arriving(&self, gain: f64, n: usize) -> [(&'static str, Array); 2] {
        let tau_syn = match self.flavour {
            Flavour::Exact => FILE_STEP_S / gain,
            Flavour::Physical => self.model.synapse.tau_ms / 1000.0,
        };
        [("tau_syn", time_constants(std::iter::repeat_n(tau_syn, n))), ("w_in", Array::of_units(&vec![1.0 / gain; n]))]
    }

    fn readout(&self, n: usize) -> Plain {
        let tau_ms = self.model.readout.tau_ms;
        let tau = match self.flavour {
            Flavour::Exact => FILE_STEP_S / gain(self.dt_ms, tau_ms),
            Flavour::Physical => tau_ms / 1000.0,
        };
        let constant = |number: f64| Array::of_units(&vec![number; n]);
        let common = [("r", constant(1.0)), ("v_leak", constant(0.0))];
        match self.synapse() {
            None => Plain::new("LI", [("tau", time_constants(std::iter::repeat_n(tau, n)))].into_iter().chain(common)),
            Some(gain) => Plain::new(
                "CubaLI",
                [("tau_mem", time_constants(std::iter::repeat_n(tau, n)))]
                    .into_iter()
                    .chain(self.arriving(gain, n))
                    .chain(common),
            ),
        }
    }
}

/// A layer with synapses within: exactly these four nodes, by which snnTorch knows it.
fn recurrent(n: usize, neurons: Plain, within: Plain) -> Graph {
    let [input, neuron, w_rec, output] = WITHIN.map(str::to_owned);
    let shape = |kind: &str| Node::Plain(Plain::new(kind, [("shape", Array::shape_of(n))]));
    let edges = [(&input, &neuron), (&neuron, &w_rec), (&w_rec, &neuron), (&neuron, &output)];
    let edges = edges.map(|(from, to)| (from.clone(), to.clone())).to_vec();
    let nodes = [
        (input, shape("Input")),
        (neuron, Node::Plain(neurons)),
        (w_rec, Node::Plain(within)),
        (output, shape("Output")),
    ];
    Graph { nodes: nodes.into(), edges, ..Graph::default() }
}
