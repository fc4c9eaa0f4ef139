//! A graph as a file, by the crate `hdf5-writer`.

use std::path::Path;

use bd_core::files::write_new;
use bd_core::{Error, Result};
use hdf5_writer::{DatasetBuilder, FILTER_DEFLATE, FilterDescription, Hdf5Builder, WriteOptions};

use super::graph::{Array, Graph, Meta, Named, Node, Numbers};

/// The version of the package `nir` whose format this is.
const VERSION: &str = "1.0.8";
/// Of deflate, as `nir.write` has it.
const LEVEL: u32 = 4;

type Written<T> = std::result::Result<T, hdf5_writer::Error>;

/// Writes a graph as a new file. Fails if there is one already.
pub fn write(path: &Path, graph: &Graph) -> Result<()> {
    let bytes = encoded(graph).map_err(|error| Error::bad_file(path, format!("it cannot be written: {error}")))?;
    write_new(path, &bytes)
}

fn encoded(graph: &Graph) -> Written<Vec<u8>> {
    let mut datasets = vec![text("version", VERSION)?];
    of_graph("node", graph, &mut datasets)?;
    let file = datasets.into_iter().fold(Hdf5Builder::new(), Hdf5Builder::dataset);
    file.into_plan()?.encode(WriteOptions::default())
}

fn of_graph(path: &str, graph: &Graph, into: &mut Vec<DatasetBuilder>) -> Written<()> {
    into.push(text(&format!("{path}/type"), "NIRGraph")?);
    let edges: Vec<&str> = graph.edges.iter().flat_map(|(from, to)| [&from[..], &to[..]]).collect();
    into.push(DatasetBuilder::vlen_string_data(format!("{path}/edges"), vec![graph.edges.len() as u64, 2], &edges)?);
    for (name, node) in &graph.nodes {
        let path = format!("{path}/nodes/{name}");
        match node {
            Node::Graph(graph) => of_graph(&path, graph, into)?,
            Node::Plain(plain) => {
                into.push(text(&format!("{path}/type"), &plain.kind)?);
                for (field, array) in &plain.fields {
                    into.push(numbers(format!("{path}/{field}"), array)?);
                }
                of_metadata(&path, &plain.metadata, into)?;
            }
        }
    }
    of_metadata(path, &graph.metadata, into)
}

fn of_metadata(path: &str, metadata: &Named<Meta>, into: &mut Vec<DatasetBuilder>) -> Written<()> {
    for (name, meta) in metadata {
        let path = format!("{path}/metadata/{name}");
        into.push(match meta {
            Meta::Text(words) => text(&path, words)?,
            Meta::Numbers(array) => numbers(path, array)?,
        });
    }
    Ok(())
}

fn text(path: &str, words: &str) -> Written<DatasetBuilder> {
    DatasetBuilder::vlen_string_data(path, Vec::<u64>::new(), &[words])
}

fn numbers(path: String, array: &Array) -> Written<DatasetBuilder> {
    let shape: Vec<u64> = array.shape.iter().map(|&size| size as u64).collect();
    let dataset = match &array.numbers {
        Numbers::F32(numbers) => DatasetBuilder::typed_data(path, shape.clone(), numbers)?,
        Numbers::F64(numbers) => DatasetBuilder::typed_data(path, shape.clone(), numbers)?,
        Numbers::I64(numbers) => DatasetBuilder::typed_data(path, shape.clone(), numbers)?,
    };
    // Chunks have dimensions, and something in them.
    Ok(match array.count() > 0 && !shape.is_empty() {
        true => dataset.chunked(shape).filter(FilterDescription {
            id: FILTER_DEFLATE,
            name: None,
            client_data: vec![LEVEL],
        }),
        false => dataset,
    })
}
