//! [`Spikes`]: a sequence of zeros and ones, as the list of its ones.

use std::ops::Range;
use std::sync::Arc;

pub use bd_kernel::Spike;
use bd_kernel::portable;
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::rng::Rng;
pub use lists::SpikeLists;
use lists::{Made, Moved};

mod lists;

/// Spikes of a batch of sequences: stands for a tensor `[time, batch, n]` of zeros and ones with the given dtype and
/// device, and holds only where the ones are, on the host; a clone shares them. [`System::scan`](crate::System::scan) reads it.
///
/// A channel that occurs twice in a step counts twice.
#[derive(Debug, Clone)]
pub struct Spikes {
    time: usize,
    batch: usize,
    n: usize,
    on: (Kind, Device),
    source: Source,
    /// Where steps were cut out: what is left of the source, with steps counted from the first.
    cut: Option<List>,
    /// What was made of them for a device.
    made: Made,
}

/// Spikes of samples.
#[derive(Debug, Clone)]
struct List {
    /// Those of a sample side by side, in the order of time.
    all: Arc<[Spike]>,
    /// Where those of each sample are.
    samples: Arc<[Range<usize>]>,
}

impl List {
    /// Of spikes sample by sample, with where each sample begins; one more than there are.
    fn new(starts: &[usize], all: Vec<Spike>) -> Self {
        Self { all: all.into(), samples: starts.windows(2).map(|ends| ends[0]..ends[1]).collect() }
    }

    /// Those of some of the samples, in the given order. Nothing is copied.
    fn select(&self, samples: &[usize]) -> Self {
        Self { all: self.all.clone(), samples: samples.iter().map(|sample| self.samples[*sample].clone()).collect() }
    }

    fn sample(&self, sample: usize) -> &[Spike] {
        &self.all[self.samples[sample].clone()]
    }

    fn count(&self) -> usize {
        self.samples.iter().map(|range| range.len()).sum()
    }
}

/// Where spikes come from: the list that samples were selected of and steps cut out of, which is moved to a device as a whole.
#[derive(Debug, Clone)]
struct Source {
    list: List,
    /// The step of the list that is step 0.
    first: u32,
    moved: Moved,
}

impl Spikes {
    fn of([time, batch, n]: [usize; 3], on: (Kind, Device), list: List) -> Self {
        let source = Source { list, first: 0, moved: Moved::default() };
        Self { time, batch, n, on, source, cut: None, made: Made::default() }
    }

    /// What there is of them, with steps counted from 0.
    fn list(&self) -> &List {
        self.cut.as_ref().unwrap_or(&self.source.list)
    }

    /// From the channels that spike in each step of each sample: `fill(sample, step, channels)` appends them.
    pub fn from_fn(
        [time, batch, n]: [usize; 3],
        on: (Kind, Device),
        mut fill: impl FnMut(usize, usize, &mut Vec<u32>),
    ) -> Result<Self> {
        let (mut starts, mut all, mut channels) = (vec![0], Vec::new(), Vec::new());
        for sample in 0..batch {
            for step in 0..time {
                fill(sample, step, &mut channels);
                if let Some(channel) = channels.iter().find(|channel| **channel as usize >= n) {
                    return Err(Error::Config(format!(
                        "sample {sample} has a spike of channel {channel} in step {step}; channels go from 0 to {}",
                        n.saturating_sub(1)
                    )));
                }
                all.extend(channels.drain(..).map(|channel| Spike { step: step as u32, channel }));
            }
            starts.push(all.len());
        }
        Ok(Self::of([time, batch, n], on, List::new(&starts, all)))
    }

    /// From the spikes of each sample, in any order of time, with so many steps and channels.
    pub fn from_samples(
        [time, n]: [usize; 2],
        on: (Kind, Device),
        samples: impl IntoIterator<Item = Vec<Spike>>,
    ) -> Result<Self> {
        let (mut starts, mut all) = (vec![0], Vec::new());
        for (sample, mut spikes) in samples.into_iter().enumerate() {
            if let Some(spike) = spikes.iter().find(|spike| spike.step as usize >= time || spike.channel as usize >= n)
            {
                return Err(Error::Config(format!(
                    "sample {sample} has a spike of channel {} in step {}; there are {n} channels and {time} steps, counted from 0",
                    spike.channel, spike.step
                )));
            }
            spikes.sort_by_key(|spike| spike.step);
            all.extend(spikes);
            starts.push(all.len());
        }
        Ok(Self::of([time, starts.len() - 1, n], on, List::new(&starts, all)))
    }

    /// From a tensor `[time, batch, n]` of zeros and ones. Any other number is refused.
    pub fn from_dense(xs: &Tensor) -> Result<Self> {
        let size = xs.size();
        let &[time, batch, n] = size.as_slice() else {
            return Err(Error::Shape { what: "spikes".into(), expected: "[time, batch, channel]".into(), found: size });
        };
        let ones = xs.eq(1.0);
        if !xs.eq(0.0).logical_or(&ones).all().int64_value(&[]).eq(&1) {
            return Err(Error::Config("spikes are 0 or 1, but there are other numbers".into()));
        }
        let found = Vec::<i64>::try_from(ones.transpose(0, 1).nonzero().to_device(Device::Cpu).flatten(0, -1))?;
        let mut found = found.chunks_exact(3).peekable();
        let shape = [time as usize, batch as usize, n as usize];
        Self::from_fn(shape, (xs.kind(), xs.device()), |sample, step, channels| {
            while let Some(spike) = found.next_if(|at| at[0] == sample as i64 && at[1] == step as i64) {
                channels.push(spike[2] as u32);
            }
        })
    }

    /// Every channel of every step spikes with this probability, independently (a Poisson process in steps). Cost is that of
    /// the spikes: the gaps between them are drawn.
    pub fn draw(shape: [usize; 3], on: (Kind, Device), probability: f64, rng: &mut Rng) -> Result<Self> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::setting("probability", probability, "from 0 to 1"));
        }
        let n = shape[2] as f64;
        // The gap before the next spike is geometric: P(gap >= k) = (1 - p)^k.
        let log_silence = portable::ln_1p(-probability);
        let mut gap = || match probability {
            0.0 => f64::INFINITY,
            _ => (portable::ln(1.0 - rng.uniform()) / log_silence).floor(),
        };
        let mut next = gap();
        Self::from_fn(shape, on, |_, _, channels| {
            while next < n {
                channels.push(next as u32);
                next += 1.0 + gap();
            }
            next -= n;
        })
    }

    /// Number of steps, of samples, and of channels.
    pub fn shape(&self) -> [usize; 3] {
        [self.time, self.batch, self.n]
    }

    /// Dtype and device of the tensor that this stands for.
    pub fn on(&self) -> (Kind, Device) {
        self.on
    }

    /// The same, standing for a tensor on another device.
    pub fn on_device(self, device: Device) -> Self {
        Self { on: (self.on.0, device), ..self }
    }

    /// The same, standing for a tensor of another dtype.
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { on: (kind, self.on.1), ..self }
    }

    /// Number of spikes.
    pub fn count(&self) -> usize {
        self.list().count()
    }

    /// The spikes of a sample, in the order of time.
    pub fn sample(&self, sample: usize) -> &[Spike] {
        self.list().sample(sample)
    }

    /// Some of the samples, in the given order.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        if let Some(sample) = samples.iter().find(|sample| **sample >= self.batch) {
            return Err(Error::Config(format!("sample {sample} was asked for, of {}", self.batch)));
        }
        let source = Source { list: self.source.list.select(samples), ..self.source.clone() };
        let cut = self.cut.as_ref().map(|cut| cut.select(samples));
        Ok(Self { batch: samples.len(), source, cut, made: Made::default(), ..*self })
    }

    /// The steps `from` to before `from + len`, counted from 0 again.
    pub fn steps(&self, from: usize, len: usize) -> Result<Self> {
        if from.checked_add(len).is_none_or(|end| end > self.time) {
            return Err(Error::Config(format!("{len} steps from {from} were asked for, of {}", self.time)));
        }
        let (first, end) = (from as u32, (from + len) as u32);
        let (mut starts, mut all, mut kept) = (vec![0], Vec::new(), Vec::new());
        for sample in 0..self.batch {
            let spikes = self.sample(sample);
            let at = |step: u32| spikes.partition_point(|spike| spike.step < step);
            let (from, to) = (at(first), at(end));
            all.extend(spikes[from..to].iter().map(|spike| Spike { step: spike.step - first, ..*spike }));
            starts.push(all.len());
            let begin = self.source.list.samples[sample].start;
            kept.push(begin + from..begin + to);
        }
        let list = List { all: self.source.list.all.clone(), samples: kept.into() };
        let source = Source { list, first: self.source.first + first, moved: self.source.moved.clone() };
        Ok(Self { time: len, source, cut: Some(List::new(&starts, all)), made: Made::default(), ..*self })
    }

    /// The tensor that this stands for, `[time, batch, n]`.
    pub fn to_dense(&self) -> Tensor {
        let mut dense = vec![0f32; self.time * self.batch * self.n];
        for sample in 0..self.batch {
            for spike in self.sample(sample) {
                dense[(spike.step as usize * self.batch + sample) * self.n + spike.channel as usize] += 1.0;
            }
        }
        let shape = self.shape().map(|n| n as i64);
        Tensor::from_slice(&dense).reshape(shape).to_kind(self.on.0).to_device(self.on.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn there_and_back() {
        let spikes = Spikes::draw([30, 4, 7], ON, 0.1, &mut Rng::new(1, "spikes")).unwrap();
        let dense = spikes.to_dense();
        let back = Spikes::from_dense(&dense).unwrap();
        (0..4).for_each(|sample| assert_eq!(back.sample(sample), spikes.sample(sample)));
        let order = Tensor::from_slice(&[2i64, 0]);
        assert_eq!(spikes.select(&[2, 0]).unwrap().to_dense(), dense.index_select(1, &order));
        assert_eq!(spikes.steps(11, 8).unwrap().to_dense(), dense.narrow(0, 11, 8));
        let both = spikes.steps(11, 8).unwrap().select(&[3, 3]).unwrap().steps(2, 5).unwrap();
        assert_eq!(both.to_dense(), dense.narrow(0, 13, 5).index_select(1, &Tensor::from_slice(&[3i64, 3])));
        assert_eq!(both.count(), both.to_dense().sum(Kind::Int64).int64_value(&[]) as usize);
        assert!(spikes.steps(25, 6).is_err());
    }

    /// Count, and the chance of two spikes side by side, against those of independent draws, at five standard errors.
    #[test]
    fn spikes_are_drawn_independently() {
        let p = 0.02;
        let spikes = Spikes::draw([500, 20, 50], ON, p, &mut Rng::new(3, "spikes")).unwrap();
        let cells = 500_000.0;
        assert!((spikes.count() as f64 - cells * p).abs() < 5.0 * (cells * p * (1.0 - p)).sqrt());
        let dense = spikes.to_dense();
        for dim in 0..3 {
            let length = dense.size()[dim as usize] - 1;
            let pairs =
                (dense.narrow(dim, 0, length) * dense.narrow(dim, 1, length)).sum(Kind::Double).double_value(&[]);
            let expected = dense.narrow(dim, 0, length).numel() as f64 * p * p;
            assert!((pairs - expected).abs() < 5.0 * expected.sqrt(), "{pairs} and not {expected} along {dim}");
        }
        assert_eq!(Spikes::draw([3, 2, 5], ON, 1.0, &mut Rng::new(0, "")).unwrap().count(), 30);
        assert_eq!(Spikes::draw([3, 2, 5], ON, 0.0, &mut Rng::new(0, "")).unwrap().count(), 0);
    }

    #[test]
    fn samples_are_put_in_the_order_of_time() {
        let spike = |step, channel| Spike { step, channel };
        let samples = [vec![spike(2, 1), spike(0, 0), spike(2, 0)], vec![], vec![spike(1, 1)]];
        let spikes = Spikes::from_samples([3, 2], ON, samples).unwrap();
        assert_eq!((spikes.shape(), spikes.count()), ([3, 3, 2], 4));
        assert_eq!(spikes.sample(0), [spike(0, 0), spike(2, 1), spike(2, 0)]);
        assert_eq!(spikes.clone().of_kind(Kind::Double).to_dense().kind(), Kind::Double);
        for wrong in [spike(3, 0), spike(0, 2)] {
            let error = Spikes::from_samples([3, 2], ON, [vec![], vec![wrong]]).unwrap_err().to_string();
            let words = format!("sample 1 has a spike of channel {} in step {}", wrong.channel, wrong.step);
            assert!(error.contains(&words), "{error}");
        }
    }

    #[test]
    fn what_is_no_spike_is_refused() {
        let error = Spikes::from_dense(&Tensor::from_slice(&[0.0f32, 0.5]).reshape([1, 1, 2])).unwrap_err();
        assert!(error.to_string().contains("0 or 1"), "{error}");
        let error = Spikes::from_fn([1, 1, 2], ON, |_, _, channels| channels.push(2)).unwrap_err();
        assert!(error.to_string().contains("channels go from 0 to 1"), "{error}");
        assert!(Spikes::draw([1, 1, 1], ON, 1.5, &mut Rng::new(0, "")).is_err());
    }
}
