//! `bd export nir` and `bd import nir`: spiking networks in the Neuromorphic Intermediate Representation.

use anyhow::Result;
use bd_core::Error;
use bd_core::files::refuse_existing;
use bd_run::nir::{Export, Exported, Import, export, import, write};
use bd_run::{Listener, Run};
use serde_json::json;

use crate::args::{ExportNir, ImportNir};
use crate::console;
use crate::info::{VERSION, git_hash};
use crate::progress::Progress;

pub(crate) fn export_nir(args: &ExportNir) -> Result<()> {
    let progress = Progress::new(args.said.quiet);
    let out = &args.out;
    if !out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("nir")) {
        return Err(Error::Config(format!("--out {}: it must end in .nir", out.display())).into());
    }
    refuse_existing(out)?;
    let options = Export { flavour: args.nir.parse()?, until: args.until.clone(), member: args.member };
    let Exported { graph, notes } = export(&Run::open(&args.run)?, &options)?;
    write(out, &graph)?;
    notes.iter().for_each(|words| progress.say(&format!("note      {words}")));
    progress.say(&format!("written   {}", out.display()));
    if args.said.json {
        let nodes: Vec<_> = graph.nodes.iter().map(|(name, node)| json!({"name": name, "type": node.kind()})).collect();
        let found = json!({
            "job": "export nir", "run": args.run.to_string_lossy(), "out": out.to_string_lossy(),
            "flavour": options.flavour.to_string(), "nodes": nodes, "notes": notes,
        });
        console::result(&found.to_string())?;
    }
    Ok(())
}

pub(crate) fn import_nir(args: &ImportNir) -> Result<()> {
    let progress = Progress::new(args.said.quiet);
    let imported = import(&args.file, &Import { dt_ms: args.dt, euler: args.euler })?;
    imported.notes.iter().for_each(|words| progress.say(&format!("note      {words}")));
    let run = imported.save(args.out.as_deref(), (VERSION, git_hash()))?;
    progress.say(&format!("run       {}", run.display()));
    if args.said.json {
        let found = json!({
            "job": "import nir", "file": args.file.to_string_lossy(), "run": run.to_string_lossy(),
            "as_written": imported.as_written, "notes": imported.notes,
        });
        console::result(&found.to_string())?;
    }
    Ok(())
}
