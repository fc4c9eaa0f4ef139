//! [`Chain`]: the nodes of a graph in the order of execution.

use std::collections::BTreeSet;

use crate::nir::graph::{Graph, Named, Node, Plain};

type Found<T> = Result<T, String>;

/// Types of neurons that bd has.
const NEURONS: [&str; 5] = ["CubaLI", "CubaLIF", "IF", "LI", "LIF"];
/// Weights, all to all.
const WEIGHTS: [&str; 2] = ["Affine", "Linear"];
/// What passes on what it gets.
const PASSES: [&str; 3] = ["Flatten", "Input", "Output"];
/// More connections are a mistake in a file.
const MOST_EDGES: usize = 1 << 12;

/// Weights, and the neurons behind them with weights within.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    pub(super) weights: NamedPlain,
    /// None: the weights are the output.
    pub(super) neurons: Option<NamedPlain>,
    pub(super) within: Option<NamedPlain>,
}

/// A node with its name.
pub(super) type NamedPlain = (String, Plain);

/// A graph that is a chain of layers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
}

impl Chain {
    /// The layers of a graph; why it is no chain of layers, in a sentence.
    pub(super) fn of(graph: Graph) -> Found<Self> {
        let mut flat = Flat { nodes: Named::new(), edges: BTreeSet::new() };
        flat.add("", graph)?;
        flat.check_kinds()?;
        flat.leave_out_passages()?;
        flat.chain()
    }
}

/// A graph without graphs in it.
struct Flat {
    nodes: Named<Plain>,
    edges: BTreeSet<(String, String)>,
}

impl Flat {
    /// Adds the nodes of a graph, those of graphs within under `graph/node`.
    fn add(&mut self, path: &str, graph: Graph) -> Found<()> {
        let mut inner: Named<[String; 2]> = Named::new();
        for (name, node) in graph.nodes {
            let full = format!("{path}{name}");
            match node {
                Node::Plain(plain) => drop(self.nodes.insert(full, plain)),
                Node::Graph(within) => {
                    let end = |kind: &str| -> Found<String> {
                        let mut ends = within.nodes.iter().filter(|(_, node)| node.kind() == kind);
                        match (ends.next(), ends.next()) {
                            (Some((end, _)), None) => Ok(format!("{full}/{end}")),
                            _ => Err(format!("{full}: a graph within another has one node of type {kind}")),
                        }
                    };
                    inner.insert(name, [end("Input")?, end("Output")?]);
                    self.add(&format!("{full}/"), within)?;
                }
            }
        }
        for (from, to) in graph.edges {
            let from = inner.get(&from).map_or_else(|| format!("{path}{from}"), |[_, output]| output.clone());
            let to = inner.get(&to).map_or_else(|| format!("{path}{to}"), |[input, _]| input.clone());
            self.connect(from, to)?;
        }
        Ok(())
    }

    fn connect(&mut self, from: String, to: String) -> Found<()> {
        self.edges.insert((from, to));
        match self.edges.len() > MOST_EDGES {
            true => Err(format!("it has more than {MOST_EDGES} connections between nodes")),
            false => Ok(()),
        }
    }

    fn check_kinds(&self) -> Found<()> {
        let known = |kind: &str| [&NEURONS[..], &WEIGHTS, &PASSES].concat().contains(&kind);
        match self.nodes.iter().find(|(_, node)| !known(&node.kind)) {
            Some((name, node)) => Err(format!(
                "node '{name}' is of type {}, which bd has nothing for; it has Affine, CubaLI, CubaLIF, Flatten, IF, Input, LI, LIF, Linear, \
                 NIRGraph and Output",
                node.kind
            )),
            None => Ok(()),
        }
    }

    fn after(&self, name: &str) -> Vec<String> {
        self.edges.iter().filter(|(from, _)| from == name).map(|(_, to)| to.clone()).collect()
    }

    fn before(&self, name: &str) -> Vec<String> {
        self.edges.iter().filter(|(_, to)| to == name).map(|(from, _)| from.clone()).collect()
    }

    fn is(&self, name: &str, kinds: &[&str]) -> bool {
        self.nodes.get(name).is_some_and(|node| kinds.contains(&&node.kind[..]))
    }

    /// Connects what is before a node that passes on what it gets with what is behind it: all but the input and the output.
    fn leave_out_passages(&mut self) -> Found<()> {
        let is_end = |name: &str, node: &Plain| node.kind != "Flatten" && !name.contains('/');
        let passages = self.nodes.iter().filter(|(name, node)| PASSES.contains(&&node.kind[..]) && !is_end(name, node));
        let passages: Vec<String> = passages.map(|(name, _)| name.clone()).collect();
        for name in passages {
            let (before, after) = (self.before(&name), self.after(&name));
            self.edges.retain(|(from, to)| *from != name && *to != name);
            self.nodes.remove(&name);
            for from in &before {
                for to in &after {
                    self.connect(from.clone(), to.clone())?;
                }
            }
        }
        Ok(())
    }

    fn end(&self, kind: &str) -> Found<String> {
        let ends: Vec<&String> =
            self.nodes.iter().filter(|(_, node)| node.kind == kind).map(|(name, _)| name).collect();
        match &ends[..] {
            [end] => Ok((*end).clone()),
            _ => Err(format!("it has {} nodes of type {kind}, and a network of bd has one", ends.len())),
        }
    }

    fn chain(mut self) -> Found<Chain> {
        let (input, output) = (self.end("Input")?, self.end("Output")?);
        let (mut links, mut at) = (Vec::new(), input.clone());
        let mut recurrent: Vec<String> = Vec::new();
        while at != output {
            let ahead: Vec<String> = self.after(&at).into_iter().filter(|name| !recurrent.contains(name)).collect();
            let [next] = &ahead[..] else {
                return Err(format!(
                    "node '{at}' leads to {}; in a network of bd one layer follows another: {}",
                    if ahead.is_empty() { "nothing" } else { "several nodes" },
                    if ahead.is_empty() { "connect it with the output".into() } else { ahead.join(", ") }
                ));
            };
            if *next == output && !links.is_empty() {
                break;
            }
            if !self.is(next, &WEIGHTS) {
                return Err(format!(
                    "between '{at}' and '{next}' there are no weights; bd has an Affine or Linear node there"
                ));
            }
            let behind = self.after(next);
            let [neurons] = &behind[..] else {
                return Err(format!(
                    "the weights '{next}' lead to {} nodes; in a network of bd they lead to one",
                    behind.len()
                ));
            };
            let weights = self.take(next)?;
            if *neurons == output {
                links.push(Link { weights, neurons: None, within: None });
                break;
            }
            if !self.is(neurons, &NEURONS) {
                return Err(format!("the weights '{}' lead to '{neurons}', which is no node of neurons", weights.0));
            }
            let (neurons, from) = (neurons.clone(), self.before(neurons));
            // Weights whose only way leads from these neurons back to them.
            let is_within =
                |name: &String| self.after(name)[..] == [neurons.clone()] && self.before(name)[..] == [neurons.clone()];
            recurrent = from.iter().filter(|name| self.is(name, &WEIGHTS) && is_within(name)).cloned().collect();
            if let Some(other) = from.iter().find(|name| **name != weights.0 && !recurrent.contains(name)) {
                return Err(format!(
                    "node '{neurons}' has input from '{other}', too; a layer of bd has input from the layer before it and from itself"
                ));
            }
            let within = match &recurrent[..] {
                [] => None,
                [within] => Some(self.take(within)?),
                _ => return Err(format!("node '{neurons}' has several weights to itself: {}", recurrent.join(", "))),
            };
            links.push(Link { weights, neurons: Some(self.take(&neurons)?), within });
            at = neurons;
        }
        self.nodes.remove(&input);
        self.nodes.remove(&output);
        match self.nodes.keys().next() {
            Some(name) => Err(format!("node '{name}' is not on the way from the input to the output")),
            None => Ok(Chain { links }),
        }
    }

    /// A node, which is then no more to be seen.
    fn take(&mut self, name: &str) -> Found<NamedPlain> {
        match self.nodes.remove(name) {
            Some(node) => Ok((name.to_owned(), node)),
            None => Err(format!("node '{name}' is reached twice; the layers of a network of bd make no circle")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: &[(&str, &str)], edges: &[(&str, &str)]) -> Graph {
        let plain = |kind: &str| Node::Plain(Plain { kind: kind.to_owned(), ..Plain::default() });
        Graph {
            nodes: nodes.iter().map(|(name, kind)| ((*name).to_owned(), plain(kind))).collect(),
            edges: edges.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect(),
            ..Graph::default()
        }
    }

    const ENDS: [(&str, &str); 2] = [("in", "Input"), ("out", "Output")];

    fn names(chain: &Chain) -> Vec<[String; 3]> {
        let name = |node: &Option<NamedPlain>| node.as_ref().map_or_else(String::new, |(name, _)| name.clone());
        chain.links.iter().map(|link| [link.weights.0.clone(), name(&link.neurons), name(&link.within)]).collect()
    }

    #[test]
    fn layers_are_found_by_connections_and_not_by_names() {
        let nodes = [("z", "Linear"), ("b", "LIF"), ("c", "Flatten"), ("a", "Affine"), ("x", "LI")];
        let edges = [("in", "c"), ("c", "z"), ("z", "b"), ("b", "a"), ("a", "x"), ("x", "out"), ("x", "out")];
        let chain = Chain::of(graph(&[&ENDS[..], &nodes].concat(), &edges)).unwrap();
        assert_eq!(names(&chain), [["z", "b", ""], ["a", "x", ""]].map(|row| row.map(str::to_owned)));
    }

    /// Flat, and as a graph of its own.
    #[test]
    fn weights_within_a_layer_are_found() {
        let nodes = [("w", "Linear"), ("lif", "CubaLIF"), ("back", "Affine")];
        let edges = [("in", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")];
        let flat = Chain::of(graph(&[&ENDS[..], &nodes].concat(), &edges)).unwrap();
        assert_eq!(names(&flat), [["w", "lif", "back"].map(str::to_owned)]);
        let within = [("in", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")];
        let within = graph(&[&ENDS[..], &nodes[1..]].concat(), &within);
        let mut outer = graph(&[&ENDS[..], &nodes[..1]].concat(), &[("in", "w"), ("w", "layer"), ("layer", "out")]);
        outer.nodes.insert("layer".into(), Node::Graph(within));
        let nested = Chain::of(outer).unwrap();
        assert_eq!(names(&nested), [["w", "layer/lif", "layer/back"].map(str::to_owned)]);
    }

    #[test]
    fn what_is_no_chain_of_layers_is_refused_by_name() {
        let base = [("w", "Linear"), ("lif", "LIF")];
        let way = [("in", "w"), ("w", "lif"), ("lif", "out")];
        let refused = |nodes: &[(&str, &str)], edges: &[(&str, &str)], words: &str| {
            let error = Chain::of(graph(&[&ENDS[..], nodes].concat(), edges)).unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        refused(&[&base[..], &[("d", "Delay")]].concat(), &way, "node 'd' is of type Delay, which bd has nothing for");
        refused(&[&base[..], &[("d", "Linear")]].concat(), &way, "node 'd' is not on the way");
        refused(&base, &way[..2], "node 'lif' leads to nothing");
        refused(&[], &[("in", "out")], "between 'in' and 'out' there are no weights");
        refused(&base, &[("in", "lif"), ("lif", "out")], "between 'in' and 'lif' there are no weights");
        let second = [("v", "Linear"), ("lif2", "LIF")];
        let all = [&base[..], &second].concat();
        refused(&all, &[&way[..], &[("lif", "v"), ("v", "lif2")]].concat(), "node 'lif' leads to several nodes");
        let back =
            [("in", "w"), ("w", "lif"), ("lif", "v"), ("v", "lif2"), ("lif2", "x"), ("x", "lif"), ("lif2", "out")];
        refused(&[&all[..], &[("x", "Linear")]].concat(), &back, "node 'lif' has input from 'x', too");
        let error = Chain::of(graph(&base, &way[1..2])).unwrap_err();
        assert!(error.contains("0 nodes of type Input"), "{error}");
    }
}
