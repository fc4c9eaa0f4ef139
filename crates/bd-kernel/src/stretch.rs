//! [`Stretch`]: how many steps a scan makes at once.

use crate::Kernel;

/// How a scan over time is cut into stretches. Between two of them what is about to [underflow](crate::Real::TINY) becomes zero, so that whoever
/// makes the same steps one by one has to know where they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Bytes of blocks: so much stays in the cache of one core.
    pub bytes: usize,
    /// Steps at least, whatever the bytes: a unit's state stays in registers over them. Layers of thousands of neurons are 2.5 times as fast
    /// as with single steps.
    pub min_steps: usize,
}

impl Default for Stretch {
    fn default() -> Self {
        Self { bytes: 384 << 10, min_steps: 8 }
    }
}

impl Stretch {
    /// Steps of series that are [calculated alone](Kernel::forward_of_one).
    pub const OF_ONE_SERIES: usize = 32;

    /// Steps of so many lanes; `listed` is whether the input is a list of spikes, of which a kernel that takes events has nothing laid out.
    pub fn steps<F>(&self, kernel: &(impl Kernel<F> + ?Sized), lanes: usize, listed: bool) -> usize {
        let sizes = kernel.sizes();
        let n_in = if listed && kernel.takes_events() { 0 } else { 2 * sizes.n_in };
        let n_kept = kernel.n_kept(crate::LANES).div_ceil(crate::LANES);
        let bytes_a_step = (n_in + 2 * sizes.n_out + n_kept + sizes.n_work) * lanes * size_of::<F>();
        (self.bytes / bytes_a_step.max(1)).max(self.min_steps)
    }
}
