//! [`SimulationReport`]: what a simulation has found.

use bd_core::Result;
use bd_kernel::Real;
use bd_networks::{Activity, Network, Recording, Source};
use serde_json::{Map, Value, json};
use tch::Tensor;
use tch::kind::Element;

use super::config::Steps;

/// What a simulation has found.
#[derive(Debug)]
pub struct SimulationReport {
    /// Length of a step.
    pub dt_ms: f64,
    /// Steps that were made.
    pub steps: u64,
    /// Those at the beginning that are left out of the statistics.
    pub discarded: u64,
    /// Synapses of all projections.
    pub synapses: usize,
    /// By name.
    pub populations: Vec<PopulationReport>,
    /// By name.
    pub traces: Vec<TraceReport>,
}

/// A population of a simulation.
#[derive(Debug)]
pub struct PopulationReport {
    /// Its name.
    pub name: String,
    /// Its neurons.
    pub n: usize,
    /// Step and neuron of each spike, by step; nothing if they are not kept.
    pub spikes: Option<Vec<(u64, u32)>>,
    /// What they say of the population; nothing if they are not kept, or all steps are left out.
    pub activity: Option<Activity>,
}

/// A state of some neurons after each step.
#[derive(Debug)]
pub struct TraceReport {
    /// `E.v`.
    pub name: String,
    /// Its unit, `mV`.
    pub unit: String,
    /// The neurons.
    pub neurons: Vec<usize>,
    /// Of shape `[neurons, steps]`.
    pub values: Tensor,
}

impl SimulationReport {
    pub(super) fn new<F: Real + Element>(
        network: &Network,
        recording: Recording<F>,
        steps: Steps,
        synapses: usize,
    ) -> Result<Self> {
        let (dt_ms, done) = (network.dt_ms, recording.steps);
        let mut kept = recording.spikes;
        let populations = network.populations.iter().map(|population| {
            let spikes = kept.iter_mut().find(|spikes| spikes.population == population.name);
            let spikes = spikes.map(|spikes| std::mem::take(&mut spikes.spikes));
            let activity = spikes
                .as_ref()
                .filter(|_| done > steps.discarded)
                .map(|spikes| Activity::of(spikes.iter().copied(), population.n, steps.discarded, done, dt_ms));
            PopulationReport { name: population.name.clone(), n: population.n, spikes, activity }
        });
        let populations = populations.collect();
        let mut traces = Vec::new();
        for ((at, state, neurons), trace) in network.traces.iter().zip(recording.traces) {
            let unit = match &network.populations[*at].source {
                Source::Neurons(of) => of.model.states()[*state].dimension.unit(),
                _ => String::new(),
            };
            let values =
                Tensor::f_from_slice(&trace.values.concat())?.f_reshape([neurons.len() as i64, done as i64])?;
            traces.push(TraceReport { name: trace.name, unit, neurons: neurons.clone(), values });
        }
        Ok(Self { dt_ms, steps: done, discarded: steps.discarded, synapses, populations, traces })
    }

    /// What was simulated.
    pub fn duration_ms(&self) -> f64 {
        self.steps as f64 * self.dt_ms
    }

    /// `activity.json`: spikes in the whole time, and statistics of the part that is not left out.
    pub fn to_json(&self) -> Value {
        let populations: Map<String, Value> = self.populations.iter().map(PopulationReport::to_json).collect();
        json!({
            "dt_ms": self.dt_ms, "steps": self.steps, "from_ms": self.discarded as f64 * self.dt_ms,
            "to_ms": self.duration_ms(), "synapses": self.synapses, "populations": populations,
        })
    }
}

impl PopulationReport {
    fn to_json(&self) -> (String, Value) {
        let found = json!({
            "n": self.n,
            "spikes": self.spikes.as_ref().map(Vec::len),
            "rate_hz": self.activity.map(|activity| activity.rate_hz),
            "cv": self.activity.and_then(|activity| activity.cv),
            "synchrony": self.activity.and_then(|activity| activity.synchrony),
        });
        (self.name.clone(), found)
    }
}
