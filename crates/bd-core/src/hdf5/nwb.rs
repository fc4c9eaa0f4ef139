//! Recordings in NWB 2: series in their units, and spikes of units cut into trials.
//!
//! Source: the schema of Neurodata Without Borders, <https://nwb-schema.readthedocs.io>: `TimeSeries`, `Units`, `TimeIntervals`.

use std::rc::Rc;

use tch::{Kind, Tensor};

use super::file::{Hdf5, guarded, number};
use super::found::{Clock, Found};
use super::read::shape_of;
use super::tensors::{floats, numbers, told};
use super::trials::Trials;
use crate::stored::Member;

/// Where tables of intervals are, and the usual one.
const INTERVALS: &str = "intervals/";
const TRIALS: &str = "trials";

/// Arrays that have a meaning, and what to do where one is missing.
pub(super) struct Recording {
    pub(super) arrays: Vec<Found>,
    pub(super) advice: Option<String>,
}

/// What a recording has. `table` names the intervals that are samples.
pub(super) fn recording(file: &Hdf5, table: Option<&str>) -> Result<Recording, String> {
    let has = |path: &str| file.dataset(path).is_some();
    let in_table =
        |name: &str| has(&format!("{INTERVALS}{name}/start_time")) && has(&format!("{INTERVALS}{name}/stop_time"));
    let tables: Vec<&str> =
        file.groups().iter().filter_map(|group| group.strip_prefix(INTERVALS)).filter(|name| in_table(name)).collect();
    if let Some(table) = table.filter(|table| !in_table(table)) {
        let there = if tables.is_empty() { "none".to_owned() } else { tables.join(", ") };
        return Err(format!("no table of intervals is called '{table}' (`data.arrays.trials`); there are: {there}"));
    }
    let series = file.groups().iter().filter(|group| has(&format!("{group}/data")));
    let series = series.filter(|group| has(&format!("{group}/starting_time")) || has(&format!("{group}/timestamps")));
    let mut arrays: Vec<Found> = series.map(|group| of_series(file, group)).collect();
    let has_units = has("units/spike_times") && has("units/spike_times_index");
    if !has_units {
        return Ok(Recording { arrays, advice: None });
    }
    let Some(table) = table.or_else(|| tables.iter().find(|name| **name == TRIALS).copied()) else {
        let there = match tables.len() {
            0 => "the file has no table of intervals that could; save arrays of samples".to_owned(),
            _ => format!("name one with `data.arrays.trials`: {}", tables.join(", ")),
        };
        let reason = format!(
            "its units have spikes, and no table {INTERVALS}{TRIALS} says where samples begin and end; {there}"
        );
        arrays.extend(["times", "units", "offsets"].map(|name| Found::refused(name, reason.clone())));
        return Ok(Recording { arrays, advice: None });
    };
    let trials = Rc::new(Trials::new(file.clone(), format!("{INTERVALS}{table}")));
    for (at, name) in ["times", "units", "offsets"].into_iter().enumerate() {
        let trials = Rc::clone(&trials);
        arrays.push(Found::new(name, None, move || trials.array(at).map(Member::Numbers)));
    }
    let columns: Vec<Found> = trials.columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let advice = match names.is_empty() {
        true => format!("{INTERVALS}{table} has no column that could be the target"),
        false => format!(
            "the columns of {INTERVALS}{table} are: {}; name the one that is the target with `data.arrays.y`",
            names.join(", ")
        ),
    };
    arrays.extend(columns);
    Ok(Recording { arrays, advice: Some(advice) })
}

/// A `TimeSeries` in its unit: data times `conversion`, and times `channel_conversion` of each channel, plus `offset`.
fn of_series(file: &Hdf5, group: &str) -> Found {
    let shape = file.dataset(&format!("{group}/data")).and_then(|data| shape_of(data).ok());
    let (of_data, of_clock) = ((file.clone(), group.to_owned()), (file.clone(), group.to_owned()));
    let mut found = Found::new(group, shape, move || in_units(&of_data.0, &of_data.1).map(Member::Numbers));
    found.later.clock = Some(Box::new(move || clock(&of_clock.0, &of_clock.1)));
    found
}

fn in_units(file: &Hdf5, group: &str) -> Result<Tensor, String> {
    let path = format!("{group}/data");
    let data = numbers(file, &path)?;
    file.take(8 * data.numel() as u64)?;
    let dataset = file.dataset(&path).ok_or("its data are not there")?;
    let conversion = number(dataset, "conversion").unwrap_or(1.0);
    let offset = number(dataset, "offset").unwrap_or(0.0);
    let of_channels = format!("{group}/channel_conversion");
    let channels = match file.dataset(&of_channels) {
        Some(_) => Some(floats(file, &of_channels)?),
        None => None,
    };
    told(|| {
        let data = data.f_to_kind(Kind::Double)?;
        let scaled = match &channels {
            Some(channels) if data.dim() == 2 && data.size()[1] == channels.len() as i64 => {
                Ok(data.f_mul(&Tensor::from_slice(channels).f_mul_scalar(conversion)?)?)
            }
            Some(channels) => {
                Err(format!("channel_conversion has {} numbers for data {:?}", channels.len(), data.size()))
            }
            None => Ok(data.f_mul_scalar(conversion)?),
        };
        Ok(match scaled {
            Ok(scaled) => Ok(scaled.f_add_scalar(offset)?),
            Err(reason) => Err(reason),
        })
    })?
}

fn clock(file: &Hdf5, group: &str) -> Result<Clock, String> {
    let path = format!("{group}/starting_time");
    let Some(dataset) = file.dataset(&path) else {
        return floats(file, &format!("{group}/timestamps")).map(Clock::Times);
    };
    let start = numbers(file, &path)?;
    let rate = number(dataset, "rate").ok_or_else(|| format!("{path} has no rate"))?;
    if start.numel() != 1 || !(rate > 0.0 && rate.is_finite()) {
        return Err(format!(
            "{path} is {:?} with a rate of {rate}; it is a number, and the rate in Hz is above 0",
            start.size()
        ));
    }
    let start_s = told(|| Ok(start.to_kind(Kind::Double).f_reshape([1])?.double_value(&[0])))?;
    match start_s.is_finite() {
        true => Ok(Clock::Even { start_s, dt_s: 1.0 / rate }),
        false => Err(format!("{path} is {start_s}")),
    }
}

/// Whether a dataset is `[count]`.
pub(super) fn is_list(dataset: &hdf5_reader::Dataset, count: u64) -> bool {
    dataset.shape() == [count] && guarded(|| dataset.num_elements()) == Ok(count)
}
