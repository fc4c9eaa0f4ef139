//! [`Ensemble`]: networks side by side whose outputs are averaged.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::fused::{Fused, Processor};
use crate::inputs::Inputs;
use crate::shared::Shared;
use crate::stack::Stack;
use crate::state::{StateTree, join};
use crate::system::System;
use crate::tap::Tap;

/// Systems of the same sizes that see the same input; the output is the mean of theirs.
///
/// Members that were trained apart, from other initial weights and on other samples, err differently, and the mean of their outputs
/// errs less (Hansen and Salamon, "Neural network ensembles", IEEE PAMI 1990). Each member is a system of its own, which is how it
/// is trained: see [`members`](Self::members).
///
/// Of several members, states are called by their numbers from 1, as in `2.r.h`. One member alone is that system: same names, same
/// numbers, same kernel.
#[derive(Debug)]
pub struct Ensemble<S = Stack> {
    members: Vec<S>,
}

/// State of an [`Ensemble`]: one for each member.
#[derive(Debug)]
pub struct EnsembleState<A>(Vec<A>);

/// The name of member `i`, counted from 0, of `count`: what its states and parameters are called by, nothing where it is alone.
pub fn member_name(i: usize, count: usize) -> String {
    if count == 1 { String::new() } else { (i + 1).to_string() }
}

/// What a member is given of the shared arguments: one alone what the ensemble is given.
fn within(sha: &Shared, name: &str) -> Shared {
    if name.is_empty() { *sha } else { sha.within(name) }
}

impl<A: StateTree> StateTree for EnsembleState<A> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        for (i, state) in self.0.iter().enumerate() {
            state.visit(&join(path, &member_name(i, self.0.len())), f);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let map = |(i, state): (usize, &A)| state.try_map(&join(path, &member_name(i, self.0.len())), f);
        self.0.iter().enumerate().map(map).collect::<Result<_>>().map(Self)
    }
}

impl<S: System> Ensemble<S> {
    /// Of these members. Fails if there is none, or if their sizes differ.
    pub fn new(members: Vec<S>) -> Result<Self> {
        let Some(first) = members.first() else {
            return Err(Error::Config("an ensemble needs at least one member".into()));
        };
        let sizes = |member: &S| (member.n_in(), member.n_out());
        if let Some(other) = members.iter().find(|member| sizes(member) != sizes(first)) {
            let ((n_in, n_out), (other_in, other_out)) = (sizes(first), sizes(other));
            return Err(Error::Config(format!(
                "members of an ensemble have as many inputs and outputs as each other, but one has {n_in} and {n_out}, another \
                 {other_in} and {other_out}"
            )));
        }
        Ok(Self { members })
    }

    /// The members, in order.
    pub fn members(&self) -> &[S] {
        &self.members
    }

    fn mean(&self, outputs: impl Iterator<Item = Tensor>) -> Tensor {
        let sum = outputs.reduce(|sum, output| sum + output).expect("there is a member");
        if self.members.len() == 1 { sum } else { sum / self.members.len() as f64 }
    }
}

impl<S: System> System for Ensemble<S> {
    type State = EnsembleState<S::State>;

    fn n_in(&self) -> i64 {
        self.members[0].n_in()
    }

    fn n_out(&self) -> i64 {
        self.members[0].n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.members[0].on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State {
        EnsembleState(self.members.iter().map(|member| member.init_state(batch, on)).collect())
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State) {
        let count = self.members.len();
        let steps = self.members.iter().zip(&s.0).enumerate();
        let (outputs, states): (Vec<_>, Vec<_>) =
            steps.map(|(i, (member, state))| member.step(&within(sha, &member_name(i, count)), x, state)).unzip();
        (self.mean(outputs.into_iter()), EnsembleState(states))
    }

    /// One member after the other, each by its kernel.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: Self::State, tap: &mut Tap) -> (Tensor, Self::State) {
        let count = self.members.len();
        let mut states = Vec::with_capacity(count);
        let outputs = self.members.iter().zip(s.0).enumerate().map(|(i, (member, state))| {
            let name = member_name(i, count);
            let (output, state) = tap.within(&name, |tap| member.scan(&within(sha, &name), inputs, state, tap));
            states.push(state);
            output
        });
        let mean = self.mean(outputs);
        (mean, EnsembleState(states))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        if self.members.len() == 1 { self.members[0].kernel(sha, processor) } else { None }
    }

    fn after_update(&self, updates: u64) {
        self.members.iter().for_each(|member| member.after_update(updates));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;
    use crate::rng::Rng;
    use crate::testing::{ScanCase, assert_close, assert_scan_is_steps};

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    /// `y_t = s_t = w s_(t-1) + x_t`.
    #[derive(Debug)]
    struct Leak(Tensor);

    #[derive(Debug)]
    struct Held(Tensor);

    impl StateTree for Held {
        fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
            f(&join(path, "s"), &self.0);
        }
        fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
            f(&join(path, "s"), &self.0).map(Self)
        }
    }

    impl System for Leak {
        type State = Held;
        fn n_in(&self) -> i64 {
            self.0.size()[0]
        }
        fn n_out(&self) -> i64 {
            self.n_in()
        }
        fn init_state(&self, batch: i64, on: (Kind, Device)) -> Held {
            Held(Tensor::zeros([batch, self.n_in()], on))
        }
        fn step(&self, _sha: &Shared, x: &Tensor, s: &Held) -> (Tensor, Held) {
            let next = &s.0 * &self.0 + x;
            (next.shallow_clone(), Held(next))
        }
    }

    /// Members with parameters of their own, under the names of an ensemble.
    fn ensemble(count: usize) -> (Params, Ensemble<Leak>) {
        let mut all = Params::new(1, ON);
        let members = (0..count)
            .map(|i| {
                let mut own = Params::new(i as u64, ON);
                let weight = own.at("r").param("w", |rng| rng.tensor(&[2], ON, Rng::uniform)).unwrap();
                all.adopt(&member_name(i, count), own).unwrap();
                Leak(weight)
            })
            .collect();
        (all, Ensemble::new(members).unwrap())
    }

    #[test]
    fn scan_is_steps() {
        for count in [1, 2, 3] {
            let (params, ensemble) = ensemble(count);
            assert_scan_is_steps(&ensemble, &params, ScanCase::random(count as u64, ON, 1e-13));
        }
    }

    /// The output is the mean of what the members say by themselves; parts of the parameters are the members' own.
    #[test]
    fn the_output_is_the_mean() {
        let (params, ensemble) = ensemble(3);
        let names: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["1.r.w", "2.r.w", "3.r.w"]);
        let states: Vec<String> = ensemble.init_state(1, ON).named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(states, ["1.s", "2.s", "3.s"]);
        let (xs, sha) = (Rng::new(0, "x").tensor(&[5, 4, 2], ON, Rng::normal), Shared::new(1.0));
        let scan = |system: &dyn Fn(&Inputs) -> Tensor| system(&Inputs::Dense(xs.shallow_clone()));
        let whole = scan(&|xs| ensemble.scan(&sha, xs, ensemble.init_state(4, ON), &mut Tap::none()).0);
        let one = |leak: &Leak| scan(&|xs| leak.scan(&sha, xs, leak.init_state(4, ON), &mut Tap::none()).0);
        let mean = ensemble.members().iter().map(one).reduce(|a, b| a + b).unwrap() / 3.0;
        assert_close("outputs", &whole, &mean, 1e-15);
        let part = params.part("2");
        assert_eq!(part.named()[0].0, "r.w");
        assert!(part.named()[0].1.equal(&params.named()[1].1) && params.part("").named().len() == 3);
        tch::no_grad(|| part.load(&[("r.w".into(), Tensor::zeros([2], ON))])).unwrap();
        assert_eq!(params.get("2.r.w").unwrap().abs().sum(Kind::Double).double_value(&[]), 0.0);
    }

    #[test]
    fn one_member_alone_is_that_system() {
        let (params, ensemble) = ensemble(1);
        assert_eq!(params.named()[0].0, "r.w");
        assert_eq!(ensemble.init_state(1, ON).named()[0].0, "s");
    }

    #[test]
    fn members_are_of_one_size() {
        assert!(Ensemble::<Leak>::new(vec![]).is_err());
        let leak = |n| Leak(Tensor::ones([n], ON));
        let error = Ensemble::new(vec![leak(2), leak(3)]).unwrap_err().to_string();
        assert!(error.contains("2 and 2") && error.contains("3 and 3"), "{error}");
        let mut params = Params::new(0, ON);
        let part = || {
            let mut part = Params::new(0, ON);
            let _ = part.at("r").param("w", |_| Tensor::ones([1], ON)).unwrap();
            part
        };
        params.adopt("1", part()).unwrap();
        assert!(params.adopt("1", part()).unwrap_err().to_string().contains("1.r.w"));
    }
}
