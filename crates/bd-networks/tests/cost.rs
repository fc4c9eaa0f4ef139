//! Predicted memory, by hand.

use bd_networks::{Bytes, EdgeList, Network};

const NETWORK: &str = r#"
dt_ms = 0.1
[population.in]
n = 100
kind = "poisson"
rate = "10*Hz"
[population.B]
n = 50
equations = """
dv/dt = (ge + gi - v) / (10*ms) : 1
dge/dt = -ge / (5*ms) : 1
dgi/dt = -gi / (5*ms) : 1
"""
threshold = "v > 1"
reset = "v = 0"
drive = { gi = 0.1 }
[[projection]]
from = "in"
to = "B.ge"
connect = CONNECT
weight = "WEIGHT"
delay = "1*ms"
[record]
traces = { "B.v" = [0, 1] }
"#;

fn bytes(connect: &str, weight: &str, threads: usize, list: Option<&EdgeList>) -> Bytes {
    let toml = NETWORK.replace("CONNECT", connect).replace("WEIGHT", weight);
    Network::parse(&toml).unwrap().bytes::<f64>(1000, threads, &|_| list)
}

#[test]
fn parts_are_counted() {
    let all = "{ rule = \"all_to_all\" }";
    let one = bytes(all, "0.1", 1, None);
    // 5,000 targets of 4 bytes, and where each of 100 sources begins.
    assert_eq!(one.synapses, 5000.0 * 4.0 + 100.0 * 8.0);
    // `ge` alone has a ring: of 10 steps of delay, and four slices of 16 and 2.
    assert_eq!(one.arrivals, 50.0 * 76.0 * 8.0);
    assert_eq!(one.traces, 2.0 * 1000.0 * 8.0);
    assert_eq!(one.total(), (one.synapses + one.arrivals + one.neurons + one.traces) as u64);
    // Weights of their own, and for each thread where its part of a row begins and ends.
    let two = bytes(all, "0.1*rand()", 2, None);
    assert_eq!(two.synapses - one.synapses, 5000.0 * 8.0 + 100.0 * 2.0 * 16.0);
    // Pairs and their order, and no list that grows.
    let drawn = bytes("{ rule = \"fixed_in_degree\", n = 4 }", "0.1", 1, None);
    assert_eq!(drawn.synapses, 200.0 * (4.0 + 16.0) + 800.0);
    // Those by distance are in a list that grows, and is copied; each of two threads draws one.
    let near = "{ rule = \"distance\", p = 1, scale = 1, profile = \"box\", layout = \"line\" }";
    assert_eq!(bytes(near, "0.1", 2, None).synapses, 5000.0 * (4.0 + 2.0 * 4.0) + 100.0 * (8.0 + 2.0 * 16.0));
    // The longest delay of a list counts: 20 ms are 200 steps.
    let list = EdgeList { sources: vec![0, 1], targets: vec![0, 1], weights: None, delays_ms: Some(vec![20.0, 1.0]) };
    let read = bytes("{ rule = \"from_file\", file = \"x\" }", "0.1", 1, Some(&list));
    assert_eq!((read.synapses, read.arrivals), (2.0 * (6.0 + 84.0) + 800.0, 50.0 * 266.0 * 8.0));
}
