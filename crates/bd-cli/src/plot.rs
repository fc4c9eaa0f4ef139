//! Figures of runs: numbers from tensors, titles, and files in the run folder.

use bd_core::files::write_atomic;
use bd_plot::{Figure, training};
use bd_train::RunDir;
use tch::{Device, Kind, Tensor};

use crate::console;
use crate::interrupt::Interrupt;
use crate::text::{plural, short};

/// Writes each figure as `plots/<name>.svg` and `plots/<name>.png` into the run folder. One that fails is a warning: the results are
/// there.
pub(crate) fn save(figures: Vec<(String, Figure)>, run: &RunDir, interrupt: &Interrupt) -> anyhow::Result<()> {
    for (name, figure) in figures {
        interrupt.check()?;
        if let Err(error) = write(&figure, run, &name) {
            console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
        }
    }
    Ok(interrupt.check()?)
}

fn write(figure: &Figure, run: &RunDir, name: &str) -> anyhow::Result<()> {
    write_atomic(&run.file(&format!("plots/{name}.svg"))?, figure.to_svg()?.as_bytes())?;
    write_atomic(&run.file(&format!("plots/{name}.png"))?, &figure.to_png()?)?;
    Ok(())
}

/// The course of a training.
pub(crate) fn training(losses: &[f64], reports: &[training::Report]) -> Figure {
    let last = reports.last().map_or(String::new(), |report| {
        let accuracy = report.accuracy.map(|accuracy| format!(", accuracy {}", short(accuracy)));
        format!("; at the last report loss {}{}", short(report.loss), accuracy.unwrap_or_default())
    });
    training::figure(&format!("training, {}{last}", plural(losses.len(), "update")), losses, reports)
}

/// The first channels of `[time, channel]` as `[channel][step]`.
pub(crate) fn channels(values: &Tensor, most: usize) -> bd_core::Result<Vec<Vec<f64>>> {
    let count = values.size()[1].min(most as i64);
    (0..count).map(|c| numbers(&values.select(1, c))).collect()
}

/// All numbers of a tensor, the last index running fastest.
pub(crate) fn numbers(values: &Tensor) -> bd_core::Result<Vec<f64>> {
    let host = values.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
    Ok(Vec::try_from(host.f_flatten(0, -1)?)?)
}
