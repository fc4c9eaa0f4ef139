//! [`Pending`]: what the host knows of the updates so far, and what it has still to look at.

use bd_core::{Error, Result};
use tch::{Device, Kind, Tensor};

use crate::optim::by_kernels::ROW;

/// So many updates may wait to be looked at; then one look is taken unasked, so that what waits does not grow for ever.
const MOST: usize = 1024;

/// Updates, as far as the host knows of them. Those on a device leave their numbers there, and whether all of them were finite: a look
/// brings all of it in one transfer.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The numbers of the last update, where it was not looked at. One that is not sound changes nothing, and neither do those after it.
    before: Option<Tensor>,
    /// Where numbers of updates by kernels go, float64 `[MOST, ROW]`.
    numbers: Option<Tensor>,
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

/// An update that was not looked at.
#[derive(Debug)]
struct Row {
    step: u64,
    /// Loss without the penalty, penalty, sum of the squares of the gradient, and whether this update and all before it are sound, 1 or 0;
    /// float64 `[ROW]`.
    numbers: Tensor,
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

    /// The numbers of the last update, if it was not looked at.
    pub(super) fn before(&self) -> Option<&Tensor> {
        self.before.as_ref()
    }

    /// Whether all updates so far were sound, on `device`.
    pub(super) fn sound(&self, device: Device) -> Tensor {
        match &self.before {
            Some(numbers) => numbers.get(ROW - 1).to_kind(Kind::Bool),
            None => Tensor::ones([], (Kind::Bool, device)),
        }
    }

    /// Where the numbers of the next update go, on `device`.
    pub(super) fn next_row(&mut self, device: Device) -> Tensor {
        let numbers = self.numbers.get_or_insert_with(|| Tensor::empty([MOST as i64, ROW], (Kind::Double, device)));
        numbers.get(self.rows.len() as i64)
    }

    /// The gradient to keep beside that which is held, where updates are not made by kernels.
    pub(super) fn holding(&self, gradient: Tensor) -> Tensor {
        match &self.held {
            Some(held) => gradient.where_self(&self.sound(gradient.device()), held),
            None => gradient,
        }
    }

    /// Takes in an update on a device: the joined gradients of the last one that came while all before it were sound, and its numbers.
    pub(super) fn unseen(&mut self, step: u64, held: Tensor, numbers: Tensor) {
        self.held = Some(held);
        self.before = Some(numbers.shallow_clone());
        self.rows.push(Row { step, numbers });
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
        // What comes next begins anew: all that were looked at are sound, or are forgotten.
        self.before = None;
        let all: Vec<&Tensor> = rows.iter().map(|row| &row.numbers).collect();
        let all = Tensor::f_stack(&all, 0)?.f_to_device(Device::Cpu)?;
        let all = Vec::<f64>::try_from(all.reshape([-1]))?;
        for (Row { step, .. }, found) in rows.iter().zip(all.chunks_exact(ROW as usize)) {
            let [loss, penalty, squares] = [found[0], found[1], found[2]];
            if found[3] == 0.0 {
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
