//! The table of a simulation.

use bd_core::text::{plural, short};
use bd_run::{PopulationReport, Simulated};

/// A row for each population, and what it took.
pub(crate) fn of_simulation(simulated: &Simulated) -> String {
    let Simulated { report, seconds, .. } = simulated;
    let width = report.populations.iter().map(|population| population.name.chars().count()).max().unwrap_or(0).max(10);
    let mut lines =
        vec![format!("{:<width$} {:>11} {:>11} {:>10} {:>10}", "population", "n", "rate (Hz)", "CV", "synchrony")];
    lines.extend(report.populations.iter().map(|population| line(population, width)));
    let of = |part| short(seconds.of(part).unwrap_or(f64::NAN));
    lines.push(format!(
        "{} drawn in {} s; {} ms simulated in {} s, {} times as fast as real time",
        plural(report.synapses, "synapse"),
        of("build"),
        (report.duration_ms() * 1e6).round() / 1e6, // without the rounding of a product
        of("run"),
        short(simulated.times_real_time()),
    ));
    lines.join("\n")
}

fn line(population: &PopulationReport, width: usize) -> String {
    let activity = population.activity;
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), short);
    let (rate, cv) = (shown(activity.map(|found| found.rate_hz)), shown(activity.and_then(|found| found.cv)));
    let synchrony = shown(activity.and_then(|found| found.synchrony));
    format!("{:<width$} {:>11} {rate:>11} {cv:>10} {synchrony:>10}", population.name, population.n)
}
