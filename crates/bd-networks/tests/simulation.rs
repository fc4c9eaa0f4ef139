//! Simulations against single steps of single neurons, in float64.

use bd_equations::Target;
use bd_kernel::Compile;
use bd_networks::{
    Each, EdgeList, Edges, Network, Options, PopulationSpikes, Recording, Simulation, Source, SpikeTrain,
};

const NETWORK: &str = r#"
dt_ms = 0.1
[population.E]
n = 70
equations = """
dv/dt = (ge + gi - (v - E_L)) / tau : volt (unless refractory)
dge/dt = -ge/tau_e : volt
dgi/dt = -gi/(10*ms) : volt
"""
threshold = "v > -50*mV"
reset = "v = -60*mV"
refractory = "2*ms"
surrogate_scale = "10*mV"
constants = { E_L = "-49.5*mV", tau = "20*ms", tau_e = "5*ms" }
initial = { v = "-60*mV + 10*mV*rand()" }
[population.I]
n = 41
like = "E"
constants = { E_L = "-49.8*mV" }
[population.X]
n = 3
neuron = "adex"
drive = { I = "800*pA" }
[population.in]
n = 9
kind = "poisson"
rate = "200*Hz"
[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.2 }
weight = "1.62*mV"
delay = "DELAY"
[[projection]]
from = "I"
to = ["E.gi", "I.gi"]
connect = { rule = "fixed_in_degree", n = 5, autapses = false }
weight = "-9*mV + 0.1*mV*randn()"
delay = "0.7*ms + 3*ms*rand()"
[[projection]]
from = "in"
to = "E.v"
connect = { rule = "fixed_total", n = 100 }
weight = "0.5*mV"
delay = "INPUT"
[[projection]]
from = "X"
to = "I.v"
connect = { rule = "all_to_all" }
weight = "0.1*mV"
delay = "0.9*ms"
[[projection]]
from = "E"
to = "X.I"
connect = { rule = "all_to_all" }
weight = "50*pA"
delay = "DELAY"
[[background]]
to = "I.ge"
rate = "2*kHz"
weight = "0.1*mV"
[record]
traces = { "E.v" = [0, 69, 3], "X.w" = [1], "I.spike" = [0, 40] }
"#;

fn no_edges(_: &str) -> Result<EdgeList, String> {
    Err("there is none".into())
}

fn no_trains(_: &str) -> Result<SpikeTrain, String> {
    Err("there is none".into())
}

fn simulated(toml: &str, threads: usize, compile: Compile, parts: &[u64]) -> (Simulation<f64>, Recording<f64>) {
    let network = Network::parse(toml).unwrap();
    let mut simulation =
        Simulation::new(&network, Options { seed: 1, threads, compile }, &no_edges, &no_trains).unwrap();
    parts.iter().for_each(|steps| simulation.advance(*steps));
    let recording = simulation.recording();
    (simulation, recording)
}

/// Of each population: step and neuron.
type Spikes = Vec<Vec<(u64, u32)>>;

/// `[population][neuron][state]`.
type States = Vec<Vec<Vec<f64>>>;

/// Neuron by neuron and spike by spike; what does not depend on the network (spikes of `in`) is taken from the recording, and background is left out.
fn by_steps(toml: &str, given: &PopulationSpikes, steps: u64) -> (Spikes, States) {
    let network = Network::parse(toml).unwrap();
    let edges: Vec<Edges<f64>> =
        network.projections.iter().map(|projection| projection.edges(0.1, 1, &no_edges).unwrap()).collect();
    let initial =
        Simulation::<f64>::new(&network, Options { seed: 1, ..Options::default() }, &no_edges, &no_trains).unwrap();
    let mut states: Vec<Vec<Vec<f64>>> = Vec::new();
    for population in &network.populations {
        let Source::Neurons(neurons) = &population.source else {
            states.push(Vec::new());
            continue;
        };
        let names: Vec<_> = neurons.model.states().iter().map(|state| state.name.clone()).collect();
        let all: Vec<Vec<f64>> = names.iter().map(|name| initial.state(&population.name, name).unwrap()).collect();
        states.push((0..population.n).map(|k| all.iter().map(|values| values[k]).collect()).collect());
    }
    // [population][target][neuron][step]
    let longest = 60;
    let mut arriving: Vec<Vec<Vec<Vec<f64>>>> = (network.populations.iter())
        .map(|population| match &population.source {
            Source::Neurons(neurons) => {
                let drive = neurons.drive.iter().map(|drive| match drive {
                    Some(drive) => drive.factor * drive.quantity.constant().unwrap(),
                    None => 0.0,
                });
                drive.map(|drive| vec![vec![drive; steps as usize + longest]; population.n]).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let mut spikes: Vec<Vec<(u64, u32)>> = vec![Vec::new(); network.populations.len()];
    for step in 0..steps {
        let mut sent: Vec<Vec<u32>> = vec![Vec::new(); network.populations.len()];
        for (at, population) in network.populations.iter().enumerate() {
            let Source::Neurons(neurons) = &population.source else {
                sent[at] = given.spikes.iter().filter(|(when, _)| *when == step).map(|(_, id)| *id).collect();
                continue;
            };
            let constants = neurons.model.constants(0.1).unwrap();
            for k in 0..population.n {
                let x: Vec<f64> = arriving[at].iter().map(|target| target[k][step as usize]).collect();
                let targets: &[Target] = &neurons.targets;
                let (y, next) = neurons.model.step_of(targets, &constants, &x, &states[at][k], |distance: f64| {
                    f64::from(u8::from(distance >= 0.0))
                });
                states[at][k] = next;
                if y > 0.0 {
                    sent[at].push(k as u32);
                    spikes[at].push((step, k as u32));
                }
            }
        }
        for (projection, edges) in network.projections.iter().zip(&edges) {
            for source in &sent[projection.from] {
                for at in edges.begins[*source as usize]..edges.begins[*source as usize + 1] {
                    let arrival = step as usize + usize::from(edges.delays.get(at)) + 1;
                    arriving[projection.to][projection.target][edges.targets[at] as usize][arrival] +=
                        edges.weights.get(at);
                }
            }
        }
    }
    (spikes, states)
}

fn network(delay: &str, input: &str, background: bool) -> String {
    let toml = NETWORK.replace("DELAY", delay).replace("INPUT", input);
    if background { toml } else { toml.replace("rate = \"2*kHz\"", "rate = \"0*Hz\"") }
}

#[test]
fn a_simulation_is_its_single_steps() {
    for (delay, input) in [("0*ms", "0*ms"), ("0.3*ms", "0*ms"), ("2.5*ms", "1*ms")] {
        let toml = network(delay, input, false);
        let (simulation, recording) = simulated(&toml, 1, Compile::Never, &[400]);
        let given = recording.spikes.iter().find(|spikes| spikes.population == "in").unwrap();
        assert!(given.spikes.len() > 40, "{} spikes come in", given.spikes.len());
        let (spikes, states) = by_steps(&toml, given, 400);
        for (at, name) in ["E", "I", "X"].iter().enumerate() {
            let found = recording.spikes.iter().find(|spikes| spikes.population == *name).unwrap();
            assert!(spikes[at].len() > 2, "{name} is silent");
            assert_eq!(found.spikes, spikes[at], "{name}, delay {delay}");
            let last = simulation.state(name, "v").unwrap();
            for (found, exact) in last.iter().zip(&states[at]) {
                assert!((found - exact[0]).abs() < 1e-10, "{name}: {found} and not {}", exact[0]);
            }
        }
    }
}

/// What arrives where something else arrives, too, over other delays.
const MORE: &str = r#"
[[projection]]
name = "second"
from = "I"
to = "E.ge"
connect = { rule = "fixed_probability", p = 0.5 }
weight = "-0.37*mV"
delay = "1.1*ms"
[[projection]]
name = "third"
from = "in"
to = "E.ge"
connect = { rule = "fixed_probability", p = 0.5 }
weight = "0.19*mV"
THIRD
"#;

/// Every spike and every trace.
#[test]
fn neither_threads_nor_parts_change_a_bit() {
    for (delay, third) in [("0*ms", ""), ("0.3*ms", ""), ("2.5*ms", ""), ("0.7*ms", "instant = true")] {
        let toml = network(delay, "0*ms", true) + &MORE.replace("THIRD", third);
        let (_, expected) = simulated(&toml, 1, Compile::Never, &[333]);
        assert_eq!(expected.traces.iter().map(|trace| &trace.name[..]).collect::<Vec<_>>(), ["E.v", "I.spike", "X.w"]);
        assert!(expected.traces.iter().all(|trace| trace.values.iter().all(|values| values.len() == 333)));
        for threads in [1, 2, 3, 7] {
            for parts in [&[333][..], &[1, 1, 3, 17, 11, 100, 200], &[5, 0, 328]] {
                let (_, found) = simulated(&toml, threads, Compile::Never, parts);
                assert_eq!(found, expected, "{threads} threads, {parts:?}");
            }
        }
    }
}

/// The same where what two populations send arrives in the step in which they send it.
#[test]
fn neither_threads_nor_parts_change_a_bit_of_what_is_instant() {
    for delay in ["0*ms", "0.3*ms"] {
        let toml = network(delay, "0*ms", true);
        let delayed = format!("weight = \"50*pA\"\ndelay = \"{delay}\"");
        assert!(toml.contains(&delayed));
        let toml = toml.replace(&delayed, "weight = \"50*pA\"\ninstant = true");
        let toml = toml.replace("weight = \"0.5*mV\"\ndelay = \"0*ms\"", "weight = \"0.5*mV\"\ninstant = true");
        assert_eq!(toml.matches("instant").count(), 2);
        let (_, expected) = simulated(&toml, 1, Compile::Never, &[333]);
        let spikes: Vec<usize> = expected.spikes.iter().map(|of| of.spikes.len()).collect();
        assert!(spikes.iter().all(|count| *count > 0), "{spikes:?}");
        assert_ne!(expected, simulated(&network(delay, "0*ms", true), 1, Compile::Never, &[333]).1);
        for threads in [1, 2, 3, 7] {
            for parts in [&[333][..], &[1, 1, 3, 17, 11, 100, 200]] {
                let (_, found) = simulated(&toml, threads, Compile::Never, parts);
                assert_eq!(found, expected, "{threads} threads, {parts:?}");
            }
        }
    }
}

/// If there is a C++ compiler; without, the interpreter does the same.
#[test]
fn compiled_loops_change_no_bit() {
    let toml = network("0.3*ms", "0*ms", true);
    let (_, expected) = simulated(&toml, 1, Compile::Never, &[200]);
    for parts in [&[200][..], &[7, 93, 100]] {
        let (simulation, found) = simulated(&toml, 2, Compile::IfFound, parts);
        assert_eq!(found, expected, "{parts:?}");
        let outcomes = simulation.outcomes();
        assert_eq!(outcomes.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), ["E", "I", "X"]);
    }
}

/// Counts, means and who is left out.
#[test]
fn synapses_follow_their_rules() {
    let of = |connect: &str, n: usize, m: usize, same: bool| -> Edges<f64> {
        let to = if same { "A" } else { "B" };
        let toml = format!(
            r#"
            dt_ms = 0.1
            [population.A]
            n = {n}
            neuron = "lif"
            [population.B]
            n = {m}
            like = "A"
            [[projection]]
            from = "A"
            to = "{to}.v"
            connect = {connect}
            weight = "(0.5 + 0.1*randn())*mV"
            delay = "1*ms + 1*ms*rand()"
            "#
        );
        Network::parse(&toml).unwrap().projections[0].edges(0.1, 5, &no_edges).unwrap()
    };
    let in_degrees = |edges: &Edges<f64>, m: usize| {
        let mut degrees = vec![0; m];
        edges.targets.iter().for_each(|target| degrees[*target as usize] += 1);
        degrees
    };
    let own = |edges: &Edges<f64>| {
        let rows = edges.begins.windows(2).enumerate();
        rows.filter(|(source, row)| edges.targets[row[0]..row[1]].contains(&(*source as u32))).count()
    };
    let all = of(r#"{ rule = "all_to_all" }"#, 7, 5, false);
    assert_eq!((all.len(), in_degrees(&all, 5)), (35, vec![7; 5]));
    assert_eq!(of(r#"{ rule = "all_to_all", autapses = false }"#, 7, 5, true).len(), 42);
    let one = of(r#"{ rule = "one_to_one" }"#, 6, 6, false);
    assert_eq!(one.targets, [0, 1, 2, 3, 4, 5]);
    // 30,000 are expected, the deviation is 145.
    let some = of(r#"{ rule = "fixed_probability", p = 0.3 }"#, 200, 500, false);
    assert!((some.len() as f64 - 30_000.0).abs() < 725.0, "{}", some.len());
    assert!(some.begins.windows(2).all(|row| some.targets[row[0]..row[1]].is_sorted_by(|a, b| a < b)));
    let mean = (0..some.len()).map(|at| some.weights.get(at)).sum::<f64>() / some.len() as f64;
    assert!((mean - 0.5).abs() < 5.0 * 0.1 / (some.len() as f64).sqrt());
    let Each::Own(delays) = &some.delays else { panic!("each has its own delay") };
    assert_eq!([delays.iter().min(), delays.iter().max()], [Some(&10), Some(&20)]);
    assert!(own(&of(r#"{ rule = "fixed_probability", p = 0.3 }"#, 200, 200, true)) > 0);
    assert_eq!(own(&of(r#"{ rule = "fixed_probability", p = 0.3, autapses = false }"#, 200, 200, true)), 0);
    let degrees = of(r#"{ rule = "fixed_in_degree", n = 12, autapses = false }"#, 40, 40, true);
    assert_eq!((in_degrees(&degrees, 40), own(&degrees)), (vec![12; 40], 0));
    let total = of(r#"{ rule = "fixed_total", n = 10000, autapses = false }"#, 40, 40, true);
    assert_eq!((total.len(), own(&total)), (10_000, 0));
    // 250 each are expected, the deviation is 16.
    assert!(in_degrees(&total, 40).iter().all(|degree| (*degree as f64 - 250.0).abs() < 80.0));
    assert!(total.begins.windows(2).all(|row| total.targets[row[0]..row[1]].is_sorted()));
    // 200 on a ring see those up to .1 away: 20 on each side, and themselves.
    let ring = of(r#"{ rule = "distance", p = 1, scale = 0.1001, profile = "box", layout = "ring" }"#, 200, 200, true);
    assert_eq!((in_degrees(&ring, 200), own(&ring)), (vec![41; 200], 200));
    // On a line of 20 and one of 10: .1 is a step of the second.
    let line = of(r#"{ rule = "distance", p = 1, scale = 0.1001, profile = "box", layout = "line" }"#, 20, 10, false);
    assert_eq!(line.targets[line.begins[4]..line.begins[5]], [1, 2, 3]);
    // 400 on a torus, Gaussian: each has about 400 * 2 pi 0.05^2 * 0.8 = 5.03 others and itself, 2,011 in all, with a deviation below 45.
    let torus = r#"{ rule = "distance", p = 0.8, scale = 0.05, profile = "gaussian", layout = "torus" }"#;
    assert!((of(torus, 400, 400, true).len() as f64 - 2011.0).abs() < 225.0, "{}", of(torus, 400, 400, true).len());
}

/// Lists in the text are the synapses of a file with the same columns, in whatever order; and what is wrong with them is named.
#[test]
fn synapses_can_be_listed() {
    let text = |connect: &str| {
        format!(
            "dt_ms = 0.5\n[population.A]\nn = 3\nneuron = \"lif\"\n[population.B]\nn = 2\nlike = \"A\"\n[[projection]]\n\
             from = \"A\"\nto = \"B.I\"\nconnect = {connect}\nweight = 2\ndelay = \"1*ms\"\n"
        )
    };
    let edges = |connect: &str| {
        let network = Network::parse(&text(connect)).unwrap();
        let list = EdgeList {
            sources: vec![2, 0, 0],
            targets: vec![0, 1, 0],
            weights: Some(vec![1.0, 2.0, 3.0]),
            delays_ms: Some(vec![0.5, 1.0, 1.5]),
        };
        network.projections[0].edges::<f64>(0.5, 0, &|_| Ok(list.clone()))
    };
    let listed = edges(
        "{ rule = \"listed\", source = [2, 0, 0], target = [0, 1, 0], weight = [1, 2, 3], delay_ms = [0.5, 1, 1.5] }",
    );
    let listed = listed.unwrap();
    assert_eq!(listed, edges("{ rule = \"from_file\", file = \"x\" }").unwrap());
    assert_eq!((&listed.begins[..], &listed.targets[..]), (&[0, 2, 2, 3][..], &[0, 1, 0][..]));
    let bare = edges("{ rule = \"listed\", source = [2], target = [0] }").unwrap();
    assert_eq!((bare.weights, bare.delays), (Each::Same(2.0), Each::Same(2)));
    for (connect, words) in [
        ("{ rule = \"listed\", source = [3], target = [0] }", "synapse 1 has the source 3, and there are 3 neurons"),
        (
            "{ rule = \"listed\", source = [1], target = [0, 1] }",
            "it has not as many targets, weights and delays as sources",
        ),
        (
            "{ rule = \"listed\", source = [1], target = [0], weight = [nan] }",
            "the weight of synapse 1 is not a finite",
        ),
    ] {
        let error = edges(connect).unwrap_err().to_string();
        assert!(error.contains("projection.1.connect") && error.contains(words), "{error}");
    }
}

/// Delays that would be learned are those that they begin with, rounded to steps.
#[test]
fn delays_to_be_learned_are_simulated_as_they_begin() {
    let text = |delay: &str| {
        format!(
            "dt_ms = 0.5\n[population.A]\nn = 30\nneuron = \"lif\"\n[[projection]]\nfrom = \"A\"\nto = \"A.I\"\n\
             connect = {{ rule = \"all_to_all\" }}\nweight = 2\ndelay = {delay}\n"
        )
    };
    let of = |delay: &str| Network::parse(&text(delay)).unwrap().projections.remove(0);
    let no_files = |_: &str| Err(String::new());
    let learned = of("{ learned = \"4*ms*rand()\", most = \"4.2*ms\" }");
    let edges = learned.edges::<f64>(0.5, 3, &no_files).unwrap();
    assert_eq!(edges, of("\"4*ms*rand()\"").edges::<f64>(0.5, 3, &no_files).unwrap());
    let found = learned.learned_delay.unwrap();
    assert_eq!((found.most_ms, found.spread_ms, found.halves_in, found.rate), (4.5, 2.25, 100.0, 1.0));
    let Each::Own(delays_ms) = learned.edges_and_delays_ms::<f64>(0.5, 3, &no_files).unwrap().1 else {
        panic!("each has its own")
    };
    for (at, delay_ms) in delays_ms.iter().enumerate() {
        assert_eq!((delay_ms / 0.5).round() as u16, edges.delays.get(at));
    }
    let error = of("{ learned = \"4*ms*rand()\", most = \"1*ms\" }").edges::<f64>(0.5, 3, &no_files).unwrap_err();
    assert!(error.to_string().contains("it is from 0 to 1 ms"), "{error}");
}
