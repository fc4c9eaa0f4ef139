//! Updates whose batches are shared out among processes, and checkpoints of them.

use std::ops::Range;

use bd_core::{Checkpoint, Result, System, catch_torch};
use serde_json::json;
use tch::{Kind, Tensor};

use super::Bptt;
use super::update::{Part, finite_loss, sum_of};
use crate::loss::Objective;
use crate::process_group::{ProcessGroup, check_shares, gather_numbers, share, sum_over_ranks};

impl<'a, S: System, O: Objective> Bptt<'a, S, O> {
    /// Shares the batches of each update out among the processes of a group, of which this is one: all are given the same batches, and
    /// make the same updates, byte for byte those of a single process. [`accumulate`](Self::accumulate) comes first, for it says how many
    /// batches there are to share: the number of processes times a power of two.
    ///
    /// The initial parameters must be alike. Updates on a device are waited for.
    pub fn processes(mut self, group: &'a dyn ProcessGroup) -> Result<Self> {
        check_shares(group.size(), self.accumulate)?;
        self.group = Some(group);
        self.unwaited = false;
        Ok(self)
    }

    /// Which of the parts of an update this process computes.
    pub(super) fn share(&self, parts: usize) -> Range<usize> {
        self.group.map_or(0..parts, |group| share(group.rank(), group.size(), self.accumulate, parts))
    }

    /// The loss and the gradients of all parts, of those of this process.
    pub(super) fn of_all(
        &self,
        losses: &[f64],
        gradients: Option<Vec<Tensor>>,
        weights: &[f64],
        step: u64,
    ) -> Result<(f64, Vec<Tensor>)> {
        let Some(group) = self.group else { return Ok((sum_of(losses), gradients.unwrap_or_default())) };
        let mut own = losses.to_vec();
        own.resize(self.accumulate / group.size(), 0.0);
        let all = gather_numbers(group, &own)?.concat();
        // As a single process, which stops at the first part that makes the loss infinite.
        for parts in 1..=weights.len() {
            finite_loss(sum_of(&all[..parts]), || format!("at update {step}"))?;
        }
        let params: Vec<Tensor> = self.optimizer.params().iter().map(|(_, tensor)| tensor.shallow_clone()).collect();
        let has = |rank: usize| {
            weights[share(rank, group.size(), self.accumulate, weights.len())].iter().any(|weight| *weight > 0.0)
        };
        let gradients = tch::no_grad(|| sum_over_ranks(group, gradients, &params, has))?;
        Ok((sum_of(&all[..weights.len()]), gradients))
    }

    /// Gives the parts of other processes states of their shapes, so that [`checkpoint`](Self::checkpoint) can collect them.
    pub(super) fn hold_places(&self, parts: &mut [Part<'_, S::State>]) {
        let own = self.share(parts.len());
        for part in parts.iter_mut().filter(|part| !own.contains(&part.which) && part.weight > 0.0) {
            *part.state = Some(self.start(&part.examples));
        }
    }

    /// Parameters, optimiser and, within sequences that are cut in pieces, the states that are handed on: everything that
    /// updates need to go on, with any number of processes. It waits for a device; an update that was refused there is not in it, and the
    /// next look tells of it. Of several processes all must ask for it, and get the same.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        if let Err(error) = catch_torch(|| self.settle()) {
            self.pending.borrow_mut().failure = Some(error);
        }
        // Copies, all of it: training that goes on must not change them.
        let (from, state) = self.position.saved();
        let state = state.into_iter().map(|(name, tensor)| self.of_its_process(name, tensor)).collect::<Result<_>>()?;
        Ok(Checkpoint {
            model: self.parameters(),
            optim: self.optimizer.state(),
            state,
            meta: json!({"step": self.optimizer.step(), "from": from}),
            ..Checkpoint::default()
        })
    }

    /// A tensor of the state of a batch, which begins with its number, as the process has it that computes this batch.
    fn of_its_process(&self, name: String, own: Tensor) -> Result<(String, Tensor)> {
        let Some(group) = self.group else { return Ok((name, own)) };
        let which: usize = name.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let rank = which / (self.accumulate / group.size());
        let on_host = own.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let bytes = group.gather(&on_host.f_reshape([-1])?.f_view_dtype(Kind::Uint8)?)?;
        let its = bytes.f_get(rank as i64)?.f_contiguous()?.f_view_dtype(own.kind())?.f_reshape(own.size())?;
        Ok((name, its.f_to_device(own.device())?))
    }
}
