//! [`Sent`]: what threads tell each other.

use bd_kernel::Real;

use crate::network::Carried;

/// What of a population projections carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) population: usize,
    pub(crate) carries: Carried,
}

/// What a thread has sent: by channel, by step.
#[derive(Debug)]
pub(crate) struct Sent<F> {
    channels: Vec<Vec<Now<F>>>,
}

/// What was sent in a step.
#[derive(Debug, Clone)]
pub(crate) struct Now<F> {
    pub(crate) step: u64,
    /// In their order.
    pub(crate) neurons: Vec<u32>,
    /// Of each; nothing of spikes alone.
    pub(crate) values: Vec<F>,
}

impl<F: Real> Sent<F> {
    pub(crate) fn new(channels: usize) -> Self {
        Self { channels: vec![Vec::new(); channels] }
    }

    /// Steps of a channel.
    pub(crate) fn of(&self, channel: usize) -> &[Now<F>] {
        &self.channels[channel]
    }

    /// The same, to be filled.
    pub(crate) fn of_mut(&mut self, channel: usize) -> &mut [Now<F>] {
        &mut self.channels[channel]
    }

    /// Empty lists for steps `from..to` of a channel.
    pub(crate) fn begin(&mut self, channel: usize, from: u64, to: u64) -> &mut [Now<F>] {
        let lists = &mut self.channels[channel];
        lists.resize((to - from) as usize, Now { step: 0, neurons: Vec::new(), values: Vec::new() });
        for (now, step) in lists.iter_mut().zip(from..) {
            now.step = step;
            now.neurons.clear();
            now.values.clear();
        }
        lists
    }
}
