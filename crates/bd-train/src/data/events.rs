//! [`Events`]: spikes as recordings list them, each with its time and its unit, and what becomes of them in steps.

use bd_core::{Error, Result, Spike, Spikes, kind_name};
use tch::{Device, Kind, Tensor};

use super::columns::MAX_NUMBERS;
use super::whole;

/// More steps than this are a mistake in the unit of time.
pub const MOST_STEPS: usize = 1 << 20;

/// The greatest unit: that of the last channel that [`Spike`] can count.
pub const MAX_UNIT: i64 = u32::MAX as i64 - 1;

/// Spikes of several samples, one after the other: times in seconds from the beginning of the sample, in any order, and units, which
/// are channels counted from 0.
#[derive(Debug)]
pub struct Events {
    times: Tensor,
    units: Tensor,
    offsets: Vec<usize>,
}

/// Spikes of several samples and their labels, int64 `[sample]`.
pub type LabelledEvents = (Events, Tensor);

/// So many samples, of each class in turn: `spikes` of a sample and its label are times in seconds and units, in any order.
pub(super) fn labelled(
    count: usize,
    classes: usize,
    mut spikes: impl FnMut(usize, usize) -> Vec<(f32, i32)>,
) -> Result<LabelledEvents> {
    let (mut times, mut units, mut offsets, mut labels) = (Vec::new(), Vec::new(), vec![0], Vec::new());
    for sample in 0..count {
        let label = sample % classes;
        let mut spikes = spikes(sample, label);
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        times.extend(spikes.iter().map(|(time, _)| *time));
        units.extend(spikes.iter().map(|(_, unit)| *unit));
        offsets.push(times.len() as i64);
        labels.push(label as i64);
    }
    let [times, units] = [Tensor::from_slice(&times), Tensor::from_slice(&units)];
    let events = Events::new(times, units, &Tensor::from_slice(&offsets), ["times", "units", "offsets"])?;
    Ok((events, Tensor::from_slice(&labels)))
}

/// Events in steps.
#[derive(Debug, Clone)]
pub struct Binned {
    /// At most one for each channel and step.
    pub spikes: Spikes,
    /// How many had a spike of the same channel in the same step before them, and count as one with it.
    pub merged: usize,
    /// How many are later than the last step, and are left out.
    pub late: usize,
}

impl Events {
    /// Of times `[spike]`, units `[spike]` and where the spikes of each sample begin, `offsets` `[samples + 1]`, the last one being
    /// the number of spikes. Whatever cannot be is named by its array, for which `names` stand, and its place.
    pub fn new(times: Tensor, units: Tensor, offsets: &Tensor, names: [&str; 3]) -> Result<Self> {
        let wrong = |reason: String| Err(Error::Config(reason));
        let shown = |t: &Tensor| format!("{} of shape {:?}", kind_name(t.kind()), t.size());
        let [times_name, units_name, offsets_name] = names;
        if times.dim() != 1 || !times.is_floating_point() {
            return wrong(format!("{times_name} is {}; times are floats in seconds, [spike]", shown(&times)));
        }
        if units.dim() != 1 || !whole(&units) {
            return wrong(format!("{units_name} is {}; units are whole numbers, [spike]", shown(&units)));
        }
        if offsets.dim() != 1 || !whole(offsets) || offsets.size()[0] < 2 {
            return wrong(format!("{offsets_name} is {}; offsets are whole numbers, [samples + 1]", shown(offsets)));
        }
        let count = times.size()[0];
        if units.size()[0] != count {
            return wrong(format!(
                "{times_name} has {count} spikes, but {units_name} has {}: there must be as many of both",
                units.size()[0]
            ));
        }
        let offsets = Vec::<i64>::try_from(offsets.to_device(Device::Cpu).to_kind(Kind::Int64))?;
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        if first != 0 || last != count {
            return wrong(format!(
                "{offsets_name} goes from {first} to {last}; it begins with 0 and ends with the number of spikes, {count}"
            ));
        }
        if let Some(sample) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return wrong(format!(
                "{offsets_name} falls from {} to {} at sample {sample}; the spikes of a sample end where those of the next begin",
                offsets[sample],
                offsets[sample + 1]
            ));
        }
        let offsets = offsets.into_iter().map(|offset| offset as usize).collect();
        let events = Self { times: times.to_device(Device::Cpu), units: units.to_device(Device::Cpu), offsets };
        for sample in 0..events.count() {
            let (times, units) = events.sample(sample)?;
            if let Some(spike) = times.iter().position(|time| !(*time >= 0.0 && time.is_finite())) {
                let time = times[spike];
                return wrong(format!(
                    "{times_name} of sample {sample} is {time} at its spike {spike}; times are from 0"
                ));
            }
            if let Some(spike) = units.iter().position(|unit| !(0..=MAX_UNIT).contains(unit)) {
                let unit = units[spike];
                return wrong(format!(
                    "{units_name} of sample {sample} is {unit} at its spike {spike}; units count channels from 0, to {MAX_UNIT} at most"
                ));
            }
        }
        Ok(events)
    }

    /// Number of samples.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Times, units and offsets, as [`new`](Self::new) takes them.
    pub fn arrays(&self) -> [Tensor; 3] {
        let offsets: Vec<i64> = self.offsets.iter().map(|offset| *offset as i64).collect();
        [self.times.shallow_clone(), self.units.shallow_clone(), Tensor::from_slice(&offsets)]
    }

    /// Times and units of a sample.
    pub fn sample(&self, sample: usize) -> Result<(Vec<f64>, Vec<i64>)> {
        let (from, to) = (self.offsets[sample] as i64, self.offsets[sample + 1] as i64);
        let of = |t: &Tensor, kind| t.narrow(0, from, to - from).to_kind(kind);
        Ok((Vec::try_from(of(&self.times, Kind::Double))?, Vec::try_from(of(&self.units, Kind::Int64))?))
    }

    /// The spikes of some samples, in the given order. Fails if there is no such sample.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        if let Some(sample) = samples.iter().find(|sample| **sample >= self.count()) {
            let count = self.count();
            return Err(Error::Config(format!("there is no sample {sample}; there are {count}, counted from 0")));
        }
        let (mut spikes, mut offsets) = (Vec::new(), vec![0]);
        for &sample in samples {
            spikes.extend((self.offsets[sample]..self.offsets[sample + 1]).map(|spike| spike as i64));
            offsets.push(spikes.len());
        }
        let index = Tensor::from_slice(&spikes);
        let [times, units] = [&self.times, &self.units].map(|of| of.f_index_select(0, &index));
        Ok(Self { times: times?, units: units?, offsets })
    }

    /// The same spikes, which are shared, not copied.
    pub fn shallow_clone(&self) -> Self {
        let [times, units] = [&self.times, &self.units].map(Tensor::shallow_clone);
        Self { times, units, offsets: self.offsets.clone() }
    }

    /// How far a time may be from what was meant, as a fraction of it: a unit in the last place of its dtype, and a few of float64 for
    /// the arithmetic here.
    fn rounding(&self) -> f64 {
        match self.times.kind() {
            Kind::Float => f64::from(f32::EPSILON),
            _ => 4.0 * f64::EPSILON,
        }
    }

    /// Channels that all units need: one more than the greatest of them.
    pub fn channels(&self) -> i64 {
        if self.units.numel() == 0 { 1 } else { self.units.to_kind(Kind::Int64).max().int64_value(&[]) + 1 }
    }

    /// The time of the last spike in seconds, 0 if there is none.
    pub fn last_s(&self) -> f64 {
        if self.times.numel() == 0 { 0.0 } else { self.times.max().double_value(&[]) }
    }

    /// Steps of `dt_ms` that all times need; at least 1. Fails where there would be more than [`MOST_STEPS`].
    pub fn steps(&self, dt_ms: f64) -> Result<usize> {
        let last = self.last_s();
        let step = step_of(last, dt_ms, self.rounding());
        if step >= MOST_STEPS as f64 {
            return Err(Error::Config(format!(
                "the last spike is at {last} s, in step {step} of {dt_ms} ms; there are at most {MOST_STEPS} steps. Times are in seconds"
            )));
        }
        Ok(step as usize + 1)
    }

    /// Windows that all spikes are within, `windows` of equal length, which is returned in milliseconds: they take the time of the last
    /// spike, rounded up to a millisecond.
    pub fn window_ms(&self, windows: usize) -> f64 {
        let last_ms = self.last_s() * 1000.0;
        // The last spike is in the last window, even where it is at a whole millisecond.
        let whole_ms = last_ms.ceil();
        let span_ms = if step_of(self.last_s(), 1.0, self.rounding()) < whole_ms { whole_ms } else { whole_ms + 1.0 };
        span_ms / windows.max(1) as f64
    }

    /// In `steps` steps of `dt_ms`: what is at `t` seconds is in step `1000 t / dt_ms`, rounded down. A unit that is no channel is
    /// an error.
    pub fn bin(&self, dt_ms: f64, sizes: [usize; 2], on: (Kind, Device)) -> Result<Binned> {
        let (mut merged, mut late) = (0, 0);
        let samples = (0..self.count()).map(|sample| {
            let (mut spikes, too_late) = self.within(sample, dt_ms, sizes)?;
            late += too_late;
            merged += spikes.len();
            spikes.sort_unstable();
            spikes.dedup();
            merged -= spikes.len();
            Ok(spikes.into_iter().map(|(step, channel)| Spike { step, channel }).collect())
        });
        let samples = samples.collect::<Result<Vec<Vec<Spike>>>>()?;
        Ok(Binned { spikes: Spikes::from_samples(sizes, on, samples)?, merged, late })
    }

    /// How many spikes each channel has in each of `steps` steps of `dt_ms`, float64 `[sample, step, channel]`, and how many spikes come
    /// after the last step. A unit that is no channel is an error.
    pub fn count_in_steps(&self, dt_ms: f64, sizes: [usize; 2]) -> Result<(Tensor, usize)> {
        let [steps, channels] = sizes;
        // Channels are as many as the greatest unit of a file says.
        let numbers = [steps, channels].iter().try_fold(self.count(), |all, size| all.checked_mul(*size));
        let Some(numbers) = numbers.filter(|numbers| *numbers <= MAX_NUMBERS) else {
            return Err(Error::Config(format!(
                "counts of {} samples in {steps} steps of {channels} channels are more than {MAX_NUMBERS} numbers; take longer steps, \
                 or number the units from 0",
                self.count()
            )));
        };
        let (mut counts, mut late) = (vec![0.0; numbers], 0);
        for (sample, counts) in counts.chunks_mut((steps * channels).max(1)).enumerate() {
            let (spikes, too_late) = self.within(sample, dt_ms, sizes)?;
            late += too_late;
            spikes.iter().for_each(|(step, unit)| counts[*step as usize * channels + *unit as usize] += 1.0);
        }
        let shape = [self.count(), steps, channels].map(|n| n as i64);
        Ok((Tensor::from_slice(&counts).f_reshape(shape)?, late))
    }

    /// Step and channel of each spike of a sample that is within `steps` steps, and how many come later.
    fn within(&self, sample: usize, dt_ms: f64, [steps, channels]: [usize; 2]) -> Result<(Vec<(u32, u32)>, usize)> {
        let (times, units) = self.sample(sample)?;
        if let Some(spike) = units.iter().position(|unit| *unit >= channels as i64) {
            return Err(Error::Config(format!(
                "sample {sample} has a spike of unit {} (its spike {spike}); there are {channels} channels, counted from 0",
                units[spike]
            )));
        }
        let at = times.iter().map(|time| step_of(*time, dt_ms, self.rounding())).zip(&units);
        let inside = at.filter(|(step, _)| *step < steps as f64);
        let spikes: Vec<_> = inside.map(|(step, unit)| (step as u32, *unit as u32)).collect();
        let late = units.len() - spikes.len();
        Ok((spikes, late))
    }
}

/// What is a whole number of steps but for the rounding of `times`, which is told by their dtype, is that step.
fn step_of(time_s: f64, dt_ms: f64, rounding: f64) -> f64 {
    (time_s * 1000.0 / dt_ms * (1.0 + rounding)).floor()
}

#[cfg(test)]
mod tests;
