//! [`Source`]: where the batches of a training come from.

use std::fmt;

use bd_core::{Result, Rng};

use crate::data::Examples;

/// A function that makes the batch of a number.
pub type Draw<'a> = dyn Fn(u64) -> Result<Examples> + 'a;

/// Where the batches of a training come from. Which batch comes when is a function of the seed and of numbers, so that a
/// training that is resumed sees those that it would have seen.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Examples that are seen in epochs, in an order of its own each.
    Examples(&'a Examples),
    /// Batches that are drawn by their numbers, from 0: each is seen once, and there is one epoch.
    Drawn {
        /// How many updates they are to make.
        updates: u64,
        /// Makes the batch of a number.
        draw: &'a Draw<'a>,
        /// Steps of a sequence, which say how many pieces there will be where sequences are cut.
        steps: usize,
    },
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Examples(examples) => f.debug_tuple("Examples").field(examples).finish(),
            Self::Drawn { updates, .. } => f.debug_struct("Drawn").field("updates", updates).finish_non_exhaustive(),
        }
    }
}

/// How batches are made of a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) seed: u64,
    /// Samples of a batch.
    pub(super) batch: usize,
    /// Batches of an update.
    pub(super) accumulate: usize,
}

pub(super) type Batches<'a> = Box<dyn Iterator<Item = Result<Examples>> + 'a>;

impl<'a> Source<'a> {
    /// The batches of an epoch, without the first `skip` of them.
    pub(super) fn batches(&self, cut: Cut, epoch: u64, skip: usize) -> Batches<'a> {
        match *self {
            Self::Examples(examples) => {
                let mut rng = Rng::new(cut.seed, &format!("epoch {epoch}"));
                Box::new(examples.batches_from(skip, cut.batch, Some(&mut rng)))
            }
            Self::Drawn { updates, draw, .. } => {
                let count = updates.saturating_mul(cut.accumulate as u64);
                Box::new((skip as u64..count).map(draw))
            }
        }
    }

    /// How many epochs there are of those that a configuration names.
    pub(super) fn epochs(&self, named: u64) -> u64 {
        match self {
            Self::Examples(_) => named,
            Self::Drawn { .. } => 1,
        }
    }

    /// Updates of so many epochs at most; sequences that end early may make fewer.
    pub fn updates(&self, epochs: u64, batch: usize, accumulate: usize, truncate: Option<usize>) -> u64 {
        let (an_epoch, steps) = match self {
            Self::Examples(examples) => {
                let batches = examples.count().div_ceil(batch.max(1));
                (batches.div_ceil(accumulate.max(1)) as u64, examples.inputs().shape()[1] as usize)
            }
            Self::Drawn { updates, steps, .. } => (*updates, *steps),
        };
        let pieces = truncate.map_or(1, |piece| steps.div_ceil(piece.max(1))) as u64;
        self.epochs(epochs).saturating_mul(an_epoch).saturating_mul(pieces)
    }
}
