//! What a simulation leaves in its folder.

use bd_core::Result;
use bd_core::files::write_atomic;
use bd_core::npz::save_npz;
use bd_kernel::Real;
use bd_networks::{Network, Simulation};
use tch::Tensor;
use tch::kind::Element;

use super::report::SimulationReport;
use crate::folder::RunFolder;

/// Everything but pictures.
pub(super) fn all(folder: &RunFolder, toml: &str, report: &SimulationReport) -> Result<()> {
    write_atomic(&folder.file("network.toml")?, toml.as_bytes())?;
    save_npz(&folder.file("spikes.npz")?, &spikes(report)?)?;
    if !report.traces.is_empty() {
        save_npz(&folder.file("traces.npz")?, &traces(report)?)?;
    }
    folder.write_json("activity.json", &report.to_json())
}

/// Bytes that [`synapses`] takes of each while it is written: its numbers as tensors, as a member of the file, and in the file.
pub(super) fn bytes_of_a_synapse<F>() -> f64 {
    3.0 * (4 + 4 + size_of::<F>() + size_of::<f64>()) as f64
}

/// `synapses.npz`: who is connected with whom.
pub(super) fn synapses<F: Real + Element>(
    folder: &RunFolder,
    network: &Network,
    simulation: &Simulation<F>,
) -> Result<()> {
    let mut arrays = Vec::new();
    for (at, projection) in network.projections.iter().enumerate() {
        let (name, edges) = (&projection.name, simulation.edges(at));
        let synapses = 0..edges.len();
        let sources: Vec<i32> = edges.sources().map(|source| source as i32).collect();
        let targets: Vec<i32> = edges.targets.iter().map(|target| *target as i32).collect();
        let weights: Vec<F> = synapses.clone().map(|at| edges.weights.get(at)).collect();
        let delays: Vec<f64> = synapses.map(|at| f64::from(edges.delays.get(at)) * network.dt_ms).collect();
        arrays.push((format!("{name}.source"), Tensor::f_from_slice(&sources)?));
        arrays.push((format!("{name}.target"), Tensor::f_from_slice(&targets)?));
        arrays.push((format!("{name}.weight"), Tensor::f_from_slice(&weights)?));
        arrays.push((format!("{name}.delay_ms"), Tensor::f_from_slice(&delays)?));
    }
    save_npz(&folder.file("synapses.npz")?, &arrays)
}

fn spikes(report: &SimulationReport) -> Result<Vec<(String, Tensor)>> {
    let mut arrays = Vec::new();
    for population in &report.populations {
        let Some(spikes) = &population.spikes else { continue };
        let times: Vec<f64> = spikes.iter().map(|(step, _)| *step as f64 * report.dt_ms).collect();
        let neurons: Vec<i64> = spikes.iter().map(|(_, neuron)| i64::from(*neuron)).collect();
        arrays.push((format!("{}.times_ms", population.name), Tensor::f_from_slice(&times)?));
        arrays.push((format!("{}.neurons", population.name), Tensor::f_from_slice(&neurons)?));
    }
    Ok(arrays)
}

fn traces(report: &SimulationReport) -> Result<Vec<(String, Tensor)>> {
    let mut arrays = Vec::new();
    for trace in &report.traces {
        let neurons: Vec<i64> = trace.neurons.iter().map(|neuron| *neuron as i64).collect();
        arrays.push((trace.name.clone(), trace.values.shallow_clone()));
        arrays.push((format!("{}.neurons", trace.name), Tensor::f_from_slice(&neurons)?));
    }
    let times: Vec<f64> = (1..=report.steps).map(|step| step as f64 * report.dt_ms).collect();
    arrays.push(("times_ms".into(), Tensor::f_from_slice(&times)?));
    Ok(arrays)
}
