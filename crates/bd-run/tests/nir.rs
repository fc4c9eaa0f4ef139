//! Files of NIR that are cut off or changed: what is read is a network or an error in words, and nothing panics.

use std::fs;
use std::path::{Path, PathBuf};

use bd_core::Rng;
use bd_run::nir::{Array, Graph, Import, Node, Plain, import, read, write};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/nir")).join(name)
}

/// Whether a file is read, and is made a network.
fn is_read(path: &Path) -> bool {
    match import(path, &Import { dt_ms: Some(0.1), euler: true }) {
        Ok(imported) => {
            assert!(!imported.weights.is_empty());
            true
        }
        Err(error) => {
            assert!(error.to_string().len() > path.to_string_lossy().len() + 10, "{error}");
            false
        }
    }
}

/// A network of three nodes, 3 kB.
fn small(path: &Path) {
    let units = |value: f64| Array::of_units(&[value; 2]);
    let lif = Plain::new(
        "LIF",
        [("tau", units(1e-3)), ("r", units(1.0)), ("v_leak", units(0.0)), ("v_threshold", units(1.0))],
    );
    let weight = Array { shape: vec![2, 1], ..units(0.5) };
    let shape = |kind: &str, n: usize| Node::Plain(Plain::new(kind, [("shape", Array::shape_of(n))]));
    let graph = Graph {
        nodes: [
            ("a".into(), shape("Input", 1)),
            ("b".into(), Node::Plain(Plain::new("Linear", [("weight", weight)]))),
            ("c".into(), Node::Plain(lif)),
            ("d".into(), shape("Output", 2)),
        ]
        .into(),
        edges: [("a", "b"), ("b", "c"), ("c", "d")].map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec(),
        ..Graph::default()
    };
    write(path, &graph).unwrap();
    assert_eq!(read(path).unwrap(), graph);
    assert!(is_read(path));
}

#[test]
fn every_beginning_of_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.nir");
    small(&path);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let whole = file.metadata().unwrap().len();
    for length in (0..whole).rev() {
        file.set_len(length).unwrap();
        assert!(!is_read(&path), "{length} of {whole} bytes");
    }
}

#[test]
fn changed_files_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.nir");
    small(&path);
    let own = fs::read(&path).unwrap();
    for (name, whole) in [("small", own), ("nested", fs::read(fixture("nested.nir")).unwrap())] {
        let mut rng = Rng::new(11, name);
        let mut below = |n: usize| ((rng.uniform() * n as f64) as usize).min(n - 1);
        let mut read = 0;
        for _ in 0..300 {
            let mut content = whole.clone();
            for _ in 0..1 + below(8) {
                let at = below(content.len());
                content[at] = [0, 0xff, content[at] ^ (1 << below(8)), below(256) as u8][below(4)];
            }
            fs::write(&path, &content).unwrap();
            read += usize::from(is_read(&path));
        }
        println!("{name}: {read} of 300 changed files are read");
    }
}
