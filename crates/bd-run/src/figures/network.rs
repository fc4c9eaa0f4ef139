//! Figures of a network: the course of its training, its neurons, and its test.

use bd_core::text::{plural, short};
use bd_core::{Error, Inputs, Result};
use bd_plot::samples::{self, Common, Sample};
use bd_plot::spikes::{Recording, raster, voltages};
use bd_plot::{Figure, confusion, prediction, psychometric, shorten, training};
use bd_train::task::{Decisions, Level, Psychometric};
use bd_train::{Score, Trained};
use tch::{Kind, Tensor};

use super::choice::{Classified, cover, covered, spread};
use super::{channels, numbers};
use crate::experiment::{NetworkReport, Pictured, Recorded};

/// Characters of a class above a sample: of many samples side by side, and of a few.
const NAMES: [usize; 2] = [12, 18];

/// Every figure of a network, see [`of`](super::of).
pub(super) fn of(report: &NetworkReport) -> Vec<(String, Result<Figure>)> {
    let mut figures = Vec::new();
    let mut add = |name: &str, figure| figures.push((name.to_owned(), figure));
    match report.recorded.as_ref().map(|recorded| recording(recorded, report.dt_ms)) {
        Some(Err(error)) => add("voltages", Err(error)),
        Some(Ok(recording)) if !recording.is_empty() => {
            add("voltages", Ok(voltages(&recording)));
            add("raster", Ok(raster(&recording)));
        }
        _ => {}
    }
    if let Some(trained) = report.trained.first() {
        add("training", Ok(course(trained, &report.accuracies)));
    }
    if let Some(pictured) = &report.pictured {
        add("samples", of_samples(report, pictured));
    }
    if report.split == "test" {
        if let Some(figure) = confused(report) {
            add("confusion", Ok(figure));
        }
        if Found::of(report) == Found::Vectors {
            add("prediction", predicted(report));
        }
        if let Some(decided) = &report.decided {
            add("psychometric", Ok(choices(report, &decided.found)));
        }
    }
    figures
}

fn course(trained: &Trained, accuracies: &[(u64, f64)]) -> Figure {
    let accuracy_of = |step| accuracies.iter().find(|(known, _)| *known == step).map(|(_, accuracy)| *accuracy);
    let reports: Vec<training::Report> = trained
        .reports
        .iter()
        .map(|report| training::Report {
            step: report.step,
            loss: report.loss,
            validation: report.validation,
            accuracy: accuracy_of(report.step),
        })
        .collect();
    let last = reports.last().map_or(String::new(), |report| {
        let accuracy = report.accuracy.map(|accuracy| format!(", accuracy {}", short(accuracy)));
        format!("; at the last report loss {}{}", short(report.loss), accuracy.unwrap_or_default())
    });
    let title = format!("training, {}{last}", plural(trained.losses.len(), "update"));
    training::figure(&title, &trained.losses, &reports)
}

fn recording(recorded: &Recorded, dt_ms: f64) -> Result<Recording> {
    let size = recorded.v.size();
    let shape = [size[0], size[1], size[2]].map(|n| n as usize);
    let v = Vec::try_from(recorded.v.f_flatten(0, -1)?)?;
    let spike = Vec::try_from(recorded.spike.f_flatten(0, -1)?)?;
    Recording::new(&recorded.layer, dt_ms, shape, v, spike).map_err(|error| Error::Config(error.to_string()))
}

/// What the outputs of a test are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Scores of classes, `[sample, class]`.
    Labels,
    /// Scores of classes at each step, `[sample, time, class]`.
    LabelsOfSteps,
    /// Numbers at each step, `[sample, time, output]`.
    Series,
    /// Numbers, `[sample, output]`.
    Vectors,
}

impl Found {
    fn of(report: &NetworkReport) -> Self {
        let found = &report.evaluation;
        match (found.targets.kind() == Kind::Int64, found.outputs.dim() == 3) {
            (true, false) => Self::Labels,
            (true, true) => Self::LabelsOfSteps,
            (false, true) => Self::Series,
            (false, false) => Self::Vectors,
        }
    }
}

/// How good something is: the name of the measure, and the number.
fn measured(score: Score) -> Option<(&'static str, f64)> {
    match score {
        Score::Accuracy(accuracy) => Some(("accuracy", accuracy)),
        Score::Error { nmse, .. } if nmse.is_finite() => Some(("NMSE", nmse)),
        Score::Error { mse, .. } => mse.is_finite().then_some(("MSE", mse)),
    }
}

/// How good the network is on the test part, such as `accuracy 0.9000`.
fn own_score(report: &NetworkReport) -> Option<String> {
    let (measure, value) = measured(Score::of(&report.evaluation)?)?;
    Some(format!("{measure} {}", short(value)))
}

/// The same beside the best simple method, if there is one: `test accuracy 0.9000; best baseline 0.8500 (ridge)`.
fn scores(report: &NetworkReport) -> String {
    let best = report.baselines.best().and_then(|best| Some((measured(best.score)?.1, best.name)));
    let best = best.map(|(value, name)| format!("best baseline {} ({name})", short(value)));
    let own = own_score(report).map(|own| format!("test {own}"));
    own.into_iter().chain(best).collect::<Vec<_>>().join("; ")
}

/// The name of a class.
fn name_of(report: &NetworkReport, class: i64) -> String {
    let name = report.classes.as_ref().and_then(|names| names.get(usize::try_from(class).ok()?));
    name.map_or_else(|| class.to_string(), Clone::clone)
}

fn confused(report: &NetworkReport) -> Option<Figure> {
    let counts = report.evaluation.confusion.as_ref()?;
    let names: Vec<String> = (0..counts.len() as i64).map(|class| name_of(report, class)).collect();
    let count = counts.iter().flatten().sum::<i64>() as usize;
    let things = match (&report.decided, Found::of(report)) {
        (Some(_), _) => "trial",
        (None, Found::LabelsOfSteps) => "step",
        _ => "sample",
    };
    confusion::figure(&format!("{}; {}", scores(report), plural(count, things)), &names, counts)
}

fn predicted(report: &NetworkReport) -> Result<Figure> {
    let [truth, found] =
        [&report.evaluation.targets, &report.evaluation.outputs].map(|t| channels(t, t.size()[1] as usize));
    Ok(prediction::figure(&scores(report), &truth?, &found?))
}

/// How often the first of two alternatives is chosen, by the evidence.
fn choices(report: &NetworkReport, found: &Decisions) -> Figure {
    let point = |level: &Level| psychometric::Point {
        evidence: level.evidence,
        share: level.share(),
        interval: level.interval(),
    };
    let curve = |of: &'_ Psychometric| of.levels.iter().map(point).collect();
    let curves: Vec<_> =
        found.psychometric.iter().map(|of| psychometric::Curve { evidence: &of.evidence, points: curve(of) }).collect();
    let undecided = match found.undecided {
        0.0 => String::new(),
        share => format!(", {} undecided", short(share)),
    };
    let (right, trials) = (short(found.right), plural(found.choices.len(), "trial"));
    let title = format!("{}{right} of {trials} decided right{undecided}", task(report));
    psychometric::figure(&title, &name_of(report, 1), &curves)
}

/// Which samples are drawn.
struct Titled {
    /// Above all of them.
    title: String,
    /// Which of those that may be shown, and what is above each.
    samples: Vec<(usize, String)>,
}

/// What is drawn of the samples of a test.
fn of_samples(report: &NetworkReport, pictured: &Pictured) -> Result<Figure> {
    let (found, kind) = (&report.evaluation, Found::of(report));
    let count = pictured.shown.samples.len();
    let Titled { title, samples: titled } = match kind {
        Found::Labels => classified(report, pictured)?,
        Found::LabelsOfSteps | Found::Series => {
            let title = |i: usize| (i, format!("test sample {}", pictured.shown.samples[i]));
            Titled { title: first(report), samples: (0..count.min(samples::MOST_SAMPLES)).map(title).collect() }
        }
        Found::Vectors => with_numbers(report, pictured)?,
    };
    let classes: Vec<String> = match kind {
        Found::LabelsOfSteps => (0..found.outputs.size()[2]).map(|class| name_of(report, class)).collect(),
        _ => Vec::new(),
    };
    let common = Common {
        time_label: &pictured.time_label,
        dt: pictured.dt,
        channels: pictured.shown.inputs.shape()[2] as usize,
        outputs: if kind == Found::Series { found.outputs.size()[2] as usize } else { 1 },
        classes: &classes,
    };
    let drawn = titled.into_iter().map(|(i, title)| sample(report, pictured, i, title)).collect::<Result<Vec<_>>>()?;
    Ok(samples::figure(&title, &common, &drawn))
}

/// The name of a task, before what is said of it.
fn task(report: &NetworkReport) -> String {
    if report.what == "examples" { String::new() } else { format!("{}: ", report.what) }
}

/// The title of the first samples.
fn first(report: &NetworkReport) -> String {
    let score = own_score(report).map_or_else(String::new, |score| format!(", {score}"));
    format!("{}the first test samples{score}", task(report))
}

/// Samples with one number each from the least to the greatest, or the first ones with several.
fn with_numbers(report: &NetworkReport, pictured: &Pictured) -> Result<Titled> {
    let samples = &pictured.shown.samples;
    let [truth, found] = [&report.evaluation.targets, &report.evaluation.outputs];
    if found.size()[1] > 1 {
        let title = |i: usize| (i, format!("sample {}", samples[i]));
        let samples = (0..samples.len().min(samples::MOST_PANELS)).map(title).collect();
        return Ok(Titled { title: first(report), samples });
    }
    let (truth, found) = (numbers(truth)?, numbers(found)?);
    let chosen = spread(&samples.iter().map(|sample| truth[*sample]).collect::<Vec<_>>(), samples::MOST_PANELS);
    let title = |i: usize| {
        let sample = samples[i];
        (i, format!("sample {sample}: {} → {}", short(truth[sample]), short(found[sample])))
    };
    let words = format!(
        "{}truth → prediction; {} of {} test samples, from the least to the greatest",
        task(report),
        chosen.len(),
        truth.len()
    );
    Ok(Titled { title: words, samples: chosen.into_iter().map(title).collect() })
}

/// Samples that cover the classes and include mistakes.
fn classified(report: &NetworkReport, pictured: &Pictured) -> Result<Titled> {
    let found = &report.evaluation;
    let [class, taken_for] = [&found.targets, &found.outputs.argmax(-1, false)].map(Vec::<i64>::try_from);
    let all: Vec<Classified> = class?.into_iter().zip(taken_for?).collect();
    let samples = &pictured.shown.samples;
    let shown: Vec<Classified> = samples.iter().map(|sample| all[*sample]).collect();
    let chosen = cover(&shown, samples::MOST_PANELS);
    let characters = NAMES[usize::from(chosen.len() <= 4)];
    let name = |class| shorten(&name_of(report, class), characters);
    let title = |i: usize| {
        let (class, taken_for) = shown[i];
        (i, format!("sample {}: {} → {}", samples[i], name(class), name(taken_for)))
    };
    let every: Vec<usize> = (0..all.len()).collect();
    let ((classes, mistakes), (all_classes, all_mistakes)) = (covered(&shown, &chosen), covered(&all, &every));
    let mistakes = match all_mistakes {
        0 => "no mistakes".to_owned(),
        all => format!("{mistakes} of {}", plural(all, "mistake")),
    };
    let words = format!(
        "{}class → taken for; {} of {} test samples, {classes} of {all_classes} classes, {mistakes}",
        task(report),
        chosen.len(),
        all.len(),
    );
    Ok(Titled { title: words, samples: chosen.into_iter().map(title).collect() })
}

/// Sample `i` of those that may be shown, without its padding.
fn sample(report: &NetworkReport, pictured: &Pictured, i: usize, title: String) -> Result<Sample> {
    let shown = &pictured.shown;
    let (sample, steps) = (shown.samples[i] as i64, shown.lengths[i]);
    let rows = |t: &Tensor, most: usize| channels(&t.narrow(0, 0, t.size()[0].min(steps as i64)), most);
    let inputs = match &shown.inputs {
        Inputs::Dense(xs) => samples::Inputs::Numbers(rows(&xs.select(1, i as i64), samples::MOST_CHANNELS)?),
        Inputs::Spikes(list) => {
            let spikes = list.sample(i).iter().map(|spike| (spike.step as usize, spike.channel as usize));
            samples::Inputs::Spikes { steps, spikes: spikes.collect() }
        }
    };
    let found = &report.evaluation;
    let (targets, outputs) = match Found::of(report) {
        Found::Series => {
            let rows = |t: &Tensor| rows(&t.get(sample), samples::MOST_OUTPUTS);
            (rows(&found.targets)?, rows(&found.outputs)?)
        }
        Found::LabelsOfSteps => {
            let row = |t: &Tensor| rows(&t.unsqueeze(1), 1);
            // A step whose label does not count is a gap.
            let mut labels = row(&found.targets.get(sample))?;
            labels.iter_mut().flatten().filter(|label| **label < 0.0).for_each(|label| *label = f64::NAN);
            (labels, row(&found.outputs.get(sample).argmax(-1, false))?)
        }
        Found::Labels | Found::Vectors => (Vec::new(), Vec::new()),
    };
    Ok(Sample { title, inputs, targets, outputs })
}

#[cfg(test)]
mod tests;
