//! Figures of a spiking network: voltages and spikes of its first layer.

use bd_plot::Figure;
use bd_plot::spikes::{Recording, raster, voltages};

/// What the network does, if it does anything, with the names of the files.
pub(super) fn of_states(recording: &Recording) -> Vec<(String, Figure)> {
    if recording.is_empty() {
        return Vec::new();
    }
    vec![("voltages".into(), voltages(recording)), ("raster".into(), raster(recording))]
}
