//! [`Pending`]: what the host knows of the updates so far, and what it has still to look at.

use bd_core::{Error, Result};
use tch::{Device, Kind, Tensor};

/// So many updates may wait to be looked at; then one look is taken unasked, so that what waits does not grow for ever.
const MOST: usize = 1024;

/// Updates, as far as the host knows of them. Those on a device leave their numbers there, and whether all of them were finite: a look
/// brings all of it in one transfer.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// On the device: whether every update was sound so far. One that is not changes nothing, and neither do those after it.
    sound: Option<Tensor>,
    /// The joined gradients of the loss, of the last update that was made while all before it were sound: where one is refused, its own.
    held: Option<Tensor>,
    /// Not looked at yet.
    rows: Vec<Row>,
    /// The last one that was looked at and is sound.
    last: Option<Known>,
    /// Of all that were looked at and are sound, since they were taken.
    losses: Vec<f64>,
    /// What the last update had for outputs.
    pub(super) outputs: Option<Tensor>,
    /// What was found out and not told yet.
    pub(super) failure: Option<Error>,
    /// How often a device was looked at.
    pub(super) looks: u64,
}

/// The numbers of an update, all 0-dimensional tensors.
#[derive(Debug)]
struct Row {
    step: u64,
    /// Loss without the penalty, penalty, sum of the squares of the gradient; float64.
    numbers: [Tensor; 3],
    /// Whether this update and all before it are sound.
    sound: Tensor,
}

/// The numbers of an update that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) step: u64,
    /// Without the penalty.
    pub(super) loss: f64,
    /// The sum of those of the gradient.
    pub(super) squares: f64,
}

/// A sound update.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) step: u64,
    pub(super) loss: f64,
    pub(super) gradient_norm: f64,
}

impl Pending {
    /// Takes in a sound update whose numbers are on the host.
    pub(super) fn known(&mut self, known: Known) {
        self.losses.push(known.loss);
        self.last = Some(known);
    }

    /// Whether all updates so far were sound, on `device`.
    pub(super) fn sound(&self, device: Device) -> Tensor {
        self.sound.as_ref().map_or_else(|| Tensor::ones([], (Kind::Bool, device)), Tensor::shallow_clone)
    }

    /// Takes in an update on a device: its joined gradients of the loss, its `[loss, penalty, squares]`, and whether it and all
    /// before it are sound.
    pub(super) fn unseen(&mut self, step: u64, gradient: Tensor, numbers: [Tensor; 3], sound: Tensor) {
        let before = self.sound(sound.device());
        self.held = Some(match &self.held {
            Some(held) => gradient.where_self(&before, held),
            None => gradient,
        });
        self.sound = Some(sound.shallow_clone());
        self.rows.push(Row { step, numbers, sound });
    }

    /// How many updates were not looked at.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MOST
    }

    /// Looks at all that wait, once, which waits for the device. Where an update was refused, hands out its numbers with its joined
    /// gradients on the host: those before it are known, it and those after it have changed nothing and are forgotten.
    pub(super) fn look(&mut self) -> Result<Option<(Numbers, Tensor)>> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(None);
        }
        self.looks += 1;
        let all = rows.iter().flat_map(|Row { numbers: [a, b, c], sound, .. }| {
            [a.shallow_clone(), b.shallow_clone(), c.shallow_clone(), sound.to_kind(Kind::Double)]
        });
        let all = Tensor::f_stack(&all.collect::<Vec<_>>(), 0)?.f_to_device(Device::Cpu)?;
        let all = Vec::<f64>::try_from(all)?;
        for (Row { step, .. }, found) in rows.iter().zip(all.chunks_exact(4)) {
            let [loss, penalty, squares] = [found[0], found[1], found[2]];
            if found[3] == 0.0 {
                self.sound = None;
                let held = self.held.take().expect("an update has gradients").f_to_device(Device::Cpu)?;
                return Ok(Some((Numbers { step: *step, loss, squares }, held)));
            }
            self.known(Known { step: *step, loss: loss + penalty, gradient_norm: squares.sqrt() });
        }
        Ok(None)
    }

    /// The last update that was looked at and is sound.
    pub(super) fn last(&self) -> Option<Known> {
        self.last
    }

    /// Losses that were looked at since they were taken.
    pub(super) fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Losses that were looked at since the last call.
    pub(super) fn take_losses(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.losses)
    }
}
