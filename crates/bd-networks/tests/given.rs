//! What a simulation is told beside its text: numbers in place of those that are drawn, positions, and that it is not wanted any more.

use std::cell::Cell;

use bd_networks::{Edges, Given, Network, NetworkText, Options, Origins, Simulation};

const NETWORK: &str = r#"
dt_ms = 0.5
[population.in]
n = 40
kind = "poisson"
rate = "100*Hz"
[population.A]
n = 70
equations = """
dv/dt = (g - v)/tau : 1
dg/dt = -g/(3*ms) : 1
tau : second
"""
threshold = "v > 1"
reset = "v = 0"
initial = { v = "rand()", tau = "10*ms" }
[[projection]]
from = "in"
to = "A.g"
connect = { rule = "fixed_probability", p = 0.3 }
weight = 0.5
delay = "1*ms"
[[projection]]
from = "A"
to = "A.g"
connect = { rule = "fixed_in_degree", n = 5 }
weight = "0.1*randn()"
delay = "5*ms*rand()"
"#;

fn simulation(text: &str, threads: usize, given: &Given) -> Result<Simulation<f64>, bd_networks::Error> {
    let network = Network::parse(text).unwrap();
    let none = |_: &str| Err(String::new());
    let origins = Origins { edges: &none, trains: &|_| Err(String::new()), given, wanted: &|_| true };
    let options = Options { seed: 3, threads, ..Options::default() };
    Ok(Simulation::of(&network, options, &origins)?.unwrap())
}

fn drawn(text: &str, projection: usize) -> Edges<f64> {
    Network::parse(text).unwrap().projections[projection].edges(0.5, 3, &|_| Err(String::new())).unwrap()
}

/// On any number of threads, whose neurons have places of their own.
#[test]
fn synapses_are_told_as_they_were_drawn() {
    for threads in [1, 3] {
        let mut found = simulation(NETWORK, threads, &Given::default()).unwrap();
        found.advance(10);
        for projection in [0, 1] {
            assert_eq!(found.edges(projection), drawn(NETWORK, projection));
        }
    }
    let edges = drawn(NETWORK, 1);
    let sources: Vec<u32> = edges.sources().collect();
    assert_eq!(sources.len(), 350);
    for (at, source) in sources.iter().enumerate() {
        assert!((edges.begins[*source as usize]..edges.begins[*source as usize + 1]).contains(&at));
    }
}

/// What is drawn, given: the same spikes. Other weights, delays, constants and states: those of a text that has them.
#[test]
fn given_numbers_take_the_place_of_drawn_ones() {
    let spikes = |text: &str, given: &Given| {
        let mut simulation = simulation(text, 2, given).unwrap();
        simulation.advance(400);
        simulation.recording().spikes
    };
    let usual = spikes(NETWORK, &Given::default());
    assert!(usual[0].spikes.len() > 200, "{} spikes", usual[0].spikes.len());
    let (input, recurrent) = (drawn(NETWORK, 0), drawn(NETWORK, 1));
    let mut given = Given::default();
    given.weights.insert("in>A.g".into(), (0..input.len()).map(|at| input.weights.get(at)).collect());
    given.weights.insert("A>A.g".into(), (0..recurrent.len()).map(|at| recurrent.weights.get(at)).collect());
    given.delays.insert("A>A.g".into(), (0..recurrent.len()).map(|at| recurrent.delays.get(at)).collect());
    assert_eq!(spikes(NETWORK, &given), usual);

    let text = NETWORK
        .replace("weight = 0.5", "weight = 0.75")
        .replace("5*ms*rand()", "3*ms")
        .replace("tau = \"10*ms\"", "tau = \"7*ms\"")
        .replace("v = \"rand()\"", "v = 0.25");
    let mut given = Given::default();
    given.weights.insert("in>A.g".into(), vec![0.75; input.len()]);
    given.delays.insert("A>A.g".into(), vec![6; recurrent.len()]);
    given.neurons.insert("A.tau".into(), vec![7.0; 70]);
    given.neurons.insert("A.v".into(), vec![0.25; 70]);
    let other = spikes(NETWORK, &given);
    assert_eq!(other, spikes(&text, &Given::default()));
    assert_ne!(other, usual);
    assert_eq!(given.bytes(8.0), 8.0 * input.len() as f64 + 2.0 * 350.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |change: &dyn Fn(&mut Given), words: &str| {
        let mut given = Given::default();
        change(&mut given);
        let error = simulation(NETWORK, 1, &given).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let one = || vec![1.0];
    refused(
        &|given| drop(given.weights.insert("A>A.g".into(), one())),
        "projection.2: 1 weights are given, and 'A>A.g' has 350 synapses",
    );
    refused(&|given| drop(given.delays.insert("A>A.g".into(), vec![1])), "1 delays are given");
    refused(
        &|given| drop(given.weights.insert("A>B.g".into(), one())),
        "numbers are given of 'A>B.g', and there is none",
    );
    refused(
        &|given| drop(given.neurons.insert("A.tau".into(), one())),
        "A.tau is given of 1 neurons, and the population has 70",
    );
    refused(&|given| drop(given.neurons.insert("B.tau".into(), one())), "there is no such population");
}

/// 4e9 synapses by distance would take minutes; asked the third time nobody wants them.
#[test]
fn drawing_ends_when_nobody_wants_it() {
    for rule in [
        "{ rule = \"distance\", p = 0.001, scale = 0.1, profile = \"gaussian\", layout = \"grid\" }",
        "{ rule = \"fixed_probability\", p = 0.05 }",
        "{ rule = \"fixed_in_degree\", n = 3000 }",
        "{ rule = \"fixed_total\", n = 180000000 }",
    ] {
        let text = format!(
            "dt_ms = 0.5\n[population.A]\nn = 60000\nneuron = \"lif\"\n[[projection]]\nfrom = \"A\"\nto = \"A.v\"\nconnect = {rule}\n\
             weight = \"1*mV*rand()\""
        );
        let network = Network::parse(&text).unwrap();
        let (asked, most) = (Cell::new(0), Cell::new(0.0));
        let wanted = |part: f64| {
            assert!((most.get()..=1.0).contains(&part), "{part} after {}", most.get());
            most.set(part);
            asked.set(asked.get() + 1);
            asked.get() < 3
        };
        let given = Given::default();
        let none = |_: &str| Err(String::new());
        let origins = Origins { edges: &none, trains: &|_| Err(String::new()), given: &given, wanted: &wanted };
        let found = Simulation::<f32>::of(&network, Options::default(), &origins).unwrap();
        assert!(found.is_none() && most.get() < 1.0, "{rule}: {} at {}", asked.get(), most.get());
    }
}

/// Two populations in space, whose distances are 0, 1, 2 (in `x`) and `sqrt(1 + 4)`, `sqrt(4 + 4)`.
const PLACED: &str = r#"
dt_ms = 0.5
[population.A]
n = 2
neuron = "lif"
positions = [[0.0, 0, 0], [1.0, 2.0]]
[population.B]
n = 3
like = "A"
positions = [[0], [1.0, 0, 0], [2.0, 0.0, 0.0]]
[[projection]]
from = "A"
to = "B.v"
connect = { rule = "distance", p = 1, scale = 1.5, profile = "box", layout = "positions" }
weight = "1*mV"
"#;

/// By hand: the first of A reaches what is within 1.5, the second, 2 above, what is within 2.1.
#[test]
fn neurons_lie_where_positions_say() {
    let of = |scale: &str| {
        let edges = drawn(&PLACED.replace("1.5", scale), 0);
        (edges.begins, edges.targets)
    };
    assert_eq!(of("1.5"), (vec![0, 2, 2], vec![0, 1]));
    assert_eq!(of("2.1"), (vec![0, 3, 4], vec![0, 1, 2, 1]));
    assert_eq!(of("2.24"), (vec![0, 3, 6], vec![0, 1, 2, 0, 1, 2]), "sqrt(5) is 2.236");
    // On a line of length 1 neurons lie elsewhere.
    assert_eq!(drawn(&PLACED.replace("\"positions\"", "\"line\""), 0).len(), 6);
}

#[test]
fn positions_of_a_file_are_put_in_its_place() {
    let list = "[[0], [1.0, 0, 0], [2.0, 0.0, 0.0]]";
    let mut text = NetworkText::parse(&PLACED.replace(list, "\"b.csv\"")).unwrap();
    assert_eq!(text.position_files(), [("B".to_owned(), "b.csv".to_owned())]);
    assert_eq!(text.size("B"), Some(3));
    let error = text.build().unwrap_err().to_string();
    assert_eq!(error, "population.B.positions: 'b.csv' was not read");
    text.place("B", &[vec![0.0], vec![1.0, 0.0], vec![2.0]]);
    let edges = text.build().unwrap().projections[0].edges::<f64>(0.5, 3, &|_| Err(String::new())).unwrap();
    assert_eq!(edges, drawn(PLACED, 0));
    // What is written is read again.
    assert_eq!(NetworkText::parse(&text.to_toml().unwrap()).unwrap(), text);
}

#[test]
fn positions_that_do_not_fit_are_refused() {
    for (from, to, words) in [
        (
            "[[0.0, 0, 0], ",
            "[",
            "population.A.positions, line 6, column 1: there are positions of 1 neurons, and 'A' has 2",
        ),
        ("[1.0, 2.0]]", "[1, 2, 3, 4]]", "the position of neuron 1 has 4 numbers; it has 1 to 3: x, y and z"),
        ("[1.0, 2.0]]", "[1, inf]]", "the position of neuron 1 is not finite"),
        (
            "[[0.0, 0, 0], [1.0, 2.0]]",
            "3",
            "the name of a file in quotes, or a list of positions such as [[0.5, 1.0]], is expected here",
        ),
        ("positions = [[0], [1.0, 0, 0], [2.0, 0.0, 0.0]]", "", "the population that receives has no 'positions'"),
        ("1.5", "0", "a distance of 0 cannot be; it is above 0, in the unit of positions"),
        ("positions = [[0.0", "position = [[0.0", "there is no key 'position' here. Is 'positions' meant?"),
    ] {
        assert!(PLACED.contains(from), "{from}");
        let error = Network::parse(&PLACED.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
