//! What a [`System`] promises, as numbers: its scan equals its steps, and its gradients are those of differences.
//!
//! A [`Trial`] lets a system run on random numbers and gives everything that comes out, gradients too; [`compare`] says how far
//! two such lists are apart. The feature `testing` has assertions of these; [`report`] makes rows of a table of them.

mod compare;
pub mod report;

use tch::{Device, Kind, Tensor};

pub use compare::{Difference, Size, compare, difference, gradients};

use crate::inputs::Inputs;
use crate::params::Params;
use crate::rng::Rng;
use crate::shared::{Phase, Shared};
use crate::spikes::Spikes;
use crate::state::StateTree;
use crate::system::{System, scan_by_step};
use crate::tap::Tap;
use compare::GRADIENT;

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

/// Sizes and numbers of a [`Trial`].
#[derive(Debug, Clone, Copy)]
pub struct ScanCase {
    /// Number of steps.
    pub time: i64,
    /// Number of sequences.
    pub batch: i64,
    /// Dtype and device.
    pub on: (Kind, Device),
    /// Largest difference allowed, relative to the largest entry of the reference.
    pub tolerance: f64,
    /// Seed of inputs and weights of the loss.
    pub seed: u64,
}

impl ScanCase {
    /// Random sizes: up to 40 steps, and a batch that fills no tile, a few, or the wide ones that large batches get.
    pub fn random(seed: u64, on: (Kind, Device), tolerance: f64) -> Self {
        let mut rng = Rng::new(seed, "sizes");
        let mut between = |from: u64, to: u64| (from + rng.bits() % (to - from + 1)) as i64;
        let (from, to) = [(1, 9), (10, 40), (128, 140), (256, 270)][between(0, 3) as usize];
        Self { time: between(1, 40), batch: between(from, to), on, tolerance, seed }
    }
}

/// What a scan is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Numbers, whose gradient is asked for.
    Dense,
    /// Numbers that are almost all zero, whose gradient is not asked for: a scan may pass over them.
    Sparse,
    /// A list of spikes.
    Spikes,
}

/// Which states a scan records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// None.
    Nothing,
    /// Some of them, by the seed.
    Some,
    /// All of them.
    All,
}

/// How a scan is called. It may do its work differently in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Training or evaluation.
    pub phase: Phase,
    /// The states that are recorded.
    pub record: Recorded,
    /// What it is fed.
    pub form: Form,
}

impl Way {
    /// Those in which a scan must equal its steps.
    pub const ALL: [Self; 7] = [
        Self { phase: Phase::Predict, record: Recorded::Some, form: Form::Dense },
        Self { phase: Phase::Fit, record: Recorded::All, form: Form::Dense },
        Self { phase: Phase::Predict, record: Recorded::Nothing, form: Form::Dense },
        Self { phase: Phase::Fit, record: Recorded::Nothing, form: Form::Dense },
        Self { phase: Phase::Fit, record: Recorded::Nothing, form: Form::Sparse },
        Self { phase: Phase::Fit, record: Recorded::Nothing, form: Form::Spikes },
        Self { phase: Phase::Predict, record: Recorded::All, form: Form::Spikes },
    ];
}

/// A system on random numbers that depend on the seed alone: with a clock that does not begin at 0, a step that is not 1, a key of its
/// own and a state that is not the initial one, so that a scan that forgets one of them is found out.
#[derive(Debug)]
pub struct Trial<'a, S: System> {
    /// What runs.
    pub system: &'a S,
    /// Its parameters.
    pub params: &'a Params,
    /// Sizes, dtype, device and seed.
    pub case: ScanCase,
    /// How.
    pub way: Way,
}

/// What a trial begins with.
struct Start<S> {
    xs: Tensor,
    spikes: Option<Spikes>,
    state: S,
    /// What of the initial state is trained, as it is now.
    trained: Named,
    /// Draws the weights of the loss.
    rng: Rng,
}

impl<S: System> Trial<'_, S> {
    /// What the system's scan gives: outputs, final state, states over time if they are recorded, and the gradients of a loss over all of
    /// it by the input, the state before the first step and every parameter.
    pub fn by_scan(&self) -> Named {
        self.everything(Self::scan)
    }

    /// The same of [`scan_by_step`], the definition.
    pub fn by_step(&self) -> Named {
        self.everything(Self::step)
    }

    /// The gradients of [`by_scan`](Self::by_scan) as central differences. In float64, for what is smooth.
    pub fn by_differences(&self) -> Named {
        // Before the graph is off, for it says what of the initial state is trained.
        let start = self.start(1.0);
        let _guard = tch::no_grad_guard();
        let loss = || self.loss(&start, &self.outputs(&start, Self::scan)).double_value(&[]);
        let inputs = self.inputs(&start).into_iter();
        inputs.map(|(name, input)| (GRADIENT.to_owned() + &name, central_differences(loss, &input))).collect()
    }

    /// What steps give, without gradients, where all that the system is ever fed is `scale` times as large.
    pub fn scaled(&self, scale: f64) -> Named {
        let _guard = tch::no_grad_guard();
        self.outputs(&self.start(scale), Self::step)
    }

    fn sha(&self) -> Shared {
        let sha = Shared::new(0.1).ahead(7).samples_ahead(3).in_phase(self.way.phase);
        Shared { key: self.case.seed.wrapping_add(0x5eed), ..sha }
    }

    fn scan(&self, start: &Start<S::State>, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        let inputs = start.spikes.as_ref().map_or_else(|| Inputs::of_steps(&start.xs), Inputs::from);
        self.system.scan(&self.sha(), &inputs, s, tap)
    }

    fn step(&self, start: &Start<S::State>, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        scan_by_step(self.system, &self.sha(), &start.xs, s, tap)
    }

    fn start(&self, scale: f64) -> Start<S::State> {
        let (system, case) = (self.system, self.case);
        let mut rng = Rng::new(case.seed, "testing");
        let mut normal = |shape: &[i64]| rng.tensor(shape, case.on, Rng::normal) * scale;
        let initial = system.init_state(case.batch, case.on);
        let mut trained = initial.named();
        trained.retain(|(_, t)| t.requires_grad());
        let trained = trained.into_iter().map(|(name, t)| (name, t.detach().copy())).collect();
        // A state that is not the initial one, reached by a few steps.
        let lead = normal(&[3, case.batch, system.n_in()]);
        let (_, state) = scan_by_step(system, &self.sha(), &lead, initial, &mut Tap::none());
        let state = state.map(&mut |t| {
            let leaf = t.detach().copy();
            if leaf.is_floating_point() { leaf.set_requires_grad(true) } else { leaf }
        });
        let shape = [case.time, case.batch, system.n_in()];
        let spikes = (self.way.form == Form::Spikes).then(|| {
            let shape = shape.map(|n| n as usize);
            Spikes::draw(shape, case.on, 0.05, &mut Rng::new(case.seed, "spikes")).expect("a probability")
        });
        let xs = match self.way.form {
            Form::Dense => normal(&shape).set_requires_grad(true),
            Form::Sparse => {
                let kept = Rng::new(case.seed, "kept").tensor(&shape, case.on, |rng| f64::from(rng.uniform() < 0.05));
                normal(&shape) * kept
            }
            Form::Spikes => spikes.as_ref().expect("they were drawn").to_dense() * scale,
        };
        Start { xs, spikes, state, trained, rng }
    }

    /// The state before the first step, with what is trained of the initial state in the graph: the same numbers, as long as the
    /// parameters are the same.
    fn state(&self, start: &Start<S::State>) -> S::State {
        if start.trained.is_empty() {
            return start.state.share();
        }
        let initial = self.system.init_state(self.case.batch, self.case.on).named();
        let of = |all: &Named, name: &str| all.iter().find(|(known, _)| known == name).map(|(_, t)| t.shallow_clone());
        let moved = start.state.try_map("", &mut |name, t| {
            Ok(match (of(&initial, name), of(&start.trained, name)) {
                (Some(now), Some(before)) => t + (now - before),
                _ => t.shallow_clone(),
            })
        });
        moved.expect("nothing fails here")
    }

    /// What gradients are taken by.
    fn inputs(&self, start: &Start<S::State>) -> Named {
        let mut inputs = vec![("input".to_owned(), start.xs.shallow_clone())];
        inputs.extend(start.state.named().into_iter().map(|(name, t)| (format!("initial {name}"), t)));
        inputs.extend(self.params.trainable());
        inputs.retain(|(_, t)| t.requires_grad());
        inputs
    }

    fn outputs(
        &self,
        start: &Start<S::State>,
        scan: impl Fn(&Self, &Start<S::State>, S::State, &mut Tap) -> (Tensor, S::State),
    ) -> Named {
        let mut rng = Rng::new(self.case.seed, "recorded");
        let mut is_recorded = || match self.way.record {
            Recorded::Nothing => false,
            Recorded::Some => rng.uniform() < 0.5,
            Recorded::All => true,
        };
        let names = start.state.named().into_iter().map(|(name, _)| name).filter(|_| is_recorded());
        let mut tap = Tap::new(names);
        let (ys, last) = scan(self, start, self.state(start), &mut tap);
        let mut outputs = vec![("output".to_owned(), ys)];
        outputs.extend(last.named().into_iter().map(|(name, t)| (format!("final {name}"), t)));
        let taps = tap.finish().expect("what is wanted is recorded");
        outputs.extend(taps.into_iter().map(|(name, t)| (format!("trace of {name}"), t)));
        outputs
    }

    /// A loss with a weight of its own for every number that a scan gives.
    fn loss(&self, start: &Start<S::State>, outputs: &Named) -> Tensor {
        let (mut rng, on) = (start.rng.clone(), self.case.on);
        let mut weighted = |t: &Tensor| (t.to_kind(on.0) * rng.tensor(&t.size(), on, Rng::normal)).sum(on.0);
        let parts: Vec<Tensor> = outputs.iter().map(|(_, t)| weighted(t)).collect();
        parts.into_iter().reduce(|a, b| a + b).expect("a scan has outputs")
    }

    fn everything(&self, scan: impl Fn(&Self, &Start<S::State>, S::State, &mut Tap) -> (Tensor, S::State)) -> Named {
        let start = self.start(1.0);
        let mut all = self.outputs(&start, scan);
        let loss = self.loss(&start, &all);
        if loss.requires_grad() {
            let inputs = self.inputs(&start);
            let tensors: Vec<_> = inputs.iter().map(|(_, t)| t).collect();
            let gradients = Tensor::run_backward(&[&loss], &tensors, false, false);
            for ((name, input), gradient) in inputs.iter().zip(gradients) {
                let gradient = if gradient.defined() { gradient } else { input.zeros_like() };
                all.push((GRADIENT.to_owned() + name, gradient));
            }
        }
        all.into_iter().map(|(name, t)| (name, t.detach())).collect()
    }
}

/// Central differences of `f` by every entry of `at`, in float64: each is moved in place, where `f` sees it, and put back.
pub fn central_differences(f: impl Fn() -> f64, at: &Tensor) -> Tensor {
    let _guard = tch::no_grad_guard();
    // The step that balances truncation (h^2) against rounding (eps / h) for values of order one.
    let step = 6e-6;
    let size = at.size();
    let quotient = |entry: i64| {
        // A view, whatever the strides are.
        let (mut view, mut left) = (at.shallow_clone(), entry);
        for rest in (0..size.len()).map(|dim| size[dim + 1..].iter().product::<i64>()) {
            view = view.get(left / rest);
            left %= rest;
        }
        let here = view.double_value(&[]);
        let mut moved = |value: f64| {
            let _ = view.fill_(value);
            f()
        };
        let slope = (moved(here + step) - moved(here - step)) / (2.0 * step);
        let _ = view.fill_(here);
        slope
    };
    let slopes: Vec<f64> = (0..at.numel() as i64).map(quotient).collect();
    Tensor::from_slice(&slopes).reshape(&size).to_device(at.device())
}

/// Adds normal numbers of deviation 0.5 to every vector among the parameters: what begins at zero (biases, initial states) or is the same
/// for all units hides what is wrong with it.
pub fn vary_vectors(params: &Params, seed: u64) {
    let _guard = tch::no_grad_guard();
    let mut rng = Rng::new(seed, "vectors");
    for (_, mut vector) in params.named().into_iter().filter(|(_, value)| value.dim() == 1) {
        vector += rng.tensor(&vector.size(), params.on(), |rng| 0.5 * rng.normal());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `sum(i x_i^2)` by a transposed matrix, whose entries do not lie in order: `2 i x_i`, and everything is as before.
    #[test]
    fn differences_are_of_every_entry_and_leave_it_as_it_was() {
        let x = Tensor::from_slice(&[0.5, -1.0, 2.0, 0.25, 3.0, -0.75]).reshape([3, 2]).transpose(0, 1);
        let i = Tensor::arange(6, (Kind::Double, Device::Cpu)).reshape([2, 3]);
        let before = x.copy();
        let found = central_differences(|| (&i * x.square()).sum(Kind::Double).double_value(&[]), &x);
        assert!(!difference("slopes", &found, &(&i * &before * 2.0)).exceeds(1e-9));
        assert_eq!(x, before);
    }
}
