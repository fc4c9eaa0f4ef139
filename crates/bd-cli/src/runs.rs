//! `bd runs`: the runs of a folder, a row each.

use std::path::Path;

use anyhow::Result;
use bd_run::record::{Filter, RunRow, SortKey, runs as list};
use serde_json::{Value, json};

use crate::args;
use crate::console;
use crate::table;

/// Where runs go if nobody says otherwise.
const USUAL: &str = "runs";

pub(crate) fn runs(args: &args::Runs) -> Result<()> {
    let filters = args.filter.iter().map(|text| Filter::of(text)).collect::<bd_core::Result<Vec<_>>>()?;
    let is_none_yet = args.folder == Path::new(USUAL) && !args.folder.exists();
    let rows: Vec<RunRow> =
        if is_none_yet { Vec::new() } else { list(&args.folder, &filters, &SortKey::of(&args.sort))? };
    if args.json {
        let runs: Vec<Value> = rows.iter().map(RunRow::json).collect();
        return Ok(console::result(
            &json!({"job": "runs", "folder": args.folder.to_string_lossy(), "runs": runs}).to_string(),
        )?);
    }
    if rows.is_empty() {
        let such = if filters.is_empty() { "no runs" } else { "no such runs" };
        console::message(&format!(
            "there are {such} in {}; name another folder with bd runs FOLDER, such as bd runs . for runs by --out NAME",
            args.folder.display()
        ));
        return Ok(());
    }
    Ok(console::result(&table::of_runs(&rows))?)
}
