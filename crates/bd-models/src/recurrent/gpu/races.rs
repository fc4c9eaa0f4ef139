//! Do threads wait for each other wherever one reads what another writes? Emulated kernels refuse a race; here they run on all kinds of
//! shares, and are seen to need each of their waits.

use bd_core::kernel::Processor;
use bd_core::testing::emulated_without_nvrtc;
use bd_core::{Error, Shared, System};
use tch::Device;

use super::tests::TwoPhases;
use super::*;
use crate::{Lif, LifConfig};

mod sanitizer;

const STEPS: usize = 4;
const SAMPLES: usize = 9;
/// So that teams work on several groups of samples in turn.
const TEAMS: usize = 2;
/// Units of the cell, no multiple of those that are read at once.
const N: usize = 13;

/// How work is shared out among members, samples and bytes: blocks alone and teams, steps at once and in pieces.
#[derive(Debug, Clone, Copy)]
struct Way {
    which: (usize, usize, bool),
    bytes: usize,
}

const WAYS: [Way; 4] = [
    Way { which: (1, 4, true), bytes: 4000 },
    Way { which: (3, 2, true), bytes: 4000 },
    Way { which: (3, 2, true), bytes: 1800 },
    Way { which: (1, 2, true), bytes: 2800 },
];

/// One direction of a cell of two phases.
fn of_teams(way: Way, forward: bool) -> (String, Launch, usize) {
    let cell = RecurrentOnGpu::cell(TwoPhases, N);
    let products = cell.products(forward);
    let problem = Problem { units: N, samples: SAMPLES, products: &products, bytes: 4 };
    let limits = GpuLimits { processors: 6, bytes: way.bytes, products: 128 };
    let layout = TeamLayout::with(problem, limits, way.which).expect("there is memory for it");
    let launch = Launch {
        blocks: TEAMS * layout.members,
        threads: layout.threads,
        shared_bytes: layout.bytes,
        together: layout.members > 1,
    };
    (cell.text(&layout, Kind::Float, forward).unwrap(), launch, cell.facts.inputs())
}

/// Units that spike, whose rows of the weight are gathered.
fn of_spikes(n: usize) -> (String, Launch, usize) {
    let units = Lif::new(n as i64, &LifConfig::default()).unwrap().kernel(&Shared::new(1.0), Processor::Gpu).unwrap();
    let units = units.on_gpu().unwrap().remove(0).0.formula().unwrap();
    let leaves = units.facts().reads.len();
    (gathered::text(units.as_ref(), n, Kind::Float).unwrap(), gathered::launch(n, SAMPLES, Kind::Float), leaves)
}

/// All that kernels may read and write: numbers that are all the same and harmless.
struct Memory(Vec<Tensor>);

impl Memory {
    fn of(&mut self, numbers: usize) -> &Tensor {
        self.0.push(Tensor::full([numbers as i64], 0.25, (Kind::Float, Device::Cpu)));
        &self.0[self.0.len() - 1]
    }

    fn numbers(&mut self, numbers: usize) -> Value {
        Value::from(self.of(numbers))
    }

    fn leaves(&mut self, leaves: usize, numbers: usize) -> Value {
        let from = self.0.len();
        (0..leaves).for_each(|_| _ = self.of(numbers));
        Value::leaves(self.0[from..].iter().map(Some))
    }

    fn counters(&mut self) -> Value {
        self.0.push(Tensor::zeros([TEAMS as i64 * 32], (Kind::Int, Device::Cpu)));
        Value::from(self.0.last())
    }
}

/// Runs a kernel of this text: `forward`, `backward` or `gathered`, of `n` units with so many inputs and leaves.
fn run(kernel: &str, text: String, launch: Launch, [n, inputs, leaves]: [usize; 3]) -> Result<()> {
    let (series, leaf) = (STEPS * SAMPLES * n, SAMPLES * n);
    let mut memory = Memory(Vec::new());
    let m = &mut memory;
    let none = || Value::from(None::<&Tensor>);
    let mut values = vec![Value::from(STEPS), Value::from(SAMPLES)];
    if kernel == "backward" {
        values.extend([
            m.numbers(n * n * inputs),
            m.numbers(series * inputs),
            none(),
            m.leaves(leaves, series),
            none(),
        ]);
        values.extend([m.numbers(series), m.leaves(leaves, leaf), m.numbers(leaf)]);
        values.extend([m.leaves(leaves, series), m.numbers(series), m.numbers(series * inputs)]);
        values.extend([m.leaves(leaves, leaf), m.numbers(leaf), none(), none(), m.counters()]);
    } else {
        let is_gathered = kernel == "gathered";
        values.extend([m.numbers(series * inputs), m.numbers(n * n * inputs), none(), m.leaves(leaves, leaf)]);
        values.extend([m.numbers(leaf), m.leaves(leaves, leaf), m.numbers(leaf), m.numbers(series)]);
        values.extend((!is_gathered).then(|| m.numbers(series)));
        values.extend([m.numbers(series * inputs), m.leaves(leaves, series)]);
        values.extend([if is_gathered { m.numbers(series) } else { none() }]);
        values.extend([m.leaves(leaves, series), m.numbers(series)]);
        if !is_gathered {
            values.extend([none(), m.counters()]);
        }
    }
    let gpu = emulated_without_nvrtc(launch.shared_bytes, launch.blocks);
    let program = gpu.program(kernel, || Ok(text))?;
    // SAFETY: values as the three texts declare them, each of the size that they say.
    unsafe { program.launch(kernel, launch, &values) }
}

fn run_teams(way: Way, forward: bool, change: impl Fn(String) -> String) -> Result<()> {
    let (text, launch, inputs) = of_teams(way, forward);
    run(if forward { "forward" } else { "backward" }, change(text), launch, [N, inputs, 1])
}

#[test]
fn no_thread_reads_what_another_is_writing() {
    for forward in [true, false] {
        for way in WAYS {
            run_teams(way, forward, |text| text).unwrap_or_else(|error| panic!("forward {forward}, {way:?}: {error}"));
        }
    }
}

#[test]
fn gathering_spikes_has_no_race() {
    let n = 40;
    let (text, launch, leaves) = of_spikes(n);
    run("gathered", text, launch, [n, 1, leaves]).unwrap();
}

/// Each place in which threads wait, and each fence, is there for a reason: without it there is a race, and it is found.
#[test]
fn without_waiting_there_are_races() {
    for forward in [true, false] {
        for what in ["__syncthreads();", "__threadfence();"] {
            let count = [TEAMS_TEXT, if forward { FORWARD } else { BACKWARD }].concat().matches(what).count();
            assert!(count > 0, "{what}");
            for left_out in 0..count {
                let without = |text: String| {
                    let (at, _) = text.match_indices(what).nth(left_out).expect("it is there");
                    [&text[..at], &text[at + what.len()..]].concat()
                };
                let is_race = |way: &Way| match run_teams(*way, forward, without) {
                    Ok(()) => false,
                    Err(Error::Gpu(message)) if message.contains("data race") => true,
                    Err(other) => panic!("{other}"),
                };
                assert!(
                    WAYS.iter().any(is_race),
                    "without {what} number {left_out}, forward {forward}, there is no race"
                );
            }
        }
    }
}
