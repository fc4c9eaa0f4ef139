//! Files of synapses and spikes: the same in every format, and what is wrong with them.

use std::fs;

use bd_core::npz::{save_npz, save_npz_with_text};
use tch::Tensor;

use super::*;

/// Of 3 sources and 4 targets, by source: 0.5 from 0 to 3, 1.5 from 2 to 0, -2 from 2 to 1.
const CSV: &str = "source,target,weight\n0,3,0.5\n2,0,1.5\n2,1,-2\n";

fn array(name: &str, values: &[i64]) -> (String, Tensor) {
    (name.to_owned(), Tensor::from_slice(values))
}

fn weights(name: &str, values: &[f64]) -> (String, Tensor) {
    (name.to_owned(), Tensor::from_slice(values))
}

/// Sorted triples of source, target and weight.
fn triples(list: &EdgeList) -> Vec<(u32, u32, f64)> {
    let weights = list.weights.as_ref().unwrap();
    let mut all: Vec<_> = (0..weights.len()).map(|at| (list.sources[at], list.targets[at], weights[at])).collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all
}

/// As SciPy writes the matrix in three formats.
#[test]
fn all_formats_hold_the_same_synapses() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("edges.csv"), CSV).unwrap();
    let arrays = [array("source", &[0, 2, 2]), array("target", &[3, 0, 1]), weights("weight", &[0.5, 1.5, -2.0])];
    save_npz(&path("edges.npz"), &arrays).unwrap();
    let shape = || array("shape", &[3, 4]);
    let sparse: [(&str, Vec<(String, Tensor)>); 3] = [
        ("csr", vec![array("indptr", &[0, 1, 1, 3]), array("indices", &[3, 0, 1]), weights("data", &[0.5, 1.5, -2.0])]),
        (
            "csc",
            vec![array("indptr", &[0, 1, 2, 2, 3]), array("indices", &[2, 2, 0]), weights("data", &[1.5, -2.0, 0.5])],
        ),
        ("coo", vec![array("row", &[2, 0, 2]), array("col", &[1, 3, 0]), weights("data", &[-2.0, 0.5, 1.5])]),
    ];
    let expected = [(0, 3, 0.5), (2, 0, 1.5), (2, 1, -2.0)];
    for name in ["edges.csv", "edges.npz"] {
        let found = synapses(&path(name)).unwrap();
        assert_eq!((triples(&found.list), found.shape), (expected.to_vec(), None), "{name}");
    }
    for (format, mut arrays) in sparse {
        arrays.push(shape());
        let name = format!("{format}.npz");
        save_npz_with_text(&path(&name), &arrays, &[("format", &[format.to_owned()])]).unwrap();
        let found = synapses(&path(&name)).unwrap();
        assert_eq!((triples(&found.list), found.shape), (expected.to_vec(), Some([3, 4])), "{format}");
    }
}

#[test]
fn spikes_are_read_from_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.csv"), "time_ms,neuron\n0.5,2\n1.25,0\n").unwrap();
    save_npz(&path("in.npz"), &[weights("times_ms", &[0.5, 1.25]), array("neurons", &[2, 0])]).unwrap();
    for name in ["in.csv", "in.npz"] {
        assert_eq!(train(&path(name)).unwrap(), [(0.5, 2), (1.25, 0)], "{name}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, text, words) in [
        ("a.csv", "source,to\n0,1\n", "a.csv: its first line names no column 'target'; there are: source, to"),
        ("b.csv", "source,target\n0,1\n1,x\n", "b.csv: column target: line 3"),
        (
            "c.csv",
            "source,target\n0,1\n1,-1\n",
            "c.csv: target number 2 is -1; they are whole numbers, and begin with 0",
        ),
        ("d.csv", "source,target\n0,1.5\n", "d.csv: target number 1 is 1.5; they are whole numbers"),
        ("e.csv", "", "e.csv: "),
        ("f.json", "{}", "f.json: synapses, spikes and positions are read from a file that ends in .npz or .csv"),
    ] {
        fs::write(path(name), text).unwrap();
        let error = synapses(&path(name)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let indptr = |values: &[i64]| vec![array("indptr", values), array("indices", &[3]), weights("data", &[1.0])];
    let sparse = [
        ("bsr", indptr(&[0, 1]), "in the format 'bsr'; save it as csr, csc or coo: save_npz(file, matrix.tocsr())"),
        ("csr", indptr(&[0, 1]), "indptr must have 4 numbers that rise from 0 to 1, the length of indices"),
        ("csr", indptr(&[0, 1, 0, 1]), "indptr must have 4 numbers that rise from 0 to 1"),
        ("csc", indptr(&[0, 1, 1, 1, 1]), "entry 1 is in row 3, and there are 3"),
        (
            "coo",
            indptr(&[0]),
            "it has no array 'row'; there are: indptr [1], indices [1], data [1], shape [2], format [1] of text",
        ),
    ];
    for (format, mut arrays, words) in sparse {
        arrays.push(array("shape", &[3, 4]));
        save_npz_with_text(&path("m.npz"), &arrays, &[("format", &[format.to_owned()])]).unwrap();
        let error = synapses(&path("m.npz")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for (arrays, words) in [
        (vec![array("source", &[0])], "it has no array 'target'; there are: source [1]"),
        (
            vec![array("source", &[0]), array("target", &[0, 1])],
            "source has 1 numbers and target 2; they belong together",
        ),
        (
            vec![array("source", &[0]), array("target", &[0]), weights("weight", &[f64::NAN])],
            "array weight is not finite: NaN at [0], counted from 0",
        ),
        (
            vec![("source".to_owned(), Tensor::from_slice(&[0i64, 1]).reshape([1, 2])), array("target", &[0])],
            "array source is [1, 2], and must have one dimension",
        ),
    ] {
        save_npz(&path("s.npz"), &arrays).unwrap();
        let error = synapses(&path("s.npz")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = train(&path("s.npz")).unwrap_err().to_string();
    assert!(error.contains("it has no array 'times_ms'"), "{error}");
}
