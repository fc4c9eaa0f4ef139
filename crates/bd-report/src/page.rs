//! The page: everything of a report as HTML.

use askama::Template;
use bd_core::text::plural;
use bd_core::{Error, Result};
use bd_run::record::{Record, Several, SeveralKind, State};

use crate::compare::{self, Comparison};
use crate::run::RunPart;
use crate::{MOST_BYTES, figures};

/// Bytes that are kept free of figures for a page of so many runs.
const FOR_WORDS: usize = 60_000;
const FOR_WORDS_OF_A_RUN: usize = 12_000;
/// Runs up to which each has the table of its configuration.
const MOST_WITH_SETTINGS: usize = 12;
const STYLE: &str = include_str!("../templates/style.css");

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    lead: Vec<String>,
    style: &'a str,
    /// Of the headings within a run.
    level: usize,
    comparison: Option<Comparison>,
    runs: Vec<RunPart>,
    made: String,
}

pub(crate) fn of_run(record: &Record) -> Result<String> {
    let title = match record.manifest().job.as_str() {
        "simulate" => format!("{}, a simulation", record.name()),
        job => format!("{}, a run of {job}", record.name()),
    };
    page(title, Vec::new(), None, std::slice::from_ref(record), 2)
}

pub(crate) fn of_runs(records: &[Record]) -> Result<String> {
    let jobs = jobs(records);
    let lead = format!(
        "{} of {} side by side, and then each of them.",
        plural(records.len(), "run"),
        crate::words::listed(&jobs)
    );
    let comparison = compare::of_runs(records);
    page(plural(records.len(), "run"), vec![lead], Some(comparison), records, 3)
}

/// The comparison of all, and the best one, or without a best the first, in full.
pub(crate) fn of_several(several: &Several) -> Result<String> {
    let runs: Vec<Record> = several.runs().iter().filter_map(|run| Record::read(run).ok()).collect();
    let best = several.best().map(|row| several.path.join(&row.name));
    let shown: Vec<Record> = runs.iter().find(|run| best.as_deref() == Some(run.path())).cloned().into_iter().collect();
    let name = several.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (title, lead) = match several.kind {
        SeveralKind::Sweep => (format!("{name}, a sweep of {}", several.job), of_sweep(several)),
        SeveralKind::Auto => (format!("{name}, a choice among jobs"), of_choice(several)),
    };
    let comparison = compare::of_several(several, &runs);
    page(title, vec![lead], Some(comparison), &shown, 3)
}

fn of_sweep(several: &Several) -> String {
    let failed = several.rows.iter().filter(|row| row.failure.is_some()).count();
    let failed = if failed > 0 { format!(", {failed} of them without a result") } else { String::new() };
    let ended = format!(
        "The job {} was run with {}; {} have ended{failed}.",
        several.job,
        plural(several.of, "configuration"),
        several.rows.len()
    );
    match (several.best(), &several.objective) {
        (Some(best), Some(objective)) => {
            format!(
                "{ended} The best, by {objective}, which is never of the test part, is {}, which stands below the comparison.",
                best.name
            )
        }
        _ => format!("{ended} None is called the best yet."),
    }
}

fn of_choice(several: &Several) -> String {
    let tried = format!("{} were tried on the same data.", plural(several.rows.len(), "job"));
    match several.best() {
        Some(best) => format!(
            "{tried} The best on samples that were held out is {}, which stands below the comparison.",
            best.name
        ),
        None => tried,
    }
}

fn jobs(records: &[Record]) -> Vec<String> {
    let mut jobs: Vec<String> = records.iter().map(|record| record.manifest().job.clone()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

fn page(
    title: String,
    lead: Vec<String>,
    mut comparison: Option<Comparison>,
    records: &[Record],
    level: usize,
) -> Result<String> {
    let room = MOST_BYTES.saturating_sub(FOR_WORDS + FOR_WORDS_OF_A_RUN * records.len());
    let of_comparison = comparison.as_mut().map_or(0, |comparison| comparison.draw(room / 4));
    let each = room.saturating_sub(of_comparison) / records.len().max(1);
    let with_settings = records.len() <= MOST_WITH_SETTINGS;
    let part = |(i, record): (usize, &Record)| RunPart::of(record, &id(i), each, with_settings);
    let runs = records.iter().enumerate().map(part).collect();
    let at_work = records.iter().any(|record| matches!(record.state(), State::Running { .. }));
    let made = if at_work {
        "Made by bd report while a run was at work: make it again for what came later."
    } else {
        "Made by bd report."
    };
    let page = Page { title, lead, style: STYLE, level, comparison, runs, made: made.to_owned() };
    page.render().map_err(|error| Error::Config(format!("the report cannot be written: {error}")))
}

/// Of the place of a run in a page.
pub(crate) fn id(i: usize) -> String {
    format!("run-{}", i + 1)
}

/// What a comparison needs of a page.
impl Comparison {
    /// Draws its curves in at most so many bytes: the bytes that it took.
    fn draw(&mut self, room: usize) -> usize {
        let Some((drawing, label, caption)) = self.curves.take() else { return 0 };
        let Some(svg) = figures::inline(&drawing, &label, room) else { return 0 };
        let bytes = svg.len();
        self.figures.push(figures::Shown { id: "curves".into(), svg, caption, table: None });
        bytes
    }
}
