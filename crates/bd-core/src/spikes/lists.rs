//! Spikes as lists on a device, for kernels of a GPU.

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use super::Spikes;
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

impl Spikes {
    /// The spikes as lists on their device. They are moved there once, for all clones, and put in order there.
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
        let (rows, count) = (self.time * self.batch, self.all.len());
        if rows.max(count).max(self.n) >= i32::MAX as usize {
            return Err(Error::Config(format!(
                "{count} spikes in {rows} steps of samples are more than fit on a GPU at once; take smaller batches"
            )));
        }
        let device = self.on.1;
        let samples = (0..self.batch).flat_map(|sample| self.sample(sample).iter().map(move |spike| (sample, spike)));
        let of_rows: Vec<i32> =
            samples.map(|(sample, spike)| (spike.step as usize * self.batch + sample) as i32).collect();
        let of_channels: Vec<i32> = self.all.iter().map(|spike| spike.channel as i32).collect();
        let of_rows = Tensor::from_slice(&of_rows).to_device(device);
        let of_channels = Tensor::from_slice(&of_channels).to_device(device);
        let (row_starts, channels) = in_order(&of_rows, &of_channels, rows)?;
        let (channel_starts, rows) = in_order(&of_channels, &of_rows, self.n)?;
        Ok(SpikeLists { row_starts, channels, channel_starts, rows })
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
        let none = Spikes::draw([2, 2, 2], (Kind::Float, Device::Cpu), 0.0, &mut Rng::new(0, "")).unwrap();
        assert_eq!(numbers(&none.lists().unwrap().row_starts), [0; 5]);
    }
}
