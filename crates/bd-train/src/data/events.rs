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
mod tests {
    use super::*;

    const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
    const NAMES: [&str; 3] = ["times", "units", "offsets"];

    fn events(times: &[f32], units: &[i64], offsets: &[i64]) -> Result<Events> {
        Events::new(Tensor::from_slice(times), Tensor::from_slice(units), &Tensor::from_slice(offsets), NAMES)
    }

    /// A spike at every multiple of 0.1 ms over 100 s, written as the nearest float64, and one just before each but the first, which is in the step
    /// before: none moves. In float32
    /// a number near 100 is 7.6e-6 apart from the next, so that the nearest one may be below what was meant.
    #[test]
    fn times_fall_into_the_steps_that_were_meant() {
        let whole: Vec<f64> = (0..1_000_000).map(|i| f64::from(i) / 10_000.0).collect();
        let before: Vec<f64> = (1..1_000_000).map(|i| (f64::from(i) - 1e-5) / 10_000.0).collect();
        for times in [&whole, &before] {
            let steps = times.iter().map(|time| step_of(*time, 0.1, 4.0 * f64::EPSILON));
            assert_eq!(steps.enumerate().filter(|(i, step)| *step != *i as f64).count(), 0);
        }
        let single: Vec<f32> = (0..100_000).map(|i| i as f32 / 1000.0).collect();
        let all = Events::new(
            Tensor::from_slice(&single),
            Tensor::zeros([100_000], (Kind::Int64, Device::Cpu)),
            &Tensor::from_slice(&[0i64, 100_000]),
            NAMES,
        );
        let all = all.unwrap();
        assert_eq!(all.steps(1.0).unwrap(), 100_000);
        let binned = all.bin(1.0, [100_000, 1], ON).unwrap();
        assert_eq!((binned.merged, binned.late, binned.spikes.count()), (0, 0, 100_000));
        let last = Events::new(
            Tensor::from_slice(&[99.999_995]),
            Tensor::from_slice(&[0i64]),
            &Tensor::from_slice(&[0i64, 1]),
            NAMES,
        );
        assert_eq!(last.unwrap().steps(1.0).unwrap(), 100_000);
    }

    /// By hand: steps of 4 ms, of which the first sample has two spikes of channel 1 in step 0 and one past the end.
    #[test]
    fn events_fall_into_steps() {
        let events = events(&[0.003, 0.0, 0.011, 0.02, 0.008, 0.004], &[1, 1, 0, 2, 2, 0], &[0, 4, 4, 6]).unwrap();
        assert_eq!((events.count(), events.channels(), events.steps(4.0).unwrap()), (3, 3, 6));
        let binned = events.bin(4.0, [5, 3], ON).unwrap();
        assert_eq!((binned.merged, binned.late, binned.spikes.count()), (1, 1, 4));
        let at = |sample| binned.spikes.sample(sample).iter().map(|s| (s.step, s.channel)).collect::<Vec<_>>();
        assert_eq!((at(0), at(1), at(2)), (vec![(0, 1), (2, 0)], vec![], vec![(1, 0), (2, 2)]));
        let whole = events.bin(4.0, [6, 3], ON).unwrap();
        assert_eq!((whole.late, whole.spikes.count()), (0, 5));
        let [times, units, offsets] = events.arrays();
        assert_eq!(Events::new(times, units, &offsets, NAMES).unwrap().steps(4.0).unwrap(), 6);
        let some = events.select(&[2, 1, 0]).unwrap();
        assert_eq!((some.count(), some.sample(0).unwrap()), (3, events.sample(2).unwrap()));
        assert_eq!((some.sample(1).unwrap(), some.sample(2).unwrap()), ((vec![], vec![]), events.sample(0).unwrap()));
        assert!(events.select(&[3]).unwrap_err().to_string().contains("no sample 3; there are 3"));
    }

    /// By hand: windows of 4 ms, in the first of which the first sample has two spikes of channel 1, and one spike past the end.
    #[test]
    fn events_are_counted_in_windows() {
        let events = events(&[0.003, 0.0, 0.011, 0.02, 0.008, 0.004], &[1, 1, 0, 2, 2, 0], &[0, 4, 4, 6]).unwrap();
        let (counts, late) = events.count_in_steps(4.0, [5, 3]).unwrap();
        assert_eq!((counts.size(), late), (vec![3, 5, 3], 1));
        let of = |sample| Vec::<f64>::try_from(counts.get(sample).flatten(0, -1)).unwrap();
        let expected = |filled: &[(usize, f64)]| {
            let mut all = vec![0.0; 15];
            filled.iter().for_each(|(at, count)| all[*at] = *count);
            all
        };
        assert_eq!(of(0), expected(&[(1, 2.0), (6, 1.0)]));
        assert_eq!((of(1), of(2)), (expected(&[]), expected(&[(3, 1.0), (8, 1.0)])));
        assert!(events.count_in_steps(4.0, [5, 2]).unwrap_err().to_string().contains("spike of unit 2"));
    }

    /// The last spike is in the last window, wherever in a millisecond it is.
    #[test]
    fn windows_take_the_time_of_the_last_spike_rounded_up() {
        for (last, span_ms) in [(0.0997, 100.0), (0.1, 101.0), (0.0, 1.0)] {
            let events = events(&[0.0, last], &[0, 0], &[0, 2]).unwrap();
            for windows in [1, 7, 64, 100] {
                let window_ms = events.window_ms(windows);
                assert_eq!(window_ms, span_ms / windows as f64, "{last} s");
                assert!(events.steps(window_ms).unwrap() <= windows, "{last} s in {windows} windows");
            }
        }
    }

    /// Times that are multiples of the step but for what float32 cannot hold.
    #[test]
    fn a_spike_at_the_beginning_of_a_step_is_in_it() {
        for dt_ms in [0.1, 0.3, 1.0, 4.0, 7.0] {
            for step in 0..5000 {
                let stored = |steps: f64| f64::from((steps * dt_ms / 1000.0) as f32);
                assert_eq!(
                    step_of(stored(f64::from(step)), dt_ms, f64::from(f32::EPSILON)),
                    f64::from(step),
                    "{step} of {dt_ms}"
                );
                assert_eq!(step_of(stored(f64::from(step) + 0.99), dt_ms, f64::from(f32::EPSILON)), f64::from(step));
            }
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (times, units, offsets, words) in [
            (vec![0.0, 1.0], vec![0], vec![0, 2], "times has 2 spikes, but units has 1"),
            (vec![0.0], vec![0], vec![0], "offsets is int64 of shape [1]"),
            (
                vec![0.0, 1.0],
                vec![0, 1],
                vec![0, 1],
                "offsets goes from 0 to 1; it begins with 0 and ends with the number of spikes, 2",
            ),
            (vec![0.0, 1.0], vec![0, 1], vec![1, 2], "offsets goes from 1 to 2"),
            (vec![0.0, 1.0], vec![0, 1], vec![0, 2, 1, 2], "offsets falls from 2 to 1 at sample 1"),
            (vec![0.0, -1.0], vec![0, 1], vec![0, 1, 2], "times of sample 1 is -1 at its spike 0; times are from 0"),
            (vec![0.0, f32::NAN], vec![0, 1], vec![0, 2], "times of sample 0 is NaN at its spike 1"),
            (
                vec![0.0, 1.0],
                vec![0, -3],
                vec![0, 2],
                "units of sample 0 is -3 at its spike 1; units count channels from 0",
            ),
            (
                vec![0.0, 1.0, 0.0],
                vec![0, 1, i64::MAX],
                vec![0, 2, 3],
                "units of sample 1 is 9223372036854775807 at its spike 0; units count channels from 0, to 4294967294 at most",
            ),
            (vec![0.0], vec![1 << 32], vec![0, 1], "units of sample 0 is 4294967296 at its spike 0"),
        ] {
            let error = events(&times, &units, &offsets).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(events(&[0.0], &[MAX_UNIT], &[0, 1]).unwrap().channels(), i64::from(u32::MAX));
        let beyond = events(&[0.0, 0.0], &[0, 7], &[0, 1, 2]).unwrap().bin(1.0, [1, 7], ON).unwrap_err().to_string();
        assert!(beyond.contains("sample 1 has a spike of unit 7 (its spike 0); there are 7 channels"), "{beyond}");
        let late = events(&[5e5], &[0], &[0, 1]).unwrap().steps(1.0).unwrap_err().to_string();
        assert!(late.contains("Times are in seconds"), "{late}");
        let flat = Tensor::from_slice(&[0i64, 1]);
        let error = Events::new(flat.copy(), flat.copy(), &flat, NAMES).unwrap_err().to_string();
        assert!(error.contains("times is int64 of shape [2]; times are floats in seconds"), "{error}");
    }
}
