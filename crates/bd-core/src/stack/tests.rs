//! A stack of which not every layer has a kernel: what its layers are given, and that they give the same as step by step.

use std::sync::atomic::{AtomicUsize, Ordering};

use bd_kernel::{NoSpikes, Num, Unit};

use super::*;
use crate::kernel::Units;
use crate::testing::assert_close;
use crate::{Rng, Spikes, scan_by_step};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// `v <- 0.9 v + x`, `y = v`.
#[derive(Debug, Clone, Copy)]
struct Leaky;

impl Unit<1> for Leaky {
    const NAME: &'static str = "leaky";
    const STATES: [&'static str; 1] = ["v"];
    type Constants = ();
    type Surrogate = NoSpikes;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    fn step<N: Num>(&self, _: &(), x: N, [v]: [N; 1], _: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let v = v.scale(0.9) + x;
        (v.clone(), [v])
    }
}

/// How often a layer was scanned from numbers and from spikes, and stepped.
#[derive(Debug, Default)]
struct Counts {
    dense: AtomicUsize,
    spikes: AtomicUsize,
    steps: AtomicUsize,
}

impl Counts {
    fn all(&self) -> [usize; 3] {
        [&self.dense, &self.spikes, &self.steps].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Leaky units that count how they are called, with a kernel or without.
#[derive(Debug)]
struct Watched {
    units: Units<Leaky, 1>,
    fused: bool,
    counts: Arc<Counts>,
}

impl System for Watched {
    type State = <Units<Leaky, 1> as System>::State;

    fn n_in(&self) -> i64 {
        self.units.n_in()
    }

    fn n_out(&self) -> i64 {
        self.units.n_out()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State {
        self.units.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State) {
        self.counts.steps.fetch_add(1, Ordering::Relaxed);
        self.units.step(sha, x, s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Tensor, Self::State) {
        let count = match inputs {
            Inputs::Dense(_) => &self.counts.dense,
            Inputs::Spikes(_) => &self.counts.spikes,
        };
        count.fetch_add(1, Ordering::Relaxed);
        match self.fused {
            true => self.units.scan(sha, inputs, s, tap),
            false => crate::system::inputs_by_step(self, sha, inputs, s, tap),
        }
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        self.fused.then(|| self.units.kernel(sha, processor)).flatten()
    }
}

/// A stack of such layers, and what each has counted.
fn stack(fused: &[bool]) -> (Stack, Vec<Arc<Counts>>) {
    let counts: Vec<Arc<Counts>> = fused.iter().map(|_| Arc::default()).collect();
    let layer = |(i, (fused, counts)): (usize, (&bool, &Arc<Counts>))| {
        let units = Units::new(5, &Leaky).unwrap();
        (format!("l{i}"), DynSystem::new(Watched { units, fused: *fused, counts: Arc::clone(counts) }))
    };
    let layers: Vec<_> = fused.iter().zip(&counts).enumerate().map(layer).collect();
    (Stack::new(layers).unwrap(), counts)
}

const TIME: usize = 40;

/// The outputs of a stack on spikes, which are those step by step, and what its layers have counted on the way.
fn counted(fused: &[bool]) -> Vec<[usize; 3]> {
    let (stack, counts) = stack(fused);
    let spikes = Spikes::draw([TIME, 3, 5], ON, 0.1, &mut Rng::new(0, "spikes")).unwrap();
    let start = || stack.init_state(3, ON);
    let names: Vec<String> = start().named().into_iter().map(|(name, _)| name).collect();
    let mut tap = Tap::new(names.clone());
    let (ys, last) = stack.scan(&Shared::new(1.0), &Inputs::from(&spikes), start(), &mut tap);
    let found = counts.iter().map(|counts| counts.all()).collect();
    let mut by_step = Tap::new(names);
    let (expected, end) = scan_by_step(&stack, &Shared::new(1.0), &spikes.to_dense(), start(), &mut by_step);
    assert_close("outputs", &ys, &expected, 1e-13);
    for ((name, found), (_, expected)) in last.named().iter().zip(end.named()) {
        assert_close(name, found, &expected, 1e-13);
    }
    for ((name, found), (_, expected)) in tap.finish().unwrap().iter().zip(by_step.finish().unwrap()) {
        assert_close(name, found, &expected, 1e-13);
    }
    found
}

#[test]
fn layers_that_have_kernels_are_fused_around_one_that_has_none() {
    // No scan of a layer of its own: the kernel is that of all.
    assert_eq!(counted(&[true, true, true]), [[0; 3]; 3]);
    assert_eq!(counted(&[true, true, false, true, true]), [[0; 3], [0; 3], [1, 0, TIME], [0; 3], [0; 3]]);
}

/// Nothing writes the spikes out for the layers before the one without a kernel, nor for that one where it is the first: its
/// steps are given the numbers of a step.
#[test]
fn spikes_reach_the_first_layer_as_spikes() {
    assert_eq!(counted(&[true, false]), [[0, 1, 0], [1, 0, TIME]]);
    assert_eq!(counted(&[false, true, true]), [[0, 1, TIME], [0; 3], [0; 3]]);
}
