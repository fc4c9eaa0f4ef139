//! How what was learned is saved, and goes on.

use bd_core::{Checkpoint, Error, Readout, Result, StateTree, catch_torch};
use bd_kernel::InverseFactor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::{Kind, Tensor};

use super::learner::{Learner, Memory};
use super::lms::LmsMemory;
use super::model::{Online, on};
use super::rls::RlsMemory;
use super::rule::OnlineRule;
use crate::host;

/// Names of the tensors.
const WEIGHTS: &str = "online.weights";
const U: &str = "online.u";
const D: &str = "online.d";
const SEEN: &str = "online.seen";

/// What a checkpoint says beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    rule: OnlineRule,
    samples: u64,
    batch: i64,
}

impl Learner {
    /// All that it remembers, as tensors in float64 by name: the weights `online.weights` `[n_out, intercept and features]`; of `rls` the factors
    /// `online.u` and `online.d`; of `lms` what it knows of the samples so far, `online.seen`.
    pub fn named(&self) -> Vec<(String, Tensor)> {
        let flat = |name: &str, numbers: &[f64]| (name.to_owned(), Tensor::from_slice(numbers));
        let columns = self.weights.columns() as i64;
        let mut all = vec![(WEIGHTS.to_owned(), Tensor::from_slice(&self.weights.numbers).reshape([-1, columns]))];
        match &self.memory {
            Memory::Rls(memory) => all.extend([flat(U, memory.factor.u()), flat(D, memory.factor.d())]),
            Memory::Lms(memory) => all.push(flat(SEEN, &[memory.squares, memory.greatest])),
        }
        all
    }

    /// One of the same rule and sizes that remembers what [`named`](Self::named) gave after so many `samples`: what it does then is bit for
    /// bit the same. Fails with [`Error::Config`] if tensors are missing or do not fit.
    pub fn restored(self, tensors: &[(String, Tensor)], samples: u64) -> Result<Self> {
        let numbers = |name: &str, len: usize| -> Result<Vec<f64>> {
            let found = tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.contiguous());
            found
                .filter(|tensor| tensor.numel() == len && host::kind_of(&[tensor]) == Some(Kind::Double))
                .map(|tensor| host::numbers::<f64>(&tensor).to_vec())
                .filter(|numbers| numbers.iter().all(|number| number.is_finite()))
                .ok_or_else(|| Error::Config(format!("there is no {name} of {len} finite numbers in float64")))
        };
        let mut next = self;
        let columns = next.weights.columns();
        next.weights.numbers = numbers(WEIGHTS, next.weights.numbers.len())?;
        next.memory = match next.memory {
            Memory::Rls(_) => {
                let (u, d) = (numbers_or_none(columns, |len| numbers(U, len))?, numbers(D, columns)?);
                let factor = InverseFactor::of_parts(u, d);
                let factor = factor.ok_or_else(|| Error::Config(format!("{D} has numbers that are not above 0")))?;
                Memory::Rls(RlsMemory { factor })
            }
            Memory::Lms(_) => {
                let seen = numbers(SEEN, 2)?;
                Memory::Lms(LmsMemory { squares: seen[0], greatest: seen[1] })
            }
        };
        next.samples = samples;
        Ok(next)
    }
}

/// The numbers above the diagonal, of which a matrix of one column has none.
fn numbers_or_none(columns: usize, numbers: impl Fn(usize) -> Result<Vec<f64>>) -> Result<Vec<f64>> {
    match columns * (columns - 1) / 2 {
        0 => Ok(Vec::new()),
        len => numbers(len),
    }
}

impl<M: Readout> Online<M> {
    /// A point from which another one of the same model and rule [goes on](Self::resume): what was learned, the state, the clock.
    pub fn checkpoint(&self) -> Checkpoint {
        let saved = Saved { rule: *self.learner.rule(), samples: self.learner.samples(), batch: self.batch };
        let (weight, bias) = self.model.readout();
        let mut model = vec![("weight".to_owned(), weight.shallow_clone())];
        model.extend(bias.map(|bias| ("bias".to_owned(), bias.shallow_clone())));
        Checkpoint {
            model,
            optim: self.learner.named(),
            state: self.state.named(),
            meta: json!({"step": self.sha.i, "online": saved}),
            ..Checkpoint::default()
        }
    }

    /// Goes on from a checkpoint of the same model and rule: what follows is bit for bit what it would have been. Fixed parameters of the
    /// model are not in it; they follow from its seed. Fails if it is of another one, and is then as before.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let of_another =
            |what: String| Error::Config(format!("the checkpoint is of no learner that can go on here: {what}"));
        let saved: Saved =
            serde_json::from_value(checkpoint.meta["online"].clone()).map_err(|error| of_another(error.to_string()))?;
        let step = checkpoint.meta["step"].as_u64().ok_or_else(|| of_another("it has no number of a step".into()))?;
        if saved.rule != self.learner.rule || saved.batch != self.batch {
            let (found, here) = (&saved.rule, &self.learner.rule);
            return Err(of_another(format!(
                "it is of {found:?} with a batch of {}, and this is {here:?} with {}",
                saved.batch, self.batch
            )));
        }
        let learner = self.learner.clone().restored(&checkpoint.optim, saved.samples)?;
        let fresh = catch_torch(|| Ok(self.model.init_state(self.batch, on(&self.model))))?;
        let state = fresh.load(&checkpoint.state)?;
        learner.write_to(&self.model)?;
        (self.learner, self.state, self.sha) = (learner, state, self.sha.at(step as usize));
        Ok(())
    }
}
