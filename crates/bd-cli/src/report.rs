//! `bd report`: runs as one file of HTML.

use anyhow::Result;
use bd_report::{Report, usual_file};
use bd_run::Listener as _;
use serde_json::json;

use crate::args;
use crate::console;
use crate::progress::Progress;

pub(crate) fn report(args: &args::Report) -> Result<()> {
    let report = Report::of(&args.runs)?;
    let out = args.out.clone().unwrap_or_else(|| usual_file(&args.runs));
    report.save(&out)?;
    let bytes = report.html().len();
    if args.said.json {
        let runs: Vec<_> = args.runs.iter().map(|run| run.to_string_lossy()).collect();
        console::result(
            &json!({"job": "report", "runs": runs, "out": out.to_string_lossy(), "bytes": bytes}).to_string(),
        )?;
    }
    Progress::new(args.said.quiet).say(&format!("report    {} ({} KB)", out.display(), bytes.div_ceil(1000)));
    Ok(())
}
