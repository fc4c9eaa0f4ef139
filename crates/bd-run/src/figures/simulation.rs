//! Figures of a simulation: spikes, rates and recorded states of its populations.

use bd_core::Result;
use bd_core::text::plural;
use bd_plot::Figure;
use bd_plot::populations::{Spikes, States, raster, rates, states};

use super::numbers;
use crate::simulate::{SimulationReport, TraceReport};

/// Every figure of a simulation, with the name of its file; one that cannot be made is an error in its place.
pub fn of_simulation(report: &SimulationReport) -> Vec<(String, Result<Figure>)> {
    let duration_ms = report.duration_ms();
    let populations: Vec<Spikes<'_>> = (report.populations.iter())
        .filter_map(|population| {
            let spikes = population.spikes.as_ref()?.iter();
            let spikes = spikes.map(|(step, neuron)| (*step as f64 * report.dt_ms, *neuron)).collect();
            Some(Spikes { name: &population.name, n: population.n, spikes })
        })
        .collect();
    let mut figures = Vec::new();
    if !populations.is_empty() {
        let all = populations.iter().map(|population| population.spikes.len()).sum();
        figures.push(("raster".into(), Ok(raster(&plural(all, "spike"), duration_ms, &populations))));
        figures.push(("rates".into(), Ok(rates("spikes of a neuron in a second", duration_ms, &populations))));
    }
    if !report.traces.is_empty() {
        figures.push(("traces".into(), of_traces(report)));
    }
    figures
}

fn of_traces(report: &SimulationReport) -> Result<Figure> {
    let times_ms: Vec<f64> = (1..=report.steps).map(|step| step as f64 * report.dt_ms).collect();
    let one = |trace: &TraceReport| -> Result<(String, Vec<Vec<f64>>)> {
        let label = if trace.unit == "1" { trace.name.clone() } else { format!("{} ({})", trace.name, trace.unit) };
        // As many as are drawn.
        let drawn = trace.neurons.len().min(bd_plot::populations::MOST_LINES) as i64;
        Ok((label, (0..drawn).map(|neuron| numbers(&trace.values.select(0, neuron))).collect::<Result<_>>()?))
    };
    let values = report.traces.iter().map(one).collect::<Result<Vec<_>>>()?;
    let drawn: Vec<States<'_>> = (report.traces.iter().zip(values))
        .map(|(trace, (label, values))| States { label, neurons: &trace.neurons, times_ms: &times_ms, values })
        .collect();
    Ok(states("recorded states", report.duration_ms(), &drawn))
}
