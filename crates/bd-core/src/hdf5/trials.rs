//! [`Trials`]: spikes of units cut by a table of intervals, each interval a sample.

use std::cell::OnceCell;

use tch::{Kind, Tensor};

use super::file::Hdf5;
use super::found::Found;
use super::nwb::is_list;
use super::tensors::{floats, numbers, told};

/// Columns of a table of intervals that say nothing of what was done or seen.
const OF_TABLES: [&str; 6] = ["id", "start_time", "stop_time", "tags", "timeseries", "timeseries_index"];

/// Spikes by trial, read once.
pub(super) struct Trials {
    file: Hdf5,
    table: String,
    cut: OnceCell<Result<[Tensor; 3], String>>,
}

impl Trials {
    /// `table` is the path of the intervals.
    pub(super) fn new(file: Hdf5, table: String) -> Self {
        Self { file, table, cut: OnceCell::new() }
    }

    /// The columns of the table `[trial]`, by their own names.
    pub(super) fn columns(&self) -> Vec<Found> {
        let Some(starts) = self.file.dataset(&format!("{}/start_time", self.table)) else { return Vec::new() };
        let count = starts.shape().first().copied().unwrap_or(0);
        let all: Vec<_> = self.file.within(&self.table).collect();
        let is_ragged = |name: &str| {
            name.ends_with("_index") || all.iter().any(|(other, _)| other.strip_suffix("_index") == Some(name))
        };
        let of_trials = all.iter().filter(|(name, entry)| {
            let is_list = entry.dataset.as_ref().is_ok_and(|dataset| is_list(dataset, count));
            is_list && !OF_TABLES.contains(name) && !is_ragged(name)
        });
        of_trials.map(|(name, entry)| Found { name: (*name).to_owned(), ..Found::dataset(&self.file, entry) }).collect()
    }

    /// Times in seconds from the beginning of the trial, units by their rows, and offsets: 0, 1 and 2.
    pub(super) fn array(&self, at: usize) -> Result<Tensor, String> {
        let cut = self.cut.get_or_init(|| self.cut());
        cut.as_ref().map(|cut| cut[at].shallow_clone()).map_err(Clone::clone)
    }

    /// What is from the beginning of a trial to before its end belongs to it.
    fn cut(&self) -> Result<[Tensor; 3], String> {
        let trials = self.intervals()?;
        let units = self.units()?;
        let within = |times: &[f64], [start, stop]: [f64; 2]| {
            times.partition_point(|time| *time < start)..times.partition_point(|time| *time < stop)
        };
        let count: u64 =
            trials.iter().flat_map(|trial| units.iter().map(move |unit| within(unit, *trial).len() as u64)).sum();
        // Twice 16 bytes a spike.
        self.file.take(count.saturating_mul(32).saturating_add(8 * trials.len() as u64))?;
        let (mut times, mut channels, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
        for trial in trials {
            let of_unit = |(unit, spikes): (usize, &Vec<f64>)| {
                spikes[within(spikes, trial)].iter().map(|time| (time - trial[0], unit as i64)).collect::<Vec<_>>()
            };
            let mut spikes: Vec<(f64, i64)> = units.iter().enumerate().flat_map(of_unit).collect();
            spikes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            times.extend(spikes.iter().map(|(time, _)| *time));
            channels.extend(spikes.iter().map(|(_, unit)| *unit));
            offsets.push(times.len() as i64);
        }
        Ok([Tensor::from_slice(&times), Tensor::from_slice(&channels), Tensor::from_slice(&offsets)])
    }

    /// Beginning and end of each trial.
    fn intervals(&self) -> Result<Vec<[f64; 2]>, String> {
        let table = &self.table;
        let [starts, stops] = ["start_time", "stop_time"].map(|name| floats(&self.file, &format!("{table}/{name}")));
        let (starts, stops) = (starts?, stops?);
        if starts.len() != stops.len() || starts.is_empty() {
            return Err(format!("{table} has {} beginnings and {} ends of trials", starts.len(), stops.len()));
        }
        let trials: Vec<[f64; 2]> = starts.into_iter().zip(stops).map(|(start, stop)| [start, stop]).collect();
        match trials.iter().position(|[start, stop]| !(start.is_finite() && stop.is_finite() && start <= stop)) {
            Some(at) => {
                Err(format!("{table}: trial {at} (counted from 0) goes from {} to {} s", trials[at][0], trials[at][1]))
            }
            None => Ok(trials),
        }
    }

    /// Times of the spikes of each unit, rising.
    fn units(&self) -> Result<Vec<Vec<f64>>, String> {
        let times = floats(&self.file, "units/spike_times")?;
        let ends = numbers(&self.file, "units/spike_times_index")?;
        if ends.dim() != 1 || ends.is_floating_point() {
            return Err(format!("units/spike_times_index is {:?}; it is a list of whole numbers", ends.size()));
        }
        let ends = told(|| Ok(Vec::<i64>::try_from(ends.to_kind(Kind::Int64))?))?;
        if let Some(spike) = times.iter().position(|time| !time.is_finite()) {
            return Err(format!("units/spike_times is {} at spike {spike} (counted from 0)", times[spike]));
        }
        let (mut begin, mut units) = (0, Vec::new());
        for (unit, end) in ends.into_iter().enumerate() {
            let end = usize::try_from(end).ok().filter(|end| (begin..=times.len()).contains(end));
            let Some(end) = end else {
                return Err(format!(
                    "units/spike_times_index of unit {unit} is beyond the {} spikes, or falls: it is where the spikes of each unit end",
                    times.len()
                ));
            };
            let mut spikes = times[begin..end].to_vec();
            spikes.sort_by(f64::total_cmp);
            units.push(spikes);
            begin = end;
        }
        Ok(units)
    }
}
