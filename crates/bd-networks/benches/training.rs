//! Forward and adjoint of a network of populations, as a training runs them: one tile on one thread.
//!
//!     cargo bench -p bd-networks --bench training -- [--lanes N] [--steps N] [--rounds N] [--compile] [--json FILE] [FILE]
//!
//! The network is `scripts/peers/coba.toml` unless a file is named. Inputs are spikes of 5 Hz, the loss is the sum of outputs. Prints
//! milliseconds of a stretch, the least of the rounds, forward, adjoint and both, and nanoseconds of a synapse, step and sample.

use std::sync::Arc;
use std::time::Instant;

use bd_equations::Sent;
use bd_kernel::models::network::{Delays, NetworkKernel, Population, Projection, Sender, Synapses};
use bd_kernel::{Compile, Grads, GraphKernel, Input, Instructions, Kernel, Numbers, Rng, Tile};
use bd_networks::{Edges, Network, Source};

use figures::Figures;

#[path = "../../../benches/shared/figures.rs"]
mod figures;

const RATE_HZ: f64 = 5.0;
const MS: f64 = 1000.0;

/// The state before the first step: of each population's units, and what is on its way.
fn initial(network: &Network, memory: &[usize]) -> Vec<f64> {
    let of_population = |(population, memory): (&bd_networks::Population, &usize)| {
        let states: Vec<f64> = match &population.source {
            Source::Neurons(neurons) => (neurons.model.states().iter())
                .flat_map(|state| population.initial(&state.name, &state.initial, 0))
                .collect(),
            _ => Vec::new(),
        };
        states.into_iter().chain(vec![0.0; memory * population.n])
    };
    network.populations.iter().zip(memory).flat_map(of_population).collect()
}

fn kernel(network: &Network, compile: Compile) -> (NetworkKernel, Vec<usize>, usize) {
    let mut projections = Vec::new();
    let mut memory = vec![0; network.populations.len()];
    for projection in &network.projections {
        let edges: Edges<f32> =
            projection.edges(network.dt_ms, 0, &|_| Err("this network needs no file".into())).expect("it is right");
        let weights: Vec<f32> = (0..edges.len()).map(|synapse| edges.weights.get(synapse)).collect();
        let delays = Delays::from(edges.delays);
        let longest = delays.bounds().map_or(0, |[_, most]| usize::from(most) + 1);
        if !projection.instant {
            memory[projection.from] = memory[projection.from].max(longest);
        }
        projections.push(Projection {
            from: projection.from,
            output: 0,
            to: projection.to,
            target: projection.target,
            synapses: Arc::new(Synapses { begins: edges.begins, targets: edges.targets, delays }),
            weights: Numbers::copy_of(&weights),
            trained: projection.trained,
            instant: projection.instant,
        });
    }
    let synapses = projections.iter().map(|projection| projection.weights.len()).sum();
    let levels = network.levels().expect("it is right");
    let population = |((population, memory), level): ((&bd_networks::Population, &usize), usize)| {
        let (sender, targets) = match &population.source {
            Source::Neurons(neurons) => {
                let constants = neurons.model.constants(network.dt_ms).expect("it is right");
                let program = neurons.model.program_of(&neurons.targets, &[Sent::Output], &constants).compiled(compile);
                let kernel = GraphKernel::new(population.n, Arc::new(program));
                (Sender::Units(Arc::new(kernel)), neurons.targets.len())
            }
            _ => (Sender::Input, 0),
        };
        let (n, memory) = (population.n, *memory);
        Population { n, sender, targets, outputs: 1, spikes: true, drive: None, noise: Vec::new(), level, memory }
    };
    let populations: Vec<Population> = network.populations.iter().zip(&memory).zip(levels).map(population).collect();
    let output = network.populations.iter().position(|population| matches!(population.source, Source::Neurons(_)));
    (NetworkKernel::new(populations, projections, output.expect("there are neurons")), memory, synapses)
}

fn main() {
    let (mut lanes, mut steps, mut rounds, mut compile, mut file) = (16, 50, 9, Compile::Never, None);
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse().ok()).expect("a number");
        match &arg[..] {
            "--lanes" => lanes = number(),
            "--steps" => steps = number(),
            "--rounds" => rounds = number(),
            "--compile" => compile = Compile::IfFound,
            "--json" => drop(args.next()),
            _ => file = Some(arg),
        }
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let file = file.unwrap_or(format!("{root}/scripts/peers/coba.toml"));
    let text = std::fs::read_to_string(&file).expect("a network");
    let network = Network::parse(&text).expect("it is right");
    let (kernel, memory, synapses) = kernel(&network, compile);
    let kernel: &dyn Kernel<f32> = &kernel;
    let tile = Tile { steps, lanes, keep: true, instructions: Instructions::best(), first_step: 0, first_sample: 0 };
    let (sizes, len) = (kernel.sizes(), tile.len());
    let mut rng = Rng::new(0, "inputs");
    let spike = |_| f32::from(u8::from(rng.uniform() < RATE_HZ * network.dt_ms / MS));
    let xs: Vec<f32> = (0..sizes.n_in * len).map(spike).collect();
    let (mut ys, gys) = (vec![0.0; sizes.n_out * len], vec![1.0; sizes.n_out * len]);
    let (mut kept, mut work) = (vec![0.0; kernel.n_kept(steps) * lanes], vec![0.0; sizes.n_work * len]);
    let mut state: Vec<f32> = initial(&network, &memory).into_iter().flat_map(|x| vec![x as f32; lanes]).collect();
    // After a while, when it is as active as it will be.
    for _ in 0..400 / steps {
        kernel.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
    }
    let begin = state.clone();
    let (mut forward, mut adjoint) = (Vec::new(), Vec::new());
    let mut params = vec![0.0; sizes.n_params];
    for _ in 0..rounds {
        state.copy_from_slice(&begin);
        let now = Instant::now();
        kernel.forward(tile, Input::Dense(&xs), &mut state, &mut ys, &mut kept, &mut work);
        forward.push(now.elapsed().as_secs_f64());
        state.fill(0.0);
        params.fill(0.0);
        let now = Instant::now();
        let grads = Grads { ys: &gys, state: &mut state, xs: &mut [], params: &mut params };
        kernel.backward(tile, Input::Dense(&xs), &mut kept, &mut work, grads);
        adjoint.push(now.elapsed().as_secs_f64());
    }
    let mut figures = Figures::new("training", 1);
    let mut least = |name: &str, seconds: &[f64]| figures.add(name, seconds).least;
    let (forward, adjoint) = (least("forward", &forward), least("adjoint", &adjoint));
    let rate = ys.iter().sum::<f32>() as f64 / ys.len() as f64 * MS / network.dt_ms;
    let of_synapse = |seconds: f64| 1e9 * seconds / (synapses as f64 * len as f64);
    let sum: f64 = params.iter().map(|g| f64::from(*g)).sum();
    println!(
        "{synapses} synapses, {lanes} samples, {steps} steps, {rate:.1} Hz: forward {:.2} ms ({:.3} ns), adjoint {:.2} ms ({:.3} ns), both {:.2} ms; sum of gradients {sum:.6}",
        1e3 * forward,
        of_synapse(forward),
        1e3 * adjoint,
        of_synapse(adjoint),
        1e3 * (forward + adjoint)
    );
    figures.write();
}
