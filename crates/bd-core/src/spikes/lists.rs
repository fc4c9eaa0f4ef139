//! Spikes as lists on a device, for kernels of a GPU.

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use super::{List, Spike, Spikes};
use crate::device::move_to;
use crate::error::{Error, Result};

/// The spikes of a batch in two orders; all of it is 32-bit whole numbers on the device. A row is a step of a sample, and there
/// are `time * batch` of them, in the order of `[time, batch]`.
#[derive(Debug)]
pub struct SpikeLists {
    /// Where the spikes of each row begin in `channels`; one more than there are rows.
    pub row_starts: Tensor,
    /// Channels, row by row.
    pub channels: Tensor,
    /// Where the spikes of each channel begin in `rows`; one more than there are channels.
    pub channel_starts: Tensor,
    /// Rows, channel by channel.
    pub rows: Tensor,
}

impl SpikeLists {
    fn shallow_clone(&self) -> Self {
        let [row_starts, channels, channel_starts, rows] =
            [&self.row_starts, &self.channels, &self.channel_starts, &self.rows].map(Tensor::shallow_clone);
        Self { row_starts, channels, channel_starts, rows }
    }
}

/// Lists that were made once, for all clones of the spikes.
#[derive(Debug, Clone, Default)]
pub(super) struct Made(Arc<Mutex<Option<(Device, SpikeLists)>>>);

/// A whole list on a device, moved once for all that is selected of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<Mutex<Option<(Device, Columns)>>>);

/// Steps and channels of a list, in its order: 32-bit whole numbers on the device.
#[derive(Debug)]
struct Columns {
    steps: Tensor,
    channels: Tensor,
}

impl Moved {
    /// Those of the list at the places `index`, on the device of the index.
    fn select(&self, list: &List, index: &Tensor) -> Result<Columns> {
        let device = index.device();
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.as_ref().is_none_or(|(there, _)| *there != device) {
            let column = |of: fn(&Spike) -> u32| {
                let values: Vec<i32> = list.all.iter().map(|spike| of(spike) as i32).collect();
                move_to(&Tensor::from_slice(&values), device)
            };
            *moved = Some((device, Columns { steps: column(|s| s.step)?, channels: column(|s| s.channel)? }));
        }
        let (_, Columns { steps, channels }) = moved.as_ref().expect("it was moved");
        Ok(Columns { steps: steps.f_index_select(0, index)?, channels: channels.f_index_select(0, index)? })
    }
}

impl Spikes {
    /// The spikes as lists on their device. The list that they were selected of is moved there once, for all that is selected of it;
    /// what is theirs is picked and put in order there, and nothing waits for the device.
    pub fn lists(&self) -> Result<SpikeLists> {
        let mut made = self.made.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((device, lists)) if *device == self.on.1 => Ok(lists.shallow_clone()),
            _ => {
                let lists = self.make_lists()?;
                let own = lists.shallow_clone();
                *made = Some((self.on.1, lists));
                Ok(own)
            }
        }
    }

    fn make_lists(&self) -> Result<SpikeLists> {
        let (rows, count) = (self.time * self.batch, self.count());
        if rows.max(count).max(self.n) >= i32::MAX as usize {
            return Err(Error::Config(format!(
                "{count} spikes in {rows} steps of samples are more than fit on a GPU at once; take smaller batches"
            )));
        }
        let (samples, index) = self.places()?;
        let Columns { steps, channels } = self.source.moved.select(&self.source.list, &index)?;
        let steps = steps - i64::from(self.source.first);
        let of_rows = &steps * self.batch as i64 + &samples;
        let (row_starts, by_row) = self.row_by_row(&(samples * self.time as i64 + steps), &of_rows, &channels)?;
        let (channel_starts, by_channel) = in_order(&channels, &of_rows, self.n)?;
        Ok(SpikeLists { row_starts, channels: by_row, channel_starts, rows: by_channel })
    }

    /// Values row by row, and where each row begins. They are sample by sample and step by step, as `steps` numbers the steps of all
    /// samples, so that nothing has to be sorted: how many there are in each step says where they belong.
    fn row_by_row(&self, steps: &Tensor, rows: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let (on, n) = ((Kind::Int, self.on.1), (self.time * self.batch) as i64);
        let begins = Tensor::f_arange(n + 1, on)?.f_searchsorted::<&Tensor>(steps, true, false, "left", None)?;
        let counts = begins.narrow(0, 1, n) - begins.narrow(0, 0, n);
        let counts = counts.f_view([self.batch as i64, self.time as i64])?.transpose(0, 1).flatten(0, -1);
        let starts = Tensor::f_cat(&[Tensor::f_zeros([1], on)?, counts.f_cumsum(0, Kind::Int)?], 0)?;
        let in_their_step = Tensor::f_arange(values.size()[0], on)? - begins.f_index_select(0, steps)?;
        let places = starts.f_index_select(0, rows)? + in_their_step;
        let sorted = values.f_empty_like()?.f_scatter(0, &places.f_to_kind(Kind::Int64)?, values)?;
        Ok((starts, sorted))
    }

    /// Of each spike, sample by sample, its sample (32-bit), and where it is in the list of the source: how many each sample has is
    /// known on the host, and only that is moved.
    fn places(&self) -> Result<(Tensor, Tensor)> {
        let samples = &self.source.list.samples;
        let (mut ends, mut shifts, mut end) = (Vec::new(), Vec::new(), 0);
        for range in samples.iter() {
            shifts.push(range.start as i64 - end);
            end += range.len() as i64;
            ends.push(end);
        }
        let table = move_to(&Tensor::from_slice(&[ends, shifts].concat()), self.on.1)?;
        let [ends, shifts] = [0, 1].map(|half| table.narrow(0, half * self.batch as i64, self.batch as i64));
        let places = Tensor::f_arange(end, (Kind::Int64, self.on.1))?;
        // The sample is that before whose end a place lies.
        let samples = places.f_searchsorted::<&Tensor>(&ends, true, true, "right", None)?;
        let index = places + shifts.f_index_select(0, &samples)?;
        Ok((samples, index))
    }
}

/// Values in the order of their keys, which are below `n`, equal ones as they were; and where each key begins.
fn in_order(keys: &Tensor, values: &Tensor, n: usize) -> Result<(Tensor, Tensor)> {
    let (sorted, order) = keys.f_sort_stable(true, 0, false)?;
    let every = Tensor::f_arange(n as i64 + 1, (Kind::Int, keys.device()))?;
    let starts = every.f_searchsorted::<&Tensor>(&sorted, true, false, "left", None)?;
    Ok((starts, values.f_index_select(0, &order)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn lists_say_where_the_ones_are() {
        let spikes = Spikes::draw([7, 3, 5], (Kind::Float, Device::Cpu), 0.3, &mut Rng::new(4, "spikes")).unwrap();
        let lists = spikes.lists().unwrap();
        let numbers = |tensor: &Tensor| -> Vec<i32> { tensor.try_into().unwrap() };
        let dense = spikes.to_dense().view([21, 5]);
        let ones = |starts: &Tensor, values: &Tensor| -> Vec<Vec<i32>> {
            let values = numbers(values);
            numbers(starts).windows(2).map(|ends| values[ends[0] as usize..ends[1] as usize].to_vec()).collect()
        };
        let found = |of: Tensor| -> Vec<Vec<i32>> {
            (0..of.size()[0]).map(|i| numbers(&of.get(i).nonzero().flatten(0, -1).to_kind(Kind::Int))).collect()
        };
        assert_eq!(ones(&lists.row_starts, &lists.channels), found(dense.shallow_clone()));
        assert_eq!(ones(&lists.channel_starts, &lists.rows).len(), 5);
        let mut by_channel = ones(&lists.channel_starts, &lists.rows);
        by_channel.iter_mut().for_each(|rows| rows.sort_unstable());
        assert_eq!(by_channel, found(dense.transpose(0, 1).contiguous()));
        assert!(spikes.source.moved.0.lock().unwrap().is_some());
        let none = Spikes::draw([2, 2, 2], (Kind::Float, Device::Cpu), 0.0, &mut Rng::new(0, "")).unwrap();
        assert_eq!(numbers(&none.lists().unwrap().row_starts), [0; 5]);
    }

    /// Of samples in any order, some twice, of steps cut out, and of both; samples without a spike, and rows with several.
    #[test]
    fn lists_of_a_part_are_those_of_the_part_alone() {
        let all = Spikes::draw([9, 6, 5], (Kind::Float, Device::Cpu), 0.2, &mut Rng::new(5, "spikes")).unwrap();
        let mut samples: Vec<Vec<Spike>> = (0..6).map(|sample| all.sample(sample).to_vec()).collect();
        samples[2].clear();
        let twice = samples[0][0];
        samples[0].insert(0, twice);
        let all = Spikes::from_samples([9, 5], all.on(), samples).unwrap();
        let select = |samples: &[usize]| all.select(samples).unwrap();
        let cut = |spikes: &Spikes| spikes.steps(2, 4).unwrap();
        let parts = [
            all.clone(),
            select(&[4, 0, 2]),
            select(&[5, 5, 1]),
            select(&[2]),
            cut(&all),
            cut(&select(&[3, 2, 0])),
            cut(&all).select(&[1, 0]).unwrap(),
            cut(&select(&[3, 0])).select(&[1, 0, 1]).unwrap().steps(1, 2).unwrap(),
        ];
        for (i, part) in parts.iter().enumerate() {
            let [time, batch, n] = part.shape();
            let alone = (0..batch).map(|sample| part.sample(sample).to_vec());
            let alone = Spikes::from_samples([time, n], part.on(), alone).unwrap().lists().unwrap();
            let found = part.lists().unwrap();
            let pairs = [
                (&found.row_starts, &alone.row_starts),
                (&found.channels, &alone.channels),
                (&found.channel_starts, &alone.channel_starts),
                (&found.rows, &alone.rows),
            ];
            for (found, alone) in pairs {
                assert!(found.kind() == Kind::Int && found.equal(alone), "part {i}: {found:?} and {alone:?}");
            }
        }
        // The list is moved once, for all of them.
        let moved = |spikes: &Spikes| spikes.source.moved.0.lock().unwrap().as_ref().unwrap().1.steps.data_ptr();
        assert!(parts.iter().all(|part| moved(part) == moved(&all)));
    }
}
