//! What a simulation leaves in its folder.

use bd_core::Result;
use bd_core::files::write_atomic;
use bd_core::npz::save_npz;
use tch::Tensor;

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
