//! Tables of what was found, for people.

use bd_core::text::short;
use bd_run::Report;
use bd_run::experiment::{ForecastReport, LyapunovReport, NetworkReport};
use bd_train::metrics::NRMSE;
use bd_train::task::Decisions;
use bd_train::{Activity, Evaluation, LyapunovSpectrum};

mod baselines;
mod runs;
mod simulation;

pub(crate) use self::runs::of_runs;
pub(crate) use self::simulation::of_simulation;

/// What a run has found.
pub(crate) fn of(report: &Report) -> String {
    match report {
        Report::Forecast(report) => of_forecast(report, "test MSE"),
        Report::Network(report) => of_network(report),
    }
}

/// A row of a name and what belongs to it.
fn row(name: &str, value: &str) -> String {
    format!("{name:>14}  {value}")
}

/// The loss at the end of the training, the test or what was learned, the baseline beside it, and what was taken for what.
pub(crate) fn of_network(report: &NetworkReport) -> String {
    let NetworkReport { evaluation, split, .. } = report;
    let mut lines = Vec::new();
    if let (Some(trained), "test") = (report.trained.first(), *split) {
        let last = trained.losses.len().min(100);
        let of = if last == trained.losses.len() { "all".to_owned() } else { format!("the last {last}") };
        lines.push(row("train loss", &format!("{} (mean of {of} updates)", short(trained.mean_of_last(last)))));
    }
    lines.push(row(&format!("{split} loss"), &short(evaluation.loss)));
    if let Some(accuracy) = evaluation.accuracy {
        let name = if *split == "test" { "test accuracy" } else { "accuracy" };
        let trials = report.decided.as_ref().map(|decided| of_trials(&decided.found));
        lines.push(row(name, &format!("{}{}", short(accuracy), trials.unwrap_or_default())));
    }
    if let (Some(mse), Some(nmse)) = (evaluation.mse, evaluation.nmse) {
        lines.push(row("test MSE", &format!("{} ({} of the variance)", short(mse), short(nmse))));
    }
    lines.extend(baselines::of(report));
    lines.extend(report.activity.iter().map(|layer| spike_rate(layer, report.dt_ms)));
    let range = |(layer, least, most): &(String, f64, f64)| {
        row(&format!("tau of {layer}"), &format!("{} to {} ms", short(*least), short(*most)))
    };
    lines.extend(report.time_constants_ms.iter().map(range));
    lines.extend(confusion(evaluation, report.classes.as_deref()).filter(|_| *split == "test"));
    lines.join("\n")
}

/// What the accuracy of decisions is of.
fn of_trials(found: &Decisions) -> String {
    let share = |words: &str, share: f64| format!(", {} {words}", short(share));
    // Of trials without evidence half are right by chance: where there are none of them, the two shares are one.
    let with_evidence = found.right_with_evidence.filter(|right| *right != found.right);
    let with_evidence = with_evidence.map(|right| share("of those with evidence", right));
    let undecided = (found.undecided > 0.0).then(|| share("undecided", found.undecided));
    format!(" of {} trials{}{}", found.choices.len(), with_evidence.unwrap_or_default(), undecided.unwrap_or_default())
}

fn spike_rate(layer: &Activity, dt_ms: f64) -> String {
    let quiet = match layer.silent {
        0 => String::new(),
        silent => format!(", {silent} of {} neurons silent", layer.neurons),
    };
    row(&format!("rate of {}", layer.layer), &format!("{} Hz{quiet}", short(layer.per_step * 1000.0 / dt_ms)))
}

/// Rows are what it was, columns what it was taken for.
fn confusion(evaluation: &Evaluation, names: Option<&[String]>) -> Option<String> {
    const MOST_CLASSES: usize = 12;
    const MOST_LETTERS: usize = 14;
    let confusion = evaluation.confusion.as_ref().filter(|rows| rows.len() <= MOST_CLASSES)?;
    let name = |class: usize| match names {
        Some(names) => names[class].chars().take(MOST_LETTERS).collect(),
        None => class.to_string(),
    };
    let names: Vec<String> = (0..confusion.len()).map(name).collect();
    let width = names.iter().map(|name| name.chars().count() + 2).max().unwrap_or(0).max(6);
    let head: String = names.iter().map(|name| format!("{name:>width$}")).collect();
    let line = |(name, counts): (&String, &Vec<i64>)| {
        let counts: String = counts.iter().map(|count| format!("{count:>width$}")).collect();
        format!("\n{name:>14}  {counts}")
    };
    Some(row("is / taken for", &head) + &names.iter().zip(confusion).map(line).collect::<String>())
}

/// A row for each horizon, under a word for what the errors are of.
pub(crate) fn of_forecast(report: &ForecastReport, mse: &str) -> String {
    // More columns than this do not fit on a line.
    const MOST_CHANNELS: usize = 8;
    let ForecastReport { data, evaluation, .. } = report;
    let channels = &data.series.channels;
    let shown = if channels.len() == 1 { 0 } else { channels.len().min(MOST_CHANNELS) };
    let mut text = format!("{:>8}  {mse:>10}  {:>10}  {:>11}  {:>10}", "horizon", NRMSE, "persistence", "mean");
    text += &channels[..shown].iter().map(|name| format!("  {name:>10}")).collect::<String>();
    text += if shown < channels.len() && shown > 0 { "  ..." } else { "" };
    for forecast in &evaluation.forecasts {
        let [persistence, mean] = [&forecast.persistence, &forecast.mean].map(|error| short(error.nrmse));
        let (mse, nrmse) = (short(forecast.error.mse), short(forecast.error.nrmse));
        text += &format!("\n{:>8}  {mse:>10}  {nrmse:>10}  {persistence:>11}  {mean:>10}", forecast.horizon);
        let values = forecast.error.nrmse_per_channel.iter().take(shown);
        text += &values.map(|&value| format!("  {:>10}", short(value))).collect::<String>();
    }
    if let Some(free) = &evaluation.free {
        let time = data.valid_time(free);
        text += &format!("\nfree run  {}", time.sentence());
        text += &time.limit_sentence().map(|limit| format!("\ntruth     {limit}")).unwrap_or_default();
    }
    text
}

/// Exponents of a model on its own outputs and, below, of its system, with standard errors.
pub(crate) fn of_lyapunov(report: &LyapunovReport) -> String {
    let line = |name: &str, spectrum: &LyapunovSpectrum| {
        let listed =
            |numbers: &[f64]| numbers.iter().map(|number| format!("{number:.4}")).collect::<Vec<_>>().join(", ");
        let (exponents, errors) = (listed(&spectrum.exponents), listed(&spectrum.errors));
        let dimension = spectrum.kaplan_yorke().map_or(String::new(), |found| format!(", dimension {found:.3}"));
        format!("lyapunov  {name}: {exponents} per unit of time{dimension}; standard errors {errors}")
    };
    let system = report.system.as_ref().map(|spectrum| "\n".to_owned() + &line("system", spectrum));
    line("model", &report.model) + &system.unwrap_or_default()
}
