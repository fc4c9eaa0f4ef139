//! Numbers over time as what drives a spiking network, spikes or currents, as tensors: see [`Encoder`].

use bd_core::{Error, Inputs, Result, Rng, Spike, Spikes};
pub use bd_kernel::models::encode::{Encoder, Scaling, Sent};
use tch::{Device, Kind, Tensor};

/// [`Encoder`]s of tensors.
pub trait Encode {
    /// What drives the network, of dtype and device `on`: of scaled numbers `[batch, time, n]`, of which the first `lengths`,
    /// `[batch]`, are no padding where there are some.
    ///
    /// What is drawn for a sequence is a function of the seed, `stream` and the sequence's number, and the same for any batch that
    /// begins at the same sequence: name the data that it is of.
    fn encode(&self, x: &Tensor, lengths: Option<&Tensor>, on: (Kind, Device), stream: (u64, &str)) -> Result<Inputs>;
}

impl Encode for Encoder {
    fn encode(
        &self,
        x: &Tensor,
        lengths: Option<&Tensor>,
        on: (Kind, Device),
        (seed, stream): (u64, &str),
    ) -> Result<Inputs> {
        self.check()?;
        let size = x.size();
        if size.len() != 3 || size.contains(&0) {
            let expected = "[batch, time, n] with at least one of each".into();
            return Err(Error::Shape { what: "numbers to encode".into(), expected, found: size });
        }
        let x = x.to_device(Device::Cpu).to_kind(Kind::Double);
        let lengths = match lengths {
            Some(lengths) => Vec::<i64>::try_from(lengths.to_device(Device::Cpu).to_kind(Kind::Int64))?,
            None => vec![size[1]; size[0] as usize],
        };
        if lengths.len() != size[0] as usize {
            let expected = format!("[{}], one for each sequence", size[0]);
            return Err(Error::Shape { what: "lengths".into(), expected, found: vec![lengths.len() as i64] });
        }
        if let Encoder::Current { substeps } = *self {
            return current(&x, &lengths, substeps, on);
        }
        let (time, n) = (size[1] as usize * self.substeps(), size[2] as usize);
        let samples = lengths.iter().enumerate().map(|(sample, length)| {
            let rows = Vec::<f64>::try_from(x.get(sample as i64).narrow(0, 0, *length).flatten(0, -1).contiguous())?;
            Ok(spikes_of(self, rows.chunks(n), &mut Rng::new(seed, &format!("{stream} {sample}"))))
        });
        let samples = samples.collect::<Result<Vec<_>>>()?;
        let channels = self.channels(size[2]) as usize;
        Ok(Inputs::Spikes(Spikes::from_samples([time, channels], on, samples)?))
    }
}

/// Of one sequence, given as its steps.
fn spikes_of<'a>(encoder: &Encoder, steps: impl Iterator<Item = &'a [f64]>, rng: &mut Rng) -> Vec<Spike> {
    let (mut spikes, mut sent) = (Vec::new(), Sent::default());
    for (step, x) in steps.enumerate() {
        encoder.spikes(x, &mut sent, rng, &mut |substep, channel| {
            spikes.push(Spike { step: (step * encoder.substeps() + substep) as u32, channel: channel as u32 });
        });
    }
    spikes
}

/// Held for `substeps`, and 0 in padding.
fn current(x: &Tensor, lengths: &[i64], substeps: usize, on: (Kind, Device)) -> Result<Inputs> {
    let steps = Tensor::arange(x.size()[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let padding = steps.ge_tensor(&Tensor::from_slice(lengths).unsqueeze(1)).unsqueeze(2);
    let held = x.masked_fill(&padding, 0.0).repeat_interleave_self_int(substeps as i64, 1, None);
    Inputs::batch_first(&held.to_kind(on.0).to_device(on.1))
}

#[cfg(test)]
mod tests;
