//! What the checks have found, for people.

use bd_core::contract::report::{Check, Comparison, Row};
use bd_core::device::Device;
use bd_core::text::power_of_ten;
use bd_equations::Model;

const NAME: usize = 51;
const CELL: usize = 13;

/// The columns that there are on a device.
fn columns(device: Device) -> impl Iterator<Item = Comparison> {
    Comparison::on(device, true)
}

/// Names of the columns, and what is allowed.
pub(super) fn head(device: Device) -> String {
    let line = |name: &str, cell: &dyn Fn(Comparison) -> String, spikes: &str| {
        let cells: String = columns(device).map(|column| format!("{:>CELL$}", cell(column))).collect();
        format!("{name:<NAME$}{cells}{spikes:>8}")
    };
    let allowed = |smooth: bool| {
        move |column: Comparison| match column {
            Comparison::Differences if !smooth => "-".into(),
            _ => format!("{:.0e}   ", column.tolerance(smooth)),
        }
    };
    [
        line("model", &|column| column.name().into(), "spikes"),
        line("largest allowed", &allowed(true), "-"),
        line("largest allowed, spiking models", &allowed(false), "-"),
    ]
    .join("\n")
}

pub(super) fn line(row: &Row, device: Device) -> String {
    let cell = |check: Option<&Check>| match check {
        None => "-".to_owned(),
        Some(Check { fault: Some(fault), largest, .. }) if fault.word == "differs" => format!("{largest:.1e} FAIL"),
        Some(Check { fault: Some(fault), .. }) => format!("{} FAIL", fault.word),
        Some(Check { largest, .. }) => format!("{largest:.1e} ok"),
    };
    let cells: String = columns(device).map(|column| format!("{:>CELL$}", cell(row.of(column)))).collect();
    let spikes = row.spikes.map_or("-".to_owned(), |spikes| spikes.to_string());
    format!("{:<NAME$}{cells}{spikes:>8}", row.model)
}

/// How far the derivatives of a neuron grow, and what that means for its training.
pub(super) fn product(product: f64, dt_ms: f64) -> String {
    let most = Model::LARGEST_IN_FLOAT32;
    let so = match product <= most {
        true => "float32 will do".to_owned(),
        false => format!("above {}, so that it is trained in float64 only", power_of_ten(most)),
    };
    format!("largest product of derivatives over steps of {dt_ms} ms: {}, {so}", power_of_ten(product))
}
