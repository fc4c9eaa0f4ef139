//! Plots in the run folder.

use anyhow::Result;
use bd_core::Error;
use bd_core::files::write_atomic;
use bd_plot::Figure;
use bd_run::RunFolder;
pub(crate) use bd_run::figures::{of, of_simulation};

use crate::console;

/// Refuses words for figures, of an option, with a sign that would be a box there.
pub(crate) fn check_signs(option: &str, words: &str) -> bd_core::Result<()> {
    let has = "it has Latin and Greek letters and what stands with them";
    match bd_plot::missing_sign(words) {
        Some(sign) => Err(Error::Config(format!("{option}: the font of figures has no '{sign}'; {has}"))),
        None => Ok(()),
    }
}

/// Writes each figure of a run as `plots/<name>.svg` and `plots/<name>.png`. One that fails is a warning: the results are there.
pub(crate) fn save(folder: &RunFolder, figures: Vec<(String, bd_core::Result<Figure>)>) {
    for (name, figure) in figures {
        let written = figure.map_err(anyhow::Error::from).and_then(|figure| write(folder, &name, &figure));
        if let Err(error) = written {
            console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
        }
    }
}

fn write(folder: &RunFolder, name: &str, figure: &Figure) -> Result<()> {
    write_atomic(&folder.file(&format!("plots/{name}.svg"))?, figure.to_svg()?.as_bytes())?;
    write_atomic(&folder.file(&format!("plots/{name}.png"))?, &figure.to_png()?)?;
    Ok(())
}
