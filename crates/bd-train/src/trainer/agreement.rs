//! What several processes that train together must agree on: what they train, and when they stop or save.

use bd_core::{Error, Result, System, files::sha256_hex};
use tch::{Device, Kind, Tensor};

use super::{Control, Trainer};
use crate::loss::Objective;
use crate::process_group::{ProcessGroup, gather_numbers};

/// What at least one process wants after an update. All of them do it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes {
    pub(super) stop: bool,
    pub(super) save: bool,
    pub(super) over: bool,
}

impl Wishes {
    /// What this process wants; a request to save is taken.
    pub(super) fn of(control: &Control, is_due: bool) -> Self {
        // In this order, so that a request is taken even where a checkpoint is due anyway.
        let save = control.take_save() || is_due;
        Self { stop: control.is_stopped(), save, over: control.is_over() }
    }

    /// What any process wants.
    pub(super) fn of_all(self, group: Option<&dyn ProcessGroup>) -> Result<Self> {
        let Some(group) = group else { return Ok(self) };
        let own = [self.stop, self.save, self.over].map(|wish| f64::from(u8::from(wish)));
        let all = gather_numbers(group, &own)?;
        let any = |wish: usize| all.iter().any(|wishes| wishes[wish] != 0.0);
        Ok(Self { stop: any(0), save: any(1), over: any(2) })
    }
}

impl<S: System, O: Objective> Trainer<'_, S, O> {
    /// Refuses to train with processes that have another configuration, other parameters, or have come further.
    pub(super) fn check_alike(&self, updates: u64) -> Result<()> {
        let Some(group) = self.group else { return Ok(()) };
        let config = serde_json::to_string(&self.config).map_err(|error| Error::Config(error.to_string()))?;
        let begun = self.bptt.optimizer().step();
        let named = [
            ("the configuration of the training", config),
            ("the number of updates", updates.to_string()),
            ("the update to go on after", begun.to_string()),
            ("the parameters", hash_of(&self.bptt.parameters())?),
            ("the state of the optimiser", hash_of(&self.bptt.optimizer().state())?),
        ];
        let hashes: Vec<Tensor> = named.iter().map(|(_, text)| hash(text)).collect();
        let all = group.gather(&Tensor::f_cat(&hashes, 0)?)?.f_reshape([-1, named.len() as i64, HASH])?;
        let first = all.get(0);
        for rank in 1..group.size() {
            let its = all.get(rank as i64);
            let differs = (0..named.len()).find(|i| its.get(*i as i64) != first.get(*i as i64));
            if let Some(i) = differs {
                return Err(Error::ProcessGroup(format!(
                    "{} of process 0 and of process {rank} differ; start all with the same command on the same data",
                    named[i].0
                )));
            }
        }
        Ok(())
    }
}

/// Bytes of a hash as hexadecimal digits.
const HASH: i64 = 64;

fn hash(text: &str) -> Tensor {
    Tensor::from_slice(sha256_hex(text.as_bytes()).as_bytes())
}

/// A hash of names, shapes and bytes.
fn hash_of(tensors: &[(String, Tensor)]) -> Result<String> {
    let mut all = String::new();
    for (name, tensor) in tensors {
        let flat =
            tensor.detach().f_to_device(Device::Cpu)?.f_contiguous()?.f_reshape([-1])?.f_view_dtype(Kind::Uint8)?;
        let bytes = Vec::<u8>::try_from(flat)?;
        all += &format!("{name} {:?} {} ", tensor.size(), sha256_hex(&bytes));
    }
    Ok(all)
}
