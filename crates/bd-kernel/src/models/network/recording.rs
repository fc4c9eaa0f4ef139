//! What a network records: states of units, behind its outputs.

use std::ops::Range;
use std::sync::Arc;

use super::{NetworkKernel, Sender};
use crate::AnyKernel;
use crate::leaves::{leaves_within, numbers_of};

impl NetworkKernel {
    /// Outputs of a population, and what it records.
    pub(super) fn makes(&self, population: usize) -> usize {
        self.populations[population].sends() + self.recorded[population]
    }

    /// The channels behind the outputs of the network that a population records.
    pub(super) fn recorded(&self, population: usize) -> Range<usize> {
        let begin = self.populations[self.output].n + self.recorded[..population].iter().sum::<usize>();
        begin..begin + self.recorded[population]
    }
}

impl AnyKernel for NetworkKernel {
    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        let (mut populations, mut recorded) = (self.populations.clone(), Vec::new());
        for (p, population) in populations.iter_mut().enumerate() {
            let [units, _] = self.leaves::<f32>(p, 1);
            let own = leaves_within(leaves, &units);
            if let Sender::Units(kernel) = &mut population.sender
                && !own.is_empty()
            {
                *kernel = kernel.clone().recording(&own)?;
            }
            recorded.push(numbers_of(&own));
        }
        // What is on its way is recorded by nobody.
        let all = recorded.iter().sum::<usize>() == numbers_of(leaves);
        let (projections, order) = (self.projections.clone(), self.order.clone());
        let Self { input, output, slice, .. } = *self;
        all.then(|| Arc::new(Self { populations, projections, recorded, input, output, slice, order }) as _)
    }
}
