//! A graph from a file.

use std::path::Path;

use bd_core::{Error, Member, NamedMember, Result, hdf5_datasets};
use tch::{Kind, Tensor};

use super::graph::{Array, Graph, Meta, Named, Node, Numbers, Plain};

/// Graphs within graphs.
const MOST_DEPTH: usize = 8;

type Found<T> = std::result::Result<T, String>;

/// Reads a file. Fails with [`Error::BadFile`] if it is no graph as the package `nir` writes it.
pub fn read(path: &Path) -> Result<Graph> {
    let datasets = hdf5_datasets(path)?;
    graph_of(datasets).map_err(|reason| Error::bad_file(path, reason))
}

/// A group of the file.
#[derive(Debug, Default)]
struct Group {
    groups: Named<Group>,
    datasets: Named<Found<Member>>,
}

fn graph_of(datasets: Vec<NamedMember>) -> Found<Graph> {
    let mut root = Group::default();
    for (path, member) in datasets {
        let mut parts: Vec<&str> = path.split('/').collect();
        let name = parts.pop().unwrap_or_default().to_owned();
        let group = parts.into_iter().fold(&mut root, |group, part| group.groups.entry(part.to_owned()).or_default());
        group.datasets.insert(name, member);
    }
    let Some(node) = root.groups.remove("node") else {
        return Err("it is no .nir file: there is no group 'node' in it, as nir.write of Python writes it".into());
    };
    match node_of("node", node, 0)? {
        Node::Graph(graph) => Ok(graph),
        Node::Plain(plain) => Err(format!("it holds a node of type {} by itself, and no NIRGraph", plain.kind)),
    }
}

fn node_of(path: &str, mut group: Group, depth: usize) -> Found<Node> {
    let kind = match group.datasets.remove("type") {
        Some(member) => word(path, "type", member?)?,
        None => return Err(format!("{path}: it has no type; a node of NIR has one, such as LIF")),
    };
    let metadata = group.groups.remove("metadata").map_or_else(Named::new, metadata_of);
    if kind != "NIRGraph" {
        // What is not read here is asked for by those who need it; that there is something wrong with it is said then.
        let mut fields = Named::new();
        for (name, member) in group.datasets {
            match member? {
                Member::Numbers(tensor) => {
                    drop(fields.insert(name.clone(), array_of(&format!("{path}/{name}"), &tensor)?))
                }
                Member::Text(_) => return Err(format!("{path}/{name}: it is text; the fields of {kind} are numbers")),
            }
        }
        return Ok(Node::Plain(Plain { kind, fields, metadata }));
    }
    if depth >= MOST_DEPTH {
        return Err(format!("{path}: there are more than {MOST_DEPTH} graphs within each other"));
    }
    let edges = match group.datasets.remove("edges") {
        Some(member) => edges_of(path, member?)?,
        None => return Err(format!("{path}: it is a NIRGraph without edges")),
    };
    let nodes = group.groups.remove("nodes").unwrap_or_default();
    let nodes: Found<Named<Node>> = nodes
        .groups
        .into_iter()
        .map(|(name, group)| {
            let path = format!("{path}/nodes/{name}");
            Ok((name, node_of(&path, group, depth + 1)?))
        })
        .collect();
    let nodes = nodes?;
    if let Some(unknown) = edges.iter().flat_map(|(from, to)| [from, to]).find(|name| !nodes.contains_key(*name)) {
        return Err(format!("{path}: an edge names '{unknown}', and there is no such node"));
    }
    Ok(Node::Graph(Graph { nodes, edges, metadata }))
}

fn word(path: &str, name: &str, member: Member) -> Found<String> {
    match member {
        Member::Text(text) if text.items.len() == 1 => Ok(text.items.into_iter().next().unwrap_or_default()),
        _ => Err(format!("{path}/{name}: it is not one text")),
    }
}

fn edges_of(path: &str, member: Member) -> Found<Vec<(String, String)>> {
    let refused = || format!("{path}/edges: they are [edge, 2] names of nodes, from the first to the second");
    match member {
        Member::Text(text) if text.shape.len() == 2 && text.shape[1] == 2 => {
            Ok(text.items.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        // An empty list has no text in it, and Python writes it as numbers.
        Member::Numbers(tensor) if tensor.numel() == 0 => Ok(Vec::new()),
        _ => Err(refused()),
    }
}

/// What can be read of it; what cannot is nothing that a node needs.
fn metadata_of(group: Group) -> Named<Meta> {
    let meta = |(name, member): (String, Found<Member>)| {
        let meta = match member.ok()? {
            Member::Text(text) => Meta::Text(text.items.first()?.clone()),
            Member::Numbers(tensor) => Meta::Numbers(array_of(&name, &tensor).ok()?),
        };
        Some((name, meta))
    };
    group.datasets.into_iter().filter_map(meta).collect()
}

pub(super) fn array_of(path: &str, tensor: &Tensor) -> Found<Array> {
    let shape = tensor.size().into_iter().map(|size| size as usize).collect();
    let numbers = |kind: Kind| tensor.f_to_kind(kind).and_then(|tensor| tensor.f_contiguous()?.f_flatten(0, -1));
    let refused = |error: tch::TchError| format!("{path}: {error}");
    let numbers = match tensor.kind() {
        Kind::Float | Kind::Half | Kind::BFloat16 => {
            Numbers::F32(numbers(Kind::Float).and_then(Vec::try_from).map_err(refused)?)
        }
        Kind::Double => Numbers::F64(numbers(Kind::Double).and_then(Vec::try_from).map_err(refused)?),
        _ => Numbers::I64(numbers(Kind::Int64).and_then(Vec::try_from).map_err(refused)?),
    };
    Ok(Array { shape, numbers })
}

#[cfg(test)]
mod tests {
    use super::super::write::write;
    use super::*;

    /// What is written is read, with nothing lost.
    #[test]
    fn a_graph_that_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nir");
        let mut lif =
            Plain::new("LIF", [("tau", Array::of_units(&[0.1, 1e-4])), ("v_threshold", Array::of_units(&[1.0]))]);
        lif.metadata.insert("words".into(), Meta::Text("τ of \"each\"".into()));
        lif.metadata.insert("number".into(), Meta::Numbers(Array::scalar(0.1)));
        let weight = Array { shape: vec![2, 3], numbers: Numbers::F64(vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) };
        let within = Graph {
            nodes: [
                ("input".into(), Node::Plain(Plain::new("Input", [("shape", Array::shape_of(3))]))),
                ("linear".into(), Node::Plain(Plain::new("Linear", [("weight", weight)]))),
            ]
            .into(),
            edges: vec![("input".into(), "linear".into())],
            metadata: Named::new(),
        };
        let graph = Graph {
            nodes: [("a.b".into(), Node::Graph(within)), ("lif".into(), Node::Plain(lif))].into(),
            edges: vec![("a.b".into(), "lif".into()), ("lif".into(), "a.b".into())],
            metadata: [("version".to_owned(), Meta::Text("1".into()))].into(),
        };
        write(&path, &graph).unwrap();
        assert_eq!(read(&path).unwrap(), graph);
        assert!(write(&path, &graph).is_err());
    }
}
