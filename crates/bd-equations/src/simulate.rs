//! [`Trajectory`], [`Response`]: what one neuron does to given inputs, in float64.

use bd_kernel::Num;

use crate::check::Draw;
use crate::error::Result;
use crate::model::{Initial, Model};

/// Most steps of one run, so that a step of a nanosecond ends as well.
const MOST_STEPS: usize = 20_000;

/// Levels of input that are tried, where 1 is the value of `inputs`.
const LEVELS: [f64; 11] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 64.0, 256.0, 1024.0];

/// States and spikes of one neuron over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// `[step][state]` after each step, in the order of [`Model::states`].
    pub states: Vec<Vec<f64>>,
    /// Steps, from 0, in which it spikes.
    pub spikes: Vec<usize>,
}

/// What a neuron does when a constant input sets in.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The length of a step.
    pub dt_ms: f64,
    /// The input of every port from `onset` on, in multiples of the value of `inputs`; before it is 0.
    pub level: f64,
    /// The first step with input.
    pub onset: usize,
    /// What it does.
    pub trajectory: Trajectory,
}

impl Model {
    /// States and held numbers of one neuron before its first step. Random numbers are their means.
    pub fn initial(&self) -> Vec<f64> {
        let mean = |initial: &Initial| initial.value(|draw| if draw == Draw::Uniform { 0.5 } else { 0.0 });
        let states = self.states().iter().map(|state| mean(&state.initial));
        states.chain(self.held().iter().map(|held| mean(&held.initial))).collect()
    }

    /// A run from [`initial`](Self::initial), in which all ports get the same input at each step.
    pub fn simulate(&self, dt_ms: f64, inputs: impl IntoIterator<Item = f64>) -> Result<Trajectory> {
        let constants = self.constants(dt_ms)?;
        let (moving, mut s) = (self.states().len(), self.initial());
        let mut found = Trajectory { states: Vec::new(), spikes: Vec::new() };
        for (step, input) in inputs.into_iter().enumerate() {
            let mut fired = false;
            let (_, next) = self.step(&constants, &vec![input; self.ports().len()], &s, |distance: f64| {
                fired = distance >= 0.0;
                distance.heaviside()
            });
            let spike = self.states().iter().position(|state| state.name == "spike");
            if fired && spike.is_none_or(|spike| next[spike] > 0.0) {
                found.spikes.push(step);
            }
            s[..moving].copy_from_slice(&next);
            found.states.push(next);
        }
        Ok(found)
    }

    /// 200 ms, in which an input sets in after 20 ms: the least of 1, 1.5, 2, 3, ... 1024 times the value of `inputs` at which it
    /// spikes twice; 1 if none does, or if it has no threshold.
    pub fn response(&self, dt_ms: f64) -> Result<Response> {
        let (steps, onset) = (steps(200.0, dt_ms), steps(20.0, dt_ms));
        let at = |level: f64| -> Result<Response> {
            let inputs = (0..steps).map(|step| if step < onset { 0.0 } else { level });
            Ok(Response { dt_ms, level, onset, trajectory: self.simulate(dt_ms, inputs)? })
        };
        let levels = if self.surrogate().is_some() { &LEVELS[..] } else { &[] };
        for level in levels {
            let response = at(*level)?;
            if response.trajectory.spikes.iter().filter(|step| **step >= onset).count() >= 2 {
                return Ok(response);
            }
        }
        at(1.0)
    }
}

/// Steps of `dt_ms` in a time, 1 to 20,000.
pub(crate) fn steps(time_ms: f64, dt_ms: f64) -> usize {
    // What is no number is 0 here.
    ((time_ms / dt_ms).round() as usize).clamp(1, MOST_STEPS)
}
