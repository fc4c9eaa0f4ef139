//! `bd plot`: the figures of a run for papers and slides.

use anyhow::Result;
use bd_core::Error;
use bd_core::files::write_atomic;
use bd_plot::Drawing;
use bd_report::figures::{Drawings, of_folder};
use bd_run::Listener as _;
use bd_run::of_best;
use serde_json::json;

use crate::args::{self, PictureFormat};
use crate::console;
use crate::figures::check_signs;
use crate::progress::Progress;

pub(crate) fn plot(args: &args::Plot) -> Result<()> {
    let run = of_best(&args.run)?;
    let Drawings { found: mut drawings, unread } = of_folder(&run)?;
    unread.iter().for_each(|words| console::message(&format!("bd: warning: {words}")));
    if drawings.is_empty() {
        let folder = run.join("plots");
        return Err(Error::bad_file(folder, "there is no figure in it, and none can be drawn of the run").into());
    }
    if !args.only.is_empty() {
        let known: Vec<&str> = drawings.iter().map(|(name, _)| &name[..]).collect();
        if let Some(unknown) = args.only.iter().find(|name| !known.contains(&&name[..])) {
            let known = known.join(", ");
            return Err(Error::Config(format!("--only {unknown}: there is no such figure; there are: {known}")).into());
        }
        drawings.retain(|(name, _)| args.only.contains(name));
    }
    rename(&mut drawings, &args.rename)?;
    let folder = args.out.clone().unwrap_or_else(|| run.join("figures"));
    std::fs::create_dir_all(&folder).map_err(Error::storage("create", &folder))?;
    let mut files = Vec::new();
    for (name, drawing) in &drawings {
        let file = folder.join(format!("{name}.{}", args.format.extension()));
        let bytes = written(drawing, args)?;
        write_atomic(&file, &bytes)?;
        files.push(file.to_string_lossy().into_owned());
    }
    if args.said.json {
        console::result(
            &json!({"job": "plot", "run": run.to_string_lossy(), "files": files, "unread": unread}).to_string(),
        )?;
    }
    let progress = Progress::new(args.said.quiet);
    files.iter().for_each(|file| progress.say(&format!("figure    {file}")));
    Ok(())
}

/// Puts other words in the place of some, in every figure that has them: words, what replaces them, and so on.
fn rename(drawings: &mut [(String, Drawing)], words: &[String]) -> Result<()> {
    let pairs: Vec<[&str; 2]> = words.chunks_exact(2).map(|pair| [&pair[0][..], &pair[1][..]]).collect();
    pairs.iter().try_for_each(|[from, to]| check_signs(&format!("--rename {from}"), to))?;
    let known: Vec<String> = drawings.iter().flat_map(|(_, drawing)| drawing.words()).map(str::to_owned).collect();
    let mut counts = vec![0; pairs.len()];
    for (_, drawing) in drawings {
        counts.iter_mut().zip(drawing.rename(&pairs)).for_each(|(all, count)| *all += count);
    }
    let Some(at) = counts.iter().position(|count| *count == 0) else { return Ok(()) };
    let mut there_are: Vec<&str> = Vec::new();
    for found in known.iter().filter(|found| found.parse::<f64>().is_err()) {
        if !there_are.contains(&&found[..]) {
            there_are.push(found);
        }
    }
    let (words, there_are) = (pairs[at][0], there_are.join(" | "));
    Err(Error::Config(format!("--rename {words}: no such words in these figures; there are: {there_are}")).into())
}

fn written(drawing: &Drawing, args: &args::Plot) -> Result<Vec<u8>> {
    let found = match args.format {
        PictureFormat::Pdf => drawing.to_pdf(args.width_mm),
        PictureFormat::Svg => drawing.to_svg(args.width_mm).map(String::into_bytes),
    };
    found.map_err(|error| match error {
        bd_plot::Error::Width { .. } => Error::Config(format!("--width-mm: {error}")).into(),
        other => other.into(),
    })
}
