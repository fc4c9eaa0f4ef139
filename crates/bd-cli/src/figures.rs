//! Plots in the run folder.

use anyhow::Result;
use bd_core::files::write_atomic;
use bd_plot::Figure;
use bd_run::{Outcome, figures};

use crate::console;

/// Writes each figure of a run as `plots/<name>.svg` and `plots/<name>.png`. One that fails is a warning: the results are there.
pub(crate) fn save(outcome: &Outcome) {
    for (name, figure) in figures::of(&outcome.report) {
        let written = figure.map_err(anyhow::Error::from).and_then(|figure| write(outcome, &name, &figure));
        if let Err(error) = written {
            console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
        }
    }
}

fn write(outcome: &Outcome, name: &str, figure: &Figure) -> Result<()> {
    write_atomic(&outcome.folder.file(&format!("plots/{name}.svg"))?, figure.to_svg()?.as_bytes())?;
    write_atomic(&outcome.folder.file(&format!("plots/{name}.png"))?, &figure.to_png()?)?;
    Ok(())
}
